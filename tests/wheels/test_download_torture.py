"""Downloads from servers that misbehave: each ends with the right bytes or with a sentence, and the store is clean."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from bootstrap.errors import BootstrapError, HashMismatchError, RefusedError, UnreachableError
from bootstrap.index.client import Client, NetworkSettings
from bootstrap.wheels import journal
from bootstrap.wheels.download import Download, Event, fetch
from bootstrap.wheels.store import Store, sha256_of
from tests.making import make_wheel
from tests.wheels.misbehaving import Answer, Asked, Site, Twist, misbehaving

ROOT = Path(__file__).parent.parent.parent
MEGABYTE = 1024 * 1024
SIZES = {"small": 100_000, "large": 18 * MEGABYTE}  # the large one is fetched in pieces

CHILD = """
import sys
from pathlib import Path
from bootstrap.index.client import Client
from bootstrap.wheels.download import Download, fetch
from bootstrap.wheels.store import Store
url, filename, sha256, size, store = sys.argv[1:]
with Client() as client:
    wanted = Download(url, filename, sha256, int(size) or None)
    fetch([wanted], client, Store(Path(store)), report=lambda event: None, workers=2)
"""


@pytest.fixture(scope="module", params=SIZES)
def wheel(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return noise(tmp_path_factory.mktemp("wheels"), SIZES[request.param])


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return noise(tmp_path_factory.mktemp("wheels"), SIZES["large"])


@pytest.fixture(scope="module")
def larger(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return noise(tmp_path_factory.mktemp("wheels"), 60 * MEGABYTE)


def noise(folder: Path, size: int) -> Path:
    return make_wheel(folder, "tool", "1.0", files={"tool.bin": random.Random(size).randbytes(size)})


@pytest.fixture
def site(wheel: Path) -> Iterator[Site]:
    with misbehaving(wheel.read_bytes()) as running:
        yield running


def wanted(site: Site, wheel: Path, *, sized: bool = True) -> Download:
    size = wheel.stat().st_size if sized else None
    return Download(f"{site.address}/{wheel.name}", wheel.name, sha256_of(wheel), size)


def arrived(store: Store, download: Download) -> None:
    """Run one download to its end: the right file in the store, and nothing beside it."""
    events: list[Event] = []
    with Client(NetworkSettings(timeout=1)) as client:
        found = fetch([download], client, store, report=events.append, workers=2, pause=0)
    assert found[download.url].sha256 == download.sha256
    assert not list(store.incoming.iterdir())
    told = sum(each.amount for each in events if each.kind in {"advanced", "resumed"})
    assert told == (download.size or told)


def failed(store: Store, download: Download) -> BootstrapError:
    """The same for one that must not succeed: a sentence about it, and nothing in the store."""
    with Client(NetworkSettings(timeout=1)) as client, pytest.raises(BootstrapError) as caught:
        fetch([download], client, store, report=lambda _event: None, workers=2, pause=0)
    assert not list(store)
    assert not list(store.root.glob("building/*"))
    return caught.value


def every_fifth(asked: Asked, answer: Answer) -> Answer:
    return Answer(503, answer.body[:0]) if asked.number % 5 == 0 else answer


def at_first(count: int, twist: Twist) -> Twist:
    return lambda asked, answer: twist(asked, answer) if asked.number <= count else answer


def with_ranges(twist: Twist) -> Twist:
    return lambda asked, answer: twist(asked, answer) if asked.start is not None else answer


def reset(_asked: Asked, answer: Answer) -> Answer:
    return replace(answer, stops=len(answer.body) // 2, resets=True)


def truncated(_asked: Asked, answer: Answer) -> Answer:
    return replace(answer, stops=max(1, len(answer.body) * 2 // 3))


def shortened(_asked: Asked, answer: Answer) -> Answer:
    """The length that is announced is that of what is sent, and too little."""
    return replace(answer, body=answer.body[: len(answer.body) // 2 + 1])


def shifted(_asked: Asked, answer: Answer) -> Answer:
    """Another part than was asked for, and it says so."""
    first, _, rest = answer.headers["Content-Range"].removeprefix("bytes ").partition("-")
    said = f"bytes {int(first) + 1}-{rest}"
    return replace(answer, body=answer.body[1:], headers={**answer.headers, "Content-Range": said})


def lying(asked: Asked, answer: Answer) -> Answer:
    """Another part than was asked for, and it says that it is the right one."""
    return replace(answer, body=memoryview(bytes(len(answer.body)))) if asked.start else answer


def nameless(_asked: Asked, answer: Answer) -> Answer:
    return replace(answer, headers={name: each for name, each in answer.headers.items() if name != "Content-Range"})


def restless(asked: Asked, answer: Answer) -> Answer:
    return replace(answer, headers={**answer.headers, "ETag": f'"{asked.number}"'})


def encoded(_asked: Asked, answer: Answer) -> Answer:
    return replace(answer, headers={**answer.headers, "Content-Encoding": "gzip"})


def later(_asked: Asked, answer: Answer) -> Answer:
    return Answer(429, answer.body[:0], {"Retry-After": "1"})


RECOVERED: dict[str, Twist] = {
    "nothing wrong": lambda _asked, answer: answer,
    "every fifth answer is 503": every_fifth,
    "resets": at_first(4, reset),
    "cut off": at_first(4, truncated),
    "cut off, each and every one": truncated,
    "short, and saying so": at_first(1, shortened),
    "another part": with_ranges(shifted),
    "another part once": with_ranges(lambda asked, answer: shifted(asked, answer) if asked.number == 2 else answer),
    "another part, and a lie": with_ranges(lying),
    "a part without its place": with_ranges(nameless),
    "a part that is encoded": with_ranges(encoded),
    "a new ETag each time": restless,
    "429 at first": at_first(2, later),
    "no answer in time at first": at_first(1, lambda _asked, answer: replace(answer, delay=1.5)),
    "no HTTP at first": at_first(2, lambda _asked, answer: replace(answer, raw=b"\0\1\2\3\r\n\r\n")),
    "closed at first": at_first(3, lambda _asked, answer: replace(answer, raw=b"")),
}


@pytest.mark.parametrize("sized", [True, False], ids=["size known", "size unknown"])
@pytest.mark.parametrize("twist", RECOVERED.values(), ids=RECOVERED)
def test_gets_the_right_bytes_in_the_end(twist: Twist, sized: bool, site: Site, wheel: Path, tmp_path: Path) -> None:
    site.twist = twist
    arrived(Store(tmp_path / "store"), wanted(site, wheel, sized=sized))


@pytest.mark.parametrize("sized", [True, False], ids=["size known", "size unknown"])
def test_does_without_ranges(sized: bool, site: Site, wheel: Path, tmp_path: Path) -> None:
    site.ranges = False
    arrived(Store(tmp_path / "store"), wanted(site, wheel, sized=sized))
    assert len(site.asked) == 1


@pytest.mark.parametrize(
    "validators",
    [{}, {"ETag": 'W/"weak"'}, {"Last-Modified": "Mon, 02 Jan 2023 03:04:05 GMT"}],
    ids=["nothing", "a weak ETag", "a date"],
)
def test_takes_pieces_of_files_that_are_told_apart_by(validators: dict[str, str], large: Path, tmp_path: Path) -> None:
    with misbehaving(large.read_bytes()) as site:
        site.validators = validators
        arrived(Store(tmp_path / "store"), wanted(site, large))
        assert all(each.start is not None for each in site.asked)
        assert {each.if_range for each in site.asked[1:]} == {validators.get("Last-Modified")}


def only(status: int, **headers: str) -> Twist:
    named = {name.replace("_", "-"): each for name, each in headers.items()}
    return lambda _asked, answer: Answer(status, answer.body[:0], named)


def zeros(_asked: Asked, answer: Answer) -> Answer:
    return replace(answer, body=memoryview(bytes(len(answer.body))))


FATAL: dict[str, tuple[Twist, type[BootstrapError], str]] = {
    "other bytes": (zeros, HashMismatchError, "promised"),
    "a web page": (lambda _asked, _answer: Answer(200, memoryview(b"Please log in.")), HashMismatchError, "promised"),
    "429 for hours": (only(429, Retry_After="7200"), UnreachableError, "429"),
    "503 for ever": (only(503), UnreachableError, "503"),
    "never a byte": (lambda _asked, answer: replace(answer, stops=0), UnreachableError, "broke"),
    "gone": (only(404), RefusedError, "404"),
    "forbidden": (only(403), RefusedError, "403"),
    "a redirect to itself": (only(302, Location="/again"), RefusedError, "redirect"),
}


@pytest.mark.parametrize("case", FATAL.values(), ids=FATAL)
def test_ends_with_a_sentence(
    case: tuple[Twist, type[BootstrapError], str], site: Site, wheel: Path, tmp_path: Path
) -> None:
    site.twist, kind, words = case
    error = failed(Store(tmp_path / "store"), wanted(site, wheel))
    assert isinstance(error, kind)
    assert words in str(error)


@pytest.mark.parametrize("status", [401, 403, 404, 410])
def test_asks_once_for_what_it_is_refused(status: int, site: Site, wheel: Path, tmp_path: Path) -> None:
    site.twist = lambda _asked, answer: Answer(status, answer.body[:0])
    assert str(status) in str(failed(Store(tmp_path / "store"), wanted(site, wheel)))
    assert len(site.asked) == 1


def test_does_not_listen_to_more_than_was_announced(tmp_path: Path) -> None:
    wheel = noise(tmp_path, SIZES["small"])
    with misbehaving(wheel.read_bytes() + bytes(50 * MEGABYTE)) as site:
        assert isinstance(failed(Store(tmp_path / "store"), wanted(site, wheel)), HashMismatchError)
        site.twist = lambda _asked, answer: replace(answer, raw=endless())
        assert isinstance(failed(Store(tmp_path / "store"), wanted(site, wheel)), HashMismatchError)


def endless() -> bytes:
    """An answer in chunks that does not say how long it is, and is much too long."""
    chunk = b"%x\r\n" % MEGABYTE + bytes(MEGABYTE) + b"\r\n"
    return b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + chunk * 4


def test_a_file_that_is_replaced_while_it_is_fetched_is_not_mixed(large: Path, tmp_path: Path) -> None:
    """The new one is not the one that was promised, so it ends with a sentence; the pieces of the old one are gone."""
    with misbehaving(large.read_bytes()) as site:

        def replaced(asked: Asked, answer: Answer) -> Answer:
            if asked.number == 2:
                site.content, site.validators = bytes(len(site.content)), {"ETag": '"two"'}
                return site.right(asked)
            return answer

        site.twist = replaced
        store = Store(tmp_path / "store")
        assert isinstance(failed(store, wanted(site, large)), HashMismatchError)
        assert not list(store.incoming.iterdir())


def test_uses_more_connections_where_each_is_slow_and_not_too_many(large: Path, tmp_path: Path) -> None:
    with misbehaving(large.read_bytes()) as site:
        site.cap = 4 * MEGABYTE
        arrived(Store(tmp_path / "store"), wanted(site, large))
        assert 3 <= site.most_open <= 8
        assert site.served < len(site.content) * 1.1


def test_is_content_with_as_many_connections_as_it_is_granted(large: Path, tmp_path: Path) -> None:
    with misbehaving(large.read_bytes()) as site:
        site.cap = 6 * MEGABYTE
        site.twist = lambda _asked, answer: later(_asked, answer) if site.open > 2 else answer
        arrived(Store(tmp_path / "store"), wanted(site, large))


def start(site: Site, wheel: Path, store: Store, stderr: int | None = None) -> subprocess.Popen[bytes]:
    download = wanted(site, wheel)
    arguments = [download.url, download.filename, str(download.sha256), str(download.size), str(store.root)]
    environ = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.Popen([sys.executable, "-c", CHILD, *arguments], cwd=ROOT, env=environ, stderr=stderr)


def noted(store: Store, download: Download) -> int:
    """Bytes that a killed run left, as it noted them itself."""
    found = journal.read(store.incoming / f"{download.sha256}.journal")
    return sum(end - begin for begin, end in found.spans) if found else 0


def test_a_killed_process_left_nearly_everything_it_had_to_the_next(larger: Path, tmp_path: Path) -> None:
    store = Store(tmp_path / "store")
    with misbehaving(larger.read_bytes()) as site:
        site.cap = 12 * MEGABYTE
        download, size = wanted(site, larger), len(site.content)
        left = 0
        for moment in (0.2, 0.45, 0.7):
            before = site.served
            running = start(site, larger, store)
            while before + size * 0.2 > site.served or noted(store, download) < size * moment:
                assert running.poll() is None
                time.sleep(0.005)
            running.send_signal(signal.SIGKILL)
            running.wait()
            fresh, left = noted(store, download) - left, noted(store, download)
            time.sleep(0.1)  # what is on its way to nobody counts too
            assert site.served - before - fresh < size * 0.15
        before = site.served
        assert start(site, larger, store).wait() == 0
        assert site.served - before < size - left + size * 0.05
    assert list(store) == [download.sha256]
    assert not list(store.incoming.iterdir())


def test_an_interrupt_waits_for_no_server_and_keeps_what_has_arrived(large: Path, tmp_path: Path) -> None:
    store = Store(tmp_path / "store")
    with misbehaving(large.read_bytes()) as site:
        site.twist = lambda asked, answer: answer if asked.number == 1 else replace(answer, delay=30)
        running = start(site, large, store, stderr=subprocess.DEVNULL)
        while noted(store, wanted(site, large)) < 8 * MEGABYTE or len(site.asked) < 2:
            assert running.poll() is None
            time.sleep(0.01)
        running.send_signal(signal.SIGINT)
        assert running.wait(timeout=10) != 0  # a request is given up after 15 seconds
        assert noted(store, wanted(site, large)) == 8 * MEGABYTE
    assert not list(store)


def test_a_file_that_nothing_vouches_for_is_fetched_in_one_stream(large: Path, tmp_path: Path) -> None:
    with misbehaving(large.read_bytes()) as site, Client() as client:
        site.validators = {}
        unpromised = replace(wanted(site, large), sha256=None)
        store = Store(tmp_path / "store")
        found = fetch([unpromised], client, store, report=lambda _event: None, workers=1, pause=0)
        assert found[unpromised.url].sha256 == sha256_of(large)
        assert [(each.start, each.end is None) for each in site.asked] == [(0, False), (8 * MEGABYTE, True)]


def test_two_processes_fetch_one_file_once(large: Path, tmp_path: Path) -> None:
    store = Store(tmp_path / "store")
    with misbehaving(large.read_bytes()) as site:
        running = [start(site, large, store) for _ in range(3)]
        assert [each.wait() for each in running] == [0, 0, 0]
        assert site.served < len(site.content) * 1.3
    assert len(list(store)) == 1


def left_over(store: Store, wheel: Path, site: Site, *, etag: str, good: bool) -> Download:
    """What a killed run leaves: the second half of the file, and a journal that says so."""
    download = wanted(site, wheel)
    content = wheel.read_bytes()
    half = len(content) // 2
    store.incoming.mkdir(parents=True)
    part = store.incoming / f"{download.sha256}.part"
    part.write_bytes(bytes(half) + (content[half:] if good else bytes(len(content) - half)))
    edition = journal.Edition(download.url, len(content), etag)
    journal.Journal(part.with_suffix(".journal"), edition, [(half, len(content))]).close()
    return download


def test_goes_on_with_the_pieces_of_the_same_edition(large: Path, tmp_path: Path) -> None:
    store = Store(tmp_path / "store")
    with misbehaving(large.read_bytes()) as site:
        arrived(store, left_over(store, large, site, etag='"one"', good=True))
        assert site.asked[0].if_range == '"one"'
        assert site.served <= len(site.content) // 2 + 1


@pytest.mark.parametrize("good", [True, False], ids=["the bytes are right", "the bytes are wrong"])
def test_discards_the_pieces_of_another_edition(good: bool, large: Path, tmp_path: Path) -> None:
    store = Store(tmp_path / "store")
    with misbehaving(large.read_bytes()) as site:
        download = left_over(store, large, site, etag='"zero"', good=good)
        arrived(store, download)
        assert site.served >= len(site.content)


def test_pieces_that_a_power_cut_has_torn_are_fetched_again(large: Path, tmp_path: Path) -> None:
    store = Store(tmp_path / "store")
    with misbehaving(large.read_bytes()) as site:
        download = left_over(store, large, site, etag='"one"', good=False)
        with Client() as client:
            found = fetch([download], client, store, report=lambda _event: None, workers=1)
    assert found[download.url].sha256 == download.sha256


@pytest.mark.parametrize(
    "spoil",
    [b"", b"{", b"\0\xff\n", b'{"format": 2}\n', b'{"format": 1, "size": "x", "url": "", "validator": ""}\n1 2\n'],
    ids=["empty", "cut", "no text", "of another format", "of no size"],
)
def test_a_journal_that_makes_no_sense_does_no_harm(spoil: bytes, large: Path, tmp_path: Path) -> None:
    store = Store(tmp_path / "store")
    with misbehaving(large.read_bytes()) as site:
        download = left_over(store, large, site, etag='"one"', good=True)
        (store.incoming / f"{download.sha256}.journal").write_bytes(spoil)
        with Client() as client:
            found = fetch([download], client, store, report=lambda _event: None, workers=1)
    assert found[download.url].sha256 == download.sha256
    assert not list(store.incoming.iterdir())


def test_sweeps_what_nobody_came_back_to(large: Path, tmp_path: Path) -> None:
    store = Store(tmp_path / "store")
    store.incoming.mkdir(parents=True)
    old, new, loose = "0" * 64, "1" * 64, "2" * 32
    names = {old: 30, new: 1, loose: 0}
    for name, days in names.items():
        for suffix in ("part", "journal"):
            path = store.incoming / f"{name}.{suffix}"
            path.write_bytes(b"x")
            os.utime(path, (time.time() - days * 86400,) * 2)
    with misbehaving(large.read_bytes()) as site, Client() as client:
        fetch([wanted(site, large)], client, store, report=lambda _event: None, workers=1)
    assert sorted(each.name for each in store.incoming.iterdir()) == [f"{new}.journal", f"{new}.part"]
