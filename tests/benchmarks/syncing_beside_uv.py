"""A cold `sync` beside `uv pip sync`: 204 real wheels from one server on 127.0.0.1 that takes its time to answer.

    python -m tests.benchmarks.syncing_beside_uv [--runs 5] [--delay 0.05] [--keep FOLDER] [--uv COMMAND]

The project of `tests/projects/two-hundred` is locked against a recording of the default index (recorded_index.py),
which also gets every wheel of the lock, once, into `--keep FOLDER` or a temporary one. Then both install what that lock
says, in turns: nothing cached, a new environment, `--delay` seconds before each answer, or none. Ours is `sync --frozen
--no-verify`, uv's is `uv venv` and `uv pip sync` of the same `pylock.toml`; whole processes.

Prints Markdown rows of medians: seconds, ratio, seconds of processor, and what was asked of the server. `uv` comes from
the default index (`pip install uv`); it is no dependency of ours.
"""

from __future__ import annotations

import argparse
import os
import shlex
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from bootstrap.project.settings import default_index
from tests.benchmarks.locking_beside_uv import HERE, PROJECT, ROOT
from tests.benchmarks.recorded_index import Server, served

MOST_REPETITIONS = 5


class Took(NamedTuple):
    """Seconds by the clock, seconds of processor, and what was asked."""

    clock: float
    processor: float
    asked: Mapping[str, float]


@dataclass(frozen=True)
class Place:
    """Where the project and its lock are, and who serves what it names."""

    folder: Path
    server: Server

    def fresh(self, name: str) -> str:
        """A path that is not there yet. Nothing small is removed before the end: that slows file systems down."""
        return str(self.folder.parent / f"{name}-{time.monotonic_ns()}")

    def run(self, command: Sequence[str], **variables: str) -> None:
        """One command, which has to succeed."""
        inherited = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("PIP_", "UV_", "TORCHSTRAP_", "PYTHONDONTWRITE", "VIRTUAL_ENV"))
        }
        environ = inherited | {
            "PIP_CONFIG_FILE": os.devnull,
            "PYTHONPATH": str(ROOT),
            "TORCHSTRAP_INDEX_URL": f"{self.server.url}/simple",
            "UV_DEFAULT_INDEX": f"{self.server.url}/simple",
            "UV_NO_CONFIG": "1",
            **variables,
        }
        done = subprocess.run(command, cwd=self.folder, env=environ, capture_output=True, text=True, check=False)
        if done.returncode:
            sys.exit(f"{shlex.join(command)} failed:\n{done.stdout}{done.stderr}")

    def ours(self, torchstrap: Sequence[str]) -> None:
        venv, cache = self.fresh("ours"), self.fresh("ours-cache")
        words = ["sync", "--frozen", "--no-verify", "--venv", venv]
        self.run([*torchstrap, *words], TORCHSTRAP_CACHE_DIR=cache)

    def theirs(self, uv: Sequence[str]) -> None:
        venv, cache = self.fresh("theirs"), self.fresh("theirs-cache")
        self.run([*uv, "venv", "--quiet", "--python", sys.executable, venv], UV_CACHE_DIR=cache)
        words = ["pip", "sync", "--quiet", "--python", venv, "--preview", "pylock.toml"]
        self.run([*uv, *words], UV_CACHE_DIR=cache)

    def took(self, who: str, command: Sequence[str], delay: float) -> Took:
        """One run, repeated while something was not in the recording."""
        for _ in range(MOST_REPETITIONS):
            self.server.begin(delay)
            before, begin = os.times(), time.perf_counter()
            (self.ours if who == "ours" else self.theirs)(command)
            clock, after = time.perf_counter() - begin, os.times()
            asked = self.server.counts()
            if not asked["recorded"]:
                used = after.children_user - before.children_user + after.children_system - before.children_system
                return Took(clock, used, asked)
        sys.exit(f"{who}: something else is asked for in every run: {asked}")


def row(name: str, ours: Sequence[Took], theirs: Sequence[Took]) -> str:
    """One line of the table."""
    (mine, used), (others, theirs_used) = (
        (statistics.median(each.clock for each in several), statistics.median(each.processor for each in several))
        for several in (ours, theirs)
    )
    asked = "; ".join(
        f"{each[-1].asked['files']:.0f} requests, {each[-1].asked['connections']:.0f} connections"
        for each in (ours, theirs)
    )
    times = f"{mine:.2f} s | {others:.2f} s | {mine / others:.2f} | {used:.2f} s, {theirs_used:.2f} s"
    return f"| {name} | {times} | {asked} |"


def main() -> int:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--runs", type=int, default=5)
    options.add_argument("--delay", type=float, default=0.05)
    options.add_argument("--keep", type=Path)
    options.add_argument("--torchstrap", default=f"{sys.executable} -m bootstrap")
    options.add_argument("--uv", default=shutil.which("uv") or "uv")
    asked = options.parse_args()
    ours, uv = shlex.split(asked.torchstrap), shlex.split(asked.uv)
    with tempfile.TemporaryDirectory(prefix="syncing-") as name:
        place, recording = Path(name), asked.keep or Path(name) / "recording"
        shutil.copytree(PROJECT, place / "project")
        with served(recording, {"simple": default_index()}, as_json=True) as server:
            here = Place(place / "project", server)
            here.run([*ours, "lock"], TORCHSTRAP_CACHE_DIR=here.fresh("lock-cache"), **HERE)
            here.ours(ours)
            print(f"| {asked.runs} runs each, medians | torchstrap | uv | ratio | processors | asked |")
            print("|---|---|---|---|---|---|")
            for delay in dict.fromkeys((asked.delay, 0.0)):
                mine, theirs = [], []
                for _ in range(asked.runs):
                    mine.append(here.took("ours", ours, delay))
                    theirs.append(here.took("theirs", uv, delay))
                print(row(f"{1000 * delay:g} ms before each answer", mine, theirs), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
