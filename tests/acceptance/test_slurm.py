"""Real Slurm of two nodes with different GPUs: what Prolog and TaskProlog do for jobs, and that they harm none."""

from __future__ import annotations

import json
import shlex
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.acceptance.running import ROOT, Workplace, pyproject, recorded
from tests.acceptance.slurm_cluster import Slurm, running, why_not
from tests.replica import Replica

ADAPTER = ROOT / "bootstrap" / "adapters" / "slurm"
MACHINES = {"old": "linux-x86_64-gtx1080ti-driver580-cu126", "new": "linux-x86_64-rtx5090-driver580-cu130"}
WHERE = "import os, sys, torch; print(os.environ['SLURMD_NODENAME'], torch.__version__, sys.prefix)"
WITHOUT = "import os, sys; print(os.environ['SLURMD_NODENAME'], sys.prefix)"
# Stands for torchstrap.pyz in the bundle, and says which machine a node is.
PROGRAM = """
import os, sys
sys.path.insert(1, "{root}")
os.environ["TORCHSTRAP_MACHINE"] = f"{machines}/{{os.environ['SLURMD_NODENAME']}}.json"
from bootstrap.__main__ import main
sys.exit(main())
"""
REASON = why_not()

pytestmark = pytest.mark.skipif(bool(REASON), reason=REASON or "none")


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    """Short, as it holds sockets."""
    made = Path(tempfile.mkdtemp(prefix="slurm-"))
    yield made
    shutil.rmtree(made)


@pytest.fixture(scope="module")
def slurm(folder: Path) -> Iterator[Slurm]:
    with running(folder, ADAPTER) as cluster:
        yield cluster


@pytest.fixture(scope="module")
def place(folder: Path, cache: Path, replica: Replica) -> Workplace:
    """A project on the login node, which has no GPU, locked for the compute nodes."""
    (folder / "project").mkdir()
    found = Workplace(folder / "project", cache, replica)
    found.write(pyproject("torch==2.9.0"))
    version = f"{sys.version_info[0]}.{sys.version_info[1]}"
    done = found.run("lock", "--python-version", version, "--platform", "linux_x86_64")
    assert done.returncode == 0, done.stderr
    return found


def set_up(slurm: Slurm, place: Workplace, **changes: str) -> None:
    """The settings of the site: each node is another machine, and nothing of this one's setup counts."""
    variables = place.variables()
    said = {
        "torchstrap": str(slurm.folder / "torchstrap"),
        "projects": str(place.folder),
        "warm": str(slurm.disk / "warm"),
        "log": str(slurm.folder / "log-$SLURMD_NODENAME"),
        "environments": str(slurm.disk),
        **changes,
    }
    exports = {name: value for name, value in variables.items() if name.startswith(("TORCHSTRAP_", "PIP_"))}
    exports |= {"TORCHSTRAP_CACHE_DIR": str(slurm.disk / "store"), "PIP_CONFIG_FILE": variables["PIP_CONFIG_FILE"]}
    lines = [f'{name}="{value}"' for name, value in said.items()]
    lines += [f"export {name}={shlex.quote(value)}" for name, value in exports.items()]
    machines = slurm.folder / "machines"
    for node, machine in MACHINES.items():
        if not (machines / f"{node}.json").exists():
            machines.mkdir(exist_ok=True)
            shutil.copy(recorded(machine, slurm.folder), machines / f"{node}.json")
    lines += [f'export TORCHSTRAP_MACHINE="{machines}/$SLURMD_NODENAME.json"']
    slurm.settings.write_text("\n".join((*lines, "")))
    program = slurm.folder / "torchstrap"
    program.write_text(f'#!/bin/sh\nPYTHONPATH={ROOT} exec {sys.executable} -m bootstrap "$@"\n')
    program.chmod(0o755)


