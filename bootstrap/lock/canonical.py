"""The one form in which a lock is written, so that equal decisions give equal bytes on every machine.

Left out is what varies from machine to machine (the patch release of Python, its wheel tags, the kernel's name), what
PEP 751 has no word for (yanked, PEP 658 hashes) and what must not leave a machine (credentials). The order of a pin's
files is a matter of the target's tags; a lock sorts them, and `bootstrap.lock.selection` puts the best first again.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path

from packaging.markers import Marker
from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.utils import InvalidSdistFilename, canonicalize_name, parse_sdist_filename

from bootstrap.index.addresses import without_secrets
from bootstrap.index.files import File
from bootstrap.lock.markers import cell_of, environments
from bootstrap.lock.model import Lock, python_key
from bootstrap.project.repository import read_repository
from bootstrap.resolver.resolution import Direct, Pin, Resolution, Target

__all__ = ["as_locked", "commit_at", "is_folder", "locked_address", "marker_text", "moment", "stable_markers", "stamp"]

MOMENT = re.compile(r"(\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d)(?:\.(\d+))?([Zz]|[+-]\d\d:\d\d)?")

# Files by identity and requires-python: many resolutions hold the same few files, and the lock keeps them alive.
Known = dict[tuple[int, "str | None"], File]

STABLE_MARKERS = (
    "implementation_name",
    "os_name",
    "platform_machine",
    "platform_python_implementation",
    "platform_system",
    "sys_platform",
)


def as_locked(lock: Lock, root: Path) -> Lock:
    """The lock as reading it back gives it; paths that are not absolute are taken from `root`."""
    known: Known = {}
    resolutions = sorted(
        (_resolution(each, root, known) for each in lock.resolutions),
        key=lambda each: (each.offer, each.also, python_key(each.target.python), each.target.platform),
    )
    return replace(
        lock,
        offers=tuple(replace(each, index=each.index and locked_address(each.index)) for each in lock.offers),
        extras=lock.all_extras,
        groups=lock.all_groups,
        default_groups=tuple(sorted(set(lock.default_groups))),
        resolutions=tuple(resolutions),
        environments=tuple(map(marker_text, lock.environments or environments(map(cell_of, resolutions)))),
        members=tuple(sorted(set(lock.members))),
    )


def locked_address(url: str) -> str:
    """The address without credentials. Over ssh the user's name is part of the address and stays."""
    return url if "@" not in url else without_secrets(url)


def is_folder(direct: Direct | None) -> bool:
    """Whether it is a folder of this machine, whose content no hash pins."""
    return (
        direct is not None
        and direct.path is not None
        and not direct.commit
        and not direct.hashes
        and not direct.path.name.endswith((".whl", ".zip", ".tar.gz", ".tgz", ".tar.bz2"))
    )


def marker_text(marker: Marker | str) -> str:
    """A marker as it is written here: with quotes that a TOML string need not escape."""
    text = str(Marker(str(marker)))
    return text if "'" in text else text.replace('"', "'")


def moment(text: str | None) -> datetime | None:
    """An upload time (PEP 700) in UTC; None if there is none or it cannot be read."""
    parts = MOMENT.fullmatch((text or "").strip())
    if parts is None:
        return None
    seconds, fraction, zone = parts.groups(default="")
    try:
        # Python 3.10 reads neither "Z" nor any number of digits but three and six.
        value = datetime.fromisoformat(f"{seconds}.{fraction[:6]:0<6}{zone.upper().replace('Z', '+00:00') or '+00:00'}")
    except ValueError:
        return None
    return value.astimezone(timezone.utc)


def stamp(uploaded: datetime) -> str:
    """An upload time as PEP 700 writes it."""
    aware = uploaded if uploaded.tzinfo else uploaded.replace(tzinfo=timezone.utc)
    return f"{aware.astimezone(timezone.utc):%Y-%m-%dT%H:%M:%S.%fZ}"


