from __future__ import annotations

import json
import signal
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest

from bootstrap.environment import generations
from bootstrap.environment.generations import (
    MARKER,
    build,
    current,
    find,
    folder_of,
    key_of,
    listed,
    litter,
    locked,
    remove,
    switch,
)
from bootstrap.environment.marker import marker_of
from bootstrap.environment.switching import Way, journaled, linked
from bootstrap.errors import CannotWriteError, InputError, TryAgainError

ROOT = Path(__file__).parents[2]


WAYS = {"link": linked, "exchange": journaled, "two renames": partial(journaled, swap=lambda *_: False)}


needs_exchange = pytest.mark.skipif(sys.platform != "linux", reason="names change places in one step on Linux only")


@pytest.fixture(params=list(WAYS.values()), ids=list(WAYS))
def way(request: pytest.FixtureRequest) -> Way:
    found: Way = request.param
    return found


def made(venv: Path, key: str, way: Way = linked) -> None:
    """Build and switch to a generation that knows its key."""

    def fill(folder: Path) -> None:
        (folder / "what").write_text(key)
        (folder / "pyvenv.cfg").write_text("torchstrap = 1\n")

    with locked(venv, limit=5):
        build(venv, key, fill)
        switch(venv, key, way)


def now(venv: Path) -> str | None:
    """The key of the generation that the environment is; with links it lies among the others, without in its place."""
    found = current(venv)
    if found is None:
        return None
    assert found == (folder_of(venv) / key_of(found) if venv.is_symlink() else venv)
    return key_of(found)


def keys(venv: Path) -> list[str]:
    return [key_of(each) for each in listed(venv)]


def test_the_link_leads_to_the_generation(tmp_path: Path) -> None:
    venv = tmp_path / ".venv"
    assert current(venv) is None
    made(venv, "first")
    assert str(venv.readlink()) == ".venv.generations/first"
    assert current(venv) == tmp_path / ".venv.generations/first"
    assert (venv / "what").read_text() == "first"
    assert json.loads((venv / MARKER).read_text())["key"] == "first"
    assert (folder_of(venv) / ".gitignore").read_text() == "*\n"
    moved = tmp_path.with_name(f"{tmp_path.name}-moved")
    tmp_path.rename(moved)
    assert (moved / ".venv/what").read_text() == "first", "the project may be moved"
    moved.rename(tmp_path)


def test_what_exists_is_not_built_again(tmp_path: Path, way: Way) -> None:
    venv = tmp_path / ".venv"
    made(venv, "first", way)
    made(venv, "second", way)
    with locked(venv, limit=5):
        build(venv, "first", lambda _: pytest.fail("it was built again"))
        switch(venv, "first", way)
    assert (venv / "what").read_text() == "first"


def test_the_marker_carries_what_is_given(tmp_path: Path) -> None:
    found = build(tmp_path / ".venv", "key", lambda _: {"offer": "cu126"})
    assert json.loads((found / MARKER).read_text()) == {"schema": 1, "key": "key", "offer": "cu126"}
    assert marker_of(found)["offer"] == "cu126"
    (found / MARKER).write_text("[")
    assert marker_of(found) == {}


def test_a_failed_build_leaves_the_old_environment_and_nothing_else(tmp_path: Path, way: Way) -> None:
    venv = tmp_path / ".venv"
    made(venv, "old", way)

    def fail(folder: Path) -> None:
        (folder / "half").write_text("half")
        raise InputError("x", "is wrong")

    with locked(venv, limit=5), pytest.raises(InputError):
        build(venv, "new", fail)
    assert (venv / "what").read_text() == "old"
    there = {".gitignore", "lock", "old"} if venv.is_symlink() else {".gitignore", "lock"}
    assert {each.name for each in folder_of(venv).iterdir()} == there


KILLED = """
import sys, time
from pathlib import Path
from bootstrap.environment.generations import build, locked, switch
venv = Path(sys.argv[1])
def fill(folder):
    (folder / "half").write_text("half")
    print("building", flush=True)
    time.sleep(60)
with locked(venv, limit=5):
    build(venv, "new", fill)
    switch(venv, "new")
"""


def start(script: str, *arguments: object) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", script, *map(str, arguments)]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)


def test_a_killed_build_leaves_the_old_environment_and_the_next_clears_up(tmp_path: Path, way: Way) -> None:
    venv = tmp_path / ".venv"
    made(venv, "old", way)
    with start(KILLED, venv) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "building\n"
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert (venv / "what").read_text() == "old"
    assert keys(venv) == ["old"]
    assert find(venv, "new") is None
    assert [each.name.partition("-")[0] for each in litter(venv)] == ["new.building"]
    made(venv, "new", way)
    assert (venv / "what").read_text() == "new"
    assert not any(".building-" in each.name for each in folder_of(venv).iterdir())


def _hold(venv: Path, told: list[str]) -> None:
    with locked(venv, limit=0.2, waiting=lambda: told.append("waiting")):
        told.append("held")


def test_a_second_one_waits_and_then_gives_up(tmp_path: Path) -> None:
    venv = tmp_path / ".venv"
    told: list[str] = []
    with start(KILLED, venv) as process:
        assert process.stdout is not None
        process.stdout.readline()
        with pytest.raises(TryAgainError, match="try again"):
            _hold(venv, told)
        process.kill()
        process.wait()
    assert told == ["waiting"]
    with locked(venv, limit=5):
        pass


