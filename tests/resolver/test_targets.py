"""Targets that are not this machine accept what such machines accept, and nothing else."""

from __future__ import annotations

import sys

import pytest
from packaging.markers import Marker
from packaging.specifiers import SpecifierSet
from packaging.tags import sys_tags

from bootstrap.resolver.fitness import Fitness, ending_of
from bootstrap.resolver.resolution import Target
from bootstrap.resolver.targets import PLATFORMS, PYTHONS, platform, platform_like, pythons, serves, target

ANY = SpecifierSet()


def made(word: str, python: str = "3.12", requires_python: str = "") -> Target:
    return target(python, platform(word), SpecifierSet(requires_python))


def accepts(there: Target, wheel: str) -> bool:
    ending = ending_of(wheel)
    assert ending is not None
    return Fitness(there).rank(ending) is not None


@pytest.mark.skipif(sys.platform != "linux", reason="compares with what a Linux says of itself")
def test_says_of_a_linux_what_it_says_of_itself() -> None:
    own = [str(tag) for tag in sys_tags()]
    glibc = own[1].split("manylinux_2_")[1].partition("_")[0]
    machine = own[0].partition("linux_")[2]
    python = f"{sys.version_info[0]}.{sys.version_info[1]}"
    assert list(made(f"linux_{machine}:glibc2.{glibc}", python).tags) == own


@pytest.mark.parametrize(
    ("word", "wheel", "fits"),
    [
        ("linux_x86_64", "torch-2.9.0-cp312-cp312-manylinux_2_28_x86_64", True),
        ("linux_x86_64", "torch-2.5.1+cpu-cp312-cp312-linux_x86_64", True),
        ("linux_x86_64", "old-1-cp39-abi3-manylinux1_x86_64", True),
        ("linux_x86_64", "pure-1-py3-none-any", True),
        ("linux_x86_64", "new-1-cp312-cp312-manylinux_2_34_x86_64", False),
        ("linux_x86_64:glibc2.34", "new-1-cp312-cp312-manylinux_2_34_x86_64", True),
        ("linux_x86_64:glibc2.17", "torch-2.9.0-cp312-cp312-manylinux_2_28_x86_64", False),
        ("linux_x86_64", "torch-2.9.0-cp312-cp312-manylinux_2_28_aarch64", False),
        ("linux_x86_64", "torch-2.9.0-cp312-none-macosx_11_0_arm64", False),
        ("linux_x86_64", "torch-2.9.0-cp313-cp313-manylinux_2_28_x86_64", False),
        ("linux_x86_64", "alpine-1-cp312-cp312-musllinux_1_2_x86_64", False),
        ("linux_aarch64", "torch-2.9.0-cp312-cp312-manylinux_2_28_aarch64", True),
        ("linux_aarch64", "old-1-cp312-cp312-manylinux2014_aarch64", True),
        ("macos_arm64", "torch-2.12.0-cp312-none-macosx_14_0_arm64", True),
        ("macos_arm64", "both-1-cp312-cp312-macosx_11_0_universal2", True),
        ("macos_arm64", "new-1-cp312-cp312-macosx_15_0_arm64", False),
        ("macos_arm64", "torch-2.2.2-cp312-none-macosx_10_9_x86_64", False),
        ("macos_x86_64", "torch-2.2.2-cp312-none-macosx_10_9_x86_64", True),
        ("windows_x86_64", "torch-2.9.0-cp312-cp312-win_amd64", True),
        ("windows_x86_64", "torch-2.9.0-cp312-cp312-win_arm64", False),
        ("windows_arm64", "torch-2.9.0-cp312-cp312-win_arm64", True),
    ],
)
def test_a_wheel_fits_where_it_runs(word: str, wheel: str, fits: bool) -> None:
    assert accepts(made(word), f"{wheel}.whl") is fits


