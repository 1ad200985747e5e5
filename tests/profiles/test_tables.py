"""Laws that every row of the tables keeps."""

from __future__ import annotations

from itertools import pairwise

import pytest
from packaging.utils import canonicalize_name

from profiles import family, is_family
from profiles.tables import Release, capability, document, tables
from profiles.variants import cuda_major, is_variant
from profiles.words import numbers

TABLES = tables()
PLATFORMS = {"linux_x86_64", "linux_aarch64", "windows_x86_64", "macos_arm64", "macos_x86_64"}

every_release = pytest.mark.parametrize("release", TABLES.releases, ids=lambda release: str(release.version))


def builds() -> list[tuple[str, Release, str]]:
    return [
        (variant, release, platform)
        for release in TABLES.releases
        for platform, names in release.variants.items()
        for variant in names
    ]


def test_releases_are_newest_first_and_unique() -> None:
    assert [row["torch"] for row in document("releases.toml")["release"]] == [
        str(each.version) for each in TABLES.releases
    ]
    assert all(newer.version > older.version for newer, older in pairwise(TABLES.releases))


def test_no_minor_release_is_left_out() -> None:
    minors = [release.version.minor for release in TABLES.releases if release.version.major == 2]
    assert minors == list(range(15, -1, -1))


@every_release
def test_versions_belong_to_their_release_newest_first(release: Release) -> None:
    assert release.versions
    assert list(release.versions) == sorted(set(release.versions), reverse=True)
    assert {version.release[:2] for version in release.versions} == {release.version.release}


@every_release
def test_pythons_move_forward_only(release: Release) -> None:
    oldest, newest = release.python
    assert oldest < newest
    for later in TABLES.releases:
        if later.version > release.version:
            assert later.python[0] >= oldest
            assert later.python[1] >= newest


@every_release
def test_platforms_and_variants_are_known_and_unique(release: Release) -> None:
    assert release.variants.keys() <= PLATFORMS
    for names in release.variants.values():
        assert len(set(names)) == len(names)
        assert all(map(is_variant, names))
        assert "cpu" in names


@every_release
def test_the_default_flavour_is_published(release: Release) -> None:
    for platform, names in release.variants.items():
        assert release.flavour("default", platform) in names
    assert release.default.keys() <= release.variants.keys()


@every_release
def test_the_exceptions_for_glibc_are_stricter_and_published(release: Release) -> None:
    for variant, version in release.glibc.items():
        assert version >= release.glibc["all"]
        assert variant == "all" or variant in release.variants["linux_x86_64"]


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
    capabilities = TABLES.capabilities(variant, release, platform)
    assert capabilities
    assert list(capabilities) == sorted(set(capabilities))
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


def test_cuda_13_has_no_code_for_what_cuda_13_gave_up() -> None:
    for variant, release, platform in builds():
        if cuda_major(variant) == 13:
            assert min(TABLES.capabilities(variant, release, platform) or ()) >= capability("7.5")


def test_family_names_are_normalized_sorted_and_unique() -> None:
    names = document("family.toml")["names"]
    assert names == sorted(set(names))
    assert all(canonicalize_name(name) == name for name in names)
    assert {"torch", "torchvision", "torchaudio", "triton", "pytorch-triton-rocm"} <= family()


@pytest.mark.parametrize("name", ["Torch", "pytorch_triton", "Torch.Vision".replace(".", ""), "FBGEMM_GPU"])
def test_any_spelling_of_a_family_name_is_one(name: str) -> None:
    assert is_family(name)


@pytest.mark.parametrize("name", ["numpy", "torchmetrics", "torch-geometric", "nvidia-cublas-cu12", ""])
def test_what_only_needs_torch_is_no_family(name: str) -> None:
    assert not is_family(name)
