from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timezone

import pytest
from packaging.specifiers import SpecifierSet
from packaging.version import Version

from bootstrap.index.files import Listing
from bootstrap.resolver.candidates import Candidates, Policy, candidates_of
from bootstrap.resolver.fitness import Fitness, ending_of
from bootstrap.resolver.resolution import Target
from tests.resolver.worlds import ANY, LINUX, Release, World

MANYLINUX = "cp311-cp311-manylinux_2_28_x86_64"
INDEX = "https://index.example/simple"


def judged(
    releases: Mapping[str, Release], policy: Policy | None = None, target: Target = LINUX, name: str = "torch"
) -> Candidates:
    listing = World({INDEX: {name: releases}}).listing(name)
    return candidates_of(listing, Fitness(target), policy or Policy())


def chosen(candidates: Candidates, specifiers: str, granted: int = 0) -> list[str]:
    mask = candidates.allowed(SpecifierSet(specifiers), granted)
    return [str(version) for index, version in enumerate(candidates.versions) if mask & (2 << index)]


def names(candidates: Candidates, version: str) -> list[str]:
    return [file.filename for file in candidates.files(candidates.versions.index(Version(version)))]


def test_versions_are_sorted_whatever_the_page_says() -> None:
    candidates = judged({"1.10": Release(), "1.9": Release(), "1.9+cpu": Release()})
    assert [str(version) for version in candidates.versions] == ["1.9", "1.9+cpu", "1.10"]


def test_a_pin_admits_the_build_with_a_local_version_and_it_is_the_newest() -> None:
    candidates = judged({"2.5.1": Release(), "2.5.1+cpu": Release(), "2.6.0": Release()})
    assert chosen(candidates, "==2.5.1") == ["2.5.1", "2.5.1+cpu"]


@pytest.mark.parametrize(
    ("specifiers", "expected"),
    [
        ("", ["1.0", "1.1"]),
        (">=1.1", ["1.1"]),
        (">=2.0rc1", ["2.0rc1"]),
        (">=1.0,!=2.0rc1", ["1.0", "1.1"]),
        (">1.1", ["2.0rc1"]),
        ("==2.0rc1", ["2.0rc1"]),
    ],
)
def test_pre_releases_take_part_where_asked_for_or_where_nothing_final_fits(
    specifiers: str, expected: list[str]
) -> None:
    assert chosen(judged({"1.0": Release(), "1.1": Release(), "2.0rc1": Release()}), specifiers) == expected


def test_pre_releases_take_part_everywhere_by_policy() -> None:
    candidates = judged({"1.0": Release(), "2.0rc1": Release()}, Policy(prereleases=True))
    assert chosen(candidates, "") == ["1.0", "2.0rc1"]


@pytest.mark.parametrize(
    ("specifiers", "expected"),
    [("", ["1.0"]), ("==1.1", ["1.1"]), ("===1.1", ["1.1"]), ("==1.*", ["1.0"]), (">=1.1", []), ("==1.0", ["1.0"])],
)
def test_yanked_versions_take_part_only_where_they_are_pinned(specifiers: str, expected: list[str]) -> None:
    assert chosen(judged({"1.0": Release(), "1.1": Release(yanked="wrong")}), specifiers) == expected


def test_a_yanked_pre_release_needs_a_pin_as_well() -> None:
    candidates = judged({"1.0": Release(), "2.0rc1": Release(yanked="wrong")})
    assert chosen(candidates, ">=2.0rc1") == []
    assert chosen(candidates, "==2.0rc1") == ["2.0rc1"]


def test_what_somebody_else_asked_for_is_granted() -> None:
    candidates = judged({"1.0": Release(), "2.0rc1": Release()})
    assert chosen(candidates, ">=1.0", granted=candidates.asked_for(SpecifierSet("==2.0rc1"))) == ["1.0", "2.0rc1"]


def test_files_come_best_first_for_the_target() -> None:
    tags = (
        "sdist",
        ANY,
        "cp311-cp311-manylinux_2_17_x86_64.manylinux2014_x86_64",
        "1-cp311-cp311-manylinux_2_28_x86_64",
        "10a-cp311-cp311-manylinux_2_28_x86_64",
        MANYLINUX,
        "cp39-abi3-manylinux_2_28_x86_64",
    )
    assert [name.removeprefix("torch-1.0-") for name in names(judged({"1.0": Release(files=tags)}), "1.0")] == [
        "10a-cp311-cp311-manylinux_2_28_x86_64.whl",
        "1-cp311-cp311-manylinux_2_28_x86_64.whl",
        "cp311-cp311-manylinux_2_28_x86_64.whl",
        "cp311-cp311-manylinux_2_17_x86_64.manylinux2014_x86_64.whl",
        "cp39-abi3-manylinux_2_28_x86_64.whl",
        "py3-none-any.whl",
        "torch-1.0.tar.gz",
    ]


