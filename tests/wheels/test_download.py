from __future__ import annotations

import http.client
import os
import random
import re
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from bootstrap.errors import BadDistributionError, BootstrapError, HashMismatchError, UnreachableError
from bootstrap.wheels.download import Download, Event, Streamed, fetch
from bootstrap.wheels.store import Store, sha256_of
from tests.making import make_wheel


@dataclass
class Site:
    """What the server serves and how it misbehaves: `breaks` cuts the next answers after so many bytes."""

    files: dict[str, bytes] = field(default_factory=dict)
    breaks: list[int] = field(default_factory=list)
    statuses: list[int] = field(default_factory=list)
    ranges: bool = True
    asked: list[tuple[str, str | None]] = field(default_factory=list)
    address: str = ""


@pytest.fixture
def site() -> Iterator[Site]:
    state = Site()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            wanted = self.headers["range"]
            state.asked.append((self.path[1:], wanted))
            content = state.files.get(self.path[1:])
            status = state.statuses.pop(0) if state.statuses else (200 if content is not None else 404)
            if status != 200 or content is None:
                self.send_response(status)
                self.send_header("content-length", "0")
                self.end_headers()
                return
            found = re.match(r"bytes=(\d+)-", wanted or "") if state.ranges else None
            start = int(found[1]) if found else 0
            self.send_response(206 if found else 200)
            if found:
                self.send_header("content-range", f"bytes {start}-{len(content) - 1}/{len(content)}")
            self.send_header("content-length", str(len(content) - start))
            self.end_headers()
            end = start + state.breaks.pop(0) if state.breaks else len(content)
            self.wfile.write(content[start:end])

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    state.address = f"http://127.0.0.1:{server.server_port}"
    yield state
    server.shutdown()
    thread.join()
    server.server_close()


@dataclass
class Answer:
    status: int
    headers: Mapping[str, str]
    chunks: Iterator[bytes]


class Client:
    """The smallest thing that is a source; short bodies just end, as with some proxies."""

    @contextmanager
    def piece(
        self, url: str, start: int = 0, end: int | None = None, unchanged: str | None = None
    ) -> Iterator[Streamed]:
        parts = urlsplit(url)
        wanted = {"Range": f"bytes={start}-{'' if end is None else end - 1}"} if start or end is not None else {}
        if wanted and unchanged:
            wanted["If-Range"] = unchanged
        connection = http.client.HTTPConnection(parts.netloc, timeout=10)
        try:
            connection.request("GET", parts.path, headers=wanted)
            with connection.getresponse() as answer:
                yield Answer(answer.status, dict(answer.headers), iter(lambda: answer.read1(10_000), b""))
        finally:
            connection.close()


class Watcher:
    def __init__(self) -> None:
        self.events: list[Event] = []

    def __call__(self, event: Event) -> None:
        self.events.append(event)

    def kinds(self, filename: str) -> list[str]:
        return [each.kind for each in self.events if each.download.filename == filename and each.kind != "advanced"]


def offer(site: Site, archive: Path, *, promised: bool = True) -> Download:
    content = archive.read_bytes()
    site.files[archive.name] = content
    return Download(
        f"{site.address}/{archive.name}", archive.name, sha256_of(archive) if promised else None, len(content)
    )


def big_wheel(folder: Path, name: str = "tool", amount: int = 60_000) -> Path:
    return make_wheel(folder, name, "1.0", files={f"{name}.bin": random.Random(1).randbytes(amount)})


def parts(store: Store) -> list[str]:
    return [each.name for each in store.incoming.iterdir()]


def test_loads_several_and_takes_the_rest_from_the_store(tmp_path: Path, site: Site) -> None:
    store, watcher = Store(tmp_path / "store"), Watcher()
    downloads = [offer(site, make_wheel(tmp_path, name, "1.0")) for name in ("one", "two", "three")]
    archive = tmp_path / downloads[0].filename
    store.add(archive, archive.name)
    found = fetch(downloads, Client(), store, report=watcher, workers=2)
    assert {url: wheel.filename for url, wheel in found.items()} == {each.url: each.filename for each in downloads}
    assert watcher.kinds(downloads[0].filename) == ["stored"]
    assert watcher.kinds(downloads[1].filename) == ["started", "arrived", "finished"]
    assert sorted(path for path, _ in site.asked) == sorted(each.filename for each in downloads[1:])
    assert parts(store) == []
    advanced = sum(each.amount for each in watcher.events if each.kind == "advanced")
    assert advanced == sum(each.size or 0 for each in downloads[1:])


def test_starts_with_the_biggest(tmp_path: Path, site: Site) -> None:
    small, large = make_wheel(tmp_path, "small", "1.0"), big_wheel(tmp_path, "large")
    fetch([offer(site, small), offer(site, large)], Client(), Store(tmp_path / "s"), report=Watcher(), workers=1)
    assert [path for path, _ in site.asked] == [large.name, small.name]


def test_goes_on_where_a_connection_broke_off(tmp_path: Path, site: Site) -> None:
    archive = big_wheel(tmp_path)
    download = offer(site, archive)
    site.breaks = [3000, 2000]
    found = fetch([download], Client(), Store(tmp_path / "s"), report=Watcher(), workers=1, pause=0)
    assert found[download.url].sha256 == download.sha256
    assert [wanted for _, wanted in site.asked] == [None, "bytes=3000-", "bytes=5000-"]


