"""`lock`: every offer of a project, written to the file unless somebody only wants to look."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from bootstrap.commands.lock_file import lock_text, present_lock, resolution_key, text_of
from bootstrap.commands.locking import lock_all
from bootstrap.commands.session import Session
from bootstrap.lock.difference import Difference, difference
from bootstrap.lock.model import Lock
from bootstrap.lock.pylock_write import save

__all__ = ["Written", "lock"]


@dataclass(frozen=True, slots=True)
class Written:
    """What `lock` made: the text of the lock, where it is kept, and how it differs from the one before, by offer."""

    text: str
    path: Path
    is_changed: bool
    summary: str
    differences: Mapping[str, Difference]
    warnings: tuple[str, ...]


def lock(session: Session) -> Written:
    """Lock every offer and, unless `--check` or `-o -` says otherwise, write the file."""
    selection = session.select()
    before = present_lock(session)
    locked = lock_all(session, selection)
    text = lock_text(session, locked)
    is_changed = text != text_of(session.lock_path)
    if is_changed and not session.asked.check and session.asked.output != "-":
        save(session.lock_path, text)
    names = sorted({each.offer for each in locked.resolutions})
    count = len({(pin.name, pin.version) for each in locked.resolutions for pin in each.pins})
    summary = f"{count} packages for {', '.join(names)}{'' if is_changed else ', unchanged'}"
    differences = _differences(before, locked)
    return Written(text, session.lock_path, is_changed, summary, differences, session.everything_to_say())


def _differences(before: Lock | None, after: Lock) -> Mapping[str, Difference]:
    old = {resolution_key(each): each.pins for each in (before.resolutions if before else ())}
    return {
        each.offer: difference(old[resolution_key(each)], each.pins)
        for each in after.resolutions
        if resolution_key(each) in old
    }
