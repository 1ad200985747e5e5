"""Short answers by kept connections: what a server sees of them, and what they leave to httpx."""

from __future__ import annotations

import gzip
import subprocess
import sys
import threading
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from bootstrap.errors import UnreachableError
from bootstrap.index.client import Client, NetworkSettings
from tests.index.serving import Connect, Reply, Server


@dataclass
class Seen:
    """A server's address, and for each request the number of the connection that it came over."""

    url: str = ""
    connections: list[int] = field(default_factory=list)


Answer = Callable[[BaseHTTPRequestHandler], None]


@contextmanager
def answering(answer: Answer) -> Iterator[Seen]:
    """A server that answers every request in one way, and counts connections."""
    seen = Seen()
    lock, opened = threading.Lock(), [0]

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def setup(self) -> None:
            with lock:
                opened[0] += 1
                self.number = opened[0]
            super().setup()

        def do_GET(self) -> None:
            seen.connections.append(self.number)
            answer(self)

        def log_message(self, *_: object) -> None:
            """Keep quiet."""

    class QuietServer(ThreadingHTTPServer):
        daemon_threads = True

    with QuietServer(("127.0.0.1", 0), Handler) as http:
        seen.url = f"http://127.0.0.1:{http.server_address[1]}"
        threading.Thread(target=http.serve_forever, args=(0.02,), daemon=True).start()
        try:
            yield seen
        finally:
            http.shutdown()


def whole(handler: BaseHTTPRequestHandler) -> None:
    handler.send_response(200)
    handler.send_header("content-length", "5")
    handler.end_headers()
    handler.wfile.write(b"hello")


def closing_without_a_word(handler: BaseHTTPRequestHandler) -> None:
    whole(handler)
    handler.close_connection = True


def chunked(handler: BaseHTTPRequestHandler) -> None:
    handler.send_response(200)
    handler.send_header("transfer-encoding", "chunked")
    handler.send_header("content-encoding", "gzip")
    handler.end_headers()
    body = gzip.compress(b"hello" * 100_000)
    for piece in (body[:100], body[100:], b""):
        handler.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece))


def test_one_connection_carries_all_requests_of_a_thread(client: Client) -> None:
    with answering(whole) as seen:
        assert [client.get(f"{seen.url}/{number}").body for number in range(5)] == [b"hello"] * 5
        assert client.get_range(f"{seen.url}/a", suffix=3).body == b"hello"
    assert seen.connections == [1] * 6


def test_a_connection_that_the_server_closed_meanwhile_is_no_failure(connect: Connect) -> None:
    client = connect(NetworkSettings(timeout=5, retries=0))
    with answering(closing_without_a_word) as seen:
        assert [client.get(f"{seen.url}/{number}").body for number in range(4)] == [b"hello"] * 4
    assert seen.connections == [1, 2, 3, 4]


def test_an_answer_in_packed_chunks_is_read_to_its_end_and_the_connection_kept(client: Client) -> None:
    with answering(chunked) as seen:
        assert [len(client.get(f"{seen.url}/").body) for _ in range(3)] == [500_000] * 3
    assert seen.connections == [1] * 3


@pytest.mark.parametrize(
    "reply",
    [
        pytest.param(Reply(200, b"0123456789", cut_after=4), id="cut"),
        pytest.param(Reply(200, gzip.compress(bytes(999))[:-9], {"content-encoding": "gzip"}, 9), id="cut-and-packed"),
        pytest.param(Reply(200, b"no gzip", {"content-encoding": "gzip"}), id="not-packed-as-it-says"),
    ],
)
def test_an_answer_that_is_not_whole_is_none(server: Server, client: Client, reply: Reply) -> None:
    server.routes["/a"] = reply
    with pytest.raises(UnreachableError, match="the connection broke"):
        client.get(f"{server.url}/a")
    assert len(server.asked) == 2


def test_each_address_of_a_redirect_is_asked_once(server: Server, client: Client) -> None:
    server.routes["/old"] = Reply(301, headers={"location": "/new"})
    server.routes["/new"] = Reply(302, headers={"location": "newest?a=b"})
    server.routes["/newest?a=b"] = Reply(200, b"here")
    answer = client.get(f"{server.url}/old")
    assert (answer.body, answer.url) == (b"here", f"{server.url}/newest?a=b")
    assert server.paths == ["/old", "/new", "/newest?a=b"]


def test_an_encoding_that_nobody_asked_for_is_read_all_the_same(server: Server, client: Client) -> None:
    server.routes["/a"] = Reply(200, zlib.compress(b"hello"), {"content-encoding": "deflate"})
    assert client.get(f"{server.url}/a").body == b"hello"


@pytest.mark.parametrize(("asked", "path"), [("/a b", "/a%20b"), ("/ä", "/%C3%A4"), ("/a?b=c#d", "/a?b=c")])
def test_odd_addresses_arrive_as_a_browser_would_send_them(
    server: Server, client: Client, asked: str, path: str
) -> None:
    server.routes[path] = Reply(200, b"here")
    assert client.get(f"{server.url}{asked}").body == b"here"
    assert server.paths == [path]


def test_httpx_is_not_even_loaded_for_plain_answers(server: Server) -> None:
    server.page("/simple/", "hello")
    program = (
        "import sys; from bootstrap.index.client import Client; "
        f"assert Client().get('{server.url}/simple/').body == b'hello'; print('httpx' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
