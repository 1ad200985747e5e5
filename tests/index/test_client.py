from __future__ import annotations

import gzip
import socket
import threading
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from bootstrap.errors import RefusedError, UnreachableError
from bootstrap.index.client import Client, NetworkSettings
from tests.index.serving import Connect, Reply, Server, with_ranges

_QUICK = NetworkSettings(timeout=5, retries=2, backoff=0.01)


def test_fetches_a_page(server: Server, client: Client) -> None:
    server.page("/simple/torch/", "hello", etag='"1"')
    answer = client.get(f"{server.url}/simple/torch/", {"x-mine": "yes"})
    assert (answer.status, answer.body, answer.headers["etag"]) == (200, b"hello", '"1"')
    assert (answer.url, answer.content_type) == (f"{server.url}/simple/torch/", "text/html")
    assert server.asked[0][1]["x-mine"] == "yes"


def test_unpacks_a_gzipped_page(server: Server, client: Client) -> None:
    server.routes["/"] = Reply(200, gzip.compress(b"<a>" * 1000), {"content-encoding": "gzip"})
    assert client.get(f"{server.url}/").body == b"<a>" * 1000


@pytest.mark.parametrize("status", [401, 403, 404, 410])
def test_returns_answers_that_mean_something(server: Server, client: Client, status: int) -> None:
    server.routes["/a"] = Reply(status)
    assert client.get(f"{server.url}/a").status == status
    assert len(server.asked) == 1


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
def test_asks_again_after_a_passing_failure(server: Server, status: int, connect: Connect) -> None:
    replies = iter([Reply(status, headers={"retry-after": "0"}), Reply(200, b"here")])
    server.routes["/a"] = lambda _: next(replies)
    assert connect(_QUICK).get(f"{server.url}/a").body == b"here"


def test_gives_up_on_a_server_that_always_fails(server: Server, connect: Connect) -> None:
    server.routes["/a"] = Reply(500)
    with pytest.raises(UnreachableError, match="the server answers 500") as caught:
        connect(_QUICK).get(f"{server.url}/a")
    assert len(server.asked) == 3
    assert caught.value.exit_code == 69


def test_gives_up_on_a_server_that_never_answers(server: Server, connect: Connect) -> None:
    done = threading.Event()

    def hang(_: Mapping[str, str]) -> Reply:
        done.wait(20)
        return Reply()

    server.routes["/a"] = hang
    try:
        with pytest.raises(UnreachableError, match=r"no answer within 0\.1 seconds"):
            connect(NetworkSettings(timeout=0.1, retries=1, backoff=0.01)).get(f"{server.url}/a")
    finally:
        done.set()
    assert len(server.asked) == 2


@pytest.fixture
def closed_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def test_names_a_refused_connection_but_no_password(closed_port: int, connect: Connect) -> None:
    with pytest.raises(UnreachableError, match="no connection") as caught:
        connect(_QUICK).get(f"http://me:secret@127.0.0.1:{closed_port}/simple/")
    assert "secret" not in str(caught.value)
    assert caught.value.url == f"http://127.0.0.1:{closed_port}/simple/"


def test_asks_again_after_a_broken_connection(server: Server, connect: Connect) -> None:
    replies = iter([Reply(200, b"whole page", cut_after=3), Reply(200, b"whole page")])
    server.routes["/a"] = lambda _: next(replies)
    assert connect(_QUICK).get(f"{server.url}/a").body == b"whole page"


def test_refuses_an_address_it_cannot_ask(connect: Connect) -> None:
    with pytest.raises(UnreachableError, match="cannot be asked"):
        connect(_QUICK).get("ftp://host/a")


def test_is_silent_when_offline(server: Server, connect: Connect) -> None:
    with pytest.raises(UnreachableError, match="offline"):
        connect(NetworkSettings(offline=True)).get(f"{server.url}/a")
    assert server.asked == []


def test_follows_redirects_and_says_where_it_ended(server: Server, client: Client) -> None:
    server.routes["/old"] = Reply(301, headers={"location": "/new/"})
    server.routes["/new/"] = Reply(200, b"moved")
    answer = client.get(f"{server.url}/old")
    assert (answer.body, answer.url) == (b"moved", f"{server.url}/new/")


