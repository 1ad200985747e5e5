"""Every row of the tables in tests/profiles/verdicts/, each also beside an oracle that shares no table with us."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest
from packaging.specifiers import SpecifierSet
from packaging.version import Version

from probes import Machine
from profiles import Choice, NoOfferError, Offer, automatic_offers, choose, read_wanted
from tests.benchmarks import oracle
from tests.benchmarks.oracle import RELEASES, Build, Merit, builds, deciding, default_variant, merit
from tests.profiles.verdict_machines import Row, machine, offers_of, rows, torch_of

every_row = pytest.mark.parametrize("row", rows(), ids=lambda row: row.place)


def offered(row: Row) -> Sequence[Offer]:
    offers = offers_of(row.offers)
    return automatic_offers() if offers is None else offers


def verdict(row: Row) -> Choice | NoOfferError:
    try:
        return choose(
            offered(row),
            machine(row.machine),
            python=row.python,
            torch=torch_of(row.torch),
            wanted=read_wanted(row.gpus),
        )
    except NoOfferError as error:
        return error


def told(found: Choice | NoOfferError) -> str:
    """All that is said for people, a line each."""
    if isinstance(found, NoOfferError):
        return str(found)
    rejected = [f"{each.offer}: {each.reason}" for each in found.rejected]
    return "\n".join([found.reason, *found.warnings, *rejected, *found.changes])


def minor(version: str | None) -> str:
    return ".".join(map(str, Version(version).release[:2])) if version else "unknown"


def test_there_are_enough_rows_and_none_twice() -> None:
    assert len(rows()) >= 300
    questions = [(" ".join(row.machine.split()), row.python, row.torch, row.offers, row.gpus) for row in rows()]
    assert len(set(questions)) == len(questions), [each for each in questions if questions.count(each) > 1]


@pytest.mark.parametrize("words", ["A1000 580.95.05", "V100 580.95.05 ubuntu", "V100+RTX", "no-gpus"])
def test_a_machine_of_unknown_words_is_refused(words: str) -> None:
    with pytest.raises((ValueError, KeyError)):
        machine(words)


def test_the_oracle_shares_nothing_with_us() -> None:
    text = Path(oracle.__file__).read_text(encoding="utf-8")
    assert not re.search(r"^\s*(from|import) (profiles|bootstrap)", text, re.MULTILINE)
    assert ".toml" not in text


@every_row
def test_takes_and_says(row: Row) -> None:
    found = verdict(row)
    taken = "none" if isinstance(found, NoOfferError) else f"{found.offer.name} {minor(found.torch)}"
    said = told(found)
    assert taken == row.takes, said
    for part in row.says:
        assert part in said, f"nothing says {part!r}:\n{said}"


def counted(row: Row, found: Machine) -> frozenset[int]:
    """Places of the GPUs that have to work, by the oracle's own reading of `--gpus`."""
    if row.gpus in {"all", "any"}:
        return deciding(found)
    return frozenset(place for place in map(int, row.gpus.split(",")) if found.gpus[place].visible)


def admitted(row: Row, offer: str, variant: str) -> list[str]:
    """The minor releases that the project lets an offer bring; one beyond the oracle's only if it has to."""
    asked = torch_of(row.torch)
    specifier = (asked.get(offer) if isinstance(asked, Mapping) else asked) or SpecifierSet()
    local = f"+{variant}" if "+" in row.torch else ""
    patches = [f"{patch}{local}" for patch in range(9)]
    known = [torch for torch in RELEASES if any(specifier.contains(f"{torch}.{patch}") for patch in patches)]
    beyond = [torch for torch in ("2.16",) if any(specifier.contains(f"{torch}.{patch}") for patch in patches)]
    return known or beyond


def worths(row: Row) -> dict[tuple[str, str, str], Merit]:
    """What the oracle thinks of every offer, torch and variant that can be installed at all."""
    found = machine(row.machine)
    platform = f"{found.system.os}_{found.system.architecture}"
    offers = [(each.name, each.variant) for each in offers_of(row.offers) or ()] or [
        (build.variant, build.variant) for build in builds(platform)
    ]
    worth = {}
    for name, variant in dict.fromkeys(offers):
        for torch in admitted(row, name, variant):
            built = default_variant(torch, platform) if variant == "default" else variant
            value = merit(Build(torch, built), found, row.python, counted(row, found))
            if value is not None:
                worth[name, torch, built] = value
    return worth


def rank(variant: str) -> tuple[int, ...]:
    """CUDA before ROCm before XPU, each by its number."""
    return (["cp", "xp", "ro", "cu"].index(variant[:2]), *map(int, re.findall(r"\d+", variant)))


@every_row
def test_the_oracle_finds_nothing_better(row: Row) -> None:
    worth = worths(row)
    if row.takes == "none":
        assert not worth
        return
    offer, torch = row.takes.split()
    ((taken, variant),) = [(value, key[2]) for key, value in worth.items() if key[:2] == (offer, torch)]
    most = max(value[:2] for value in worth.values())
    if most == (0, 0):
        newest_of = {name: max(value[2] for key, value in worth.items() if key[0] == name) for name, _, _ in worth}
        for_cpu = [key for key, value in worth.items() if key[2] == "cpu" and value[2] == newest_of[key[0]]]
        assert variant == "cpu" or not for_cpu
        assert taken[2] == newest_of[offer]
        return
    enough = [(value, key[2]) for key, value in worth.items() if value[1] and (row.gpus == "any" or value[:2] == most)]
    newest = max(value[2] for value, _ in enough)
    assert taken[1] > 0
    assert row.gpus == "any" or taken[:2] == most
    assert taken[2] == newest
    assert rank(variant) == max(rank(other) for value, other in enough if value[2] == newest)