@pytest.mark.parametrize(
    ("word", "marker", "holds"),
    [
        ("linux_x86_64", "sys_platform == 'linux' and platform_machine == 'x86_64' and os_name == 'posix'", True),
        ("macos_arm64", "platform_system == 'Darwin' and platform_machine == 'arm64'", True),
        ("windows_x86_64", "sys_platform == 'win32' and platform_machine == 'AMD64' and os_name == 'nt'", True),
        ("linux_aarch64", "implementation_name == 'cpython' and python_version >= '3.12'", True),
        ("linux_x86_64", "python_full_version < '3.12.1'", True),
        ("linux_x86_64", "platform_release >= '5'", False),
        ("linux_x86_64", "platform_release < '5'", False),
        ("macos_arm64", "'Darwin' in platform_version", False),
    ],
)
def test_markers_say_what_is_known_and_nothing_else(word: str, marker: str, holds: bool) -> None:
    assert Marker(marker).evaluate(dict(made(word).markers)) is holds


def test_every_marker_of_the_standard_has_a_value() -> None:
    for word in PLATFORMS:
        assert set(made(word).markers) == {
            "implementation_name", "implementation_version", "os_name", "platform_machine",
            "platform_python_implementation", "platform_release", "platform_system", "platform_version",
            "python_full_version", "python_version", "sys_platform",
        }  # fmt: skip


def test_a_lower_bound_within_a_minor_is_met_by_its_last_patch() -> None:
    fitness = Fitness(made("linux_x86_64", "3.9"))
    assert fitness.accepts_python(">=3.9.2,!=3.9.0,!=3.9.1,!=3.9.7")
    assert not fitness.accepts_python(">=3.10")


def test_the_first_patch_is_the_first_that_the_project_admits() -> None:
    assert made("linux_x86_64", "3.11", ">=3.11.4").markers["python_full_version"] == "3.11.4"
    assert made("linux_x86_64", "3.12", ">=3.11.4").markers["python_full_version"] == "3.12.0"


@pytest.mark.parametrize(
    "word",
    ["linux", "linux_x86_64:", "linux_x86_64:glibc", "linux_x86_64:glibc3.1", "macos_arm64:glibc2.28", "solaris_x86_64",
     "linux_aarch64:glibc2.12", "Linux_x86_64", ""],
)  # fmt: skip
def test_refuses_what_is_no_platform(word: str) -> None:
    with pytest.raises(ValueError, match="linux"):
        platform(word)


@pytest.mark.parametrize(
    ("requires_python", "here", "expected"),
    [
        (">=3.11", "3.12", ("3.14", "3.13", "3.12", "3.11")),
        (">=3.11.4,<3.13", "3.12", ("3.12", "3.11")),
        ("<3.12", "3.11", ("3.11", "3.10")),
        (">=3.8,<3.12", "3.11", ("3.11", "3.10", "3.9")),
        ("~=3.12.0", "3.12", ("3.12",)),
        (">=3.13", "3.15", ("3.15", "3.14", "3.13")),
        ("", "3.11", ("3.11",)),
        (">=3.10,!=3.12.*", "3.13", ("3.14", "3.13", "3.11", "3.10")),
    ],
)
def test_pythons_are_those_that_the_project_admits(requires_python: str, here: str, expected: tuple[str, ...]) -> None:
    assert pythons(SpecifierSet(requires_python), here) == expected


def test_the_pythons_are_in_a_row() -> None:
    minors = [int(each.removeprefix("3.")) for each in PYTHONS]
    assert minors == list(range(minors[0], minors[-1] + 1))


def test_what_is_locked_for_less_serves_more() -> None:
    newer, older = made("linux_x86_64:glibc2.36"), made("linux_x86_64")
    assert serves(older, newer)
    assert not serves(newer, older)


def test_a_platform_like_this_machine_has_its_tags_for_other_pythons() -> None:
    alpine = Target("3.11.7", "linux_x86_64", {"sys_platform": "linux", "python_version": "3.11"}, (
        "cp311-cp311-musllinux_1_2_x86_64", "cp311-cp311-linux_x86_64", "py3-none-any",
    ))  # fmt: skip
    there = target("3.13", platform_like(alpine), ANY)
    assert accepts(there, "alpine-1-cp313-cp313-musllinux_1_2_x86_64.whl")
    assert not accepts(there, "alpine-1-cp313-cp313-manylinux_2_28_x86_64.whl")
    assert there.markers["python_version"] == "3.13"
    assert there.markers["sys_platform"] == "linux"