def test_locks_the_wheels_of_the_same_platform_and_python_but_no_others() -> None:
    tags = (
        "cp311-cp311-manylinux_2_39_x86_64",
        MANYLINUX,
        "cp312-cp312-manylinux_2_28_x86_64",
        "cp311-cp311-win_amd64",
        "cp311-cp311-manylinux_2_28_aarch64",
        "cp311-cp311-musllinux_1_2_x86_64",
        "sdist",
    )
    locked = judged({"1.0": Release(files=tags)}).files_to_lock(0)
    assert [file.filename for file in locked] == [
        f"torch-1.0-{MANYLINUX}.whl",
        "torch-1.0-cp311-cp311-manylinux_2_39_x86_64.whl",
    ]


def test_locks_the_source_where_no_wheel_fits() -> None:
    candidates = judged({"1.0": Release(files=("cp311-cp311-win_amd64", "sdist"))})
    assert [file.filename for file in candidates.files_to_lock(0)] == ["torch-1.0.tar.gz"]


def test_locks_the_wheel_of_newer_systems_beside_the_source() -> None:
    candidates = judged({"1.0": Release(files=("cp311-cp311-manylinux_2_39_x86_64", "cp311-cp311-win_amd64", "sdist"))})
    assert [file.filename for file in candidates.files_to_lock(0)] == [
        "torch-1.0.tar.gz",
        "torch-1.0-cp311-cp311-manylinux_2_39_x86_64.whl",
    ]


def test_one_file_that_is_not_yanked_makes_the_version_good() -> None:
    listing = World({INDEX: {"torch": {"1.0": Release(files=(MANYLINUX, ANY))}}}).listing("torch")
    (first, second) = listing.versions[Version("1.0")]
    listing = Listing("torch", {Version("1.0"): (replace(first, yanked="wrong"), second)}, listing.indexes)
    candidates = candidates_of(listing, Fitness(LINUX), Policy())
    assert candidates.yanked == 0
    assert candidates.files(0) == (second,)


@pytest.mark.parametrize(
    ("policy", "expected"),
    [
        (Policy(), ["1.0", "1.1", "1.2"]),
        (Policy(no_build=True), ["1.0", "1.1"]),
        (Policy(only_binary=frozenset({"torch"})), ["1.0", "1.1"]),
        (Policy(only_binary=frozenset({":all:"})), ["1.0", "1.1"]),
        (Policy(no_binary=frozenset({"torch"})), ["1.1", "1.2"]),
        (Policy(no_binary=frozenset({":all:"}), only_binary=frozenset({"torch"})), ["1.0", "1.1"]),
        (Policy(only_binary=frozenset({":all:"}), no_binary=frozenset({"torch"})), ["1.1", "1.2"]),
        (Policy(only_binary=frozenset({"numpy"})), ["1.0", "1.1", "1.2"]),
    ],
)
def test_kinds_of_files_are_allowed_as_in_pip(policy: Policy, expected: list[str]) -> None:
    releases = {"1.0": Release(files=(ANY,)), "1.1": Release(files=(ANY, "sdist")), "1.2": Release(files=("sdist",))}
    assert chosen(judged(releases, policy), "") == expected


NOON = datetime(2024, 6, 1, 12, tzinfo=timezone.utc)


@pytest.mark.parametrize(
    ("uploaded", "reason"),
    [
        ("2024-06-01T12:00:00.123456Z", None),
        ("2024-05-31T23:59:59Z", None),
        ("2024-06-01T12:00:01Z", "was uploaded on 2024-06-01, after the date of --exclude-newer"),
        (None, "has no upload date on its index, as --exclude-newer needs"),
    ],
)
def test_what_was_uploaded_later_does_not_exist(uploaded: str | None, reason: str | None) -> None:
    candidates = judged({"1.0": Release(uploaded=uploaded)}, Policy(exclude_newer=NOON))
    if reason is None:
        assert chosen(candidates, "") == ["1.0"]
    else:
        assert candidates.left_out == (Version("1.0"),)
        assert candidates.why_not(Version("1.0")) == reason


