"""Through a SOCKS5 proxy (RFC 1928, RFC 1929): whole answers, pieces, and what its refusals are called."""

from __future__ import annotations

import gc
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

import pytest

from bootstrap.errors import UnreachableError
from bootstrap.index.client import Client, NetworkSettings
from tests.wheels.misbehaving import misbehaving

CONTENT = bytes(range(256)) * 100
HOSTS = ("index.example", "files.example")
LOGIN = b"\x01\x04user\x06secret"


@dataclass
class Socks:
    """A proxy that brings everybody to one port of this machine, whatever host was asked for; `asked` are the hosts."""

    port: int
    target: int
    login: bool
    refuses: bool = False
    asked: list[str] = field(default_factory=list)

    @property
    def address(self) -> str:
        return f"socks5://{'user:secret@' if self.login else ''}127.0.0.1:{self.port}"

    def serve(self, client: socket.socket) -> None:
        with suppress(OSError), client, client.makefile("rb") as said:
            methods = said.read(said.read(2)[1])
            wanted = 2 if self.login else 0
            if wanted not in methods:
                client.sendall(b"\x05\xff")
                return
            client.sendall(bytes((5, wanted)))
            if self.login:
                right = said.read(len(LOGIN)) == LOGIN
                client.sendall(b"\x01\x00" if right else b"\x01\x01")
            kind = said.read(4)[3]
            host = said.read(said.read(1)[0] if kind == 3 else 4)
            said.read(2)
            self.asked.append(host.decode() if kind == 3 else socket.inet_ntoa(host))
            client.sendall(bytes((5, 5 if self.refuses else 0, 0, 1, 0, 0, 0, 0, 0, 0)))
            if not self.refuses:
                with socket.create_connection(("127.0.0.1", self.target)) as server:
                    threading.Thread(target=pour, args=(server, client), daemon=True).start()
                    pour(client, server)


def pour(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(65536):
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)


@contextmanager
def socks(target: str, *, login: bool = False, refuses: bool = False) -> Iterator[Socks]:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        proxy = Socks(listening.getsockname()[1], int(target.rpartition(":")[2]), login, refuses)

        def accept() -> None:
            with suppress(OSError):
                while True:
                    threading.Thread(target=proxy.serve, args=(listening.accept()[0],), daemon=True).start()

        threading.Thread(target=accept, daemon=True).start()
        yield proxy
        listening.shutdown(socket.SHUT_RDWR)


@pytest.mark.parametrize("login", [False, True], ids=["open", "with a login"])
def test_everything_goes_through_it_and_it_finds_the_host(login: bool) -> None:
    with misbehaving(CONTENT) as site, socks(site.address, login=login) as proxy:
        settings = NetworkSettings(proxy=proxy.address, trusted_hosts=HOSTS)
        with Client(settings) as client:
            assert client.get("http://index.example/simple/").body == CONTENT
            assert client.get_range("http://index.example/a.whl", 10, 19).body == CONTENT[10:20]
            with client.piece("http://files.example/a.whl", 100, 200) as answer:
                assert b"".join(answer.chunks) == CONTENT[100:200]
    assert set(proxy.asked) == {"index.example", "files.example"}


@pytest.mark.parametrize("scheme", ["socks5", "socks5h"])
def test_it_is_taken_from_the_environment(scheme: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with misbehaving(CONTENT) as site, socks(site.address) as proxy:
        for name in ("http_proxy", "https_proxy", "no_proxy"):
            monkeypatch.delenv(name, raising=False)
            monkeypatch.delenv(name.upper(), raising=False)
        monkeypatch.setenv("ALL_PROXY", proxy.address.replace("socks5", scheme))
        with Client(NetworkSettings(trusted_hosts=HOSTS)) as client:
            assert client.get("http://index.example/simple/").body == CONTENT
            assert client.get(f"{site.address}/simple/").body == CONTENT
    assert proxy.asked == ["index.example"], "what is on this machine is asked directly"


@pytest.mark.filterwarnings("ignore:Exception ignored in. <socket:pytest.PytestUnraisableExceptionWarning")
def test_what_it_refuses_is_told_without_its_password() -> None:
    with misbehaving(CONTENT) as site, socks(site.address, login=True, refuses=True) as proxy:
        settings = NetworkSettings(proxy=proxy.address, retries=0, trusted_hosts=HOSTS)
        with Client(settings) as client, pytest.raises(UnreachableError) as caught:
            client.get("http://index.example/simple/")
    message = str(caught.value)
    del caught
    gc.collect()  # httpcore leaves the socket of a refused connection to the collector
    assert "proxy" in message
    assert "secret" not in message
