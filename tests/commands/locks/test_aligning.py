"""Versions differ only where they must: what follows whom, and who gives way."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from packaging.version import Version

from bootstrap.commands.locks.aligning import Aligned, Versions
from bootstrap.commands.locks.combinations import Combination
from bootstrap.errors import NoSolutionError
from bootstrap.resolver.resolution import Pin, Resolution, Target
from profiles import Offer

# For each offer, what is there of each package, newest first; every package is in every resolution.
World = Mapping[str, Mapping[str, tuple[str, ...]]]


def combination(offer: str, platform: str = "linux_x86_64") -> Combination:
    return Combination(Offer(offer, offer), Target("3.12.4", platform, {}, ()))


def aligned(world: World, locked: Mapping[str, Versions] | None = None) -> Aligned:
    """Resolving is taking what is preferred, by public version, or else the newest."""

    def resolve(wanted: Combination, versions: Versions) -> Resolution:
        there = world[wanted.offer.name]
        if not there:
            raise NoSolutionError(["nothing is there"])
        chosen = {}
        for name, known in there.items():
            preferred = [each for each in known if name in versions and Version(each).public == versions[name].public]
            chosen[name] = Version((preferred or known)[0])
        pins = tuple(Pin(name, version) for name, version in sorted(chosen.items()))
        return Resolution(wanted.offer.name, wanted.target, pins)

    return Aligned(resolve, lambda wanted: (locked or {}).get(wanted.offer.name, {}), {})


def versions_of(work: Aligned) -> dict[str, dict[str, str]]:
    return {each.offer: {pin.name: str(pin.version) for pin in each.pins} for each in work.found.values()}


def settled(work: Aligned, *offers: str) -> dict[str, dict[str, str]]:
    for offer in offers:
        work.add(combination(offer))
    work.settle()
    return versions_of(work)


def test_who_comes_later_follows() -> None:
    world: World = {"cpu": {"numpy": ("2.2",)}, "cu126": {"numpy": ("2.3", "2.2")}}
    assert settled(aligned(world), "cpu", "cu126") == {"cpu": {"numpy": "2.2"}, "cu126": {"numpy": "2.2"}}


def test_who_came_first_gives_way_if_others_cannot_follow() -> None:
    world: World = {"cpu": {"torch": ("2.9+cpu", "2.6+cpu")}, "cu124": {"torch": ("2.6+cu124",)}}
    assert settled(aligned(world), "cpu", "cu124") == {"cpu": {"torch": "2.6+cpu"}, "cu124": {"torch": "2.6+cu124"}}


def test_nobody_is_held_back_for_nothing() -> None:
    world: World = {
        "cpu": {"torch": ("2.9+cpu", "2.6+cpu")},
        "cu124": {"torch": ("2.6+cu124",)},
        "cu130": {"torch": ("2.9+cu130",)},
    }
    found = settled(aligned(world), "cpu", "cu124", "cu130")
    assert found["cpu"] == {"torch": "2.9+cpu"}


def test_one_package_that_cannot_agree_does_not_keep_another_from_it() -> None:
    world: World = {
        "cpu": {"numpy": ("2.3", "2.2"), "torch": ("2.9+cpu",)},
        "cu124": {"numpy": ("2.2",), "torch": ("2.6+cu124",)},
    }
    assert settled(aligned(world), "cpu", "cu124")["cpu"] == {"numpy": "2.2", "torch": "2.9+cpu"}


def test_a_package_without_need_keeps_its_version_while_another_gives_way() -> None:
    world: World = {
        "cpu": {"numpy": ("2.3", "2.2"), "torch": ("2.9+cpu", "2.6+cpu")},
        "cu124": {"numpy": ("2.2",), "torch": ("2.6+cu124",)},
        "cu130": {"numpy": ("2.3", "2.2"), "torch": ("2.9+cu130",)},
    }
    found = settled(aligned(world), "cpu", "cu124", "cu130")
    assert {each["numpy"] for each in found.values()} == {"2.2"}
    assert found["cpu"]["torch"] == "2.9+cpu"


def test_what_is_locked_gives_way_to_nobody() -> None:
    world: World = {"cpu": {"torch": ("2.9+cpu", "2.6+cpu")}, "cu124": {"torch": ("2.6+cu124",)}}
    locked = {"cpu": {"torch": Version("2.9+cpu")}}
    assert settled(aligned(world, locked), "cpu", "cu124")["cpu"] == {"torch": "2.9+cpu"}


def test_what_stands_is_followed_and_not_resolved() -> None:
    world: World = {"cpu": {}, "cu124": {"torch": ("2.6+cu124", "2.5+cu124")}}
    work = aligned(world)
    there = combination("cpu")
    work.keep(there, Resolution("cpu", there.target, (Pin("torch", Version("2.5+cpu")),)))
    assert settled(work, "cu124") == {"cpu": {"torch": "2.5+cpu"}, "cu124": {"torch": "2.5+cu124"}}


def test_what_cannot_be_resolved_is_told() -> None:
    with pytest.raises(NoSolutionError, match="nothing is there"):
        settled(aligned({"cpu": {}}), "cpu")
