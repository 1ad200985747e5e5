"""The lock of a project on the disk: read, and written together with what others have put there meanwhile."""

from __future__ import annotations

import hashlib
import os
import sys
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from packaging.version import Version

from bootstrap.commands.asked import is_lock
from bootstrap.commands.locks.combinations import Key
from bootstrap.commands.session import Session
from bootstrap.errors import InputError
from bootstrap.lock.model import ALWAYS, Lock
from bootstrap.lock.pylock_read import document, load, read
from bootstrap.lock.pylock_write import LOCK_VERSION, save, write
from bootstrap.resolver.resolution import Resolution
from profiles import Offer, is_family

if sys.platform != "win32":
    import fcntl

if TYPE_CHECKING:
    from packaging.pylock import Pylock

__all__ = [
    "any_lock",
    "is_served",
    "joined_offers",
    "lock_text",
    "present_lock",
    "resolution_key",
    "save_lock",
    "text_of",
]


def any_lock(session: Session) -> Lock | Pylock | None:
    """The lock that is there, whoever wrote it. Raises InputError for one that cannot be read."""
    if session.lock_path.is_file() or any(map(is_lock, session.asked.requirements)):
        found, written = load(session.lock_path), document(session.lock_path).lock_version
        if written > Version(LOCK_VERSION):
            session.warn(
                f"{session.lock_path} is in lock format {written}, and this torchstrap knows {LOCK_VERSION}: what is "
                f"new in it is not heeded; update torchstrap"
            )
        return found
    return None


def present_lock(session: Session) -> Lock | None:
    """The lock that is there. Raises InputError for a file that is none of ours."""
    return read(session.lock_path) if session.lock_path.is_file() else None


def lock_text(session: Session, lock: Lock) -> str:
    """The file's content; relative paths in it are meant from the file's folder."""
    return write(lock, session.lock_path.parent)


def save_lock(session: Session, lock: Lock, text: str) -> None:
    """Write the lock where the project keeps it, together with what another sync has put there meanwhile."""
    with _held(session):
        there = _readable(session)
        if there is not None and there.inputs == lock.inputs:
            made = {resolution_key(each) for each in lock.resolutions}
            others = tuple(
                each
                for each in there.resolutions
                if resolution_key(each) not in made and not is_served(each, made, lock.offers)
            )
            if others:
                offers = joined_offers(lock.offers, there.offers)
                resolutions = tuple(sorted((*lock.resolutions, *others), key=resolution_key))
                text = lock_text(session, replace(lock, offers=offers, resolutions=resolutions))
        if text != text_of(session.lock_path):
            save(session.lock_path, text)


def _readable(session: Session) -> Lock | None:
    """What is there now, if it is a lock of ours: whoever writes has been told before of one that is none."""
    try:
        return present_lock(session)
    except InputError:
        return None


@contextmanager
def _held(session: Session) -> Iterator[None]:
    """Two environments of one project may be made at once: whoever writes their lock looks again, alone."""
    if sys.platform == "win32":  # the last writer wins
        yield
        return
    name = hashlib.sha256(os.fsencode(session.lock_path)).hexdigest()[:16]
    held = _opened(session.cache / "locks" / name)
    try:
        if held is not None:
            fcntl.flock(held, fcntl.LOCK_EX)
        yield
    finally:
        if held is not None:
            os.close(held)


def _opened(file: Path) -> int | None:
    """The file to lock; None in a cache that can only be read, where the last writer wins."""
    for flags in (os.O_RDWR | os.O_CREAT, os.O_RDONLY):  # the second for one that somebody else has made
        with suppress(OSError):
            file.parent.mkdir(parents=True, exist_ok=True)
            return os.open(file, flags | os.O_CLOEXEC, 0o666)
    return None


def text_of(path: Path) -> str | None:
    """What a file says, None where there is none that can be read."""
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return None


def resolution_key(resolution: Resolution) -> Key:
    """What tells resolutions of one lock apart: offer, conflict members, Python, platform."""
    return (resolution.offer, resolution.also, resolution.target.python_minor, resolution.target.platform)


def is_served(resolution: Resolution, made: Collection[Key], offers: Iterable[Offer]) -> bool:
    """Is it one for a variant without torch, in whose place there is a new one for all variants?"""
    named = {each.name for each in offers}
    plain = (ALWAYS, *resolution_key(resolution)[1:])
    no_torch = not any(is_family(pin.name) for pin in resolution.pins)
    return no_torch and bool(resolution.offer) and resolution.offer not in named and plain in made


def joined_offers(first: Iterable[Offer], second: Iterable[Offer]) -> tuple[Offer, ...]:
    """The offers of both, each name once."""
    known = {each.name: each for each in (*second, *first)}
    return tuple(known[name] for name in dict.fromkeys(each.name for each in (*first, *second)))
