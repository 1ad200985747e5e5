"""What is in torchstrap.pyz: all that is needed, nothing else, everybody's licence, and the same bytes every time."""

from __future__ import annotations

import io
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from bootstrap.errors import BadDistributionError
from bootstrap.zipapp import contents
from bootstrap.zipapp.archive import EARLIEST
from bootstrap.zipapp.contents import LICENCES, ROOT
from bootstrap.zipapp.loader import PROGRAM
from bootstrap.zipapp.vendored import VENDORED
from tests.making import make_wheel
from tests.one_file import build, pythons

LARGEST = 6_000_000  # bytes


@pytest.fixture(scope="module")
def program(pyz: Path) -> zipfile.ZipFile:
    with zipfile.ZipFile(pyz) as outer:
        return zipfile.ZipFile(io.BytesIO(outer.read(PROGRAM)))


def test_it_is_small(pyz: Path) -> None:
    assert pyz.stat().st_size <= LARGEST
    assert os.access(pyz, os.X_OK)


def test_another_python_at_another_time_builds_the_same_bytes(
    pyz: Path, program: zipfile.ZipFile, tmp_path: Path
) -> None:
    others = [each for each in pythons(10, 14) if each != Path(sys.executable)]
    python = others[-1] if others else Path(sys.executable)
    program.extractall(tmp_path / "needed")
    (tmp_path / "needed" / "torchstrap-0.dist-info").mkdir()  # with what it needs it counts as installed
    (tmp_path / "needed" / "bootstrap").rename(tmp_path / "bootstrap")
    again = tmp_path / "again.pyz"
    environ = {**os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{tmp_path / 'needed'}", "TZ": "Asia/Tokyo"}
    environ["TORCHSTRAP_CACHE_DIR"] = str(pyz.parent / "torchstrap-cache")
    command = [str(python), "-B", "-m", "bootstrap.zipapp", "-o", str(again)]
    said = subprocess.run(command, env=environ, cwd=tmp_path / "needed", capture_output=True, text=True, check=True)
    assert again.read_bytes() == pyz.read_bytes()
    assert f"{again.stat().st_size} bytes, sha256 " in said.stdout


def test_the_moment_can_be_said(pyz: Path, tmp_path: Path) -> None:
    cache = pyz.parent / "torchstrap-cache"
    build(tmp_path / "dated.pyz", cache, SOURCE_DATE_EPOCH="1700000000")
    with zipfile.ZipFile(tmp_path / "dated.pyz") as dated:
        assert {each.date_time for each in dated.infolist()} == {(2023, 11, 14, 22, 13, 20)}
    assert (tmp_path / "dated.pyz").read_bytes() != pyz.read_bytes()
    with pytest.raises(AssertionError, match="SOURCE_DATE_EPOCH is 'yesterday', but must be seconds since 1970"):
        build(tmp_path / "dated.pyz", cache, SOURCE_DATE_EPOCH="yesterday")


def test_a_start_reads_a_short_directory(pyz: Path) -> None:
    with zipfile.ZipFile(pyz) as outer:
        assert len(outer.namelist()) < 20
        assert {each.compress_type for each in outer.infolist()} == {zipfile.ZIP_STORED}  # needs no zlib


def test_nothing_that_nobody_needs_is_carried(program: zipfile.ZipFile) -> None:
    names = program.namelist()
    assert program.testzip() is None
    assert not [name for name in names if name.endswith((".whl", ".pyc", ".pyi", "RECORD")) or "/tests/" in name]
    assert "example.py" not in names
    assert not [name for name in names if name.startswith("pygments")]


def test_nothing_of_python_is_hidden_by_what_is_carried(program: zipfile.ZipFile) -> None:
    tops = {name.partition("/")[0].removesuffix(".py") for name in program.namelist()} - {"__main__"}
    assert {"bootstrap", "probes", "profiles", "httpx", "rich"} <= tops
    assert not tops & sys.stdlib_module_names


def test_every_licence_is_there(pyz: Path) -> None:
    with zipfile.ZipFile(pyz) as outer:
        said = outer.read(LICENCES).decode()
    names = [line.partition("==")[0] for line in VENDORED.read_text().splitlines()]
    headings = {line.partition(" ")[0].replace("_", "-") for line in said.splitlines()}
    assert {"torchstrap", *names} <= headings
    assert "Apache License" in said.partition("anyio")[0]


def test_a_wheel_that_has_to_be_installed_is_refused(tmp_path: Path) -> None:
    wheel = make_wheel(tmp_path, "scripted", "1", files={"scripted-1.data/scripts/tool": b"#!python\n"})
    with pytest.raises(BadDistributionError, match=r"scripted-1\.data/scripts/tool, which one file cannot install"):
        contents.pyz([wheel], EARLIEST)


def test_a_wheel_without_a_licence_is_refused(tmp_path: Path) -> None:
    wheel = make_wheel(tmp_path, "unlicensed", "1")
    with pytest.raises(BadDistributionError, match="says nothing of its licence"):
        contents.pyz([wheel], EARLIEST)