CONCURRENT = """
import sys, time
from pathlib import Path
from bootstrap.environment.generations import build, current, locked, switch
venv, key = Path(sys.argv[1]), sys.argv[2]
def fill(folder):
    print("filled", flush=True)
    (folder / "what").write_text(key)
with locked(venv, limit=60):
    before = sorted(each.name for each in venv.parent.glob(".venv.generations/*.building-*"))
    assert before == [], before
    build(venv, key, fill)
    switch(venv, key)
    assert (venv / "what").read_text() == key
"""


def test_processes_take_turns(tmp_path: Path) -> None:
    venv = tmp_path / ".venv"
    processes = [start(CONCURRENT, venv, key) for key in ("same", "same", "same", "other")]
    outputs = [each.communicate()[0] for each in processes]
    assert [each.returncode for each in processes] == [0] * 4
    assert outputs[:3].count("filled\n") == 1, "the one that was first builds for all"
    assert (venv / "what").read_text() in {"same", "other"}


@pytest.mark.parametrize("way", ["linked", pytest.param("journaled", marks=needs_exchange)])
def test_readers_never_see_anything_but_a_whole_environment(tmp_path: Path, way: str) -> None:
    venv = tmp_path / ".venv"
    made(venv, "one")
    made(venv, "two")
    script = (
        "import sys; from pathlib import Path\n"
        "from bootstrap.environment import switching\n"
        "from bootstrap.environment.generations import switch\n"
        "venv, way = Path(sys.argv[1]), getattr(switching, sys.argv[2])\n"
        "print('go', flush=True)\n"
        "for _ in range(150): switch(venv, 'one', way); switch(venv, 'two', way)\n"
    )
    with start(script, venv, way) as process:
        assert process.stdout is not None
        process.stdout.readline()
        seen = set()
        while process.poll() is None:
            seen.add((venv / "what").read_text())
    assert process.returncode == 0
    assert seen <= {"one", "two"}
    assert seen


def test_keeps_the_three_that_were_used_last(tmp_path: Path, way: Way) -> None:
    venv = tmp_path / ".venv"
    for key in ("a", "b", "c"):
        made(venv, key, way)
    made(venv, "a", way)
    made(venv, "d", way)
    assert keys(venv) == ["d", "a", "c"]
    assert now(venv) == "d"


@pytest.mark.parametrize(
    ("what", "words"),
    [("environment", "environment that torchstrap did not make"), ("folder", "is no environment"), ("file", "is no")],
)
def test_never_touches_what_it_did_not_make(tmp_path: Path, what: str, words: str) -> None:
    venv = tmp_path / ".venv"
    if what == "file":
        venv.write_text("mine")
    else:
        venv.mkdir()
        (venv / ("pyvenv.cfg" if what == "environment" else "notes.txt")).write_text("mine")
    build(venv, "key", lambda _: None)
    with pytest.raises(CannotWriteError, match=words):
        generations.ensure_ours(venv)
    with pytest.raises(CannotWriteError, match="--venv"):
        switch(venv, "key")
    assert "mine" in {each.read_text() for each in (venv, *tmp_path.glob(".venv/*")) if each.is_file()}


def test_never_replaces_a_link_to_somewhere_else(tmp_path: Path) -> None:
    venv, elsewhere = tmp_path / ".venv", tmp_path / "scratch"
    elsewhere.mkdir()
    venv.symlink_to(elsewhere)
    build(venv, "key", lambda _: None)
    with pytest.raises(CannotWriteError, match="is a link to"):
        switch(venv, "key")
    assert str(venv.readlink()) == str(elsewhere)
    assert current(venv) is None


def test_takes_the_place_of_an_empty_folder(tmp_path: Path, way: Way) -> None:
    venv = tmp_path / ".venv"
    venv.mkdir()
    made(venv, "key", way)
    assert (venv / "what").read_text() == "key"


def test_a_link_to_a_generation_that_is_gone_is_ours_to_replace(tmp_path: Path, way: Way) -> None:
    venv = tmp_path / ".venv"
    venv.symlink_to(".venv.generations/gone")
    assert current(venv) is None
    made(venv, "key", way)
    assert (venv / "what").read_text() == "key"


def test_a_generation_without_its_marker_is_built_again(tmp_path: Path, way: Way) -> None:
    venv = tmp_path / ".venv"
    made(venv, "key", way)
    (venv / MARKER).unlink()
    assert current(venv) is None
    with pytest.raises(InputError, match="no complete generation"):
        switch(venv, "key", way)
    made(venv, "key", way)
    assert now(venv) == "key"


def test_removes_any_but_the_current_one(tmp_path: Path, way: Way) -> None:
    venv = tmp_path / ".venv"
    made(venv, "a", way)
    made(venv, "b", way)
    with pytest.raises(CannotWriteError, match="switch to another"):
        remove(venv, "b")
    remove(venv, "a")
    assert keys(venv) == ["b"]
    with pytest.raises(InputError):
        remove(venv, "a")


@pytest.mark.parametrize("key", ["", "../x", ".hidden", "a/b", "key.building-1", "key.removing-1"])
def test_refuses_keys_that_are_no_names(tmp_path: Path, key: str) -> None:
    with pytest.raises(ValueError, match="no name for a generation"):
        build(tmp_path / ".venv", key, lambda _: None)


def test_says_where_it_cannot_write(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("")
    with pytest.raises(CannotWriteError, match="preparing"), locked(blocked / ".venv", limit=1):
        pytest.fail("there is no such folder")
