"""METADATA out of a wheel that is somewhere else, by byte ranges.

    1. the last 16 KiB       usually the whole central directory, and METADATA, which is written last
    2. the rest of the directory, if it is larger (torch's is over a megabyte)
    3. METADATA itself, if it lies before what was read

A server that knows no ranges is asked for the whole file, of which only the end is kept, in memory.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator

from bootstrap.errors import BadDistributionError, RefusedError, UnreachableError
from bootstrap.index import zip_layout
from bootstrap.index.addresses import without_credentials
from bootstrap.index.client import Client
from bootstrap.index.patience import Patience
from bootstrap.index.response import Response

__all__ = ["metadata_from_wheel"]

_TAIL = 16 << 10  # bytes
_KEPT = 4 << 20  # bytes of the end of a file that passes
_TOTAL = re.compile(r"bytes (?:(\d{1,15})-(\d{1,15})|\*)/(\d{1,15})")
_WHOLE, _PART = 200, 206
_RANGE_REFUSED = frozenset({400, 405, 416, 501})

_Read = Callable[[int, int], bytes]
"""Reads bytes from a start up to (not including) an end."""


def metadata_from_wheel(
    client: Client, url: str, filename: str, measured: Callable[[int], None] = lambda _size: None
) -> bytes:
    """The wheel's own METADATA; `measured` is told the size of the wheel in bytes, which pages often do not say.

    Raises BadDistributionError for what is no wheel, UnreachableError for no answer.
    """
    answer = client.get_range(url, suffix=_TAIL)
    if answer.status in _RANGE_REFUSED:
        answer = _tail_in_two_steps(client, url) or answer
    try:
        if answer.status == _PART:
            measured(_total(answer))
            return _by_ranges(client, url, filename, answer)
        if answer.status == _WHOLE and answer.body:
            measured(len(answer.body))
            return _whole(answer.body, filename)
        if answer.status == _WHOLE or answer.status in _RANGE_REFUSED:
            return _downloaded(client, url, filename)
    except ValueError as error:
        raise BadDistributionError(filename, [str(error)]) from error
    raise UnreachableError(without_credentials(url), f"the server answers {answer.status} for a file that is listed")


def _tail_in_two_steps(client: Client, url: str) -> Response | None:
    """For servers that grant ranges, only not ones counted from the end."""
    size = _total(client.get_range(url, start=0, end=0))
    if not size:
        return None
    return client.get_range(url, start=max(0, size - _TAIL), end=size - 1)


def _total(answer: Response) -> int:
    """The size of the whole file, as a partial answer states it; 0 if it does not."""
    match = _TOTAL.match(answer.headers.get("content-range", ""))
    return int(match[3]) if match and answer.status == _PART else 0


def _by_ranges(client: Client, url: str, filename: str, answer: Response) -> bytes:
    total = _total(answer)
    if not total:
        return _downloaded(client, url, filename)

    def read(start: int, end: int) -> bytes:
        part = client.get_range(url, start=start, end=end - 1)
        if part.status != _PART:
            raise UnreachableError(without_credentials(url), f"the server answers {part.status} for a part of the file")
        return part.body

    return _metadata(answer.body, total, filename, read)


def _whole(body: bytes, filename: str) -> bytes:
    return _metadata(body, len(body), filename, lambda start, end: body[start:end])


def _downloaded(client: Client, url: str, filename: str) -> bytes:
    """Let the whole pass and keep its end, which is all that is needed of wheels as tools write them."""
    tail, total = bytearray(), 0
    for chunk in _passing(client, url):
        total += len(chunk)
        tail += chunk
        if len(tail) > 2 * _KEPT:
            del tail[:-_KEPT]

    def read(start: int, end: int) -> bytes:
        here, found = 0, b""
        for chunk in _passing(client, url):
            found += chunk[max(0, start - here) : max(0, end - here)]
            here += len(chunk)
            if here >= end:
                break
        return found

    return _metadata(bytes(tail), total, filename, read)


def _passing(client: Client, url: str) -> Iterator[bytes]:
    """The bytes of a file, once each, from its beginning; where the connection breaks it goes on from there."""
    here, patience = 0, Patience(client.settings.backoff)
    while True:
        before = here
        try:
            with client.stream(url, here) as answer:
                _ensure_given(url, answer.status)
                known = here if answer.status == _WHOLE else 0
                for chunk in answer.chunks:
                    fresh = chunk[known:]
                    known = max(0, known - len(chunk))
                    here += len(fresh)
                    yield fresh
                return
        except RefusedError:
            raise
        except UnreachableError:
            wait = patience.after(progress=here > before)
            if wait is None:
                raise
            time.sleep(wait)


def _ensure_given(url: str, status: int) -> None:
    if status not in {_WHOLE, _PART}:
        raise RefusedError(without_credentials(url), f"the server answers {status}")


def _metadata(tail: bytes, total: int, filename: str, read: _Read) -> bytes:
    """Walk from the end of the file to METADATA, reading only what the tail does not hold. Raises ValueError."""
    known_from = total - len(tail)

    def bytes_at(start: int, end: int) -> bytes:
        end = min(end, total)
        if start >= known_from:
            return tail[start - known_from : end - known_from]
        if end <= known_from:
            return read(start, end)
        return read(start, known_from) + tail[: end - known_from]

    directory = zip_layout.directory(tail, total)
    if directory is None:
        raise ValueError("its end record is cut off")
    central = bytes_at(directory.start, directory.start + directory.size)
    member = zip_layout.metadata_member(central, filename.partition("-")[0])
    if member.offset >= total:
        raise ValueError("its METADATA is said to lie beyond its end")
    local = bytes_at(member.offset, member.offset + zip_layout.local_size_bound(member))
    return zip_layout.content(local, member)