class TestCredentials:
    def test_go_to_the_origin_they_were_given_for(self, server: Server, client: Client) -> None:
        server.routes["/simple/"] = server.routes["/files/a.whl"] = Reply(200)
        client.get(server.url.replace("//", "//me:word@") + "/simple/")
        client.get(f"{server.url}/files/a.whl")
        assert [headers["authorization"] for _, headers in server.asked] == ["Basic bWU6d29yZA=="] * 2

    def test_are_remembered_before_anything_is_asked(self, server: Server, client: Client) -> None:
        client.remember(server.url.replace("//", "//me:word@") + "/simple/")
        client.get(f"{server.url}/files/a.whl")
        assert "authorization" in server.asked[0][1]
        assert client.has_credentials(f"{server.url}/other")

    def test_do_not_follow_a_redirect_to_another_origin(self, server: Server, client: Client) -> None:
        elsewhere = server.url.replace("127.0.0.1", "localhost")
        server.routes["/a"] = Reply(302, headers={"location": f"{elsewhere}/b"})
        client.get(server.url.replace("//", "//me:word@") + "/a")
        assert ["authorization" in headers for _, headers in server.asked] == [True, False]

    def test_of_a_file_do_not_follow_its_second_redirect_either(self, server: Server, client: Client) -> None:
        """The first step is taken by one part of the client, all others by another."""
        elsewhere = server.url.replace("127.0.0.1", "localhost")
        server.routes["/a"] = Reply(302, headers={"location": "/b"})
        server.routes["/b"] = Reply(307, headers={"location": f"{elsewhere}/c"})
        server.routes["/c"] = Reply(200, b"bytes")
        client.remember(server.url.replace("//", "//me:word@"))
        with client.piece(f"{server.url}/a") as answer:
            assert b"".join(answer.chunks) == b"bytes"
        sent = {path: headers.get("authorization") for path, headers in server.asked}
        assert sent == {"/a": "Basic bWU6d29yZA==", "/b": "Basic bWU6d29yZA==", "/c": None}

    def test_come_from_netrc(
        self, server: Server, client: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        netrc = tmp_path / "netrc"
        netrc.write_text("machine 127.0.0.1 login me password word\n")
        netrc.chmod(0o600)
        monkeypatch.setenv("NETRC", str(netrc))
        client.get(f"{server.url}/a")
        assert server.asked[0][1]["authorization"] == "Basic bWU6d29yZA=="


class TestRanges:
    def test_grant_the_end_and_the_middle(self, server: Server, client: Client) -> None:
        server.routes["/a"] = with_ranges(b"0123456789")
        tail = client.get_range(f"{server.url}/a", suffix=3)
        middle = client.get_range(f"{server.url}/a", start=2, end=4)
        assert (tail.status, tail.body, tail.headers["content-range"]) == (206, b"789", "bytes 7-9/10")
        assert middle.body == b"234"

    def test_that_are_ignored_give_the_whole_small_file(self, server: Server, client: Client) -> None:
        server.routes["/a"] = Reply(200, b"0123456789")
        answer = client.get_range(f"{server.url}/a", suffix=3)
        assert (answer.status, answer.body) == (200, b"0123456789")

    def test_that_are_ignored_do_not_fetch_a_large_file(self, server: Server, client: Client) -> None:
        server.routes["/a"] = Reply(200, b"0" * (9 << 20))
        answer = client.get_range(f"{server.url}/a", suffix=3)
        assert (answer.status, answer.body) == (200, b"")


class TestStream:
    def test_gives_everything_in_pieces(self, server: Server, client: Client) -> None:
        body = bytes(range(256)) * 4096
        server.routes["/a"] = with_ranges(body)
        with client.stream(f"{server.url}/a") as (status, headers, chunks):
            pieces = list(chunks)
        assert (status, headers["content-length"], b"".join(pieces)) == (200, str(len(body)), body)
        assert len(pieces) > 1

    def test_resumes(self, server: Server, client: Client) -> None:
        server.routes["/a"] = with_ranges(b"0123456789")
        with client.stream(f"{server.url}/a", start=6) as answer:
            assert (answer.status, b"".join(answer.chunks)) == (206, b"6789")

    def test_says_when_it_breaks(self, server: Server, client: Client) -> None:
        server.routes["/a"] = Reply(200, b"0123456789", cut_after=4)
        with (
            client.stream(f"{server.url}/a") as answer,
            pytest.raises(UnreachableError, match="the connection broke"),
        ):
            list(answer.chunks)


class TestPiece:
    def test_is_the_range_that_was_asked_for(self, server: Server, client: Client) -> None:
        server.routes["/a"] = with_ranges(b"0123456789")
        with client.piece(f"{server.url}/a", 2, 5, '"one"') as answer:
            assert (answer.status, b"".join(answer.chunks)) == (206, b"234")
        with client.piece(f"{server.url}/a", 7) as answer:
            assert (answer.status, b"".join(answer.chunks)) == (206, b"789")
        with client.piece(f"{server.url}/a") as answer:
            assert (answer.status, b"".join(answer.chunks)) == (200, b"0123456789")
        named = [(headers.get("range"), headers.get("if-range")) for _, headers in server.asked]
        assert named == [("bytes=2-4", '"one"'), ("bytes=7-", None), (None, None)]

    @pytest.mark.parametrize("status", [404, 416, 429, 503])
    def test_is_asked_once_whatever_the_answer(self, server: Server, client: Client, status: int) -> None:
        server.routes["/a"] = Reply(status, b"", {"retry-after": "9"})
        with client.piece(f"{server.url}/a", 2, 5) as answer:
            assert (answer.status, answer.headers["retry-after"]) == (status, "9")
        assert server.paths == ["/a"]

    def test_says_whether_asking_again_is_of_use(
        self, server: Server, closed_port: int, client: Client, connect: Connect
    ) -> None:
        server.routes["/a"] = Reply(302, b"", {"location": "/a"})
        with pytest.raises(RefusedError, match="cannot be asked"), client.piece(f"{server.url}/a"):
            pass
        with pytest.raises(RefusedError, match="offline"), connect(NetworkSettings(offline=True)).piece(server.url):
            pass
        closed = f"http://me:secret@127.0.0.1:{closed_port}/a"
        with pytest.raises(UnreachableError, match="no connection") as caught, client.piece(closed):
            pass
        assert not isinstance(caught.value, RefusedError)
        assert "secret" not in str(caught.value)

    def test_of_a_file_on_the_disk_may_be_more_than_was_asked_for(self, tmp_path: Path, client: Client) -> None:
        (tmp_path / "a").write_bytes(b"0123456789")
        with client.piece((tmp_path / "a").as_uri(), 0, 4) as answer:
            assert (answer.status, b"".join(answer.chunks)) == (200, b"0123456789")

    def test_is_unpacked_if_it_was_packed_on_the_way(self, server: Server, client: Client) -> None:
        headers = {"content-type": "text/html", "content-encoding": "gzip"}
        server.routes["/a"] = Reply(200, gzip.compress(b"text"), headers)
        with client.piece(f"{server.url}/a") as answer:
            assert b"".join(answer.chunks) == b"text"


class TestMirrors:
    def test_are_asked_in_place_of_the_original(self, server: Server, connect: Connect) -> None:
        server.page("/pytorch/cpu/torch/", "links")
        mirrors = (("https://download.pytorch.org/whl", f"{server.url}/pytorch"),)
        answer = connect(NetworkSettings(mirrors=mirrors)).get("https://download.pytorch.org/whl/cpu/torch/")
        assert answer.body == b"links"
        assert answer.url == "https://download.pytorch.org/whl/cpu/torch/"

    def test_may_be_folders(self, tmp_path: Path, connect: Connect) -> None:
        (tmp_path / "cpu" / "torch").mkdir(parents=True)
        (tmp_path / "cpu" / "torch" / "index.html").write_text("links")
        mirrors = (("https://download.pytorch.org/whl", tmp_path.as_uri()),)
        answer = connect(NetworkSettings(mirrors=mirrors)).get("https://download.pytorch.org/whl/cpu/torch/")
        assert (answer.body, answer.content_type) == (b"links", "text/html")


class TestFileAddresses:
    def test_are_read_from_disk(self, tmp_path: Path, connect: Connect) -> None:
        (tmp_path / "a b.bin").write_bytes(b"0123456789")
        url = (tmp_path / "a b.bin").as_uri()
        client = connect(NetworkSettings(offline=True))
        assert client.get(url).body == b"0123456789"
        assert client.get_range(url, suffix=3).body == b"789"
        assert client.get_range(url, start=2, end=4).body == b"234"
        assert client.get_range(url, start=20, end=24).status == 416
        with client.stream(url, start=8) as answer:
            assert (answer.status, b"".join(answer.chunks)) == (206, b"89")
        with client.stream(url) as answer:
            assert (answer.status, b"".join(answer.chunks)) == (200, b"0123456789")

    def test_that_lead_nowhere_are_absent(self, tmp_path: Path, client: Client) -> None:
        url = (tmp_path / "missing").as_uri()
        with client.stream(url) as answer:
            assert answer.status == 404
        assert client.get(url).status == client.get_range(url, suffix=1).status == 404


@pytest.mark.parametrize("packed", [False, True], ids=["plain", "gzipped"])
def test_refuses_an_answer_that_no_page_can_be(server: Server, client: Client, packed: bool) -> None:
    body = b"<a href=x>x</a>" * (50 << 20 >> 4)
    server.routes["/"] = (
        Reply(200, gzip.compress(body, 1), {"content-encoding": "gzip"}) if packed else Reply(200, body)
    )
    with pytest.raises(RefusedError, match="has more than 32 MB"):
        client.get(f"{server.url}/")
    assert len(server.asked) == 1


def test_does_not_wait_for_an_answer_that_comes_in_drops(connect: Connect) -> None:
    done = threading.Event()

    class Dripping(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            while not done.wait(0.02):
                self.wfile.write(b".")

        def log_message(self, *_: object) -> None:
            return

    with HTTPServer(("127.0.0.1", 0), Dripping) as dripping:
        threading.Thread(target=dripping.handle_request, daemon=True).start()
        try:
            with pytest.raises(RefusedError, match=r"did not end within 0\.2 seconds"):
                connect(NetworkSettings(timeout=10, retries=3, patience=0.2)).get(
                    f"http://127.0.0.1:{dripping.server_port}/"
                )
        finally:
            done.set()
