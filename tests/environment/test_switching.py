"""A switch without links: killed before each of its steps, by hand and at once, it leaves the old or the new one."""

from __future__ import annotations

import errno
import json
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest

from bootstrap.environment.generations import build, folder_of, key_of, listed, locked, settled, switch
from bootstrap.environment.switching import (
    JOURNAL,
    Way,
    as_it_stands,
    current,
    exchange,
    is_unfinished,
    journaled,
    linked,
    mend,
)
from bootstrap.errors import CannotWriteError, TryAgainError
from tests.torture.mounts import linkless, mounted

ROOT = Path(__file__).parents[2]
STEPWISE = partial(journaled, swap=lambda *_: False)
SWITCHING = """
import os, shutil, signal, sys
from functools import partial
from pathlib import Path
from bootstrap.environment.generations import locked, switch
from bootstrap.environment.switching import journaled, linked

WAYS = {"link": linked, "exchange": journaled, "two renames": partial(journaled, swap=lambda *_: False)}
STEPS = {"open", "os.mkdir", "os.remove", "os.rename", "os.rmdir", "os.symlink", "os.utime", "ctypes.dlsym"}
root, way = Path(sys.argv[1]), WAYS[sys.argv[2]]

def switched(folder, last):
    left = [last]
    def before_each(event, words):
        where = [each for each in words if isinstance(each, (str, os.PathLike)) and str(each).startswith(str(folder))]
        if event in STEPS and (where or "renameat2" in words):
            left[0] -= 1
            if left[0] == 0:
                os.kill(os.getpid(), signal.SIGKILL)
    with locked(folder / ".venv", limit=5):
        sys.addaudithook(before_each)
        switch(folder / ".venv", "new", way)

for step in range(1, 100):
    folder = root / str(step)
    shutil.copytree(root / "before", folder, symlinks=True)
    child = os.fork()
    if child == 0:
        switched(folder, step)
        os._exit(0)
    if os.waitpid(child, 0)[1] == 0:
        break
print(step)
"""


def built(venv: Path, key: str) -> None:
    def fill(folder: Path) -> None:
        (folder / "what").write_text(key)

    build(venv, key, fill)


def made(venv: Path, key: str, way: Way) -> None:
    with locked(venv, limit=5):
        built(venv, key)
        switch(venv, key, way)


def prepared(folder: Path, old: str) -> Path:
    """A project with a generation `new`, and an environment of some kind."""
    folder.mkdir()
    venv = folder / ".venv"
    if old == "empty":
        venv.mkdir()
    elif old != "none":
        made(venv, "other", linked)
        made(venv, "old", linked if old == "link" else journaled)
    with locked(venv, limit=5):
        built(venv, "new")
    return venv


def seen(venv: Path) -> str:
    """What somebody sees who knows nothing of us."""
    return (venv / "what").read_text() if (venv / "what").exists() else "none"


@pytest.mark.skipif(not hasattr(sys, "addaudithook") or sys.platform == "win32", reason="no processes that fork")
@pytest.mark.parametrize("old", ["none", "empty", "link", "folder"])
@pytest.mark.parametrize("way", ["link", "exchange", "two renames"])
def test_a_kill_before_any_step_leaves_the_old_or_the_new_environment(tmp_path: Path, way: str, old: str) -> None:
    prepared(tmp_path / "before", old)
    done = subprocess.run(
        [sys.executable, "-c", SWITCHING, tmp_path, way], cwd=ROOT, capture_output=True, text=True, check=True
    )
    steps = int(done.stdout)
    assert steps >= {"link": 4, "exchange": 5, "two renames": 5}[way]
    before = "old" if old in {"link", "folder"} else "none"
    found = []
    for step in range(1, steps + 1):
        venv = tmp_path / str(step) / ".venv"
        outside = seen(venv)
        assert outside in {before, "new"} or (way == "two renames" and outside == "none")
        settled(venv, limit=5)
        assert not is_unfinished(venv)
        assert seen(venv) in {before, "new"}
        assert outside in {seen(venv), "none"}, "what is there stays"
        assert {each.read_text() for each in venv.parent.glob(".venv.generations/*/what")} <= {"other", "old", "new"}
        assert {key_of(each): seen(each) for each in listed(venv)} == {
            key: key for key in ("other", "old", "new") if key == "new" or before == "old"
        }
        made(venv, "new", linked if way == "link" else journaled)
        assert seen(venv) == "new"
        assert not list(venv.parent.glob(".venv.switching-*"))
        found.append(outside)
    assert found[0] == before
    assert found[-1] == "new"
    is_gone = before == "old" and way == "two renames"
    assert ("none" in found[1:-1]) == (is_gone or before == "none"), "or no kill hit the moment between"


JOURNALS = {
    "empty": b"",
    "cut off": b'{"schema": 1, "from": "ol',
    "something else": b"[]",
    "no keys": b'{"from": 3, "to": {}}',
    "unknown keys": b'{"from": "gone", "to": "never"}',
    "other places": b'{"from": "../../etc", "to": "old/../other"}',
    "no text": b"\xff\xfe\x00",
}


@pytest.mark.parametrize("journal", JOURNALS.values(), ids=JOURNALS.keys())
def test_without_a_word_from_the_journal_the_newest_is_the_environment(tmp_path: Path, journal: bytes) -> None:
    venv = prepared(tmp_path / "project", "folder")
    (folder_of(venv) / JOURNAL).write_bytes(journal)
    settled(venv, limit=5)
    assert seen(venv) == "old", "what is there stays"
    venv.rename(folder_of(venv) / "old")
    (folder_of(venv) / JOURNAL).write_bytes(journal)
    settled(venv, limit=5)
    assert seen(venv) == "new", "made after the other was used"
    assert not is_unfinished(venv)


