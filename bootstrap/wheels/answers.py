"""What a server's answer to a request for a file, or for a part of it, means. Pure: status and headers in.

200                          all of it, whatever was asked for
206 bytes 100-199/1000       bytes 100 up to 200 of 1000, if it says so itself
408 425 429 5xx              later, perhaps at the time that Retry-After names
416                          the file has no such bytes: it is another one
anything else                no
"""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from dataclasses import dataclass

from bootstrap.errors import RefusedError, UnreachableError
from bootstrap.index.patience import PASSING, asked_wait

__all__ = ["OK", "AstrayError", "ChangedError", "Given", "LaterError", "given", "if_range"]

OK, PARTIAL, UNSATISFIABLE = 200, 206, 416
GRANTED = re.compile(r"bytes (\d{1,15})-(\d{1,15})/(\d{1,15}|\*)")


class LaterError(UnreachableError):
    """The server asks for patience; `wait` is how many seconds of it, where it says that."""

    def __init__(self, url: str, problem: str, wait: float | None) -> None:
        super().__init__(url, problem)
        self.wait = wait


class AstrayError(UnreachableError):
    """Bytes came, but not those that were asked for."""


class ChangedError(UnreachableError):
    """The address holds another file than the one whose pieces are here."""


@dataclass(frozen=True, slots=True)
class Given:
    """Bytes `start` up to `end` of a file of `size` bytes; None is unknown. `validator` tells editions apart."""

    start: int
    end: int | None
    size: int | None
    validator: str = ""


def given(url: str, status: int, headers: Mapping[str, str]) -> Given:
    """What the body will hold. Header names are in lower case.

    Raises LaterError, ChangedError (416), AstrayError for a part that does not say which, RefusedError for the rest.
    """
    if status in PASSING:
        wait = asked_wait(headers.get("retry-after", ""), time.time())
        raise LaterError(url, f"the server answered with status {status} instead of the file", wait)
    if status == UNSATISFIABLE:
        raise ChangedError(url, "the server has less of the file than has arrived already")
    if status not in {OK, PARTIAL}:
        raise RefusedError(url, f"the server answered with status {status} instead of the file")
    validator = headers.get("etag", "") or headers.get("last-modified", "")
    encoded = headers.get("content-encoding", "identity") not in {"", "identity"}
    if status == OK:
        length = headers.get("content-length", "")
        size = int(length) if length.isdecimal() and not encoded else None
        return Given(0, size, size, validator)
    part = GRANTED.fullmatch(headers.get("content-range", ""))
    if part is None or encoded or int(part[1]) > int(part[2]):
        raise AstrayError(url, "the server sent a part of the file without saying which")
    return Given(int(part[1]), int(part[2]) + 1, int(part[3]) if part[3] != "*" else None, validator)


def if_range(validator: str) -> str | None:
    """The validator, where it may stand in If-Range: weak ones may not (RFC 9110, 13.1.5)."""
    return validator if validator and not validator.startswith("W/") else None
