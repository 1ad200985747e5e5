"""What the recorded machines are taken for, as a Markdown table: `python -m tests.machines.table`.

A row is a file's name, the offer that it names, the offer that the probe's facts lead to, and those facts in brief.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from probes import Cpu, Gpu, LocalHost, Machine, NvidiaDriver, Unknown, probe
from profiles import NoOfferError, Offer, choose, index_of
from tests.machines.unpack import machines, unpack

__all__ = ["OFFERS", "answer", "expected", "facts", "probed_file"]

OFFERS = tuple(
    Offer(name, name, index_of(name)) for name in ("cpu", "xpu", "cu118", "cu126", "cu128", "cu130", "rocm7.2")
)


def expected(machine: Path) -> str:
    """The offer that a file's name ends with."""
    return machine.stem.rpartition("-")[2]


def answer(machine: Machine, offers: Sequence[Offer] = OFFERS) -> str:
    """The offer that is chosen for a machine, `none` if nothing can be installed on it."""
    try:
        return choose(offers, machine).offer.name
    except NoOfferError:
        return "none"


def probed_file(machine: Path) -> Machine:
    """The facts about a recorded machine."""
    with tempfile.TemporaryDirectory() as folder:
        return probe(LocalHost(unpack(machine, Path(folder)), {}))


def facts(machine: Machine) -> Iterator[str]:
    """System, CPU, driver and GPUs in a few words each; where there is no GPU, how the first note begins."""
    yield f"{_text(machine.system.version)} {'WSL ' + str(machine.system.wsl) if machine.system.is_wsl else ''}".strip()
    if isinstance(machine.cpu, Cpu):
        yield machine.cpu.step or _text(machine.cpu.level)
    if machine.container:
        yield f"in {machine.container.kind}"
    if machine.driver is not None:
        yield f"NVIDIA {machine.driver.version}" if isinstance(machine.driver, NvidiaDriver) else "NVIDIA ?"
    yield from (f"{each.name} {each.version or ''}".strip() for each in machine.drivers)
    yield from dict.fromkeys(map(_gpu, machine.gpus))
    yield from (note.partition(":")[0] for note in machine.notes[: 0 if machine.gpus else 1])


def _gpu(gpu: Gpu) -> str:
    capability = gpu.compute_capability
    kind = ".".join(map(str, capability)) if isinstance(capability, tuple) else gpu.target
    words = (_text(gpu.name), f"({_text(kind)})" if kind else "", "closed" if gpu.closed else "")
    return " ".join(filter(None, words))


def _text(fact: str | Unknown | None) -> str:
    return "?" if isinstance(fact, Unknown) else fact or ""


def main() -> int:
    """Print the table; 1 if an answer is not the expected one."""
    print("| recorded machine | expected | answer | facts |\n|---|---|---|---|")
    wrong = 0
    for path in machines():
        machine = probed_file(path)
        given = answer(machine)
        wrong += given != expected(path)
        print(f"| {path.stem.rpartition('-')[0]} | {expected(path)} | {given} | {'; '.join(facts(machine))} |")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
