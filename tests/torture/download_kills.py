"""SIGKILL at random moments of a large download, and how much of it the next run fetches again.

    python -m tests.torture.download_kills [--kills 20] [--megabytes 500] [--cap 20] [--seed 1]

A stack of made-up wheels (eight, the largest nearly half of it) comes from a server on 127.0.0.1 that gives each
connection `--cap` MB/s. Each time into a new store: a run is killed at a random fraction of its usual time, the next
one has to end well. What both were sent, over the size of the stack, was sent again; what was on its way to the killed
process counts too. At the end every file in the store has to be what RECORD says, and nothing may lie beside it.
"""

from __future__ import annotations

import argparse
import random
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

from bootstrap.wheels.store import Store
from tests.torture.download_stack import MEGABYTE, Sending, Stack, made, sending, started, wrong_in

__all__ = ["Report", "torture"]

EARLIEST, LATEST = 0.15, 0.95  # of the usual time: before and after that there is little to kill
LIMIT = 300.0  # seconds for one run


@dataclass
class Report:
    """`again` are the shares of the stack that came twice, one for each kill that hit."""

    kills: int
    missed: int = 0
    again: list[float] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)

    def row(self, size: int) -> str:
        middle, most = (100 * each(self.again) for each in (statistics.median, max)) if self.again else (0.0, 0.0)
        return (
            f"| {size / MEGABYTE:.0f} MB | {self.kills} | {len(self.again)} | {middle:.1f} % | {most:.1f} % "
            f"| {len(self.wrong)} |"
        )


def torture(folder: Path, *, kills: int, megabytes: int, cap: float, seed: int) -> tuple[Report, Stack]:
    """Kill so many runs, each in a new store below `folder`. `cap` is bytes per second and connection."""
    stack, generator, report = made(folder / "wheels", megabytes), random.Random(seed), Report(kills)
    with sending(stack.folder, cap) as server:
        begin = time.monotonic()
        _must_end_well(started(stack, server.address, folder / "usual"))
        usual = time.monotonic() - begin
        for number in range(kills):
            store = folder / f"store{number}"
            before = server.sent
            if not _killed(stack, server, store, usual * generator.uniform(EARLIEST, LATEST)):
                report.missed += 1
                continue
            _must_end_well(started(stack, server.address, store))
            report.again.append((server.sent - before - stack.size) / stack.size)
            report.wrong += wrong_in(Store(store), stack)
            store.rename(folder / "done") if number == 0 else _emptied(store)
    return report, stack


def _killed(stack: Stack, server: Sending, store: Path, seconds: float) -> bool:
    """Whether the run was still at work when it was killed."""
    with started(stack, server.address, store) as running:
        try:
            running.wait(seconds)
        except subprocess.TimeoutExpired:
            running.send_signal(signal.SIGKILL)
            running.wait()
            time.sleep(0.2)  # until the server has noticed
            return True
    return False


def _must_end_well(running: subprocess.Popen[bytes]) -> None:
    with running:
        code = running.wait(LIMIT)
    if code:
        raise RuntimeError(f"a run that nobody killed ended with {code}")


def _emptied(store: Path) -> None:
    """A store of large files is given back at once, so that hundreds of kills do not fill the disk."""
    for each in store.rglob("*.bin"):
        each.unlink()


def main() -> int:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--kills", type=int, default=20)
    options.add_argument("--megabytes", type=int, default=500)
    options.add_argument("--cap", type=float, default=20.0, help="MB/s for each connection")
    options.add_argument("--seed", type=int, default=1)
    asked = options.parse_args()
    with tempfile.TemporaryDirectory(prefix="torture-") as name:
        report, stack = torture(
            Path(name), kills=asked.kills, megabytes=asked.megabytes, cap=asked.cap * MEGABYTE, seed=asked.seed
        )
    print("| stack | SIGKILLs | hit | fetched again, median | at most | wrong files |\n|---|---|---|---|---|---|")
    print(report.row(stack.size))
    for each in report.wrong:
        sys.stderr.write(f"{each}\n")
    return 1 if report.wrong else 0


if __name__ == "__main__":
    sys.exit(main())
