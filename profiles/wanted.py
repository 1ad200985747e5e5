"""Which GPUs of a machine a build must work on: what somebody says with `--gpus`.

    all    every GPU that programs may see (the default)
    any    one of them is enough
    0,2    these, by their place in what `probe` lists; the others do not count

Never counted: a GPU that this process cannot see or open, and an integrated one beside a discrete one of its vendor.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from probes import Gpu, Machine

__all__ = ["ALL", "ANY", "Wanted", "counted", "read_wanted"]


@dataclass(frozen=True, slots=True)
class Wanted:
    """`every` is false where one working GPU is enough; `places` are positions in `Machine.gpus`, empty for all."""

    every: bool = True
    places: frozenset[int] = frozenset()


ALL = Wanted()
ANY = Wanted(every=False)


def read_wanted(text: str) -> Wanted:
    """`all`, `any` or places such as `0,2`. Raises ValueError for anything else."""
    words = {"all": ALL, "any": ANY}
    word = text.strip().lower()
    if word in words:
        return words[word]
    if not re.fullmatch(r"\d{1,3}(\s*,\s*\d{1,3})*", word, re.ASCII):
        raise ValueError(f"{text!r} must be all, any, or places in the list of `probe`, such as 0,2")
    return Wanted(places=frozenset(int(number) for number in word.split(",")))


def counted(machine: Machine, wanted: Wanted, vendor: str | None = None) -> tuple[Gpu, ...]:
    """The GPUs that decide, of one vendor or of all. One that is named counts even if it is integrated."""
    seen = [(place, gpu) for place, gpu in enumerate(machine.gpus) if gpu.visible]
    if wanted.places:
        found = [gpu for place, gpu in seen if place in wanted.places]
    else:
        discrete = {gpu.vendor for _, gpu in seen if not gpu.integrated}
        found = [gpu for _, gpu in seen if not (gpu.integrated and gpu.vendor in discrete)]
    return tuple(gpu for gpu in found if vendor in {None, gpu.vendor})
