"""A lock as the text of a `pylock.toml` (PEP 751): the same lock gives the same bytes.

What every installer needs is said in the standard's own words. What only we need to have the resolutions back stands
in `[tool.torchstrap]` (offers, the list of resolutions) and in `[packages.tool.torchstrap]`, where nothing is written
for a package that every resolution holds for the project's own sake.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import tomli_w

from bootstrap.errors import BootstrapError, CannotWriteError, NotPermittedError
from bootstrap.index.files import File
from bootstrap.lock.canonical import as_locked, is_folder, moment, stable_markers
from bootstrap.lock.entries import Entry, Use, entries, spans, uses_of
from bootstrap.lock.layout import laid_out
from bootstrap.lock.model import ALWAYS, Lock
from bootstrap.project.repository import Repository, read_repository
from bootstrap.resolver.resolution import Direct, Pin, Resolution
from profiles.offer import Offer

if sys.platform != "win32":
    import fcntl

__all__ = ["LOCK_VERSION", "SCHEMA", "TOOL", "save", "write"]

LOCK_VERSION = "1.0"
SCHEMA = 2
TOOL = "torchstrap"

PLAIN = re.compile(r"[ !#-\[\]-~]*")
"""Printable ASCII without quotes and backslashes: what TOML writes as it is."""


def write(lock: Lock, root: Path | None = None) -> str:
    """The text of the lock; folders are written relative to `root`, where the file will lie (default: here).

    Raises BootstrapError for a lock that no file can hold (a file without a hash, resolutions that no marker tells
    apart): its maker has to see to that first.
    """
    root = Path.cwd() if root is None else root
    lock = as_locked(lock, root)
    every = entries(lock)
    document = {
        "lock-version": LOCK_VERSION,
        "created-by": TOOL,
        "requires-python": str(lock.requires_python),
        "environments": list(lock.environments),
        "extras": list(lock.all_extras),
        "dependency-groups": list(lock.all_groups),
        "default-groups": list(lock.default_groups),
    }
    filled: dict[str, Any] = {key: value for key, value in document.items() if value}
    names = [frozenset(pin.name for pin in each.pins) for each in lock.resolutions]
    rivals: dict[str, list[Entry]] = {}
    for each in every:
        rivals.setdefault(each.pin.name, []).append(each)
    references = [_reference(each, rivals[each.pin.name]) for each in every]
    filled["packages"] = [_package(each, _package_tool(each, every, names), references, root) for each in every]
    filled["tool"] = {TOOL: _tool(lock)}
    return laid_out(filled, _scalar)


def save(path: Path, text: str) -> None:
    """Put the text in place at once: whoever reads the file sees the old one or the new one, whole.

    Raises CannotWriteError or NotPermittedError; what was there before is untouched then.
    """
    final = path.resolve()
    beside = final.with_name(f".{final.name}.new")
    try:
        _replace(final, beside, text.encode("utf-8"))
        _flush_folder(final.parent)
    except PermissionError as error:
        beside.unlink(missing_ok=True)
        raise NotPermittedError(f"{path} may not be written by this user: {error.strerror}.") from error
    except OSError as error:
        beside.unlink(missing_ok=True)
        raise CannotWriteError(f"{path} could not be written ({error.strerror}); it is as it was before.") from error


def _scalar(value: Any) -> str:
    # Nearly everything in a lock is a plain string, a size or a time; thousands of documents of one line take long.
    if isinstance(value, str) and PLAIN.fullmatch(value):
        return f'"{value}"'
    if type(value) in {int, datetime}:
        return str(value)
    return tomli_w.dumps({"x": value}).removeprefix("x = ").removesuffix("\n")


def _replace(final: Path, beside: Path, content: bytes) -> None:
    """There is one name beside, held by who writes: what a kill leaves is written over the next time."""
    while True:
        # os.open, since a temporary file of the library would take its narrow permissions into the place of the lock.
        descriptor = os.open(beside, os.O_RDWR | os.O_CREAT | getattr(os, "O_BINARY", 0), 0o666)
        with os.fdopen(descriptor, "r+b") as file:
            if sys.platform != "win32":
                with suppress(OSError):  # file systems without locks: the last writer wins
                    fcntl.flock(file, fcntl.LOCK_EX)
                if not _is(beside, descriptor):
                    continue  # who held it has given it its name
            file.truncate()
            file.write(content)
            file.flush()
            os.fsync(descriptor)
            if sys.platform != "win32":
                beside.replace(final)
        break
    if sys.platform == "win32":
        beside.replace(final)


def _is(path: Path, descriptor: int) -> bool:
    try:
        return os.path.samestat(path.stat(), os.fstat(descriptor))
    except FileNotFoundError:
        return False


def _flush_folder(folder: Path) -> None:
    if os.name == "nt":
        return  # Windows opens no folders
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _package(
    entry: Entry, own: Mapping[str, Any], references: Sequence[Mapping[str, Any]], root: Path
) -> dict[str, Any]:
    pin = entry.pin
    table: dict[str, Any] = {"name": pin.name}
    if not is_folder(pin.direct):
        # The version of a folder may change under the lock, so the standard forbids to state it.
        table["version"] = str(pin.version)
    if entry.marker:
        table["marker"] = entry.marker
    if pin.files and pin.files[0].requires_python:
        table["requires-python"] = pin.files[0].requires_python
    if entry.dependencies:
        table["dependencies"] = [references[position] for position in entry.dependencies]
    table.update(_direct(pin, pin.direct, root) if pin.direct else _files(pin))
    return {**table, "tool": {TOOL: own}} if own else table


def _files(pin: Pin) -> dict[str, Any]:
    result: dict[str, Any] = {"index": pin.index} if pin.index else {}
    sdists = [_file(each) for each in pin.files if not each.is_wheel]
    wheels = [_file(each) for each in pin.files if each.is_wheel]
    if sdists:
        result["sdist"] = sdists[0]
    if wheels:
        result["wheels"] = wheels
    return result


def _file(file: File) -> dict[str, Any]:
    table = {
        # The standard takes the name from the address; "%2B" for "+" is left to no reader's understanding.
        "name": None if urlsplit(file.url).path.rpartition("/")[2] == file.filename else file.filename,
        "upload-time": moment(file.upload_time),
        "url": file.url,
        "size": file.size,
        "hashes": dict(file.hashes),
    }
    return {key: value for key, value in table.items() if value is not None}


def _direct(pin: Pin, direct: Direct, root: Path) -> dict[str, Any]:
    """The one of `vcs`, `directory` and `archive` that says where the package is."""
    inside = {"subdirectory": direct.subdirectory} if direct.subdirectory else {}
    if direct.commit:
        asked = {"requested-revision": direct.revision} if direct.revision else {}
        where = {"url": _repository(pin, direct).url}
        return {"vcs": {"type": "git", **where, **asked, "commit-id": direct.commit, **inside}}
    if direct.path is not None and is_folder(direct):
        editable = {"editable": True} if direct.editable else {}
        return {"directory": {"path": _relative(direct.path, root), **editable, **inside}}
    if not direct.hashes:
        raise BootstrapError(f"{pin.name} at {direct.url} has no hash, and a lock without hashes proves nothing.")
    where = {"path": _relative(direct.path, root)} if direct.path is not None else {"url": direct.url}
    return {"archive": {**where, "hashes": dict(direct.hashes), **inside}}


def _repository(pin: Pin, direct: Direct) -> Repository:
    try:
        return read_repository(direct.url)
    except ValueError as error:
        raise BootstrapError(f"{pin.name} cannot be locked: {error}.") from error


def _relative(path: Path, root: Path) -> str:
    try:
        return Path(os.path.relpath(path, root.absolute())).as_posix()
    except ValueError:  # another drive
        return path.as_posix()


def _reference(entry: Entry, alike: Sequence[Entry]) -> dict[str, Any]:
    """As much of a package as tells it from all others of its name in the lock."""
    pin = entry.pin
    rivals = [each for each in alike if each is not entry]
    reference: dict[str, Any] = {"name": pin.name}
    if not is_folder(pin.direct):
        reference["version"] = str(pin.version)
        rivals = [each for each in rivals if each.pin.version == pin.version]
    if rivals and pin.index:
        reference["index"] = pin.index
        rivals = [each for each in rivals if each.pin.index == pin.index]
    if rivals and entry.marker:
        reference["marker"] = entry.marker
    return reference


def _package_tool(entry: Entry, every: Sequence[Entry], names: Sequence[frozenset[str]]) -> dict[str, Any]:
    uses = uses_of(entry, every, names)
    result: dict[str, Any] = {}
    direct = entry.pin.direct
    if is_folder(direct):
        result["version"] = str(entry.pin.version)
    if direct is not None and direct.commit and _repository(entry.pin, direct).lfs:
        result["lfs"] = True
    if uses != (Use(tuple(range(len(names)))),):
        result["uses"] = [_use(each, len(names)) for each in uses]
    return result


def _use(use: Use, resolutions: int) -> dict[str, Any]:
    table: dict[str, Any] = {}
    if len(use.resolutions) != resolutions:
        table["resolutions"] = spans(use.resolutions)
    if use.wanted_by != (ALWAYS,):
        table["wanted-by"] = list(use.wanted_by)
    if use.requires is not None:
        table["requires"] = list(use.requires)
    return table


def _tool(lock: Lock) -> dict[str, Any]:
    platforms = {each.target.platform: stable_markers(each.target.markers) for each in lock.resolutions}
    table: dict[str, Any] = {"schema": SCHEMA}
    if lock.project:
        table["project"] = lock.project
    if lock.inputs:
        table["inputs"] = lock.inputs
    if lock.aliases:
        table["aliases"] = _aliases(lock.aliases)
    table["offers"] = [_offer(each) for each in lock.offers]
    if lock.members:
        table["conflicting"] = list(lock.members)
    table["resolutions"] = [
        {"offer": each.offer, "python": each.target.python, "platform": each.target.platform, **_also(each)}
        for each in lock.resolutions
    ]
    table["platforms"] = dict(sorted(platforms.items()))
    return table


def _also(resolution: Resolution) -> dict[str, list[str]]:
    return {"also": list(resolution.also)} if resolution.also else {}


def _aliases(aliases: Mapping[str, frozenset[str]]) -> dict[str, list[str]]:
    return {name: sorted(names) for name, names in sorted(aliases.items())}


def _offer(offer: Offer) -> dict[str, str]:
    table = {"name": offer.name, "kind": offer.kind, "variant": offer.variant, "index": offer.index}
    return {key: value for key, value in table.items() if value is not None}