def on_both(slurm: Slurm, *command: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Three tasks on each node, at once."""
    return slurm.run("srun", "-p", "all", "-N2", "-n6", "--overcommit", *command, **variables)


def test_each_task_starts_in_the_environment_for_its_own_nodes_gpu(slurm: Slurm, place: Workplace) -> None:
    set_up(slurm, place)
    done = on_both(slurm, "python", "-c", WHERE, TORCHSTRAP_PROJECT=str(place.folder))
    assert done.returncode == 0, done.stdout + done.stderr
    lines = done.stdout.splitlines()
    assert (len(lines), len(set(lines))) == (6, 2), done.stdout
    told = {node: (torch, Path(prefix)) for node, torch, prefix in map(str.split, lines)}
    assert {node: torch for node, (torch, _) in told.items()} == {"old": "2.9.0+cu126", "new": "2.9.0+cu130"}
    assert all(prefix.is_relative_to(slurm.disk / "torchstrap-0") for _, prefix in told.values())
    # The Prolog had brought all of it to each node before.
    for node in MACHINES:
        log = (slurm.folder / f"log-{node}").read_text()
        assert log.count(str(place.folder)) == 1
        assert "ended with" not in log
        offline = {"TORCHSTRAP_PROJECT": str(place.folder), "TORCHSTRAP_OFFLINE": "1"}
        again = slurm.run("srun", "-p", node, "python", "-c", WHERE, **offline)
        assert told[node][0] in again.stdout, again.stdout + again.stderr
    other = on_both(slurm, sys.executable, "-c", WITHOUT)
    assert sorted(other.stdout.split()) == sorted(3 * ["old", "new", sys.prefix, sys.prefix])


@pytest.mark.parametrize(
    ("changes", "program", "in_the_log"),
    [
        ({}, "exit 1", "it ended with 1; jobs that need what is missing get it for themselves"),
        ({"torchstrap": "/no/such/torchstrap"}, "", "it ended with 127"),
        ({"limit": "1"}, "trap '' TERM; sleep 1000", "it ended with 137, after at most 1 s"),
        ({"limit": "2 minutes"}, "exit 1", "it ended with 1;"),
        ({"log": "/no/such/folder/log"}, "exit 1", None),
        (None, "", "it ended with 2"),
    ],
    ids=["fails", "is not there", "hangs", "nonsense for a limit", "no log", "settings that sh cannot read"],
)
def test_a_prolog_that_cannot_do_its_work_keeps_no_job_from_running(
    slurm: Slurm, place: Workplace, changes: dict[str, str] | None, program: str, in_the_log: str | None
) -> None:
    set_up(slurm, place, **(changes or {}))
    for log in slurm.folder.glob("log-*"):
        log.unlink()
    if program:
        (slurm.folder / "torchstrap").write_text(f"#!/bin/sh\n{program}\n")
    if changes is None:
        slurm.settings.write_text(f"log={slurm.folder}/log-old\nif then (\n")
    done = slurm.run("srun", "-p", "old", "echo", "ran")
    assert done.stdout == "ran\n", done.stderr
    slurm.wait_until_idle()
    if in_the_log is not None:
        assert in_the_log in (slurm.folder / "log-old").read_text()


def test_what_cannot_be_made_ends_the_task_with_our_sentence_and_nothing_else(slurm: Slurm, place: Workplace) -> None:
    set_up(slurm, place, projects="")
    wanted = {"TORCHSTRAP_PROJECT": str(place.folder), "TORCHSTRAP_VARIANT": "cpu", "TORCHSTRAP_REQUIRE": "gpu"}
    done = slurm.run("srun", "-p", "old", "echo", "ran", **wanted)
    assert done.stdout.startswith("torchstrap: a gpu is required")
    assert "ran" not in done.stdout
    assert done.returncode == 1
    slurm.wait_until_idle()
    elsewhere = slurm.run("srun", "-p", "old", "echo", "ran", TORCHSTRAP_PROJECT="/no/such/project")
    assert elsewhere.stdout.startswith("torchstrap: /no/such/project")
    assert slurm.run("srun", "-p", "old", "echo", "ran").stdout == "ran\n"
    slurm.wait_until_idle()


def test_the_login_node_knows_what_each_partition_takes_and_one_bundle_serves_both(
    slurm: Slurm, place: Workplace
) -> None:
    set_up(slurm, place, projects="")
    words: list[str] = []
    for node in MACHINES:
        probed = slurm.run(
            "srun", "-p", node, str(slurm.folder / "torchstrap"), "probe", "--json", **machine(slurm, node)
        )
        (slurm.folder / f"{node}.json").write_text(probed.stdout)
        words += ["--machine", str(slurm.folder / f"{node}.json")]
    chosen = json.loads(place.run("choose", "--json", *words).stdout)
    variants = [each["choice"]["variant"] for each in chosen["machines"]]
    assert variants == ["cu126", "cu130"]
    program = slurm.folder / "program.zip"
    with zipfile.ZipFile(program, "w") as archive:
        archive.writestr("__main__.py", PROGRAM.format(root=ROOT, machines=slurm.folder / "machines"))
    bundle = slurm.folder / "project.bundle"
    made = place.run("bundle", "--variants", ",".join(variants), "--program", str(program), "-o", str(bundle))
    assert made.returncode == 0, made.stderr
    (slurm.folder / "train.py").write_text(WHERE)
    script = slurm.folder / "job.sh"
    script.write_text((ADAPTER / "bundle.sbatch").read_text())
    variables = {
        "NODE_DISK": str(slurm.disk),
        "PIP_CONFIG_FILE": "/dev/null",
        "PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin",
    }
    done = slurm.run(
        "/usr/bin/sbatch", "--wait", "-p", "all", "-o", "out", str(script), str(bundle), "train.py", **variables
    )
    out = (slurm.folder / "out").read_text()
    assert done.returncode == 0, out + done.stderr
    told = dict(line.split()[:2] for line in out.splitlines() if line.startswith(("old 2", "new 2")))
    assert told == {"old": "2.9.0+cu126", "new": "2.9.0+cu130"}


def machine(slurm: Slurm, node: str) -> dict[str, str]:
    return {"TORCHSTRAP_MACHINE": str(slurm.folder / "machines" / f"{node}.json")}
