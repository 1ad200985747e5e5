"""Whole-process times of `torchstrap` beside `uv`, on the same project, the same index, in the same run.

    python -m tests.benchmarks.beside_uv [--runs 5] [--torchstrap COMMAND] [--uv COMMAND]

Three jobs, each alternating between the two so that a drift of the machine hits both:

    nothing to do    `sync` of an environment that is as it should be
    warm store       `sync` into a new environment, everything cached, the lock present
    cold resolution  `lock` with an empty cache, for this Python on this platform, and for all: uv always does all

Prints a Markdown table of medians and the ratio of medians. Both use the default index and ignore pip's configuration.
`uv` comes from the default index (`pip install uv`); it is no dependency of ours.
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
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

PROJECT = Path(__file__).parent.parent / "projects" / "two-hundred"
ROOT = Path(__file__).parent.parent.parent


@dataclass(frozen=True)
class Contender:
    """One program with its own copy of the project and its own cache."""

    name: str
    command: tuple[str, ...]
    folder: Path
    cache: Path

    def run(self, *arguments: str, **variables: str) -> float:
        """Wall seconds of one run that has to succeed."""
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
        begin = time.perf_counter()
        done = subprocess.run(whole, cwd=self.folder, env=environ, capture_output=True, text=True, check=False)
        seconds = time.perf_counter() - begin
        if done.returncode:
            sys.exit(f"{shlex.join(whole)} failed:\n{done.stderr}")
        return seconds

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
)


def measure(contenders: Sequence[Contender], job: Job, runs: int, before: Callable[[Contender], None]) -> list[float]:
    """Median seconds of each contender, taken in turns."""
    times: dict[str, list[float]] = {each.name: [] for each in contenders}
    for _ in range(runs):
        for each in contenders:
            before(each)
            times[each.name].append(each.run(*job.arguments, **job.variables))
    return [statistics.median(times[each.name]) for each in contenders]


def main() -> int:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--runs", type=int, default=5)
    options.add_argument("--torchstrap", default=f"{sys.executable} -m bootstrap")
    options.add_argument("--uv", default=shutil.which("uv") or "uv")
    asked = options.parse_args()
    with tempfile.TemporaryDirectory(prefix="beside-uv-") as name:
        place = Path(name)
        contenders = []
        for title, command in (("torchstrap", asked.torchstrap), ("uv", asked.uv)):
            folder = place / title
            shutil.copytree(PROJECT, folder)
            contenders.append(Contender(title, tuple(shlex.split(command)), folder, place / f"{title}-cache"))
        os.environ["PYTHONPATH"] = str(ROOT)
        print(f"| {asked.runs} runs each, medians | torchstrap | uv | ratio |\n|---|---|---|---|")
        for job in JOBS:
            if job.arguments == ("sync",):
                for each in contenders:
                    each.run("sync")
            ours, theirs = measure(contenders, job, asked.runs, lambda each: each.forget(*job.forget))  # noqa: B023
            print(f"| {job.name} | {ours:.3f} s | {theirs:.3f} s | {ours / theirs:.2f} |", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
