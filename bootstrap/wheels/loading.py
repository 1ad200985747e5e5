"""One archive into its part, whole and with the hash that was promised: resumed, retried, in pieces."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from io import FileIO
from pathlib import Path

from bootstrap.errors import HashMismatchError
from bootstrap.wheels.ahead import Follower, Refuse
from bootstrap.wheels.arrival import Arrival
from bootstrap.wheels.board import Board
from bootstrap.wheels.parts import forget, held, part_of
from bootstrap.wheels.transfer import PAUSE, Download, Errand, Source

__all__ = ["Nobody", "load", "loaded"]


class Nobody:
    """Who does not want to know what is arriving."""

    def follow(self, part: Path, board: Board, refuse: Refuse) -> None: ...
    def drop(self) -> None: ...


def load(download: Download, file: FileIO, part: Path, errand: Errand, follower: Follower) -> str:
    """Load what is missing; the hash of the whole as hex digits. Raises HashMismatchError; nothing of that is of use.

    What was put together from pieces, and wrongly, is fetched once more in one stream. Raises also what
    `Arrival.complete` raises; what has arrived stays for the next time then.
    """
    errand.say("started", download, download.size or 0)
    errand.connections.first(download.url)
    promised = download.sha256.lower() if download.sha256 else None
    try:
        arrival = Arrival(download, file, part, errand, follower)
        actual, patched = arrival.complete()
        if promised and actual != promised and patched:
            actual = arrival.again()
    finally:
        errand.connections.less(download.url)
    if promised and actual != promised:
        raise HashMismatchError(download.filename, promised, actual)
    errand.say("arrived", download)
    return actual


@contextlib.contextmanager
def loaded(download: Download, client: Source, incoming: Path, pause: float = PAUSE) -> Iterator[tuple[Path, str]]:
    """One archive, for the block: the file, which may be moved away, and its hash. Raises as `load`, and OSError."""
    incoming.mkdir(parents=True, exist_ok=True)
    part = part_of(download, incoming)
    with held(part) as ours:
        try:
            actual = load(download, ours.file, part, Errand(client, lambda _event: None, pause), Nobody())
        except HashMismatchError:
            forget(part)
            raise
        yield part, actual
        forget(part)
