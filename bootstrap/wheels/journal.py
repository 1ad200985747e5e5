r"""Which pieces of a file have arrived, written down so that a kill at any moment leaves what can be used.

    {"format": 1, "size": 2500000000, "url": "https://…/torch-….whl", "validator": "\"5e3a\""}
    0 1048576
    * 8
    8388608 9437184
    …

The first line says of which file; it appears together with all that was known before, by one rename. A star stands
before the number of connections that were in use from there on. Each further line is appended after the bytes it
speaks of were handed to the operating system, so a killed process has lost only what it had not yet noted. A line that
is torn or makes no sense ends the reading. After a power cut a line may speak of bytes that never reached the disk:
nothing here is trusted beyond the hash of the whole.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
from collections.abc import Iterable
from dataclasses import dataclass
from io import FileIO
from pathlib import Path
from typing import NamedTuple

__all__ = ["Edition", "Journal", "Noted", "Span", "gaps", "merged", "read"]

Span = tuple[int, int]
"""Bytes from a start up to, not including, an end."""

FORMAT = 1
LINE = re.compile(rb"(\d{1,15}|\*) (\d{1,15})")


@dataclass(frozen=True, slots=True)
class Edition:
    """One state of one file: `url` without credentials, `size` in bytes, `validator` an ETag or a date or ""."""

    url: str
    size: int
    validator: str


def merged(spans: Iterable[Span]) -> tuple[Span, ...]:
    """The same bytes in as few spans as possible, in order."""
    found: list[Span] = []
    for start, end in sorted(span for span in spans if span[0] < span[1]):
        if found and start <= found[-1][1]:
            found[-1] = (found[-1][0], max(end, found[-1][1]))
        else:
            found.append((start, end))
    return tuple(found)


def gaps(spans: Iterable[Span], size: int) -> tuple[Span, ...]:
    """What a file of `size` bytes has besides the spans, in order."""
    here = 0
    found: list[Span] = []
    for start, end in merged(spans):
        found.append((here, min(start, size)))
        here = end
    return tuple(span for span in (*found, (here, size)) if span[0] < span[1])


class Noted(NamedTuple):
    """What a journal says: of which file, which bytes are there, and how many connections were in use (or 1)."""

    edition: Edition
    spans: tuple[Span, ...]
    lanes: int


def read(path: Path) -> Noted | None:
    """What was noted, as far as it makes sense; None where nothing usable is."""
    try:
        first, *lines = path.read_bytes().split(b"\n")
        head = json.loads(first)
        edition = Edition(str(head["url"]), int(head["size"]), str(head["validator"]))
        if head["format"] != FORMAT:
            return None
    except (OSError, ValueError, LookupError, TypeError):
        return None
    spans: list[Span] = []
    lanes = 1
    for line in lines[:-1]:  # what follows the last line end was cut off
        match = LINE.fullmatch(line)
        if match is not None and match[1] == b"*":
            lanes = int(match[2])
        elif match is not None and int(match[1]) < int(match[2]) <= edition.size:
            spans.append((int(match[1]), int(match[2])))
        else:
            break
    return Noted(edition, merged(spans), lanes)


class Journal:
    """A journal that is being written. Raises OSError."""

    def __init__(self, path: Path, edition: Edition, spans: Iterable[Span]) -> None:
        """Begin a new one in place of what is at `path`."""
        head = {"format": FORMAT, "size": edition.size, "url": edition.url, "validator": edition.validator}
        lines = [json.dumps(head), *(f"{start} {end}" for start, end in merged(spans))]
        beside = path.with_suffix(".journal-new")
        beside.write_text("\n".join(lines) + "\n", encoding="utf-8")
        os.replace(beside, path)  # noqa: PTH105  what holds it is locked by us, so the name beside it is ours too
        self._file = FileIO(path, "ab")

    def note(self, start: int, end: int) -> None:
        """These bytes are in the file now."""
        with contextlib.suppress(ValueError):  # closed: the download ended in another thread
            self._file.write(b"%d %d\n" % (start, end))

    def use(self, lanes: int) -> None:
        """So many connections are in use from now on."""
        with contextlib.suppress(ValueError):
            self._file.write(b"* %d\n" % lanes)

    def close(self) -> None:
        self._file.close()
