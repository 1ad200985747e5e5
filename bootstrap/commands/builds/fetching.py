"""Wheels of indexes in the store: downloaded together, with progress, unless they are there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from bootstrap.commands.activity import Place
from bootstrap.errors import HashMismatchError, InputError
from bootstrap.index.addresses import host, is_local
from bootstrap.index.files import File
from bootstrap.wheels.store import StoredWheel
from bootstrap.wheels.wheelhouse import Wheelhouse

if TYPE_CHECKING:
    from bootstrap.commands.session import Session

__all__ = ["fetched"]

_CONNECTIONS = 16


def fetched(session: Session, files: Sequence[File]) -> Mapping[str, StoredWheel]:
    """Wheels by address: what the store has already, and the rest downloaded."""
    found: dict[str, StoredWheel] = {}
    wheelhouse = _wheelhouse(session)
    for each in files:
        sha256 = each.hashes.get("sha256")
        entry = session.store.find(sha256) if sha256 is not None else None
        if entry is not None and (wheelhouse is None or wheelhouse.has(each.filename, sha256)):
            found[each.url] = entry
    missing = [each for each in files if each.url not in found]
    return {**found, **_downloaded(session, missing, len(found))} if missing else found


def _downloaded(session: Session, files: Sequence[File], stored: int) -> Mapping[str, StoredWheel]:
    from bootstrap.wheels.download import Download, Event, fetch  # noqa: PLC0415 - a warm run fetches nothing

    activity = session.activity
    sizes = [each.size for each in files]
    total = None if None in sizes else sum(size or 0 for size in sizes)
    activity.expect(len(files), total, _places(session, files, stored))

    def report(event: Event) -> None:
        if event.kind == "started":
            activity.started(event.download.filename, event.amount or None)
        elif event.kind == "resumed":
            activity.resumed(event.download.filename, event.amount)
        elif event.kind == "advanced":
            activity.advanced(event.download.filename, event.amount)
        elif event.kind == "arrived":
            activity.arrived(event.download.filename)
        elif event.kind == "finished":
            activity.finished(event.download.filename)

    downloads = [Download(each.url, each.filename, each.hashes.get("sha256"), each.size) for each in files]
    try:
        return fetch(
            downloads,
            session.source,
            session.store,
            report=report,
            workers=_CONNECTIONS,
            environment=session.venv.parent,
            wheelhouse=_wheelhouse(session),
        )
    except HashMismatchError as error:
        raise _of_bundle(session, files, error) or error from error


def _of_bundle(session: Session, files: Sequence[File], error: HashMismatchError) -> InputError | None:
    """What to say of a wrong file in a bundle: neither an index nor a lock is to blame."""
    bundle = None if session.bundle is None else session.bundle.bundle
    for each in files if bundle is not None else ():
        member = bundle.member(each.url) if bundle is not None and each.filename == error.file else None
        if bundle is not None and member is not None:
            return bundle.damaged(member)
    return None


def _wheelhouse(session: Session) -> Wheelhouse | None:
    kept = session.settings.keep_wheels
    return None if kept is None else Wheelhouse(kept)


def _places(session: Session, files: Sequence[File], stored: int) -> list[Place]:
    """Where the files come from, the place with the most bytes first, and how many need not come."""
    found: dict[str, Place] = {}
    for each in files:
        asked = session.client.rewrite(each.url)
        found_in = "find-links" if session.bundle is None else "the bundle"
        name = found_in if is_local(asked) else host(asked)
        before = found.get(name, Place(name, 0, 0))
        found[name] = Place(name, before.files + 1, before.total + (each.size or 0))
    ordered = sorted(found.values(), key=lambda each: -each.total)
    return [*ordered, *([Place("the store", stored, 0)] if stored else [])]
