"""Addresses of git repositories, as requirements and sources write them.

    git+https://host/team/repo.git@v1.2#subdirectory=python&egg=name
        └──────── url ──────────┘ └ revision          in the fragment: where the project lies, its name, lfs=true

A revision is a branch, a tag, a commit or how one begins; `refs/tags/v1` and `refs/heads/v1` say which of the two.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import parse_qs, quote, unquote, urlsplit, urlunsplit

__all__ = ["Repository", "is_repository", "read_repository", "revision_of", "shown", "subdirectory_of"]

_SCHEMES = ("https", "http", "ssh", "file", "git")
_HASH = re.compile(r"[0-9a-fA-F]{40}([0-9a-fA-F]{24})?")
_NEVER = re.compile(r"[\x00-\x20\x7f~^:?*\[\\]|\.\.|@\{|//|\.lock(/|$)|/$|\.$")  # git-check-ref-format(1)
_SHORT_ADDRESS = re.compile(r"(?:(?P<user>[\w.-]+)@)?(?P<host>[\w.-]+):(?!//)(?P<path>[^:]+)")


@dataclass(frozen=True, slots=True)
class Repository:
    """A repository and what of it: `url` is what git understands, `name` what the address calls the project."""

    url: str
    revision: str | None = None
    subdirectory: str | None = None
    lfs: bool = False
    name: str | None = None

    @property
    def address(self) -> str:
        """All of it, as a requirement has it, but for the name: two projects of one commit have two addresses."""
        revision = f"@{quote(self.revision, safe='/')}" if self.revision else ""
        inside = [f"subdirectory={quote(self.subdirectory, safe='/')}"] if self.subdirectory else []
        fragment = "&".join([*inside, *(["lfs=true"] if self.lfs else [])])
        return f"git+{self.url}{revision}{f'#{fragment}' if fragment else ''}"

    @property
    def words(self) -> str:
        """What was asked for, as people write it: `v1` for `refs/tags/v1`."""
        return (self.revision or "").removeprefix("refs/heads/").removeprefix("refs/tags/")

    @property
    def commit(self) -> str | None:
        """The revision if it is a whole hash, which nothing can move."""
        revision = self.revision or ""
        return revision.lower() if _HASH.fullmatch(revision) else None


def is_repository(address: str) -> bool:
    """Whether an address says that git has to fetch it."""
    return address[:4].lower() == "git+"


def read_repository(text: str) -> Repository:
    """The repository behind an address with or without `git+`. Raises ValueError with one sentence.

    What would be an option of git, or run a program, is refused: a leading "-", `ext::`, a host that begins with "-".
    """
    bare = text[4:] if is_repository(text) else text
    parts = urlsplit(bare)
    if parts.scheme.lower() not in _SCHEMES or not bare[len(parts.scheme) :].startswith("://"):
        raise ValueError(_wrong_scheme(bare))
    if parts.scheme.lower() != "file" and (not parts.hostname or parts.hostname.startswith("-")):
        raise ValueError(f"the address of a repository at {parts.path} names no host; write it like https://host/path")
    if not parts.path.strip("/") or parts.query:
        what = "has a question mark" if parts.query else "names no repository"
        raise ValueError(f"the address {shown(bare)} {what}; write it like https://host/path")
    path, at, revision = parts.path.rpartition("@")
    if not at:
        path, revision = parts.path, ""
    fragment = {key: values[0] for key, values in parse_qs(parts.fragment).items()}
    return Repository(
        url=urlunsplit(parts._replace(path=path, fragment="")),
        revision=revision_of(unquote(revision)) if at else None,
        subdirectory=subdirectory_of(fragment.get("subdirectory")),
        lfs=fragment.get("lfs", "").lower() in {"true", "1"},
        name=fragment.get("egg") or None,
    )


def revision_of(text: str) -> str:
    """The revision, if git could have one of that name. Raises ValueError with one sentence."""
    if not text or text.startswith(("-", "/")) or _NEVER.search(text):
        raise ValueError(f'"{text}" can be no branch, tag or commit of a git repository; correct it')
    return text


def subdirectory_of(text: str | None) -> str | None:
    """The subdirectory, if it stays inside. Raises ValueError with one sentence."""
    if text is None:
        return None
    parts = text.strip("/").split("/")
    if text.startswith("/") or "\\" in text or ".." in parts or ":" in parts[0]:
        raise ValueError(f'the subdirectory "{text}" leads out of the repository; name a folder inside')
    return "/".join(part for part in parts if part not in {"", "."}) or None


def _wrong_scheme(bare: str) -> str:
    short = _SHORT_ADDRESS.fullmatch(bare)
    if short:
        user = f"{short['user']}@" if short["user"] else ""
        way_out = f'"ssh://{user}{short["host"]}/{short["path"].lstrip("/")}"'
    else:
        way_out = 'it like "https://host/path" or "file:///folder"'
    return f'"{shown(bare)}" is no address of a git repository; write {way_out}'


def shown(text: str) -> str:
    """An address as it may be shown."""
    return re.sub(r"(://)[^/?#]*@", r"\1", text)
