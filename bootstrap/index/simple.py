"""Index pages into files, lazily: most files of most versions are never looked at (PEP 503, 592, 658, 691, 700, 714).

    bytes ──read_page──> Page(entries = (file name, still unread rest of the link)) ──listing──> Listing

A page of a large project is megabytes with thousands of links. Splitting text at `<a` takes milliseconds, an HTML
parser or a regular expression over all attributes takes many times that; so only the file name is read at first,
versions are parsed once for each distinct text, and attributes when a version becomes interesting.
Nothing here is quadratic in the size of a page, whatever is on it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from html import unescape
from typing import Any, NoReturn
from urllib.parse import unquote, urljoin

from bootstrap.errors import UnreachableError
from bootstrap.index.addresses import without_credentials
from bootstrap.index.files import File
from bootstrap.index.listing import Page, group

__all__ = ["group", "parse_html", "parse_json", "read_page"]

_ABSOLUTE = ("https://", "http://")
_SHA256 = re.compile(r"sha256=([0-9a-f]{64})")
_FILES = (".whl", ".tar.gz", ".zip")
_ANCHOR = re.compile(r"<a(?=\s)", re.IGNORECASE)
_ATTRIBUTE = re.compile(r"""[\s/]*([^\s"'<>/=]+)(?:\s*=\s*(?:"([^"]*)"|'([^']*)'|([^\s"'<>]+)))?""")
_PLAIN_ATTRIBUTE = re.compile(r' ([a-z0-9-]+)="([^"<>]*)"')
_PLAIN = re.compile(r'(?: [a-z0-9-]+="[^"<>]*")+')
_BASE = re.compile(r"""<base\s[^<>]*?href\s*=\s*["']?([^"'<>\s]+)""", re.IGNORECASE)
_REPOSITORY_VERSION = re.compile(r"""pypi:repository-version["']?\s+content\s*=\s*["']?(\d{1,6})""", re.IGNORECASE)
_FORM = re.compile(r"<(?:form|input)\b", re.IGNORECASE)
_TITLE = re.compile(r"<title>\s*([^<]{1,80})", re.IGNORECASE)
_KNOWN_MAJOR = 1


def read_page(body: bytes, content_type: str, url: str, index: str) -> Page:
    """A page in whichever of the two forms it came. Raises UnreachableError when it is neither."""
    if content_type.endswith("json") or body[:64].lstrip().startswith(b"{"):
        return _json_page(body, url, index)
    return _html_page(body, url, index)


def parse_html(body: bytes, url: str, index: str) -> tuple[File, ...]:
    """All files of a PEP 503 page. Raises UnreachableError when it is no such page."""
    return _html_page(body, url, index).files()


def parse_json(body: bytes, url: str, index: str) -> tuple[File, ...]:
    """All files of a PEP 691 document. Raises UnreachableError when it is no such document."""
    return _json_page(body, url, index).files()


def _html_page(body: bytes, url: str, index: str) -> Page:
    text = body.decode("utf-8", "replace")
    doctype = text[:64].lower().find("<!doctype")
    if text.find("!", doctype + 2) >= 0:  # one letter is found many times faster than the four of a comment
        text = _without_comments(text)
    index, url = without_credentials(index), without_credentials(url)
    pieces = _ANCHOR.split(text) if "A" in text and "<A" in text else text.split("<a")
    entries = _links(pieces)
    head = pieces[0]
    if not entries:
        _refuse_other_pages(head, text, len(pieces) - 1, url)
    _refuse_unknown_major(_REPOSITORY_VERSION.search(head), url)
    base = _BASE.search(head)
    if base is not None:
        url = urljoin(url, unescape(base[1]))

    def make(filename: str, piece: str) -> File:
        return _file_of_anchor(filename, piece, url, index)

    return Page(index, entries, make)


def _links(pieces: Sequence[str]) -> list[tuple[str, str]]:
    """File name and rest of every anchor that points at a distribution file."""
    entries = []
    for piece in pieces[1:]:
        if piece.startswith(' href="'):
            end = piece.find('"', 7)
            cut = piece.find("#", 7, end)
            stop = cut if cut > 0 else end
            filename = piece[max(7, piece.rfind("/", 7, stop) + 1) : stop]
        elif piece[:1].isspace():
            filename = "?"
        else:
            continue  # <abbr>, <address> …
        if "%" in filename or "&" in filename or "?" in filename or " " in filename:
            filename = _filename(_attributes(piece).get("href", ""))
        if filename.endswith(_FILES):
            entries.append((filename, piece))
    return entries


def _filename(href: str) -> str:
    return unquote(href.partition("#")[0].partition("?")[0].rpartition("/")[2]).strip()


def _attributes(piece: str) -> dict[str, str]:
    """Attributes of the tag whose inside starts the text; values are unescaped, the first of a name counts."""
    found: dict[str, str] = {}
    inside, end, _ = piece.partition(">")
    # Nearly every page is written plainly, and then one call finds all: pages have thousands of these.
    if end and _PLAIN.fullmatch(inside):
        for name, value in reversed(_PLAIN_ATTRIBUTE.findall(inside)):
            found[name] = unescape(value) if "&" in value else value
        return found
    match = _ATTRIBUTE.match(piece)
    while match is not None:
        value = match[2] or match[3] or match[4] or ""
        found.setdefault(match[1].lower(), unescape(value))
        match = _ATTRIBUTE.match(piece, match.end())
    return found


def _file_of_anchor(filename: str, piece: str, base: str, index: str) -> File:
    attributes = _attributes(piece)
    href, _, fragment = attributes["href"].strip().partition("#")
    metadata = attributes.get("data-core-metadata", attributes.get("data-dist-info-metadata"))
    return File(
        filename=filename,
        url=href if href.startswith(_ABSOLUTE) else urljoin(base, href),
        index=index,
        hashes=_hash(fragment),
        requires_python=attributes.get("data-requires-python") or None,
        metadata=None if metadata is None or metadata.lower() == "false" else _hash(metadata),
        yanked=attributes.get("data-yanked"),
        upload_time=attributes.get("data-upload-time"),
    )


def _hash(text: str) -> dict[str, str]:
    """`sha256=…` as a mapping; among several, as in a fragment, each one that is a hash."""
    usual = _SHA256.fullmatch(text)
    if usual is not None:
        return {"sha256": usual[1]}
    pairs = (part.partition("=") for part in text.split("&"))
    return {name.lower(): digest.lower() for name, _, digest in pairs if _is_hexadecimal(digest) and name != "size"}


def _is_hexadecimal(text: str) -> bool:
    return len(text) >= 32 and not text.strip("0123456789abcdefABCDEF")  # noqa: PLR2004  (md5, the shortest in use)


def _without_comments(text: str) -> str:
    kept, at = [], 0
    while (start := text.find("<!--", at)) >= 0 and (end := text.find("-->", start + 4)) >= 0:
        kept.append(text[at:start])
        at = end + 3
    return "".join((*kept, text[at:]))


def _refuse_other_pages(head: str, text: str, anchors: int, url: str) -> None:
    """A page without one file is an empty project, a folder, or something else such as a login page."""
    title = _TITLE.search(head)
    if not _FORM.search(text) and (anchors or "links for" in head.lower() or "pypi:repository-version" in head):
        return
    what = f"a page titled {unescape(title[1]).strip()!r}" if title else f"{len(text)} characters of something else"
    _refuse(url, f"answers with {what}, where a page of links to files was expected")


def _refuse_unknown_major(found: re.Match[str] | None, url: str) -> None:
    if found is not None and int(found[1]) > _KNOWN_MAJOR:
        _refuse(url, f"speaks version {found[1]} of the index format, of which only version 1 is known here")


def _refuse(url: str, problem: str) -> NoReturn:
    raise UnreachableError(url, f"{problem}; check the address of the index")


def _json_page(body: bytes, url: str, index: str) -> Page:
    index, url = without_credentials(index), without_credentials(url)
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        _refuse(url, f"answers with {len(body)} bytes that are not the JSON they claim to be")
    links = document.get("files") if isinstance(document, dict) else None
    if not isinstance(links, list):
        _refuse(url, "answers with JSON that lists no files")
    meta = document.get("meta")
    version = str(meta.get("api-version", "1.0")) if isinstance(meta, dict) else "1.0"
    _refuse_unknown_major(re.match(r"(\d{1,6})", version), url)
    entries = [
        (link["filename"], link)
        for link in links
        if isinstance(link, dict)
        and isinstance(link.get("filename"), str)
        and isinstance(link.get("url"), str)
        and link["filename"].endswith(_FILES)
    ]

    def make(filename: str, link: Mapping[str, Any]) -> File:
        return _file_of_json(filename, link, url, index)

    return Page(index, entries, make)


def _file_of_json(filename: str, link: Mapping[str, Any], base: str, index: str) -> File:
    metadata = link.get("core-metadata", link.get("dist-info-metadata"))
    yanked = link.get("yanked")
    requires_python, size, upload_time = link.get("requires-python"), link.get("size"), link.get("upload-time")
    return File(
        filename=filename,
        url=urljoin(base, link["url"]),
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
