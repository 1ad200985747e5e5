"""httpx: where proxies, redirects and odd addresses are its matter, and what its errors mean in words.

    Transport ── httpx.Client ── _Pools ── one pool per (TLS trust, proxy), made when first needed

httpx is imported and the proxy looked up only when something is really sent this way. A SOCKS5 proxy is its matter too.

HTTP/1.1 throughout. HTTP/2 was measured and is slower here: 200 pages from nginx over TLS, 50 ms away, take 0.9 s with
16 threads over the kept connections of plain.py and 1.1 s multiplexed by httpx (0.45 and 0.52 s with 50 threads), and
a wheel of 192 MB takes 1.3 s instead of 0.6 s, with twice the work for the processor.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, cast

from bootstrap.errors import ConfigurationError, RefusedError, UnreachableError
from bootstrap.index import addresses, ambient, plain
from bootstrap.index.tls import Trust

if TYPE_CHECKING:
    import httpx

    Answer = httpx.Response | plain.Answer

__all__ = ["Transport", "failure", "has_no_address", "is_mute", "problem_of", "troubles"]

_CONNECTIONS = 64


@dataclass(slots=True)
class Transport:
    """Sends requests by httpx; safe to share between threads. `timeout` is in seconds."""

    trust: Trust
    timeout: float
    proxy: str | None
    user_agent: str
    _http: httpx.Client | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def send(self, url: str, headers: Mapping[str, str], login: tuple[str, str] | None) -> httpx.Response:
        """The beginning of an answer, redirects followed; credentials go to the address's own origin alone."""
        import httpx  # noqa: PLC0415  (see the module's docstring)

        http = self._opened()
        request = http.build_request("GET", addresses.without_credentials(url), headers=dict(headers))
        return http.send(request, stream=True, auth=httpx.BasicAuth(*login) if login else None)

    def close(self) -> None:
        """Close every connection; the next request opens new ones."""
        with self._lock:
            if self._http is not None:
                self._http.close()
            self._http = None

    def _opened(self) -> httpx.Client:
        if self._http is None:
            with self._lock:
                if self._http is None:
                    self._http = self._open()
        return self._http

    def _open(self) -> httpx.Client:
        import httpx  # noqa: PLC0415  (see the module's docstring)

        return httpx.Client(
            transport=cast("httpx.BaseTransport", _Pools(self.proxy, self.trust)),
            timeout=self.timeout,
            follow_redirects=True,
            trust_env=False,
            headers={"user-agent": self.user_agent},
        )


class _Pools:
    """An httpx transport that passes each request to the pool for its kind of trust and its proxy."""

    def __init__(self, proxy: str | None, trust: Trust) -> None:
        self._proxy, self._trust = proxy, trust
        self._pools: dict[tuple[str, str | None], httpx.HTTPTransport] = {}
        self._lock = threading.Lock()

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        url = str(request.url)
        self._trust.admit(url)  # also where a redirect leads
        proxy = ambient.proxy_for(self._proxy, request.url.scheme, request.url.host)
        key = (self._trust.kind(url), proxy)
        with self._lock:
            pool = self._pools.get(key)
            if pool is None:
                pool = self._pools[key] = self._pool(url, proxy)
        return pool.handle_request(request)

    def close(self) -> None:
        for pool in self._pools.values():
            pool.close()

    def _pool(self, url: str, proxy: str | None) -> httpx.HTTPTransport:
        import httpx  # noqa: PLC0415  (see the module's docstring)

        limits = httpx.Limits(max_connections=_CONNECTIONS, max_keepalive_connections=_CONNECTIONS)
        # On the way to a plain address the proxy itself may speak https.
        verify = self._trust.context(url) if proxy is None or url.startswith("https:") else self._trust.checked()
        try:
            return httpx.HTTPTransport(verify=verify, limits=limits, proxy=proxy)
        except (ImportError, ValueError, httpx.InvalidURL) as error:
            shown = addresses.without_credentials(proxy or "")
            raise ConfigurationError(f"The proxy {shown} cannot be used: {error}") from error


def failure(shown: str, error: Exception, timeout: float) -> UnreachableError:
    """What to raise instead: RefusedError where asking again is of no use."""
    import httpx  # noqa: PLC0415  (see the module's docstring)

    if isinstance(error, httpx.UnsupportedProtocol | httpx.InvalidURL | httpx.TooManyRedirects):
        return RefusedError(shown, f"cannot be asked ({error})")
    problem = problem_of(error, timeout)
    return (RefusedError if "certificate" in problem else UnreachableError)(shown, problem)


def problem_of(error: Exception, timeout: float) -> str:
    """What went wrong, in words. `timeout` is in seconds."""
    import httpx  # noqa: PLC0415  (see the module's docstring)

    if "CERTIFICATE_VERIFY_FAILED" in str(error):
        return (
            "its TLS certificate is not trusted; name the CA bundle that signed it "
            f"(pip's `cert` or SSL_CERT_FILE), or trust the host ({error})"
        )
    if isinstance(error, httpx.TimeoutException) or isinstance(error.__cause__, TimeoutError):
        return f"no answer within {timeout:g} seconds"
    if isinstance(error, httpx.ProxyError):
        return f"the proxy refuses ({error})"
    if isinstance(error, httpx.ConnectError) or is_mute(error):
        return f"no connection ({error})"
    return f"the connection broke ({error})"


def troubles() -> tuple[type[Exception], ...]:
    """What an attempt may end with. Only asked when one does."""
    import httpx  # noqa: PLC0415  (see the module's docstring)

    return plain.Broken, httpx.HTTPError, httpx.InvalidURL


def is_mute(error: BaseException) -> bool:
    """Did the server not even take the connection?"""
    import httpx  # noqa: PLC0415  (see the module's docstring)

    return isinstance(error, httpx.ConnectError | httpx.ConnectTimeout) or getattr(error, "connecting", False)


def has_no_address(error: BaseException) -> bool:
    """Did name resolution say for certain that there is no such host? Behind a firewall that is the usual answer."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, socket.gaierror):
            return cause.errno == socket.EAI_NONAME
        cause = cause.__cause__ or cause.__context__
    return False
