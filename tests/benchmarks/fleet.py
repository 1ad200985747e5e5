"""A lab of many machines: the time of `choose` with the fewest offers, and of `report`, with the size of its page.

    python -m tests.benchmarks.fleet [--machines 500] [--runs 3]

The machines are the recorded ones again and again, in two ways:

    alike       as they are: of many the same is known, as in a lab that bought in bulk
    all differ  each with a kernel, a driver and a note of its own, the worst that can be

The project names no offers, so that every published variant is one. Prints a Markdown table of the best of the runs:
whole processes (in brackets the seconds of the processor), and what Chromium takes to show the page, over an empty one
(a dash where there is no Chromium).
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.browser import chromium, seen
from tests.machines.table import probed_file
from tests.machines.unpack import machines

ROOT = Path(__file__).parent.parent.parent


def alike(number: int) -> Iterator[Mapping[str, Any]]:
    """The recorded machines again and again."""
    documents = [json.dumps(probed_file(each).to_json()) for each in machines()]
    for place in range(number):
        yield json.loads(documents[place % len(documents)])


def differing(number: int) -> Iterator[Mapping[str, Any]]:
    """The same, none like another."""
    for place, each in enumerate(alike(number)):
        document: dict[str, Any] = {**each, "notes": [*each["notes"], f"note {place}"]}
        document["system"] = {**each["system"], "kernel": f"6.8.0-{place}-generic"}
        if isinstance(each.get("driver"), dict) and "version" in each["driver"]:
            version = f"{each['driver']['version'].rpartition('.')[0]}.{place:02}"
            document["driver"] = {**each["driver"], "version": version, "user_space": version}
        yield document


@dataclass(frozen=True, order=True)
class Cost:
    """Seconds of one run: of the clock, and of the processor (processes that it started count)."""

    wall: float
    processor: float

    def __str__(self) -> str:
        return f"{self.wall:.2f} s ({self.processor:.2f})"


def best(runs: int, work: Callable[[], object]) -> Cost:
    """The fastest run."""
    costs = []
    for _ in range(runs):
        before, begin = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
        work()
        wall, after = time.perf_counter() - begin, resource.getrusage(resource.RUSAGE_CHILDREN)
        costs.append(Cost(wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime))
    return min(costs)


def torchstrap(folder: Path, *words: str) -> None:
    """One command that has to succeed."""
    command = [sys.executable, "-m", "bootstrap", *words, "--python-version", "3.12"]
    done = subprocess.run(
        command,
        cwd=folder,
        env={"PYTHONPATH": str(ROOT), "HOME": str(folder)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def shown(page: Path, runs: int) -> float | None:
    """Seconds that Chromium takes for a page, over those for an empty one."""
    if chromium() is None:
        return None
    empty = page.with_name("empty.html")
    empty.write_text("<!doctype html><title>x</title>")

    def look(each: Path) -> float:
        return best(runs, lambda: seen(each.as_uri(), page.parent / "profile")).wall

    look(empty)
    return max(0.0, look(page) - look(empty))


def measured(folder: Path, documents: Iterator[Mapping[str, Any]], runs: int) -> Sequence[str]:
    """The cells of a row."""
    lab = folder / "machines"
    lab.mkdir(parents=True)
    for place, each in enumerate(documents):
        (lab / f"desk-{place:03}.json").write_text(json.dumps(each))
    (folder / "pyproject.toml").write_text('[project]\nname = "lab"\nversion = "1"\ndependencies = ["torch"]\n')
    page = folder / "report.html"
    choosing = best(runs, lambda: torchstrap(folder, "choose", "--machine", str(lab), "--json"))
    reporting = best(runs, lambda: torchstrap(folder, "report", "--machine", str(lab), "-o", str(page)))
    seconds = shown(page, runs)
    return (
        str(choosing),
        str(reporting),
        f"{page.stat().st_size / 1e6:.2f} MB",
        "—" if seconds is None else f"{seconds:.2f} s",
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--machines", type=int, default=500)
    parser.add_argument("--runs", type=int, default=3)
    asked = parser.parse_args(arguments)
    print(f"| {asked.machines} machines | choose | report | page | Chromium |\n|---|---|---|---|---|")
    for name, documents in (("alike", alike), ("all differ", differing)):
        with tempfile.TemporaryDirectory() as folder:
            cells = measured(Path(folder) / "lab", documents(asked.machines), asked.runs)
        print(f"| {name} | {' | '.join(cells)} |", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
