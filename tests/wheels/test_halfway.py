"""What an interrupted run has unpacked: taken over where it is certain to be right, made again everywhere else."""

from __future__ import annotations

import contextlib
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from bootstrap.errors import HashMismatchError
from bootstrap.index.client import Client
from bootstrap.wheels.archive import reader_of
from bootstrap.wheels.contents import Contents
from bootstrap.wheels.download import Download, fetch
from bootstrap.wheels.durable import boot
from bootstrap.wheels.filling import Whole
from bootstrap.wheels.halfway import Halfway
from bootstrap.wheels.inspection import inspect
from bootstrap.wheels.parts import part_of
from bootstrap.wheels.store import DOWNLOADS_KEPT, Store, sha256_of
from bootstrap.wheels.unpack import fill, unpack
from tests.acceptance.running import ROOT
from tests.making import make_wheel
from tests.torture.download_stack import FETCH
from tests.wheels.misbehaving import misbehaving

MEGABYTE = 1024 * 1024
LARGE = {f"tool/large{number}.bin": random.Random(number).randbytes(4 * MEGABYTE) for number in range(6)}

pytestmark = pytest.mark.skipif(not boot(), reason="nothing tells one start of this machine from the next")


class EndError(Exception):
    """A run ends here."""


class Ending(Whole):
    """An archive that is here up to some byte, at which the run ends."""

    def read_until(self, last: int) -> Ending:
        def read(start: int, end: int) -> bytes:
            if end > last:
                raise EndError
            return self.read(start, end)

        return Ending(read)


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    files: dict[str, str | bytes] = {f"tool/a{number}.txt": f"{number}\n" * number for number in range(100)}
    return make_wheel(
        tmp_path_factory.mktemp("wheels"), "tool", "1.0", files={**files, **LARGE}, executable=["tool/a7.txt"]
    )


@pytest.fixture
def interrupted(archive: Path, tmp_path: Path) -> Path:
    """A folder in which a run got through the first 14 MB of the wheel."""
    with archive.open("rb") as file, contextlib.closing(Halfway(tmp_path / "files")) as ledger:
        supply = Ending(reader_of(file)).read_until(14 * MEGABYTE)
        (tmp_path / "made").mkdir()
        with pytest.raises(EndError):
            fill(inspect(file, archive.name), supply, archive.name, tmp_path / "made" / "tree", ledger)
    return tmp_path


def gone_on(archive: Path, place: Path) -> Contents:
    with contextlib.closing(Halfway(place / "files")) as ledger:
        return unpack(archive, archive.name, place / "made" / "tree", ledger)


def made(place: Path) -> dict[str, tuple[int, int]]:
    """Which files lie there, and which bytes on the disk they are: a file that is written again is another one."""
    tree = place / "made" / "tree"
    found = {each.relative_to(tree).as_posix(): each.stat() for each in tree.rglob("*") if each.is_file()}
    return {name: (each.st_ino, each.st_mtime_ns) for name, each in found.items()}


def contents_of(folder: Path) -> dict[str, tuple[bytes, int]]:
    return {
        each.relative_to(folder).as_posix(): (each.read_bytes(), each.stat().st_mode)
        for each in folder.rglob("*")
        if each.is_file()
    }


def test_what_is_whole_is_not_written_again_and_the_rest_is(archive: Path, interrupted: Path) -> None:
    before = made(interrupted)
    found = gone_on(archive, interrupted)
    after = made(interrupted)
    stayed = {name for name, each in before.items() if after[name] == each}
    assert {"tool/large0.bin", "tool/large1.bin"} <= stayed
    assert "tool/large4.bin" not in stayed
    assert found == unpack(archive, archive.name, interrupted / "fresh")
    assert contents_of(interrupted / "made" / "tree") == contents_of(interrupted / "fresh")


def in_another_boot(place: Path) -> None:
    first, *lines = (place / "files").read_text().split("\n")
    (place / "files").write_text("\n".join([json.dumps({**json.loads(first), "boot": "another"}), *lines]))


def without_notes(place: Path) -> None:
    (place / "files").unlink()


def notes_of_something_else(place: Path) -> None:
    text = (place / "files").read_text()
    (place / "files").write_text(text.replace("sha256=", "sha256=A"))


def notes_without_sense(place: Path) -> None:
    first, *lines = (place / "files").read_text().split("\n")
    (place / "files").write_text("\n".join([first, "[[1, 2", *lines]))


@pytest.mark.parametrize("spoil", [in_another_boot, without_notes, notes_of_something_else, notes_without_sense])
def test_what_cannot_be_believed_is_written_again(
    spoil: Callable[[Path], None], archive: Path, interrupted: Path
) -> None:
    before = made(interrupted)
    spoil(interrupted)
    found = gone_on(archive, interrupted)
    assert not set(before.values()) & set(made(interrupted).values())
    assert found == unpack(archive, archive.name, interrupted / "fresh")
    assert contents_of(interrupted / "made" / "tree") == contents_of(interrupted / "fresh")


