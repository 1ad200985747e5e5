"""The power goes at a step of a sync: what nobody asked to be on the disk is gone; and a store on another disk.

    python -m tests.torture.power_cut [--moments 20] [--no-symlink]

No tool here loses unsynced writes by itself. So a sync is killed at a system call (strace), and then the disk is made
what it would be after a cut, at its worst: names are kept, as journals keep them in their order, but of every file that
was written since the last `syncfs`, and not fsynced itself, all bytes are lost. The machine's boot id is made another
one in what remembers it. Then `.venv` has to be one of the environments, and the next sync has to make the right one
out of what is left. What is relied on is told in bootstrap/wheels/durable.py.

The last rows are the same project with its store on another file system, where links are impossible.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.replica import Replica
from tests.torture.mounts import kinds, mounted
from tests.torture.places import FOLDERS, Place, place, prepared

__all__ = ["STEPS", "Call", "cut", "parsed", "recorded", "step_problems", "torture"]

TRACED = "openat,fsync,fdatasync,syncfs,rename,renameat,renameat2,symlink,symlinkat,link,linkat"
KILLS = ("link", "linkat", "mkdir", "fsync", "syncfs", "rename", "symlink")
LINE = re.compile(r"^\d+ +(?P<moment>[\d.]+) (?P<name>\w+)\((?P<words>.*)\) += (?P<result>-?\d+)(?:<(?P<path>[^>]*)>)?")
PATHS = re.compile(r'"([^"]*)"|\d+<([^>]*)>')
WRITING = re.compile(r"O_WRONLY|O_RDWR|O_CREAT")


@dataclass(frozen=True)
class Call:
    """One system call that succeeded: when (seconds since 1970), its name, the paths in it, and its words."""

    moment: float
    name: str
    paths: tuple[str, ...]
    words: str


def parsed(lines: Iterable[str]) -> Iterator[Call]:
    """What strace wrote with `-f -y -ttt`."""
    for line in _whole(lines):
        found = LINE.match(line)
        if found and int(found["result"]) >= 0:
            paths = [first or second for first, second in PATHS.findall(found["words"])]
            paths += [found["path"]] if found["path"] else []
            names = tuple(each.removesuffix("(deleted)") for each in paths if each.startswith("/"))
            yield Call(float(found["moment"]), found["name"], names, found["words"])


def _whole(lines: Iterable[str]) -> Iterator[str]:
    """The lines with those put together that another thread's line came between."""
    begun: dict[str, str] = {}
    for line in lines:
        process, _, rest = line.partition(" ")
        if rest.rstrip().endswith("<unfinished ...>"):
            begun[process] = line.rstrip().removesuffix("<unfinished ...>")
        elif " resumed>" in rest and process in begun:
            yield begun.pop(process) + rest.partition(" resumed>")[2]
        else:
            yield line


def recorded(program: Place, variant: str, *inject: str) -> tuple[tuple[Call, ...], int]:
    """A sync under strace: its calls that have to do with durability, in order, and its exit code."""
    with tempfile.NamedTemporaryFile("r") as log:
        traced = ",".join({*TRACED.split(","), *KILLS})
        words = ("strace", "-f", "-y", "-ttt", "-s", "512", "-o", log.name, "-e", f"trace={traced}", *inject)
        with program.start(variant, *words) as process:
            process.communicate(timeout=300)
        return tuple(parsed(log)), process.returncode


def _is_marker(call: Call) -> bool:
    return call.name == "fsync" and bool(re.search(r"\.building-[^/]+/generation\.json$", call.paths[0]))


def _renames(call: Call, source: str) -> bool:
    return call.name.startswith("rename") and source in call.words.partition(",")[0]


STEPS: Mapping[str, Callable[[Call], bool]] = {
    "a file is linked": lambda call: call.name.startswith("link") and ".building-" in call.paths[-1],
    "all is on the disk": lambda call: call.name == "syncfs" and ".building-" in call.paths[0],
    "the marker is on the disk": _is_marker,
    "the generation has its name": lambda call: _renames(call, ".building-"),
    "that name is on the disk": lambda call: call.name == "fsync" and call.paths[0].endswith(".venv.generations"),
    "the link is replaced": lambda call: _renames(call, ".venv.switching-"),
    "the link is on the disk": lambda call: call.name == "fsync" and call.paths[0].endswith("/project"),
}
"""The steps of a switch, each of which relies on those before it."""


def step_problems(calls: Sequence[Call]) -> tuple[str, ...]:
    """Steps that did not come, or that came before the one that they rely on."""
    last = {what: max((at for at, call in enumerate(calls) if true(call)), default=-1) for what, true in STEPS.items()}
    missing = tuple(f"never: {what}" for what, at in last.items() if at < 0)
    pairs = zip(STEPS, list(STEPS)[1:], strict=False)
    return (*missing, *(f"{later} before {earlier}" for earlier, later in pairs if last[later] < last[earlier]))


