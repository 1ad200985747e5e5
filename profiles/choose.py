"""Which offer a machine should take, and one sentence for each that it should not.

A build that uses a GPU goes before one that does not, always. Among those: the one that serves the most GPUs, cards
before what is built into the CPU (where one is enough, their number counts last); then the newest torch; then NVIDIA's
builds before AMD's and Intel's, and the highest variant. Never the highest variant first: an old torch on a new CUDA
helps nobody. Without a GPU: the CPU build, else the default index's build, else whatever runs.
Pure: values in, values out.
"""

from __future__ import annotations

from collections.abc import Sequence

from probes import Machine
from profiles.changes import changes
from profiles.explanation import reason_against, reason_for, reason_second, warnings
from profiles.judge import Verdict, judge
from profiles.offer import Choice, Offer, Rejection
from profiles.question import Question, Torch
from profiles.ranking import best, ranked
from profiles.serving import as_good
from profiles.tables import Tables
from profiles.tables import tables as own_tables
from profiles.variants import BASE, index_of, order
from profiles.wanted import ALL, Wanted
from profiles.words import folded

__all__ = ["NoOfferError", "Torch", "accelerates", "automatic_offers", "choose", "why_not"]


class NoOfferError(Exception):
    """No offer can be installed on the machine at all; `rejected` says why, offer by offer."""

    def __init__(self, rejected: Sequence[Rejection]) -> None:
        reasons = "; ".join(folded((each.offer, each.reason) for each in rejected))
        super().__init__(f"no build of torch can be installed on this machine: {reasons or 'nothing is offered'}")
        self.rejected = tuple(rejected)


def choose(
    offers: Sequence[Offer],
    machine: Machine,
    *,
    python: str = "3.12",
    torch: Torch = None,
    tables: Tables | None = None,
    wanted: Wanted = ALL,
) -> Choice:
    """The best offer for a machine. Raises NoOfferError if none of them can be installed there.

    `Choice.torch` is the newest version that is expected to run; where `warnings` say so, a newer one would not.
    """
    question = Question(machine, python, torch, tables or own_tables(), wanted)
    verdicts = [judge(offer, question) for offer in offers]
    taken = best(verdicts, question)
    if taken is None:
        raise NoOfferError([Rejection(each.offer.name, reason_against(each)) for each in verdicts])
    others = [verdict for verdict in ranked(verdicts, question) if verdict is not taken]
    published = automatic_offers(tables=question.tables) if taken.offer.packages is None else ()
    ways = changes(taken, verdicts, published, question)
    return Choice(
        taken.offer,
        reason_for(taken, question),
        tuple(Rejection(each.offer.name, reason_second(each, taken)) for each in others),
        str(taken.torch) if taken.torch else None,
        warnings(taken, ranked(verdicts, question), question, ways),
        ways,
        _bound(taken),
        tuple(each.name for each in as_good(verdicts, taken)),
    )


def why_not(
    offer: Offer,
    machine: Machine,
    *,
    python: str = "3.12",
    torch: Torch = None,
    tables: Tables | None = None,
    wanted: Wanted = ALL,
) -> str:
    """One sentence on what keeps an offer from using a machine's GPU, or that nothing does. Never raises."""
    question = Question(machine, python, torch, tables or own_tables(), wanted)
    verdict = judge(offer, question)
    if verdict.accelerates:
        return f"{offer.name}: nothing is in the way, {reason_for(verdict, question)}"
    return f"{offer.name}: {reason_against(verdict)}"


def accelerates(
    offer: Offer,
    machine: Machine,
    *,
    python: str = "3.12",
    torch: Torch = None,
    tables: Tables | None = None,
    wanted: Wanted = ALL,
) -> bool:
    """Whether an offer would use a GPU of the machine: the question of `--require gpu`."""
    return judge(offer, Question(machine, python, torch, tables or own_tables(), wanted)).accelerates


def automatic_offers(base: str = BASE, tables: Tables | None = None) -> tuple[Offer, ...]:
    """Every published variant as an offer, for projects that name none; the best last."""
    names = sorted((tables or own_tables()).variants, key=order)
    return tuple(Offer(name, name, index_of(name, base), "variant") for name in names)


def _bound(taken: Verdict) -> str | None:
    if taken.held_back is None or taken.release is None:
        return None
    return f"{taken.release.version.major}.{taken.release.version.minor + 1}"
