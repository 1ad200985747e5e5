"""A real HTTP server that serves one file and can be told how to misbehave, answer by answer."""

from __future__ import annotations

import re
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

__all__ = ["Answer", "Asked", "Site", "Twist", "misbehaving"]

BURST = 64 * 1024


@dataclass(frozen=True)
class Asked:
    """A request: its number, from 1 on, and the range it names."""

    number: int
    path: str
    start: int | None
    end: int | None
    if_range: str | None


@dataclass(frozen=True)
class Answer:
    """What is sent: after `delay` seconds, cut off after `stops` bytes, politely or by a reset."""

    status: int
    body: memoryview
    headers: Mapping[str, str] = field(default_factory=dict)
    delay: float = 0.0
    stops: int | None = None
    resets: bool = False
    raw: bytes | None = None
    """Sent in place of everything else."""


Twist = Callable[[Asked, Answer], Answer]


@dataclass
class Site:
    """`content` is at every path. `cap` is bytes per second for each connection, 0 for none."""

    content: bytes
    twist: Twist = field(default=lambda _asked, answer: answer)
    cap: float = 0.0
    ranges: bool = True
    validators: Mapping[str, str] = field(default_factory=lambda: {"ETag": '"one"'})
    address: str = ""
    asked: list[Asked] = field(default_factory=list)
    served: int = 0
    open: int = 0
    most_open: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def note(self, path: str, wanted: str, if_range: str | None) -> Asked:
        """Count a request that has come in."""
        named = re.fullmatch(r"bytes=(\d+)-(\d*)", wanted)
        start = int(named[1]) if named else None
        end = int(named[2]) + 1 if named and named[2] else None
        with self.lock:
            asked = Asked(len(self.asked) + 1, path, start, end, if_range)
            self.asked.append(asked)
            self.open += 1
            self.most_open = max(self.most_open, self.open)
        return asked

    def right(self, asked: Asked) -> Answer:
        """What a good server answers."""
        whole, headers = memoryview(self.content), dict(self.validators)
        changed = asked.if_range is not None and asked.if_range not in headers.values()
        if asked.start is None or not self.ranges or changed:
            return Answer(200, whole, headers)
        size = len(whole)
        if asked.start >= size:
            return Answer(416, whole[:0], {"Content-Range": f"bytes */{size}"})
        end = min(asked.end or size, size)
        headers["Content-Range"] = f"bytes {asked.start}-{end - 1}/{size}"
        return Answer(206, whole[asked.start : end], headers)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: _Server

    def do_GET(self) -> None:
        site = self.server.site
        asked = site.note(self.path, self.headers.get("range", ""), self.headers.get("if-range"))
        try:
            self._send(site.twist(asked, site.right(asked)))
        finally:
            with site.lock:
                site.open -= 1

    def _send(self, answer: Answer) -> None:
        time.sleep(answer.delay)
        self.close_connection = self.close_connection or answer.stops is not None or answer.raw is not None
        if answer.raw is not None:
            self.wfile.write(answer.raw)
            return
        self.send_response_only(answer.status)
        for name, value in ({"Content-Length": str(len(answer.body))} | dict(answer.headers)).items():
            self.send_header(name, value)
        self.end_headers()
        self._send_body(answer.body[: answer.stops])
        if answer.resets:
            linger = struct.pack("ii", 1, 0)  # closing now sends a reset and drops what is on its way
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)

    def _send_body(self, body: memoryview) -> None:
        site, begin = self.server.site, time.monotonic()
        for here in range(0, len(body), BURST):
            burst = body[here : here + BURST]
            self.wfile.write(burst)
            with site.lock:
                site.served += len(burst)
            if site.cap:
                time.sleep(max(0.0, (here + len(burst)) / site.cap - (time.monotonic() - begin)))

    def log_message(self, *_: object) -> None:
        """Keep quiet."""


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def __init__(self, site: Site) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.site = site
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4 * BURST)

    def handle_error(self, *_: object) -> None:
        """A client that goes away is what some tests are about."""


@contextmanager
def misbehaving(content: bytes) -> Iterator[Site]:
    """A site that serves while the block runs."""
    site = Site(content)
    with _Server(site) as http:
        site.address = f"http://127.0.0.1:{http.server_port}"
        threading.Thread(target=http.serve_forever, args=(0.02,), daemon=True).start()
        try:
            yield site
        finally:
            http.shutdown()
