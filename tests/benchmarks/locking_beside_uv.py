"""Locking beside `uv lock`: whole processes, the same project, the same recorded index on 127.0.0.1, in the same run.

    python -m tests.benchmarks.locking_beside_uv [--runs 5] [--delay 0.05] [--json] [--keep FOLDER] [--uv COMMAND]

The index is recorded from the default index by a run of both (recorded_index.py), into `--keep FOLDER` or a temporary
folder, and then served by one small process with `--delay` seconds, or none, before each answer. The two take turns.
Jobs, for one Python and platform and for all of them (uv always does all):

    cold     nothing is there
    warm     the cache is there, the lock is not
    again    the lock is there as well: nothing changes

Prints Markdown rows of medians: seconds, ratio and goal, seconds of processor, peak memory, and what was asked of the
server. `uv` comes from the default index (`pip install uv`); it is no dependency of ours.
"""

from __future__ import annotations

import argparse
import os
import platform
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

from bootstrap.project.settings import default_index
from tests.benchmarks.recorded_index import Server, served

PROJECT = Path(__file__).parent.parent / "projects" / "two-hundred"
ROOT = Path(__file__).parent.parent.parent
HERE = {
    "TORCHSTRAP_PYTHON_VERSION": f"{sys.version_info[0]}.{sys.version_info[1]}",
    "TORCHSTRAP_PLATFORM": f"{sys.platform}_{platform.machine()}",
}
NO_LOCK = ("uv.lock", "pylock.toml")
MOST_REPETITIONS = 5


@dataclass(frozen=True)
class Spent:
    """What one run took: seconds by the clock, seconds of processor, and mebibytes at its peak."""

    clock: float
    processor: float
    memory: float
    requests: Mapping[str, float]


@dataclass(frozen=True)
class Job:
    """What is measured: what is put aside before each run, and variables of ours."""

    name: str
    forget: tuple[str, ...]
    goal: float
    is_slow: bool = False
    variables: Mapping[str, str] = field(default_factory=dict)


JOBS = (
    Job("cold, {delay}, one Python and platform", ("cache", *NO_LOCK), 1.0, is_slow=True, variables=HERE),
    Job("cold, {delay}, all", ("cache", *NO_LOCK), 1.0, is_slow=True),
    Job("cold, {delay}, one Python and platform", ("cache", *NO_LOCK), 2.0, variables=HERE),
    Job("cold, {delay}, all", ("cache", *NO_LOCK), 2.0),
    Job("warm, one Python and platform", NO_LOCK, 1.0, variables=HERE),
    Job("warm, all", NO_LOCK, 1.0),
    Job("again, one Python and platform", (), 1.0, variables=HERE),
    Job("again, all", (), 1.0),
)


@dataclass(frozen=True)
class Contender:
    """One program with its own copy of the project and its own cache."""

    name: str
    command: tuple[str, ...]
    folder: Path
    server: Server

    @property
    def cache(self) -> Path:
        return self.folder.parent / f"{self.name}-cache"

    def run(self, job: Job, delay: float) -> Spent:
        """One run that has to succeed, repeated while something was not in the recording."""
        for _ in range(MOST_REPETITIONS):
            self._forget(job.forget)
            self.server.begin(delay)
            clock, processor, memory = self._spend(job.variables)
            requests = self.server.counts()
            if not requests["recorded"]:
                return Spent(clock, processor, memory, requests)
        sys.exit(f"{self.name} asks for something else in every run: {requests}")

    def prepare(self, job: Job) -> None:
        """Have the cache and the lock that a job begins with, whether or not they were there."""
        self.server.begin(0)
        self._spend(job.variables)

    def _spend(self, variables: Mapping[str, str]) -> tuple[float, float, float]:
        inherited = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("PIP_", "UV_", "TORCHSTRAP_", "PYTHONDONTWRITE"))
        }
        environ = inherited | {
            "PIP_CONFIG_FILE": os.devnull,
            "PYTHONPATH": str(ROOT),
            "UV_DEFAULT_INDEX": f"{self.server.url}/simple",
            "UV_CACHE_DIR": str(self.cache),
            "UV_PYTHON": sys.executable,
            "UV_NO_CONFIG": "1",
            "TORCHSTRAP_INDEX_URL": f"{self.server.url}/simple",
            "TORCHSTRAP_CACHE_DIR": str(self.cache),
            **variables,
        }
        with tempfile.TemporaryFile() as said:
            begin = time.perf_counter()
            process = subprocess.Popen(
                (*self.command, "lock"),
                cwd=self.folder,
                env=environ,
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=said,
            )
            _, status, usage = os.wait4(process.pid, 0)
            clock = time.perf_counter() - begin
            process.returncode = os.waitstatus_to_exitcode(status)
            if process.returncode:
                said.seek(0)
                sys.exit(f"{shlex.join(self.command)} lock failed:\n{said.read().decode()}")
        unit = 1 << 20 if sys.platform == "darwin" else 1 << 10
        return clock, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / unit

    def _forget(self, names: Sequence[str]) -> None:
        """Take parts of the folder, or the cache, out of sight; moved, because removing many files slows ext4 down."""
        aside = self.folder.parent / "aside"
        aside.mkdir(exist_ok=True)
        for name in names:
            path = self.cache if name == "cache" else self.folder / name
            if path.exists():
                path.rename(aside / f"{self.name}-{name}-{time.monotonic_ns()}")


