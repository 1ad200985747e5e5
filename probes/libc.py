"""The C library, as programs see it that are linked to it: an executable names its loader, and that decides.

Order, first answer wins: our own process; the dynamic loader that a folder holds, with the version that its C library
carries inside. `libc_of` asks one executable, whatever process we are: Alpine with a glibc Python has two answers.
"""

from __future__ import annotations

import re
import struct
from typing import NamedTuple

from probes.host import Host
from probes.machine import Libc, System, Unknown

__all__ = ["LOADERS", "Executable", "libc_of", "parse_elf", "read_libc"]

_LIBRARY_LIMIT = 8 << 20
"""Bytes of a C library that are searched for its version."""
_HEADER_LIMIT = 1 << 16
"""Bytes of an executable that are read: its header, its table of segments and the loader's name come first."""

LOADERS = (  # dynamic loader, architecture, C library
    ("/lib64/ld-linux-x86-64.so.2", "x86_64", "glibc"),
    ("/lib/ld-linux-aarch64.so.1", "aarch64", "glibc"),
    ("/lib64/ld64.so.2", "ppc64le", "glibc"),
    ("/lib/ld64.so.1", "s390x", "glibc"),
    ("/lib/ld-musl-x86_64.so.1", "x86_64", "musl"),
    ("/lib/ld-musl-aarch64.so.1", "aarch64", "musl"),
    ("/lib/ld-linux-armhf.so.3", "armv7l", "glibc"),
    ("/lib/ld-linux.so.2", "i686", "glibc"),
)

LIBRARIES = (
    "/lib/x86_64-linux-gnu/libc.so.6",
    "/lib/aarch64-linux-gnu/libc.so.6",
    "/lib64/libc.so.6",
    "/usr/lib/libc.so.6",
)

MACHINES = {3: "i686", 21: "ppc64le", 22: "s390x", 40: "armv7l", 62: "x86_64", 183: "aarch64", 243: "riscv64"}
"""e_machine of an ELF file. https://gabi.xinuos.com/elf/a-emachine.html"""
_INTERPRETER = 3
"""p_type of the segment that names the loader (PT_INTERP). https://gabi.xinuos.com/elf/07-pheader.html"""


class Executable(NamedTuple):
    """What a program file says of itself. `loader` is None if it is linked to no C library of the system."""

    architecture: str | Unknown
    bits: int
    loader: str | None


def read_libc(host: Host, system: System) -> Libc | Unknown | None:
    """The C library; None where the system has no choice of it (anything but Linux)."""
    if system.os != "linux":
        return None
    family, _, version = (host.told("libc") or "").partition(" ")
    if family == "glibc" and version:
        return Libc(family, version, "confstr")
    for path, _, kind in LOADERS:
        if host.exists(path):
            return Libc(kind, _version(host, kind), path)
    found = _glibc_version(host)
    return Unknown("no dynamic loader was found") if isinstance(found, Unknown) else Libc("glibc", found, "libc.so.6")


def libc_of(host: Host, executable: str) -> Libc | Unknown | None:
    """The C library of one executable, such as an interpreter's; None if it is linked to none."""
    content = host.read_bytes(executable, _HEADER_LIMIT)
    if not isinstance(content, bytes):
        return content or Unknown(f"{executable} is not there")
    found = parse_elf(content)
    if isinstance(found, Unknown):
        return Unknown(f"{executable} {found.reason}")
    if found.loader is None:
        return None
    family = "musl" if "/ld-musl-" in found.loader else "glibc"
    return Libc(family, _version(host, family), f"{executable}, whose loader is {found.loader}")


def parse_elf(content: bytes) -> Executable | Unknown:
    """Architecture and loader from the start of an ELF file."""
    if content[:4] != b"\x7fELF" or content[4:5] not in (b"\1", b"\2") or content[5:6] not in (b"\1", b"\2"):
        return Unknown("is no ELF file")
    wide, order = content[4] == 2, "<" if content[5] == 1 else ">"  # noqa: PLR2004 - ELFCLASS64
    try:
        (machine,) = struct.unpack_from(f"{order}H", content, 18)
        (table,) = struct.unpack_from(f"{order}{'Q' if wide else 'I'}", content, 32 if wide else 28)
        size, count = struct.unpack_from(f"{order}HH", content, 54 if wide else 42)
        loader = _loader(content, order, wide, range(table, table + size * count, size or 1))
    except (struct.error, OverflowError):
        return Unknown("is cut off, or no ELF file")
    architecture = MACHINES.get(machine, Unknown(f"no table knows ELF machine {machine}"))
    return Executable(architecture, 64 if wide else 32, loader)


def _loader(content: bytes, order: str, wide: bool, headers: range) -> str | None:
    for at in headers:
        if struct.unpack_from(f"{order}I", content, at)[0] == _INTERPRETER:
            offset = struct.unpack_from(f"{order}{'Q' if wide else 'I'}", content, at + (8 if wide else 4))[0]
            length = struct.unpack_from(f"{order}{'Q' if wide else 'I'}", content, at + (32 if wide else 16))[0]
            if not 0 < length <= len(content) - offset:
                raise struct.error
            return content[offset : offset + length].rstrip(b"\0").decode(errors="replace")
    return None


def _version(host: Host, family: str) -> str | Unknown:
    return _glibc_version(host) if family == "glibc" else _musl_version(host)


def _glibc_version(host: Host) -> str | Unknown:
    for path in LIBRARIES:
        content = host.read_bytes(path, _LIBRARY_LIMIT)
        match = (
            re.search(rb"GNU C Library[^\n]{0,200}? version (\d+\.\d+)", content)
            if isinstance(content, bytes)
            else None
        )
        if match:
            return match[1].decode()
    return Unknown("no libc.so.6 names its version")


def _musl_version(host: Host) -> str | Unknown:
    text = host.read_text("/lib/apk/db/installed", _LIBRARY_LIMIT)
    match = re.search(r"^P:musl\nV:([\d.]+)", text, re.MULTILINE) if isinstance(text, str) else None
    return match[1] if match else Unknown("/lib/apk/db/installed does not name musl")
