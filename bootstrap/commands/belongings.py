"""What is on a machine besides what it computes with, as rows for people: interpreters and folders."""

from __future__ import annotations

from collections.abc import Iterator

from bootstrap.commands.table_row import Row, amount, or_unknown
from probes import Libc, Machine, Unknown
from probes.pythons import Python
from probes.storage import Folder, Sharing, Storage

__all__ = ["python_rows", "storage_rows"]

_MOST = 12  # rows of interpreters
_CACHE = "cache"


def python_rows(machine: Machine) -> Iterator[Row]:
    """One row per interpreter: version, path, and what is unusual about it here."""
    for python in machine.pythons[:_MOST]:
        version = python.version if isinstance(python.version, str) else "unknown"
        yield Row("python", ", ".join([f"{version:<9}{python.path}", *_remarks(python, machine)]), python.source)
    more = len(machine.pythons) - _MOST
    if more > 0:
        yield Row("python", f"and {more} more, which `probe --json` names")


def _remarks(python: Python, machine: Machine) -> Iterator[str]:
    if isinstance(python.version, Unknown):
        yield f"cannot be run ({python.version.reason})"
    if python.implementation != "cpython" and isinstance(python.implementation, str):
        yield python.implementation
    if python.free_threaded is True:
        yield "free-threaded"
    if python.externally_managed is True:
        yield "externally managed"
    if isinstance(python.architecture, str) and python.architecture != machine.system.architecture:
        yield f"for {python.architecture}"
    own, linked = machine.libc, python.libc
    if isinstance(linked, Libc) and isinstance(own, Libc) and linked.family != own.family:
        yield f"linked to {linked.family} {or_unknown(linked.version)}"


def storage_rows(storage: Storage | Unknown | None) -> Iterator[Row]:
    """One row per folder: room, file system, and what it can share with the cache."""
    if isinstance(storage, Unknown):
        yield Row("storage", or_unknown(storage))
        return
    if storage is None:
        return
    shared = {each.target: each for each in storage.sharing if each.origin == _CACHE}
    for folder in storage.folders:
        yield Row(folder.purpose, ", ".join(_room(folder, shared.get(folder.purpose))))


def _room(folder: Folder, sharing: Sharing | None) -> Iterator[str]:
    yield folder.path
    yield f"{amount(folder.free)} free" if isinstance(folder.free, int) else f"room {or_unknown(folder.free)}"
    if isinstance(folder.kind, str):
        yield folder.kind
    if folder.read_only is True:
        yield "read-only"
    if sharing is not None:
        yield _shared(sharing)


def _shared(sharing: Sharing) -> str:
    """What a file of the cache costs here."""
    unknown = next((each for each in (sharing.hard_link, sharing.reflink) if isinstance(each, Unknown)), None)
    ways = [
        words for words, works in (("hard links", sharing.hard_link), ("reflinks", sharing.reflink)) if works is True
    ]
    if ways:
        return f"{' and '.join(ways)} with the cache"
    return unknown.reason if unknown is not None else "shares nothing with the cache: files are copied"
