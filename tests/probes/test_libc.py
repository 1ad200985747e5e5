"""An executable names its loader, and that is the C library it is linked to."""

from __future__ import annotations

import struct
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from probes import Libc, LocalHost, Unknown
from probes.libc import Executable, libc_of, parse_elf
from tests.probes.driven import write


def elf(loader: str | None, machine: int = 62, bits: int = 64, order: str = "<") -> bytes:
    """The smallest file that has a header and one segment, as the ELF specification lays them out."""
    wide = bits == 64
    start, size = (64, 56) if wide else (52, 32)
    identity = b"\x7fELF" + bytes([2 if wide else 1, 1 if order == "<" else 2, 1]) + bytes(9)
    header = identity + struct.pack(
        f"{order}HHI{'QQQ' if wide else 'III'}IHHHHHH", 3, machine, 1, 0, start, 0, 0, start, size, 1, 0, 0, 0
    )
    text = (loader or "").encode() + b"\0"
    kind, at = (3 if loader else 1), start + size
    if wide:
        return header + struct.pack(f"{order}IIQQQQQQ", kind, 4, at, 0, 0, len(text), len(text), 1) + text
    return header + struct.pack(f"{order}IIIIIIII", kind, at, 0, 0, len(text), len(text), 4, 1) + text


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (elf("/lib64/ld-linux-x86-64.so.2"), Executable("x86_64", 64, "/lib64/ld-linux-x86-64.so.2")),
        (elf("/lib/ld-musl-aarch64.so.1", 183), Executable("aarch64", 64, "/lib/ld-musl-aarch64.so.1")),
        (elf("/lib/ld-linux-armhf.so.3", 40, 32), Executable("armv7l", 32, "/lib/ld-linux-armhf.so.3")),
        (elf("/lib/ld64.so.1", 22, 64, ">"), Executable("s390x", 64, "/lib/ld64.so.1")),
        (elf(None), Executable("x86_64", 64, None)),
    ],
    ids=["glibc", "musl", "narrow", "big-endian", "static"],
)
def test_reads_the_loader(content: bytes, expected: Executable) -> None:
    assert parse_elf(content) == expected


@given(st.binary() | st.binary(min_size=56, max_size=300).map(lambda rest: b"\x7fELF\2\1" + rest))
def test_no_content_makes_the_reader_fail(content: bytes) -> None:
    assert isinstance(parse_elf(content), (Executable, Unknown))


@given(st.integers(0, 150))
def test_a_file_that_is_cut_off_is_no_failure(length: int) -> None:
    assert isinstance(parse_elf(elf("/lib64/ld-linux-x86-64.so.2")[:length]), (Executable, Unknown))


def test_one_interpreter_may_be_linked_to_another_library_than_the_system(tmp_path: Path) -> None:
    library = b"\x7fELF\0GNU C Library (Debian GLIBC 2.36-9) stable release version 2.36.\n\0"
    write(
        tmp_path,
        {
            "usr/bin/python3": elf("/lib/ld-musl-x86_64.so.1"),
            "opt/python/bin/python3": elf("/lib64/ld-linux-x86-64.so.2"),
            "opt/static": elf(None),
            "opt/script": b"#!/bin/sh\n",
            "lib/apk/db/installed": b"P:musl\nV:1.2.5-r10\n",
            "lib64/libc.so.6": library,
        },
    )
    host = LocalHost(tmp_path, {})
    musl, glibc = libc_of(host, "/usr/bin/python3"), libc_of(host, "/opt/python/bin/python3")
    assert isinstance(musl, Libc)
    assert isinstance(glibc, Libc)
    assert (musl.family, musl.version, glibc.family, glibc.version) == ("musl", "1.2.5", "glibc", "2.36")
    assert libc_of(host, "/opt/static") is None
    assert isinstance(libc_of(host, "/opt/script"), Unknown)
    assert isinstance(libc_of(host, "/opt/nowhere"), Unknown)


def test_our_own_interpreter_is_read_like_any_other() -> None:
    if not sys.platform.startswith("linux"):
        pytest.skip("needs Linux")
    libc = libc_of(LocalHost(), str(Path(sys.executable).resolve()))
    assert isinstance(libc, Libc)
    assert libc.family in ("glibc", "musl")
