from __future__ import annotations

import threading
from pathlib import Path

import pytest

from bootstrap.index.cache import PageCache
from bootstrap.index.response import Response

_URL = "https://index.example/simple/torch/"


def _page(body: bytes = b"links", status: int = 200, /, **headers: str) -> Response:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Response(status, {"content-type": "text/html; charset=utf-8"} | named, body, _URL)


class Clock:
    def __init__(self) -> None:
        self.now = 1_700_000_000.0

    def __call__(self) -> float:
        return self.now


def test_gives_back_what_was_stored(tmp_path: Path) -> None:
    cache = PageCache(tmp_path)
    cache.store_page(_URL, _page(etag='"1"', last_modified="Mon"))
    entry = cache.page(_URL)
    assert entry is not None
    assert (entry.body, entry.content_type, entry.url, entry.status) == (b"links", "text/html", _URL, 200)
    assert entry.conditions == {"if-none-match": '"1"', "if-modified-since": "Mon"}
    assert cache.page(_URL + "other/") is None


@pytest.mark.parametrize(
    ("rules", "seconds"),
    [
        pytest.param({}, 600, id="nothing-said"),
        pytest.param({"cache_control": "public, max-age=60"}, 60, id="max-age"),
        pytest.param({"cache_control": "max-age=60", "age": "50"}, 10, id="already-aged"),
        pytest.param({"cache_control": "max-age=60, no-cache"}, 0, id="no-cache"),
        pytest.param({"cache_control": "public"}, 0, id="something-else-said"),
        pytest.param({"expires": "0"}, 0, id="expires"),
        pytest.param({"cache_control": f"max-age={'9' * 5000}"}, 999_999_999, id="absurd"),
    ],
)
def test_is_fresh_as_long_as_the_server_says(tmp_path: Path, rules: dict[str, str], seconds: int) -> None:
    clock = Clock()
    cache = PageCache(tmp_path, clock)
    cache.store_page(_URL, _page(**rules))
    for age, fresh in ((seconds - 1, seconds > 0), (seconds + 1, False)):
        clock.now = 1_700_000_000.0 + max(age, 0)
        entry = cache.page(_URL)
        assert entry is not None
        assert entry.fresh is fresh


def test_is_fresh_again_once_confirmed(tmp_path: Path) -> None:
    clock = Clock()
    cache = PageCache(tmp_path, clock)
    cache.store_page(_URL, _page())
    clock.now += 10_000
    cache.confirm_page(_URL)
    entry = cache.page(_URL)
    assert entry is not None
    assert entry.fresh


def test_is_not_fresh_when_it_comes_from_the_future(tmp_path: Path) -> None:
    clock = Clock()
    cache = PageCache(tmp_path, clock)
    cache.store_page(_URL, _page())
    clock.now -= 10_000
    entry = cache.page(_URL)
    assert entry is not None
    assert not entry.fresh


def test_keeps_an_absence_without_trusting_it(tmp_path: Path) -> None:
    cache = PageCache(tmp_path)
    cache.store_page(_URL, _page(b"", 404))
    entry = cache.page(_URL)
    assert entry is not None
    assert (entry.status, entry.fresh) == (404, False)


def test_stores_nothing_that_the_server_forbids(tmp_path: Path) -> None:
    PageCache(tmp_path).store_page(_URL, _page(cache_control="no-store"))
    assert list(tmp_path.iterdir()) == []


def test_stores_no_credentials(tmp_path: Path) -> None:
    cache = PageCache(tmp_path)
    cache.store_page("https://me:secret@index.example/simple/torch/", _page())
    assert cache.page(_URL) is not None
    assert all(b"secret" not in path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())


@pytest.mark.parametrize(
    "damage",
    [
        pytest.param(lambda body: body[:-2], id="cut-off"),
        pytest.param(lambda body: body[:-1] + b"?", id="flipped"),
        pytest.param(lambda _: b"", id="empty"),
        pytest.param(lambda _: b"\x00" * 100, id="zeros"),
        pytest.param(lambda _: b"[]\nlinks", id="other-json"),
        pytest.param(lambda body: body.replace(b'"url"', b'"lru"'), id="missing-key"),
        pytest.param(lambda body: body.replace(b'"max_age": 600', b'"max_age": "x"'), id="wrong-kind"),
    ],
)
def test_ignores_a_damaged_entry(tmp_path: Path, damage: object) -> None:
    cache = PageCache(tmp_path)
    cache.store_page(_URL, _page())
    (entry,) = (path for path in tmp_path.rglob("*") if path.is_file())
    assert callable(damage)
    entry.write_bytes(damage(entry.read_bytes()))
    assert cache.page(_URL) is None


def test_works_where_nothing_can_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("a file where a folder should be")
    for cache in (PageCache(tmp_path / "file"), PageCache(None)):
        cache.store_page(_URL, _page())
        cache.store_metadata("abc", b"Name: torch")
        cache.confirm_page(_URL)
        assert cache.page(_URL) is None
        assert cache.metadata("abc") is None


def test_leaves_no_temporary_files(tmp_path: Path) -> None:
    cache = PageCache(tmp_path)
    threads = [threading.Thread(target=cache.store_page, args=(_URL, _page(bytes([n]) * 9999))) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len([path for path in tmp_path.rglob("*") if path.is_file()]) == 1
    entry = cache.page(_URL)
    assert entry is not None
    assert len(set(entry.body)) == 1


def test_keeps_metadata(tmp_path: Path) -> None:
    cache = PageCache(tmp_path)
    cache.store_metadata("abc", b"Name: torch\n\nprose", 1234)
    assert PageCache(tmp_path).metadata("abc") == (b"Name: torch\n\nprose", 1234)
    assert cache.metadata("abd") is None
