"""A real HTTP server that answers from a table, and small real wheels to put on it."""

from __future__ import annotations

import hashlib
import io
import re
import threading
import zipfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from bootstrap.index.client import Client, NetworkSettings

Connect = Callable[[NetworkSettings], Client]


@dataclass(frozen=True)
class Reply:
    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    cut_after: int | None = None
    """Bytes after which the connection is closed, although more were announced."""


Route = Reply | Callable[[Mapping[str, str]], Reply]


@dataclass
class Server:
    """`routes` maps paths to replies; `asked` lists every request with its headers (names in lower case)."""

    url: str = ""
    routes: dict[str, Route] = field(default_factory=dict)
    asked: list[tuple[str, dict[str, str]]] = field(default_factory=list)

    @property
    def paths(self) -> list[str]:
        return [path for path, _ in self.asked]

    def page(self, path: str, body: str, **headers: str) -> None:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        self.routes[path] = Reply(200, body.encode(), {"content-type": "text/html"} | named)

    def project(self, name: str, *filenames: str, index: str = "/simple") -> None:
        """A PEP 503 page that links to files beside it."""
        self.page(f"{index}/{name}/", "".join(f'<a href="{file}">{file}</a>\n' for file in filenames))


@contextmanager
def serving() -> Iterator[Server]:
    server = Server()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            headers = {name.lower(): value for name, value in self.headers.items()}
            server.asked.append((self.path, headers))
            route = server.routes.get(self.path, Reply(404))
            reply = route if isinstance(route, Reply) else route(headers)
            self.send_response(reply.status)
            for name, value in reply.headers.items():
                self.send_header(name, value)
            self.send_header("content-length", str(len(reply.body)))
            self.end_headers()
            self.wfile.write(reply.body[: reply.cut_after])
            self.close_connection = reply.cut_after is not None

        def log_message(self, *_: object) -> None:
            """Keep quiet."""

    class QuietServer(ThreadingHTTPServer):
        daemon_threads = True
        request_queue_size = 64

        def handle_error(self, *_: object) -> None:
            """A client that went away is what some tests are about."""

    with QuietServer(("127.0.0.1", 0), Handler) as http:
        server.url = f"http://127.0.0.1:{http.server_address[1]}"
        threading.Thread(target=http.serve_forever, args=(0.02,), daemon=True).start()
        try:
            yield server
        finally:
            http.shutdown()


def with_ranges(body: bytes) -> Callable[[Mapping[str, str]], Reply]:
    """A file on a server that grants every range."""

    def answer(headers: Mapping[str, str]) -> Reply:
        match = re.fullmatch(r"bytes=(\d*)-(\d*)", headers.get("range", ""))
        if match is None:
            return Reply(200, body)
        first, last = match[1], match[2]
        if not first:
            start, end = max(0, len(body) - int(last)), len(body) - 1
        else:
            start, end = int(first), min(int(last or len(body)), len(body) - 1)
        if start >= len(body):
            return Reply(416, b"", {"content-range": f"bytes */{len(body)}"})
        return Reply(206, body[start : end + 1], {"content-range": f"bytes {start}-{end}/{len(body)}"})

    return answer


def without_suffix_ranges(body: bytes) -> Callable[[Mapping[str, str]], Reply]:
    """A file on a server that refuses ranges counted from the end."""
    granting = with_ranges(body)

    def answer(headers: Mapping[str, str]) -> Reply:
        return Reply(416) if headers.get("range", "").startswith("bytes=-") else granting(headers)

    return answer


def metadata_text(name: str, version: str, *requires: str) -> str:
    lines = ["Metadata-Version: 2.1", f"Name: {name}", f"Version: {version}"]
    return "\n".join([*lines, *(f"Requires-Dist: {requirement}" for requirement in requires), "", "Prose.", ""])


def wheel(name: str, version: str, *requires: str, more: Mapping[str, bytes] | None = None) -> bytes:
    """The bytes of a small wheel; `more` are further files, written before its dist-info as build tools do."""
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(f"{name}/__init__.py", "")
        for path, body in (more or {}).items():
            archive.writestr(path, body)
        info = f"{name}-{version}.dist-info"
        archive.writestr(f"{info}/METADATA", metadata_text(name, version, *requires))
        archive.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr(f"{info}/RECORD", "")
    return target.getvalue()


def sha256(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()
