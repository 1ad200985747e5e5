"""Documents of PEP 691 into files, lazily where they are written as they usually are.

    {"meta": …, "files": [ {"filename": …, "url": …, …} , {…} , {…} ], "name": …}
                           ╰──── one piece, unread ───╯

A page of a large project has thousands of objects, and reading each takes ten times the memory of its text. Quotes
inside of strings are escaped, so `"filename":"` is nowhere but where a file's name follows: if there are as many of
them as pieces, every piece is one file. Any other document is read whole.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any, NoReturn
from urllib.parse import urljoin

from bootstrap.errors import UnreachableError
from bootstrap.index.files import File
from bootstrap.index.listing import Page

__all__ = ["json_page", "refuse", "refuse_unknown_major"]

_FILES = (".whl", ".tar.gz", ".zip")
_ABSOLUTE = ("https://", "http://")
_LIST = re.compile(r'"files":\s?\[\s?\{')
_NAME = re.compile(r'"filename":\s?"([^"\\]*)"')
_BETWEEN = ("},{", "}, {")
_KNOWN_MAJOR = 1


def json_page(body: bytes, url: str, index: str) -> Page:
    """A document as a page. Raises UnreachableError when it is no such document."""
    text = body.decode("utf-8", "replace")
    found = _pieces(text)
    if found is None:
        return _whole(body, url, index)
    skeleton, names, pieces = found
    _refuse_other_versions(skeleton, url)

    def make(filename: str, piece: str) -> File:
        try:
            link = json.loads("{" + piece + "}")
        except (ValueError, RecursionError):
            refuse(url, f"answers with something about {filename} that is not the JSON it claims to be")
        return _file(filename, link, url, index)

    entries = [entry for entry in zip(names, pieces, strict=True) if entry[0].endswith(_FILES)]
    return Page(index, entries, make)


def _pieces(text: str) -> tuple[Mapping[str, Any], Sequence[str], Sequence[str]] | None:
    """The document without its files, their names, and each without its brackets; None if they cannot be told apart."""
    start = _LIST.search(text)
    if start is None:
        return None
    names = _NAME.findall(text, start.end())
    between = next((each for each in _BETWEEN if text.count(each, start.end()) == len(names) - 1), None)
    if between is None:
        return None
    pieces = text[start.end() :].split(between)
    if not all('"filename":' in piece and ('"url":"' in piece or '"url": "' in piece) for piece in pieces):
        return None
    try:
        _, end = json.JSONDecoder().raw_decode("{" + pieces[-1])
        skeleton = json.loads(f"{text[: start.end() - 1]}{pieces[-1][end - 1 :]}")
    except (ValueError, RecursionError):
        return None
    pieces[-1] = pieces[-1][: end - 2]
    return (skeleton, names, pieces) if skeleton.get("files") == [] else None


def _whole(body: bytes, url: str, index: str) -> Page:
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        refuse(url, f"answers with {len(body)} bytes that are not the JSON they claim to be")
    links = document.get("files") if isinstance(document, dict) else None
    if not isinstance(links, list):
        refuse(url, "answers with JSON that lists no files")
    _refuse_other_versions(document, url)
    entries = [
        (link["filename"], link)
        for link in links
        if isinstance(link, dict)
        and isinstance(link.get("filename"), str)
        and isinstance(link.get("url"), str)
        and link["filename"].endswith(_FILES)
    ]

    def make(filename: str, link: Mapping[str, Any]) -> File:
        return _file(filename, link, url, index)

    return Page(index, entries, make)


def _refuse_other_versions(document: Mapping[str, Any], url: str) -> None:
    meta = document.get("meta")
    version = str(meta.get("api-version", "1.0")) if isinstance(meta, dict) else "1.0"
    refuse_unknown_major(re.match(r"(\d{1,6})", version), url)


def refuse_unknown_major(found: re.Match[str] | None, url: str) -> None:
    """Raises UnreachableError for a version of the index format that is not known here."""
    if found is not None and int(found[1]) > _KNOWN_MAJOR:
        refuse(url, f"speaks version {found[1]} of the index format, of which only version 1 is known here")


def refuse(url: str, problem: str) -> NoReturn:
    """Raises UnreachableError for what is no page of an index."""
    raise UnreachableError(url, f"{problem}; check the address of the index")


def _file(filename: str, link: Mapping[str, Any], base: str, index: str) -> File:
    metadata = link.get("core-metadata", link.get("dist-info-metadata"))
    yanked = link.get("yanked")
    requires_python, size, upload_time = link.get("requires-python"), link.get("size"), link.get("upload-time")
    return File(
        filename=filename,
        url=link["url"] if link["url"].startswith(_ABSOLUTE) else urljoin(base, link["url"]),
        index=index,
        hashes=_json_hashes(link.get("hashes")),
        requires_python=requires_python if isinstance(requires_python, str) and requires_python else None,
        metadata=_json_hashes(metadata) if metadata else None,
        yanked=yanked if isinstance(yanked, str) else "" if yanked is True else None,
        size=size if isinstance(size, int) else None,
        upload_time=upload_time if isinstance(upload_time, str) else None,
    )


def _json_hashes(found: object) -> dict[str, str]:
    if not isinstance(found, dict):
        return {}
    return {str(name): digest.lower() for name, digest in found.items() if isinstance(digest, str)}
