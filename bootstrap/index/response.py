"""What a server, or the disk in its place, answers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple

__all__ = ["Response", "Stream"]


@dataclass(frozen=True, slots=True)
class Response:
    """A whole answer. Header names are in lower case; `url` is where it came from in the end, without credentials.

    Where a mirror answered, `url` is the address that the mirror stands for, so that what is locked stays portable.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes
    url: str

    @property
    def content_type(self) -> str:
        """The media type without its parameters."""
        return self.headers.get("content-type", "").partition(";")[0].strip().lower()


class Stream(NamedTuple):
    """An answer whose body is still to come: 206 where the asked start was granted, 200 where it begins at zero."""

    status: int
    headers: Mapping[str, str]
    chunks: Iterator[bytes]
