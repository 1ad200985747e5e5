"""`run` becomes the command: its exit code, its signals, its output and its arguments are its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.acceptance.running import Workplace, pyproject
from tests.replica import Replica

SHOW = "import json, sys; print(json.dumps(sys.argv[1:]))"


@pytest.fixture(scope="module")
def ready(tmp_path_factory: pytest.TempPathFactory, cache: Path, replica: Replica) -> Workplace:
    """An environment that has all it needs; tests only run things in it."""
    place = Workplace(tmp_path_factory.mktemp("ready"), cache, replica)
    place.write(pyproject("typing-extensions"))
    place.sync()
    assert place.run("run", "--", "true").stderr == ""
    return place


@pytest.mark.parametrize("code", [0, 1, 2, 69, 126, 255])
def test_the_exit_code_is_the_programs(ready: Workplace, code: int) -> None:
    assert ready.run("run", "--", "python", "-c", f"raise SystemExit({code})").returncode == code


def test_a_program_that_is_not_there_is_127(ready: Workplace) -> None:
    done = ready.run("run", "--", "no-such-program")
    assert done.returncode == 127
    assert "no-such-program: not found" in done.stderr


def test_a_file_that_cannot_be_executed_is_126(ready: Workplace) -> None:
    (ready.folder / "notes.txt").write_text("nothing to run")
    done = ready.run("run", "--", "./notes.txt")
    assert done.returncode == 126
    assert "./notes.txt: cannot be run" in done.stderr


def test_a_path_entry_that_is_no_folder_does_not_matter(ready: Workplace) -> None:
    entry = ready.folder / "pyproject.toml"
    place = ready.with_variables(PATH=f"{os.environ['PATH']}{os.pathsep}{entry}")
    assert place.run("run", "--", "no-such-program").returncode == 127


def test_a_signal_ends_the_program_and_so_us(ready: Workplace) -> None:
    assert ready.run("run", "--", "sh", "-c", "kill -TERM $$").returncode == -15


def test_the_program_takes_our_place(ready: Workplace) -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "bootstrap", "run", "--", "python", "-c", "import os; print(os.getpid())"],
        cwd=ready.folder,
        env=ready.variables(),
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        output, _ = process.communicate(timeout=60)
    assert int(output) == process.pid


def test_the_program_reads_our_input(ready: Workplace) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "bootstrap", "run", "--", "cat"],
        cwd=ready.folder,
        env=ready.variables(),
        input=b"\x00bytes",
        capture_output=True,
        check=True,
    )
    assert (done.stdout, done.stderr) == (b"\x00bytes", b"")


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="the kernel does not tell which signals are ignored")
def test_no_signal_stays_ignored_because_python_ignores_it(ready: Workplace) -> None:
    def ignored(*command: str) -> str:
        done = subprocess.run(
            [*command, "cat", "/proc/self/status"],
            cwd=ready.folder,
            env=ready.variables(),
            capture_output=True,
            text=True,
            check=True,
        )
        return next(line for line in done.stdout.splitlines() if line.startswith("SigIgn"))

    assert ignored(sys.executable, "-m", "bootstrap", "run", "--") == ignored("env")


@pytest.mark.parametrize(
    "arguments",
    [
        ["--json"],
        ["-q", "--venv", "elsewhere", "--help"],
        ["--", "--", "-x"],
        ["two words", "", "*", "'quoted\"", "ünïcode", "back\\slash", "line\nbreak"],
    ],
    ids=["one of ours", "several of ours", "more separators", "odd ones"],
)
def test_arguments_arrive_as_they_were_given(ready: Workplace, arguments: list[str]) -> None:
    done = ready.run("run", "-q", "--", "python", "-c", SHOW, *arguments)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == arguments


def test_the_environment_is_switched_on(ready: Workplace) -> None:
    show = "import json, os, sys; print(json.dumps([sys.prefix, os.environ['VIRTUAL_ENV'], os.environ['PATH']]))"
    done = ready.with_variables(PYTHONHOME="").run("run", "--", "python", "-c", show)
    prefix, virtual, path = json.loads(done.stdout)
    assert Path(virtual) == ready.folder / ".venv"
    assert Path(prefix).samefile(ready.folder / ".venv")
    assert path.split(os.pathsep)[0] == str(ready.folder / ".venv" / "bin")
    assert path.split(os.pathsep)[1:] == os.environ["PATH"].split(os.pathsep)


@pytest.mark.parametrize("words", [[], ["--"], ["python", "-c", "pass"]], ids=["nothing", "nothing behind", "no --"])
def test_without_a_command_it_is_refused(ready: Workplace, words: list[str]) -> None:
    done = ready.run("run", *words)
    assert done.returncode == 2
    assert "run needs a command behind `--`" in done.stderr


@pytest.mark.parametrize("option", ["--dry-run", "--json", "--check"])
def test_options_that_make_no_sense_with_a_program_are_refused(ready: Workplace, option: str) -> None:
    done = ready.run("run", option, "--", "echo", "ran")
    assert (done.returncode, done.stdout) == (2, "")
    assert option in done.stderr


def test_the_first_run_syncs_and_leaves_standard_output_alone(workplace: Workplace) -> None:
    workplace.write(pyproject("typing-extensions"))
    program = "import typing_extensions; print(typing_extensions.__version__)"
    first, second = (workplace.run("run", "--", "python", "-c", program) for _ in range(2))
    assert first.returncode == 0, first.stderr
    assert first.stdout == second.stdout
    assert first.stdout.count("\n") == 1
    assert " + typing-extensions " in first.stderr
    assert second.stderr == ""


def test_nothing_runs_when_the_environment_cannot_be_made(workplace: Workplace) -> None:
    workplace.write(pyproject("no-such-project-anywhere"))
    done = workplace.run("run", "--", "touch", "ran")
    assert done.returncode == 1
    assert "no-such-project-anywhere" in done.stderr
    assert not (workplace.folder / "ran").exists()


def test_another_folder_and_another_environment(ready: Workplace, tmp_path: Path) -> None:
    place = Workplace(tmp_path, ready.cache, ready.replica)
    words = ["--project", str(ready.folder), "--venv", "elsewhere"]
    show = "import os, sys; print(os.getcwd(), sys.prefix)"
    for _ in range(2):
        done = place.run("run", *words, "--", "python", "-c", show)
        assert done.returncode == 0, done.stderr
        folder, prefix = done.stdout.split()
        assert Path(folder).samefile(tmp_path)
        assert Path(prefix).samefile(tmp_path / "elsewhere")
