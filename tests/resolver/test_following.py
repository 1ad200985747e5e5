"""A resolution that follows others ends as a search among all versions would, and judges fewer of them."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Mapping
from contextlib import closing
from dataclasses import replace

import pytest
from packaging.requirements import Requirement
from packaging.version import Version

from bootstrap.errors import NoSolutionError
from bootstrap.resolver.facts import Facts
from bootstrap.resolver.following import Following
from bootstrap.resolver.graph import pins_of
from bootstrap.resolver.memory import Memory
from bootstrap.resolver.request import Request
from bootstrap.resolver.resolution import Pin
from bootstrap.resolver.resolve import _followed, _settled, resolve
from bootstrap.resolver.supply import Supply
from tests.resolver.random_worlds import RandomWorld, random_world
from tests.resolver.worlds import DEFAULT, Packages, Release, World, no_source, request_for, versions_of

WORLDS, PARTS = 1600, 4


def searched(request: Request, world: World) -> tuple[Pin, ...] | None:
    """The pins of a search among all versions; None where there is no solution."""
    view = Memory().view(request.target, request.policy)
    with closing(Supply(request, world, no_source, view)) as supply:
        facts = Facts(request, supply, lambda _event: None)
        try:
            return pins_of(facts, _settled(facts))
        except NoSolutionError:
            return None


def followed(request: Request, world: World) -> tuple[Pin, ...] | None:
    """The pins among the versions to follow; None where they do not settle it."""
    following = Following(Memory().view(request.target, request.policy), request.preferences)
    with closing(Supply(request, world, no_source, following)) as supply:
        facts = Facts(request, supply, lambda _event: None)
        selection = _followed(facts)
        return None if selection is None else pins_of(facts, selection)


def preferring(world: RandomWorld, dice: random.Random) -> Request:
    """What a world asks, with preferences of all kinds: versions that are there, builds of them, and none at all."""
    preferences: dict[str, Version] = {}
    for name, releases in world.packages.items():
        if releases and dice.random() < 0.7:
            version = Version(dice.choice(list(releases)))
            preferences[name] = Version(f"{version.public}+cu128") if dice.random() < 0.2 else version
    constraints = tuple(map(Requirement, world.constraints))
    return replace(request_for(*world.roots), preferences=preferences, constraints=constraints)


@pytest.mark.parametrize("part", range(PARTS))
def test_ends_as_a_search_among_all_versions_would(part: int) -> None:
    seen = Counter[str]()
    for seed in range(part, WORLDS, PARTS):
        dice = random.Random(seed)
        world = random_world(dice)
        request = preferring(world, dice)
        whole, narrow = (ask(request, World({DEFAULT: world.packages})) for ask in (searched, followed))
        kind = "not followed" if narrow is None else "followed"
        if narrow is not None:
            assert narrow == whole, (seed, world, request.preferences)
        seen.update((kind, "impossible" if whole is None else "possible"))
        together = Memory()
        for _ in range(2):
            try:
                again = resolve(request, World({DEFAULT: world.packages}), metadata_of_sdist=no_source, memory=together)
            except NoSolutionError:
                assert whole is None
            else:
                assert again.pins == whole
    assert min(seen[kind] for kind in ("followed", "not followed", "impossible", "possible")) > 50


PACKAGES: Packages = {
    "app": {"2": ("base>=1",), "1": ("base",)},
    "base": {"3": (), "2": ("helper",), "1": ()},
    "helper": {"2": ("base>=3",), "1": ()},
    "torch": {"2.9.0+cpu": (), "2.9.0+cu128": (), "2.8.0+cpu": ()},
    "wary": {"2rc1": (), "1": ()},
    "gone": {"2": Release(yanked="broken"), "1": ()},
}


@pytest.mark.parametrize(
    ("wanted", "preferences", "expected"),
    [
        ("app", {"app": "1", "base": "1"}, {"app": "1", "base": "1"}),
        ("app", {"app": "1"}, {"app": "1", "base": "3"}),
        ("torch", {"torch": "2.9.0+cpu"}, {"torch": "2.9.0+cpu"}),
        ("torch", {"torch": "2.8.0+cu128"}, {"torch": "2.8.0+cpu"}),
        ("app", {"app": "1", "base": "7"}, {"app": "1", "base": "3"}),
        ("app", {"base": "2"}, None),
        ("app>=2", {"app": "1"}, None),
        ("wary", {"wary": "2rc1"}, None),
        ("gone", {"gone": "2"}, {"gone": "2"}),
    ],
    ids=["all of them", "some of them", "this build", "another build of it", "gone by now", "not the newest of another",
         "too old", "a pre-release that nobody asks for", "yanked but locked"],
)  # fmt: skip
def test_follows_where_it_leads_to_the_same(
    wanted: str, preferences: Mapping[str, str], expected: Mapping[str, str] | None
) -> None:
    versions = {name: Version(text) for name, text in preferences.items()}
    request = replace(request_for(wanted), preferences=versions)
    found = followed(request, World({DEFAULT: PACKAGES}))
    whole = resolve(request, World({DEFAULT: PACKAGES}), metadata_of_sdist=no_source)
    assert (found and {pin.name: str(pin.version) for pin in found}) == expected
    assert expected is None or versions_of(whole) == expected


def test_versions_that_are_not_followed_are_not_judged() -> None:
    memory, world = Memory(), World({DEFAULT: {"many": {str(number): () for number in range(50)}}})
    request = request_for("many")
    resolve(request, world, metadata_of_sdist=no_source, memory=memory)
    view = memory.view(request.target, request.policy)
    following = Following(view, {"many": Version("17")})
    page = following.known(("page", "many", None, None))
    assert page is not None
    assert [str(version) for version in page.result().versions] == ["17"]