def test_starts_again_where_the_server_cannot_go_on(tmp_path: Path, site: Site) -> None:
    download = offer(site, big_wheel(tmp_path))
    site.breaks, site.ranges = [3000], False
    watcher = Watcher()
    found = fetch([download], Client(), Store(tmp_path / "s"), report=watcher, workers=1, pause=0)
    assert found[download.url].sha256 == download.sha256
    assert sum(each.amount for each in watcher.events if each.kind == "advanced") == download.size


def test_gives_up_on_a_server_that_sends_nothing_new_and_keeps_what_there_is(tmp_path: Path, site: Site) -> None:
    download, store = offer(site, big_wheel(tmp_path)), Store(tmp_path / "s")
    site.breaks = [3000, *[0] * 20]
    with pytest.raises(UnreachableError, match=f"after 3000 of {download.size} bytes"):
        fetch([download], Client(), store, report=Watcher(), workers=1, pause=0)
    assert parts(store) == [f"{download.sha256}.part"]
    site.breaks, site.asked = [], []
    fetch([download], Client(), store, report=Watcher(), workers=1, pause=0)
    assert site.asked == [(download.filename, "bytes=3000-")]
    assert parts(store) == []


def test_a_torn_beginning_of_an_earlier_run_is_loaded_again(tmp_path: Path, site: Site) -> None:
    download, store = offer(site, big_wheel(tmp_path)), Store(tmp_path / "s")
    store.incoming.mkdir(parents=True)
    (store.incoming / f"{download.sha256}.part").write_bytes(b"\0" * 1000)
    found = fetch([download], Client(), store, report=Watcher(), workers=1)
    assert found[download.url].sha256 == download.sha256
    assert [wanted for _, wanted in site.asked] == ["bytes=1000-", None]


def test_a_beginning_that_is_longer_than_the_file_is_loaded_again(tmp_path: Path, site: Site) -> None:
    archive = big_wheel(tmp_path)
    offered, store = offer(site, archive), Store(tmp_path / "s")
    store.incoming.mkdir(parents=True)
    (store.incoming / f"{offered.sha256}.part").write_bytes(b"\0" * (len(archive.read_bytes()) + 5))
    site.statuses = [416]
    found = fetch([offered], Client(), store, report=Watcher(), workers=1, pause=0)
    assert found[offered.url].sha256 == offered.sha256


def test_refuses_other_bytes_and_keeps_none_of_them(tmp_path: Path, site: Site) -> None:
    download, store = offer(site, big_wheel(tmp_path)), Store(tmp_path / "s")
    site.files[download.filename] = b"x" * (download.size or 0)
    with pytest.raises(HashMismatchError, match=download.filename):
        fetch([download], Client(), store, report=Watcher(), workers=1)
    assert parts(store) == []


def test_loads_without_a_promise_and_leaves_no_parts(tmp_path: Path, site: Site) -> None:
    archive, store = big_wheel(tmp_path), Store(tmp_path / "s")
    download = offer(site, archive, promised=False)
    found = fetch([download], Client(), store, report=Watcher(), workers=1)
    assert found[download.url].sha256 == sha256_of(archive)
    assert [Path(each).suffix for each in parts(store)] == [".note"]


def test_what_was_just_fetched_without_a_promise_is_not_fetched_again(tmp_path: Path, site: Site) -> None:
    store, download = Store(tmp_path / "s"), offer(site, big_wheel(tmp_path), promised=False)
    first = fetch([download], Client(), store, report=Watcher(), workers=1)
    site.files.clear()
    assert fetch([download], Client(), store, report=Watcher(), workers=1) == first
    (note,) = store.incoming.iterdir()
    os.utime(note, (0, 0))
    with pytest.raises(BootstrapError):
        fetch([download], Client(), store, report=Watcher(), workers=1)
    assert parts(store) == []


def test_a_bad_wheel_is_refused_after_its_hash_was_right(tmp_path: Path, site: Site) -> None:
    archive = tmp_path / "tool-1.0-py3-none-any.whl"
    archive.write_bytes(b"not a zip")
    store = Store(tmp_path / "s")
    with pytest.raises(BadDistributionError):
        fetch([offer(site, archive)], Client(), store, report=Watcher(), workers=1)
    assert list(store) == []


def test_asks_once_for_what_is_not_there(tmp_path: Path, site: Site) -> None:
    missing = Download(f"{site.address}/gone.whl", "gone-1.0-py3-none-any.whl", "0" * 64)
    with pytest.raises(UnreachableError, match="status 404"):
        fetch([missing], Client(), Store(tmp_path / "s"), report=Watcher(), workers=2)
    assert len(site.asked) == 1


def test_asks_again_when_the_server_says_later(tmp_path: Path, site: Site) -> None:
    download = offer(site, make_wheel(tmp_path, "tool", "1.0"))
    site.statuses = [503, 429]
    found = fetch([download], Client(), Store(tmp_path / "s"), report=Watcher(), workers=1, pause=0)
    assert list(found) == [download.url]


def test_two_at_once_load_one_archive_once(tmp_path: Path, site: Site) -> None:
    download, store = offer(site, big_wheel(tmp_path)), Store(tmp_path / "s")
    results: list[str] = []

    def load() -> None:
        found = fetch([download], Client(), store, report=Watcher(), workers=1)
        results.append(found[download.url].sha256)

    threads = [threading.Thread(target=load) for _ in range(4)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert results == [download.sha256] * 4
    assert len(site.asked) == 1
