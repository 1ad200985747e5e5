"""Going back to an environment that was here before takes the short way, and says what the long one would."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.acceptance.running import Workplace, pyproject

LONG_WAY = "Looking at this machine"


@pytest.fixture
def both(workplace: Workplace) -> Workplace:
    """Two environments: cpu was here before cu124."""
    workplace.write(pyproject("accelerate", "torch==2.6.0"))
    for variant in ("cpu", "cu124", "cpu", "cu124"):  # the second time the lock has both
        workplace.sync("--variant", variant)
    return workplace


def stamp_of(place: Workplace, variant: str) -> Path:
    (found,) = (place.folder / ".venv.generations").glob(f"torch-*{variant}-*/torchstrap.stamp")
    return found


def torch_in(place: Workplace) -> str:
    script = "import torch; print(torch.__version__)"
    return subprocess.run([place.python, "-I", "-c", script], capture_output=True, text=True, check=True).stdout.strip()


def test_the_short_way_says_what_the_long_way_says(both: Workplace) -> None:
    short = both.run("sync", "--variant", "cpu")
    assert (short.returncode, torch_in(both)) == (0, "2.6.0+cpu")
    both.sync("--variant", "cu124")
    stamp_of(both, "cpu").unlink()
    long = both.run("sync", "--variant", "cpu")
    assert LONG_WAY in long.stderr
    assert long.stderr.replace(f"{LONG_WAY}\n", "") == short.stderr
    assert " ~ torch 2.6.0+cu124 -> 2.6.0+cpu" in short.stderr


def test_the_document_is_the_same(both: Workplace) -> None:
    short = both.sync("--variant", "cpu")
    both.sync("--variant", "cu124")
    stamp_of(both, "cpu").unlink()
    assert both.sync("--variant", "cpu") == short
    assert short["changed"] is True


def test_run_becomes_the_program_of_the_other_environment(both: Workplace) -> None:
    done = both.run("run", "-q", "--variant", "cpu", "--", "python", "-c", "import torch; print(torch.__version__)")
    assert (done.returncode, done.stdout) == (0, "2.6.0+cpu\n")
    assert LONG_WAY not in done.stderr
    assert both.run("sync", "--variant", "cpu").stderr.startswith("Nothing to do.")
    listed = json.loads(both.run("env", "list", "--json").stdout)["generations"]
    assert [each["variant"] for each in listed] == ["cpu", "cu124"]


def add_by_hand(place: Workplace) -> None:
    (site,) = (place.folder / ".venv" / "lib").glob("python*/site-packages")
    (site / "stowaway-1.dist-info").mkdir()


def change_the_project(place: Workplace) -> None:
    place.write(pyproject("accelerate", "torch==2.6.0", "certifi"))


def remove_the_other(place: Workplace) -> None:
    (stamp_of(place, "cpu").parent / "bin" / "python").unlink()


@pytest.mark.parametrize(
    "change", [add_by_hand, change_the_project, remove_the_other], ids=["a package by hand", "the project", "no Python"]
)
def test_whatever_changed_makes_it_look(both: Workplace, change: Callable[[Workplace], None]) -> None:
    change(both)
    done = both.run("sync", "--variant", "cpu")
    assert done.returncode == 0, done.stderr
    assert LONG_WAY in done.stderr
    assert torch_in(both) == "2.6.0+cpu"


def test_other_options_are_another_question(both: Workplace) -> None:
    assert LONG_WAY in both.run("sync", "--variant", "cpu", "--keep-extras").stderr
