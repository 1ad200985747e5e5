from __future__ import annotations

import hashlib
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from bootstrap.errors import (
    BadDistributionError,
    CannotWriteError,
    HashMismatchError,
    InputError,
    NotPermittedError,
    TryAgainError,
)
from bootstrap.wheels.store import Store, sha256_of
from tests.making import make_wheel

ROOT = Path(__file__).parents[2]


def files_below(folder: Path) -> list[str]:
    return sorted(str(each.relative_to(folder)) for each in folder.rglob("*") if each.is_file())


def test_finds_what_was_added(tmp_path: Path) -> None:
    archive = make_wheel(tmp_path / "wheels", "tool", "1.0", executable=["tool.py"])
    store = Store(tmp_path / "store")
    promised = hashlib.sha256(archive.read_bytes()).hexdigest()
    assert store.find(promised) is None
    added = store.add(archive, archive.name, promised.upper())
    found = store.find(promised)
    assert found == added
    assert found is not None
    assert (found.name, found.version, found.filename) == ("tool", "1.0", archive.name)
    assert found.contents == added.contents
    assert (found.tree / "tool.py").read_text() == "__version__ = '1.0'\n"
    assert list(store) == [promised]
    assert archive.exists(), "the archive is the caller's"


def test_adding_again_keeps_the_entry(tmp_path: Path) -> None:
    archive = make_wheel(tmp_path, "tool", "1.0")
    store = Store(tmp_path / "store")
    first = store.add(archive, archive.name)
    moment = (first.folder / "wheel.json").stat().st_mtime_ns
    assert store.add(archive, archive.name) == first
    assert (first.folder / "wheel.json").stat().st_mtime_ns == moment


def test_refuses_other_bytes_than_promised_and_keeps_nothing(tmp_path: Path) -> None:
    archive = make_wheel(tmp_path, "tool", "1.0")
    store = Store(tmp_path / "store")
    with pytest.raises(HashMismatchError) as caught:
        store.add(archive, archive.name, "0" * 64)
    assert caught.value.actual == sha256_of(archive)
    assert not store.root.exists()


def test_keeps_nothing_of_a_bad_wheel(tmp_path: Path) -> None:
    archive = tmp_path / "tool-1.0-py3-none-any.whl"
    archive.write_bytes(b"no zip")
    store = Store(tmp_path / "store")
    with pytest.raises(BadDistributionError):
        store.add(archive, archive.name)
    assert files_below(store.root) == []
    assert list((store.root / "building").iterdir()) == []


@pytest.mark.parametrize("name", ["", "../../etc", "abc", "g" * 64], ids=["empty", "path", "short", "not hex"])
def test_finds_nothing_for_what_is_no_hash(tmp_path: Path, name: str) -> None:
    assert Store(tmp_path).find(name) is None


def test_says_when_an_entry_is_damaged(tmp_path: Path) -> None:
    archive = make_wheel(tmp_path, "tool", "1.0")
    store = Store(tmp_path / "store")
    entry = store.add(archive, archive.name)
    (entry.folder / "wheel.json").write_text("{")
    with pytest.raises(InputError, match="cache verify"):
        store.find(entry.sha256)


def test_sees_files_that_were_changed_or_are_gone(tmp_path: Path) -> None:
    archive = make_wheel(tmp_path, "tool", "1.0", files={"a.py": "1", "b.py": "2", "c.py": "3"})
    store = Store(tmp_path / "store")
    entry = store.add(archive, archive.name)
    assert store.damage(entry) == ()
    (entry.tree / "a.py").write_text("")
    (entry.tree / "b.py").unlink()
    assert store.damage(entry) == ("a.py", "b.py")
    store.remove(entry.sha256)
    assert store.find(entry.sha256) is None
    assert store.add(archive, archive.name).tree.joinpath("a.py").read_text() == "1"


def test_several_processes_may_add_the_same_wheel(tmp_path: Path) -> None:
    archive = make_wheel(tmp_path, "tool", "1.0", files={f"tool/{each}.py": "x" * 1000 for each in range(300)})
    script = (
        "import sys; from pathlib import Path; from bootstrap.wheels.store import Store\n"
        "sys.stdin.readline()\n"
        "print(Store(Path(sys.argv[1])).add(Path(sys.argv[2]), Path(sys.argv[2]).name).sha256)"
    )
    command = [sys.executable, "-c", script, str(tmp_path / "store"), str(archive)]
    processes = [
        subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(4)
    ]
    for each in processes:
        assert each.stdin is not None
        each.stdin.write("go\n")
        each.stdin.flush()
    outputs = [each.communicate()[0].strip() for each in processes]
    assert set(outputs) == {sha256_of(archive)}
    store = Store(tmp_path / "store")
    entry = store.find(sha256_of(archive))
    assert entry is not None
    assert store.damage(entry) == ()
    assert list((store.root / "building").iterdir()) == []


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_names_the_folder_that_may_not_be_written(tmp_path: Path) -> None:
    archive = make_wheel(tmp_path, "tool", "1.0")
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o500)
    with pytest.raises(NotPermittedError, match=str(closed)):
        Store(closed).add(archive, archive.name)


