"""Many machines, few offers: which offers serve a machine as well as its best does, and the fewest that serve all."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from itertools import combinations

from probes import Machine
from profiles.judge import Verdict, judge
from profiles.offer import Offer
from profiles.question import Question, Torch
from profiles.ranking import best
from profiles.tables import tables
from profiles.wanted import ALL, Wanted

__all__ = ["as_good", "fitting", "smallest_set"]


def fitting(
    offers: Sequence[Offer], machine: Machine, *, python: str, torch: Torch = None, wanted: Wanted = ALL
) -> tuple[Offer, ...]:
    """The offers with which as many GPUs work as with the best one; without a GPU, the builds of the kind of the best.

    Empty where nothing can be installed.
    """
    question = Question(machine, python, torch, tables(), wanted)
    verdicts = [judge(offer, question) for offer in offers]
    taken = best(verdicts, question)
    return () if taken is None else as_good(verdicts, taken)


def as_good(verdicts: Sequence[Verdict], taken: Verdict) -> tuple[Offer, ...]:
    """The same, where the offers have been judged and the best one is taken."""
    if taken.accelerates:
        return tuple(each.offer for each in verdicts if len(each.served) == len(taken.served))
    return tuple(each.offer for each in verdicts if each.installs and each.flavour == taken.flavour)


def smallest_set(wishes: Sequence[Collection[str]], names: Sequence[str]) -> tuple[str, ...]:
    """The fewest of `names` of which every wish holds one; of equals the ones that stand first. Empty wishes are passed
    over.
    """
    asked = {frozenset(wish) for wish in wishes if wish}
    useful = [name for name in names if any(name in wish for wish in asked)]
    for size in range(len(useful) + 1):
        for some in combinations(useful, size):
            if all(wish.intersection(some) for wish in asked):
                return some
    return ()