def shorter(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1])


def executable(path: Path) -> None:
    path.chmod(0o755)


def elsewhere(path: Path) -> None:
    path.rename(path.with_name("stray"))


def linked(path: Path) -> None:
    path.rename(path.with_name("stray"))
    path.symlink_to("stray")


@pytest.mark.parametrize("spoil", [shorter, executable, elsewhere, linked])
def test_a_file_that_is_not_as_it_was_noted_is_written_again(
    spoil: Callable[[Path], None], archive: Path, interrupted: Path
) -> None:
    spoil(interrupted / "made" / "tree" / "tool" / "large0.bin")
    gone_on(archive, interrupted)
    unpack(archive, archive.name, interrupted / "fresh")
    assert contents_of(interrupted / "made" / "tree") == contents_of(interrupted / "fresh")


def test_a_run_that_was_sent_other_bytes_leaves_nothing_of_them(archive: Path, interrupted: Path) -> None:
    """The same names with other contents of the same size, properly recorded in their wheel; this one is another."""
    other = {name: bytes(reversed(content)) for name, content in LARGE.items()}
    another = make_wheel(interrupted / "other", "tool", "1.0", files={**other, "tool/more.txt": "more"})
    gone_on(another, interrupted)
    gone_on(archive, interrupted)
    unpack(archive, archive.name, interrupted / "fresh")
    assert contents_of(interrupted / "made" / "tree") == contents_of(interrupted / "fresh")


def killed_when_noted(wanted: Download, store: Path) -> Path:
    """Start to fetch, and kill that as soon as some files are noted. The folder that is left."""
    rows = json.dumps([str(store), wanted.url.rpartition("/")[0], [wanted.filename, wanted.sha256, wanted.size]])
    notes = part_of(wanted, Store(store).incoming).with_suffix(".files")
    with subprocess.Popen([sys.executable, "-c", FETCH, rows], cwd=ROOT) as running:
        while running.poll() is None and not (notes.exists() and notes.read_bytes().count(b"\n") > 2):
            time.sleep(0.005)
        running.send_signal(signal.SIGKILL)
    return notes.with_suffix(".tree")


def test_a_killed_download_has_not_unpacked_in_vain(archive: Path, tmp_path: Path) -> None:
    store = Store(tmp_path / "store")
    with misbehaving(archive.read_bytes()) as site, Client() as client:
        site.cap = 10 * MEGABYTE
        wanted = Download(f"{site.address}/{archive.name}", archive.name, sha256_of(archive), archive.stat().st_size)
        left = killed_when_noted(wanted, store.root)
        lines = left.with_suffix(".files").read_text().split("\n")[1:-1]
        noted = [left / "tree" / name for line in lines for name, _, _ in json.loads(line)]
        before = {each.name: (each.stat().st_ino, each.stat().st_mtime_ns) for each in noted}
        (entry,) = fetch([wanted], client, store, report=lambda _event: None, workers=1).values()
    after = {each.name: (each.stat().st_ino, each.stat().st_mtime_ns) for each in entry.tree.rglob("*")}
    assert before
    assert before.items() <= after.items()
    assert store.altered(entry) == ()
    assert not list(store.incoming.iterdir())


def test_nothing_unpacked_stays_of_an_archive_that_is_not_the_promised_one(archive: Path, tmp_path: Path) -> None:
    store = Store(tmp_path / "store")
    with misbehaving(archive.read_bytes()) as site, Client() as client:
        wanted = Download(f"{site.address}/{archive.name}", archive.name, "0" * 64, archive.stat().st_size)
        with pytest.raises(HashMismatchError):
            fetch([wanted], client, store, report=lambda _event: None, workers=1)
    assert not list(store)
    assert not list(store.incoming.iterdir())


def test_what_nobody_came_back_to_is_removed(archive: Path, tmp_path: Path) -> None:
    """Both what is too old and what has no part any more; what is young and whole stays."""
    store = Store(tmp_path / "store")
    store.incoming.mkdir(parents=True)
    for stem, age in (("a" * 64, DOWNLOADS_KEPT + 10), ("b" * 64, DOWNLOADS_KEPT - 100), ("c" * 32, 10.0)):
        tree = store.incoming / f"{stem}.tree"
        (tree / "tree").mkdir(parents=True)
        (tree / "tree" / "x").write_text("x")
        (store.incoming / f"{stem}.files").write_text("{}")
        for each in (tree, tree.with_suffix(".files")):
            os.utime(each, (time.time() - age,) * 2)
    with misbehaving(archive.read_bytes()) as site, Client() as client:
        wanted = Download(f"{site.address}/{archive.name}", archive.name, sha256_of(archive), archive.stat().st_size)
        fetch([wanted], client, store, report=lambda _event: None, workers=1)
    assert sorted(each.name for each in store.incoming.iterdir()) == [f"{'b' * 64}.files", f"{'b' * 64}.tree"]
