"""The fewest offers for many machines."""

from __future__ import annotations

from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from probes import Gpu, Libc, Machine, NvidiaDriver, System, Unknown
from profiles import Offer, fitting, index_of, smallest_set

OFFERS = tuple(Offer(name, name, index_of(name)) for name in ("cpu", "cu126", "cu130", "cu132"))


def machine(driver: str | None, *capabilities: tuple[int, int]) -> Machine:
    gpus = tuple(Gpu("nvidia", "card", "NVML", compute_capability=each) for each in capabilities)
    system = System("linux", "debian 12", "6.1", "x86_64", "test")
    return Machine(
        system, Libc("glibc", "2.36", "test"), Unknown("test"), NvidiaDriver(driver, "test") if driver else None, gpus
    )


@pytest.mark.parametrize(
    ("driver", "capabilities", "names"),
    [
        (None, (), {"cpu"}),
        ("470.1", ((8, 0),), {"cpu"}),
        ("535.1", ((8, 0),), {"cu126"}),
        ("580.1", ((8, 0),), {"cu126", "cu130", "cu132"}),
        ("580.1", ((6, 1), (8, 0)), {"cu126"}),
    ],
)
def test_an_offer_fits_that_serves_as_many_gpus_as_the_best(
    driver: str | None, capabilities: tuple[tuple[int, int], ...], names: set[str]
) -> None:
    assert {each.name for each in fitting(OFFERS, machine(driver, *capabilities), python="3.12")} == names


def test_nothing_fits_where_nothing_can_be_installed() -> None:
    assert fitting(OFFERS, machine(None), python="2.7") == ()


NAMES = "abcde"


@given(st.lists(st.frozensets(st.sampled_from(NAMES)), max_size=6))
def test_the_smallest_set_serves_all_and_no_smaller_one_does(wishes: list[frozenset[str]]) -> None:
    asked = [wish for wish in wishes if wish]
    found = smallest_set(wishes, NAMES)
    assert all(wish.intersection(found) for wish in asked)
    for smaller in combinations(NAMES, max(len(found) - 1, 0)):
        assert len(found) == 0 or not all(wish.intersection(smaller) for wish in asked)


def test_of_equals_those_that_stand_first() -> None:
    assert smallest_set([{"a", "b"}, {"b", "a"}], ["b", "a"]) == ("b",)
