"""Prolog and TaskProlog as the scripts that they are, without Slurm; with it: tests/acceptance/test_slurm.py."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.acceptance.running import ROOT

ADAPTER = ROOT / "bootstrap" / "adapters" / "slurm"
# Stands for torchstrap: makes what `--venv` names, as a link to what is current.
MAKES = """
echo "$@" >>"${0%/*}/calls"
while [ "$1" != --venv ]; do shift; done
mkdir -p "$2.generations/key/bin" && ln -sfn "$2.generations/key" "$2"
echo "warning: a GPU is not used" >&2
echo '{"changed": true}'
"""

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="Slurm runs on Linux")


@dataclass(frozen=True)
class Node:
    """A folder with the scripts and settings of a compute node, and a program that does what a test says."""

    folder: Path

    def run(self, script: str, **variables: str) -> subprocess.CompletedProcess[str]:
        """A script as Slurm starts it: with these variables and no others."""
        return subprocess.run(
            [self.folder / script],
            cwd=self.folder,
            env=variables,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    def program(self, script: str) -> None:
        """What `torchstrap` does here."""
        place = self.folder / "torchstrap"
        place.write_text(f"#!/bin/sh\n{script}\n")
        place.chmod(0o755)

    @property
    def mine(self) -> Path:
        """This user's folder on the node's disk."""
        return self.folder / f"torchstrap-{os.getuid()}"

    def calls(self) -> list[str]:
        """The options of each call of the program."""
        place = self.folder / "calls"
        return place.read_text().splitlines() if place.exists() else []


@pytest.fixture
def node(tmp_path: Path) -> Node:
    for name in ("prolog", "task-prolog"):
        shutil.copy(ADAPTER / name, tmp_path)
    (tmp_path / "settings.sh").write_text(
        f"torchstrap={tmp_path}/torchstrap\nprojects='/one /two'\nenvironments={tmp_path}\n"
        f"warm={tmp_path}/warm\nlog={tmp_path}/log\n"
    )
    found = Node(tmp_path)
    found.program(MAKES)
    return found


def test_a_task_that_names_no_project_is_left_alone(node: Node) -> None:
    done = node.run("task-prolog", PATH="/usr/bin:/bin")
    assert (done.returncode, done.stdout, done.stderr, node.calls()) == (0, "", "", [])


def test_a_task_gets_the_environment_that_is_current_now_before_its_own_path(node: Node) -> None:
    done = node.run("task-prolog", PATH="/opt/bin:/usr/bin", TORCHSTRAP_PROJECT="/shared/vision", SLURM_PROCID="1")
    (venv,) = node.mine.glob("*/.venv")
    assert done.returncode == 0, done.stdout
    assert done.stdout.splitlines() == [
        f"export VIRTUAL_ENV={venv}.generations/key",
        f"export PATH={venv}.generations/key/bin:/opt/bin:/usr/bin",
        "unset PYTHONHOME",
    ]
    assert node.calls() == [f"sync --frozen --venv {venv}"]
    assert node.mine.stat().st_mode & 0o777 == 0o700


def test_the_first_task_tells_what_the_program_warns_of(node: Node) -> None:
    done = node.run("task-prolog", TORCHSTRAP_PROJECT="/shared/vision", SLURM_PROCID="0")
    assert done.stdout.splitlines()[0] == "print warning: a GPU is not used"


def test_projects_have_environments_apart_and_a_bundle_brings_its_own_lock(node: Node) -> None:
    for variables in ({"TORCHSTRAP_PROJECT": "/a"}, {"TORCHSTRAP_PROJECT": "/b"}, {"TORCHSTRAP_BUNDLE": "/c"}):
        assert node.run("task-prolog", **variables).returncode == 0
    assert len(set(node.mine.iterdir())) == 3
    assert ["--frozen" in each for each in node.calls()] == [True, True, False]


@pytest.mark.parametrize(
    ("script", "code", "said"),
    [
        (
            "printf 'progress\\ntorchstrap: no\\n  cu126: not here\\n' >&2; exit 1",
            1,
            ["torchstrap: no", "  cu126: not here"],
        ),
        ("echo killed >&2; exit 75", 75, ["killed"]),
    ],
    ids=["a sentence", "no sentence"],
)
def test_what_the_program_cannot_do_is_the_tasks_output_and_exit_code(
    node: Node, script: str, code: int, said: list[str]
) -> None:
    node.program(script)
    done = node.run("task-prolog", TORCHSTRAP_PROJECT="/shared/vision")
    assert (done.returncode, done.stdout.splitlines()) == (code, [f"print {line}" for line in said])


@pytest.mark.parametrize("kind", ["link", "file"])
def test_a_folder_that_somebody_laid_out_for_us_is_not_used(node: Node, tmp_path: Path, kind: str) -> None:
    (tmp_path / "elsewhere").mkdir()
    if kind == "link":
        node.mine.symlink_to(tmp_path / "elsewhere")
    else:
        node.mine.write_text("")
    done = node.run("task-prolog", TORCHSTRAP_PROJECT="/shared/vision")
    assert (done.returncode, node.calls()) == (73, [])
    assert "must be a folder of this user" in done.stdout


def test_the_prolog_goes_through_the_sites_projects_and_says_so(node: Node, tmp_path: Path) -> None:
    done = node.run("prolog", SLURM_JOB_ID="7", SLURMD_NODENAME="n1")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert [each.partition(" --venv")[0] for each in node.calls()] == [
        f"sync -q --frozen --no-verify --project {project}" for project in ("/one", "/two")
    ]
    log = (tmp_path / "log").read_text()
    assert [line.split(" ", 1)[1] for line in log.splitlines() if " job " in line] == [
        "job 7 on n1: /one",
        "job 7 on n1: /two",
    ]


def test_one_project_that_fails_does_not_keep_the_prolog_from_the_next(node: Node, tmp_path: Path) -> None:
    node.program('echo "$@" >>"${0%/*}/calls"; exit 69')
    assert node.run("prolog").returncode == 0
    assert len(node.calls()) == 2
    assert (tmp_path / "log").read_text().count("it ended with 69; jobs that need what is missing get it") == 2


@pytest.mark.parametrize(
    "settings",
    [
        "if then (",
        None,
        "exit 3",
        "limit=09",
        "limit=2m",
        "projects=/x; log=/no/such/log",
        "torchstrap=/no/such/program",
    ],
    ids=["no sh", "none", "exit", "no octal", "a unit", "no log", "no program"],
)
def test_no_settings_make_the_prolog_fail(node: Node, tmp_path: Path, settings: str | None) -> None:
    place = tmp_path / "settings.sh"
    if settings is None:
        place.write_text(f"log={tmp_path}/log\n. /no/such/file\n")
    else:
        place.write_text(f"{place.read_text()}{settings}\n")
    assert node.run("prolog").returncode == 0
    assert (tmp_path / "log").exists() or (settings or "").endswith("/log")


def test_a_prolog_whose_time_is_over_tells_the_program_and_begins_nothing_else(node: Node, tmp_path: Path) -> None:
    with (tmp_path / "settings.sh").open("a") as settings:
        settings.write("limit=1\n")
    node.program('echo "$@" >>"${0%/*}/calls"; trap "exit 143" TERM; while :; do sleep 0.1; done')
    assert node.run("prolog").returncode == 0
    assert len(node.calls()) == 1
    assert "it ended with 124, after at most 1 s" in (tmp_path / "log").read_text()
