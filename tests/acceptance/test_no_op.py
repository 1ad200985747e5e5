"""When nothing has to be done the stamp says so and nothing else is looked at; whatever matters makes it look."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.acceptance.running import ROOT, Workplace, pyproject, recorded
from tests.replica import Replica

# Without site-packages, so that nothing has been imported before us; they come last, for the full program.
RECORDER = """
import sys

root, report, rest, *words = sys.argv[1:]
sys.path[:0] = [root]
sys.path += rest.split("|")
sys.argv = ["torchstrap", *words]
before, events = set(sys.modules), []


def tell():
    with open(report, "w", encoding="utf-8") as file:
        file.write("\\n".join([*events, "", *sorted(set(sys.modules) - before)]))


def note(event, _):
    if event in WATCHED:
        events.append(event)
    if event == "os.exec":
        tell()


WATCHED = ("subprocess.Popen", "os.posix_spawn", "os.spawn", "os.fork", "os.forkpty", "os.system", "os.exec",
           "socket.__new__")
sys.addaudithook(note)
from bootstrap.__main__ import main

code = main()
tell()
sys.exit(code)
"""
# `os` and what it is made of; everything else costs time that a program start does not have.
LIGHT = {"__future__", "_collections_abc", "abc", "_abc", "genericpath", "os", "os.path", "posixpath", "stat", "_stat"}
OURS = {
    "bootstrap",
    "bootstrap.__main__",
    "bootstrap.cache_place",
    "bootstrap.stamp",
    "bootstrap.environment",
    "bootstrap.environment.activation",
}
FULL = "Looking at this machine"


@dataclass(frozen=True)
class Record:
    """What a run did: audit events, and the modules that it imported."""

    code: int
    output: str
    said: str
    events: list[str]
    modules: set[str]


def record(workplace: Workplace, tmp_path: Path, *words: str) -> Record:
    script, report = tmp_path / "recorder.py", tmp_path / "report.txt"
    script.write_text(RECORDER)
    rest = "|".join(path for path in sys.path if path.endswith("site-packages"))
    done = subprocess.run(
        [sys.executable, "-I", "-S", script, ROOT, report, rest, *words],
        cwd=workplace.folder,
        env=workplace.variables(),
        capture_output=True,
        text=True,
        check=False,
    )
    events, _, modules = report.read_text().partition("\n\n" if not report.read_text().startswith("\n") else "\n")
    return Record(done.returncode, done.stdout, done.stderr, events.split(), set(modules.split()))


@pytest.fixture
def synced(workplace: Workplace) -> Workplace:
    workplace.write(pyproject("typing-extensions"))
    workplace.sync()
    return workplace


def test_a_second_sync_loads_next_to_nothing_and_starts_nothing(synced: Workplace, tmp_path: Path) -> None:
    done = record(synced, tmp_path, "sync")
    assert (done.code, done.events) == (0, [])
    assert done.said.startswith("Nothing to do.")
    assert done.modules <= LIGHT | OURS


def test_run_becomes_the_command_at_once(synced: Workplace, tmp_path: Path) -> None:
    done = record(synced, tmp_path, "run", "--", "python", "-c", "print('here')")
    assert (done.code, done.output, done.said) == (0, "here\n", "")
    assert done.events == ["os.exec"]
    assert {name for name in done.modules if "warnings" not in name} <= LIGHT | OURS  # os.execvpe imports that one


def test_the_recorder_would_have_seen_more(synced: Workplace, tmp_path: Path) -> None:
    (synced.folder / ".venv" / "torchstrap.stamp").unlink()
    done = record(synced, tmp_path, "run", "--", "python", "-c", "print('here')")
    assert done.output == "here\n"
    assert {"argparse", "packaging", "pathlib"} <= done.modules
    assert done.events[-1] == "os.exec"


def test_a_locked_and_built_environment_is_checked_without_network_or_virtualenv(
    synced: Workplace, tmp_path: Path
) -> None:
    (synced.folder / ".venv" / "torchstrap.stamp").unlink()
    done = record(synced, tmp_path, "sync")
    assert done.code == 0
    assert not {"httpx", "rich", "virtualenv", "bootstrap.resolver.resolve"} & done.modules
    assert "socket.__new__" not in done.events


def test_the_json_of_a_second_sync_is_that_of_the_first_with_nothing_changed(workplace: Workplace) -> None:
    workplace.write(pyproject("typing-extensions"))
    first, second = workplace.sync(), workplace.sync()
    assert first["changed"] is True
    assert first["added"]
    assert second == {**first, "changed": False, "added": [], "removed": [], "replaced": []}


def test_the_json_of_a_second_sync_tells_the_choice_of_these_options(workplace: Workplace) -> None:
    """Two invocations may share one generation; what they chose and why is not the same."""
    workplace.write(pyproject("torch==2.9.0"))
    asked = workplace.sync("--variant", "cpu")
    chosen = workplace.sync()
    if chosen["choice"]["offer"] != "cpu":
        pytest.skip("this machine has a GPU")
    assert asked["choice"]["reason"] != chosen["choice"]["reason"]
    again = workplace.sync()
    assert again["choice"] == chosen["choice"]


def test_a_gpu_that_is_not_used_is_said_every_time(workplace: Workplace, tmp_path: Path) -> None:
    machine = recorded("linux-x86_64-rtx4090-without-driver-cpu", tmp_path)
    place = workplace.with_variables(TORCHSTRAP_MACHINE=str(machine))
    place.write(pyproject("torch==2.9.0"))
    assert place.sync("-q")["choice"]["offer"] == "cpu"
    second = place.run("sync", "-q")
    assert second.returncode == 0
    assert "warning: this machine has NVIDIA PCI device 10de:2684" in second.stderr
    assert FULL not in second.stderr


@pytest.fixture
def locked(workplace: Workplace) -> Workplace:
    """A project in automatic mode with its lock, which has notes to repeat: variants that nobody publishes here."""
    place = workplace.with_variables(TORCHSTRAP_PYTHON_VERSION="3.11", TORCHSTRAP_PLATFORM="linux_x86_64")
    place.write(pyproject("typing-extensions"))
    assert place.run("lock").returncode == 0
    return place


def test_a_second_lock_loads_next_to_nothing_and_says_the_same(locked: Workplace, tmp_path: Path) -> None:
    done = record(locked, tmp_path, "lock")
    assert (done.code, done.events, done.output) == (0, [], "")
    assert done.said.endswith("pylock.toml: 1 packages, Python 3.11, linux_x86_64, unchanged\n")
    assert done.modules <= LIGHT | OURS
    assert record(locked, tmp_path, "lock", "-q").said == ""


@pytest.mark.parametrize(
    "words",
    [("--check",), ("--upgrade",), ("-o", "-"), ("--upgrade-package", "typing-extensions"), ("--pre",)],
    ids=" ".join,
)
def test_a_lock_that_is_asked_for_something_else_looks_again(
    locked: Workplace, tmp_path: Path, words: tuple[str, ...]
) -> None:
    for _ in range(2):
        done = record(locked, tmp_path, "lock", *words)
        assert done.code == 0
        if words != ("--pre",):
            assert "packaging" in done.modules
    assert "packaging" in record(locked, tmp_path, "lock", "--project", ".", "--no-cache").modules


@pytest.mark.parametrize(
    ("change", "is_new"),
    [
        (lambda place: place.write(pyproject("typing-extensions", "six")), True),
        (lambda place: (place.folder / "pylock.toml").unlink(), True),
        (
            lambda place: (place.folder / "pylock.toml").write_text((place.folder / "pylock.toml").read_text() + "#"),
            True,
        ),
        (lambda place: (place.folder / "pyproject.toml").touch(), False),
    ],
    ids=["another project", "the lock is gone", "the lock is another", "touched"],
)
def test_a_lock_is_looked_at_when_something_changed(
    locked: Workplace, tmp_path: Path, change: Callable[[Workplace], object], *, is_new: bool
) -> None:
    change(locked)
    done = record(locked, tmp_path, "lock")
    assert done.code == 0
    assert "packaging" in done.modules
    assert done.said.endswith("unchanged\n") != is_new
    assert "packaging" not in record(locked, tmp_path, "lock").modules


def test_what_could_not_be_locked_is_tried_again(locked: Workplace, tmp_path: Path) -> None:
    place = locked.with_variables(TORCHSTRAP_PLATFORM="")
    place.write(pyproject("typing-extensions", "absent-anywhere ; sys_platform == 'win32'"))
    for _ in range(2):
        done = record(place, tmp_path, "lock", "--python-version", "3.11")
        assert "packaging" in done.modules
        assert "absent-anywhere" in done.said


Change = Callable[[Workplace], Workplace]


def _touched(name: str, text: str) -> Change:
    def change(place: Workplace) -> Workplace:
        path = place.folder / name
        path.write_text(path.read_text() + text)
        return place

    return change


def _removed(name: str) -> Change:
    def change(place: Workplace) -> Workplace:
        path = place.folder / name
        if path.is_symlink() or path.is_file():
            path.unlink()
        else:
            shutil.rmtree(path)
        return place

    return change


def _variable(**variables: str) -> Change:
    return lambda place: place.with_variables(**variables)


def _cut_stamp(place: Workplace) -> Workplace:
    stamp = place.folder / ".venv" / "torchstrap.stamp"
    stamp.write_text("\n".join(stamp.read_text().splitlines()[:4]) + "\n")
    return place


def _garbled_stamp(place: Workplace) -> Workplace:
    (place.folder / ".venv" / "torchstrap.stamp").write_bytes(b"\xff\x00stamp")
    return place


def _other_interpreter_link(place: Workplace) -> Workplace:
    (place.folder / ".venv" / "bin" / "python").unlink()
    return place


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(_touched("pyproject.toml", "\n# another line\n"), id="pyproject"),
        pytest.param(_touched("pylock.toml", "\n# another line\n"), id="lock"),
        pytest.param(_removed("pylock.toml"), id="lock removed"),
        pytest.param(_removed(".venv"), id="environment removed"),
        pytest.param(_removed(".venv.generations"), id="generations removed"),
        pytest.param(_variable(CUDA_VISIBLE_DEVICES="0"), id="CUDA_VISIBLE_DEVICES"),
        pytest.param(_variable(TORCHSTRAP_CUDA_DRIVER="535.129.03"), id="a variable of ours"),
        pytest.param(_variable(PIP_TIMEOUT="33"), id="a variable of pip"),
        pytest.param(_cut_stamp, id="stamp cut short"),
        pytest.param(_garbled_stamp, id="stamp garbled"),
        pytest.param(_other_interpreter_link, id="interpreter of the environment gone"),
    ],
)
def test_what_matters_is_looked_at(synced: Workplace, change: Change) -> None:
    assert FULL not in synced.run("sync").stderr
    place = change(synced)
    done = place.run("sync")
    assert done.returncode == 0, done.stderr
    assert FULL in done.stderr
    assert subprocess.run([place.python, "-c", "import typing_extensions"], check=False).returncode == 0
    assert FULL not in place.run("sync").stderr


def test_other_options_are_another_question(synced: Workplace) -> None:
    assert FULL in synced.run("sync", "--group", "none-of-these").stderr
    assert FULL in synced.run("sync", "--variant", "cpu").stderr
    assert FULL in synced.run("sync").stderr


def test_how_much_is_said_is_no_other_question(synced: Workplace) -> None:
    for words in (["-q"], ["-v"], ["--json"], ["-q", "--json"]):
        assert FULL not in synced.run("sync", *words).stderr
    assert synced.run("sync", "-q").stderr == ""


def test_another_machine_in_the_same_file_is_noticed(workplace: Workplace, tmp_path: Path) -> None:
    machine = recorded("linux-x86_64-rtx5090-driver580-cu130", tmp_path)
    place = workplace.with_variables(TORCHSTRAP_MACHINE=str(machine))
    place.write(pyproject("torch==2.9.0"))
    assert place.sync()["choice"]["variant"] == "cu130"
    machine.write_bytes(recorded("linux-x86_64-laptop-intel-graphics-cpu", tmp_path).read_bytes())
    assert place.sync()["choice"]["variant"] == "cpu"


def test_changed_constraints_are_noticed(workplace: Workplace) -> None:
    workplace.write(pyproject("jinja2"))
    limits = workplace.folder / "limits.txt"
    limits.write_text("")
    workplace.sync("-c", "limits.txt")
    assert FULL not in workplace.run("sync", "-c", "limits.txt").stderr
    limits.write_text("markupsafe<99\n")
    assert FULL in workplace.run("sync", "-c", "limits.txt").stderr


def test_what_pip_installed_by_hand_goes_again(synced: Workplace, replica: Replica) -> None:
    url = replica.add_wheel("default", "stowaway", "1")
    pip = [sys.executable, "-m", "pip", "--python", str(synced.python), "install", "-q", "--no-deps", "--no-index", url]
    subprocess.run(pip, env={**synced.variables(), "PIP_DISABLE_PIP_VERSION_CHECK": "1"}, check=True)
    assert subprocess.run([synced.python, "-c", "import stowaway"], check=False).returncode == 0
    done = synced.run("sync", "--json")
    assert done.returncode == 0, done.stderr
    outcome = json.loads(done.stdout)
    assert outcome["changed"] is True
    assert "changed by hand" in outcome["warnings"][0]
    assert "warning: " in done.stderr
    gone = subprocess.run([synced.python, "-c", "import stowaway"], capture_output=True, text=True, check=False)
    assert "ModuleNotFoundError" in gone.stderr
    assert FULL not in synced.run("sync").stderr


def test_a_file_that_somebody_deleted_comes_back_with_a_warning(synced: Workplace) -> None:
    (site,) = (synced.folder / ".venv" / "lib").glob("python*/site-packages")
    shutil.rmtree(site / "typing_extensions")
    outcome = synced.sync()
    assert "changed by hand" in outcome["warnings"][0]
    assert subprocess.run([synced.python, "-c", "import typing_extensions"], check=False).returncode == 0


def test_running_programs_does_not_count_as_a_change(synced: Workplace) -> None:
    assert synced.run("run", "--", "python", "-c", "import typing_extensions").returncode == 0
    assert FULL not in synced.run("sync").stderr


@pytest.mark.skipif(os.name == "nt", reason="names on Windows are Unicode")
def test_a_folder_whose_name_is_no_text_works(synced: Workplace, tmp_path: Path) -> None:
    odd = tmp_path / os.fsdecode(b"caf\xe9")
    odd.mkdir()
    shutil.copy(synced.folder / "pyproject.toml", odd)
    place = Workplace(odd, synced.cache, synced.replica)
    first = place.run("sync")
    assert first.returncode == 0, first.stderr
    assert place.run("sync").returncode == 0
