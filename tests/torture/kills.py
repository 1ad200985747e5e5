"""SIGKILL at random moments and at each step of a sync, and what is left of the environment, ours and uv's.

    python -m tests.torture.kills [--kills 200] [--uv COMMAND] [--seed 1] [--no-symlink]

Half of the kills hit a first build (no environment, an empty cache), half a switch from cpu to cu128 with a warm cache
(ours has to build the environment that it switches to, as if it never had; a quarter of them have it already). Half
come at random moments of the whole process, as fractions of its usual duration; half at steps: as a thread is about to
make the n-th of the system calls by which names appear, disappear and are made durable (strace injects the signal).
After each kill `.venv` is looked at, and the next sync has to make it right. At the end, files are counted that were
not there after the same work without kills.
"""

from __future__ import annotations

import argparse
import os
import random
import re
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from tests.replica import Replica
from tests.torture.places import FOLDERS, Place, State, Verdict, contenders, prepared, uv_command

__all__ = ["Report", "kill_at", "steps_are_possible", "torture"]

DECISIVE = "rename,renameat,renameat2,symlink,symlinkat,fsync,fdatasync,syncfs,utimensat,flock,ftruncate"
MANY = 50  # kills from which it is worth to know exactly how long a sync takes
FREQUENT = "link,linkat,mkdir,mkdirat,unlink,unlinkat,rmdir"
VOLATILE = re.compile(r"[0-9a-f]{8,}|\d{3,}|tmp\w+|\.tmp\w+|-[0-9a-z]{8}\b|[A-Za-z0-9_-]{20,}")


@dataclass(frozen=True)
class Scenario:
    """From an environment to `cu128`: what is forgotten before each kill, and what may be there after it."""

    name: str
    before: Callable[[Place], None]
    allowed: frozenset[State]


def _nothing(place: Place) -> None:
    place.forget(".venv", ".venv.generations", "cache", "pylock.toml", "uv.lock")


def _other(place: Place) -> None:
    if not place.is_ours:
        place.forget(".venv")  # uv may not mend a broken one; each kill is to meet a whole one
    place.must_sync("cpu")
    place.forget(*place.generations("cu128"))


def _built(place: Place) -> None:
    if not place.is_ours:
        place.forget(".venv")
    place.must_sync("cu128")
    place.must_sync("cpu")


FIRST = Scenario("first build", _nothing, frozenset({"none", "cu128"}))
SWITCH = Scenario("switch", _other, frozenset({"cpu", "cu128"}))
BACK = Scenario("switch to one that exists", _built, frozenset({"cpu", "cu128"}))


@dataclass
class Report:
    """What became of the kills: how many hit, and of those what was broken then, and after the next sync."""

    hit: int = 0
    missed: int = 0
    broken: list[str] = field(default_factory=list)
    stayed: list[str] = field(default_factory=list)
    states: Counter[str] = field(default_factory=Counter)
    litter: int = 0
    names: tuple[str, ...] = ()

    def row(self, name: str) -> str:
        """One line of the table."""
        old_or_new = self.hit - len(self.broken)
        return f"| {name} | {self.hit} | {old_or_new} | {len(self.broken)} | {len(self.stayed)} | {self.litter} |"


def steps_are_possible() -> bool:
    """Whether strace is here, may trace, and can inject signals."""
    strace = shutil.which("strace")
    if strace is None:
        return False
    inject = ("-e", "trace=exit_group", "-e", "inject=exit_group:signal=SIGKILL:when=1")
    return subprocess.run([strace, "-f", *inject, "true"], capture_output=True, check=False).returncode != 0


