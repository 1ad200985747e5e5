"""Hostile wheels by every way that a wheel can come: refused with a sentence, and nothing anywhere is different after.

tests/wheels/test_hostile.py has all of them; these are one of each kind.
"""

from __future__ import annotations

import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from bootstrap.wheels.store import Store
from tests.acceptance.running import Workplace, pyproject
from tests.wheels.recipes import (
    FILENAME,
    INFORMATION,
    Piece,
    Recipe,
    archive,
    entry_points,
    pieces,
    recorded,
    spoiled,
    with_entry,
    with_member,
)

HOSTILE: dict[str, tuple[Recipe, str, str]] = {
    "parent folder": (with_member("../../outside.py"), "'../../outside.py'", "leaves the folder"),
    "names that differ by case": (with_member("Tool.py"), "'Tool.py' and 'tool.py'", "differ only by case"),
    "symbolic link": (with_entry("link", stat.S_IFLNK | 0o777), "'link'", "is a symbolic link"),
    "two truths": (archive(pieces(Piece("tool.py", b"x = 1\n", local={"size": 9}))), "'tool.py'", "disagree"),
    "something before it": (spoiled(lambda content: b"#!/bin/sh\n" + content), "", "its directory is"),
    "bomb": (archive(pieces(Piece("zeros", b"", central={"size": 1 << 31}))), "", "more than any real wheel"),
    "wrong record": (recorded(lambda text: text.replace("tool.py", "toot.py")), "'tool.py'", "RECORD does not list"),
    "shell syntax": (entry_points("$(reboot) = tool:main"), "'$(reboot)'", "no plain word"),
    "the interpreter": (with_member("tool-1.0.data/scripts/python"), "scripts/python'", "environment itself"),
    "our marker": (with_member("tool-1.0.data/data/torchstrap.json"), "torchstrap.json'", "environment itself"),
    "second dist-info": (with_member("torch-9.dist-info/METADATA"), "torch-9.dist-info", "2 dist-info folders"),
    "newer format": (
        with_member(f"{INFORMATION}/WHEEL", content=b"Wheel-Version: 2.0\n"),
        "Wheel-Version is 2.0",
        "not 1.x",
    ),
}


def from_an_index(place: Workplace, wheel: Path) -> tuple[str, ...]:
    place.replica.add_file(place.folder.parent.name, "tool", "1.0", FILENAME, wheel.read_bytes())
    place.write(pyproject("tool"))
    return ("--index-url", f"{place.replica.pytorch}/{place.folder.parent.name}")


def from_a_folder(place: Workplace, wheel: Path) -> tuple[str, ...]:
    place.write(pyproject("tool"))
    return ("--find-links", str(wheel.parent))


def from_an_address(place: Workplace, wheel: Path) -> tuple[str, ...]:
    url = place.replica.add_file(place.folder.parent.name, "tool", "1.0", FILENAME, wheel.read_bytes())
    place.write(pyproject(f"tool @ {url}"))
    return ()


def from_a_path(place: Workplace, wheel: Path) -> tuple[str, ...]:
    place.write(pyproject(f"tool @ {wheel.as_uri()}"))
    return ()


WAYS: dict[str, Callable[[Workplace, Path], tuple[str, ...]]] = {
    "index": from_an_index,
    "folder": from_a_folder,
    "address": from_an_address,
    "path": from_a_path,
}
# Every kind by one way, and every way with one kind.
ALL = [("index", kind) for kind in HOSTILE] + [(way, "parent folder") for way in WAYS if way != "index"]


@pytest.fixture
def place(tmp_path: Path, workplace: Workplace) -> Workplace:
    """The same, with a cache of its own: what is left in it is what is looked at."""
    return Workplace(workplace.folder, tmp_path / "cache", workplace.replica)


ARRIVED = ("incoming", "archives")


