"""What would change an answer, never guessed: the machine is given the newer driver, the project the other offer, and
the question is judged again.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from probes import NvidiaDriver, Unknown
from profiles.judge import Verdict, judge
from profiles.offer import Offer
from profiles.question import Question
from profiles.ranking import best
from profiles.words import gpu_words, gpus_words, numbers

__all__ = ["changes"]

_RELATIVES: Mapping[str, str] = {
    **dict.fromkeys(("gfx1031", "gfx1032", "gfx1033", "gfx1034", "gfx1035", "gfx1036"), "10.3.0"),
    "gfx1103": "11.0.0",
    "gfx1152": "11.5.0",
}
"""HSA_OVERRIDE_GFX_VERSION that people use for targets without code. AMD does not support it.
https://github.com/invoke-ai/InvokeAI/issues/3967, https://github.com/ggml-org/llama.cpp/issues/19949
"""


def changes(
    taken: Verdict, verdicts: Sequence[Verdict], published: Sequence[Offer], question: Question
) -> tuple[str, ...]:
    """What would give the machine's GPUs a better build than the one taken: a driver, another offer, another torch.

    `verdicts` are those on the project's offers, `published` all variants that there are.
    """
    gpus = question.gpus()
    found = list(filter(None, (taken.out_of_reach,)))
    if not gpus:
        return tuple(found)
    found += _newer_drivers(taken, verdicts, question)
    if len(taken.served) == len(gpus):
        return tuple(found)
    anything = replace(question, torch=None) if isinstance(question.torch, Mapping) else question
    others = [judge(offer, anything) for offer in published]
    other = best(others, anything)
    if other is not None and len(other.served) > len(taken.served):
        found.append(f"an offer of {other.offer.variant} ({other.offer.index}) would use {_served(other, question)}")
    elif not found and not taken.accelerates:
        found += _newer_drivers(taken, others, anything)
    free = replace(question, torch=None)
    if str(question.specifier(taken.offer)):
        other = best([judge(each.offer, free) for each in verdicts], free)
        if other is not None and len(other.served) > len(taken.served):
            use = _served(other, question)
            found.append(
                f"a project that admits torch {other.torch} could take {other.offer.name}, which would use {use}"
            )
    return tuple(found) or tuple(_without_hope(taken, question))


def _newer_drivers(taken: Verdict, verdicts: Sequence[Verdict], question: Question) -> Iterator[str]:
    """Each step of the NVIDIA driver that would bring more GPUs or a newer torch."""
    driver = question.machine.driver or NvidiaDriver("0", "nowhere")
    if not question.gpus("nvidia") or isinstance(driver, Unknown):
        return
    reached = taken
    for version in sorted({each.use.driver for each in verdicts if each.use.driver}, key=numbers):
        machine = question.machine._replace(
            driver=driver._replace(version=version, library=Unknown("it is only thought of"))
        )
        newer = replace(question, machine=machine)
        then = best([judge(each.offer, newer) for each in verdicts], newer)
        if then is not None and then.accelerates and _gains(then, reached):
            yield f"NVIDIA driver {version} or newer would allow {then.offer.name} with {then.brings}"
            reached = then


def _gains(then: Verdict, now: Verdict) -> bool:
    if len(then.served) != len(now.served):
        return len(then.served) > len(now.served)
    return then.torch is not None and (now.torch is None or then.torch > now.torch)


def _without_hope(taken: Verdict, question: Question) -> Iterator[str]:
    if taken.accelerates:
        return
    for gpu in question.gpus("amd"):
        relative = _RELATIVES.get(gpu.target) if isinstance(gpu.target, str) else None
        if relative is not None:
            yield (
                f"{gpu_words(gpu)} may work with a ROCm build that is asked for by name and "
                f"HSA_OVERRIDE_GFX_VERSION={relative}, which AMD does not support"
            )
            return
    yield "no published build of torch supports it" if taken.offer.packages is None else "no offer supports it"


def _served(verdict: Verdict, question: Question) -> str:
    if verdict.served == question.gpus():
        return "it" if len(verdict.served) == 1 else "them all"
    return gpus_words(verdict.served)
