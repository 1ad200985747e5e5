"""One source per package, once it is known what is selected and for which environment."""

from __future__ import annotations

from pathlib import Path

import pytest
from packaging.markers import Marker

from bootstrap.errors import ConfigurationError
from bootstrap.project.model import Project, Source
from bootstrap.project.pyproject import read_project
from bootstrap.project.sources import activated, sources_for

SEEDS = Path(__file__).parent.parent / "projects"
LINUX = {"sys_platform": "linux", "platform_system": "Linux"}
MACOS = {"sys_platform": "darwin", "platform_system": "Darwin"}
NONE: frozenset[str] = frozenset()


@pytest.mark.parametrize(
    ("extra", "markers", "expected"),
    [
        ("cpu", LINUX, {"torch": "pytorch-cpu", "torchvision": "pytorch-cpu"}),
        ("cpu", MACOS, {}),
        ("cu124", LINUX, {"torch": "pytorch-cu124", "torchvision": "pytorch-cu124"}),
        ("cu124", MACOS, {"torch": "pytorch-cu124", "torchvision": "pytorch-cu124"}),
    ],
)
def test_takes_the_source_of_the_selected_extra(extra: str, markers: dict[str, str], expected: dict[str, str]) -> None:
    found = sources_for(read_project(SEEDS / "ultralytics-9306"), frozenset({extra}), NONE, markers)
    assert {package: source.index for package, source in found.items()} == expected


def test_has_no_source_where_nothing_is_selected() -> None:
    assert sources_for(read_project(SEEDS / "accelerate-9734"), NONE, NONE, LINUX) == {}


def test_sources_without_limits_always_apply() -> None:
    source = Source(index="a")
    assert sources_for(Project(Path(), sources={"torch": (source,)}), NONE, NONE, LINUX) == {"torch": source}


def test_sources_follow_groups_and_what_aliases_switch_on() -> None:
    by_extra, by_group = Source(index="a", extra="cu124"), Source(index="b", group="dev")
    project = Project(
        Path(),
        sources={"torch": (by_extra,), "ruff": (by_group,)},
        aliases={"gpu": frozenset({"cu124"})},
        group_aliases={"test": frozenset({"cu124"})},
    )
    assert sources_for(project, frozenset({"gpu"}), NONE, LINUX) == {"torch": by_extra}
    assert sources_for(project, NONE, frozenset({"test", "dev"}), LINUX) == {"torch": by_extra, "ruff": by_group}
    assert activated(project, frozenset({"gpu"})) == {"gpu", "cu124"}


def test_two_sources_of_the_same_place_are_one() -> None:
    first, second = Source(index="a", extra="x"), Source(index="a", marker=Marker("sys_platform == 'linux'"))
    assert sources_for(Project(Path(), sources={"t": (first, second)}), frozenset({"x"}), NONE, LINUX) == {"t": first}


def test_two_different_sources_at_once_are_refused_naming_both() -> None:
    sources = (Source(index="one", extra="x"), Source(url="https://two", marker=Marker("sys_platform == 'linux'")))
    project = Project(Path(), sources={"torch": sources})
    with pytest.raises(ConfigurationError) as caught:
        sources_for(project, frozenset({"x"}), NONE, LINUX)
    assert "`torch` has two sources" in str(caught.value)
    assert "`one` (extra x) and `https://two` (where sys_platform" in str(caught.value)
    assert sources_for(project, frozenset({"x"}), NONE, MACOS) == {"torch": sources[0]}
