from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from packaging.specifiers import SpecifierSet
from packaging.version import Version

from bootstrap.resolver.versions import ABSENT, bit, describe, everything, mask_of, newest, words_of

TEXTS = st.builds(
    "{}{}{}{}{}{}".format,
    st.sampled_from(["", "", "", "1!"]),
    st.lists(st.integers(0, 3), min_size=1, max_size=3).map(lambda parts: ".".join(map(str, parts))),
    st.sampled_from(["", "", "", "a1", "b2", "rc1"]),
    st.sampled_from(["", "", "", ".post1"]),
    st.sampled_from(["", "", "", ".dev2"]),
    st.sampled_from(["", "", "", "+cpu", "+cu118", "+2"]),
)
LISTS = st.lists(TEXTS.map(Version), unique=True, max_size=25).map(sorted)


def public(text: str) -> str:
    return text.partition("+")[0]


def release(text: str) -> str:
    version = Version(text)
    return (
        f"{version.epoch}!{'.'.join(map(str, version.release))}"
        if version.epoch
        else ".".join(map(str, version.release))
    )


SPECIFIERS = st.one_of(
    st.builds("{}{}".format, st.sampled_from([">=", ">", "<", "<="]), TEXTS.map(public)),
    st.builds("{}{}".format, st.sampled_from(["==", "!=", "==="]), TEXTS),
    st.builds("{}{}.*".format, st.sampled_from(["==", "!="]), TEXTS.map(release)),
    st.builds("~={}.1".format, TEXTS.map(release)),
    st.builds("~={}.1rc1".format, TEXTS.map(release)),
)


@given(LISTS, st.lists(SPECIFIERS, max_size=3).map(",".join))
def test_mask_holds_exactly_the_versions_that_packaging_lets_through(versions: list[Version], text: str) -> None:
    specifiers = SpecifierSet(text)
    expected = sum(bit(i) for i, version in enumerate(versions) if specifiers.contains(version, prereleases=True))
    assert mask_of(specifiers, versions) == expected


def test_a_pin_without_local_version_admits_every_build_and_the_local_one_is_newest() -> None:
    versions = [Version(text) for text in ("2.5.0", "2.5.1", "2.5.1+cpu", "2.6.0")]
    mask = mask_of(SpecifierSet("==2.5.1"), versions)
    assert mask == bit(1) | bit(2)
    assert newest(mask) == 2
    assert mask_of(SpecifierSet("==2.5.1+cpu"), versions) == bit(2)
    assert mask_of(SpecifierSet(">2.5.1"), versions) == bit(3)
    assert mask_of(SpecifierSet("!=2.5.1"), versions) == bit(0) | bit(3)


VERSIONS = [Version(text) for text in ("2.4.0", "2.5.0", "2.5.1", "2.6.0", "2.7.1", "2.8.0")]


@pytest.mark.parametrize(
    ("indexes", "text"),
    [
        ((), "no version"),
        ((0, 1, 2, 3, 4, 5), "any version"),
        ((2,), "2.5.1"),
        ((2, 3, 4), "2.5.1 to 2.7.1"),
        ((3, 4, 5), "2.6.0 or newer"),
        ((0, 1, 2), "2.5.1 or older"),
        ((5,), "2.8.0"),
        ((0,), "2.4.0"),
        ((0, 2, 3), "2.4.0, 2.5.1 or 2.6.0"),
        ((0, 1, 3, 4, 5), "any version but 2.5.1"),
        ((0, 2, 4), "2.4.0, 2.5.1 or 2.7.1"),
    ],
)
def test_neighbouring_versions_are_folded_into_runs(indexes: tuple[int, ...], text: str) -> None:
    assert describe(sum(bit(index) for index in indexes), VERSIONS) == text


def test_a_set_full_of_holes_is_not_listed_to_the_end() -> None:
    versions = [Version(f"1.{minor}") for minor in range(40)]
    mask = sum(bit(index) for index in range(0, 38, 3))
    assert describe(mask, versions) == "1.0 to 1.36 (not all of them)"


def test_absence_is_not_a_version() -> None:
    assert describe(ABSENT, VERSIONS) == "no version"
    assert describe(everything(len(VERSIONS)), VERSIONS) == "any version"


@pytest.mark.parametrize(
    ("specifiers", "text"),
    [
        ("", "any version"),
        (">=2.6", "2.6 or newer"),
        ("==2.5.1", "2.5.1"),
        ("==2.5.*", "2.5.x"),
        (">=2.6,<3", "2.6 or newer and older than 3"),
        ("~=2.2", "2.2 or newer and older than 3"),
        ("~=2.2.1", "2.2.1 or newer and older than 2.3"),
        ("~=1!2.2", "1!2.2 or newer and older than 1!3"),
        (">=1,!=1.5,<2", "1 or newer, older than 2 and not 1.5"),
    ],
)
def test_specifiers_are_said_in_words(specifiers: str, text: str) -> None:
    assert words_of(SpecifierSet(specifiers)) == text