@pytest.mark.parametrize(
    ("release", "reason"),
    [
        (Release(page_python=">=3.12"), "is for Python >=3.12"),
        (Release(files=("cp311-cp311-win_amd64",)), "has no wheel for linux_x86_64 (only for win_amd64)"),
        (
            Release(files=("cp312-cp312-win_amd64", MANYLINUX.replace("311", "310"))),
            "has no wheel for Python 3.11 (only for cp310, cp312)",
        ),
        (
            Release(files=("cp311-cp311-macosx_11_0_arm64", "cp310-cp310-linux_x86_64", "cp311-cp311-win32")),
            "has no wheel for linux_x86_64 (only for macosx_11_0_arm64, win32)",
        ),
        (Release(files=()), "has no files"),
        (Release(files=("x.egg",)), "has no file of a kind that can be installed (torch-1.0-x.egg.whl)"),
    ],
)
def test_a_version_that_is_left_out_has_a_reason(release: Release, reason: str) -> None:
    candidates = judged({"1.0": release})
    assert candidates.versions == ()
    assert candidates.why_not(Version("1.0")) == reason


def test_the_file_that_got_furthest_explains_its_version() -> None:
    files = ("cp311-cp311-win_amd64", "sdist")
    candidates = judged({"1.0": Release(files=files, page_python=">=3.13")})
    assert candidates.why_not(Version("1.0")) == "is for Python >=3.13"
    candidates = judged({"1.0": Release(files=files)}, Policy(no_build=True))
    assert candidates.why_not(Version("1.0")) == "has no wheel for linux_x86_64 (only for win_amd64)"


def test_a_bound_on_python_that_cannot_be_read_forbids_nothing() -> None:
    assert chosen(judged({"1.0": Release(page_python=">=3.x")}), "") == ["1.0"]


@pytest.mark.parametrize(
    ("filename", "ending"),
    [
        ("torch-2.6.0+cpu-cp311-cp311-linux_x86_64.whl", ("cp311", "cp311", "linux_x86_64")),
        ("torch-2.6.0-1-cp311-cp311-linux_x86_64.whl", ("cp311", "cp311", "linux_x86_64")),
        ("six-1.16.0-py2.py3-none-any.whl", ("py2.py3", "none", "any")),
        ("broken-py3-none-any.whl", None),
        ("torch-2.6.0.tar.gz", None),
    ],
)
def test_tags_are_read_from_the_end_of_the_name(filename: str, ending: tuple[str, str, str] | None) -> None:
    assert ending_of(filename) == ending


@pytest.mark.parametrize(
    ("tags", "system"),
    [
        (("cp311-cp311-manylinux_2_36_x86_64", "cp311-cp311-manylinux_2_17_x86_64"), "glibc 2.36"),
        (("cp311-cp311-musllinux_1_2_x86_64",), "musl 1.2"),
        (("cp311-cp311-macosx_14_0_arm64",), "macOS 14.0"),
        (("cp311-cp311-win_amd64",), "linux_x86_64"),
    ],
)
def test_names_the_system_that_decides_among_wheels(tags: tuple[str, ...], system: str) -> None:
    assert Fitness(replace(LINUX, tags=tags)).system() == system


@pytest.mark.parametrize(
    ("requires", "way"),
    [
        (">=3.12", "use Python 3.12"),
        ("<3.11", "use Python 3.10"),
        (">=3.8,!=3.10.*,!=3.11.*,!=3.12.*", "use Python 3.9"),
        ("==3.13.99", "use Python 3.13"),
        ("<3", ""),
        (">=3.x", ""),
        (None, "use Python 3.11"),
    ],
)
def test_suggests_the_nearest_python(requires: str | None, way: str) -> None:
    assert Fitness(LINUX).python_for(requires) == way


@pytest.mark.parametrize(
    ("release", "remedy"),
    [
        (Release(page_python=">=3.12"), "use Python 3.12"),
        (Release(files=("cp312-cp312-manylinux_2_28_x86_64",)), "use Python 3.12"),
        (Release(files=("cp39-cp39-win_amd64",)), "restrict that to other platforms with a marker"),
        (Release(files=("cp311-cp311-win_amd64",)), "restrict that to other platforms with a marker"),
        (Release(files=("cp311-cp311-manylinux_2_39_x86_64",)), ""),
        (Release(files=("py2-none-any",)), ""),
        (Release(files=()), ""),
    ],
)
def test_a_version_that_is_left_out_says_what_would_let_it_in(release: Release, remedy: str) -> None:
    assert judged({"1.0": release}).remedy(Version("1.0")) == remedy
