"""What a proof proposes is tried; `test_golden` has what people read then."""

from __future__ import annotations

from typing import Literal

import pytest

from bootstrap.errors import NoSolutionError, Proposal
from bootstrap.resolver.relief import Attempt, relieved, tried
from bootstrap.resolver.request import Request
from bootstrap.resolver.resolution import Resolution
from bootstrap.resolver.resolve import resolve
from tests.resolver.worlds import DEFAULT, LINUX, Packages, World, no_source, request_for, requirements

PACKAGES: Packages = {
    "a": {"1": ("c==1",), "2": ("c==2",)},
    "b": {"1": ("c==1",)},
    "c": {"1": (), "2": ()},
    "d": {"1": ("e==1",)},
    "e": {"1": (), "2": ()},
}


def unsolved(*roots: str) -> tuple[NoSolutionError, Request]:
    request = request_for(*roots)
    with pytest.raises(NoSolutionError) as failure:
        resolve(request, World({DEFAULT: PACKAGES}), metadata_of_sdist=no_source)
    return failure.value, request


def attempt(request: Request) -> Resolution | Literal["contradiction", "unknown"]:
    try:
        return resolve(request, World({DEFAULT: PACKAGES}), metadata_of_sdist=no_source)
    except NoSolutionError:
        return "contradiction"


def test_says_what_each_way_leads_to() -> None:
    error, request = unsolved("a>=2", "b")
    assert tried(error, request, attempt).proof[-3:] == (
        "To go on, do one of these:",
        "  relax `a>=2`: gives a 1 and b 1",
        "  do without `b`: gives a 2",
    )


def test_the_sentences_before_are_as_they_were() -> None:
    error, request = unsolved("a>=2", "b")
    found = tried(error, request, attempt)
    assert found.proof[: len(error.proof) - 1] == error.proof[:-1]
    assert found.proposals == error.proposals


def test_says_so_where_another_conflict_lies_behind() -> None:
    error, request = unsolved("a>=2", "b", "d", "e>=2")
    last = tried(error, request, attempt).proof[-1]
    assert last.startswith("It does not help to ")
    assert last.endswith(" alone, as there is another conflict behind this one.")


def test_what_could_not_be_tried_is_not_promised() -> None:
    error, request = unsolved("a>=2", "b")
    found = tried(error, request, lambda _request: "unknown")
    assert found.proof == error.proof


@pytest.mark.parametrize(
    ("answer", "last"),
    [
        ("contradiction", "To go on, allow building b; it does not help to relax `a>=2` alone, as there is"),
        ("unknown", "To go on, relax `a>=2`, or allow building b."),
    ],
)
def test_other_ways_stay(answer: Literal["contradiction", "unknown"], last: str) -> None:
    proposals = (Proposal("relax `a>=2`", "relax", "`a>=2`"), Proposal("allow building b"))
    error = NoSolutionError(("1. So it is.", "To go on, relax `a>=2`, or allow building b."), proposals)
    decide: Attempt = lambda _request: answer  # noqa: E731 - an answer, whatever is asked
    assert tried(error, request_for("a>=2"), decide).proof[-1].startswith(last)


@pytest.mark.parametrize(
    ("proposal", "roots"),
    [
        (Proposal("", "relax", "`a[x]>=2`"), ["a[x]", "b"]),
        (Proposal("", "drop", "`b`"), ["a[x]>=2"]),
        (Proposal("", "replace", "`a[x]>=2`", "a==1"), ["a[x]==1", "b"]),
        (Proposal("", "add", instead="c==1"), ["a[x]>=2", "b", "c==1"]),
    ],
    ids=["relax", "drop", "replace", "add"],
)
def test_carries_out_a_proposal(proposal: Proposal, roots: list[str]) -> None:
    found = relieved(request_for("a[x]>=2", "b"), proposal)
    assert found is not None
    assert [str(each) for each in found.roots[""]] == roots


def test_changes_only_the_extra_that_is_meant() -> None:
    request = Request(LINUX, roots={"": requirements("a>=2"), "extra:x": requirements("a>=2")})
    found = relieved(request, Proposal("", "relax", "`a>=2` (extra `x`)"))
    assert found is not None
    assert [str(each) for each in (*found.roots[""], *found.roots["extra:x"])] == ["a>=2", "a"]


def test_another_python_is_another_target_of_the_same_platform() -> None:
    found = relieved(request_for("a"), Proposal("use Python 3.13", "python", instead="3.13"))
    assert found is not None
    assert (found.target.python_minor, found.target.platform) == ("3.13", LINUX.platform)


def test_pre_releases_are_a_matter_of_the_policy() -> None:
    found = relieved(request_for("a"), Proposal("", "prereleases"))
    assert found is not None
    assert found.policy.prereleases


def test_what_is_no_matter_of_the_request_cannot_be_tried() -> None:
    assert relieved(request_for("a"), Proposal("choose another variant than `cpu`")) is None
