"""What the surroundings say about reaching a host: proxies, logins, whom to trust. Looked up when first needed."""

from __future__ import annotations

import os

__all__ = ["bundle", "login", "proxy_for"]


def proxy_for(configured: str | None, scheme: str, host: str) -> str | None:
    """The proxy for a host: the configured one, else the environment's; never for what `no_proxy` names."""
    from urllib.request import getproxies, proxy_bypass  # noqa: PLC0415  (httpx has loaded it)

    if configured is None and (host in {"localhost", "::1"} or host.startswith("127.")):
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


def bundle() -> str | None:
    """The CA bundle that pip and requests are told to use, unless the TLS library is told of one (SSL_CERT_FILE)."""
    if os.environ.get("SSL_CERT_FILE") or os.environ.get("SSL_CERT_DIR"):
        return None
    return os.environ.get("REQUESTS_CA_BUNDLE") or None
