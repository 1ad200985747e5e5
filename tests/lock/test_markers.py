"""For every locked selection, evaluating the file's markers gives exactly that resolution."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import chain, combinations, product
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from packaging.markers import Environment
from packaging.pylock import Pylock

from bootstrap import toml
from bootstrap.errors import BootstrapError
from bootstrap.lock.canonical import as_locked
from bootstrap.lock.markers import Cell, environments, grid, marker, relevant_roots
from bootstrap.lock.model import Lock
from bootstrap.lock.pylock_read import read, select
from bootstrap.lock.pylock_write import write
from bootstrap.resolver.resolution import Pin, Resolution
from tests.lock.workshop import DEFAULT, OFFERS, PYTORCH, SYSTEMS, lock, pin, target

EXTRAS, GROUPS = ("dev", "docs"), ("test",)
ALIASES = {"gpu": frozenset({"cu126"}), "all": frozenset({"dev", "docs"}), "latest": frozenset({"new"})}
MEMBERS = ("extra:new", "extra:old", "group:odd")
TAKEN = ((), ("extra:new",), ("extra:old",), ("group:odd",), ("extra:new", "group:odd"))
NAMES = ("alpha", "beta", "gamma", "torch")
TARGETS = [target(python, platform) for python in ("3.10.4", "3.11.7", "3.12.1") for platform in SYSTEMS]
KINDS = {offer.name: f"{'group' if offer.kind == 'group' else 'extra'}:{offer.name}" for offer in OFFERS}


@st.composite
def graphs(draw: st.DrawFn, offer: str, also: tuple[str, ...]) -> tuple[Pin, ...]:
    roots = ["", "extra:dev", "extra:docs", "extra:all", "group:test", *also]
    roots += ["group:test&extra:dev", "group:test&extra:all", *(f"group:test&{each}" for each in also)]
    if "extra:new" in also:
        roots.append("extra:latest")
    if offer:
        roots += [KINDS[offer], f"group:test&{KINDS[offer]}"]
    if offer == "cu126":
        roots.append("extra:gpu")
    names = draw(st.lists(st.sampled_from(NAMES), unique=True))
    return tuple(
        pin(
            name,
            draw(st.sampled_from(["1.0", "2.0"])),
            index=draw(st.sampled_from([DEFAULT, PYTORCH + "cpu"])),
            requires=draw(st.lists(st.sampled_from(names), unique=True)),
            wanted_by=draw(st.sets(st.sampled_from(roots), min_size=1)),
        )
        for name in names
    )


@st.composite
def locks(draw: st.DrawFn) -> Lock:
    targets = draw(st.lists(st.sampled_from(TARGETS), unique_by=lambda each: (each.python, each.platform), min_size=1))
    names = draw(st.lists(st.sampled_from(["", *KINDS]), unique=True, min_size=1))
    taken = draw(st.lists(st.sampled_from(TAKEN), unique=True, min_size=1))
    corners = [(name, also, each) for name in names for also in taken for each in targets]
    kept = draw(st.lists(st.sampled_from(corners), unique_by=str, min_size=1, max_size=12))
    # A few graphs for many corners, so that packages are shared as they are in life.
    few = {(name, also): draw(st.lists(graphs(name, also), min_size=1, max_size=2)) for name, also, _ in kept}
    resolutions = [Resolution(name, each, draw(st.sampled_from(few[name, also])), also) for name, also, each in kept]
    members = MEMBERS if draw(st.booleans()) or taken != [()] else ()
    return lock(
        *resolutions,
        extras=(*EXTRAS, "new", "old"),
        groups=(*GROUPS, "odd"),
        aliases=ALIASES,
        members=members,
    )


def subsets(names: tuple[str, ...]) -> list[tuple[str, ...]]:
    return list(chain.from_iterable(combinations(names, count) for count in range(len(names) + 1)))


def selections(resolution: Resolution) -> list[tuple[frozenset[str], frozenset[str]]]:
    """Every way to pick the offer and the members, by name or alias, with every set of further extras and groups."""
    offer = resolution.offer
    ways = {"": ((),), "cu126": (("cu126",), ("gpu",), ("cu126", "gpu")), "rocm": ((),)}.get(offer, ((offer,),))
    own_groups = {"rocm"} if offer == "rocm" else set()
    own_groups |= {"odd"} & {each.partition(":")[2] for each in resolution.also}
    others = {"extra:new": ("new", "latest"), "extra:old": ("old",)}
    switches = [others[each] for each in resolution.also if each in others]
    return [
        (frozenset({*way, *members, *extras}), frozenset({*own_groups, *groups}))
        for way in ways
        for members in product(*switches)
        for extras in subsets((*EXTRAS, "all"))
        for groups in subsets(GROUPS)
    ]


def wanted(resolution: Resolution, extras: frozenset[str], groups: frozenset[str]) -> set[tuple[str, str, str | None]]:
    """From first principles: what a selection reaches in a graph."""
    reached = {each for name in extras for each in ALIASES.get(name, ())} | extras
    roots = {"", *(f"extra:{name}" for name in reached), *(f"group:{name}" for name in groups)}
    return {
        (each.name, str(each.version), each.index)
        for each in resolution.pins
        if any(roots.issuperset(root.split("&")) for root in each.wanted_by)
    }


def evaluated(
    document: Pylock, resolution: Resolution, extras: frozenset[str], groups: frozenset[str]
) -> set[tuple[str, str, str | None]]:
    environment: Environment = resolution.target.markers  # type: ignore[assignment]
    tags = document.select(environment=environment, extras=extras, dependency_groups=groups)
    return {(each.name, str(each.version), each.index) for each, _ in tags}


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(locks())
def test_evaluating_the_file_gives_exactly_each_resolution(made: Lock) -> None:
    document = Pylock.from_dict(toml.loads(write(made), "pylock.toml"))
    for resolution in made.resolutions:
        for extras, groups in selections(resolution):
            expected = wanted(resolution, extras, groups)
            assert evaluated(document, resolution, extras, groups) == expected
            found = select(made, extras, groups, resolution.target)
            assert {(each.name, str(each.version), each.index) for each in found} == expected


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(made=locks())
def test_reading_gives_back_what_was_written(tmp_path_factory: pytest.TempPathFactory, made: Lock) -> None:
    path = tmp_path_factory.mktemp("lock") / "pylock.toml"
    path.write_text(write(made, path.parent))
    again = read(path)
    assert again == as_locked(made, path.parent)
    assert write(again, path.parent) == path.read_text()


@settings(max_examples=20, deadline=None)
@given(st.data())
def test_the_order_in_which_it_is_told_changes_no_byte(data: st.DataObject) -> None:
    made = data.draw(locks())
    shuffled = [replace(each, pins=tuple(data.draw(st.permutations(each.pins)))) for each in made.resolutions]
    other = lock(
        *data.draw(st.permutations(shuffled)),
        extras=made.extras[::-1],
        groups=made.groups[::-1],
        aliases=dict(reversed(ALIASES.items())),
        members=made.members[::-1],
    )
    assert write(other) == write(made)


Where = Callable[[str, str, str], bool]
CORNERS = [("cpu", p, s) for p in ("3.10.4", "3.11.7", "3.12.1") for s in ("linux_x86_64", "macos_arm64")]
CORNERS += [("cu126", p, s) for p in ("3.10.4", "3.11.7", "3.12.1") for s in ("linux_x86_64", "windows_x86_64")]


@pytest.mark.parametrize(
    ("where", "expected"),
    [
        pytest.param(lambda _o, _p, _s: True, "", id="everywhere"),
        pytest.param(lambda o, _p, _s: o == "cpu", "'cpu' in extras", id="one offer"),
        pytest.param(lambda _o, p, _s: p == "3.10.4", "python_version < '3.11'", id="the oldest Python"),
        pytest.param(lambda _o, p, _s: p != "3.10.4", "python_version >= '3.11'", id="all but the oldest Python"),
        pytest.param(lambda _o, p, _s: p == "3.11.7", "python_version == '3.11'", id="a Python in the middle"),
        pytest.param(lambda _o, _p, s: s == "macos_arm64", "sys_platform == 'darwin'", id="one system"),
        pytest.param(lambda _o, _p, s: s != "macos_arm64", "sys_platform != 'darwin'", id="all systems but one"),
        pytest.param(
            lambda o, _p, s: (o, s) == ("cpu", "linux_x86_64"),
            "'cpu' in extras and sys_platform == 'linux'",
            id="one offer on one system",
        ),
        pytest.param(
            lambda o, p, s: s == "macos_arm64" or (o == "cu126" and p == "3.12.1"),
            "sys_platform == 'darwin' or ('cu126' in extras and python_version >= '3.12')",
            id="two boxes",
        ),
    ],
)
def test_markers_are_as_short_as_what_is_locked_allows(where: Where, expected: str) -> None:
    everything = [(corner, Resolution(corner[0], target(*corner[1:]), ())) for corner in CORNERS]
    here = grid(lock(*(resolution for _, resolution in everything)))
    cells = [
        (
            each.target.python_minor,
            each.target.markers["sys_platform"],
            each.target.markers["platform_machine"],
            each.offer,
        )
        for corner, each in everything
        if where(*corner)
    ]
    assert marker(dict.fromkeys(cells, frozenset({""})), here) == expected


@pytest.mark.parametrize(
    ("offers", "expected"),
    [
        pytest.param(["cpu", "cu126"], "'cpu' in extras or 'cu126' in extras", id="any offer"),
        pytest.param([""], "'cpu' not in extras and 'cu126' not in extras", id="no offer"),
        pytest.param(["", "cpu"], "'cu126' not in extras", id="none or the one"),
    ],
)
def test_no_offer_is_just_another_resolution(offers: list[str], expected: str) -> None:
    here = grid(lock(*(Resolution(name, target(), ()) for name in ("", "cpu", "cu126"))))
    wanted_by: dict[Cell, frozenset[str]] = {("3.11", "linux", "x86_64", name): frozenset({""}) for name in offers}
    assert marker(wanted_by, here) == expected


@pytest.mark.parametrize(
    ("members", "expected"),
    [
        pytest.param([("new",)], "'new' in extras", id="one member"),
        pytest.param([()], "'new' not in extras and 'odd' not in dependency_groups", id="no member"),
        pytest.param([(), ("new",)], "'odd' not in dependency_groups", id="none or the one"),
        pytest.param([("new",), ("odd",)], "'odd' in dependency_groups or 'new' in extras", id="any member"),
    ],
)
def test_members_of_other_conflicts_are_told_apart(members: list[tuple[str, ...]], expected: str) -> None:
    known = {"new": "extra:new", "odd": "group:odd"}
    every = [Resolution("", target(), (), also) for also in ((), ("extra:new",), ("group:odd",))]
    here = grid(lock(*every, members=("extra:new", "group:odd")))
    cells = [tuple(known[name] if name in taken else "" for name in known) for taken in members]
    wanted_by: dict[Cell, frozenset[str]] = {("3.11", "linux", "x86_64", "", *cell): frozenset({""}) for cell in cells}
    assert marker(wanted_by, here) == expected


def test_pythons_in_a_row_make_one_environment() -> None:
    cells = [(f"3.{minor}", "linux", "x86_64", "") for minor in (10, 11, 12, 9)]
    span = "python_version >= '3.9' and python_version <= '3.12'"
    assert environments(cells) == (f"sys_platform == 'linux' and platform_machine == 'x86_64' and {span}",)


def test_pythons_with_a_gap_make_environments_of_their_own() -> None:
    assert [each.rpartition(" and ")[2] for each in environments([("3.10", "a", "b", ""), ("3.12", "a", "b", "")])] == [
        "python_version == '3.10'",
        "python_version == '3.12'",
    ]


def test_refuses_resolutions_that_no_marker_tells_apart() -> None:
    old = Resolution("cpu", target(), ())
    new = Resolution("cpu", target("3.11.9"), ())
    with pytest.raises(BootstrapError, match="No marker tells linux_x86_64 from linux_x86_64"):
        write(lock(old, new))


def test_refuses_a_resolution_for_what_is_not_offered() -> None:
    with pytest.raises(BootstrapError, match="'tpu', which it does not offer"):
        write(lock(Resolution("tpu", target(), ())))


def test_a_file_for_one_machine_refuses_another(tmp_path: Path) -> None:
    (tmp_path / "pylock.toml").write_text(write(lock(Resolution("cpu", target(), (pin("alpha"),)))))
    document = Pylock.from_dict(toml.load(tmp_path / "pylock.toml"))
    elsewhere: Environment = target(platform="macos_arm64").markers  # type: ignore[assignment]
    with pytest.raises(Exception, match="does not satisfy any of the environments"):
        list(document.select(environment=elsewhere, extras=["cpu"]))


def test_says_nothing_of_roots_that_the_offer_excludes() -> None:
    here, there = Resolution("cpu", target(), ()), Resolution("cu126", target(), ())
    made = lock(here, there, aliases=ALIASES)
    assert relevant_roots(made, here, {"extra:cu126", "extra:gpu", "extra:dev"}) == {"extra:dev", "extra:all"}
    assert relevant_roots(made, here, {"extra:cpu", "extra:dev"}) == {""}


def test_says_nothing_of_members_that_are_not_taken() -> None:
    here = Resolution("", target(), (), ("group:odd",))
    made = lock(here, aliases=ALIASES, members=MEMBERS)
    assert relevant_roots(made, here, {"extra:new", "extra:latest", "extra:dev"}) == {"extra:dev", "extra:all"}
    assert relevant_roots(made, here, {"group:odd", "extra:dev"}) == {""}
