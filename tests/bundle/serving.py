"""A folder on 127.0.0.1, with ranges as any web server has them, and with the faults that copies meet."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote, urlsplit

__all__ = ["Asked", "Served", "served"]

_RANGE = re.compile(r"bytes=(\d+)-(\d*)")
_TYPES = {".html": "text/html", ".json": "application/json"}
_CHUNK = 1 << 16


@dataclass(frozen=True)
class Asked:
    """One request: its path, and the first byte that was wanted, None for all of it."""

    path: str
    start: int | None = None


@dataclass
class Served:
    """The server: what was asked of it, and whether it knows ranges. After `lasts` bytes of bodies it falls silent."""

    folder: Path
    url: str = ""
    has_ranges: bool = True
    lasts: int | None = None
    asked: list[Asked] = field(default_factory=list)
    silent: threading.Event = field(default_factory=threading.Event)
    over: threading.Event = field(default_factory=threading.Event)

    def take(self, count: int) -> int:
        """How many of so many bytes may be sent."""
        if self.lasts is None:
            return count
        granted = min(count, max(0, self.lasts))
        self.lasts -= granted
        return granted


class _Server(ThreadingHTTPServer):
    def handle_error(self, *_: object) -> None:
        """Clients that were killed are what some tests are about."""


@contextmanager
def served(folder: Path, *, has_ranges: bool = True, lasts: int | None = None) -> Iterator[Served]:
    """The folder on a port of its own for the time of the block."""
    state = Served(folder, has_ranges=has_ranges, lasts=lasts)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            _answer(self, state)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = _Server(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    state.url = f"http://127.0.0.1:{server.server_address[1]}/"
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield state
    finally:
        state.over.set()
        server.shutdown()
        server.server_close()
        thread.join()


def _answer(handler: BaseHTTPRequestHandler, state: Served) -> None:
    path = state.folder / unquote(urlsplit(handler.path).path).lstrip("/")
    path = path / "index.html" if path.is_dir() else path
    wanted = _RANGE.fullmatch(handler.headers.get("Range", "")) if state.has_ranges else None
    state.asked.append(Asked(handler.path, int(wanted[1]) if wanted else None))
    if not path.is_file():
        handler.send_error(404)
        return
    size = path.stat().st_size
    start, end = 0, size
    if wanted:
        start, end = int(wanted[1]), min(size, int(wanted[2]) + 1 if wanted[2] else size)
    handler.send_response(206 if wanted else 200)
    handler.send_header("Content-Type", _TYPES.get(path.suffix, "application/octet-stream"))
    handler.send_header("Content-Length", str(end - start))
    handler.send_header("ETag", f'"{path.stat().st_mtime_ns:x}"')
    if wanted:
        handler.send_header("Content-Range", f"bytes {start}-{end - 1}/{size}")
    handler.end_headers()
    _send(handler, state, path, start, end)


def _send(handler: BaseHTTPRequestHandler, state: Served, path: Path, start: int, end: int) -> None:
    with path.open("rb") as file:
        file.seek(start)
        while start < end:
            chunk = file.read(min(_CHUNK, end - start))
            granted = state.take(len(chunk))
            handler.wfile.write(chunk[:granted])
            if granted < len(chunk):
                state.silent.set()
                state.over.wait()
                return
            start += len(chunk)
