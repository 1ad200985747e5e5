"""Pages and metadata on disk, so that a second run asks little and an offline run asks nothing.

    <root>/pages/<sha256 of the address>      one line of JSON (validators, length, checksum), then the body
    <root>/metadata/<sha256 of the wheel>     the same, without validators: what a hash names never changes

The modification time of an entry is when the server last confirmed it. Entries are replaced whole (written beside,
then renamed). An entry that is damaged, or a folder that cannot be read or written, is the same as none: a cache
never is the reason why something fails.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import sys
import time
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bootstrap.index.addresses import without_credentials
from bootstrap.index.response import Response

if sys.platform != "win32":
    import fcntl

__all__ = ["Entry", "PageCache"]

_FORMAT = 1
_UNSAID = 600  # seconds that a page is fresh for when the server says nothing; pip and the PyTorch index use the same
_FOUND = 200
_CLOCK_SKEW = 60  # seconds
_MAX_AGE = re.compile(r"(?:^|[\s,])max-age\s*=\s*\"?(\d{1,9})")


@dataclass(frozen=True, slots=True)
class Entry:
    """A stored answer: a page, or (`status` 403, 404, 410) that there is none.

    `url` is where it came from in the end: links on it are relative to that.
    """

    status: int
    url: str
    content_type: str
    body: bytes
    etag: str | None
    last_modified: str | None
    fresh: bool

    @property
    def response(self) -> Response:
        """The answer as the server gave it."""
        return Response(self.status, {"content-type": self.content_type}, self.body, self.url)

    @property
    def conditions(self) -> Mapping[str, str]:
        """Request headers that let the server answer 304 instead of sending the page again."""
        pairs = {"if-none-match": self.etag, "if-modified-since": self.last_modified}
        return {name: value for name, value in pairs.items() if value}


@dataclass(frozen=True, slots=True)
class PageCache:
    """The cache below a folder; with None instead of a folder nothing is kept. `clock` gives seconds since 1970."""

    root: Path | None
    clock: Callable[[], float] = field(default=time.time)

    def page(self, url: str) -> Entry | None:
        """The stored page, fresh or not."""
        path = self._path("pages", without_credentials(url))
        found = _read(path)
        if path is None or found is None:
            return None
        head, body, confirmed = found
        age = self.clock() - confirmed
        try:
            return Entry(
                status=int(head["status"]),
                url=str(head["url"]),
                content_type=str(head["content_type"]),
                body=body,
                etag=head["etag"],
                last_modified=head["last_modified"],
                fresh=-_CLOCK_SKEW <= age < int(head["max_age"]),
            )
        except (LookupError, TypeError, ValueError):
            return None

    def store_page(self, url: str, response: Response) -> None:
        """Keep a page as the server allows. That there is none is kept too, for runs without a network."""
        rules = response.headers.get("cache-control", "").lower()
        if "no-store" in rules:
            return
        asked = without_credentials(url)
        head = {
            "status": response.status,
            "url": response.url,
            "content_type": response.content_type,
            "etag": response.headers.get("etag"),
            "last_modified": response.headers.get("last-modified"),
            "max_age": _max_age(rules, response.headers, _UNSAID if response.status == _FOUND else 0),
        }
        self._write(self._path("pages", asked), head, response.body)

    def confirm_page(self, url: str) -> None:
        """The server said that the stored page still is the current one."""
        path = self._path("pages", without_credentials(url))
        if path is not None:
            now = self.clock()
            try:
                os.utime(path, (now, now))
            except OSError:
                return

    def metadata(self, key: str) -> tuple[bytes, int | None] | None:
        """METADATA stored under a wheel's sha256 digest or, where it has none, its address; and the wheel's size."""
        found = _read(self._path("metadata", without_credentials(key)))
        return None if found is None else (found[1], found[0].get("wheel_size"))

    def store_metadata(self, key: str, body: bytes, size: int | None = None) -> None:
        """Keep METADATA, and the size in bytes of the wheel that it is from, if that is known."""
        self._write(self._path("metadata", without_credentials(key)), {"wheel_size": size}, body)

    def _path(self, kind: str, key: str) -> Path | None:
        if self.root is None:
            return None
        digest = hashlib.sha256(key.encode()).hexdigest()
        return self.root / kind / digest[:2] / digest[2:]

    def _write(self, path: Path | None, head: Mapping[str, Any], body: bytes) -> None:
        if path is None:
            return
        line = json.dumps({"format": _FORMAT, **head, "length": len(body), "crc32": zlib.crc32(body)}).encode()
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            _replace(path, line + b"\n" + body, self.clock())
        except OSError:
            return


def _replace(path: Path, content: bytes, now: float) -> None:
    """Write beside and rename. There is one name beside, so that what kills leave is written over the next time; who
    finds somebody else at the same page leaves it to him. Raises OSError.
    """
    beside = path.with_name(f".{path.name}")
    flags = os.O_RDWR | os.O_CREAT | getattr(os, "O_BINARY", 0) | getattr(os, "O_CLOEXEC", 0)
    with open(os.open(beside, flags, 0o666), "r+b") as file:  # noqa: PTH123  (a descriptor, not a path)
        if sys.platform != "win32":
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if not os.path.samestat(beside.stat(), os.fstat(file.fileno())):
                return
        file.truncate()
        file.write(content)
        file.flush()
        os.utime(beside, (now, now))
        if sys.platform != "win32":
            beside.replace(path)
    if sys.platform == "win32":
        beside.replace(path)


def _read(path: Path | None) -> tuple[dict[str, Any], bytes, float] | None:
    """Head, body and time of the last confirmation of an intact entry."""
    if path is None:
        return None
    try:
        with path.open("rb") as source:
            head = json.loads(source.readline())
            body = source.read()
            confirmed = os.fstat(source.fileno()).st_mtime
        intact = head["format"] == _FORMAT and head["length"] == len(body) and head["crc32"] == zlib.crc32(body)
    except (OSError, ValueError, LookupError, TypeError):
        return None
    return (head, body, confirmed) if intact else None


def _max_age(rules: str, headers: Mapping[str, str], unsaid: int) -> int:
    """Seconds of freshness that the server grants, or `unsaid` where it says nothing."""
    said = _MAX_AGE.search(rules)
    if "no-cache" in rules:
        return 0
    if said is not None:
        age = headers.get("age", "")
        return max(0, int(said[1]) - (int(age) if age.isdecimal() else 0))
    return 0 if rules or "expires" in headers else unsaid
