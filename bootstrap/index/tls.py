"""Whom to trust: contexts for https made from settings, only when the first https address is asked.

Without https nobody is, but this machine and the hosts that the settings trust: anybody in between may answer. The
standard library's ssl is loaded no sooner than it is needed.
"""

from __future__ import annotations

import threading
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from bootstrap.errors import ConfigurationError
from bootstrap.index import addresses, ambient

if TYPE_CHECKING:
    import ssl

__all__ = ["Trust", "checked", "unchecked"]


class _Settings(Protocol):
    @property
    def cert(self) -> str | None: ...
    @property
    def client_cert(self) -> str | None: ...
    @property
    def trusted_hosts(self) -> tuple[str, ...]: ...


class Trust:
    """Which context for which address, each made once: reading a bundle takes as long as fetching ten pages."""

    def __init__(self, settings: _Settings) -> None:
        self._settings = settings
        self._made: dict[str, ssl.SSLContext] = {}
        self._lock = threading.Lock()

    def kind(self, url: str) -> str:
        """How far the host is trusted: "checked", "trusted" without a look, or "plain" where there is no TLS."""
        if url[:6].lower() != "https:":
            return "plain"
        return "trusted" if self._is_trusted(url) else "checked"

    def admit(self, url: str) -> None:
        """Raises ConfigurationError for an address whose answer anybody on the way could give."""
        host = addresses.host(url)
        if url[:5].lower() == "http:" and not addresses.is_loopback(host) and not self._is_trusted(url):
            raise ConfigurationError(
                f"{addresses.without_credentials(url)} is not asked, because without encryption anybody on the way to "
                f"{host} could answer in its place: use https, or trust the host with `--trusted-host {host}` "
                "(pip's `trusted-host`)"
            )

    def context(self, url: str) -> ssl.SSLContext:
        """The context for an address. Raises ConfigurationError for a certificate that cannot be read."""
        return self.checked() if self.kind(url) == "checked" else self._once("unchecked")

    def checked(self) -> ssl.SSLContext:
        """The context for hosts that have to prove who they are. Raises as `context`."""
        return self._once("checked")

    def _is_trusted(self, url: str) -> bool:
        return not _names(url).isdisjoint(each.lower() for each in self._settings.trusted_hosts)

    def _once(self, kind: str) -> ssl.SSLContext:
        settings = self._settings
        with self._lock:
            if kind not in self._made:
                self._made[kind] = (
                    checked(settings.cert, settings.client_cert)
                    if kind == "checked"
                    else unchecked(settings.client_cert)
                )
            return self._made[kind]


def _names(url: str) -> frozenset[str]:
    """The host, and the host with its port."""
    return frozenset({addresses.host(url), addresses.origin(url).partition("://")[2]})


def checked(bundle: str | None, client_certificate: str | None) -> ssl.SSLContext:
    """Certificates of the given bundle, else the environment's or the system's, else those that come with httpx.

    The environment's is SSL_CERT_FILE, else REQUESTS_CA_BUNDLE. Raises ConfigurationError for one that cannot be read.
    """
    import ssl  # noqa: PLC0415  (see the module's docstring)

    bundle = bundle or ambient.bundle()
    try:
        if bundle is None:
            context = ssl.create_default_context()
        elif Path(bundle).is_dir():
            context = ssl.create_default_context(capath=bundle)
        else:
            context = ssl.create_default_context(cafile=bundle)
    except OSError as error:
        raise ConfigurationError(f"The CA bundle {bundle} cannot be read: {error}") from error
    if bundle is None and not context.cert_store_stats()["x509_ca"]:
        import certifi  # noqa: PLC0415  (comes with httpx; for systems that have no certificates of their own)

        context.load_verify_locations(certifi.where())
    return _presenting(context, client_certificate)


def unchecked(client_certificate: str | None) -> ssl.SSLContext:
    """For hosts that the settings trust without a look at their certificate."""
    import ssl  # noqa: PLC0415  (see the module's docstring)

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return _presenting(context, client_certificate)


def _presenting(context: ssl.SSLContext, client_certificate: str | None) -> ssl.SSLContext:
    if client_certificate is not None:
        try:
            context.load_cert_chain(client_certificate)
        except OSError as error:
            raise ConfigurationError(f"The client certificate {client_certificate} cannot be used: {error}") from error
    return context
