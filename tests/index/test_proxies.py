"""Proxies by HTTP: who is asked through them, who directly, and what each of them is told."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from bootstrap.errors import ConfigurationError, UnreachableError
from bootstrap.index import ambient
from bootstrap.index.client import NetworkSettings
from tests.index.certificates import Authority, Secure, securely
from tests.index.serving import Connect, Reply, Server

HOST = "index.example"
VARIABLES = ("http_proxy", "https_proxy", "all_proxy", "no_proxy")


@pytest.fixture(autouse=True)
def _no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


@dataclass
class Tunnel:
    """A proxy for https that brings everybody to one port of this machine; `asked` is what was said to it."""

    port: int
    target: int
    refusal: str = ""
    asked: list[str] = field(default_factory=list)

    @property
    def address(self) -> str:
        return f"http://user:secret@127.0.0.1:{self.port}"

    def serve(self, client: socket.socket) -> None:
        with suppress(OSError), client:
            said = b""
            while b"\r\n\r\n" not in said:
                said += client.recv(65536)
            self.asked.append(said.decode())
            client.sendall(f"HTTP/1.1 {self.refusal or '200 Connection established'}\r\n\r\n".encode())
            if not self.refusal:
                with socket.create_connection(("127.0.0.1", self.target)) as server:
                    threading.Thread(target=_pour, args=(server, client), daemon=True).start()
                    _pour(client, server)


def _pour(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(65536):
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)


@contextmanager
def tunnel(target: int, refusal: str = "") -> Iterator[Tunnel]:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        proxy = Tunnel(listening.getsockname()[1], target, refusal)

        def accept() -> None:
            with suppress(OSError):
                while True:
                    threading.Thread(target=proxy.serve, args=(listening.accept()[0],), daemon=True).start()

        threading.Thread(target=accept, daemon=True).start()
        yield proxy
        listening.shutdown(socket.SHUT_RDWR)


@pytest.fixture(scope="module")
def certificate(authority: Authority) -> Path:
    return authority.signed(HOST)


@pytest.fixture
def secure(certificate: Path) -> Iterator[Secure]:
    with securely(certificate) as running:
        yield running


class TestForHttps:
    @pytest.mark.parametrize("place", ["settings", "HTTPS_PROXY", "https_proxy", "ALL_PROXY"])
    def test_are_asked_for_a_way_through_and_see_nothing_of_what_goes_over_it(
        self, place: str, secure: Secure, authority: Authority, connect: Connect, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        with tunnel(secure.port) as proxy:
            if place != "settings":
                monkeypatch.setenv(place, proxy.address)
            own = proxy.address if place == "settings" else None
            client = connect(NetworkSettings(proxy=own, cert=str(authority.certificate)))
            assert client.get(f"https://me:word@{HOST}/simple/").body == b"safe"
        (said,) = proxy.asked
        assert said.startswith(f"CONNECT {HOST}:443 HTTP/1.1\r\n")
        assert "proxy-authorization: basic dxnlcjpzzwnyzxq=" in said.lower()
        assert "bWU6d29yZA==" not in said, "the login is the index's alone"
        assert secure.headers[0]["authorization"] == "Basic bWU6d29yZA=="
        assert "proxy-authorization" not in secure.headers[0]

    def test_do_not_vouch_for_the_server(
        self, secure: Secure, connect: Connect, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        for name in ("SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE"):
            monkeypatch.delenv(name, raising=False)
        with tunnel(secure.port) as proxy:
            client = connect(NetworkSettings(proxy=proxy.address))
            with pytest.raises(UnreachableError, match="TLS certificate is not trusted"):
                client.get(f"https://{HOST}/simple/")
        assert not secure.headers

    def test_that_refuse_are_named_without_their_password(self, secure: Secure, connect: Connect) -> None:
        with tunnel(secure.port, refusal="407 Proxy Authentication Required") as proxy:
            client = connect(NetworkSettings(proxy=proxy.address, retries=0))
            with pytest.raises(UnreachableError, match=r"the proxy refuses .*407") as caught:
                client.get(f"https://{HOST}/simple/")
        assert "secret" not in str(caught.value)


class TestForHttp:
    def test_are_asked_for_other_hosts(self, server: Server, connect: Connect) -> None:
        server.routes[f"http://{HOST}/simple/"] = Reply(200, b"by proxy")
        client = connect(NetworkSettings(proxy=server.url.removeprefix("http://"), trusted_hosts=(HOST,)))
        assert client.get(f"http://{HOST}/simple/").body == b"by proxy"

    def test_of_an_unknown_kind_are_refused(self, connect: Connect) -> None:
        client = connect(NetworkSettings(proxy="gopher://me:secret@host"))
        with pytest.raises(ConfigurationError, match="gopher://host cannot be used"):
            client.get(f"https://{HOST}/")


class TestNoProxy:
    @pytest.mark.parametrize("variable", ["NO_PROXY", "no_proxy"])
    def test_names_hosts_that_are_asked_directly(
        self, variable: str, server: Server, connect: Connect, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        server.routes["/simple/"] = Reply(200, b"directly")
        server.routes[f"http://{HOST}/simple/"] = Reply(200, b"by proxy")
        # With a proxy in the settings, only NO_PROXY lets this machine's own address be asked directly.
        client = connect(NetworkSettings(proxy=server.url, trusted_hosts=(HOST,)))
        monkeypatch.setenv(variable, "other.example,127.0.0.1")
        assert client.get(f"{server.url}/simple/").body == b"directly"
        assert client.get(f"http://{HOST}/simple/").body == b"by proxy"
        assert server.paths == ["/simple/", f"http://{HOST}/simple/"]

    def test_holds_where_a_redirect_leads(
        self, server: Server, connect: Connect, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        server.routes[f"http://{HOST}/simple/"] = Reply(302, headers={"location": f"{server.url}/there/"})
        server.routes["/there/"] = Reply(200, b"directly")
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        client = connect(NetworkSettings(proxy=server.url, trusted_hosts=(HOST,)))
        assert client.get(f"http://{HOST}/simple/").body == b"directly"
        assert server.paths == [f"http://{HOST}/simple/", "/there/"]

    @pytest.mark.parametrize(
        ("said", "host", "direct"),
        [
            ("lab.example", "lab.example", True),
            (".lab.example", "index.lab.example", True),
            ("lab.example", "index.lab.example", True),
            ("lab.example", "otherlab.example", False),
            ("a.example, lab.example", "lab.example", True),
            ("*", "anything.example", True),
            ("", "lab.example", False),
        ],
    )
    @pytest.mark.parametrize("scheme", ["http", "https"])
    def test_means_a_host_and_what_is_below_it(
        self, said: str, host: str, direct: bool, scheme: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv(f"{scheme}_proxy", "http://proxy.example:3128")
        monkeypatch.setenv("no_proxy", said)
        found = ambient.proxy_for(None, scheme, host)
        assert found == (None if direct else "http://proxy.example:3128")
