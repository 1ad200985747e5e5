"""`choose` for several machines at once: what each should take, and the fewest offers that serve them all.

For whoever prepares a lab: the machines are `probe --json` documents, named by their files.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bootstrap.commands.asked import Asked
from bootstrap.commands.choices.elsewhere import Considered, considered
from bootstrap.errors import ChoiceError
from probes import Machine, NvidiaDriver
from profiles import ALL, Choice, counted, smallest_set

__all__ = ["SCHEMA", "Survey", "survey"]

SCHEMA = "torchstrap.choices/1"
_WIDEST = 36
"""Columns for the GPUs of a machine."""


@dataclass(frozen=True, slots=True)
class Row:
    """One machine: its choice, or the sentence why there is none, and the offers that would serve it as well."""

    name: str
    machine: Machine
    choice: Choice | None
    obstacle: str | None
    fitting: tuple[str, ...]

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


def survey(asked: Asked, files: Sequence[Path], python: str | None) -> Survey:
    """What each machine should take of the project's offers. A machine that can take none is a row, too.

    Raises as `considered`.
    """
    files = list(dict.fromkeys(files))
    rows = [_row(this, name) for this, name in zip(considered(asked, files, python), _names(files), strict=True)]
    order = [offer for row in rows for offer in ([row.choice.offer.name] if row.choice else [])]
    names = sorted({name for row in rows for name in row.fitting}, key=lambda name: (-order.count(name), name))
    chosen = smallest_set([row.fitting for row in rows], names)
    served: dict[str, list[str]] = {name: [] for name in chosen}
    for row in rows:
        taken = row.choice.offer.name if row.choice else None
        name = taken if taken in served else next((name for name in chosen if name in row.fitting), None)
        if name is not None:
            served[name].append(row.name)
    return Survey(tuple(rows), {name: tuple(served[name]) for name in sorted(served)})


def _row(this: Considered, name: str) -> Row:
    try:
        choice, obstacle = this.choice(), None
    except ChoiceError as error:
        choice, obstacle = None, str(error)
    return Row(name, this.machine, choice, obstacle, this.fitting() if choice else ())


def _names(files: Sequence[Path]) -> list[str]:
    """By file; by the whole path where two files have one name."""
    stems = [file.stem for file in files]
    return [stem if stems.count(stem) == 1 else str(file) for stem, file in zip(stems, files, strict=True)]
