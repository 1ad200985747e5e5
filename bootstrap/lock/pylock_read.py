"""A `pylock.toml` as values: any writer's as a valid document, our own as the `Lock` that was written."""

from __future__ import annotations

import logging
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeVar

from packaging.pylock import Package, Pylock, PylockUnsupportedVersionError, PylockValidationError
from packaging.specifiers import SpecifierSet

from bootstrap import toml
from bootstrap.errors import InputError, NewerError, NoCompatibleFileError
from bootstrap.lock.canonical import marker_text
from bootstrap.lock.entries import Use, numbers_in
from bootstrap.lock.model import ALWAYS, Lock
from bootstrap.lock.packages import dependency_names, own_table, pin_of
from bootstrap.lock.pylock_write import LOCK_VERSION, SCHEMA, TOOL
from bootstrap.lock.selection import select
from bootstrap.resolver.resolution import Pin, Resolution, Target
from profiles.offer import Offer

__all__ = ["document", "ensure_agreement", "load", "lock_of", "not_replaced", "pins", "read", "select"]

KINDS = ("extra", "group", "variant")

_ANEW = "`torchstrap lock` writes it anew"
_SHA256 = re.compile(r"[0-9a-f]{64}")

MERGE_MARKS = (b"<<<<<<< ", b"=======", b">>>>>>> ")

Kind = TypeVar("Kind")


def document(path: Path) -> Pylock:
    """The file, checked against the standard. Raises InputError if it is not TOML or not a lock that we know."""
    try:
        status = path.stat()
    except OSError:
        return _document(path, None)
    return _document(path, (status.st_ino, status.st_mtime_ns, status.st_size))


@lru_cache(maxsize=1)
def _document(path: Path, _state: tuple[int, ...] | None) -> Pylock:
    """A lock for many machines takes long to read, and one run looks at it more than once."""
    content = _content(path)
    author = content.get("created-by")
    if "lock-version" not in content:
        raise InputError(path, f"is not a pylock.toml: it has no lock-version (PEP 751). {_way_out(author)}")
    try:
        return _parsed(content)
    except PylockUnsupportedVersionError as error:
        raise InputError(
            path,
            f"is in lock format {content['lock-version']}, and this torchstrap knows {LOCK_VERSION}: "
            f"update torchstrap, or move the file away and write it anew with `torchstrap lock`",
        ) from error
    except PylockValidationError as error:
        place = f" at {error.context}" if error.context else ""
        raise InputError(path, f"is not a valid lock: {error.message}{place}. {_way_out(author)}") from error


def _parsed(content: Mapping[str, Any]) -> Pylock:
    """The document; that its format is a little newer than we know is for whoever asks to say, not for a log."""
    log = logging.getLogger("packaging.pylock")
    level = log.level
    log.setLevel(logging.ERROR)
    try:
        return Pylock.from_dict(content)
    finally:
        log.setLevel(level)


def _content(path: Path) -> Mapping[str, Any]:
    try:
        return toml.load(path)
    except InputError as error:
        lines = path.read_bytes().splitlines() if path.is_file() else []
        number = next((number for number, line in enumerate(lines, start=1) if line.startswith(MERGE_MARKS)), None)
        if number is None and not lines and not path.is_file():
            raise
        if number is None:
            author = TOOL if f'created-by = "{TOOL}"'.encode() in lines else None
            raise InputError(path, f"{error.problem}. {_way_out(author)}", error.line) from error
        raise InputError(
            path,
            f"has the marks of an unfinished merge, the first in line {number}: keep one side, "
            f"or let `torchstrap lock` write it anew",
        ) from None


def _way_out(author: object) -> str:
    """What to do about a file that cannot be read; only one of ours is ours to replace."""
    if author == TOOL:
        return _ANEW
    return f"Lock anew with {author or 'the tool that wrote it'}, or move it away and let `torchstrap lock` write one"


def load(path: Path) -> Lock | Pylock:
    """The file as a `Lock` if torchstrap wrote it, else as the standard's document. Raises InputError."""
    content = document(path)
    return lock_of(content, path) if _is_ours(content) else content


