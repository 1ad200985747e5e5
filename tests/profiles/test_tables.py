"""Laws that every row of the tables keeps, and what is answered where no row does."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import pytest
from packaging.utils import canonicalize_name
from packaging.version import Version

from profiles import family, is_family
from profiles.companions import companions, triton_name
from profiles.doubts import FILES, doubts
from profiles.forms import PLATFORMS
from profiles.gpus import amd_families, nvidia_families, toolkit_drivers
from profiles.tables import Pythons, Release, capability, document, read_tables, sheet
from profiles.variants import cuda_major
from profiles.words import numbers

OWN = ("releases.toml", "cuda.toml", "rocm.toml")
TABLES = read_tables(*map(sheet, OWN))

every_release = pytest.mark.parametrize("release", TABLES.releases, ids=lambda release: str(release.version))


def builds() -> list[tuple[str, Release, str]]:
    return [
        (variant, release, platform)
        for release in TABLES.releases
        for platform, names in release.variants.items()
        for variant in names
    ]


def release_of(torch: str) -> Release:
    release = TABLES.release_for(Version(torch))
    assert release is not None
    return release


def test_releases_are_newest_first_and_unique() -> None:
    assert [row["torch"] for row in document("releases.toml")["release"]] == [
        str(each.version) for each in TABLES.releases
    ]
    assert all(newer.version > older.version for newer, older in pairwise(TABLES.releases))


def test_no_minor_release_is_left_out() -> None:
    minors = [release.version.minor for release in TABLES.releases if release.version.major == 2]
    assert minors == list(range(15, -1, -1))


@pytest.mark.parametrize("name", FILES)
def test_every_block_says_where_it_was_read(name: str) -> None:
    blocks = [block for several in document(name).values() for block in several]
    assert blocks
    assert all(block["source"].strip() for block in blocks)


def test_doubts_are_told_with_their_place() -> None:
    told = doubts()
    assert len(told) == len(set(told))
    newest = next(each for each in told if ": release torch 2.15," in each)
    line = int(newest.removeprefix("releases.toml, line ").partition(":")[0])
    assert sheet("releases.toml").text.splitlines()[line - 1 : line + 1] == ["[[release]]", 'torch = "2.15"']
    assert "assumed: the index was not read" in newest
    assert any("targets variants rocm6.1" in each and each.endswith("rests on uv alone") for each in told)
    assert not any("driver cuda 11" in each for each in told)


@every_release
def test_pythons_are_forward_only_and_every_platform_stays_within_what_torch_has(release: Release) -> None:
    oldest, newest = release.python
    assert oldest < newest
    for platform in release.variants:
        assert release.python_on(platform).newest <= max(newest, Version("3.11"))
    for later in TABLES.releases:
        if later.version > release.version:
            assert later.python.oldest >= oldest
            assert later.python.newest >= newest


@every_release
def test_free_threaded_pythons_are_among_the_ordinary_ones(release: Release) -> None:
    for python in release.python.free_threaded:
        assert release.python.admits(python.removesuffix("t"))


@every_release
def test_every_platform_has_a_build_for_the_cpu(release: Release) -> None:
    assert release.variants.keys() <= set(PLATFORMS)
    assert all("cpu" in names for names in release.variants.values())


@every_release
def test_the_default_flavour_is_published(release: Release) -> None:
    for platform, names in release.variants.items():
        assert release.flavour("default", platform) in (*names, "default")
    assert release.default.keys() <= release.variants.keys()


@every_release
def test_the_exceptions_for_glibc_are_stricter_and_published(release: Release) -> None:
    for name, version in release.glibc.items():
        assert version >= release.glibc["all"]
        assert name in {"all", *release.variants, *release.variants["linux_x86_64"]}


@every_release
def test_exceptions_are_for_platforms_that_are_published(release: Release) -> None:
    assert release.pythons.keys() <= {"all", *release.variants}
    assert release.macs.keys() <= {"all", *release.variants}


def test_drivers_grow_with_cuda() -> None:
    for system in ("linux", "windows"):
        floors = [numbers(TABLES.drivers[cuda, system]) for cuda in (11, 12, 13)]
        assert floors == sorted(set(floors))


@pytest.mark.parametrize(
    ("variant", "release", "platform"),
    [build for build in builds() if build[0].startswith("cu")],
    ids=lambda value: str(getattr(value, "version", value)),
)
def test_every_cuda_build_has_a_driver_and_architectures(variant: str, release: Release, platform: str) -> None:
    assert TABLES.capabilities(variant, release, platform)
    major = cuda_major(variant)
    assert major is not None
    assert TABLES.oldest_driver(major, platform.partition("_")[0])


def test_every_rocm_build_has_targets() -> None:
    for variant, *_ in builds():
        assert not variant.startswith("rocm") or TABLES.targets[variant]


def test_every_row_of_architectures_is_reached() -> None:
    used = {
        id(TABLES.capabilities(variant, release, platform))
        for variant, release, platform in builds()
        if variant.startswith("cu")
    }
    assert used == {id(row.capabilities) for row in TABLES.architectures}


def test_every_variant_of_the_rows_is_published() -> None:
    for row in TABLES.architectures:
        assert row.variants <= TABLES.variants
    assert TABLES.targets.keys() <= TABLES.variants


def test_cuda_13_has_no_code_for_what_cuda_13_gave_up() -> None:
    for variant, release, platform in builds():
        if cuda_major(variant) == 13:
            assert min(TABLES.capabilities(variant, release, platform) or ()) >= capability("7.5")


def test_every_architecture_has_a_family() -> None:
    assert {code for row in TABLES.architectures for code in row.capabilities} <= nvidia_families().keys()
    assert {target for targets in TABLES.targets.values() for target in targets} <= amd_families().keys()


def test_families_are_in_order() -> None:
    codes = list(nvidia_families())
    assert codes == sorted(codes)
    assert (nvidia_families()[8, 9], amd_families()["gfx90a"].name) == ("Ada", "CDNA 2")


def test_an_override_is_told_only_where_no_build_of_its_own_is_common() -> None:
    told = {name: family.override for name, family in amd_families().items() if family.override}
    assert told["gfx1031"] == "10.3.0"
    assert not told.keys() & TABLES.targets["rocm7.0"]


def test_toolkits_grow_and_came_with_more_than_the_oldest_driver() -> None:
    for system in ("linux", "windows"):
        drivers = [(cuda, driver) for (cuda, on), driver in toolkit_drivers().items() if on == system]
        assert all(one < other for (one, _), (other, _) in pairwise(drivers))
        assert all(numbers(one) <= numbers(other) for (_, one), (_, other) in pairwise(drivers))
        for cuda, driver in drivers:
            oldest = TABLES.oldest_driver(cuda.major, system)
            # 12.0 came with an older one for Windows than what is said to be needed: see cuda.toml.
            if oldest and (system, str(cuda)) != ("windows", "12.0") and cuda >= Version("11.1"):
                assert numbers(driver) >= numbers(oldest)


def test_every_release_has_companions() -> None:
    assert list(companions()) == [release.version for release in TABLES.releases]


@pytest.mark.parametrize("torch", list(companions()), ids=str)
def test_companions_keep_step_with_torch(torch: Version) -> None:
    row = companions()[torch]
    if torch.major == 2:
        assert row.torchvision == Version(f"0.{min(torch.minor, 14) + 15}")
        assert row.torchaudio == min(torch, Version("2.11"))
    for variant, names in row.without.items():
        assert variant in TABLES.variants
        assert set(names) <= family()
    older = [each for version, each in companions().items() if version < torch]
    assert all((each.triton or Version("0")) <= (row.triton or Version("0")) for each in older)


@pytest.mark.parametrize(
    ("variant", "torch", "name"),
    [
        ("cu128", "2.9.1", "triton"),
        ("cu132", "2.15.0", "triton"),
        ("rocm6.4", "2.9.1", "pytorch-triton-rocm"),
        ("rocm7.0", "2.10.0", "triton-rocm"),
        ("rocm7.2", "2.14.0.dev20260801", "triton-rocm"),
        ("xpu", "2.8.0", "pytorch-triton-xpu"),
        ("xpu", "2.12.0", "triton-xpu"),
        ("cpu", "2.12.0", None),
    ],
)
def test_triton_has_several_names(variant: str, torch: str, name: str | None) -> None:
    assert triton_name(variant, Version(torch)) == name
    assert name is None or is_family(name)


@pytest.mark.parametrize(
    ("torch", "python", "platform", "admitted"),
    [
        ("2.15", "3.10", "linux_x86_64", False),
        ("2.15", "3.11", "linux_x86_64", True),
        ("2.15", "3.14.2", "linux_x86_64", True),
        ("2.15", "3.15", "linux_x86_64", False),
        ("2.15", "3.14", "windows_arm64", False),
        ("2.15", "3.14t", "windows_arm64", False),
        ("2.15", "3.13", "windows_arm64", True),
        ("2.12", "3.13t", "linux_x86_64", False),
        ("2.12", "3.14t", "linux_x86_64", True),
        ("2.11", "3.13t", "linux_x86_64", True),
        ("2.8", "3.13.1t", "linux_x86_64", True),
        ("2.8", "3.14t", "linux_x86_64", False),
        ("2.5", "3.13", "linux_x86_64", True),
        ("2.5", "3.13t", "linux_x86_64", False),
        ("1.13", "3.11", "linux_x86_64", True),
        ("1.13", "3.11", "windows_x86_64", False),
    ],
)
def test_pythons_of_a_release(torch: str, python: str, platform: str, admitted: bool) -> None:
    assert release_of(torch).python_on(platform).admits(python) is admitted


def test_pythons_can_be_said() -> None:
    assert str(release_of("2.11").python) == "3.10 to 3.14, 3.13t, 3.14t"
    with pytest.raises(ValueError, match="three"):
        Pythons(Version("3.10"), Version("3.14")).admits("three")


@pytest.mark.parametrize(
    ("torch", "variant", "platform", "glibc"),
    [
        ("2.6", "cpu", "linux_x86_64", "2.17"),
        ("2.6", "cu126", "linux_x86_64", "2.28"),
        ("2.6", "cpu", "linux_aarch64", "2.28"),
        ("2.5", "cpu", "linux_aarch64", "2.17"),
        ("2.7", "cu118", "linux_x86_64", "2.28"),
    ],
)
def test_glibc_of_a_build(torch: str, variant: str, platform: str, glibc: str) -> None:
    assert release_of(torch).oldest_glibc(variant, platform) == Version(glibc)


def test_macos_of_a_release() -> None:
    assert release_of("2.12").macos == Version("14.0")
    assert release_of("2.2").oldest_macos("macos_x86_64") == Version("10.9")
    assert "macos_x86_64" not in release_of("2.3").variants


def test_where_the_default_index_has_no_build_default_is_no_variant() -> None:
    assert release_of("2.15").flavour("default", "windows_arm64") == "default"
    assert release_of("2.15").flavour("default", "windows_x86_64") == "cpu"


@pytest.mark.parametrize("torch", ["2.15.3", "2.15.0.dev20260901", "2.15.0+cu132"])
def test_a_patch_of_a_known_release_is_known(torch: str) -> None:
    assert release_of(torch) is TABLES.releases[0]


@pytest.mark.parametrize("torch", ["1.12.1", "1.14", "0.4"])
def test_a_release_that_the_tables_have_no_row_for_is_not_made_up(torch: str) -> None:
    assert TABLES.release_for(Version(torch)) is None
    assert replace(TABLES, releases=()).release_for(Version("2.15")) is None


@pytest.mark.parametrize("torch", ["2.16.0", "2.16.1+cu130", "3.0"])
def test_a_release_newer_than_the_tables_is_assumed(torch: str) -> None:
    release = release_of(torch)
    minor = ".".join(torch.split(".")[:2])
    assert release.assumed == f"torch {minor} is newer than the tables, and is assumed to be published as 2.15 was"
    assert (release.version, release.versions) == (Version(minor), (Version(torch),))
    assert release.python == TABLES.releases[0].python


@pytest.mark.parametrize(
    ("variant", "platform", "like"),
    [
        ("cu132", "linux_x86_64", ("cu132", "2.15")),
        ("cu134", "linux_x86_64", ("cu132", "2.15")),
        ("cu134", "linux_aarch64", ("cu132", "2.15")),
        ("cu126", "linux_x86_64", ("cu126", "2.14")),
        ("cu128", "linux_x86_64", ("cu128", "2.11")),
        ("cu140", "linux_x86_64", None),
        ("cu130", "macos_arm64", None),
    ],
)
def test_newer_releases_hold_code_for_what_the_newest_known_of_their_series_does(
    variant: str, platform: str, like: tuple[str, str] | None
) -> None:
    expected = TABLES.capabilities(like[0], release_of(like[1]), platform) if like else None
    assert TABLES.capabilities(variant, release_of("2.16"), platform) == expected
    assert (expected is None) is (like is None)
    assert TABLES.capabilities("cu134", release_of("2.15"), platform) is None


@pytest.mark.parametrize(
    ("torch", "variant", "platform", "published"),
    [
        ("2.15", "cu132", "linux_x86_64", True),
        ("2.15", "cu134", "linux_x86_64", False),
        ("2.16", "cu132", "linux_x86_64", True),
        ("2.16", "cu134", "linux_x86_64", None),
        ("2.16", "cu126", "linux_x86_64", False),
        ("2.16", "rocm8.0", "linux_x86_64", False),
        ("2.16", "cu134", "macos_x86_64", False),
    ],
)
def test_newer_releases_may_have_newer_variants(
    torch: str, variant: str, platform: str, published: bool | None
) -> None:
    assert release_of(torch).publishes(variant, platform) is published


def test_family_names_are_normalized_sorted_and_unique() -> None:
    for block in document("family.toml")["family"]:
        assert block["names"] == sorted(set(block["names"]))
    assert all(canonicalize_name(name) == name for name in family())
    assert {"torch", "torchvision", "torchaudio", "triton", "pytorch-triton-rocm"} <= family()


@pytest.mark.parametrize("name", ["Torch", "pytorch_triton", "Torch.Vision".replace(".", ""), "FBGEMM_GPU"])
def test_any_spelling_of_a_family_name_is_one(name: str) -> None:
    assert is_family(name)


@pytest.mark.parametrize("name", ["numpy", "torchmetrics", "torch-geometric", "nvidia-cublas-cu12", ""])
def test_what_only_needs_torch_is_no_family(name: str) -> None:
    assert not is_family(name)
