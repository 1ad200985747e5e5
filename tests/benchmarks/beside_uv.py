"""Whole-process times of `torchstrap` beside `uv`, on the same project, the same index, in the same run.

    python -m tests.benchmarks.beside_uv [--runs 5] [--torchstrap COMMAND] [--uv COMMAND] [--only WORD]…

Jobs, each alternating between the two so that a drift of the machine hits both:

    nothing to do    `sync` of an environment that is as it should be; `run -- true` in it
    warm store       `sync` into a new environment, everything cached, the lock present
    cold resolution  `lock` with an empty cache, for this Python on this platform, and for all: uv always does all
    switch           `sync` from cpu to cu128 and back, which both have done before: 41 packages and 13,000 files of the
                     replica of the PyTorch indexes, which is what the real ones have (their bytes do not matter here)

Prints a Markdown table of medians and the ratio of medians, of wall time and of processor time (user and system, which
a busy machine changes less). Both use the default index and ignore pip's configuration. `uv` comes from the default
index (`pip install uv`); it is no dependency of ours.
"""

from __future__ import annotations

import argparse
import os
import platform
import resource
import shlex
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from tests.replica import Replica
from tests.torture.places import VARIANTS, contenders, prepared

PROJECT = Path(__file__).parent.parent / "projects" / "two-hundred"
ROOT = Path(__file__).parent.parent.parent


class Cost(NamedTuple):
    """Seconds of wall time, and of processor time of all children."""

    wall: float
    cpu: float

    @classmethod
    def now(cls) -> Cost:
        used = resource.getrusage(resource.RUSAGE_CHILDREN)
        return cls(time.perf_counter(), used.ru_utime + used.ru_stime)

    def __sub__(self, other: Cost) -> Cost:
        return Cost(self.wall - other.wall, self.cpu - other.cpu)


@dataclass(frozen=True)
class Contender:
    """One program with its own copy of the project and its own cache."""

    name: str
    command: tuple[str, ...]
    folder: Path
    cache: Path

    def run(self, *arguments: str, **variables: str) -> Cost:
        """What one run costs, which has to succeed."""
        environ = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("PIP_", "UV_", "TORCHSTRAP_", "PYTHONDONTWRITE"))
        }
        environ |= {
            "PIP_CONFIG_FILE": os.devnull,
            "UV_CACHE_DIR": str(self.cache),
            "TORCHSTRAP_CACHE_DIR": str(self.cache),
            "UV_PYTHON": sys.executable,
            "VIRTUAL_ENV": "",
            **variables,
        }
        whole = (*self.command, *arguments)
        begin = Cost.now()
        done = subprocess.run(whole, cwd=self.folder, env=environ, capture_output=True, text=True, check=False)
        cost = Cost.now() - begin
        if done.returncode:
            sys.exit(f"{shlex.join(whole)} failed:\n{done.stderr}")
        return cost

    def forget(self, *names: str) -> None:
        """Take parts of the working folder, or the cache, out of sight.

        They are moved, not removed: for minutes after a mass removal ext4 makes new folders many times slower.
        """
        aside = self.folder.parent / "aside"
        aside.mkdir(exist_ok=True)
        for name in names:
            path = self.cache if name == "cache" else self.folder / name
            if path.is_symlink() or path.exists():
                path.rename(aside / f"{self.name}-{name}-{time.monotonic_ns()}")


@dataclass(frozen=True)
class Job:
    """What is measured: what is put aside before each run, the arguments of it, and variables (of ours only)."""

    name: str
    forget: tuple[str, ...]
    arguments: tuple[str, ...]
    variables: Mapping[str, str] = field(default_factory=dict)


HERE = {
    "TORCHSTRAP_PYTHON_VERSION": f"{sys.version_info[0]}.{sys.version_info[1]}",
    "TORCHSTRAP_PLATFORM": f"{sys.platform}_{platform.machine()}",
}
EVERYTHING_ANEW = ("cache", "uv.lock", "pylock.toml")
JOBS = (
    Job("cold resolution, one Python and platform (uv: all)", EVERYTHING_ANEW, ("lock",), HERE),
    Job("cold resolution, every Python and platform", EVERYTHING_ANEW, ("lock",)),
    Job("warm store, new environment", (".venv", ".venv.generations"), ("sync",)),
    Job("nothing to do", (), ("sync",)),
    Job("nothing to do, `run -- true`", (), ("run", "--", "true")),
)
SWITCH = "switch from cpu to cu128 and back, each way"
FILES = 13_000


def measure(contenders: Sequence[Contender], job: Job, runs: int) -> list[list[Cost]]:
    """What each contender took, in turns."""
    costs: list[list[Cost]] = [[] for _ in contenders]
    for _ in range(runs):
        for each, own in zip(contenders, costs, strict=True):
            each.forget(*job.forget)
            own.append(each.run(*job.arguments, **job.variables))
    return costs


def measure_switching(folder: Path, uv: str, runs: int) -> list[list[Cost]]:
    """The same for switches, there and back."""
    with Replica() as replica:
        places = contenders(folder, prepared(replica, FILES), uv)
        for each in places:
            for variant in (*VARIANTS, *VARIANTS):
                each.must_sync(variant)
        costs: list[list[Cost]] = [[] for _ in places]
        for _ in range(runs):
            for variant in VARIANTS:
                for each, own in zip(places, costs, strict=True):
                    begin = Cost.now()
                    code, said, _ = each.sync(variant)
                    own.append(Cost.now() - begin)
                    if code:
                        sys.exit(said)
        return costs


def row(name: str, costs: Sequence[Sequence[Cost]]) -> str:
    """One line of the table."""
    (wall, cpu), (their_wall, their_cpu) = (map(statistics.median, zip(*each, strict=True)) for each in costs)
    return f"| {name} | {wall:.3f} s | {their_wall:.3f} s | {wall / their_wall:.2f} | {cpu / their_cpu:.2f} |"


def main() -> int:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--runs", type=int, default=5)
    options.add_argument("--torchstrap", default=f"{sys.executable} -m bootstrap")
    options.add_argument("--uv", default=shutil.which("uv") or "uv")
    options.add_argument("--only", action="append", default=[], help="a word in the names of jobs")
    asked = options.parse_args()
    with tempfile.TemporaryDirectory(prefix="beside-uv-") as name:
        place = Path(name)
        rivals = []
        for title, command in (("torchstrap", asked.torchstrap), ("uv", asked.uv)):
            folder = place / title
            shutil.copytree(PROJECT, folder)
            rivals.append(Contender(title, tuple(shlex.split(command)), folder, place / f"{title}-cache"))
        os.environ["PYTHONPATH"] = str(ROOT)
        print(f"| {asked.runs} runs each, medians | torchstrap | uv | ratio | of CPU time |\n|---|---|---|---|---|")
        for job in JOBS:
            if asked.only and not any(word in job.name for word in asked.only):
                continue
            if job.arguments[0] != "lock":
                for each in rivals:
                    each.run("sync")
            print(row(job.name, measure(rivals, job, asked.runs)), flush=True)
        if not asked.only or any(word in SWITCH for word in asked.only):
            print(row(SWITCH, measure_switching(place, asked.uv, asked.runs)), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
