"""Whole-process times of `python -m probes` beside an interpreter that does nothing, and of a driver that hangs.

    python -m tests.benchmarks.probing [--runs 15] [--python COMMAND]…

For each interpreter, in turns so that a drift of the machine hits both:

    bare      `python -c pass`
    probes    `python -m probes`, this machine as JSON

and the wall time of a probe whose driver never answers: the fake driver of the tests, hung in NVML and in libcuda.
Prints a Markdown table of medians; CPU time counts the processes that were started too.
"""

from __future__ import annotations

import argparse
import os
import resource
import shlex
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from probes.modules import folders_of
from tests.probes.driven import built, environ_of

ROOT = Path(__file__).parent.parent.parent
HANGS = ("nvmlInitWithFlags", "cuInit")
SICK = """
import sys, time
sys.path.insert(0, sys.argv[1])
from probes import LocalHost, probe
class Sick(LocalHost):
    def exists(self, path):
        return path == "/dev/nvidiactl" or super().exists(path)
begin = time.perf_counter()
machine = probe(Sick())
print(time.perf_counter() - begin)
sys.exit(0 if any("no answer within" in note for note in machine.notes) else "the driver did not hang")
"""


@dataclass(frozen=True)
class Cost:
    """Seconds of one run: of the clock, and of the processor."""

    wall: float
    processor: float


def run(command: Sequence[str], environ: Mapping[str, str]) -> tuple[Cost, str]:
    """What one run that has to succeed costs and prints."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    begin = time.perf_counter()
    done = subprocess.run(command, cwd=ROOT, env=environ, capture_output=True, text=True, check=False)
    wall = time.perf_counter() - begin
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode:
        sys.exit(f"{shlex.join(command)} failed:\n{done.stderr}")
    return Cost(wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime), done.stdout


def medians(commands: Sequence[Sequence[str]], runs: int, environ: Mapping[str, str]) -> list[Cost]:
    """The median cost of each command, taken in turns after one run that does not count."""
    costs: list[list[Cost]] = [[] for _ in commands]
    for turn in range(runs + 1):
        for kept, command in zip(costs, commands, strict=True):
            cost, _ = run(command, environ)
            kept.extend([cost] if turn else [])
    return [
        Cost(statistics.median(cost.wall for cost in kept), statistics.median(cost.processor for cost in kept))
        for kept in costs
    ]


def hung(python: Sequence[str], libraries: Path, function: str) -> float:
    """Seconds that a probe takes whose driver hangs in a function."""
    environ = environ_of(libraries, f"driver 580.95.05\ncuda 13000\nhang {function}\n")
    environ["PYTHONPATH"] = os.pathsep.join(folders_of("pynvml"))
    _, output = run((*python, "-c", SICK, str(ROOT)), environ)
    return float(output)


def main() -> int:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--runs", type=int, default=15)
    options.add_argument("--python", action="append", metavar="COMMAND", help="an interpreter; may be repeated")
    asked = options.parse_args()
    environ = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "TORCHSTRAP_"))}
    print(
        f"| {asked.runs} runs each, medians | bare | probes | over bare | ratio | CPU over bare | hung NVML | libcuda |"
    )
    print("|---|---|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory(prefix="probing-") as name:
        libraries = built(Path(name))
        for text in asked.python or [sys.executable]:
            python = tuple(shlex.split(text))
            _, version = run((*python, "-c", "import platform; print(platform.python_version())"), environ)
            bare, probes = medians(((*python, "-c", "pass"), (*python, "-m", "probes")), asked.runs, environ)
            stuck = " | ".join(f"{hung(python, libraries, function):.2f} s" for function in HANGS)
            print(
                f"| Python {version.strip()} | {bare.wall * 1e3:.0f} ms | {probes.wall * 1e3:.0f} ms "
                f"| {(probes.wall - bare.wall) * 1e3:.0f} ms | {probes.wall / bare.wall:.1f} "
                f"| {(probes.processor - bare.processor) * 1e3:.0f} ms | {stuck} |",
                flush=True,
            )
    return 0


if __name__ == "__main__":
    sys.exit(main())
