"""What is in a bundle: the first thing in it, so that a reader of a stream knows what comes.

    schema      "torchstrap.bundle/1"; a newer one is refused
    created-by  who made it
    project     the name of the project, if it has one
    cells       what can be installed: each an offer of the lock on one Python and one platform
    extras,     what was switched on beside the offers, in every cell
    groups
    files       every other file in it, in its order: path, size in bytes, sha256, kind, and offset, which counts from
                the end of the manifest in the archive; of what was built from source also what it was built for

Kinds are program, lock, project, python, page, metadata and wheel; a wheel marked as tool is needed to build the
project itself where its source is. Other kinds may come: whoever does not know one leaves it alone.
Pure: nothing is opened here. Whatever a manifest says is not believed before it was looked at, names above all.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from bootstrap import __version__
from bootstrap.errors import InputError
from profiles.offer import Offer

__all__ = [
    "FILE",
    "PROJECT",
    "SCHEMA",
    "Build",
    "Cell",
    "Manifest",
    "Member",
    "bad_name",
    "place_of",
    "read",
    "text",
]

PROJECT = "project/"
FILE = "torchstrap-bundle.json"
SCHEMA = "torchstrap.bundle/1"

_ANEW = "copy it again, or make it anew with `torchstrap bundle`"
_SCHEMA = re.compile(r"torchstrap\.bundle/(\d{1,6})")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_PART = re.compile(r"[A-Za-z0-9_+!.\-]{1,255}")
_OFFER_KINDS = ("extra", "group", "variant")
_LONGEST = 1024  # characters of a path
_MOST = 200_000  # files
_LARGEST = 1 << 50  # bytes of a file

Kind = TypeVar("Kind")


class Cell(NamedTuple):
    """One thing that can be installed: an offer by its name ("" for a project without any), a Python, a platform."""

    offer: str
    python: str
    platform: str


class Build(NamedTuple):
    """What a wheel that was built from source stands for: a package of the lock in one cell."""

    package: str
    cell: Cell


@dataclass(frozen=True, slots=True)
class Member:
    """One file. `builds` is empty for what somebody published, `is_tool` marks what a project is built with."""

    path: str
    size: int
    sha256: str
    kind: str
    offset: int = 0
    builds: tuple[Build, ...] = ()
    is_tool: bool = False

    @property
    def filename(self) -> str:
        """The last part of the path."""
        return self.path.rpartition("/")[2]

    @property
    def is_wheel(self) -> bool:
        """Whether environments are made of it."""
        return self.kind == "wheel"


@dataclass(frozen=True, slots=True)
class Manifest:
    """The whole. `offers` are those of the cells, as the lock has them."""

    project: str
    offers: tuple[Offer, ...]
    cells: tuple[Cell, ...]
    members: tuple[Member, ...]
    extras: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    created_by: str = f"torchstrap {__version__}"

    def of(self, kind: str) -> tuple[Member, ...]:
        """The files of a kind."""
        return tuple(each for each in self.members if each.kind == kind)

    @property
    def pythons(self) -> tuple[str, ...]:
        """Minor versions, the newest first."""
        return tuple(sorted({each.python for each in self.cells}, key=_minor, reverse=True))

    @property
    def platforms(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(each.platform for each in self.cells))

    @property
    def variants(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(each.variant for each in self.offers))

    def offered(self, python: str, platform: str) -> tuple[Offer, ...]:
        """The offers that can be installed with a Python on a platform."""
        names = {each.offer for each in self.cells if each[1:] == (python, platform)}
        return tuple(each for each in self.offers if each.name in names)

    def words(self) -> str:
        """What can be installed, for people: "cpu, cu130 for Python 3.12 on linux_x86_64"."""
        names = ", ".join(each.name for each in self.offers) or "a project without variants"
        return f"{names} for Python {', '.join(self.pythons)} on {', '.join(self.platforms)}"


def text(manifest: Manifest) -> bytes:
    """The manifest as it is written; the same for the same content."""
    document = {
        "schema": SCHEMA,
        "created-by": manifest.created_by,
        "project": manifest.project,
        "variants": list(manifest.variants),
        "platforms": list(manifest.platforms),
        "pythons": list(manifest.pythons),
        "extras": list(manifest.extras),
        "groups": list(manifest.groups),
        "offers": [_offer_json(each) for each in manifest.offers],
        "cells": [each._asdict() for each in manifest.cells],
        "files": [_member_json(each) for each in manifest.members],
    }
    return (json.dumps(document, indent=1, ensure_ascii=True) + "\n").encode()


def read(content: bytes, place: str) -> Manifest:
    """The manifest of the bundle at a place, looked at from all sides. Raises InputError with what is wrong."""
    try:
        document = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise InputError(place, f"its {FILE} cannot be read ({error}): {_ANEW}") from error
    table = _Table(document, place, FILE)
    _ensure_known(table)
    members = tuple(map(_member, table.tables("files")))
    if len(members) > _MOST:
        raise InputError(place, f"its {FILE} lists {len(members)} files, which no bundle of ours has")
    _ensure_distinct(members, place)
    offers = tuple(map(_offer, table.tables("offers")))
    return Manifest(
        project=table.value("project", str),
        offers=offers,
        cells=tuple(_cell(each) for each in table.tables("cells")),
        members=members,
        extras=table.texts("extras"),
        groups=table.texts("groups"),
        created_by=table.value("created-by", str),
    )


def place_of(file: Path, lock: Path) -> str:
    """Where a file of a project is in the bundle, below its folder for those: as it lies around the lock."""
    try:
        return file.absolute().relative_to(lock.absolute().parent).as_posix()
    except ValueError:
        return file.name


def bad_name(path: str) -> str | None:
    """What is wrong with the name of a file in a bundle, for the end of a sentence; None if nothing is."""
    if path.startswith("/") or re.match(r"[A-Za-z]:", path):
        return "is an absolute path"
    parts = path.split("/")
    if ".." in parts:
        return "leads out of the bundle"
    if len(path) > _LONGEST or not all(_PART.fullmatch(each) and each.strip(".") for each in parts):
        return "is no plain name"
    return None


def _ensure_known(table: _Table) -> None:
    schema = table.value("schema", str)
    found = _SCHEMA.fullmatch(schema)
    if found is None:
        raise InputError(table.place, f"its {FILE} is of another program (schema {schema!r}): {_ANEW}")
    if schema != SCHEMA:
        maker = str(table.content.get("created-by", "a newer torchstrap"))
        raise InputError(
            table.place,
            f"is a bundle of format {found[1]} by {maker}, and this torchstrap knows {SCHEMA.rpartition('/')[2]}: use "
            f"the torchstrap.pyz that is in it, or update torchstrap",
        )


def _ensure_distinct(members: Iterable[Member], place: str) -> None:
    seen: set[str] = set()
    for each in members:
        folded = each.path.casefold()
        if folded in seen or folded == FILE:
            raise InputError(place, f"lists {each.path} twice, so which one is meant cannot be known: {_ANEW}")
        seen.add(folded)


def _minor(python: str) -> tuple[int, ...]:
    return tuple(int(part) for part in python.split(".") if part.isdecimal())


def _offer_json(offer: Offer) -> Mapping[str, Any]:
    return {"name": offer.name, "variant": offer.variant, "kind": offer.kind, "index": offer.index}


def _member_json(member: Member) -> Mapping[str, Any]:
    plain = {
        "path": member.path,
        "size": member.size,
        "sha256": member.sha256,
        "kind": member.kind,
        "offset": member.offset,
    }
    built = [{"package": each.package, **each.cell._asdict()} for each in member.builds]
    return {**plain, **({"builds": built} if built else {}), **({"tool": True} if member.is_tool else {})}


class _Table:
    """An object of the document; what is not as we write it becomes an InputError."""

    def __init__(self, content: object, place: str, where: str) -> None:
        if not isinstance(content, Mapping):
            raise InputError(place, f"{where} in it is not as torchstrap writes it: {_ANEW}")
        self.content: Mapping[str, Any] = content
        self.place, self.where = place, where

    def wrong(self, key: str) -> InputError:
        return InputError(self.place, f"{key!r} of {self.where} in it is not as torchstrap writes it: {_ANEW}")

    def value(self, key: str, kind: type[Kind]) -> Kind:
        value = self.content.get(key)
        if not isinstance(value, kind) or isinstance(value, bool):
            raise self.wrong(key)
        return value

    def number(self, key: str) -> int:
        value = self.value(key, int)
        if not 0 <= value <= _LARGEST:
            raise self.wrong(key)
        return value

    def tables(self, key: str) -> Iterator[_Table]:
        return (_Table(each, self.place, f"{key} of {self.where}") for each in self.value(key, list))

    def texts(self, key: str) -> tuple[str, ...]:
        values = self.value(key, list)
        if not all(isinstance(each, str) for each in values):
            raise self.wrong(key)
        return tuple(values)


def _offer(table: _Table) -> Offer:
    kind = table.value("kind", str)
    if kind not in _OFFER_KINDS:
        raise table.wrong("kind")
    index = table.content.get("index")
    known: Any = kind
    name, variant = table.value("name", str), table.value("variant", str)
    return Offer(name, variant, index if isinstance(index, str) else None, known)


def _cell(table: _Table) -> Cell:
    python = table.value("python", str)
    if re.fullmatch(r"3\.\d{1,3}", python, re.ASCII) is None:
        raise table.wrong("python")
    return Cell(table.value("offer", str), python, table.value("platform", str))


def _member(table: _Table) -> Member:
    path = table.value("path", str)
    problem = bad_name(path)
    if problem is not None:
        raise InputError(table.place, f"lists {path!r}, which {problem}: nothing of it is used")
    sha256 = table.value("sha256", str)
    if _SHA256.fullmatch(sha256) is None:
        raise table.wrong("sha256")
    builds = tuple(Build(each.value("package", str), _cell(each)) for each in _builds(table))
    size, offset = table.number("size"), table.number("offset")
    is_tool = table.content.get("tool") is True
    return Member(path, size, sha256, table.value("kind", str), offset, builds, is_tool)


def _builds(table: _Table) -> Iterator[_Table]:
    return table.tables("builds") if "builds" in table.content else iter(())