def row(job: Job, delay: float, contenders: Sequence[Contender], runs: int) -> str:
    """One row of the table."""
    for each in contenders:
        each.prepare(job)
    spent: dict[str, list[Spent]] = {each.name: [] for each in contenders}
    for _ in range(runs):
        for each in contenders:
            spent[each.name].append(each.run(job, delay))
    clocks = [statistics.median(one.clock for one in spent[each.name]) for each in contenders]
    processors = [statistics.median(one.processor for one in spent[each.name]) for each in contenders]
    memories = [max(one.memory for one in spent[each.name]) for each in contenders]
    asked = [_asked(spent[each.name]) for each in contenders]
    cells = [
        job.name.format(delay=f"{delay * 1000:g} ms"),
        *(f"{each:.3f} s" for each in clocks),
        f"{clocks[0] / clocks[1]:.2f}",
        f"{job.goal:.1f}",
        " / ".join(f"{each:.2f} s" for each in processors),
        " / ".join(f"{each:.0f}" for each in memories),
        " / ".join(asked),
    ]
    return f"| {' | '.join(cells)} |"


def _asked(runs: Sequence[Spent]) -> str:
    """The run with the median number of requests: pages + metadata, those that were repeated, the most at once."""
    middle = sorted((each.requests for each in runs), key=lambda found: found["pages"] + found["metadata"])[
        len(runs) // 2
    ]
    said = f"{middle['pages']}+{middle['metadata']}"
    said += f"+{middle['files']} files" if middle["files"] else ""
    said += f", {middle['twice']} twice" if middle["twice"] else ""
    return f"{said} (≤{middle['peak']} at once, idle {middle['idle']:.2f} s)" if middle["pages"] else said


def main() -> int:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--runs", type=int, default=5)
    options.add_argument("--delay", type=float, default=0.05)
    options.add_argument("--json", action="store_true")
    options.add_argument("--keep", type=Path)
    options.add_argument("--only", default="", help="jobs whose name holds this")
    options.add_argument("--torchstrap", default=f"{sys.executable} -m bootstrap")
    options.add_argument("--uv", default=shutil.which("uv") or "uv")
    asked = options.parse_args()
    with tempfile.TemporaryDirectory(prefix="locking-beside-uv-") as name:
        place = Path(name)
        folder = (asked.keep or place / "recording").absolute()
        with served(folder, {"simple": default_index()}, as_json=asked.json) as server:
            contenders = []
            for title, command in (("torchstrap", asked.torchstrap), ("uv", asked.uv)):
                shutil.copytree(PROJECT, place / title)
                contenders.append(Contender(title, tuple(shlex.split(command)), place / title, server))
            print("| job | torchstrap | uv | ratio | goal | processor | MiB at most | asked: pages + metadata |")
            print("|---|---|---|---|---|---|---|---|")
            for job in JOBS:
                delay = asked.delay if job.is_slow else 0.0
                if asked.only in job.name.format(delay=f"{delay * 1000:g} ms"):
                    print(row(job, delay, contenders, asked.runs), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
