"""The words of the command line, and what becomes of errors that nobody expected."""

from __future__ import annotations

import argparse
import gc
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from bootstrap import __version__, cli
from bootstrap.options import parser

ROOT = Path(__file__).parent.parent


@pytest.fixture(autouse=True)
def _same_collector() -> Iterator[None]:
    thresholds = gc.get_threshold()
    yield
    gc.set_threshold(*thresholds)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["sync", "--no-such-option"], ("--no-such-option", "torchstrap --help")),
        (["sync", "--ext", "cpu"], ("--ext",)),
        (["sync", "--require", "luck"], ("--require", "gpu")),
        (["sync", "--project"], ("--project",)),
        (["sync", "--", "ls"], ("ls",)),
        (["synk"], ("synk", "sync")),
        ([], ("COMMAND",)),
        (["probe", "--extra", "cpu"], ("--extra",)),
        (["run"], ("run needs a command",)),
        (["run", "--dry-run", "--", "ls"], ("--dry-run",)),
        (["env"], ("ACTION",)),
        (["env", "lust"], ("lust", "list")),
        (["cache", "gc", "now"], ("now",)),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_words_that_do_not_fit_are_named(
    words: list[str], says: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(words) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith("torchstrap: ")
    for each in says:
        assert each in said.err


def test_says_its_version(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        cli.main(["--version"])
    assert ended.value.code == 0
    assert capsys.readouterr().out == f"torchstrap {__version__}\n"


@pytest.mark.parametrize("command", [*cli._COMMANDS, "env", "cache"])
def test_every_command_explains_itself(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        cli.main([*command.split(), "--help"])
    assert ended.value.code == 0
    assert f"torchstrap {command}" in capsys.readouterr().out


def test_every_option_says_what_it_is_for() -> None:
    waiting: list[tuple[str, argparse.ArgumentParser]] = [("", parser())]
    for name, each in waiting:
        for action in each._actions:
            if isinstance(action, argparse._SubParsersAction):
                waiting.extend((f"{name} {word}".strip(), below) for word, below in action.choices.items())
            elif name:
                assert action.help, (name, action.option_strings)
    assert {name for name, _ in waiting} >= cli._COMMANDS.keys()


def test_what_stands_behind_the_dashes_is_not_read(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["run", "--project", str(tmp_path), "--", "tool", "--no-such-option"]) == 65
    assert "pyproject.toml" in capsys.readouterr().err


def start(*words: str, folder: Path, **more: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(  # type: ignore[call-overload,no-any-return]
        [sys.executable, "-m", "bootstrap", *words],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT), "PIP_CONFIG_FILE": os.devnull},
        check=False,
        **{"capture_output": True, "text": True, **more},
    )


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no device that is always full")
def test_an_output_that_is_full_is_said_in_a_sentence(tmp_path: Path) -> None:
    with Path("/dev/full").open("w") as full:
        done = start("probe", folder=tmp_path, capture_output=False, stdout=full, stderr=subprocess.PIPE)
    assert done.returncode == 73
    assert "No space left" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_reader_that_has_seen_enough_is_no_error(tmp_path: Path) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    done = start("probe", "--json", folder=tmp_path, capture_output=False, stdout=writing, stderr=subprocess.PIPE)
    os.close(writing)
    assert (done.returncode, done.stderr) == (0, "")


def test_a_working_folder_that_is_gone_is_said_in_a_sentence(tmp_path: Path) -> None:
    script = f"rm -r '{tmp_path}/gone'; exec '{sys.executable}' -m bootstrap sync"
    (tmp_path / "gone").mkdir()
    environ = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        ["sh", "-c", script], cwd=tmp_path / "gone", env=environ, capture_output=True, text=True, check=False
    )
    assert done.returncode not in (0, -11)
    assert done.stderr.startswith("torchstrap: ")
    assert "Traceback" not in done.stderr


def test_probe_writes_one_document_and_nothing_else(tmp_path: Path) -> None:
    done = start("probe", "--json", folder=tmp_path)
    assert json.loads(done.stdout)["schema"].startswith("torchstrap.machine/")
    assert done.stderr == ""
