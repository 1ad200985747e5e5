"""`choose` for several machines at once: what each should take, and the fewest offers that serve them all.

For whoever prepares a lab: the machines are `probe --json` documents, named by their files.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bootstrap.commands.asked import Asked
from bootstrap.commands.choices.elsewhere import Answer, considered_for
from bootstrap.commands.machine import recorded_machine
from bootstrap.errors import InputError
from bootstrap.project.policy import NONE, MachinePolicy
from probes import Machine, NvidiaDriver
from profiles import ALL, Choice, counted, smallest_set

__all__ = ["SCHEMA", "Row", "Survey", "machine_files", "names_of", "survey", "surveyed"]

SCHEMA = "torchstrap.choices/1"
_WIDEST = 36
"""Columns for the GPUs of a machine."""


@dataclass(frozen=True, slots=True)
class Row:
    """One machine and what is said of it."""

    name: str
    machine: Machine
    answer: Answer

    @property
    def choice(self) -> Choice | None:
        return self.answer.choice

    @property
    def obstacle(self) -> str | None:
        return self.answer.obstacle

    @property
    def fitting(self) -> tuple[str, ...]:
        return self.answer.fitting

    def gpus(self) -> str:
        """`2 x NVIDIA H100`, or `none`."""
        names = [gpu.name if isinstance(gpu.name, str) else gpu.vendor for gpu in counted(self.machine, ALL)]
        counts = {name: names.count(name) for name in names}
        return ", ".join(name if count == 1 else f"{count} x {name}" for name, count in counts.items()) or "none"

    def driver(self) -> str:
        return self.machine.driver.version if isinstance(self.machine.driver, NvidiaDriver) else "-"


@dataclass(frozen=True, slots=True)
class Survey:
    """All machines, and for each offer of the smallest set the machines that it serves."""

    rows: tuple[Row, ...]
    offers: Mapping[str, tuple[str, ...]]

    def lines(self) -> Iterator[str]:
        """A table for people, and the smallest set below it."""
        table = [("machine", "GPUs", "driver", "offer", "reason")]
        table += [
            (
                row.name,
                row.gpus() if len(row.gpus()) <= _WIDEST else f"{row.gpus()[: _WIDEST - 1]}…",
                row.driver(),
                row.choice.offer.name if row.choice else "none",
                row.choice.reason if row.choice else (row.obstacle or "").splitlines()[0],
            )
            for row in self.rows
        ]
        widths = [max(len(row[column]) for row in table) for column in range(4)]
        for row in table:
            yield "  ".join([*(text.ljust(width) for text, width in zip(row, widths, strict=False)), row[-1]])
        best = {row.choice.offer.name for row in self.rows if row.choice}
        yield ""
        offers = "1 offer" if len(best) == 1 else f"{len(best)} offers"
        yield f"each with its best: {offers}; the fewest that serve all as many GPUs: {len(self.offers)}"
        for offer, machines in self.offers.items():
            yield f"  {offer}: {', '.join(machines)}"

    def warnings(self) -> Iterator[str]:
        """What each machine's owner should know, once per sentence."""
        for row in self.rows:
            for warning in row.choice.warnings if row.choice else ():
                yield f"{row.name}: {warning}"

    def to_json(self) -> Mapping[str, Any]:
        """The document of `choose --json` with several machines."""
        return {
            "schema": SCHEMA,
            "machines": [
                {
                    "machine": row.name,
                    "choice": row.choice.to_json() if row.choice else None,
                    "obstacle": row.obstacle,
                    "fitting": list(row.fitting),
                    "warnings": list(row.choice.warnings) if row.choice else [],
                }
                for row in self.rows
            ],
            "offers": [{"offer": offer, "machines": list(machines)} for offer, machines in self.offers.items()],
        }


def survey(asked: Asked, files: Sequence[Path], python: str | None, policy: MachinePolicy = NONE) -> Survey:
    """As `surveyed`, for machines that files describe, all with one policy. Raises InputError for what is none, too."""
    # What the administrator of this machine has decided says nothing of others.
    return surveyed(asked, [(name, recorded_machine(file), policy) for name, file in names_of(files).items()], python)


def surveyed(asked: Asked, machines: Sequence[tuple[str, Machine, MachinePolicy]], python: str | None) -> Survey:
    """What each machine should take of the project's offers. A machine that can take none is a row, too.

    Machines of which the same is known are judged once. Raises as `considered_for`.
    """
    several = considered_for(asked, [(machine, policy) for _, machine, policy in machines], python)
    answers: dict[tuple[Machine, frozenset[str] | None], Answer] = {}
    rows = []
    for (name, machine, _), this in zip(machines, several, strict=True):
        # What lies on a machine is no reason for a build; profiles/ are never asked about it.
        key = (machine._replace(pythons=(), storage=None), this.policy.variants)
        if key not in answers:
            answers[key] = this.answer()
        rows.append(Row(name, machine, answers[key]))
    return Survey(tuple(rows), _fewest(rows))


def _fewest(rows: Sequence[Row]) -> Mapping[str, tuple[str, ...]]:
    """The smallest set of offers, and which machines take each."""
    taken = Counter(row.choice.offer.name for row in rows if row.choice)
    names = sorted({name for row in rows for name in row.fitting}, key=lambda name: (-taken[name], name))
    chosen = smallest_set([row.fitting for row in rows], names)
    served: dict[str, list[str]] = {name: [] for name in chosen}
    for row in rows:
        best = row.choice.offer.name if row.choice else None
        name = best if best in served else next((name for name in chosen if name in row.fitting), None)
        if name is not None:
            served[name].append(row.name)
    return {name: tuple(served[name]) for name in sorted(served)}


def machine_files(named: Sequence[Path]) -> tuple[Path, ...]:
    """The files; a folder stands for every `.json` in it. Raises InputError for one without any."""
    found: list[Path] = []
    for each in named:
        inside = sorted(each.glob("*.json")) if each.is_dir() else [each]
        if not inside:
            raise InputError(each, "holds no .json; write one for each machine with `torchstrap probe --json`")
        found += inside
    return tuple(found)


def names_of(files: Sequence[Path]) -> Mapping[str, Path]:
    """By file; by the whole path where two files have one name. No file is named twice."""
    files = list(dict.fromkeys(files))
    stems = Counter(file.stem for file in files)
    return {file.stem if stems[file.stem] == 1 else str(file): file for file in files}
