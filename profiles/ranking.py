"""Which of several verdicts is the best: see profiles/choose.py for the rule in words."""

from __future__ import annotations

from collections.abc import Sequence

from packaging.version import Version

from profiles.acceleration import KINDS, kind_of
from profiles.judge import Verdict
from profiles.question import Question
from profiles.variants import order

__all__ = ["best", "ranked"]


def best(verdicts: Sequence[Verdict], question: Question) -> Verdict | None:
    """The first of the best; None if nothing can be installed."""
    possible = [verdict for verdict in verdicts if verdict.installs]
    return max(possible, key=lambda verdict: _worth(verdict, question)) if possible else None


def ranked(verdicts: Sequence[Verdict], question: Question) -> list[Verdict]:
    """The best first."""
    return sorted(verdicts, key=lambda verdict: _worth(verdict, question), reverse=True)


def _worth(verdict: Verdict, question: Question) -> tuple[object, ...]:
    explicit = verdict.offer.variant != "default"
    release = verdict.torch or Version("0")
    if verdict.accelerates:
        kind = kind_of(verdict.flavour)
        rank = len(KINDS) - KINDS.index(kind) if kind in KINDS else 0
        served = len(verdict.served)
        discrete = sum(not gpu.integrated for gpu in verdict.served)
        # One that works is enough where that was said, but a card goes before what is built into the CPU even then.
        first = (discrete, served) if question.wanted.every else (min(discrete, 1), 0)
        return (2, first, release, rank, served, order(verdict.flavour), explicit)
    if verdict.flavour == "cpu":
        return (1, (2, 0), release, 0, 0, order("cpu"), explicit)
    return (1, (0 if explicit else 1, 0), release, 0, 0, order(verdict.flavour), explicit)
