"""`lock`: everything that a project can be asked for, written to the file unless somebody only wants to look."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from bootstrap import stamp
from bootstrap.commands.asked import is_lock
from bootstrap.commands.choices.clashing import clashes_in
from bootstrap.commands.locks.combinations import Key
from bootstrap.commands.locks.lock_file import lock_text, present_lock, resolution_key, save_lock, text_of
from bootstrap.commands.locks.matrix import Left, lock_all
from bootstrap.commands.locks.reliefs import relieving
from bootstrap.commands.observed import observed
from bootstrap.commands.session import Session
from bootstrap.errors import BootstrapError, InputError, UsageError
from bootstrap.lock.difference import Difference, difference
from bootstrap.lock.model import ALWAYS, Lock, python_key
from bootstrap.lock.pylock_write import TOOL

__all__ = ["Written", "lock"]

PLAIN = "without an offer"


@dataclass(frozen=True, slots=True)
class Written:
    """What `lock` made: the text of the lock, where it is kept, and how it differs from the one before, by offer.

    `notes` say what is new in it and what is not in it because there is no build of torch.
    """

    text: str
    path: Path
    is_changed: bool
    summary: str
    differences: Mapping[str, Difference]
    notes: tuple[str, ...]
    warnings: tuple[str, ...]


def lock(session: Session) -> Written:
    """Lock everything and, unless `--check` or `-o -` says otherwise, write the file.

    Raises UsageError for a lock where requirements should be, and what `lock_all` raises.
    """
    named = next(filter(is_lock, session.asked.requirements), None)
    if named is not None:
        raise UsageError(f"{named} is a lock already: `torchstrap sync -r {named}` installs it as it is")
    inputs, before = observed(session), _before(session)
    with relieving(session):
        matrix = lock_all(session, before)
    text = lock_text(session, matrix.lock)
    is_changed = text != text_of(session.lock_path)
    if is_changed and not session.asked.check and session.asked.output != "-":
        save_lock(session, matrix.lock, text)
    every = [*map(resolution_key, matrix.lock.resolutions), *(each.combination.key for each in matrix.left)]
    for sentence in (*_complaints(matrix.left, every), *clashes_in(matrix.lock)):
        session.warn(sentence)
    unbuilt, summary = tuple(_unbuilt(matrix.left, every)), _summary(matrix.lock)
    # What is tried again each time leaves no stamp.
    if inputs == observed(session) and not any(isinstance(each.reason, BootstrapError) for each in matrix.left):
        _leave_stamp(session, f"{session.lock_path}: {summary}, unchanged", unbuilt)
    return Written(
        text,
        session.lock_path,
        is_changed,
        summary + ("" if is_changed else ", unchanged"),
        _differences(before, matrix.lock),
        (*unbuilt, *_new(before, matrix.lock)),
        session.everything_to_say(),
    )


def _leave_stamp(session: Session, summary: str, notes: tuple[str, ...]) -> None:
    """Let the next `lock` know at a glance that it would change nothing."""
    asked = session.asked
    folder = stamp.lock_folder(str(session.cache), str(asked.project or os.environ.get("TORCHSTRAP_PROJECT") or "."))
    if folder is None or asked.check or asked.output or asked.upgrade or asked.upgrade_packages or asked.requirements:
        return
    with suppress(OSError):
        Path(folder).mkdir(parents=True, exist_ok=True)
    watched = [*observed(session), str(session.lock_path), str(session.interpreter.path)]
    stamp.write(folder, list(asked.options), watched, summary, session.everything_to_say(), notes=notes)


def _before(session: Session) -> Lock | None:
    """The lock that is there. One of ours that cannot be read (a merge left its marks in it) is written anew.

    Raises InputError for a file that is none of ours: it is not ours to replace.
    """
    try:
        return present_lock(session)
    except InputError as error:
        if f'created-by = "{TOOL}"' not in (text_of(session.lock_path) or ""):
            raise
        done = "" if session.asked.check else ". That is done now, and the versions that it held are forgotten"
        session.warn(f"{error}{done}")
        return None


def _summary(lock: Lock) -> str:
    pins = {(pin.name, pin.version) for each in lock.resolutions for pin in each.pins}
    names = sorted({each.offer for each in lock.resolutions} - {ALWAYS})
    pythons = sorted({each.target.python_minor for each in lock.resolutions}, key=python_key)
    platforms = sorted({each.target.platform for each in lock.resolutions})
    offers = f" for {', '.join(names)}" if names else ""
    return f"{len(pins)} packages{offers}, Python {', '.join(pythons)}, {', '.join(platforms)}"


def _complaints(left: Iterable[Left], every: Collection[Key]) -> Iterable[str]:
    """What is not in the lock although it should be, a line for each offer."""
    wrong = [each for each in left if isinstance(each.reason, BootstrapError)]
    for name in dict.fromkeys(each.combination.key[0] for each in wrong):
        own = [each for each in wrong if each.combination.key[0] == name]
        first, *others = dict.fromkeys(str(each.reason).partition("\n")[0].removeprefix("1. ") for each in own)
        more = f" ({len(others)} more reasons; `--platform` and `--python-version` tell each)" if others else ""
        keys = [each.combination.key for each in own]
        yield f"{name or PLAIN} is not in the lock{_where(keys, every, name)}: {first}{more}"


def _unbuilt(left: Iterable[Left], every: Collection[Key]) -> Iterable[str]:
    """What is not in the lock because nobody publishes it, a line for each offer."""
    keys = [each.combination.key for each in left if isinstance(each.reason, str)]
    for name in dict.fromkeys(key[0] for key in keys):
        yield f"{name} is not locked{_where(keys, every, name)}: no build of torch for it is known"


def _new(before: Lock | None, after: Lock) -> Iterable[str]:
    """Which combinations another lock did not have, and which it had."""
    if before is None:
        return
    old, new = [{resolution_key(each) for each in lock.resolutions} for lock in (before, after)]
    for word, keys, every in (("new", new - old, new), ("gone", old - new, old)):
        for name in sorted({key[0] for key in keys}):
            yield f"{word}: {name or PLAIN}{_where(keys, every, name)}"


def _differences(before: Lock | None, after: Lock) -> Mapping[str, Difference]:
    """By offer, each change once, with where it holds if that is not everywhere."""
    old = {resolution_key(each): each.pins for each in (before.resolutions if before else ())}
    kinds: dict[str, tuple[dict[str, list[Key]], ...]] = {}
    keys = [resolution_key(each) for each in after.resolutions]
    for key, resolution in zip(keys, after.resolutions, strict=True):
        for kind, phrases in enumerate(difference(old[key], resolution.pins) if key in old else ()):
            for phrase in phrases:
                kinds.setdefault(key[0], ({}, {}, {}))[kind].setdefault(phrase, []).append(key)
    return {
        name or PLAIN: Difference(
            *(tuple(f"{phrase}{_where(there, keys, name)}" for phrase, there in found.items()) for found in several)
        )
        for name, several in kinds.items()
    }


def _where(keys: Collection[Key], every: Collection[Key], name: str) -> str:
    """The environments of one offer among `keys` in words; nothing if they are all that there are of it."""
    here, whole = ({key[2:] for key in several if key[0] == name} for several in (keys, every))
    if here == whole:
        return ""
    platforms = sorted({platform for _, platform in whole})
    pythons = {each: frozenset(python for python, platform in here if platform == each) for each in platforms}
    all_of_them = {each: frozenset(python for python, platform in whole if platform == each) for each in platforms}
    if len(set(pythons.values())) == 1:
        return f" with Python {_listed(pythons[platforms[0]])}"
    alike: dict[frozenset[str], list[str]] = {}
    for each in platforms:
        if pythons[each]:
            alike.setdefault(frozenset() if pythons[each] == all_of_them[each] else pythons[each], []).append(each)
    parts = (
        f"{f'with Python {_listed(those)} ' if those else ''}on {', '.join(there)}" for those, there in alike.items()
    )
    return f" {'; '.join(parts)}"


def _listed(pythons: Iterable[str]) -> str:
    return ", ".join(sorted(pythons, key=python_key))
