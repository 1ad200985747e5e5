"""Which extras and groups may be on together, and what a resolution of each starts from."""

from __future__ import annotations

from pathlib import Path

import pytest

from bootstrap.commands.locks.combinations import NONE, choices, combination_of, members
from bootstrap.commands.locks.resolving import roots
from bootstrap.project.model import Item, Project
from bootstrap.resolver.resolution import Target
from profiles import Offer

HERE = Target("3.12.4", "linux_x86_64", {}, ())
CPU, CUDA, GROUP = Offer("cpu", "cpu"), Offer("cu126", "cu126"), Offer("rocm", "rocm6.4", None, "group")


def extra(name: str) -> Item:
    return Item("extra", name)


def project(*conflicts: frozenset[Item], **others: object) -> Project:
    names = ("cpu", "cu126", "new", "old", "dev", "gpu")
    known = {"extras": dict.fromkeys(names, ()), "groups": {"rocm": (), "odd": ()}, **others}
    return Project(Path("/project"), conflicts=conflicts, **known)  # type: ignore[arg-type]


def taken(whole: Project, *offers: Offer) -> list[tuple[str | None, set[str]]]:
    return [(offer.name if offer else None, {each.name for each in also}) for offer, also in choices(whole, offers)]


def test_without_conflicts_there_is_one_choice() -> None:
    assert taken(project()) == [(None, set())]


def test_every_offer_and_none() -> None:
    assert taken(project(frozenset({extra("cpu"), extra("cu126")})), CPU, CUDA) == [
        ("cpu", set()),
        ("cu126", set()),
        (None, set()),
    ]


def test_every_offer_and_none_with_every_member_and_none() -> None:
    whole = project(frozenset({extra("cpu"), extra("cu126")}), frozenset({extra("new"), extra("old")}))
    assert [each for each in taken(whole, CPU, CUDA) if not each[1]] == [
        ("cpu", set()),
        ("cu126", set()),
        (None, set()),
    ]
    assert len(taken(whole, CPU, CUDA)) == 9
    assert ("cu126", {"old"}) in taken(whole, CPU, CUDA)
    assert members(whole, (CPU, CUDA)) == {extra("new"), extra("old")}


def test_a_member_may_exclude_an_offer() -> None:
    whole = project(frozenset({extra("cpu"), extra("cu126")}), frozenset({extra("cpu"), extra("new")}))
    assert ("cpu", {"new"}) not in taken(whole, CPU, CUDA)
    assert ("cu126", {"new"}) in taken(whole, CPU, CUDA)


def test_sets_that_overlap_are_kept_apart() -> None:
    whole = project(frozenset({extra("new"), extra("old")}), frozenset({extra("old"), Item("group", "odd")}))
    assert [names for _, names in taken(whole)] == [set(), {"new"}, {"old"}, {"odd"}, {"odd", "new"}]


def test_twenty_members_of_one_set_are_twenty_one_choices() -> None:
    names = [f"extra-{number}" for number in range(20)]
    whole = project(frozenset(map(extra, names)), extras=dict.fromkeys(names, ()))
    assert len(taken(whole)) == 21


def test_an_alias_makes_way_for_what_it_stands_for() -> None:
    whole = project(frozenset({extra("cpu"), extra("gpu")}), aliases={"gpu": frozenset({"cu126"})})
    assert taken(whole, CPU, CUDA) == [("cpu", set()), ("cu126", set()), (None, set())]
    cuda = combination_of(whole, (CPU, CUDA), CUDA, frozenset(), HERE)
    assert "extra:gpu" in roots(whole, cuda.excluded)
    cpu = combination_of(whole, (CPU, CUDA), CPU, frozenset(), HERE)
    assert roots(whole, cpu.excluded).keys().isdisjoint({"extra:gpu", "extra:cu126"})


@pytest.mark.parametrize(
    ("offer", "on", "expected"),
    [
        pytest.param(CPU, set(), {"cpu", "dev", "gpu"}, id="an offer"),
        pytest.param(NONE, set(), {"dev", "gpu"}, id="none"),
        pytest.param(GROUP, {extra("old")}, {"rocm", "old", "dev", "gpu"}, id="a group and a member"),
        pytest.param(
            CPU, {extra("cu126"), extra("dev")}, {"cpu", "dev", "gpu"}, id="what is no member changes nothing"
        ),
    ],
)
def test_a_resolution_starts_from_what_is_on_and_excludes_nothing(
    offer: Offer, on: set[Item], expected: set[str]
) -> None:
    offers = (CPU, CUDA, GROUP)
    whole = project(
        frozenset({extra("cpu"), extra("cu126"), Item("group", "rocm")}),
        frozenset({extra("new"), extra("old"), Item("group", "odd")}),
    )
    combination = combination_of(whole, offers, offer, frozenset(on), HERE)
    assert {label.partition(":")[2] for label in roots(whole, combination.excluded)} == {"", *expected}
    assert combination.key == (
        offer.name,
        tuple(f"extra:{each.name}" for each in on & {extra("old")}),
        "3.12",
        "linux_x86_64",
    )
