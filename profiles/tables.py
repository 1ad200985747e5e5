"""The tables in this folder, as values: which builds there are, and what each needs of a machine.

    releases.toml   torch release and platform -> variants, Pythons, C library, flavour of the default index
    cuda.toml       CUDA major and system -> oldest driver; variant, release and platform -> GPUs with code
    family.toml     names that are published per variant (read by profiles/family.py)

They are data so that a new release of torch is a few lines, and they are read once, when they are first asked for.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

from packaging.specifiers import SpecifierSet
from packaging.version import Version

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

__all__ = ["Architectures", "Release", "Tables", "capability", "document", "read_tables", "tables"]

Capability = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Release:
    """One minor release of torch. Bounds are inclusive; `variants` and `default` go by platform, `glibc` by variant."""

    version: Version
    versions: tuple[Version, ...]
    python: tuple[Version, Version]
    variants: Mapping[str, tuple[str, ...]]
    default: Mapping[str, str]
    glibc: Mapping[str, Version]
    macos: Version

    def flavour(self, variant: str, platform: str) -> str:
        """The variant that `default` stands for on a platform; any other variant is itself."""
        return self.default.get(platform, "cpu") if variant == "default" else variant

    def oldest_glibc(self, variant: str) -> Version:
        """The C library that the Linux wheels of a variant need."""
        return self.glibc.get(variant, self.glibc["all"])


@dataclass(frozen=True, slots=True)
class Architectures:
    """Compute capabilities that the wheels of some variants hold machine code for."""

    variants: frozenset[str]
    torch: SpecifierSet
    platforms: frozenset[str]
    capabilities: tuple[Capability, ...]


@dataclass(frozen=True, slots=True)
class Tables:
    """All tables. Releases are in order, newest first."""

    releases: tuple[Release, ...]
    drivers: Mapping[tuple[int, str], str]
    architectures: tuple[Architectures, ...]
    targets: Mapping[str, frozenset[str]]

    def oldest_driver(self, cuda: int, system: str) -> str | None:
        """The driver that a major version of CUDA needs on `linux` or `windows`."""
        return self.drivers.get((cuda, system))

    def capabilities(self, variant: str, release: Release, platform: str) -> tuple[Capability, ...] | None:
        """The compute capabilities with code in a build; None if no row knows the build."""
        for row in self.architectures:
            if variant in row.variants and platform in row.platforms and row.torch.contains(release.version):
                return row.capabilities
        return None

    @property
    def variants(self) -> frozenset[str]:
        """Every variant that any release has on any platform."""
        return frozenset(name for release in self.releases for names in release.variants.values() for name in names)


def capability(text: str) -> Capability:
    """`"8.6"` as (8, 6)."""
    major, _, minor = text.partition(".")
    return int(major), int(minor)


def document(name: str) -> dict[str, Any]:
    """One of the TOML files in this folder, also from inside an archive."""
    return tomllib.loads(files(__package__).joinpath(name).read_text(encoding="utf-8"))


@cache
def tables() -> Tables:
    """The tables that come with this program."""
    return read_tables(document("releases.toml"), document("cuda.toml"))


def read_tables(releases: Mapping[str, Any], cuda: Mapping[str, Any]) -> Tables:
    """Tables from documents of the same form as ours. Raises KeyError or ValueError for another form."""
    return Tables(
        tuple(sorted(map(_release, releases["release"]), key=lambda release: release.version, reverse=True)),
        {(row["cuda"], system): row[system] for row in cuda["driver"] for system in ("linux", "windows")},
        tuple(map(_architectures, cuda["architectures"])),
        {variant: frozenset(row["names"]) for row in cuda["targets"] for variant in row["variants"]},
    )


def _release(row: Mapping[str, Any]) -> Release:
    oldest, newest = _versions(row["python"])
    return Release(
        Version(row["torch"]),
        _versions(row["versions"]),
        (oldest, newest),
        {name: tuple(row[name]) for name in row if name.startswith(("linux_", "macos_", "windows_"))},
        row["default"],
        {variant: Version(version) for variant, version in row["glibc"].items()},
        Version(row["macos"]),
    )


def _versions(texts: Iterable[str]) -> tuple[Version, ...]:
    return tuple(map(Version, texts))


def _architectures(row: Mapping[str, Any]) -> Architectures:
    return Architectures(
        frozenset(row["variants"]),
        SpecifierSet(row["torch"]),
        frozenset(row["platforms"]),
        tuple(map(capability, row["capabilities"])),
    )