@pytest.fixture
def tiny_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system with room for one megabyte."""
    place = tmp_path / "tiny"
    place.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(place)]
    if sys.platform != "linux" or subprocess.run(command, check=False, capture_output=True).returncode:
        pytest.skip("no file system can be mounted here")
    yield place
    subprocess.run(["umount", str(place)], check=True)


def test_says_which_file_system_is_full_and_keeps_nothing(tmp_path: Path, tiny_disk: Path) -> None:
    archive = make_wheel(tmp_path, "tool", "1.0", files={"tool.bin": os.urandom(3_000_000)})
    with pytest.raises(CannotWriteError, match=r"free, and at least 3\.0 MB are needed") as caught:
        Store(tiny_disk / "store").add(archive, archive.name)
    assert str(tiny_disk) in str(caught.value)
    assert files_below(tiny_disk) == []


def test_says_that_a_file_system_is_read_only(tmp_path: Path, tiny_disk: Path) -> None:
    archive = make_wheel(tmp_path, "tool", "1.0")
    subprocess.run(["mount", "-o", "remount,ro", str(tiny_disk)], check=True)
    with pytest.raises(CannotWriteError, match="read-only"):
        Store(tiny_disk / "store").add(archive, archive.name)


def test_tells_entries_that_are_linked_from_those_that_are_not(tmp_path: Path) -> None:
    archive = make_wheel(tmp_path, "tool", "1.0", files={"a.py": "1", "tool-1.0.data/data/share/b": "2"})
    store = Store(tmp_path / "store")
    entry = store.add(archive, archive.name)
    assert not store.is_linked(entry)
    linked = tmp_path / "linked"
    os.link(entry.tree / "tool-1.0.data/data/share/b", linked)
    assert store.is_linked(entry)
    linked.unlink()
    assert not store.is_linked(entry)


def test_reads_what_has_the_same_size_too(tmp_path: Path) -> None:
    files = {"a.py": "abc", "b.py": "abc", "c.py": "abc", "tool-1.0.data/data/share/d": "abc"}
    archive = make_wheel(tmp_path, "tool", "1.0", files=files)
    store = Store(tmp_path / "store")
    entry = store.add(archive, archive.name)
    assert store.altered(entry) == ()
    (entry.tree / "a.py").write_text("abcd")
    (entry.tree / "b.py").unlink()
    for each in ("c.py", "tool-1.0.data/data/share/d"):
        (entry.tree / each).write_text("xyz")
    assert store.damage(entry) == ("a.py", "b.py")
    assert store.altered(entry) == ("a.py", "b.py", "c.py", "tool-1.0.data/data/share/d")


def test_an_entry_that_is_taken_out_waits_for_its_removal(tmp_path: Path) -> None:
    archive = make_wheel(tmp_path, "tool", "1.0")
    store = Store(tmp_path / "store")
    entry = store.add(archive, archive.name)
    with store.in_use(), pytest.raises(TryAgainError), store.alone(0.1):
        pytest.fail("somebody uses it")
    with store.alone(0.1) as is_alone:
        assert is_alone
        leaving = store.take_out(entry.sha256)
    assert store.find(entry.sha256) is None
    assert (leaving / "tree" / "tool.py").exists()
    assert list(store) == []


def after_a_start(store: Store, sha256: str) -> Path:
    """An entry as it is in another boot than the one that it was made in."""
    description = store.folder_of(sha256) / "wheel.json"
    text = description.read_text()
    assert '"boot":' in text
    description.write_text(re.sub(r'"boot": ?"[^"]*"', '"boot":"another"', text))
    return description.parent


def test_what_outlived_a_start_is_looked_at_once(tmp_path: Path) -> None:
    archive = make_wheel(tmp_path, "tool", "1.0")
    store = Store(tmp_path / "store")
    added = store.add(archive, archive.name)
    folder = after_a_start(store, added.sha256)
    assert not (folder / "settled").exists()
    assert store.find(added.sha256) == added
    assert (folder / "settled").exists()
    (added.tree / "tool.py").write_text("")  # later damage is for `cache verify`
    assert store.find(added.sha256) == added


@pytest.mark.parametrize("name", ["tool.py", "tool-1.0.dist-info/METADATA"])
def test_what_a_power_cut_took_is_made_again(tmp_path: Path, name: str) -> None:
    archive = make_wheel(tmp_path, "tool", "1.0")
    store = Store(tmp_path / "store")
    added = store.add(archive, archive.name)
    folder = after_a_start(store, added.sha256)
    (added.tree / name).write_bytes(b"")
    assert store.find(added.sha256) is None
    assert not (folder / "settled").exists()
    assert store.add(archive, archive.name) == added
    assert (added.tree / name).stat().st_size > 0
    assert store.find(added.sha256) == added
    assert list((store.root / "building").iterdir()) == []


def test_what_cannot_be_noted_is_looked_at_again(tmp_path: Path) -> None:
    archive = make_wheel(tmp_path, "tool", "1.0")
    store = Store(tmp_path / "store")
    added = store.add(archive, archive.name)
    (after_a_start(store, added.sha256) / "settled").symlink_to(tmp_path / "nowhere" / "settled")
    assert store.find(added.sha256) == added
    (added.tree / "tool.py").write_bytes(b"")
    assert store.find(added.sha256) is None
