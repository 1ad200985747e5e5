"""HTTP for the replica: kept connections, parts of files, pages that did not change.

Answers leave in one piece and without Nagle's wait, which would stall every request on a kept connection.
"""

from __future__ import annotations

import contextlib
import re
import socket
import threading
from collections.abc import Callable
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote, urlsplit

from tests.replica.faults import Answer, Request
from tests.replica.pages import sha256

__all__ = ["Server", "fresh", "part"]


def fresh(request: Request, answer: Answer) -> Answer:
    """304 for whoever has this very page."""
    if answer.status != 200:
        return answer
    tag = f'"{sha256(answer.body)[:32]}"'
    headers = {**answer.headers, "ETag": tag}
    if request.headers.get("if-none-match") == tag:
        return Answer(304, b"", headers)
    return replace(answer, headers=headers)


def part(request: Request, answer: Answer) -> Answer:
    """The bytes that a Range header names, unless If-Range says that they would be of another file."""
    headers = {**answer.headers, "Accept-Ranges": "bytes"}
    asked = re.fullmatch(r"bytes=(\d*)-(\d*)", request.headers.get("range", ""))
    if asked is None or request.headers.get("if-range", headers["ETag"]) != headers["ETag"]:
        return replace(answer, headers=headers)
    size = len(answer.body)
    if asked[1]:
        start, stop = int(asked[1]), min(int(asked[2]) + 1, size) if asked[2] else size
    else:
        start, stop = max(size - int(asked[2] or 0), 0), size
    if start >= stop:
        return Answer(416, b"", {**headers, "Content-Range": f"bytes */{size}"})
    return Answer(206, answer.body[start:stop], {**headers, "Content-Range": f"bytes {start}-{stop - 1}/{size}"})


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1
    server: Server

    def do_GET(self) -> None:
        headers = {name.lower(): value for name, value in self.headers.items()}
        request = Request(self.command, unquote(urlsplit(self.path).path), headers)
        self._send(self.server.answer(request))

    def do_HEAD(self) -> None:
        self.do_GET()

    def _send(self, answer: Answer) -> None:
        if answer.hangs:
            self.server.stopping.wait()
        self.close_connection = self.close_connection or answer.hangs or answer.stops_after is not None
        if answer.hangs or answer.stops_after == -1:
            return
        self.send_response_only(answer.status)
        for name, value in answer.headers.items():
            self.send_header(name, value)
        if answer.status != 304:
            self.send_header("Content-Length", str(len(answer.body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(answer.body[: answer.stops_after])

    def log_message(self, *_arguments: object) -> None:
        """Say nothing: the replica keeps its own list of requests."""


class Server(ThreadingHTTPServer):
    """A server that leaves neither threads nor sockets behind: it closes what clients keep open."""

    daemon_threads = False
    request_queue_size = 128

    def __init__(self, answer: Callable[[Request], Answer]) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.answer = answer
        self.stopping = threading.Event()
        self.url = f"http://127.0.0.1:{self.server_port}"
        self._open: set[socket.socket] = set()
        self._thread = threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self.stopping.set()
        self.shutdown()
        self._thread.join()
        for connection in list(self._open):
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        self.server_close()

    def process_request(self, request: Any, client_address: Any) -> None:
        self._open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        self._open.discard(request)
        super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that goes away in the middle is no news."""
