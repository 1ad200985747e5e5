"""The resolver on random worlds, beside trying everything and beside resolvelib; `prove.py` does it on any number."""

from __future__ import annotations

import random
from collections import Counter

import pytest

from tests.resolver.prove import DisagreementError, check, compare
from tests.resolver.random_worlds import RandomWorld, random_world
from tests.resolver.worlds import Release

WORLDS, PARTS = 2000, 4


@pytest.mark.parametrize("part", range(PARTS))
def test_agrees_with_trying_everything_and_with_resolvelib(part: int) -> None:
    seen = Counter[str]()
    for seed in range(part, WORLDS, PARTS):
        world = random_world(random.Random(seed))
        kind = check(world)
        seen.update((kind, compare(world, kind)))
    assert min(seen[kind] for kind in ("impossible", "ordinary", "wary", "both find one", "both find none")) > 10


def test_a_solution_that_is_missed_would_be_noticed() -> None:
    world = RandomWorld({"p0": {"1.0": Release()}}, ["p0"], [])
    assert list(world.solutions()) == [{"p0": "1.0"}]
    with pytest.raises(DisagreementError, match="is solved by resolvelib"):
        compare(world, "impossible")


def test_a_pre_release_that_only_itself_asks_for_need_not_be_found() -> None:
    world = RandomWorld({"p0": {"1.0": Release(["p0==2.0"]), "2.0rc1": Release(["p0>=2.0rc1"])}}, ["p0"], [])
    assert list(world.solutions()) == []
    assert world.is_solution({"p0": "2.0rc1"})
