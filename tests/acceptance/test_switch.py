"""Going back to an environment that was here before takes the short way, and says what the long one would.

So it is where `.venv` is a link, and where it is a folder, because nobody can make links there or wants them.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.acceptance.running import Workplace, pyproject

LONG_WAY = "Looking at this machine"


@pytest.fixture(params=[{}, {"TORCHSTRAP_NO_SYMLINK": "1"}], ids=["link", "folder"])
def both(workplace: Workplace, request: pytest.FixtureRequest) -> Workplace:
    """Two environments: cpu was here before cu124."""
    workplace = workplace.with_variables(**request.param)
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
    assert [(each["variant"], each["current"]) for each in listed] == [("cpu", True), ("cu124", False)]


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


@pytest.fixture
def folders(workplace: Workplace) -> Workplace:
    """Two environments where the settings say that there is to be no link; cu124 is the current one."""
    workplace.write(pyproject("accelerate", "torch==2.6.0", more="[tool.torchstrap]\nno-symlink = true\n"))
    for variant in ("cpu", "cu124"):
        workplace.sync("--variant", variant)
    return workplace


def test_without_a_link_everything_finds_its_environment(folders: Workplace) -> None:
    venv = folders.folder / ".venv"
    assert not venv.is_symlink()
    assert folders.run("sync", "--variant", "cu124").stderr.splitlines()[-1].startswith("Nothing to do.")
    assert folders.run("env", "rollback").returncode == 0
    assert (torch_in(folders), venv.is_symlink()) == ("2.6.0+cpu", False), "rollback keeps the way that was taken"
    command: list[str | Path] = [venv / "bin" / "accelerate", "--help"]
    assert subprocess.run(command, capture_output=True, check=False).returncode == 0, "scripts name .venv"
    assert folders.run("verify").returncode == 0
    old, new = json.loads(folders.run("env", "list", "--json").stdout)["generations"]
    assert (old["current"], old["torch"], new["torch"]) == (True, "2.6.0+cpu", "2.6.0+cu124")
    assert "is what" in folders.run("env", "remove", old["key"]).stderr
    unused = folders.run("cache", "gc", "--dry-run").stderr
    assert "torch-2.6.0+cpu" not in unused
    (site,) = (venv / "lib").glob("python*/site-packages")
    (site / "torch" / "version.py").unlink()
    done = folders.run("sync", "--variant", "cpu")
    assert "was changed by hand" in done.stderr
    assert (torch_in(folders), (site / "torch" / "version.py").exists()) == ("2.6.0+cpu", True)
    assert folders.run("env", "remove", "--all-but-current").returncode == 0
    assert [each["torch"] for each in json.loads(folders.run("env", "list", "--json").stdout)["generations"]] == [
        "2.6.0+cpu"
    ]


LOOKS = [
    ["env", "list"],
    ["verify"],
    ["tree"],
    ["doctor", "--json"],
    ["sync", "--check", "--variant", "cu124"],
    ["sync", "--variant", "cu124"],
    ["run", "--variant", "cu124", "--", "python", "-c", "import torch"],
]


def test_what_was_killed_when_all_was_done_is_cleared_up_by_the_next(folders: Workplace) -> None:
    journal = folders.folder / ".venv.generations" / "switching.json"
    journal.write_text("")
    assert folders.run("sync", "--variant", "cu124").returncode == 0
    assert not journal.exists()


def test_whoever_looks_next_undoes_what_was_killed(folders: Workplace) -> None:
    """Between the two renames of a switch back to cpu there is no `.venv`."""
    venv = folders.folder / ".venv"
    aside = venv.with_name(".venv.generations")
    (key,) = [each.name for each in aside.glob("torch-*+cpu-*")]
    for words in LOOKS:
        here = json.loads((venv / "generation.json").read_text())["key"]
        (aside / "switching.json").write_text(json.dumps({"schema": 1, "from": here, "to": key}))
        venv.rename(aside / here)
        done = folders.run(*words)
        assert done.returncode == 0, (words, done.stderr)
        assert torch_in(folders) == "2.6.0+cu124"
        assert not (aside / "switching.json").exists()
