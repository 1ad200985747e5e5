"""`find-links`: a folder of files, or one page that links to files of many projects.

A flat page is read once; its entries are sorted into projects by name, so that asking for two hundred projects
does not read ten thousand names two hundred times.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

from bootstrap.errors import UnreachableError
from bootstrap.index.addresses import file_path, is_local
from bootstrap.index.files import File
from bootstrap.index.listing import Page
from bootstrap.index.simple import read_page

__all__ = ["FlatPage", "is_folder", "read_folder", "sort_by_project"]

_ARCHIVES = (".tar.gz", ".zip")


@dataclass(frozen=True, slots=True)
class FlatPage:
    """The entries of a flat page by the normalized names of the projects that they may belong to."""

    page: Page
    projects: Mapping[str, tuple[tuple[str, Any], ...]]

    def of(self, name: str, variant: str | None = None) -> Page:
        """The part of the page that may be about one project; `name` is normalized.

        With a variant only wheels of that build: their local version is the variant ("default" means none).
        """
        entries = self.projects.get(name, ())
        if variant is not None:
            local = None if variant == "default" else variant
            entries = tuple(entry for entry in entries if _is_build(entry[0], local))
        return Page(self.page.index, entries, self.page.make)


def is_folder(url: str) -> bool:
    """Whether a find-links value means a place on disk: a path or a file:// address."""
    return is_local(url) or "://" not in url


def read_folder(url: str) -> Page:
    """The distribution files of a folder (not of folders in it), or the links of a local page."""
    path = file_path(url) if is_local(url) else Path(url).expanduser()
    address = path.absolute().as_uri()
    try:
        if not path.is_dir():
            return read_page(path.read_bytes(), "text/html", address, address)
        with os.scandir(path) as found:
            names = sorted(entry.name for entry in found if entry.name.endswith((".whl", *_ARCHIVES)))
    except OSError as error:
        raise UnreachableError(url, f"this find-links folder cannot be read ({error.strerror})") from error
    return Page(address, [(name, path) for name in names], _folder_file(address))


def sort_by_project(page: Page) -> FlatPage:
    """A source distribution's name may hold hyphens, so it is sorted under every project it may belong to."""
    projects: dict[str, list[tuple[str, Any]]] = {}
    normalized: dict[str, str] = {}
    for entry in page.entries:
        for name in _possible_names(entry[0]):
            key = normalized.get(name)
            if key is None:
                key = normalized[name] = canonicalize_name(name)
            projects.setdefault(key, []).append(entry)
    return FlatPage(page, {name: tuple(entries) for name, entries in projects.items()})


def _possible_names(filename: str) -> list[str]:
    if filename.endswith(".whl"):
        return [filename.partition("-")[0]]
    parts = filename.split("-")
    return ["-".join(parts[:count]) for count in range(1, len(parts))]


def _is_build(filename: str, local: str | None) -> bool:
    parts = filename.split("-")
    try:
        return filename.endswith(".whl") and len(parts) > 1 and Version(parts[1]).local == local
    except InvalidVersion:
        return False


def _folder_file(index: str) -> Callable[[str, Path], File]:
    def make(filename: str, folder: Path) -> File:
        path = folder.absolute() / filename
        try:
            size = path.stat().st_size
        except OSError:
            size = None
        return File(filename, path.as_uri(), index, {}, size=size)

    return make
