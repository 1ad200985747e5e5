"""What a user may select, and what not together."""

from __future__ import annotations

from pathlib import Path

import pytest

from bootstrap.errors import UsageError
from bootstrap.project.model import Item, Project
from bootstrap.project.pyproject import read_project
from bootstrap.project.selection import check_conflicts, select, select_groups

SEEDS = Path(__file__).parent.parent / "projects"
PROJECT = Project(
    Path(),
    extras={"cpu": (), "cu124": (), "gpu": (), "docs": ()},
    groups={"dev": (), "cuda-dev": ()},
    aliases={"gpu": frozenset({"cu124"})},
    group_aliases={"cuda-dev": frozenset({"cu124"})},
    conflicts=(frozenset({Item("extra", "cpu"), Item("extra", "cu124"), Item("group", "dev")}),),
)


def test_expands_aliases_and_normalizes_names() -> None:
    assert select(PROJECT, ["GPU", "docs"]) == {"gpu", "cu124", "docs"}
    assert select_groups(PROJECT, ["Cuda_Dev"]) == {"cuda-dev"}


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("cu142", ["no extra `cu142`", "`cpu`, `cu124`, `gpu` and `docs`", "did you mean `cu124`?"]),
        ("zebra", ["no extra `zebra`", "`docs`", "leave it out"]),
    ],
)
def test_refuses_an_unknown_extra_naming_those_that_exist(name: str, words: list[str]) -> None:
    with pytest.raises(UsageError) as caught:
        select(PROJECT, [name])
    assert [word for word in words if word not in str(caught.value)] == []


def test_refuses_an_unknown_group() -> None:
    with pytest.raises(UsageError, match=r"no group `dve`.*did you mean `dev`"):
        select_groups(PROJECT, ["dve"])


@pytest.mark.parametrize(
    ("extras", "groups", "words"),
    [
        (["cpu", "cu124"], [], "extra `cpu` and extra `cu124` exclude each other; leave one of them out"),
        (["cpu", "gpu"], [], r"extra `cu124` \(which extra `gpu` stands for\)"),
        (["cpu"], ["dev"], "extra `cpu` and group `dev`"),
        (["cpu"], ["cuda-dev"], r"extra `cu124` \(which group `cuda-dev` stands for\)"),
    ],
    ids=["extras", "alias", "group", "group-alias"],
)
def test_refuses_what_is_in_conflict_naming_the_two(extras: list[str], groups: list[str], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        check_conflicts(PROJECT, extras, groups)


@pytest.mark.parametrize("extras", [[], ["cpu"], ["gpu"], ["cpu", "docs"]], ids=str)
def test_accepts_what_goes_together(extras: list[str]) -> None:
    check_conflicts(PROJECT, extras)
    with pytest.raises(UsageError):
        check_conflicts(PROJECT, [*extras, "cpu", "cu124"])


def test_every_pair_of_a_report_is_in_conflict() -> None:
    project = read_project(SEEDS / "switching-16368")
    for pair in (["cpu", "cu128"], ["cpu", "pypi"], ["cu128", "pypi"]):
        with pytest.raises(UsageError, match="exclude each other"):
            check_conflicts(project, select(project, pair))
