"""Packages other than torch that are published once per accelerator: which build a requirement stands for.

    jax[cuda12]              an extra of one package
    cupy-cuda12x             a package of its own
    onnxruntime-gpu          a package whose accelerator went from CUDA 11 over 12 to 13, by version
    flash-attn 2.8.3+cu12…   a version that says what it was built for

One row of splits.toml for each, with its source; nothing here knows a package by name.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from functools import cache
from operator import itemgetter

from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

from profiles.forms import KINDS
from profiles.loading import Page, Row, Sheet, every, rows_of
from profiles.tables import pages

__all__ = ["Split", "instead_of", "read_splits", "split_of", "splits"]

_NEWEST = Version("1000000")
_OLDEST = Version("0")
_LABEL = re.compile(r"cu(?P<cuda>\d{2})\d{0,2}(?:torch(?P<torch>\d+\.\d+))?", re.ASCII)


@dataclass(frozen=True, slots=True)
class Split:
    """What a package, or an extra of it, was built for. None and empty stand for "anything".

    `name` may hold a `*` in the table, never in what `split_of` returns. `cuda` is the major version, `torch` the minor
    release that a build was made against. `drivers` go by system, where they are not those of the CUDA version.
    """

    name: str
    accelerator: str
    product: str
    extra: str | None = None
    versions: SpecifierSet = field(default_factory=SpecifierSet)
    cuda: int | None = None
    label: str | None = None
    drivers: Mapping[str, str] = field(default_factory=dict)
    capability: tuple[int, int] | None = None
    platforms: frozenset[str] = frozenset()
    python: Version | None = None
    glibc: Version | None = None
    imports: frozenset[str] = frozenset()
    source: str = ""
    assumed: str | None = None
    torch: str | None = None

    @property
    def variant(self) -> str:
        """The accelerator as the variant of an offer: `cuda12`, `rocm`, `cpu`."""
        return f"cuda{self.cuda}" if self.accelerator == "cuda" and self.cuda else self.accelerator

    def __str__(self) -> str:
        return f"{self.name}[{self.extra}]" if self.extra else self.name


def split_of(name: str, extras: Collection[str] = (), version: Version | SpecifierSet | str = "") -> Split | None:
    """What a requirement stands for, by name and extras in any spelling; None for a package that is not split.

    `version` is one version, or what is asked of it; where that leaves several builds, the newest counts.
    """
    normalized = canonicalize_name(name)
    wanted = {canonicalize_name(extra) for extra in extras}
    for row in _named(normalized):
        if (row.extra is None or row.extra in wanted) and _admits(row.versions, version):
            return _labelled(replace(row, name=normalized), version)
    return None


def instead_of(split: Split, cuda: int) -> str | None:
    """The build of the same product for another CUDA, as one asks for it: `cupy-cuda13x`; None if there is none."""
    for row in splits():
        if (row.product, row.accelerator, row.cuda) == (split.product, "cuda", cuda) and "*" not in row.name:
            return f"{row}{row.versions}"
    return None


@cache
def splits() -> tuple[Split, ...]:
    """The rows that come with this program, behind those of the site. Raises TableError if those are not right."""
    return _splits(pages("splits.toml"))


def read_splits(*sheets: Sheet) -> tuple[Split, ...]:
    """The rows of sheets of the same form as ours, those of later ones first. Raises TableError."""
    return _splits([rows_of(each, KINDS) for each in sheets])


def _splits(pages: Sequence[Page]) -> tuple[Split, ...]:
    return tuple(split for row in every(pages, "split", KINDS["split"]) for split in _of_row(row))


@cache
def _named(name: str) -> tuple[Split, ...]:
    exact, patterns = _by_kind()
    found = (*exact.get(name, ()), *(each for each in patterns if fnmatchcase(name, each[1].name)))
    return tuple(row for _, row in sorted(found, key=itemgetter(0)))


@cache
def _by_kind() -> tuple[Mapping[str, Sequence[tuple[int, Split]]], Sequence[tuple[int, Split]]]:
    """The rows with their places, by name; and those whose names are patterns, which are few."""
    exact: dict[str, list[tuple[int, Split]]] = {}
    patterns = []
    for each in enumerate(splits()):
        if set(each[1].name) & set("*?["):
            patterns.append(each)
        else:
            exact.setdefault(each[1].name, []).append(each)
    return exact, patterns


def _admits(row: SpecifierSet, asked: Version | SpecifierSet | str) -> bool:
    """Whether a version that a row is about is among those that are asked for."""
    if isinstance(asked, Version):
        return row.contains(asked, prereleases=True)
    wanted = SpecifierSet(asked) if isinstance(asked, str) else asked
    both = row & wanted
    return any(both.contains(version, prereleases=True) for version in _samples(both))


def _samples(specifiers: SpecifierSet) -> Iterator[Version]:
    """Versions of which one is admitted if any is: the ends of every range, and what lies just beyond."""
    yield from (_NEWEST, _OLDEST)
    for each in specifiers:
        try:
            version = Version(each.version.removesuffix(".*"))
        except InvalidVersion:  # of ===
            continue
        yield from (version, Version(f"{version.base_version}.1"))


def _labelled(split: Split, version: Version | SpecifierSet | str) -> Split:
    """With what the version itself says of its build, where packages of this kind say it."""
    exact = _exact(version) if split.label else None
    if exact is None:
        return split
    said = f"cu{exact.post}" if split.label == "post" and exact.post and exact.post >= 100 else exact.local or ""  # noqa: PLR2004 - post1 is a plain post release
    found = _LABEL.match(said)
    return replace(split, cuda=int(found["cuda"]), torch=found["torch"]) if found else split


def _exact(version: Version | SpecifierSet | str) -> Version | None:
    if isinstance(version, Version):
        return version
    pinned = [each.version for each in SpecifierSet(str(version)) if each.operator in {"==", "==="}]
    try:
        return Version(pinned[0]) if pinned else None
    except InvalidVersion:
        return None


def _of_row(row: Row) -> Iterator[Split]:
    """One value for each name and extra of a row. Raises TableError for keys that do not go together."""
    suffix = row.get("suffix") or ""
    if not suffix and row.get("product") is None:
        raise row.error("needs the key 'product', or 'suffix': what these packages are builds of")
    if row["accelerator"] in {"cuda", "libraries"} and row.get("cuda") is None and row.get("label") is None:
        raise row.error("is about CUDA, so it needs the key 'cuda', or 'label' if the version says which")
    for name in row["names"]:
        stem = (name.replace("-", "_"),) if suffix else ()
        for extra in row.get("extras") or (None,):
            yield Split(
                name=name + suffix,
                accelerator=row["accelerator"],
                product=row.get("product") or name,
                extra=extra,
                versions=row.get("versions") or SpecifierSet(),
                cuda=row.get("cuda"),
                label=row.get("label"),
                drivers=row.get("driver") or {},
                capability=row.get("capability"),
                platforms=frozenset(row.get("platforms") or ()),
                python=row.get("python"),
                glibc=row.get("glibc"),
                imports=frozenset(row.get("imports") or stem),
                source=row["source"],
                assumed=row.get("assumed"),
            )
