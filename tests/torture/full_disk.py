"""The disk is full after a part of the work: what is left of the environment, ours and uv's.

    python -m tests.torture.full_disk [--points 10] [--kind ext4|tmpfs|exfat] [--uv COMMAND] [--no-symlink]

A file system of its own holds the project and the cache. The room that a first build, or a switch from cpu to cu128
with a warm cache, takes there is measured; then the same is done with room for 1/11, 2/11 … 10/11 of that. Then there
is room again, and the next sync has to make the environment right.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from tests.replica import Replica
from tests.torture.mounts import free, full_but_for, kinds, linkless, mounted
from tests.torture.places import FOLDERS, Place, contenders, prepared, uv_command

__all__ = ["Report", "starve"]

SIZE = 192  # MiB


@dataclass
class Report:
    """What became of the attempts: how many ran out of room, of those what was broken then, and after the next sync."""

    full: int = 0
    broken: list[str] = field(default_factory=list)
    stayed: list[str] = field(default_factory=list)
    unclear: list[str] = field(default_factory=list)

    def row(self, name: str) -> str:
        """One line of the table."""
        return f"| {name} | {self.full} | {self.full - len(self.broken)} | {len(self.broken)} | {len(self.stayed)} |"


def starve(place: Path, program: Place, points: int) -> Report:
    """Run out of room `points` times in a first build and as often in a switch; `place` is the file system's root."""
    report = Report()
    for before, old in ((_nothing, "none"), (_other, "cpu")):
        before(program)
        start = free(place)
        program.must_sync("cu128")
        needed = start - free(place)
        for point in range(1, points + 1):
            before(program)
            with full_but_for(place, needed * point // (points + 1)):
                code, said, _ = program.sync("cu128")
                if code == 0:
                    continue
                report.full += 1
                _note(report, program, old, (f"{old} -> cu128 with {point}/{points + 1} of the room", code, said))
            code, said, _ = program.sync("cu128")
            if code or program.look().state != "cu128":
                report.stayed.append(f"{old} at {point}: {code} {said[-200:]} {program.look()}")
    return report


def _note(report: Report, program: Place, old: str, outcome: tuple[str, int, str]) -> None:
    when, code, said = outcome
    found = program.look()
    if found.state not in {old, "cu128"}:
        report.broken.append(f"{when}: {found.state}, {found.why}")
    if program.is_ours and (code != 73 or " free" not in said):
        report.unclear.append(f"{when}: exit code {code}, {said[-300:]}")


def _nothing(program: Place) -> None:
    program.remove(".venv", ".venv.generations", "cache", "pylock.toml", "uv.lock")


def _other(program: Place) -> None:
    if not program.is_ours:
        program.remove(".venv")
    program.must_sync("cpu")
    program.remove(*program.generations("cu128"))


def main() -> int:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--points", type=int, default=10)
    options.add_argument("--kind", default=None)
    options.add_argument("--uv", default=None)
    options.add_argument("--no-symlink", action="store_true", help="ours keeps a folder at .venv")
    options.add_argument("-v", "--verbose", action="store_true")
    asked = options.parse_args()
    possible = (*kinds(), *linkless())
    if not possible or asked.kind not in {None, *possible}:
        sys.exit("no file system can be made here (that needs root, mount and mkfs.ext4): nothing was tried")
    kind = asked.kind or possible[0]
    say: Callable[[str], object] = sys.stderr.write if asked.verbose else str
    with tempfile.TemporaryDirectory(prefix="full-disk-") as name, Replica() as replica:
        prepared(replica)
        print(
            f"| disk full ({kind}) | times | old or new | broken | broken after the next sync |\n|---|---|---|---|---|"
        )
        for title in [each.name for each in contenders(Path(name) / "names", replica, uv_command(asked.uv))]:
            folder = Path(name) / title
            folder.mkdir()
            with mounted(folder, kind, SIZE) as place:
                program = next(each for each in contenders(place, replica, uv_command(asked.uv)) if each.name == title)
                program.environ = FOLDERS if asked.no_symlink else {}
                report = starve(place, program, asked.points)
                print(report.row(title), flush=True)
                for each in (*report.broken, *report.stayed, *report.unclear):
                    say(f"{each}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
