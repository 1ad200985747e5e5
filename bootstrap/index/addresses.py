"""Addresses as text: credentials taken out, origins compared, prefixes rewritten. Nothing here opens anything.

https://user:word@host:8080/simple/torch/
└──────────────origin─────┘ without user:word@
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import quote, unquote, urlsplit, urlunsplit

__all__ = [
    "authority",
    "credentials",
    "file_path",
    "host",
    "is_local",
    "is_loopback",
    "origin",
    "project_page",
    "rewrite",
    "rewrites",
    "without_credentials",
    "without_secrets",
]

_AUTHORITY = re.compile(r"^([A-Za-z][A-Za-z0-9+.-]*://)([^/?#]*)@")
_DEFAULT_PORTS = {"http": 80, "https": 443}
_LOOPBACK = re.compile(r"(.+\.)?localhost|127(\.[0-9]{1,3}){3}|::1")


def without_credentials(url: str) -> str:
    """The address as it may be shown, stored and locked."""
    return _AUTHORITY.sub(r"\1", url, count=1)


def without_secrets(url: str) -> str:
    """The address without credentials; over ssh the user's name is part of the address and stays."""
    parts = urlsplit(url)
    if not parts.scheme.endswith("ssh") or "@" not in parts.netloc:
        return without_credentials(url)
    userinfo, _, host = parts.netloc.rpartition("@")
    return urlunsplit(parts._replace(netloc=f"{userinfo.partition(':')[0]}@{host}"))


def credentials(url: str) -> tuple[str, str] | None:
    """User and password of an address, decoded; None where it has neither."""
    match = _AUTHORITY.match(url)
    if match is None:
        return None
    user, _, password = match[2].partition(":")
    return unquote(user), unquote(password)


def origin(url: str) -> str:
    """Scheme, host and port: whom credentials may be shown to."""
    parts = urlsplit(without_credentials(url))
    scheme = parts.scheme.lower()
    return f"{scheme}://{parts.hostname or ''}:{_port(parts.netloc) or _DEFAULT_PORTS.get(scheme, 0)}"


def host(url: str) -> str:
    return urlsplit(url).hostname or ""


def authority(url: str) -> str:
    """The host, with its port if the address says one."""
    return urlsplit(without_credentials(url)).netloc


def is_loopback(host: str) -> bool:
    """Whether a host, in lower case, is this machine, so that nobody is in between."""
    return _LOOPBACK.fullmatch(host) is not None


def is_local(url: str) -> bool:
    """Whether the address means this machine's disk."""
    return url[:5].lower() == "file:"


def file_path(url: str) -> Path:
    """The path behind a file:// address."""
    from urllib.request import url2pathname  # noqa: PLC0415  (pulls in http.client; most runs have no file:// address)

    parts = urlsplit(url)
    unc = f"//{parts.netloc}" if parts.netloc not in {"", "localhost"} else ""
    return Path(url2pathname(unc + parts.path))


def project_page(index: str, name: str) -> str:
    """The address of a project's page; always with the final slash, because some hosts do not redirect to it."""
    return f"{index.rstrip('/')}/{quote(name)}/"


def rewrite(url: str, mirrors: Sequence[tuple[str, str]]) -> str:
    """The address with its longest matching prefix replaced; a prefix matches whole path segments only."""
    return rewrites(url, mirrors)[0]


def rewrites(url: str, mirrors: Sequence[tuple[str, str]]) -> tuple[str, ...]:
    """The same for each that has this prefix, in their order; the address itself where none fits."""
    fitting = [
        (source.rstrip("/"), target, rest) for source, target in mirrors if (rest := _after(source, url)) is not None
    ]
    longest = max((len(source) for source, _, _ in fitting), default=0)
    found = (target.rstrip("/") + rest for source, target, rest in fitting if len(source) == longest)
    return tuple(dict.fromkeys(found)) or (url,)


def _after(prefix: str, url: str) -> str | None:
    prefix = without_credentials(prefix).rstrip("/")
    bare = without_credentials(url)
    if not bare.startswith(prefix):
        return None
    rest = bare[len(prefix) :]
    return rest if not rest or rest[0] in "/?#" else None


def _port(authority: str) -> int | None:
    digits = authority.rpartition("]")[2].rpartition(":")[2]
    return int(digits) if ":" in authority and digits.isdecimal() else None
