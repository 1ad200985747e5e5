from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from bootstrap.environment.candidates import Candidate, candidates


def found(folder: Path, **environ: str) -> list[Candidate]:
    """All but the running one, in a home of its own."""
    first, *others = candidates({"PATH": str(folder / "bin"), "HOME": str(folder), **environ})
    assert first == Candidate(Path(sys.executable), "running")
    return others


@pytest.mark.parametrize(
    ("name", "version", "free", "is_cpython"),
    [
        ("python", "", None, True),
        ("python3", "", False, True),
        ("python3.12", "3.12", False, True),
        ("python3.13t", "3.13", True, True),
        ("python3.12.exe", "3.12", False, True),
        ("pypy3.10", "3.10", False, False),
        ("graalpy", "", None, False),
    ],
)
def test_a_command_claims_by_its_name(
    tmp_path: Path, name: str, version: str, free: bool | None, is_cpython: bool
) -> None:
    path = tmp_path / "bin" / name
    path.parent.mkdir()
    path.touch()
    assert found(tmp_path) == [Candidate(path, "PATH", version, free, is_cpython)]


def test_a_folder_that_is_a_link_to_another_one_is_read_once(tmp_path: Path) -> None:
    (tmp_path / "usr").mkdir()
    (tmp_path / "usr/python3.12").touch()
    (tmp_path / "bin").symlink_to(tmp_path / "usr")
    both = f"{tmp_path / 'bin'}{os.pathsep}{tmp_path / 'usr'}"
    assert [each.path for each in found(tmp_path, PATH=both)] == [tmp_path / "bin/python3.12"]


@pytest.mark.parametrize(
    "name", ["python3-config", "python3.12-gdb", "ipython", "pythonw3", "python3.12.1.4", "xpython"]
)
def test_other_commands_are_none(tmp_path: Path, name: str) -> None:
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / name).touch()
    assert found(tmp_path) == []


@pytest.mark.parametrize(
    ("name", "version", "free", "is_cpython"),
    [
        ("3.12.4", "3.12.4", False, True),
        ("3.13.0t", "3.13.0", True, True),
        ("cpython-3.13.1+freethreaded-linux-x86_64-gnu", "3.13.1", True, True),
        ("cpython-3.12-linux-x86_64-gnu", "3.12", False, True),
        ("pypy3.10-7.3.16", "", None, False),
        ("miniconda3-latest", "", None, False),
    ],
)
def test_a_managed_folder_claims_by_its_name(
    tmp_path: Path, name: str, version: str, free: bool | None, is_cpython: bool
) -> None:
    (tmp_path / "kept/versions" / name).mkdir(parents=True)
    (one,) = found(tmp_path, PYENV_ROOT=str(tmp_path / "kept"))
    assert (one.source, one.version, one.free_threaded, one.is_cpython) == ("pyenv", version, free, is_cpython)


def test_managed_ones_come_newest_first_and_behind_path(tmp_path: Path) -> None:
    for name in ("3.9.18", "3.10.13", "2.7.18", "3.12.1"):
        (tmp_path / ".pyenv/versions" / name).mkdir(parents=True)
    (tmp_path / "data/uv/python/cpython-3.8.1").mkdir(parents=True)
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/python3.7").touch()
    versions = [each.version for each in found(tmp_path, XDG_DATA_HOME=str(tmp_path / "data"))]
    assert versions == ["3.7", "3.12.1", "3.10.13", "3.9.18", "2.7.18", "3.8.1"]
