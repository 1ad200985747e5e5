r"""What a server can do wrong. A fault takes the request and the right answer, and returns what is sent instead.

For example:

    Replica(faults={r"/whl/cu124/torch/": "500", r"/simple/numpy/": "hang", r"\.whl$": times(2, cut(100))})
"""

from __future__ import annotations

import base64
import itertools
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

__all__ = [
    "Answer",
    "Fault",
    "Request",
    "close",
    "cut",
    "hang",
    "login",
    "named",
    "not_a_zip",
    "redirect",
    "status",
    "times",
    "wrong_bytes",
]


@dataclass(frozen=True, slots=True)
class Request:
    """What was asked for. `path` is decoded and has no query; header names are lower case."""

    method: str
    path: str
    headers: Mapping[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        return f"{self.method} {self.path}"


@dataclass(frozen=True, slots=True)
class Answer:
    """What is sent. `stops_after` bytes of the body the server closes the connection; `hangs` waits for the end."""

    status: int
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    stops_after: int | None = None
    hangs: bool = False


Fault = Callable[[Request, Answer], Answer]


def status(code: int) -> Fault:
    """This status instead of the answer."""
    return lambda _request, _answer: Answer(code, f"status {code}\n".encode(), {"Content-Type": "text/plain"})


def hang() -> Fault:
    """Nothing at all, until the replica closes."""
    return lambda _request, answer: replace(answer, hangs=True)


def close() -> Fault:
    """The connection is closed before anything was sent."""
    return lambda _request, answer: replace(answer, stops_after=-1)


def cut(after: int) -> Fault:
    """The headers promise everything, `after` bytes of the body come, and the connection is closed."""
    return lambda _request, answer: replace(answer, stops_after=after)


def wrong_bytes() -> Fault:
    """As long as the right ones, with the last one changed."""
    return lambda _request, answer: replace(answer, body=answer.body[:-1] + bytes([answer.body[-1] ^ 1]))


def not_a_zip() -> Fault:
    """A web page, with status 200: what a captive portal sends."""
    page = b"<!DOCTYPE html>\n<html><body>Please log in.</body></html>\n"
    return lambda _request, _answer: Answer(200, page, {"Content-Type": "text/html"})


def redirect(address: str) -> Fault:
    return lambda _request, _answer: Answer(302, b"", {"Location": address})


def login(credentials: str) -> Fault:
    """401 for whoever does not send these ("user:password")."""
    expected = "Basic " + base64.b64encode(credentials.encode()).decode()
    refusal = Answer(401, b"log in\n", {"WWW-Authenticate": 'Basic realm="replica"'})
    return lambda request, answer: answer if request.headers.get("authorization") == expected else refusal


def times(count: int, fault: Fault) -> Fault:
    """The fault for the first `count` requests that match; after that the right answer."""
    lock = threading.Lock()
    numbers = itertools.count()

    def counted(request: Request, answer: Answer) -> Answer:
        with lock:
            number = next(numbers)
        return fault(request, answer) if number < count else answer

    return counted


NAMED = {"close": close(), "hang": hang(), "not-a-zip": not_a_zip(), "wrong-bytes": wrong_bytes()}


def named(fault: Fault | str) -> Fault:
    """The fault itself, the one of this name, or the status of this number. Raises KeyError for other names."""
    if isinstance(fault, str):
        return status(int(fault)) if fault.isdigit() else NAMED[fault]
    return fault