def read(path: Path) -> Lock:
    """A lock that torchstrap wrote. Raises InputError if it cannot be read or another tool wrote it."""
    content = document(path)
    if not _is_ours(content):
        raise not_replaced(path, content)
    return lock_of(content, path)


def not_replaced(path: Path, content: Pylock) -> InputError:
    """What to say where only a lock of ours will do and another tool's lies."""
    return InputError(
        path,
        f"was written by {content.created_by}, and torchstrap does not overwrite it: `torchstrap sync --frozen` "
        f"installs it as it is, and once it is moved away `torchstrap lock` writes one for every offer",
    )


def pins(path: Path, extras: Sequence[str], groups: Sequence[str] | None, target: Target) -> tuple[Pin, ...]:
    """What the file installs for the target: `select`, whoever wrote the file.

    Raises what `select` raises, and InputError if a lock of ours says one thing by its markers and another by
    `[tool.torchstrap]`.
    """
    content = document(path)
    if not _is_ours(content):
        return select(content, extras, groups, target, path.absolute().parent)
    by_resolution = select(lock_of(content, path), extras, groups, target)
    ensure_agreement(path, by_resolution, extras, groups, target)
    return by_resolution


def ensure_agreement(
    path: Path, found: Iterable[Pin], extras: Collection[str], groups: Collection[str] | None, target: Target
) -> None:
    """Raise InputError if the markers of a lock of ours, which others go by, give not what was `found` in it.

    Extras that the file does not know are left out: a project without torch is the same with every variant.
    """
    content = document(path)
    known = [each for each in extras if each in (content.extras or ())]
    try:
        by_markers = select(content, known, groups, target, path.absolute().parent)
    except NoCompatibleFileError as error:
        raise InputError(path, f"was edited by hand or merged: {error} `torchstrap lock` writes it anew") from error
    difference = {_identity(pin) for pin in found} ^ {_identity(pin) for pin in by_markers}
    if difference:
        name, version = min(difference)[:2]
        raise InputError(
            path,
            f"was edited by hand or merged: its marker and [tool.torchstrap] disagree on {name} {version}. "
            f"`torchstrap lock` writes it anew",
        )


def lock_of(content: Pylock, path: Path) -> Lock:
    """The `Lock` in a document that torchstrap wrote. Raises InputError if [tool.torchstrap] is not as we write it."""
    _ensure_whole(content, path)
    table = _Table((content.tool or {}).get(TOOL), path, TOOL)
    schema = table.value("schema", int)
    if schema > SCHEMA:
        raise NewerError(path, schema, SCHEMA, "move it away and write it anew with `torchstrap lock`")
    if schema != SCHEMA:
        raise InputError(path, f"was written by another torchstrap (schema {schema}, not {SCHEMA}): `torchstrap lock`")
    targets = [_target(each, table.table("platforms")) for each in table.tables("resolutions")]
    offers = [each.value("offer", str) for each in table.tables("resolutions")]
    also = [each.texts("also") if "also" in each else () for each in table.tables("resolutions")]
    graphs = _pins(content, path, len(targets))
    aliases = table.table("aliases") if "aliases" in table else None
    return Lock(
        requires_python=content.requires_python or SpecifierSet(),
        offers=tuple(_offer(each) for each in table.tables("offers")),
        extras=tuple(content.extras or ()),
        groups=tuple(content.dependency_groups or ()),
        default_groups=tuple(content.default_groups or ()),
        resolutions=tuple(map(Resolution, offers, targets, graphs, also)),
        inputs=table.value("inputs", str, ""),
        environments=tuple(map(marker_text, content.environments or ())),
        aliases={name: frozenset(aliases.texts(name)) for name in aliases.content} if aliases else {},
        members=table.texts("conflicting") if "conflicting" in table else (),
        project=table.value("project", str, ""),
    )


def _ensure_whole(content: Pylock, path: Path) -> None:
    """Raise InputError for what a hand does to a lock and the standard does not mind."""
    names = {package.name for package in content.packages}
    for package in content.packages:
        missing = [name for name in dependency_names(package) if name not in names]
        if missing:
            raise InputError(
                path, f"was edited by hand: {package.name} needs {missing[0]}, which is not in it. {_ANEW}"
            )
        for file in (*(package.wheels or ()), *([package.sdist] if package.sdist else ())):
            if not _SHA256.fullmatch(file.hashes.get("sha256", "")):
                raise InputError(path, f"was edited by hand: the sha256 of {file.filename} is none. {_ANEW}")


