"""Whom to trust on https: contexts made from settings, only when the first https address is asked."""

from __future__ import annotations

import ssl
from pathlib import Path

from bootstrap.errors import ConfigurationError

__all__ = ["checked", "unchecked"]


def checked(bundle: str | None, client_certificate: str | None) -> ssl.SSLContext:
    """Certificates of the given bundle, else the environment's (SSL_CERT_FILE) or the system's, else httpx's own."""
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