def test_a_journal_without_generations_is_nothing(tmp_path: Path) -> None:
    venv = tmp_path / ".venv"
    folder_of(venv).mkdir()
    (folder_of(venv) / JOURNAL).write_text('{"from": null, "to": "new"}')
    settled(venv, limit=5)
    assert not is_unfinished(venv)
    assert not venv.exists()


def test_who_looks_waits_for_who_is_switching(tmp_path: Path) -> None:
    venv = prepared(tmp_path / "project", "folder")
    with locked(venv, limit=5):
        (folder_of(venv) / JOURNAL).write_text('{"from": "old", "to": "new"}')
        with pytest.raises(TryAgainError, match="another torchstrap"):
            settled(venv, limit=0.1)
        assert is_unfinished(venv), "that is not ours to end"


@pytest.mark.parametrize("fails", ["new one goes", "no room"])
def test_a_switch_that_fails_is_undone(tmp_path: Path, fails: str) -> None:
    venv = prepared(tmp_path / "project", "folder")

    def swap(coming: Path, _: Path) -> bool:
        if fails == "no room":
            raise OSError(errno.ENOSPC, "No space left on device")
        (coming / "what").unlink()
        (coming / "generation.json").unlink()
        coming.rmdir()
        return False

    with locked(venv, limit=5), pytest.raises(CannotWriteError, match="switching"):
        switch(venv, "new", partial(journaled, swap=swap))
    assert seen(venv) == "old"
    assert current(venv) == venv
    assert not is_unfinished(venv)


ALL = [linked, journaled, STEPWISE]
IDS = ["link", "exchange", "two renames"]


@pytest.mark.parametrize("second", ALL, ids=IDS)
@pytest.mark.parametrize("first", ALL, ids=IDS)
def test_each_way_goes_on_from_each_other(tmp_path: Path, first: Way, second: Way) -> None:
    venv = tmp_path / ".venv"
    made(venv, "a", first)
    made(venv, "b", second)
    assert (seen(venv), venv.is_symlink()) == ("b", second is linked)
    made(venv, "a", as_it_stands)
    assert (seen(venv), venv.is_symlink()) == ("a", second is linked)
    made(venv, "a", journaled)
    assert (seen(venv), venv.is_symlink()) == ("a", False), "the same one, as a folder"
    assert sorted(map(key_of, listed(venv))) == ["a", "b"]
    assert sorted(each.name for each in tmp_path.iterdir()) == [".venv", ".venv.generations"]
    assert sorted(each.name for each in folder_of(venv).iterdir()) == [".gitignore", "b", "lock"]


def test_a_generation_whose_name_is_taken_goes(tmp_path: Path) -> None:
    venv = prepared(tmp_path / "project", "folder")
    twin = folder_of(venv) / "old"
    twin.mkdir()
    (twin / "generation.json").write_text(json.dumps({"key": "old"}))
    made(venv, "new", STEPWISE)
    assert sorted(map(key_of, listed(venv))) == ["new", "old", "other"]


def test_an_environment_that_does_not_say_what_it_is_makes_room(tmp_path: Path) -> None:
    venv = prepared(tmp_path / "project", "folder")
    (venv / "generation.json").write_text("[")
    (venv / "pyvenv.cfg").write_text("home = /usr/bin\ntorchstrap = 1\n")
    assert current(venv) is None
    made(venv, "new", journaled)
    assert seen(venv) == "new"
    assert sorted(map(key_of, listed(venv))) == ["new", "other"]


def test_nothing_changes_places_with_what_is_not_there(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    assert not exchange(tmp_path / "a", tmp_path / "b")
    assert [each.name for each in tmp_path.iterdir()] == ["a"]


BACK_AND_FORTH = """
import sys
from functools import partial
from pathlib import Path
from bootstrap.environment.generations import build, current, key_of, locked, switch
from bootstrap.environment.switching import journaled
venv, own = Path(sys.argv[1]), sys.argv[2]
way = partial(journaled, swap=lambda *_: False) if int(own) % 2 else journaled
for key in (own, "shared", own):
    with locked(venv, limit=60):
        assert current(venv) in {None, venv}
        build(venv, key, lambda folder: (folder / "what").write_text(key) and None)
        switch(venv, key, way)
        assert (venv / "what").read_text() == key == key_of(venv)
"""


def test_many_at_once_take_turns(tmp_path: Path) -> None:
    venv = tmp_path / ".venv"
    words = [sys.executable, "-c", BACK_AND_FORTH, str(venv)]
    running = [subprocess.Popen([*words, str(number)], cwd=ROOT) for number in range(8)]
    assert [each.wait(timeout=60) for each in running] == [0] * 8
    assert seen(venv) == key_of(venv)
    assert len(listed(venv)) == 3
    assert not is_unfinished(venv)


def test_without_a_journal_there_is_nothing_to_mend(tmp_path: Path) -> None:
    venv = prepared(tmp_path / "project", "folder")
    venv.rename(tmp_path / "somebody took it")
    mend(venv)
    assert not venv.exists()


@pytest.mark.skipif(not linkless(), reason="no file system without links can be made here")
def test_where_there_are_no_links_the_environment_is_a_folder(tmp_path: Path) -> None:
    with mounted(tmp_path, linkless()[0], 8) as place:
        venv = place / ".venv"
        for key in ("a", "b", "a"):
            made(venv, key, linked)
            assert (seen(venv), current(venv)) == (key, venv)
        assert not exchange(venv, folder_of(venv) / "b"), "or this place proves nothing about two renames"
        assert sorted(map(key_of, listed(venv))) == ["a", "b"]
