"""Which indexes are asked, in which order, and which count as one."""

from __future__ import annotations

from pathlib import Path

import pytest

from bootstrap.errors import ConfigurationError
from bootstrap.project.indexes import find_links, named_index, tiers
from bootstrap.project.model import Index, Project
from bootstrap.project.places import DEFAULT_INDEX
from bootstrap.project.settings import Settings, default_index

A, B, C = "https://a.example/simple", "https://b.example/simple", "https://c.example/simple"


def project(*indexes: Index) -> Project:
    return Project(root=Path("/project"), indexes=indexes)


def urls(found: tuple[tuple[Index, ...], ...]) -> list[list[str]]:
    return [[index.url for index in tier] for tier in found]


def test_asks_the_default_index_alone_where_nobody_says_anything() -> None:
    assert urls(tiers(project(), Settings())) == [[default_index()]]


def test_asks_ours_then_the_projects_then_the_default() -> None:
    found = tiers(
        project(Index(A), Index("https://x", explicit=True), Index("https://y", flat=True), Index(B)),
        Settings(extra_index_urls=(C,)),
    )
    assert urls(found) == [[C], [A], [B], [default_index()]]


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        (Settings(index_url=C, pip_index_url=B, pip_extra_index_urls=(A,)), [[C]]),
        (Settings(pip_index_url=B, pip_extra_index_urls=(A, B)), [[B, A]]),
        (Settings(pip_extra_index_urls=(A,)), [[default_index(), A]]),
        (Settings(index_url=C, requirements_index_urls=(A, C)), [[C, A]]),
        (Settings(pip_index_url=B, requirements_index_urls=(A,), pip_extra_index_urls=(C,)), [[B, A, C]]),
        (Settings(extra_index_urls=(A,), no_index=True), []),
        (Settings(extra_index_urls=(A,), index_url=A), [[A]]),
    ],
    ids=["ours", "pip", "pip-extra-only", "file-joins", "all-of-pip", "none", "twice"],
)
def test_chooses_the_default_tier(settings: Settings, expected: list[list[str]]) -> None:
    assert urls(tiers(project(), settings)) == expected


def test_the_projects_default_index_replaces_that_of_pip() -> None:
    settings = Settings(pip_index_url=B, pip_extra_index_urls=(C,))
    assert urls(tiers(project(Index(A, default=True)), settings)) == [[A]]


def test_our_index_replaces_the_projects_default() -> None:
    assert urls(tiers(project(Index(A, default=True)), Settings(index_url=C))) == [[C]]


def test_an_explicit_default_index_leaves_no_default() -> None:
    assert urls(tiers(project(Index(A, default=True, explicit=True), Index(B)), Settings())) == [[B]]


@pytest.mark.parametrize(
    ("settings", "expected"),
    [(Settings(), default_index()), (Settings(index_url=C, pip_index_url=B), C), (Settings(pip_index_url=B), B)],
    ids=["nobody", "ours", "pip"],
)
def test_the_word_in_braces_stands_for_the_default_index(settings: Settings, expected: str) -> None:
    asking = project(Index(DEFAULT_INDEX, "plain", explicit=True))
    assert named_index(asking, "plain", settings).url == expected
    assert urls(tiers(project(Index(DEFAULT_INDEX, default=True)), settings)) == [[expected]]


def test_the_word_in_braces_follows_the_projects_own_default() -> None:
    asking = project(Index(DEFAULT_INDEX, "plain", explicit=True), Index(A, default=True))
    assert named_index(asking, "plain", Settings(pip_index_url=B)) == Index(A, "plain", explicit=True)


def test_an_index_that_nobody_named_is_refused_with_the_nearest() -> None:
    with pytest.raises(ConfigurationError, match="no index has the name `pytorch-cu12`: did you mean `pytorch-cu124`"):
        named_index(project(Index(A, "pytorch-cu124")), "pytorch-cu12")


def test_pages_of_links_are_ours_first_without_repetition() -> None:
    asking = project(Index(A, flat=True), Index(B, flat=True, explicit=True), Index(C))
    found = find_links(asking, Settings(find_links=("file:///srv/wheels", A)))
    assert [(index.url, index.flat) for index in found] == [("file:///srv/wheels", True), (A, True)]
