"""Real Ray: a cluster of two nodes in this machine, whose jobs name projects. Ray itself comes through torchstrap."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

from tests.acceptance.engines import Site, needs_published
from tests.acceptance.running import ROOT, pyproject
from tests.replica import Replica

PLUGINS = json.dumps([{"class": "bootstrap.adapters.ray.Torchstrap"}])


def reported(site: Site, bare: Site, calls: Path) -> dict[str, Any]:
    """What ray_jobs.py says; in `calls` a line for each time that a node called torchstrap."""
    command = site.folder.parent / "torchstrap"
    command.write_text(f'#!/bin/sh\necho "$PWD $*" >> {calls}\nexec {" ".join(site.program)} "$@"\n')
    command.chmod(0o755)
    report = site.folder.parent / "report.json"
    short = tempfile.mkdtemp(prefix="ray-")  # its sockets have long names
    variables = {
        "TORCHSTRAP_COMMAND": str(command),
        "RAY_RUNTIME_ENV_PLUGINS": PLUGINS,
        "RAY_USAGE_STATS_ENABLED": "0",
        "RUNTIME_ENV_RETRY_TIMES": "1",
        "RAY_TMPDIR": short,
    }
    try:
        done = subprocess.run(
            [site.folder / ".venv/bin/python", ROOT / "tests/acceptance/ray_jobs.py", site.folder, bare.folder, report],
            env={**site.variables(), **variables},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=300,
            check=False,
        )
    finally:
        shutil.rmtree(short, ignore_errors=True)
    assert done.returncode == 0, done.stdout[-4000:]
    said: dict[str, Any] = json.loads(report.read_text())
    return said


# One test, as its cluster takes half a minute: several would be spread over processes, and each would start its own.
def test_a_cluster_builds_once_per_node_and_whoever_fails_fails_alone(
    tmp_path: Path, engines_cache: Path, replica: Replica
) -> None:
    needs_published("ray", f"-cp{sys.version_info[0]}{sys.version_info[1]}-manylinux")
    site, bare = (Site(tmp_path / name, engines_cache, replica.pytorch) for name in ("project", "bare"))
    for each in (site, bare):
        each.folder.mkdir()
    shutil.copy(ROOT / "tests/projects/ray/pyproject.toml", site.folder)
    (bare.folder / "pyproject.toml").write_text(pyproject())
    site.lock()
    bare.lock()
    site.run("sync", "--frozen")
    calls = tmp_path / "calls"
    said = reported(site, bare, calls)

    # Twenty tasks at once, from cold: each node builds once, the next job builds nothing.
    cold = said["cold"]
    assert len({each["node"] for each in cold}) == 2
    assert {each["torch"] for each in (*cold, said["again"])} == {"2.9.0+cpu"}
    assert all(each["prefix"] == each["path"] for each in cold)
    homes = {each["node"]: each["prefix"] for each in cold}
    assert len(set(homes.values())) == 2
    assert homes[said["again"]["node"]] == said["again"]["prefix"]
    syncs = [line for line in calls.read_text().splitlines() if " sync " in line]
    whole = Counter(line.partition(" ")[0] for line in syncs if line.endswith("--frozen"))
    assert {folder: count for folder, count in whole.items() if f"{folder}/.venv" in homes.values()} == {
        prefix.removesuffix("/.venv"): 2 if "node-1" in prefix else 1 for prefix in homes.values()
    }, "the second one of node-1 is the one after the cluster, made to be given up"

    # Whoever does not name it has Ray's own Python; who names it wrongly or in vain is told so in the task's error.
    assert said["plain"] == f"{site.folder}/.venv yes"
    assert "torchstrap: a gpu is required, but cpu would compute on the CPU here" in said["no gpu"]
    assert "runtime_env['torchstrap'] must be a table such as torchstrap_env(folder) makes" in said["nonsense"]
    assert "write `ray==" in said["without ray"]

    # Ray's own books: an environment that nobody uses any more goes when there is no room.
    assert said["collected"] == {"there": True, "size": said["collected"]["size"], "left": 0, "gone": True}
    assert said["collected"]["size"] > 0
