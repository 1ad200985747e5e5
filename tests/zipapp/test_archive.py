"""Archives whose every byte is decided by what is in them, readable by everybody."""

from __future__ import annotations

import io
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from bootstrap.zipapp.archive import EARLIEST, Member, archive, members_of, plain

MEMBERS = (plain("__main__.py", b"print('here')\n"), plain("a/b.txt", b""), plain("ü.txt", "ü".encode()))


def opened(content: bytes) -> zipfile.ZipFile:
    return zipfile.ZipFile(io.BytesIO(content))


def test_everybody_reads_it() -> None:
    with opened(archive(MEMBERS, EARLIEST)) as found:
        assert found.testzip() is None
        assert found.namelist() == ["__main__.py", "a/b.txt", "ü.txt"]
        assert found.read("ü.txt").decode() == "ü"
        assert {each.date_time for each in found.infolist()} == {(1980, 1, 1, 0, 0, 0)}
        assert {each.external_attr >> 16 for each in found.infolist()} == {0o100644}


def test_the_system_reads_it(tmp_path: Path) -> None:
    file = tmp_path / "a.pyz"
    file.write_bytes(archive(MEMBERS, EARLIEST, b"#!/usr/bin/env python3\n"))
    file.chmod(0o755)
    done = subprocess.run([sys.executable, "-I", file], capture_output=True, text=True, check=True)
    assert done.stdout == "here\n"


@pytest.mark.parametrize(
    ("moment", "date"),
    [
        (0.0, (1980, 1, 1, 0, 0, 0)),
        (1700000001.0, (2023, 11, 14, 22, 13, 20)),
        (EARLIEST + 2, (1980, 1, 1, 0, 0, 2)),
    ],
)
def test_a_moment_is_the_same_in_every_time_zone(moment: float, date: tuple[int, ...]) -> None:
    with opened(archive(MEMBERS, moment)) as found:
        assert {each.date_time for each in found.infolist()} == {date}


def test_what_was_compressed_is_copied_as_it_is(tmp_path: Path) -> None:
    text = os.urandom(10) * 1000
    first = tmp_path / "first.zip"
    with zipfile.ZipFile(first, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as made:
        made.writestr("text", text)
        made.writestr("folder/", b"")
        made.writestr("plain", text, zipfile.ZIP_STORED)
    members = tuple(members_of(first))
    assert [(each.name, each.method) for each in members] == [
        ("text", zipfile.ZIP_DEFLATED),
        ("plain", zipfile.ZIP_STORED),
    ]
    assert members[0].data in first.read_bytes()
    assert {each.content() for each in members} == {text}
    with opened(archive(members, EARLIEST)) as found:
        assert found.testzip() is None
        assert {found.read(name) for name in found.namelist()} == {text}


def test_refuses_what_not_every_python_can_read(tmp_path: Path) -> None:
    odd = tmp_path / "odd.zip"
    with zipfile.ZipFile(odd, "w", zipfile.ZIP_LZMA) as made:
        made.writestr("text", "text")
    with pytest.raises(ValueError, match="text is compressed in a way"):
        tuple(members_of(odd))


def test_a_member_shows_its_name_and_not_its_bytes() -> None:
    assert "data" not in repr(Member("name", b"bytes", 5, 0))
