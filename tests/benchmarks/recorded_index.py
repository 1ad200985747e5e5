"""A recorded copy of indexes, served from memory by one small process; what it lacks is recorded when asked for.

    python -m tests.benchmarks.recorded_index FOLDER MOUNT=ADDRESS… [--json]

    GET /MOUNT/NAME/           the page of a project, HTML or JSON (PEP 691), every wheel with PEP 658 metadata
    GET /files/….whl.metadata  the metadata of a wheel
    GET /files/…               a file itself, whole or in one range
    GET /-/begin?delay=0.05    from now on wait so many seconds before each answer, and count anew
    GET /-/counts              what was asked since then, as JSON

The folder holds the pages as they were when first asked for, and the metadata that anybody wanted so far. An answer
that had to be fetched is counted in `recorded`: a measured run with one of them is to be repeated. `idle` is how many
seconds between the first request and the last answer nobody was waiting for the server.

One process and one thread, keep-alive, answers rendered before `begin` returns: it is not what is measured.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import html
import json
import re
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from subprocess import PIPE, Popen
from typing import Any
from urllib.parse import parse_qs, urlsplit
from urllib.request import urlopen

from bootstrap.index.client import Client
from bootstrap.index.files import File
from bootstrap.index.remote_wheel import metadata_from_wheel
from bootstrap.index.simple import read_page

__all__ = ["Server", "served"]

ROOT = Path(__file__).parent.parent.parent
JSON = "application/vnd.pypi.simple.v1+json"
OK, PART, NOT_FOUND = 200, 206, 404
REASONS = {OK: "OK", PART: "Partial Content", NOT_FOUND: "Not Found"}
FOREVER = "max-age=365000000, immutable, public"
RANGE = re.compile(rb"\r\nrange: *bytes=(\d*)-(\d*)", re.IGNORECASE)


def response(status: int, body: bytes, content_type: str, cached: str, more: str = "") -> bytes:
    """A whole answer as it goes over the wire."""
    head = f"HTTP/1.1 {status} {REASONS[status]}\r\nContent-Type: {content_type}\r\nContent-Length: {len(body)}\r\n"
    return f"{head}Cache-Control: {cached}\r\nAccept-Ranges: bytes\r\n{more}\r\n".encode() + body


MISSING = response(NOT_FOUND, b"not found\n", "text/plain", "no-cache")


class Recording:
    """Pages and files by path: in memory as they are sent, on disk as they were fetched."""

    def __init__(self, folder: Path, mounts: Mapping[str, str], *, as_json: bool) -> None:
        self._folder, self._mounts, self._as_json = folder, mounts, as_json
        self._client = Client()
        self.url = ""
        self._links: dict[str, list[dict[str, Any]]] = {}
        self._origins: dict[str, tuple[str, str]] = {}
        self._stale: set[str] = set()
        self._page_of: dict[str, str] = {}
        self.answers: dict[str, bytes] = {}
        for path in sorted((folder / "pages").glob("*/*.json")):
            self._list(f"/{path.parent.name}/{path.stem}/", json.loads(path.read_text()))
        for path in (each for each in (folder / "files").rglob("*") if each.is_file()):
            self._keep(f"/{path.relative_to(folder).as_posix()}", path.read_bytes())

    def render(self) -> None:
        """Write the pages anew whose files have new metadata."""
        for page in self._stale:
            self.answers[page] = self._page(page)
        self._stale.clear()

    def fetch(self, target: str) -> bytes:
        """What the recording lacks, from where it was recorded; called from other threads."""
        if target.startswith("/files/"):
            return self._fetch_file(target)
        mount, _, name = target.strip("/").rpartition("/")
        address = self._mounts.get(mount)
        if address is None:
            return MISSING
        answer = self._client.get(f"{address}/{name}/", {"accept": f"{JSON}, text/html;q=0.1"})
        files = read_page(answer.body, answer.content_type, answer.url, "").files() if answer.status == OK else ()
        links = [{**asdict(file), "path": _path(file)} for file in files]
        self._save(f"pages/{mount}/{name}.json", json.dumps(links).encode())
        self._list(target, links)
        self.answers[target] = self._page(target)
        return self.answers[target]

    def _fetch_file(self, target: str) -> bytes:
        url, filename = self._origins.get(target.removesuffix(".metadata"), ("", ""))
        if not url:
            return MISSING
        if target.endswith(".metadata"):
            body = metadata_from_wheel(self._client, url, filename)
        else:
            with self._client.stream(url) as answer:
                body = b"".join(answer.chunks)
        self._save(target.lstrip("/"), body)
        return self._keep(target, body)

    def _list(self, page: str, links: list[dict[str, Any]]) -> None:
        self._links[page] = links
        self._stale.add(page)
        for link in links:
            self._origins[link["path"]] = (link["url"], link["filename"])
            self._page_of[link["path"]] = page

    def _keep(self, target: str, body: bytes) -> bytes:
        self.answers[target] = response(OK, body, "application/octet-stream", FOREVER)
        page = self._page_of.get(target.removesuffix(".metadata"))
        if page is not None and target.endswith(".metadata"):
            self._stale.add(page)
        return self.answers[target]

    def _save(self, name: str, body: bytes) -> None:
        path = self._folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(body)

    def _page(self, page: str) -> bytes:
        links = self._links[page]
        if not links:
            return MISSING
        described = {each["path"]: self._described(each) for each in links}
        if self._as_json:
            files = [_json_link(each, self.url, described[each["path"]]) for each in links]
            document = {"meta": {"api-version": "1.1"}, "name": page.split("/")[-2], "files": files}
            return response(OK, json.dumps(document, separators=(",", ":")).encode(), JSON, "max-age=600, public")
        rows = "".join(_html_link(each, self.url, described[each["path"]]) for each in links)
        text = f"<!DOCTYPE html>\n<html>\n<head><title>Links</title></head>\n<body>\n{rows}</body>\n</html>\n"
        return response(OK, text.encode(), "text/html", "max-age=600, public")

    def _described(self, link: Mapping[str, Any]) -> str | None:
        """The hash of a wheel's metadata; empty if it was not recorded so far, None for other files."""
        if not link["filename"].endswith(".whl"):
            return None
        answer = self.answers.get(f"{link['path']}.metadata")
        return "" if answer is None else hashlib.sha256(answer.partition(b"\r\n\r\n")[2]).hexdigest()