def found_in(folder: Path) -> dict[str, bytes | str]:
    """All files and links below a folder, but for locks."""
    found: dict[str, bytes | str] = {}
    for each in folder.rglob("*"):
        if each.is_symlink():
            found[str(each.relative_to(folder))] = str(each.readlink())
        elif each.is_file() and each.name != "lock":
            found[str(each.relative_to(folder))] = each.read_bytes()
    return found


def refused(place: Workplace, given: Path, way: str, kind: str) -> None:
    """A sync of a project that had an environment and now asks for a hostile wheel."""
    make, entry, words = HOSTILE[kind]
    given.mkdir()
    make(given / FILENAME)
    place.write(pyproject("typing-extensions"))
    place.sync()
    options = WAYS[way](place, given / FILENAME)
    environment = found_in(place.folder)
    done = place.run("sync", *options)
    assert done.returncode in (1, 65), done.stderr
    assert "Traceback" not in done.stderr
    for each in (FILENAME, entry, words):
        assert each in done.stderr
    assert found_in(place.folder) == environment


@pytest.mark.parametrize(("way", "kind"), ALL, ids=[f"{kind} from {way}" for way, kind in ALL])
def test_is_refused_and_changes_neither_environment_nor_store(
    place: Workplace, tmp_path: Path, way: str, kind: str
) -> None:
    refused(place, tmp_path / "given", way, kind)
    assert len(list(Store(place.cache))) == 1, "that of the environment before"
    assert found_in(place.cache / "building") == {}


@pytest.mark.parametrize("way", ["index", "address", "path"])
def test_keeps_nothing_of_what_has_arrived(place: Workplace, tmp_path: Path, way: str) -> None:
    refused(place, tmp_path / "given", way, "parent folder")
    arrived = [path for folder in ARRIVED for path in (place.cache / folder).rglob("*") if path.is_file()]
    assert arrived == []


def two_packages(place: Workplace, first: str, second: str, *contents: bytes, index: str = "default") -> None:
    """A project that needs both; each brings one of the contents for the same file. `index` has the first one."""
    for place_of_it, name, content in zip((index, "default"), (first, second), contents, strict=True):
        files = {f"{name}/__init__.py": b"", "shared_space/__init__.py": content}
        place.replica.add_wheel(place_of_it, name, "9.1", files=files)
    place.write(pyproject(f"{first}==9.1", f"{second}==9.1"))


def test_two_packages_with_one_file_are_warned_about_unless_it_is_the_same(workplace: Workplace) -> None:
    two_packages(workplace, "clashing-one", "clashing-two", b"one = 1\n", b"two = 2\n")
    (warning,) = workplace.sync()["warnings"]
    for words in ("clashing-one 9.1", "clashing-two 9.1", "shared_space/__init__.py"):
        assert words in warning
    two_packages(workplace, "agreeing-one", "agreeing-two", b"", b"")
    assert workplace.sync()["warnings"] == []


def test_a_file_of_the_torch_family_is_not_shared(workplace: Workplace) -> None:
    workplace.write(pyproject("typing-extensions"))
    workplace.sync()
    environment = found_in(workplace.folder)
    two_packages(workplace, "torchtune", "clashing-three", b"one = 1\n", b"two = 2\n", index="cpu")
    done = workplace.run("sync", "--variant", "cpu")
    assert done.returncode == 1, done.stderr
    for words in ("torchtune 9.1", "clashing-three 9.1", "shared_space/__init__.py", "cannot have both"):
        assert words in done.stderr
    assert {**found_in(workplace.folder), "pyproject.toml": b""} == {**environment, "pyproject.toml": b""}


def test_files_that_python_reads_at_every_start_are_named_in_the_summary(workplace: Workplace) -> None:
    workplace.replica.add_wheel(
        "default", "starting", "9.1", files={"starting.pth": b"import sys\n", "starting.py": b""}
    )
    workplace.write(pyproject("starting"))
    done = workplace.run("sync")
    assert done.returncode == 0, done.stderr
    (line,) = (line for line in done.stderr.splitlines() if ".pth" in line)
    assert "starting.pth (starting 9.1)" in line
