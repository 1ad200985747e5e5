"""Whole-process times of torchstrap.pyz beside an interpreter that does nothing, for every Python of this machine.

    python -m tests.benchmarks.one_file [--runs 25] [--pyz FILE]

In turns, so that a drift of the machine hits all alike; medians, in milliseconds over `python -I -c pass`:

    nothing to do, unpacked     `sync`, where the program has been unpacked before
    nothing to do, packed       `sync`, where it never was: out of the archive, and it is not unpacked for that
    run, unpacked               `run -- true`, less what `true` takes
    --version, first            it is unpacked, and nothing is compiled yet
    --version, again            what one command costs that is not answered by the stamp
    --version, no cache         out of memory, every time
"""

from __future__ import annotations

import argparse
import shutil
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from tests.acceptance.running import Workplace, pyproject
from tests.one_file import build, pythons
from tests.replica import Replica

COLUMNS = (
    "bare",
    "nothing to do, unpacked",
    "nothing to do, packed",
    "run, unpacked",
    "--version, first",
    "--version, again",
    "--version, no cache",
)


def seconds(command: Sequence[str], place: Workplace) -> float:
    """What one run takes that has to succeed."""
    environ = {name: value for name, value in place.variables().items() if name != "PYTHONDONTWRITEBYTECODE"}
    begin = time.perf_counter()
    subprocess.run(command, cwd=place.folder, env=environ, capture_output=True, check=True)
    return time.perf_counter() - begin


def medians(ways: Mapping[str, Callable[[], float]], runs: int) -> dict[str, float]:
    """In turns."""
    taken: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(runs):
        for name, way in ways.items():
            taken[name].append(way())
    return {name: statistics.median(several) for name, several in taken.items()}


def measured(python: Path, pyz: Path, place: Workplace, runs: int) -> dict[str, float]:
    """Seconds of each way, for one Python."""
    bare, start = [str(python), "-I", "-c", "pass"], [str(python), "-I", str(pyz)]
    programs, aside = place.cache / "programs", place.cache / "aside"
    for _ in range(2):  # the second has everything compiled
        seconds([*start, "sync"], place)

    def hidden() -> float:
        programs.rename(aside)
        try:
            return seconds([*start, "sync"], place)
        finally:
            aside.rename(programs)

    def first() -> float:
        with tempfile.TemporaryDirectory() as cache:
            return seconds([*start, "--version"], replace(place, cache=Path(cache)))

    ways = {
        "bare": lambda: seconds(bare, place),
        "true": lambda: seconds(["true"], place),
        "nothing to do, unpacked": lambda: seconds([*start, "sync"], place),
        "nothing to do, packed": hidden,
        "run, unpacked": lambda: seconds([*start, "run", "--", "true"], place),
    }
    slow = {
        "--version, first": first,
        "--version, again": lambda: seconds([*start, "--version"], place),
        "--version, no cache": lambda: seconds([*start, "--version"], place.with_variables(TORCHSTRAP_NO_CACHE="1")),
    }
    # What keeps nothing must not find what was kept.
    found = medians(ways, runs) | medians({name: slow[name] for name in list(slow)[:2]}, max(3, runs // 5))
    programs.rename(aside)
    found |= medians({"--version, no cache": slow["--version, no cache"]}, max(3, runs // 5))
    aside.rename(programs)
    found["run, unpacked"] -= found.pop("true")
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--runs", type=int, default=25)
    parser.add_argument("--pyz", type=Path)
    asked = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="torchstrap-one-file-"))
    pyz = asked.pyz.absolute() if asked.pyz else folder / "torchstrap.pyz"
    if not asked.pyz:
        build(pyz, folder / "cache")
    print(f"{pyz.stat().st_size} bytes\n")
    print(f"| Python | {' | '.join(COLUMNS)} |\n|---|{'---|' * len(COLUMNS)}")
    with Replica() as replica:
        for python in pythons(10, 14):
            project = folder / f"project-{python.name}"
            project.mkdir()
            place = Workplace(project, folder / "cache", replica)
            place.write(pyproject("typing-extensions"))
            found = measured(python, pyz, place, asked.runs)
            version = subprocess.run([python, "-V"], capture_output=True, text=True, check=True).stdout.split()[1]
            shown = (found[name] - (found["bare"] if name != "bare" else 0) for name in COLUMNS)
            print(f"| {version} | {' | '.join(f'{1000 * each:.1f}' for each in shown)} |", flush=True)
    shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
