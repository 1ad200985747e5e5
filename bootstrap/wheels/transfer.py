"""The words of downloads: what is wanted, what is told about it, who sends it, and what downloads of one run share."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Literal, Protocol

from bootstrap.errors import UnreachableError
from bootstrap.index.addresses import origin
from bootstrap.wheels.wheelhouse import Wheelhouse

__all__ = [
    "PAUSE",
    "Connections",
    "Download",
    "Errand",
    "Event",
    "Kind",
    "Source",
    "StoppedError",
    "Streamed",
    "Trickle",
    "spread",
]

PAUSE = 0.5  # seconds before the second attempt, doubled for each further one

Kind = Literal["stored", "started", "resumed", "advanced", "arrived", "finished"]


@dataclass(frozen=True, slots=True)
class Download:
    """One archive to have. `sha256` is the promise, if there is one; `size` in bytes, if it is known."""

    url: str
    filename: str
    sha256: str | None = None
    size: int | None = None


@dataclass(frozen=True, slots=True)
class Event:
    """What happened to a download. `amount` is in bytes: the whole at "started" (0 if unknown), what an earlier run
    left at "resumed", new ones at "advanced" (below zero where some turned out to be worthless).

    "arrived" says that the hash is right, "finished" that the files are in the store, and "stored" says
    that the store had it and nothing was loaded.
    """

    kind: Kind
    download: Download
    amount: int = 0


class Streamed(Protocol):
    """An answer whose body is still to come."""

    @property
    def status(self) -> int: ...
    @property
    def headers(self) -> Mapping[str, str]: ...
    @property
    def chunks(self) -> Iterator[bytes]: ...


class Source(Protocol):
    """What is needed of the HTTP client: one attempt at bytes `start` up to `end`, of the file that is `unchanged`.

    Network trouble is its UnreachableError, also out of the chunks; RefusedError where asking again is of no use.
    """

    def piece(
        self, url: str, start: int = 0, end: int | None = None, unchanged: str | None = None
    ) -> AbstractContextManager[Streamed]: ...


@dataclass(slots=True)
class Trickle:
    """Notices a connection on which hardly anything comes: open, never silent for long, and as good as broken.

    `since` is when it began, in seconds; less than `least` bytes in `seconds` are too little.
    """

    url: str
    since: float
    seconds: float = 30.0
    least: int = 32 * 1024
    _counted: int = 0

    def watch(self, count: int, now: float) -> None:
        """So many more bytes are here. Raises UnreachableError."""
        self._counted += count
        if now - self.since >= self.seconds:
            if self._counted < self.least:
                problem = f"only {self._counted} bytes came in {now - self.since:.0f} seconds"
                raise UnreachableError(self.url, problem)
            self.since, self._counted = now, 0


class StoppedError(Exception):
    """Another download failed first."""


@dataclass(slots=True)
class Connections:
    """How many are open. Every file has one, further ones are granted up to `per_host` and `most` in all."""

    per_host: int = 8
    most: int = 16
    _open: dict[str, int] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def first(self, url: str) -> None:
        with self._lock:
            self._count(url, 1)

    def further(self, url: str) -> bool:
        with self._lock:
            if self._open.get(origin(url), 0) >= self.per_host or sum(self._open.values()) >= self.most:
                return False
            self._count(url, 1)
            return True

    def less(self, url: str) -> None:
        with self._lock:
            self._count(url, -1)

    def _count(self, url: str, change: int) -> None:
        self._open[origin(url)] = self._open.get(origin(url), 0) + change


@dataclass(frozen=True, slots=True)
class Errand:
    """What every download of one `fetch` shares. `pause` is the first wait after a failure, in seconds."""

    client: Source
    report: Callable[[Event], None]
    pause: float
    wheelhouse: Wheelhouse | None = None
    connections: Connections = field(default_factory=Connections)
    stop: threading.Event = field(default_factory=threading.Event)
    speaking: threading.Lock = field(default_factory=threading.Lock)

    def say(self, kind: Kind, download: Download, amount: int = 0) -> None:
        with self.speaking:
            self.report(Event(kind, download, amount))

    def has_kept(self, download: Download) -> bool:
        """Whether its archive is where archives are to be kept, if they are."""
        return self.wheelhouse is None or self.wheelhouse.has(download.filename, download.sha256)

    def wait(self, seconds: float) -> None:
        """Raises StoppedError if the others stop meanwhile."""
        if self.stop.wait(spread(seconds)):
            raise StoppedError


def spread(seconds: float) -> float:
    """A little longer, by chance: those who were turned away together had better not come back together."""
    return seconds * random.uniform(1.0, 1.4)  # noqa: S311  nobody is to be surprised by it
