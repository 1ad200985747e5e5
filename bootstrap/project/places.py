"""Addresses as people write them: a URL stays, a folder becomes a file: URL."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import urlsplit

__all__ = ["DEFAULT_INDEX", "address", "index_address", "is_url"]

DEFAULT_INDEX = "{DEFAULT_INDEX}"
"""What an index entry writes as its url to mean the default index, whichever that is where the project is used."""

_SCHEME = re.compile(r"[a-zA-Z][a-zA-Z0-9+.-]+:(//|/)")  # two letters at least: `C:/` is a Windows folder


_PATH = re.compile(r"[./~\\]|[a-zA-Z]:[/\\]")


def is_url(text: str) -> bool:
    return _SCHEME.match(text.strip()) is not None


def address(text: str, folder: Path) -> str:
    """A URL as it is; a path, relative to `folder`, as a file: URL."""
    text = text.strip()
    if is_url(text):
        return text
    return (folder.absolute() / Path(text)).as_uri()


def index_address(text: str, folder: Path) -> str:
    """As `address`, but a path must look like one: `lab.example/simple` has lost its scheme. Raises ValueError."""
    text = text.strip()
    if not is_url(text) and not _PATH.match(text):
        raise ValueError(f'"{text}" is neither a URL nor a path; write "https://{text}" or "./{text}"')
    found = address(text, folder)
    try:
        _ = urlsplit(found).port
    except ValueError as error:
        raise ValueError(f'"{text}" is no address ({error})') from error
    return found