def _path(file: File) -> str:
    return "/files" + urlsplit(file.url).path


def _html_link(link: Mapping[str, Any], host: str, described: str | None) -> str:
    fragment = f"#sha256={link['hashes']['sha256']}" if "sha256" in link["hashes"] else ""
    named = {
        "data-requires-python": link["requires_python"],
        "data-core-metadata": "true" if described == "" else described and f"sha256={described}",
        "data-yanked": link["yanked"],
        "data-upload-time": link["upload_time"],
    }
    said = "".join(f' {name}="{html.escape(value)}"' for name, value in named.items() if value is not None)
    return f'<a href="{host}{link["path"]}{fragment}"{said}>{link["filename"]}</a><br />\n'


def _json_link(link: Mapping[str, Any], host: str, described: str | None) -> dict[str, Any]:
    metadata = described is not None and ({"sha256": described} if described else True)
    said = {
        "filename": link["filename"],
        "url": host + link["path"],
        "hashes": link["hashes"],
        "requires-python": link["requires_python"],
        "size": link["size"],
        "upload-time": link["upload_time"],
        "yanked": False if link["yanked"] is None else link["yanked"],
        "core-metadata": metadata,
    }
    return {name: value for name, value in said.items() if value is not None}


@dataclass
class Counts:
    """What was asked since `begin`; times are seconds."""

    delay: float = 0.0
    pages: int = 0
    metadata: int = 0
    files: int = 0
    twice: int = 0
    recorded: int = 0
    connections: int = 0
    peak: int = 0
    idle: float = 0.0
    waiting: int = 0
    ended: float = 0.0
    seen: set[str] = field(default_factory=set)

    def begin(self, target: str) -> None:
        if self.waiting == 0 and self.ended:
            self.idle += time.monotonic() - self.ended
        self.waiting += 1
        self.peak = max(self.peak, self.waiting)
        self.twice += target in self.seen
        self.seen.add(target)
        kind = "pages" if target.endswith("/") else "metadata" if target.endswith(".metadata") else "files"
        setattr(self, kind, getattr(self, kind) + 1)

    def end(self) -> None:
        self.waiting -= 1
        self.ended = time.monotonic()


