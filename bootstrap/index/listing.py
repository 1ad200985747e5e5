"""Links into versions: who owns a file name, which version it is, and files made only when somebody looks.

    Page(entries = (file name, unread rest of the link)) ──listing──> Listing(versions = {Version: (File, …)})

A file name is split once, a version is parsed once for each distinct text, and `Page.make` is called only for files of
versions that are asked for: of two hundred projects' files, a resolution looks at a few in a hundred.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

from bootstrap.index.files import File, Listing

__all__ = ["Page", "group", "listing"]

_ARCHIVES = (".tar.gz", ".zip")
_PLAIN_WHEEL, _BUILD_TAGGED_WHEEL = 4, 5  # hyphens in a wheel's file name (PEP 427)


@dataclass(frozen=True, slots=True)
class Page:
    """Links that may be distribution files, unread: `make` turns one entry into a file."""

    index: str
    entries: Sequence[tuple[str, Any]]
    make: Callable[[str, Any], File]

    def files(self) -> tuple[File, ...]:
        """Every link as a file."""
        return tuple(self.make(name, rest) for name, rest in self.entries)


def group(name: str, files: Iterable[File]) -> Listing:
    """Files by version, newest first; files of other projects and names that follow no rule are left out."""
    entries: dict[str, list[tuple[str, File]]] = {}
    for file in files:
        entries.setdefault(file.index, []).append((file.filename, file))
    return listing(name, [Page(index, found, _itself) for index, found in entries.items()])


def listing(name: str, pages: Iterable[Page]) -> Listing:
    """The files of one project on all pages, by version; of two files with one name, the first page's counts."""
    canonical = canonicalize_name(name)
    found: dict[Version, list[_Share]] = {}
    indexes: dict[str, None] = {}
    for page in pages:
        for text, entries in _by_version_text(canonical, page.entries).items():
            try:
                version = Version(text)
            except InvalidVersion:
                continue
            found.setdefault(version, []).append((page.make, entries))
            indexes[page.index] = None
    ordered = {version: found[version] for version in sorted(found, reverse=True)}
    return PageListing(canonical, _Versions(ordered), tuple(indexes))


class PageListing(Listing):
    """A listing whose files are made from pages when somebody looks at them."""

    __slots__ = ()

    def matching(self, version: Version, wanted: Callable[[str], bool]) -> Iterator[File]:
        assert isinstance(self.versions, _Versions)  # noqa: S101 - for the type checker: `listing` makes them together
        return self.versions.matching(version, wanted)

    def only(self, versions: Iterable[Version]) -> Listing:
        assert isinstance(self.versions, _Versions)  # noqa: S101 - as above
        return self.versions.only(self, tuple(versions))


_Share = tuple[Callable[[str, Any], File], list[tuple[str, Any]]]


class _Versions(Mapping[Version, tuple[File, ...]]):
    """Versions whose files are made when somebody looks at them. Two threads at once only do the work twice."""

    def __init__(self, shares: Mapping[Version, Sequence[_Share]]) -> None:
        self._shares = shares
        self._made: dict[Version, tuple[File, ...]] = {}
        self._parts: dict[tuple[Version, ...], PageListing] = {}

    def __getitem__(self, version: Version) -> tuple[File, ...]:
        made = self._made.get(version)
        if made is None:
            files: dict[str, File] = {}
            for make, entries in self._shares[version]:
                for name, rest in entries:
                    if name not in files:
                        files[name] = make(name, rest)
            made = self._made[version] = tuple(files.values())
        return made

    def matching(self, version: Version, wanted: Callable[[str], bool]) -> Iterator[File]:
        """Files made one by one, only those that are wanted; of two with one name, the first page's."""
        seen: set[str] = set()
        for make, entries in self._shares[version]:
            for name, rest in entries:
                if name not in seen and wanted(name):
                    seen.add(name)
                    yield make(name, rest)

    def only(self, whole: PageListing, versions: tuple[Version, ...]) -> PageListing:
        """A listing of these versions; who asks again is given the same one."""
        if versions not in self._parts:
            shares = _Versions({version: self._shares[version] for version in versions})
            self._parts[versions] = PageListing(whole.name, shares, whole.indexes)
        return self._parts[versions]

    def __contains__(self, version: object) -> bool:
        return version in self._shares

    def __iter__(self) -> Iterator[Version]:
        return iter(self._shares)

    def __len__(self) -> int:
        return len(self._shares)

    def __repr__(self) -> str:
        return f"{{{', '.join(map(str, self._shares))}}}"


def _itself(_name: str, file: File) -> File:
    return file


def _by_version_text(canonical: str, entries: Iterable[tuple[str, Any]]) -> dict[str, list[tuple[str, Any]]]:
    """Entries that belong to the project, by the text of the version in their file names.

    Most entries follow one of the same version: that they begin alike is all that has to be seen then.
    """
    found: dict[str, list[tuple[str, Any]]] = {}
    ours: dict[str, bool] = {}
    start, alike = "/", found.setdefault("", [])
    for entry in entries:
        filename = entry[0]
        if not filename.endswith(".whl"):
            text = _archive_version(canonical, filename) if filename.endswith(_ARCHIVES) else ""
            if text:
                found.setdefault(text, []).append(entry)
            continue
        hyphens = filename.count("-")
        if hyphens != _PLAIN_WHEEL and not (hyphens == _BUILD_TAGGED_WHEEL and _has_build_tag(filename)):
            continue
        if not filename.startswith(start):
            name, text, _ = filename.split("-", 2)
            if name not in ours:
                ours[name] = canonicalize_name(name) == canonical
            start = f"{name}-{text}-"
            alike = found.setdefault(text if ours[name] else "", [])
        alike.append(entry)
    found.pop("")
    return found


def _has_build_tag(filename: str) -> bool:
    return filename.split("-")[2][:1].isdigit()


def _archive_version(canonical: str, filename: str) -> str:
    """What follows the project's name in `name-version.tar.gz`; the name may hold hyphens itself, the version not."""
    stem = next((filename[: -len(end)] for end in _ARCHIVES if filename.endswith(end)), "")
    cut = len(canonical)
    if stem[cut : cut + 1] != "-" or canonicalize_name(stem[:cut]) != canonical:
        cut = next(
            (at.start() for at in re.finditer("-", stem) if canonicalize_name(stem[: at.start()]) == canonical), -1
        )
    return stem[cut + 1 :] if cut >= 0 else ""
