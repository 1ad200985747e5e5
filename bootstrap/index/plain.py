"""Plain GET requests over connections that are kept: pages and metadata are hundreds of short answers.

    Connections.ask ── the idle connection of that origin that was used last, or a new one
            └── Answer: status and headers; the body in pieces; `close` gives the connection back if all was read

By the standard library alone: for a short answer httpx takes five times as much of the processor, which is what a
resolution waits for. What is not plain (an address that has to be quoted, an encoding nobody asked for) is left to it.
"""

from __future__ import annotations

import base64
import http.client
import select
import threading
import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    import ssl

__all__ = ["Answer", "Broken", "Connections", "basic"]

_CHUNK = 1 << 16  # bytes; TLS gives 16 kB at a time, and larger buffers cost it twice the time
_DEFAULT_PORTS = {"http": 80, "https": 443}
_REDIRECTS = frozenset({301, 302, 303, 307, 308})

_Origin = tuple[str, str, int]


class Broken(Exception):  # noqa: N818 - what happened; an error is made of it above
    """No answer, or not the whole of it; the cause is the error of the system. `connecting`: nothing was asked yet."""

    def __init__(self, cause: Exception, *, connecting: bool = False) -> None:
        super().__init__(str(cause) or type(cause).__name__)
        self.connecting = connecting


def basic(user: str, password: str) -> str:
    """The value of the header that logs in (RFC 7617)."""
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


@dataclass(slots=True)
class Answer:
    """An answer whose body is still to come. Header names are in lower case; `url` is the address that was asked."""

    url: str
    headers: Mapping[str, str]
    _response: http.client.HTTPResponse
    _connection: http.client.HTTPConnection
    _keep: Callable[[], None]
    _is_over: bool = False

    @property
    def status_code(self) -> int:
        return self._response.status

    @property
    def reason_phrase(self) -> str:
        return self._response.reason

    @property
    def moved_to(self) -> str | None:
        """Where a redirect leads, as the server wrote it."""
        return self.headers.get("location") if self.status_code in _REDIRECTS else None

    def iter_bytes(self) -> Iterator[bytes]:
        """The body in pieces, unpacked. Raises Broken when it ends too early."""
        packed = self.headers.get("content-encoding", "identity") != "identity"
        try:
            yield from _unpacked(self._pieces()) if packed else self._pieces()
        except (OSError, http.client.HTTPException, zlib.error) as error:
            raise Broken(error) from error

    def close(self) -> None:
        """Give the connection back, or close it if something of the body was not read."""
        if self._is_over:
            return
        self._is_over = True
        if self._response.isclosed() and not self._response.will_close:
            self._keep()
        else:
            self._connection.close()

    def _pieces(self) -> Iterator[bytes]:
        response = self._response
        while piece := response.read1(_CHUNK):
            yield piece
        if response.length:
            raise http.client.IncompleteRead(b"", response.length)
        response.close()


def _unpacked(pieces: Iterator[bytes]) -> Iterator[bytes]:
    gzip = zlib.decompressobj(wbits=31)
    for piece in pieces:
        rest = piece
        while rest:
            yield gzip.decompress(rest, _CHUNK)
            rest = gzip.unconsumed_tail
    yield gzip.flush()


@dataclass(slots=True)
class Connections:
    """Connections to many origins; safe to share between threads. `timeout` is seconds, for each wait.

    `context` gives the TLS context for an address.
    """

    timeout: float
    context: Callable[[str], ssl.SSLContext]
    _idle: dict[_Origin, list[http.client.HTTPConnection]] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def ask(self, url: str, headers: Mapping[str, str]) -> Answer | None:
        """The answer to a GET, its body unread; None if this address, or this answer, is for somebody else to handle.

        Raises Broken. A kept connection that the server has closed meanwhile is replaced without a word.
        """
        parts = urlsplit(url)
        if parts.scheme not in _DEFAULT_PORTS or not parts.hostname or not _is_plain(url):
            return None
        origin = parts.scheme, parts.hostname, parts.port or _DEFAULT_PORTS[parts.scheme]
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        while True:
            connection = self._taken(origin)
            is_new = connection is None
            if connection is None:
                connection = self._opened(origin, url)
            try:
                connection.request("GET", target, headers={"accept-encoding": "gzip", **headers})
                response = connection.getresponse()
            except (OSError, http.client.HTTPException) as error:
                connection.close()
                if is_new or isinstance(error, TimeoutError):
                    raise Broken(error) from error
                continue
            return self._answer(url, origin, connection, response)

    def close(self) -> None:
        """Close all that is idle."""
        with self._lock:
            for several in self._idle.values():
                for connection in several:
                    connection.close()
            self._idle.clear()

    def _answer(
        self, url: str, origin: _Origin, connection: http.client.HTTPConnection, response: http.client.HTTPResponse
    ) -> Answer | None:
        headers: dict[str, str] = {}
        for name, value in response.getheaders():
            key = name.lower()
            headers[key] = f"{headers[key]}, {value}" if key in headers else value
        if headers.get("content-encoding", "identity") not in {"identity", "gzip"}:
            connection.close()
            return None
        return Answer(url, headers, response, connection, lambda: self._keep(origin, connection))

    def _opened(self, origin: _Origin, url: str) -> http.client.HTTPConnection:
        scheme, host, port = origin
        if scheme == "https":
            connection: http.client.HTTPConnection = http.client.HTTPSConnection(
                host, port, timeout=self.timeout, context=self.context(url)
            )
        else:
            connection = http.client.HTTPConnection(host, port, timeout=self.timeout)
        try:
            connection.connect()
        except (OSError, UnicodeError) as error:
            connection.close()
            raise Broken(error, connecting=True) from error
        return connection

    def _taken(self, origin: _Origin) -> http.client.HTTPConnection | None:
        while True:
            with self._lock:
                several = self._idle.get(origin)
                connection = several.pop() if several else None
            if connection is None or not _is_closed(connection):
                return connection
            connection.close()

    def _keep(self, origin: _Origin, connection: http.client.HTTPConnection) -> None:
        with self._lock:
            self._idle.setdefault(origin, []).append(connection)


def _is_plain(url: str) -> bool:
    """Can it be sent as it is?"""
    return url.isascii() and url.isprintable() and " " not in url


def _is_closed(connection: http.client.HTTPConnection) -> bool:
    """Has the server closed a connection on which nothing is expected? Then it can be read from."""
    if connection.sock is None:
        return True
    if hasattr(select, "poll"):  # select() fails for descriptors from 1024 on
        poll = select.poll()
        poll.register(connection.sock, select.POLLIN)
        return bool(poll.poll(0))
    return bool(select.select([connection.sock], [], [], 0)[0])
