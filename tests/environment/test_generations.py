from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from bootstrap.environment import generations
from bootstrap.environment.generations import (
    MARKER,
    build,
    current,
    find,
    folder_of,
    listed,
    litter,
    locked,
    remove,
    switch,
)
from bootstrap.environment.history import marker_of
from bootstrap.errors import CannotWriteError, InputError, TryAgainError

ROOT = Path(__file__).parents[2]


def made(venv: Path, key: str) -> None:
    """Build and switch to a generation that knows its key."""

    def fill(folder: Path) -> None:
        (folder / "what").write_text(key)

    with locked(venv, limit=5):
        build(venv, key, fill)
        switch(venv, key)


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


def test_what_exists_is_not_built_again(tmp_path: Path) -> None:
    venv = tmp_path / ".venv"
    made(venv, "first")
    made(venv, "second")
    with locked(venv, limit=5):
        build(venv, "first", lambda _: pytest.fail("it was built again"))
        switch(venv, "first")
    assert (venv / "what").read_text() == "first"


def test_the_marker_carries_what_is_given(tmp_path: Path) -> None:
    found = build(tmp_path / ".venv", "key", lambda _: {"offer": "cu126"})
    assert json.loads((found / MARKER).read_text()) == {"schema": 1, "key": "key", "offer": "cu126"}
    assert marker_of(found)["offer"] == "cu126"
    (found / MARKER).write_text("[")
    assert marker_of(found) == {}


def test_a_failed_build_leaves_the_old_environment_and_nothing_else(tmp_path: Path) -> None:
    venv = tmp_path / ".venv"
    made(venv, "old")

    def fail(folder: Path) -> None:
        (folder / "half").write_text("half")
        raise InputError("x", "is wrong")

    with locked(venv, limit=5), pytest.raises(InputError):
        build(venv, "new", fail)
    assert (venv / "what").read_text() == "old"
    assert sorted(each.name for each in folder_of(venv).iterdir()) == [".gitignore", "lock", "old"]


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


def test_a_killed_build_leaves_the_old_environment_and_the_next_clears_up(tmp_path: Path) -> None:
    venv = tmp_path / ".venv"
    made(venv, "old")
    with start(KILLED, venv) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "building\n"
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert (venv / "what").read_text() == "old"
    assert [each.name for each in listed(venv)] == ["old"]
    assert find(venv, "new") is None
    assert [each.name.partition("-")[0] for each in litter(venv)] == ["new.building"]
    made(venv, "new")
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


def test_readers_never_see_anything_but_a_whole_environment(tmp_path: Path) -> None:
    venv = tmp_path / ".venv"
    made(venv, "one")
    made(venv, "two")
    script = (
        "import sys; from pathlib import Path\n"
        "from bootstrap.environment.generations import switch\n"
        "print('go', flush=True)\n"
        "for _ in range(300): switch(Path(sys.argv[1]), 'one'); switch(Path(sys.argv[1]), 'two')\n"
    )
    with start(script, venv) as process:
        assert process.stdout is not None
        process.stdout.readline()
        seen = set()
        while process.poll() is None:
            seen.add((venv / "what").read_text())
    assert process.returncode == 0
    assert seen <= {"one", "two"}
    assert seen


def test_keeps_the_three_that_were_used_last(tmp_path: Path) -> None:
    venv = tmp_path / ".venv"
    for key in ("a", "b", "c"):
        made(venv, key)
    made(venv, "a")
    made(venv, "d")
    assert [each.name for each in listed(venv)] == ["d", "a", "c"]
    assert current(venv) == folder_of(venv) / "d"


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


def test_takes_the_place_of_an_empty_folder(tmp_path: Path) -> None:
    venv = tmp_path / ".venv"
    venv.mkdir()
    made(venv, "key")
    assert (venv / "what").read_text() == "key"


def test_a_link_to_a_generation_that_is_gone_is_ours_to_replace(tmp_path: Path) -> None:
    venv = tmp_path / ".venv"
    venv.symlink_to(".venv.generations/gone")
    assert current(venv) is None
    made(venv, "key")
    assert (venv / "what").read_text() == "key"


def test_a_generation_without_its_marker_is_built_again(tmp_path: Path) -> None:
    venv = tmp_path / ".venv"
    made(venv, "key")
    (folder_of(venv) / "key" / MARKER).unlink()
    assert current(venv) is None
    with pytest.raises(InputError, match="no complete generation"):
        switch(venv, "key")
    made(venv, "key")
    assert current(venv) == folder_of(venv) / "key"


def test_removes_any_but_the_current_one(tmp_path: Path) -> None:
    venv = tmp_path / ".venv"
    made(venv, "a")
    made(venv, "b")
    with pytest.raises(CannotWriteError, match="switch to another"):
        remove(venv, "b")
    remove(venv, "a")
    assert [each.name for each in listed(venv)] == ["b"]
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
