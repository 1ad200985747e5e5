"""`cache dir`, `cache gc`, `cache verify`: the store and what lies around it, looked after by hand.

An entry of the store is in use if
    a file of it has a second name     it is linked into an environment, wherever that is
    a known generation lists it        environments leave a note in the cache; clones and copies show in no other way
    it is young                        ten minutes, for who just fetched it; a day where nothing can be locked

Entries lose their places under the store's exclusive lock, so none that a sync has found goes before it is linked; so
do environments for builds, and archives that something was built from, that nobody has used for a month (litter.py).
Removing too much would harm no environment: links, clones and copies keep their bytes, and an entry that is wanted
again is fetched again.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bootstrap.commands.asked import Asked
from bootstrap.commands.litter import idle, litter
from bootstrap.commands.machine import cache_folder
from bootstrap.environment import generations, history, known
from bootstrap.environment.history import footprint
from bootstrap.errors import ConfigurationError, InputError, NotPermittedError
from bootstrap.wheels.disk import size_text
from bootstrap.wheels.making import remove
from bootstrap.wheels.store import Store, StoredWheel
from bootstrap.wheels.workers import thread_count

__all__ = ["Collection", "Inspection", "Item", "collect", "folder", "inspect"]

GC_SCHEMA = "torchstrap.cache-gc/1"
VERIFY_SCHEMA = "torchstrap.cache-verify/1"
_PATIENCE = 20.0  # seconds to wait for syncs to be done with the store
_YOUNG, _YOUNG_WITHOUT_LOCKS = 600.0, 86400.0  # seconds


@dataclass(frozen=True, slots=True)
class Item:
    """One entry of the store; `size` in bytes. `problem` says what is wrong with it, if something is."""

    sha256: str
    filename: str
    size: int
    problem: str = ""

    def to_json(self) -> Mapping[str, Any]:
        """As `cache gc --json` and `cache verify --json` say it."""
        plain = {"sha256": self.sha256, "file": self.filename, "size": self.size}
        return {**plain, "problem": self.problem} if self.problem else plain


@dataclass(frozen=True, slots=True)
class Collection:
    """What `cache gc` removed, or would; sizes in bytes. `litter` is the number of other files and folders."""

    folder: Path
    removed: tuple[Item, ...]
    kept: tuple[Item, ...]
    litter: int
    litter_size: int

    @property
    def hashes(self) -> tuple[str, ...]:
        """Those of the entries that were removed."""
        return tuple(each.sha256 for each in self.removed)

    @property
    def freed(self) -> int:
        """Bytes that are free now."""
        return sum(each.size for each in self.removed) + self.litter_size

    def lines(self) -> Iterator[str]:
        """One line for each entry, the largest first."""
        for each in sorted(self.removed, key=lambda each: (-each.size, each.filename)):
            yield f" - {each.filename}  {size_text(each.size)}"

    def sentence(self, *, dry_run: bool) -> str:
        """The whole in one line."""
        if not self.folder.exists():
            return f"{self.folder}: there is no cache yet, so there is nothing to remove"
        verb = "to be removed" if dry_run else "removed"
        gone = _counted(len(self.removed), "wheel", sum(each.size for each in self.removed))
        litter = f", {_counted(self.litter, 'other file', self.litter_size)}" if self.litter else ""
        stays = _counted(len(self.kept), "wheel", sum(each.size for each in self.kept))
        return f"{self.folder}: {verb}: {gone}{litter}; in use: {stays}"

    def to_json(self) -> Mapping[str, Any]:
        """The document of `cache gc --json`."""
        return {
            "schema": GC_SCHEMA,
            "cache": str(self.folder),
            "removed": [each.to_json() for each in self.removed],
            "kept": {"entries": len(self.kept), "size": sum(each.size for each in self.kept)},
            "litter": {"entries": self.litter, "size": self.litter_size},
            "freed": self.freed,
        }


@dataclass(frozen=True, slots=True)
class Inspection:
    """What `cache verify` found: entries that were damaged and are taken out, and environments made with them."""

    folder: Path
    checked: int
    size: int
    damaged: tuple[Item, ...]
    environments: tuple[Path, ...]

    def lines(self) -> Iterator[str]:
        """One line for each damaged entry, and for each environment that was made with one."""
        for each in self.damaged:
            yield f"{each.filename}: {each.problem}; it is taken out, and the next sync that needs it makes it again"
        for venv in self.environments:
            yield f"{venv} was made with what is damaged; the next sync builds it again"

    def sentence(self) -> str:
        """The whole in one line."""
        if not self.folder.exists():
            return f"{self.folder}: there is no cache yet, so there is nothing to read"
        found = f"{len(self.damaged)} of them damaged" if self.damaged else "all as they should be"
        return f"{self.folder}: {_counted(self.checked, 'wheel', self.size)}, {found}"

    def to_json(self) -> Mapping[str, Any]:
        """The document of `cache verify --json`."""
        return {
            "schema": VERIFY_SCHEMA,
            "cache": str(self.folder),
            "checked": {"entries": self.checked, "size": self.size},
            "damaged": [each.to_json() for each in self.damaged],
            "environments": [str(each) for each in self.environments],
        }


def _counted(number: int, what: str, size: int) -> str:
    return f"{number} {what}{'' if number == 1 else 's'} ({size_text(size)})"


def folder(asked: Asked) -> Path:
    """Where the cache is or would be. Raises ConfigurationError where there is to be none."""
    found = cache_folder(asked)
    if found is None:
        raise ConfigurationError(
            "there is no cache: --no-cache (TORCHSTRAP_NO_CACHE, no-cache) says so, or this user has no home folder; "
            "leave that out, or name a folder with --cache-dir"
        )
    if found.exists() and not found.is_dir():
        raise InputError(found, "is no folder; name another with --cache-dir")
    return found


def collect(asked: Asked, *, clock: Callable[[], float] = time.time) -> Collection:
    """Remove what nobody uses; with `--dry-run` only say what that is.

    Raises TryAgainError while syncs are linking, CannotWriteError, NotPermittedError.
    """
    root = folder(asked)
    store, now = Store(root), clock()
    if asked.dry_run or not root.is_dir():
        return _unused(store, now, _YOUNG)[0]
    with store.alone(_PATIENCE) as is_alone:
        found, left = _unused(store, now, _YOUNG if is_alone else _YOUNG_WITHOUT_LOCKS)
        waiting = [store.set_aside(each) for each in (*map(store.folder_of, found.hashes), *idle(root, now))]
    for each in (*waiting, *left):
        _discard(each)
    known.forget(root)
    return found


def _unused(store: Store, now: float, young: float) -> tuple[Collection, tuple[Path, ...]]:
    """What would be removed: all of it, and the litter among that, which nobody comes for. Ages are in seconds."""
    wanted = _listed_by_generations(store.root)
    items = [(_item(store, each), _is_used(store, each, wanted, now - young)) for each in store]
    left = litter(store.root, now)
    others = (*left, *idle(store.root, now))
    removed = tuple(item for item, is_used in items if not is_used)
    kept = tuple(item for item, is_used in items if is_used)
    return Collection(store.root, removed, kept, len(others), sum(map(_size, others))), left


def inspect(asked: Asked) -> Inspection:
    """Read every file of the store and compare it with its wheel's RECORD; damaged entries are taken out.

    Known environments with the same damage are built again by their next sync. Raises as `collect`.
    """
    root = folder(asked)
    store = Store(root)
    if not root.exists():
        return Inspection(root, 0, 0, (), ())
    with store.in_use(), ThreadPoolExecutor(max_workers=thread_count()) as readers:
        found = list(readers.map(lambda each: _inspected(store, each), tuple(store)))
    damaged = [(item, wheel) for item, wheel in found if item.problem]
    spoiled = {venv for item, wheel in damaged for venv in _sharing(root, item, wheel)}
    if damaged:
        with store.alone(_PATIENCE):
            leaving = [store.take_out(item.sha256) for item, _ in damaged if store.folder_of(item.sha256).exists()]
        for each in leaving:
            _discard(each)
    size = sum(item.size for item, _ in found)
    return Inspection(root, len(found), size, tuple(item for item, _ in damaged), tuple(sorted(spoiled)))


def _item(store: Store, sha256: str) -> Item:
    try:
        wheel = store.find(sha256)
    except InputError:
        wheel = None
    return _described(store, sha256, wheel)


def _described(store: Store, sha256: str, wheel: StoredWheel | None, problem: str = "") -> Item:
    if wheel is None:
        return Item(sha256, sha256[:16], _size(store.folder_of(sha256)), problem)
    return Item(sha256, wheel.filename, wheel.contents.size, problem)


def _is_used(store: Store, sha256: str, wanted: frozenset[str], young: float) -> bool:
    """One whose description is damaged is of use to nobody."""
    with suppress(InputError, OSError):
        wheel = store.find(sha256)
        return wheel is not None and (sha256 in wanted or store.made(sha256) > young or store.is_linked(wheel))
    return False


def _listed_by_generations(root: Path) -> frozenset[str]:
    each = (generation for venv in known.known(root) for generation in generations.listed(venv))
    lists = (history.marker_of(generation).get("entries", ()) for generation in each)
    return frozenset(sha256 for entries in lists if isinstance(entries, list) for sha256 in entries)


def _inspected(store: Store, sha256: str) -> tuple[Item, StoredWheel | None]:
    try:
        wheel = store.find(sha256)
    except InputError as error:
        return _described(store, sha256, None, error.problem), None
    if wheel is None:
        return _described(store, sha256, None, "is incomplete"), None
    wrong = store.altered(wheel)
    more = f" and {len(wrong) - 3} more" if len(wrong) > 3 else ""  # noqa: PLR2004 - names to show
    return _described(store, sha256, wheel, f"{', '.join(wrong[:3])}{more} is damaged" if wrong else ""), wheel


def _sharing(root: Path, item: Item, wheel: StoredWheel | None) -> Iterator[Path]:
    """Known environments that were made with an entry; their next sync is told to build them again."""
    for venv in known.known(root):
        for generation in generations.listed(venv):
            entries = history.marker_of(generation).get("entries", ())
            if wheel is not None and item.sha256 in entries:
                history.distrust(generation)
                yield venv


def _size(path: Path) -> int:
    if path.is_dir():
        return footprint(path).own
    try:
        return path.lstat().st_size
    except OSError:
        return 0


def _discard(path: Path) -> None:
    try:
        if path.is_dir():
            remove(path)
        else:
            path.unlink(missing_ok=True)
    except PermissionError as error:
        raise NotPermittedError(
            f"{error.filename or path} cannot be removed ({error.strerror}); ask its owner"
        ) from error
