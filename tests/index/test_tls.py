"""Whom the client trusts: certificates in real handshakes, and addresses without any."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from bootstrap.errors import ConfigurationError, UnreachableError
from bootstrap.index.client import Client, NetworkSettings
from bootstrap.index.tls import Trust
from bootstrap.wheels.download import Download, fetch
from bootstrap.wheels.store import Store
from tests.index.certificates import Authority, Secure, securely
from tests.index.serving import Connect, Reply, Server

VARIABLES = ("SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE")


@pytest.fixture(scope="module")
def certificate(authority: Authority) -> Path:
    return authority.signed("server", "IP:127.0.0.1")


@pytest.fixture
def secure(certificate: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Secure]:
    """A server whose certificate nobody but our own authority signed, and an environment that knows no authority."""
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    with securely(certificate) as running:
        yield running


class TestCertificates:
    @pytest.mark.parametrize("scheme", ["https", "HTTPS"])
    def test_that_nobody_signed_are_refused_at_once(self, scheme: str, secure: Secure, connect: Connect) -> None:
        with pytest.raises(UnreachableError, match="TLS certificate is not trusted"):
            connect(NetworkSettings(retries=50, backoff=5)).get(secure.url.replace("https", scheme))
        assert not secure.visitors

    def test_are_checked_with_the_bundle_that_was_named(
        self, secure: Secure, authority: Authority, connect: Connect
    ) -> None:
        assert connect(NetworkSettings(cert=str(authority.certificate))).get(secure.url).body == b"safe"

    def test_are_those_of_the_host_that_was_asked(self, secure: Secure, authority: Authority, connect: Connect) -> None:
        client = connect(NetworkSettings(cert=str(authority.certificate)))
        with pytest.raises(UnreachableError, match="TLS certificate is not trusted"):
            client.get(secure.url.replace("127.0.0.1", "localhost"))

    @pytest.mark.parametrize("form", ["127.0.0.1", "127.0.0.1:{}"])
    def test_of_trusted_hosts_are_not_checked(self, form: str, secure: Secure, connect: Connect) -> None:
        client = connect(NetworkSettings(trusted_hosts=(form.format(secure.port),)))
        assert client.get(secure.url).body == b"safe"

    @pytest.mark.parametrize("variable", ["SSL_CERT_FILE", "REQUESTS_CA_BUNDLE"])
    def test_are_checked_with_the_bundle_of_the_environment(
        self, variable: str, secure: Secure, authority: Authority, connect: Connect, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv(variable, str(authority.certificate))
        assert connect(NetworkSettings()).get(secure.url).status == 200

    def test_are_checked_with_the_bundle_of_the_tls_library_if_others_are_named_too(
        self, secure: Secure, authority: Authority, connect: Connect, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("SSL_CERT_FILE", str(authority.certificate))
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/no/such/bundle")
        assert connect(NetworkSettings()).get(secure.url).status == 200

    def test_bundle_that_is_missing_is_named(self, secure: Secure, connect: Connect) -> None:
        with pytest.raises(ConfigurationError, match="/no/such/bundle"):
            connect(NetworkSettings(cert="/no/such/bundle")).get(secure.url)

    @pytest.mark.parametrize("trusts", ["its-authority", "its-host"])
    def test_of_ours_are_shown_to_servers_that_want_one(
        self, trusts: str, authority: Authority, certificate: Path, connect: Connect
    ) -> None:
        ours = str(authority.signed("workstation"))
        known = {"its-authority": {"cert": str(authority.certificate)}, "its-host": {"trusted_hosts": ("127.0.0.1",)}}
        with securely(certificate, visitors_of=authority.certificate) as server:
            client = connect(NetworkSettings(client_cert=ours, **known[trusts]))  # type: ignore[arg-type]
            assert client.get(server.url).body == b"safe"
            nameless = connect(NetworkSettings(retries=0, **known[trusts]))  # type: ignore[arg-type]
            with pytest.raises(UnreachableError, match=r"127\.0\.0\.1"):
                nameless.get(server.url)
        assert server.visitors == ["workstation"]


class TestAddressesWithoutEncryption:
    """Nothing here is ever sent: the names lead nowhere, and what is let through fails as a host without an address."""

    @pytest.mark.parametrize(
        ("url", "hosts"),
        [
            ("http://lab.example/simple/torch/", ()),
            ("HTTP://lab.example/simple/", ()),
            ("http://localhost.example/", ()),
            ("http://127.0.0.1.example/", ()),
            ("http://127.example/", ()),
            ("http://notlocalhost/", ()),
            ("http://10.0.0.1/", ()),
            ("http://[2001:db8::1]/", ()),
            ("http://lab.example/", ("other.example", "example")),
            ("http://lab.example:8080/", ("lab.example:80",)),
        ],
    )
    def test_are_refused(self, url: str, hosts: tuple[str, ...]) -> None:
        with pytest.raises(ConfigurationError):
            Trust(NetworkSettings(trusted_hosts=hosts)).admit(url)

    @pytest.mark.parametrize(
        ("url", "hosts"),
        [
            ("https://lab.example/", ()),
            ("http://localhost:3141/root/", ()),
            ("http://LocalHost/", ()),
            ("http://index.localhost/", ()),
            ("http://127.0.0.1:8080/", ()),
            ("http://127.8.9.10/", ()),
            ("http://[::1]:8080/", ()),
            ("file:///srv/simple/", ()),
            ("http://lab.example/", ("lab.example",)),
            ("http://lab.example:8080/", ("lab.example",)),
            ("http://lab.example:8080/", ("lab.example:8080",)),
            ("http://lab.example/", ("lab.example:80",)),
            ("http://lab.example/", ("LAB.example",)),
        ],
    )
    def test_are_asked_on_this_machine_and_where_the_host_is_trusted(self, url: str, hosts: tuple[str, ...]) -> None:
        Trust(NetworkSettings(trusted_hosts=hosts)).admit(url)

    def test_say_how_they_could_be_asked_and_no_password(self, connect: Connect) -> None:
        with pytest.raises(ConfigurationError) as caught:
            connect(NetworkSettings()).get("http://me:secret@lab.example:8080/simple/torch/")
        assert caught.value.exit_code == 78
        assert "secret" not in str(caught.value)
        for words in ("http://lab.example:8080/simple/torch/", "use https", "--trusted-host lab.example"):
            assert words in str(caught.value)

    @pytest.mark.parametrize(
        "ask",
        [
            pytest.param(lambda client, url: client.get(url), id="whole"),
            pytest.param(lambda client, url: client.get_range(url, 0, 9), id="range"),
            pytest.param(lambda client, url: client.stream(url).__enter__(), id="stream"),
            pytest.param(lambda client, url: client.piece(url, 0, 9).__enter__(), id="piece"),
        ],
    )
    def test_are_refused_however_they_are_asked(self, ask: Callable[[Client, str], object], connect: Connect) -> None:
        with pytest.raises(ConfigurationError, match=r"lab\.example"):
            ask(connect(NetworkSettings()), "http://lab.example/a")

    def test_are_no_mirrors_that_are_passed_over_in_silence(self, server: Server, connect: Connect) -> None:
        server.page("/cpu/torch/", "links")
        mirrors = tuple(("https://download.pytorch.org/whl", each) for each in ("http://lab.example", server.url))
        with pytest.raises(ConfigurationError, match=r"lab\.example"):
            connect(NetworkSettings(mirrors=mirrors)).get("https://download.pytorch.org/whl/cpu/torch/")

    def test_are_not_asked_through_a_proxy_either(self, server: Server, connect: Connect) -> None:
        with pytest.raises(ConfigurationError, match=r"lab\.example"):
            connect(NetworkSettings(proxy=server.url)).get("http://lab.example/simple/")
        assert server.asked == []

    @pytest.mark.parametrize("steps", [1, 2])
    def test_are_not_where_a_redirect_leads(
        self, steps: int, secure: Secure, authority: Authority, connect: Connect, server: Server
    ) -> None:
        """The first step is taken by one part of the client, all others by another."""
        secure.moved_to = "http://lab.example/a" if steps == 1 else f"{server.url}/a"
        server.routes["/a"] = Reply(302, headers={"location": "http://lab.example/a"})
        with pytest.raises(ConfigurationError, match=r"http://lab\.example/a is not asked"):
            connect(NetworkSettings(cert=str(authority.certificate))).get(secure.url)

    def test_end_a_download_with_nothing_in_the_store(self, tmp_path: Path, connect: Connect) -> None:
        store = Store(tmp_path / "store")
        name = "tool-1.0-py3-none-any.whl"
        wanted = [Download(f"http://lab.example/{number}/{name}", name, f"{number:064}", 64 << 20) for number in (1, 2)]
        with pytest.raises(ConfigurationError, match=r"--trusted-host lab\.example"):
            fetch(wanted, connect(NetworkSettings()), store, report=lambda _event: None, workers=2, pause=0)
        assert list(store) == []
