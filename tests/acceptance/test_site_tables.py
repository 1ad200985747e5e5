"""What a site says of builds counts at once, and what is wrong in it is a configuration that is refused."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.acceptance.running import Workplace, pyproject, recorded

CONFIGURATION = 78
FULL = "Looking at this machine"


@pytest.fixture
def place(workplace: Workplace, tmp_path: Path) -> Workplace:
    """A place whose user has no tables yet."""
    return workplace.with_variables(XDG_CONFIG_HOME=str(tmp_path / "config"))


def tables(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "config" / "torchstrap" / "profiles" / "lab.toml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


@pytest.mark.parametrize("words", [["choose"], ["sync"], ["lock"], ["run", "--", "true"]], ids=" ".join)
def test_a_wrong_row_is_refused_with_its_line(place: Workplace, tmp_path: Path, words: Sequence[str]) -> None:
    path = tables(tmp_path, '\n[[driver]]\ncuda = "thirteen"\n')
    place.write(pyproject("torch"))
    done = place.run(*words)
    assert done.returncode == CONFIGURATION
    assert done.stderr.splitlines()[-1].startswith(
        f"torchstrap: {path}, line 2: [[driver]] cuda is 'thirteen', but must"
    )
    assert not (place.folder / ".venv").exists()


def test_a_row_changes_the_choice(place: Workplace, tmp_path: Path) -> None:
    place.write(pyproject("torch"))
    machine = recorded("linux-x86_64-rtx5090-driver580-cu130", tmp_path)
    before = json.loads(place.run("choose", "--json", "--machine", str(machine)).stdout)
    assert before["variant"].startswith("cu13")
    tables(tmp_path, '[[driver]]\ncuda = 13\nlinux = "590"\n')
    after = json.loads(place.run("choose", "--json", "--machine", str(machine)).stdout)
    assert after["variant"] == "cu128"
    assert "needs NVIDIA driver 590 or newer" in json.dumps(after["rejected"])


def test_tables_that_come_change_or_go_are_noticed_when_nothing_else_has_to_be_done(
    place: Workplace, tmp_path: Path
) -> None:
    place.write(pyproject("typing-extensions"))
    place.sync()
    assert FULL not in place.run("sync").stderr
    path = tables(tmp_path, '[[family]]\nnames = ["one"]\n')
    for change in (path.touch, lambda: path.write_text('[[family]]\nnames = ["others"]\n'), path.unlink):
        change()
        assert FULL in place.run("sync").stderr
        assert FULL not in place.run("sync").stderr
