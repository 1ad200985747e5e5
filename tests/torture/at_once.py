"""Many processes at the same time: on one project, on as many projects with one store, in as many containers.

    python -m tests.torture.at_once [--processes 32] [--uv COMMAND]

Nothing is cached before. On one project half of them ask for cpu and half for cu128. Counted is who failed, which
environments are not wholly the one or the other, and how many wheels the server had to send more than once. Containers
are pid namespaces (`unshare`) in which `run` becomes a program that imports torch.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from tests.replica import Replica
from tests.torture.places import VARIANTS, Place, place, prepared, uv_command

__all__ = ["NAMESPACE", "Report", "containers_are_possible", "in_containers", "on_many_projects", "on_one_project"]

NAMESPACE = ("unshare", "--pid", "--fork", "--mount-proc")


@dataclass(frozen=True)
class Report:
    """What became of them; `again` is the number of wheels that were sent more than once, `said` what failures said."""

    processes: int
    failed: int
    broken: int
    again: int
    seconds: float
    said: tuple[str, ...] = ()

    def row(self, what: str, name: str) -> str:
        """One line of the table."""
        numbers = f"{self.failed} | {self.broken} | {self.again} | {self.seconds:.1f} s"
        return f"| {self.processes} {what} | {name} | {numbers} |"


def on_one_project(program: Place, processes: int) -> Report:
    """All at once on one project, half for each variant."""
    before = len(program.replica.requests)
    begin = time.perf_counter()
    running = [program.start(VARIANTS[number % 2]) for number in range(processes)]
    failures = _ended(running)
    seconds = time.perf_counter() - begin
    again = _sent_again(program.replica, before)
    return Report(processes, len(failures), int(_is_broken(program)), again, seconds, failures)


def on_many_projects(root: Path, program: Place, processes: int) -> Report:
    """One process for each project; the store is everybody's."""
    places = [_another(root / str(number), program) for number in range(processes)]
    before = len(program.replica.requests)
    begin = time.perf_counter()
    failures = _ended([each.start("cu128") for each in places])
    seconds = time.perf_counter() - begin
    again = _sent_again(program.replica, before)
    return Report(processes, len(failures), sum(map(_is_broken, places)), again, seconds, failures)


def containers_are_possible() -> bool:
    """Whether pid namespaces can be made."""
    try:
        return subprocess.run([*NAMESPACE, "true"], capture_output=True, check=False).returncode == 0
    except OSError:
        return False


def in_containers(root: Path, program: Place, processes: int) -> Report:
    """One container for each project, all with one store, in which `run` becomes a program."""
    own = [] if program.is_ours else ["--no-progress"]
    words = (
        "run",
        *own,
        "--extra",
        "cu128",
        "--",
        "python",
        "-c",
        "import accelerate, bulk_kernels, torch, torchvision",
    )
    places = [_another(root / str(number), program) for number in range(processes)]
    before = len(program.replica.requests)
    begin = time.perf_counter()
    running = [
        subprocess.Popen(
            [*NAMESPACE, *each.command, *words],
            cwd=each.folder,
            env=each.variables(),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        )
        for each in places
    ]
    failures = _ended(running)
    seconds = time.perf_counter() - begin
    again = _sent_again(program.replica, before)
    return Report(processes, len(failures), sum(map(_is_broken, places)), again, seconds, failures)


def _another(root: Path, program: Place) -> Place:
    made = place(root, program.name, program.command, program.replica, cache=program.cache)
    return replace(made, expected=program.expected)


def _ended(running: Sequence[subprocess.Popen[bytes]]) -> tuple[str, ...]:
    """What those said who failed."""
    said = [each.communicate(timeout=600)[1].decode(errors="replace") for each in running]
    return tuple(text[-300:] for each, text in zip(running, said, strict=True) if each.returncode)


def _is_broken(program: Place) -> bool:
    return program.look().state not in VARIANTS


def _sent_again(replica: Replica, before: int) -> int:
    sent = Counter(
        str(each) for each in replica.requests[before:] if each.path.endswith(".whl") and each.method == "GET"
    )
    return sum(number > 1 for number in sent.values())


def main() -> int:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--processes", type=int, default=32)
    options.add_argument("--uv", default=None)
    options.add_argument("-v", "--verbose", action="store_true")
    asked = options.parse_args()
    containers = containers_are_possible()
    if not containers:
        sys.stderr.write("no pid namespaces can be made here: no containers\n")
    uv = uv_command(asked.uv)
    commands = {"torchstrap": (sys.executable, "-m", "bootstrap"), **({"uv": (uv,)} if uv else {})}
    print("| at once | | failed | broken | wheels sent again | time |\n|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory(prefix="at-once-") as folder, Replica() as replica:
        prepared(replica)
        for name, command in commands.items():
            root = Path(folder) / name
            known = place(root / "known", name, command, replica)
            for variant in VARIANTS:
                known.must_sync(variant)
            jobs: dict[str, Callable[[Place, int], Report]] = {"processes on one project": on_one_project}
            jobs |= {"projects with one store": lambda at, number: on_many_projects(at.folder / "many", at, number)}
            jobs |= {"containers with one store": lambda at, number: in_containers(at.folder / "many", at, number)}
            for what, job in jobs.items():
                if what.startswith("containers") and not containers:
                    continue
                fresh = replace(place(root / what.partition(" ")[0], name, command, replica), expected=known.expected)
                report = job(fresh, asked.processes)
                print(report.row(what, name), flush=True)
                if asked.verbose:
                    sys.stderr.write("\n".join(report.said[:3]))
    return 0


if __name__ == "__main__":
    sys.exit(main())