class Host:
    """What all connections share."""

    def __init__(self, recording: Recording) -> None:
        self.recording, self.counts = recording, Counts()
        self.loop = asyncio.get_running_loop()
        self.pool = ThreadPoolExecutor(16)

    def control(self, target: str) -> bytes:
        parts = urlsplit(target)
        if parts.path == "/-/begin":
            self.recording.render()
            self.counts = Counts(float(parse_qs(parts.query).get("delay", ["0"])[0]))
        told = {name: value for name, value in vars(self.counts).items() if name not in {"seen", "waiting", "ended"}}
        return response(OK, json.dumps(told).encode(), "application/json", "no-store")


class Connection(asyncio.Protocol):
    """One connection; requests on it are answered one after the other, as clients send them."""

    def __init__(self, host: Host) -> None:
        self._host, self._buffer, self._is_new = host, b"", True

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        while (end := self._buffer.find(b"\r\n\r\n")) >= 0:
            head, self._buffer = self._buffer[:end], self._buffer[end + 4 :]
            self._take(head.split(b" ", 2)[1].decode(), head)

    def _take(self, target: str, head: bytes) -> None:
        host = self._host
        if target.startswith("/-/"):
            self._transport.write(host.control(target))
            return
        counts = host.counts
        counts.connections += self._is_new
        self._is_new = False
        counts.begin(target)
        if counts.delay:
            host.loop.call_later(counts.delay, self._answer, target, head, counts)
        else:
            self._answer(target, head, counts)

    def _answer(self, target: str, head: bytes, counts: Counts) -> None:
        found = self._host.recording.answers.get(target)
        if found is not None:
            self._send(found, head, counts)
            return
        counts.recorded += 1
        future = self._host.loop.run_in_executor(self._host.pool, self._host.recording.fetch, target)
        future.add_done_callback(lambda done: self._send(MISSING if done.exception() else done.result(), head, counts))

    def _send(self, answer: bytes, head: bytes, counts: Counts) -> None:
        counts.end()
        asked = RANGE.search(head)
        self._transport.write(_part(answer, asked) if asked is not None and answer is not MISSING else answer)


def _part(answer: bytes, asked: re.Match[bytes]) -> bytes:
    body = answer.partition(b"\r\n\r\n")[2]
    first, last = (int(each) if each else None for each in asked.groups())
    start = max(0, len(body) - (last or 0)) if first is None else first
    end = len(body) if first is None or last is None else min(len(body), last + 1)
    more = f"Content-Range: bytes {start}-{end - 1}/{len(body)}\r\n"
    return response(PART, body[start:end], "application/octet-stream", FOREVER, more)


async def serve(recording: Recording) -> None:
    """Serve until the standard input ends; the first line of the standard output is the address."""
    host = Host(recording)
    server = await asyncio.get_running_loop().create_server(lambda: Connection(host), "127.0.0.1", 0, backlog=256)
    recording.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    recording.render()
    print(recording.url, flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)


@dataclass(frozen=True)
class Server:
    """A running server, seen from outside."""

    url: str

    def begin(self, delay: float) -> None:
        """Count anew; `delay` is seconds."""
        self._ask(f"begin?delay={delay}")

    def counts(self) -> Mapping[str, float]:
        """What was asked since then."""
        return self._ask("counts")

    def _ask(self, what: str) -> dict[str, float]:
        with urlopen(f"{self.url}/-/{what}") as answer:
            told: dict[str, float] = json.loads(answer.read())
        return told


@contextmanager
def served(folder: Path, mounts: Mapping[str, str], *, as_json: bool) -> Iterator[Server]:
    """A server in a process of its own, as long as the `with` block runs."""
    named = [f"{mount}={address}" for mount, address in mounts.items()]
    command: Sequence[str] = [
        sys.executable,
        "-m",
        __spec__.name,
        str(folder),
        *named,
        *(["--json"] if as_json else []),
    ]
    with Popen(command, cwd=ROOT, stdin=PIPE, stdout=PIPE, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            yield Server(process.stdout.readline().strip())
        finally:
            process.stdin.close()


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("folder", type=Path)
    options.add_argument("mounts", nargs="+")
    options.add_argument("--json", action="store_true")
    asked = options.parse_args()
    mounts = dict(each.partition("=")[::2] for each in asked.mounts)
    asyncio.run(serve(Recording(asked.folder, mounts, as_json=asked.json)))


if __name__ == "__main__":
    main()
