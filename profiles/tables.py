"""The tables in this folder, as values: which builds there are, and what each needs of a machine.

    releases.toml     torch release and platform -> variants, Pythons, C library, flavour of the default index
    cuda.toml         CUDA major and system -> oldest driver; variant, release and platform -> GPUs with code
    rocm.toml         variant -> GPUs with code
    family.toml       names that are published per variant         (read by profiles/family.py)
    companions.toml   what belongs to a release of torch           (read by profiles/companions.py)
    gpus.toml         what GPUs are called                         (read by profiles/gpus.py)
    toolkits.toml     the driver that each CUDA toolkit came with  (read by profiles/gpus.py)
    splits.toml       packages other than torch                    (read by profiles/splits.py)

They are data so that a new release of torch is a few lines, here or in the files of a site (see profiles/site.py), and
they are read once, when they are first asked for.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache, lru_cache
from pkgutil import get_data
from typing import Any

from packaging.specifiers import SpecifierSet
from packaging.version import Version

from profiles import site
from profiles.forms import KINDS, NONE, PLATFORMS
from profiles.loading import Page, Row, Sheet, every, merged, parse, rows_of
from profiles.variants import cuda_major, is_newer, order

__all__ = [
    "Architectures",
    "Pythons",
    "Release",
    "Tables",
    "capability",
    "document",
    "pages",
    "read_tables",
    "sheet",
    "tables",
]

Capability = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Pythons:
    """The Pythons that a release has wheels for: from the oldest to the newest, and free-threaded ones.

    It unpacks as the two bounds.
    """

    oldest: Version
    newest: Version
    free_threaded: tuple[str, ...] = ()

    def __iter__(self) -> Iterator[Version]:
        return iter((self.oldest, self.newest))

    def __str__(self) -> str:
        return ", ".join((f"{self.oldest} to {self.newest}", *self.free_threaded))

    def admits(self, python: str) -> bool:
        """Whether there are wheels for `3.12`, `3.12.4` or `3.13t`. Raises ValueError for what is no version."""
        minor = _minor(python.removesuffix("t"))
        if python.endswith("t"):
            return ".".join(map(str, minor)) + "t" in self.free_threaded
        return self.oldest.release[:2] <= minor <= self.newest.release[:2]


@lru_cache(maxsize=64)
def _minor(python: str) -> tuple[int, ...]:
    return Version(python).release[:2]


@dataclass(frozen=True, slots=True)
class Release:
    """One minor release of torch.

    `pythons` and `macs` go by platform, `variants` and `default`, too, `glibc` by variant or platform; "all" speaks for
    those that are not named. `assumed` says why this is not known, but taken to be so.
    """

    version: Version
    versions: tuple[Version, ...]
    pythons: Mapping[str, Pythons]
    variants: Mapping[str, tuple[str, ...]]
    default: Mapping[str, str]
    glibc: Mapping[str, Version]
    macs: Mapping[str, Version]
    assumed: str | None = None

    @property
    def python(self) -> Pythons:
        """The Pythons of the platforms that have no others."""
        return self.pythons["all"]

    @property
    def macos(self) -> Version:
        """The oldest macOS for Apple silicon."""
        return self.oldest_macos("macos_arm64")

    def python_on(self, platform: str) -> Pythons:
        """The Pythons that a platform has wheels for."""
        return self.pythons.get(platform, self.python)

    def flavour(self, variant: str, platform: str) -> str:
        """The variant that `default` stands for on a platform; any other variant is itself.

        Where the default index has no build, `default` is itself, too: no platform lists it.
        """
        return self.default.get(platform, "cpu") if variant == "default" else variant

    def publishes(self, variant: str, platform: str) -> bool | None:
        """Whether there is a build; None if nobody knows: releases newer than the tables may have newer variants."""
        known = self.variants.get(platform, ())
        if variant in known:
            return True
        return None if self.assumed and known and is_newer(variant, known) else False

    def oldest_glibc(self, variant: str, platform: str = "linux_x86_64") -> Version:
        """The C library that the Linux wheels of a variant need."""
        named = [self.glibc[name] for name in (variant, platform) if name in self.glibc]
        return max(named, default=self.glibc["all"])

    def oldest_macos(self, platform: str) -> Version:
        """The macOS that the wheels of a platform need."""
        return self.macs.get(platform, self.macs["all"])


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

    def release_for(self, version: Version) -> Release | None:
        """The release that a version of torch belongs to; None for one older than, or missing in, the tables.

        A release newer than the tables is like the newest that they know, and `assumed` says so.
        """
        minor = version.release[:2]
        for release in self.releases:
            if release.version.release[:2] == minor:
                return release
        if not self.releases or minor < self.releases[0].version.release[:2]:
            return None
        newest = self.releases[0]
        beyond = Version(f"{version.major}.{version.minor}")
        assumed = f"torch {beyond} is newer than the tables, and is assumed to be published as {newest.version} was"
        return replace(newest, version=beyond, versions=(version,), assumed=assumed)

    def capabilities(self, variant: str, release: Release, platform: str) -> tuple[Capability, ...] | None:
        """The compute capabilities with code in a build; None if no row knows the build.

        For a release newer than the tables: those of the newest release with that variant, or else with the newest
        variant of that major version of CUDA.
        """
        known = self._capabilities(variant, release, platform)
        if known is not None or release.assumed is None:
            return known
        major = cuda_major(variant)
        alike = [
            (name == variant, each.version, order(name), each, name)
            for each in self.releases
            for name in each.variants.get(platform, ())
            if major is not None and cuda_major(name) == major
        ]
        if not alike:
            return None
        _, _, _, latest, name = max(alike, key=lambda each: each[:3])
        return self._capabilities(name, latest, platform)

    def _capabilities(self, variant: str, release: Release, platform: str) -> tuple[Capability, ...] | None:
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


def sheet(name: str) -> Sheet:
    """One of the TOML files in this folder, also from inside an archive."""
    content = get_data(__package__, name)
    if content is None:
        raise FileNotFoundError(name)
    return Sheet(name, content.decode("utf-8"))


def document(name: str) -> dict[str, Any]:
    """One of the TOML files in this folder, as TOML understands it."""
    return parse(sheet(name))


def pages(*names: str) -> tuple[Page, ...]:
    """The rows of some files of this folder and of all files of the site, in this order. Raises TableError."""
    return (*(rows_of(sheet(name), KINDS) for name in names), *_site())


@cache
def _site() -> tuple[Page, ...]:
    return tuple(rows_of(each, KINDS) for each in site.sheets())


@cache
def tables() -> Tables:
    """The tables that come with this program, with what the site adds. Raises TableError if that is not right."""
    return _tables(pages("releases.toml", "cuda.toml", "rocm.toml"))


def read_tables(*sheets: Sheet) -> Tables:
    """Tables from sheets of the same form as ours, a later one after and over an earlier. Raises TableError."""
    return _tables([rows_of(each, KINDS) for each in sheets])


def _tables(pages: Sequence[Page]) -> Tables:
    releases = map(_release, merged(pages, "release", KINDS["release"]))
    return Tables(
        tuple(sorted(releases, key=lambda release: release.version, reverse=True)),
        {
            (row["cuda"], system): row[system]
            for row in merged(pages, "driver", KINDS["driver"])
            for system in ("linux", "windows")
        },
        tuple(map(_architectures, every(pages, "architectures", KINDS["architectures"]))),
        {
            variant: frozenset(row["names"])
            for row in merged(pages, "targets", KINDS["targets"])
            for variant in row["variants"]
        },
    )


def _release(row: Row) -> Release:
    variants = {name: row[name] for name in PLATFORMS if name in row.values}
    _ensure_coherent(row, variants)
    free_threaded = row.get("free_threaded") or ()
    bounds = {"all": row["python"], **(row.get("python_on") or {})}
    return Release(
        row["torch"],
        row["versions"],
        # The free-threaded builds of a platform lie between its bounds, too.
        {
            platform: Pythons(
                oldest, newest, tuple(each for each in free_threaded if oldest <= Version(each[:-1]) <= newest)
            )
            for platform, (oldest, newest) in bounds.items()
        },
        variants,
        {platform: "default" if name == NONE else name for platform, name in row["default"].items()},
        row["glibc"],
        row["macos"],
    )


def _ensure_coherent(row: Row, variants: Mapping[str, tuple[str, ...]]) -> None:
    """What the keys of a release say of each other. Raises TableError."""
    torch = row["torch"]
    for version in row["versions"]:
        if version.release[:2] != torch.release:
            raise row.error(f"versions has {version}, which is no version of torch {torch}")
    if not variants:
        raise row.error(f'names no variant; say which there are for a platform, as in {PLATFORMS[0]} = ["cpu"]')
    for platform, flavour in row["default"].items():
        if flavour != NONE and flavour not in variants.get(platform, ()):
            raise row.error(f"default is {flavour} for {platform}, but {platform} does not list that variant")


def _architectures(row: Row) -> Architectures:
    return Architectures(
        frozenset(row["variants"]),
        row["torch"],
        frozenset(row["platforms"]),
        row["capabilities"],
    )