class _Table:
    """A table of ours and where it stands; what is not as we write it becomes an InputError."""

    def __init__(self, content: Any, path: Path, where: str) -> None:
        if not isinstance(content, Mapping):
            raise InputError(path, f"[tool.{where}] is not a table. `torchstrap lock` writes the lock anew")
        self.content: Mapping[str, Any] = content
        self.path, self.where = path, where

    def __contains__(self, key: str) -> bool:
        return key in self.content

    def wrong(self, key: str) -> InputError:
        return InputError(
            self.path,
            f"{key!r} in [tool.{self.where}] is not as torchstrap writes it. `torchstrap lock` writes the lock anew",
        )

    def value(self, key: str, kind: type[Kind], default: Kind | None = None) -> Kind:
        value = self.content.get(key, default)
        if not isinstance(value, kind):
            raise self.wrong(key)
        return value

    def table(self, key: str) -> _Table:
        return _Table(self.content.get(key), self.path, f"{self.where}.{key}")

    def tables(self, key: str) -> list[_Table]:
        return [_Table(each, self.path, f"{self.where}.{key}") for each in self.value(key, list)]

    def texts(self, key: str) -> tuple[str, ...]:
        values = self.value(key, list)
        if not all(isinstance(each, str) for each in values):
            raise self.wrong(key)
        return tuple(values)


def _is_ours(content: Pylock) -> bool:
    return content.created_by == TOOL or TOOL in (content.tool or {})


def _identity(pin: Pin) -> tuple[str, str, tuple[str, ...]]:
    return (pin.name, str(pin.version), tuple(sorted(file.filename for file in pin.files)))


def _offer(table: _Table) -> Offer:
    kind = table.value("kind", str)
    if kind not in KINDS:
        raise table.wrong("kind")
    index = table.value("index", str) if "index" in table else None
    known: Any = kind
    return Offer(name=table.value("name", str), variant=table.value("variant", str), index=index, kind=known)


def _target(table: _Table, platforms: _Table) -> Target:
    platform, python = table.value("platform", str), table.value("python", str)
    markers = platforms.table(platform)
    stated = {key: markers.value(key, str) for key in markers.content}
    if not {"sys_platform", "platform_machine"} <= stated.keys():
        raise platforms.wrong(platform)
    return Target(python=python, platform=platform, markers={**stated, "python_version": python}, tags=())


def _pins(content: Pylock, path: Path, count: int) -> list[tuple[Pin, ...]]:
    """The pins of each of `count` resolutions."""
    found: list[dict[str, tuple[Pin, Use]]] = [{} for _ in range(count)]
    for package in content.packages:
        pin = pin_of(package, path.absolute().parent)
        for use in _uses(package, path, count):
            for number in use.resolutions:
                if pin.name in found[number]:
                    raise InputError(
                        path, f"{pin.name} stands twice in one resolution. `torchstrap lock` writes it anew"
                    )
                found[number][pin.name] = (replace(pin, wanted_by=frozenset(use.wanted_by)), use)
    graphs = []
    for graph in found:
        linked = (
            replace(
                pin,
                requires=tuple(name for name in pin.requires if name in graph)
                if use.requires is None
                else use.requires,
            )
            for pin, use in graph.values()
        )
        graphs.append(tuple(sorted(linked, key=lambda pin: pin.name)))
    return graphs


def _uses(package: Package, path: Path, count: int) -> list[Use]:
    table = _Table(own_table(package), path, f"{TOOL} of {package.name}")
    everywhere = tuple(range(count))
    if "uses" not in table:
        return [Use(everywhere)]
    result = []
    for each in table.tables("uses"):
        numbers = numbers_in(each.value("resolutions", str)) if "resolutions" in each else everywhere
        if not numbers or numbers[-1] >= count:
            raise each.wrong("resolutions")
        wanted_by = each.texts("wanted-by") if "wanted-by" in each else (ALWAYS,)
        requires = each.texts("requires") if "requires" in each else None
        result.append(Use(numbers, wanted_by, requires))
    return result