def cut(program: Place, calls: Sequence[Call]) -> int:
    """Make the files what they are after a power cut; how many lost their bytes."""
    settled = max((call.moment for call in calls if call.name == "syncfs"), default=0.0)
    written = {call.paths[-1] for call in calls if call.name == "openat" and WRITING.search(call.words)}
    safe = {call.paths[0] for call in calls if call.name in {"fsync", "fdatasync"}}
    moved = [
        (call.paths[0], call.paths[1], "RENAME_EXCHANGE" in call.words)
        for call in calls
        if call.name.startswith("rename") and len(call.paths) > 1
    ]
    written, safe = (_now(each, moved) for each in (written, safe))
    lost = 0
    for path in written - safe:
        file = Path(path)
        if file.is_file() and not file.is_symlink() and file.stat().st_mtime > settled:
            os.truncate(file, 0)
            lost += 1
    for description in program.cache.glob("wheels/*/*/wheel.json"):
        text = description.read_text()
        description.write_text(re.sub(r'"boot": ?"[^"]*"', '"boot":"another"', text))
    return lost


def _now(paths: set[str], moved: Sequence[tuple[str, str, bool]]) -> set[str]:
    """Where files are after everything that was renamed, or changed places, one by one or with their folders."""
    found = set(paths)
    for source, target, both in moved:
        gone = _inside(found, source)
        came = _inside(found, target) if both else set()
        found = (found - gone - came) | {target + each[len(source) :] for each in gone}
        found |= {source + each[len(target) :] for each in came}
    return found


def _inside(paths: set[str], folder: str) -> set[str]:
    return {each for each in paths if each == folder or each.startswith(f"{folder}/")}


def torture(program: Place, moments: int) -> tuple[int, int, list[str]]:
    """Cut the power at moments of a first build and of a switch: how often, files lost, and what was not right then."""
    wrong: list[str] = []
    times = lost = 0
    for variant in ("cpu", "cu128"):
        program.must_sync(variant)
    for old in ("none", "cpu"):
        _prepare(program, old)
        calls, _ = recorded(program, "cu128")
        numbers = Counter(call.name for call in calls if call.name in KILLS)
        every = [(name, at) for name in KILLS for at in range(1, numbers[name] + 1)]
        step = max(1, len(every) // max(1, moments // 2))
        for name, at in every[step // 2 :: step]:
            _prepare(program, old)
            inject = ("-e", f"inject={name}:signal=SIGKILL:when={at}")
            calls, code = recorded(program, "cu128", *inject)
            if code == 0:
                continue
            times, lost = times + 1, lost + cut(program, calls)
            wrong += _judged(program, old, f"{old} -> cu128 before {name} {at}")
    return times, lost, wrong


def _prepare(program: Place, old: str) -> None:
    if old == "none":
        program.forget(".venv", ".venv.generations", "cache", "pylock.toml")
    else:
        program.must_sync("cpu")
        program.forget(*program.generations("cu128"))


def _judged(program: Place, old: str, when: str) -> Iterator[str]:
    found = program.look()
    if found.state not in {old, "cu128"}:
        yield f"{when}: {found.state}, {found.why}"
    code, said, _ = program.sync("cu128")
    after = program.look()
    if code or after.state != "cu128":
        yield f"{when}, after the next sync: exit code {code}, {after.state}, {after.why} {said[-300:]}"


def main() -> int:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--moments", type=int, default=20)
    options.add_argument("--no-symlink", action="store_true", help="with a folder at .venv")
    asked = options.parse_args()
    command = (sys.executable, "-m", "bootstrap")
    with tempfile.TemporaryDirectory(prefix="power-cut-") as name, Replica() as replica:
        prepared(replica)
        print("| power cut | moments | files that lost their bytes | wrong then or later |\n|---|---|---|---|")
        if shutil.which("strace") is None:
            sys.stderr.write("no strace: no power cuts\n")
        else:
            program = place(Path(name) / "cut", "torchstrap", command, replica)
            program.environ = FOLDERS if asked.no_symlink else {}
            times, lost, wrong = torture(program, asked.moments)
            print(f"| torchstrap | {times} | {lost} | {len(wrong)} |", flush=True)
            sys.stderr.writelines(f"{each}\n" for each in wrong)
        for kind in kinds():
            with mounted(Path(name), kind, 256) as other:
                program = place(Path(name) / kind, "torchstrap", command, replica, cache=other / "cache")
                for variant in ("cpu", "cu128", "cpu"):
                    program.must_sync(variant)
                print(f"| torchstrap, store on {kind} | 3 syncs | | 0 |", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
