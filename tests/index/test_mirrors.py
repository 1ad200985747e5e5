"""Several mirrors of one address: each is tried in its turn, and who does not answer is not asked first again."""

from __future__ import annotations

import random
import socket
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from bootstrap.errors import UnreachableError
from bootstrap.index.client import Client, NetworkSettings
from bootstrap.index.mirrors import Mirrors
from bootstrap.wheels.download import Download, fetch
from bootstrap.wheels.store import Store, sha256_of
from tests.index.serving import Connect, Reply, Server, serving
from tests.making import make_wheel
from tests.wheels.misbehaving import Answer, Asked, misbehaving

ORIGINAL = "https://download.pytorch.org/whl"


@pytest.fixture
def other() -> Iterator[Server]:
    with serving() as running:
        yield running


def mirrored(*targets: str) -> NetworkSettings:
    return NetworkSettings(timeout=5, retries=4, backoff=0.01, mirrors=tuple((ORIGINAL, each) for each in targets))


def nobody() -> str:
    """An address at which nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        return f"http://127.0.0.1:{free.getsockname()[1]}"


def test_are_those_of_the_longest_prefix_in_their_order() -> None:
    mirrors = Mirrors([("https://a", "https://x"), ("https://a/b", "https://y"), ("https://a/b/", "https://z")])
    assert mirrors.choices("https://a/b/c") == ("https://y/c", "https://z/c")
    assert mirrors.choices("https://a/d") == ("https://x/d",)
    assert mirrors.choices("https://e/d") == ("https://e/d",)
    mirrors.failed("https://y/c")
    assert mirrors.choices("https://a/b/c") == ("https://z/c", "https://y/c")


@pytest.mark.parametrize("status", [404, 410, 500, 503])
def test_the_next_one_is_asked_where_the_first_says(
    status: int, server: Server, other: Server, connect: Connect
) -> None:
    server.routes["/cpu/torch/"] = Reply(status)
    other.page("/cpu/torch/", "links")
    answer = connect(mirrored(server.url, other.url)).get(f"{ORIGINAL}/cpu/torch/")
    assert (answer.body, answer.url) == (b"links", f"{ORIGINAL}/cpu/torch/")


def test_who_is_silent_is_passed_over_from_then_on(other: Server, connect: Connect) -> None:
    other.page("/a/", "one")
    other.routes["/file"] = Reply(206, b"34", {"content-range": "bytes 3-4/9"})
    client = connect(mirrored(nobody(), other.url))
    assert client.get(f"{ORIGINAL}/a/").body == b"one"
    assert client.rewrite(f"{ORIGINAL}/a/").startswith(other.url)
    assert client.get_range(f"{ORIGINAL}/file", start=3, end=4).body == b"34"


def test_who_lacks_one_file_is_asked_for_others(server: Server, other: Server, connect: Connect) -> None:
    server.page("/b/", "two")
    other.page("/a/", "one")
    other.page("/b/", "not this one")
    client = connect(mirrored(server.url, other.url))
    assert [client.get(f"{ORIGINAL}/{name}/").body for name in "ab"] == [b"one", b"two"]


def test_the_last_one_has_the_last_word(server: Server, connect: Connect) -> None:
    client = connect(mirrored(nobody(), server.url))
    assert client.get(f"{ORIGINAL}/a/").status == 404
    gone = nobody()
    with pytest.raises(UnreachableError, match=gone):
        connect(mirrored(server.url, gone)).get(f"{ORIGINAL}/a/")


def test_a_folder_may_be_one_of_them(tmp_path: Path, server: Server, connect: Connect) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "index.html").write_text("here")
    client = connect(mirrored(tmp_path.as_uri(), server.url))
    server.page("/b/", "there")
    assert [client.get(f"{ORIGINAL}/{name}/").body for name in "ab"] == [b"here", b"there"]
    with client.piece(f"{ORIGINAL}/b/") as answer:
        assert b"".join(answer.chunks) == b"there"


def test_a_file_of_which_one_sends_a_part_and_breaks_comes_whole_from_the_next(tmp_path: Path) -> None:
    """Their tags differ, which would make it another file if there were only one."""
    wheel = make_wheel(tmp_path, "tool", "1.0", files={"tool.bin": random.Random(1).randbytes(18 << 20)})
    content = wheel.read_bytes()
    with misbehaving(content) as first, misbehaving(content) as second:
        second.validators = {"ETag": '"other"'}

        def broken(asked: Asked, answer: Answer) -> Answer:
            return replace(answer, stops=len(answer.body) // 2) if asked.number == 1 else Answer(503, answer.body[:0])

        first.twist = broken
        store = Store(tmp_path / "store")
        with Client(mirrored(first.address, second.address)) as client:
            wanted = Download(f"{ORIGINAL}/{wheel.name}", wheel.name, sha256_of(wheel), len(content))
            fetch([wanted], client, store, report=lambda _event: None, workers=1, pause=0)
        assert second.served < len(content) * 0.9
    assert list(store) == [wanted.sha256]
