"""The one HTTP client: connections, retries, credentials, proxies, certificates, mirrors, and files in their place.

    Client.get / get_range / stream / piece
        └── mirrors rewrite the address ── file:// ─── local.py
                 ├── whole short answers, no proxy ─── plain.py
                 └── everything else ── transport.py, which has httpx

httpx is imported, TLS set up and the proxy looked up only when something is really fetched: a run that is answered
from the cache pays for none of it. Credentials are sent only to the origin they were given for, and never shown.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import urljoin

from bootstrap.errors import RefusedError, UnreachableError
from bootstrap.index import addresses, ambient, local, plain
from bootstrap.index.logins import Login, Logins, Provider
from bootstrap.index.mirrors import Mirrors
from bootstrap.index.patience import PASSING, Patience, asked_wait
from bootstrap.index.response import Response, Stream
from bootstrap.index.tls import Trust
from bootstrap.index.transport import Transport, failure, has_no_address, is_mute, problem_of, troubles

if TYPE_CHECKING:
    from bootstrap.index.transport import Answer

__all__ = ["Client", "NetworkSettings"]

_LONGEST_WAIT = 10.0  # seconds, also where Retry-After asks for more
_LARGEST_UNASKED = 8 << 20  # bytes; a server that ignores a range and sends more than this is not listened to
_LARGEST = 32 << 20  # bytes of a whole answer, unpacked; the largest pages of the default index have some 10 MB
_CHUNK = 1 << 18  # bytes
_UNAUTHORIZED = 401
_OFFLINE = "not asked, because this run is offline and the cache does not have it"


@dataclass(frozen=True, slots=True)
class NetworkSettings:
    """How to reach servers. `timeout` and `backoff` are seconds; `backoff` doubles with each of the `retries`.

    `patience` is how many seconds a whole page may take that comes in drops, none later than `timeout`.

    `cert` is a CA bundle (file or folder), `client_cert` a PEM file with certificate and key, `trusted_hosts` are hosts
    (`host` or `host:port`) whose certificate is not checked, and that need have none, `keyring_provider` says for whom
    the program `keyring` is asked (see logins.py), `mirrors` are pairs of address prefixes: from, to.
    """

    timeout: float = 15.0
    retries: int = 4
    backoff: float = 0.25
    patience: float = 300.0
    cert: str | None = None
    client_cert: str | None = None
    proxy: str | None = None
    trusted_hosts: tuple[str, ...] = ()
    keyring_provider: Provider = "auto"
    mirrors: tuple[tuple[str, str], ...] = ()
    offline: bool = False
    user_agent: str = "torchstrap"


@dataclass(slots=True)
class Client:
    """Fetches addresses; safe to share between threads. Everything but `piece` asks again where that may help.

    Statuses that mean something (2xx, 304, 401, 403, 404, 410, 416 …) are returned. `UnreachableError` is raised when
    no answer, or only 429 and 5xx, came within the retries; its message shows no credentials.
    """

    settings: NetworkSettings = field(default_factory=NetworkSettings)
    _trust: Trust = field(init=False)
    _plain: plain.Connections = field(init=False)
    _transport: Transport = field(init=False)
    _mirrors: Mirrors = field(init=False)
    _logins: Logins = field(init=False)
    _silent: set[str] = field(default_factory=set)
    _proxied: dict[str, bool] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._trust = Trust(self.settings)
        self._mirrors = Mirrors(self.settings.mirrors)
        self._logins = Logins(self.settings.keyring_provider)
        settings, trust = self.settings, self._trust
        self._plain = plain.Connections(settings.timeout, trust.context)
        self._transport = Transport(trust, settings.timeout, settings.proxy, settings.user_agent)

    def rewrite(self, url: str) -> str:
        """The address that is really asked, first if there are several: the mirror's, where one is set."""
        return self._mirrors.choices(url)[0]

    def remember(self, url: str) -> None:
        """Keep the credentials in an address for everything on its origin, so that file links need none."""
        self._logins.remember(url)

    def has_credentials(self, url: str) -> bool:
        """Whether something is known to log in with there."""
        return self._logins.has_some(self.rewrite(url))

    def get(self, url: str, headers: Mapping[str, str] | None = None) -> Response:
        """The whole answer. Raises RefusedError for one that is larger than any page, or comes too slowly."""
        return self._mirrors.answer(url, lambda asked: self._get(url, asked, headers))

    def _get(self, url: str, asked: str, headers: Mapping[str, str] | None) -> Response:
        if addresses.is_local(asked):
            return self._as_named(local.read(asked), url, asked)
        body = b""

        def attempt() -> Answer:
            nonlocal body
            answer = self._asked(asked, headers or {})
            try:
                body = b"".join(self._within_reason(answer, asked))
            finally:
                answer.close()
            return answer

        answer = self._answer(asked, attempt)
        return self._response(answer, body, url, asked)

    def get_range(
        self, url: str, start: int | None = None, end: int | None = None, suffix: int | None = None
    ) -> Response:
        """Bytes `start` to `end` (included), or the last `suffix` bytes: status 206.

        A server that ignores ranges answers 200; the body is then the whole file if that is small, otherwise empty.
        """
        return self._mirrors.answer(url, lambda asked: self._get_range(url, asked, start, end, suffix))

    def _get_range(self, url: str, asked: str, start: int | None, end: int | None, suffix: int | None) -> Response:
        if addresses.is_local(asked):
            return self._as_named(local.read_range(asked, start, end, suffix), url, asked)
        wanted = f"bytes=-{suffix}" if suffix is not None else f"bytes={start or 0}-{'' if end is None else end}"
        headers = {"range": wanted, "accept-encoding": "identity"}
        body = b""

        def attempt() -> Answer:
            nonlocal body
            answer = self._asked(asked, headers)
            try:
                body = b"".join(answer.iter_bytes()) if _worth_reading(answer) else b""
            finally:
                answer.close()
            return answer

        answer = self._answer(asked, attempt)
        return self._response(answer, body, url, asked)

    @contextmanager
    def stream(self, url: str, start: int = 0) -> Iterator[Stream]:
        """Status, headers and pieces of the body, from byte `start` on where the server grants it (206).

        A connection that breaks in the middle raises UnreachableError out of the pieces; asking again with a later
        start resumes.
        """
        asked = self.rewrite(url)
        if addresses.is_local(asked):
            with local.stream(asked, start) as found:
                yield found
            return
        headers = {"accept-encoding": "identity"} | ({"range": f"bytes={start}-"} if start else {})
        answer = self._answer(asked, lambda: self._asked(asked, headers))
        try:
            yield Stream(answer.status_code, dict(answer.headers), self._chunks(answer, url))
        finally:
            answer.close()

    def piece(
        self, url: str, start: int = 0, end: int | None = None, unchanged: str | None = None
    ) -> AbstractContextManager[Stream]:
        """One attempt at bytes `start` up to (not including) `end`, for those who have a patience of their own.

        `unchanged` is the ETag or the date of what is here already (If-Range): of another file the server then sends
        all. Every status is returned, and the headers say what was granted. Raises UnreachableError for what may
        pass, also out of the pieces, and RefusedError for what will not.

        Of several mirrors each has tags of its own, so none is sent or shown: the hash has to tell.
        """
        return self._mirrors.piece(url, unchanged, lambda asked, tag: self._piece(asked, start, end, tag))

    @contextmanager
    def _piece(self, asked: str, start: int, end: int | None, unchanged: str | None) -> Iterator[Stream]:
        if addresses.is_local(asked):
            with local.stream(asked, start) as found:
                yield found
            return
        shown = addresses.without_credentials(asked)
        if self.settings.offline:
            raise RefusedError(shown, _OFFLINE)
        headers = {"accept-encoding": "identity"}
        if start or end is not None:
            headers["range"] = f"bytes={start}-{'' if end is None else end - 1}"
            headers |= {"if-range": unchanged} if unchanged else {}
        try:
            answer = self._asked(asked, headers)
        except troubles() as error:
            raise failure(shown, error, self.settings.timeout) from error
        try:
            yield Stream(answer.status_code, dict(answer.headers), self._chunks(answer, asked))
        finally:
            answer.close()

    def __enter__(self) -> Client:  # noqa: PYI034  (typing.Self needs Python 3.11)
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close every connection; the client may be used again."""
        self._transport.close()
        self._plain.close()

    def _within_reason(self, answer: Answer, asked: str) -> Iterator[bytes]:
        """The pieces of a whole answer, unpacked, as long as they are not too much, and not too long in coming."""
        shown, size = addresses.without_credentials(asked), 0
        deadline = time.monotonic() + self.settings.patience
        for chunk in answer.iter_bytes():
            size += len(chunk)
            if size > _LARGEST:
                raise RefusedError(shown, f"its answer has more than {_LARGEST >> 20} MB, as no page of an index has")
            if time.monotonic() > deadline:
                raise RefusedError(shown, f"its answer did not end within {self.settings.patience:g} seconds")
            yield chunk

    def _chunks(self, answer: Answer, url: str) -> Iterator[bytes]:
        is_plain = answer.headers.get("content-encoding", "identity") == "identity"
        try:
            if isinstance(answer, plain.Answer):
                yield from answer.iter_bytes()
            else:
                yield from answer.iter_raw() if is_plain else answer.iter_bytes(_CHUNK)
        except GeneratorExit:  # nobody wants the rest, perhaps because the interpreter ends
            raise
        except troubles() as error:
            raise UnreachableError(
                addresses.without_credentials(url), problem_of(error, self.settings.timeout)
            ) from error

    def _asked(self, url: str, headers: Mapping[str, str]) -> Answer:
        """The beginning of an answer; asked again with another login where there is one, and this was not enough."""
        login = self._logins.of(url)
        answer = self._begun(url, headers, login)
        is_refused = answer.status_code == _UNAUTHORIZED and addresses.origin(str(answer.url)) == addresses.origin(url)
        if is_refused and self._logins.others(url, login):
            answer.close()
            answer = self._begun(url, headers, self._logins.of(url))
        return answer

    def _begun(self, url: str, headers: Mapping[str, str], login: Login | None) -> Answer:
        """By the shortest way: httpx has the proxies, the redirects and the odd cases."""
        self._trust.admit(url)
        if self._is_behind_proxy(url):
            return self._transport.send(url, headers, login)
        bare = addresses.without_credentials(url)
        proof = {"authorization": plain.basic(*login)} if login else {}
        answer = self._plain.ask(bare, {"user-agent": self.settings.user_agent, "accept": "*/*", **headers, **proof})
        if answer is None:
            return self._transport.send(url, headers, login)
        if answer.moved_to is None:
            return answer
        answer.close()
        target = addresses.without_credentials(urljoin(bare, answer.moved_to))
        return self._transport.send(target, headers, self._logins.of(target))

    def _is_behind_proxy(self, url: str) -> bool:
        origin = addresses.origin(url)
        known = self._proxied.get(origin)
        if known is None:
            proxy = ambient.proxy_for(self.settings.proxy, origin.partition(":")[0], addresses.host(url))
            known = self._proxied[origin] = proxy is not None
        return known

    def _answer(self, url: str, attempt: Callable[[], Answer]) -> Answer:
        """The first useful answer. An origin that stayed silent through all retries is tried only once from then on."""
        shown = addresses.without_credentials(url)
        if self.settings.offline:
            raise RefusedError(shown, _OFFLINE)
        origin = addresses.origin(url)
        attempts = 1 if origin in self._silent else self._mirrors.attempts(url, self.settings.retries + 1)
        patience = Patience(self.settings.backoff, attempts)
        hopeless = False
        while True:
            asked = 0.0
            try:
                answer = attempt()
            except troubles() as error:
                found = failure(shown, error, self.settings.timeout)
                hopeless, before = has_no_address(error), hopeless
                if isinstance(found, RefusedError) or (hopeless and before):
                    raise found from error
                mute = is_mute(error)
            else:
                if answer.status_code not in PASSING:
                    return answer
                answer.close()
                problem = f"the server answers {answer.status_code} {answer.reason_phrase}".rstrip()
                found, mute = UnreachableError(shown, problem), False
                asked = asked_wait(answer.headers.get("retry-after", ""), time.time()) or 0.0
            wait = patience.after(progress=False, asked=min(asked, _LONGEST_WAIT))
            if wait is None:
                if mute:
                    self._silent.add(origin)
                raise found
            time.sleep(min(wait, _LONGEST_WAIT))

    def _response(self, answer: Answer, body: bytes, url: str, asked: str) -> Response:
        found = Response(answer.status_code, dict(answer.headers), body, str(answer.url))
        return self._as_named(found, url, asked)

    def _as_named(self, found: Response, url: str, asked: str) -> Response:
        """The answer under the address it was asked by, if a mirror answered in its place."""
        final = addresses.without_credentials(found.url)
        if asked != url:
            final = addresses.rewrite(final, [(target, source) for source, target in self.settings.mirrors])
        return Response(found.status, found.headers, found.body, addresses.without_credentials(final))


def _worth_reading(answer: Answer) -> bool:
    length = answer.headers.get("content-length", "")
    return answer.status_code != 200 or (length.isdecimal() and int(length) <= _LARGEST_UNASKED)  # noqa: PLR2004