def torture(place: Place, kills: int, dice: random.Random, *, steps: bool, say: Callable[[str], None]) -> Report:
    """Kill and look, `kills` times."""
    report = Report()
    _nothing(place)
    for variant in ("cpu", "cu128"):
        place.must_sync(variant)
    quarter = max(1, kills // 4)
    plan = [(FIRST, quarter), (SWITCH, quarter - quarter // 2), (BACK, quarter // 2)]
    for scenario, count in plan:
        before, whole = _reference(place, scenario, 3 if kills >= MANY else 1)
        moments: list[tuple[str, Callable[[], bool]]] = [
            (f"{fraction:.3f}", lambda at=fraction * whole: place.kill_after("cu128", at))  # type: ignore[misc]
            for fraction in sorted(dice.random() * 1.05 for _ in range(count))
        ]
        if steps:
            moments += list(_steps(place, scenario, count))
        for when, kill in moments:
            scenario.before(place)
            _judge(report, place, scenario, when, kill, say)
            if scenario is FIRST:  # the next kill has another cache
                _count(report, _shapes(place) - before)
        if scenario is not FIRST:
            _count(report, _shapes(place) - before)
    return report


def _count(report: Report, left: Counter[str]) -> None:
    report.litter += sum(left.values())
    report.names += tuple(left)


def _reference(place: Place, scenario: Scenario, times: int) -> tuple[Counter[str], float]:
    """What lies there after the work without kills, and how long that takes."""
    seconds = []
    for _ in range(times):
        scenario.before(place)
        seconds.append(place.must_sync("cu128"))
    return _shapes(place), sorted(seconds)[times // 2]


def _judge(  # noqa: PLR0917 - one row of what is known
    report: Report, place: Place, scenario: Scenario, when: str, kill: Callable[[], bool], say: Callable[[str], None]
) -> None:
    if not kill():
        report.missed += 1
        return
    report.hit += 1
    found = place.look()
    report.states[found.state] += 1
    if found.state not in scenario.allowed:
        report.broken.append(f"{scenario.name} at {when}: {found.state}, {found.why}")
        say(report.broken[-1])
    code, said, _ = place.sync("cu128")
    after = place.look() if code == 0 else Verdict("broken", f"exit code {code}: {said.strip()[-300:]}")
    if after.state != "cu128":
        report.stayed.append(f"{scenario.name} at {when}: after the next sync {after.state}, {after.why}")
        say(report.stayed[-1])


def _steps(place: Place, scenario: Scenario, count: int) -> Iterator[tuple[str, Callable[[], bool]]]:
    """Kills before system calls: most of them before decisive ones, some before frequent ones, spread evenly."""
    scenario.before(place)
    numbers = _calls(place)
    for calls, share in ((DECISIVE, count - count // 4), (FREQUENT, count // 4)):
        moments = [(call, number + 1) for call in calls.split(",") for number in range(numbers[call])]
        for at in sorted({round(each * (len(moments) - 1) / max(share - 1, 1)) for each in range(share)}):
            if moments:
                call, number = moments[at]
                yield f"{call} {number}", lambda call=call, number=number: kill_at(place, "cu128", call, number)  # type: ignore[misc]


def _calls(place: Place) -> Counter[str]:
    """How often each of the system calls is made without a kill, by the thread that makes it most often."""
    with tempfile.NamedTemporaryFile("r") as log:
        with place.start("cu128", "strace", "-f", "-o", log.name, "-e", f"trace={DECISIVE},{FREQUENT}") as process:
            process.communicate(timeout=300)
        by_thread = Counter(re.findall(r"^(\d+) +(\w+)\(", log.read(), re.MULTILINE))
    most: Counter[str] = Counter()
    for (_, call), number in by_thread.items():
        most[call] = max(most[call], number)
    return most


def kill_at(place: Place, variant: str, call: str, number: int) -> bool:
    """Begin to make the environment one variant, and end that as a thread is about to make the n-th of a system call.

    Whether it came to that.
    """
    inject = ("-e", f"trace={call}", "-e", f"inject={call}:signal=SIGKILL:when={number}")
    with place.start(variant, "strace", "-f", "-o", os.devnull, *inject) as process:
        process.communicate(timeout=300)
    return process.returncode != 0


def _shapes(place: Place) -> Counter[str]:
    """The files that lie there, with what differs from run to run left out of their names."""
    return Counter(VOLATILE.sub("*", each) for each in place.files())


def _aloud(text: str) -> None:
    sys.stderr.write(f"{text}\n")


def _silent(_text: str) -> None:
    """For tables alone."""


def main() -> int:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--kills", type=int, default=200)
    options.add_argument("--uv", default=None)
    options.add_argument("--seed", type=int, default=1)
    options.add_argument("--only", choices=["torchstrap", "uv"])
    options.add_argument("--no-symlink", action="store_true", help="ours keeps a folder at .venv")
    options.add_argument("-v", "--verbose", action="store_true")
    asked = options.parse_args()
    steps = steps_are_possible()
    if not steps:
        sys.stderr.write("no strace that may trace here: no kills at steps\n")
    with tempfile.TemporaryDirectory(prefix="torture-") as name, Replica() as replica:
        prepared(replica)
        print(
            "| SIGKILLs | hit | old or new | broken | broken after the next sync | files left |\n"
            "|---|---|---|---|---|---|"
        )
        for place in contenders(Path(name), replica, uv_command(asked.uv)):
            if asked.only not in {None, place.name}:
                continue
            place.environ = FOLDERS if asked.no_symlink else {}
            report = torture(
                place, asked.kills, random.Random(asked.seed), steps=steps, say=_aloud if asked.verbose else _silent
            )
            print(report.row(place.name), flush=True)
            if asked.verbose:
                sys.stderr.write(f"{dict(report.states)}, missed {report.missed}, left {report.names[:10]}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
