"""What the surroundings say about reaching a host: proxies, logins, whom to trust. Looked up when first needed."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable

from bootstrap.index.addresses import is_loopback

__all__ = ["bundle", "keyring", "login", "proxy_for"]

_KEYRING_SECONDS = 20.0  # backends of clouds ask a server themselves


def proxy_for(configured: str | None, scheme: str, host: str) -> str | None:
    """The proxy for a host: the configured one, else the environment's; never for what `no_proxy` names."""
    from urllib.request import getproxies, proxy_bypass  # noqa: PLC0415  (httpx has loaded it)

    if configured is None and is_loopback(host):
        return None
    found = getproxies()
    proxy = configured or found.get(scheme) or found.get("all")
    if not proxy or proxy_bypass(host):
        return None
    return proxy if "://" in proxy else f"http://{proxy}"


def login(host: str) -> tuple[str, str] | None:
    """User and password from the netrc file, as pip, curl and git read it."""
    import netrc  # noqa: PLC0415  (asked once for each origin, never offline)

    try:
        found = netrc.netrc(os.environ.get("NETRC")).authenticators(host)
    except (OSError, netrc.NetrcParseError):
        return None
    return (found[0], found[2] or "") if found else None


def keyring(services: Iterable[str], user: str, seconds: float = _KEYRING_SECONDS) -> tuple[str, str] | None:
    """User and password from the program `keyring`, for the first service that it knows; none if there is no program.

    As pip asks with `--keyring-provider subprocess`; for a user who is not known, as keyring 25 and newer can tell.
    Each service has so many `seconds`; what else the program says is not shown.
    """
    from probes.children import ask_program  # noqa: PLC0415  (most indexes want no login)

    program = shutil.which("keyring")
    words = ("get",) if user else ("--mode", "creds", "get")
    for service in services if program else ():
        command = (program or "", *words, service, *((user,) if user else ()))
        said = ask_program(command, "keyring", seconds, {**os.environ, "PYTHONIOENCODING": "utf-8"}, os.curdir)
        if isinstance(said, str) and said.strip():
            name, _, word = (said if not user else f"{user}\n{said}").partition("\n")
            return name.rstrip("\r"), word.rstrip("\r\n")
    return None


def bundle() -> str | None:
    """The CA bundle that pip and requests are told to use, unless the TLS library is told of one (SSL_CERT_FILE)."""
    if os.environ.get("SSL_CERT_FILE") or os.environ.get("SSL_CERT_DIR"):
        return None
    return os.environ.get("REQUESTS_CA_BUNDLE") or None
