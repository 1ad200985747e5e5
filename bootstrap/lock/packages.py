"""Packages of a `pylock.toml`, whoever wrote it, as pins."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from packaging.pylock import Package, PackageArchive, PackageSdist, PackageVcs, PackageWheel
from packaging.utils import parse_sdist_filename, parse_wheel_filename
from packaging.version import InvalidVersion, Version

from bootstrap.index.files import File
from bootstrap.lock.canonical import commit_at, stamp
from bootstrap.lock.model import ALWAYS
from bootstrap.resolver.resolution import Direct, Pin

__all__ = ["UNSTATED", "dependency_names", "own_table", "pin_of"]

UNSTATED = Version("0")  # of a folder or commit in another tool's lock: known only once it is built


def pin_of(package: Package, folder: Path) -> Pin:
    """A package of a valid file in `folder`. `requires` are all names of its dependencies, present or not."""
    files = tuple(_files(package, folder))
    return Pin(
        name=package.name,
        version=_version(package),
        files=files,
        direct=_direct(package, folder),
        requires=dependency_names(package),
        wanted_by=frozenset({ALWAYS}),
    )


def dependency_names(package: Package) -> tuple[str, ...]:
    """What the package needs in one environment or another, sorted."""
    names = {str(each.get("name", "")) for each in package.dependencies or ()}
    return tuple(sorted(names - {""}))


def own_table(package: Package) -> Mapping[str, Any]:
    """What we alone wrote about the package; empty where it is as everywhere."""
    table = (package.tool or {}).get("torchstrap", {})
    return table if isinstance(table, Mapping) else {}


def _version(package: Package) -> Version:
    if package.version is not None:
        return package.version
    if package.wheels:
        return parse_wheel_filename(package.wheels[0].filename)[1]
    if package.sdist:
        return parse_sdist_filename(package.sdist.filename)[1]
    try:
        return Version(str(own_table(package).get("version", UNSTATED)))
    except InvalidVersion:
        return UNSTATED


def _files(package: Package, folder: Path) -> Iterable[File]:
    requires = str(package.requires_python) if package.requires_python is not None else None
    sources: list[PackageWheel | PackageSdist] = list(package.wheels or ())
    if package.sdist:
        sources.append(package.sdist)
    for source in sources:
        yield File(
            filename=source.filename,
            url=_url(source, folder),
            index=package.index or "",
            hashes=dict(source.hashes),
            requires_python=requires,
            size=source.size,
            upload_time=stamp(source.upload_time) if source.upload_time else None,
        )


def _direct(package: Package, folder: Path) -> Direct | None:
    if package.vcs:
        vcs = package.vcs
        kind = "" if vcs.type == "git" else f"{vcs.type}+"
        lfs = "#lfs=true" if own_table(package).get("lfs") is True else ""
        url = f"{kind}{_url(vcs, folder)}{lfs}"
        return commit_at(
            Direct(url, commit=vcs.commit_id, subdirectory=vcs.subdirectory, revision=vcs.requested_revision)
        )
    if package.directory:
        path = _place(package.directory.path, folder)
        return Direct(
            url=path.as_uri(),
            path=path,
            editable=bool(package.directory.editable),
            subdirectory=package.directory.subdirectory,
        )
    if package.archive:
        archive = package.archive
        return Direct(
            url=_url(archive, folder),
            path=_place(archive.path, folder) if archive.path else None,
            hashes=dict(archive.hashes),
            subdirectory=archive.subdirectory,
        )
    return None


def _url(source: PackageVcs | PackageArchive | PackageSdist | PackageWheel, folder: Path) -> str:
    """The address; where both are given, the standard has the path first."""
    if source.path:
        return _place(source.path, folder).as_uri()
    return source.url or ""


def _place(path: str, folder: Path) -> Path:
    return Path(os.path.normpath(folder / path))
