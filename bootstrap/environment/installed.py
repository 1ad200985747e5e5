"""What is installed in a folder of packages, read from its dist-info folders: of METADATA, the headers only."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from packaging.utils import NormalizedName, canonicalize_name

__all__ = ["Distribution", "by_name", "installed"]

# It begins with the end of the line before, which regular expressions find much faster than a beginning.
FIELD = re.compile(r"\n(name|version|requires-dist|provides-extra)[ \t]*:(.*(?:\n[ \t].*)*)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Distribution:
    """One installed package. `requires` and `extras` are as METADATA has them; `direct_url` is PEP 610's document.

    `record` says whether there is a RECORD; without one, nobody knows which files are its own.
    """

    name: str
    version: str
    requires: tuple[str, ...]
    extras: tuple[str, ...]
    record: bool
    installer: str
    direct_url: Mapping[str, Any] | None
    folder: Path

    @property
    def normalized(self) -> NormalizedName:
        return canonicalize_name(self.name)


def installed(*site_packages: Path) -> tuple[Distribution, ...]:
    """Every distribution in the folders, sorted by name; one that is there twice is twice in the answer.

    A folder that does not exist holds nothing. A dist-info without METADATA has the name of its folder, and no version.
    """
    found = [_read(folder) for site in dict.fromkeys(site_packages) for folder in _information(site)]
    return tuple(sorted(found, key=lambda each: (each.normalized, each.version, str(each.folder))))


def _information(site: Path) -> Iterator[Path]:
    try:
        names = os.listdir(site)  # noqa: PTH208 - names are all that is needed
    except (FileNotFoundError, NotADirectoryError):
        return
    yield from (site / name for name in names if name.endswith(".dist-info"))


def _read(folder: Path) -> Distribution:
    place = str(folder)
    names = frozenset(os.listdir(place))  # noqa: PTH208
    fields = _headers(_content(f"{place}/METADATA")) if "METADATA" in names else {}
    return Distribution(
        name=next(iter(fields.get("name", ())), folder.name.removesuffix(".dist-info").partition("-")[0]),
        version=next(iter(fields.get("version", ())), ""),
        requires=tuple(fields.get("requires-dist", ())),
        extras=tuple(fields.get("provides-extra", ())),
        record="RECORD" in names,
        installer=_content(f"{place}/INSTALLER").decode("utf-8", "replace").strip() if "INSTALLER" in names else "",
        direct_url=_direct_url(folder) if "direct_url.json" in names else None,
        folder=folder,
    )


def _content(path: str) -> bytes:
    with open(path, "rb", buffering=0) as file:  # noqa: PTH123 - there are hundreds, and a Path costs as much again
        return file.read()


def _headers(content: bytes) -> Mapping[str, list[str]]:
    """The fields that we want, of those before the description; continued lines are joined."""
    head = content.replace(b"\r\n", b"\n").partition(b"\n\n")[0]
    text = "\n" + head.decode("utf-8", "replace")
    fields: dict[str, list[str]] = {}
    for key, value in FIELD.findall(text):
        fields.setdefault(key.lower(), []).append(" ".join(map(str.strip, value.split("\n"))).strip())
    return fields


def _direct_url(folder: Path) -> Mapping[str, Any] | None:
    try:
        document = json.loads((folder / "direct_url.json").read_bytes())
    except ValueError:
        return None
    return document if isinstance(document, dict) else None


def by_name(distributions: Iterable[Distribution]) -> Mapping[NormalizedName, tuple[Distribution, ...]]:
    """The distributions of each name; more than one is a mistake somewhere."""
    found: dict[NormalizedName, tuple[Distribution, ...]] = {}
    for each in distributions:
        found[each.normalized] = (*found.get(each.normalized, ()), each)
    return found