def stable_markers(markers: Mapping[str, str]) -> dict[str, str]:
    """Of a PEP 508 environment the part that is the same on all machines of one platform."""
    return {key: markers[key] for key in STABLE_MARKERS if key in markers}


def _resolution(resolution: Resolution, root: Path, known: Known) -> Resolution:
    target = resolution.target
    minor = target.python_minor
    markers = {**stable_markers(target.markers), "python_version": minor}
    return Resolution(
        offer=resolution.offer,
        target=Target(python=minor, platform=target.platform, markers=markers, tags=()),
        pins=tuple(sorted((_pin(each, root, known) for each in resolution.pins), key=lambda pin: pin.name)),
        also=tuple(sorted(set(resolution.also))),
    )


def _pin(pin: Pin, root: Path, known: Known) -> Pin:
    return replace(
        pin,
        files=() if pin.direct else _files(pin, known),
        direct=pin.direct and _direct(pin.direct, root),
        requires=tuple(sorted(set(pin.requires))),
        wanted_by=pin.wanted_by or frozenset({""}),
    )


def _files(pin: Pin, known: Known) -> tuple[File, ...]:
    """The wheels by name, then the one source distribution, all from the index of the best file."""
    here = {each.filename: each for each in reversed(pin.files) if each.index == pin.index}
    wheels = sorted((each for each in here.values() if each.is_wheel), key=lambda each: each.filename)
    sdists = sorted(
        (each for each in here.values() if _is_sdist_of(each, pin)),
        key=lambda each: (not each.filename.endswith(".tar.gz"), each.filename),
    )
    kept = (*wheels, *sdists[:1])
    requires = _one({each.requires_python for each in kept})
    for each in kept:
        if (id(each), requires) not in known:
            known[id(each), requires] = _file(each, requires)
    return tuple(known[id(each), requires] for each in kept)


def _is_sdist_of(file: File, pin: Pin) -> bool:
    """PEP 751 wants a source distribution to be named after its project; very old ones are not."""
    try:
        name, version = parse_sdist_filename(file.filename)
    except InvalidSdistFilename:
        return False
    return name == canonicalize_name(pin.name) and version == pin.version


def _file(file: File, requires_python: str | None) -> File:
    uploaded = moment(file.upload_time)
    return replace(
        file,
        url=locked_address(file.url),
        index=locked_address(file.index),
        hashes=dict(sorted(file.hashes.items())),
        requires_python=requires_python,
        metadata=None,
        yanked=None,
        upload_time=stamp(uploaded) if uploaded else None,
    )


def _direct(direct: Direct, root: Path) -> Direct:
    if direct.path is not None:
        path = Path(os.path.normpath(root.absolute() / direct.path))
        return replace(direct, path=path, url=path.as_uri(), hashes=dict(sorted(direct.hashes.items())))
    if direct.commit:
        return commit_at(direct, locked_address)
    return replace(direct, url=locked_address(direct.url).partition("#")[0], hashes=dict(sorted(direct.hashes.items())))


def commit_at(direct: Direct, cleaned: Callable[[str], str] = str) -> Direct:
    """A commit with its whole address, as it stands nowhere in a lock: made of the repository's and what it says.

    Addresses that git does not know, which other tools may lock, stay as they are.
    """
    try:
        found = read_repository(direct.url)
    except ValueError:
        return replace(direct, url=cleaned(direct.url))
    inside = direct.subdirectory or found.subdirectory
    whole = replace(found, url=cleaned(found.url), revision=direct.commit, subdirectory=inside)
    return replace(direct, url=whole.address, subdirectory=inside)


def _one(values: Iterable[str | None]) -> str | None:
    """The requires-python that all files agree on; old releases have some that are no specifiers."""
    distinct = set(values)
    only = distinct.pop() if len(distinct) == 1 else None
    try:
        return str(SpecifierSet(only)) if only else None
    except InvalidSpecifier:
        return None
