"""Index pages into files, lazily: most files of most versions are never looked at (PEP 503, 592, 658, 691, 700, 714).

    bytes ──read_page──> Page(entries = (file name, which link it is)) ──listing──> Listing

A page of a large project is megabytes with thousands of links. Splitting bytes at `<a` takes milliseconds, an HTML
parser or a regular expression over all attributes takes many times that; so only the file name is read at first,
versions are parsed once for each distinct text, and attributes when a version becomes interesting. Until then the
inside of its tags lies in memory as it came. Nothing here is quadratic in the size of a page, whatever is on it.
"""

from __future__ import annotations

import re
from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from html import unescape
from itertools import accumulate
from urllib.parse import unquote, urljoin

from bootstrap.index.addresses import without_credentials
from bootstrap.index.documents import json_page, refuse, refuse_unknown_major
from bootstrap.index.files import File
from bootstrap.index.listing import Page, group

__all__ = ["group", "parse_html", "parse_json", "read_page"]

_ABSOLUTE = ("https://", "http://")
_SHA256 = re.compile(r"sha256=[0-9a-f]{64}")
_FILES = (".whl", ".tar.gz", ".zip")
_ANCHOR = re.compile(r"<a(?=\s)", re.IGNORECASE)
_USUAL_ANCHOR = '<a href="'
_MARKS = "%&<>' "  # in what looks like a file name: it has to be read with more care
_ATTRIBUTE = re.compile(r"""[\s/]*([^\s"'<>/=]+)(?:\s*=\s*(?:"([^"]*)"|'([^']*)'|([^\s"'<>]+)))?""")
_PLAIN_ATTRIBUTE = re.compile(r' ([a-z0-9-]+)="([^"<>]*)"')
_PLAIN = re.compile(r'(?: [a-z0-9-]+="[^"<>]*")+(?=>)')
_BASE = re.compile(r"""<base\s[^<>]*?href\s*=\s*["']?([^"'<>\s]+)""", re.IGNORECASE)
_REPOSITORY_VERSION = re.compile(r"""pypi:repository-version["']?\s+content\s*=\s*["']?(\d{1,6})""", re.IGNORECASE)
_FORM = re.compile(rb"<(?:form|input)\b", re.IGNORECASE)
_TITLE = re.compile(r"<title>\s*([^<]{1,80})", re.IGNORECASE)


def read_page(body: bytes, content_type: str, url: str, index: str) -> Page:
    """A page in whichever of the two forms it came. Raises UnreachableError when it is neither."""
    if content_type.endswith("json") or body[:64].lstrip().startswith(b"{"):
        return json_page(body, without_credentials(url), without_credentials(index))
    return _html_page(body, url, index)


def parse_html(body: bytes, url: str, index: str) -> tuple[File, ...]:
    """All files of a PEP 503 page. Raises UnreachableError when it is no such page."""
    return _html_page(body, url, index).files()


def parse_json(body: bytes, url: str, index: str) -> tuple[File, ...]:
    """All files of a PEP 691 document. Raises UnreachableError when it is no such document."""
    return json_page(body, without_credentials(url), without_credentials(index)).files()


def _html_page(body: bytes, url: str, index: str) -> Page:
    raw = body.decode("latin-1")  # one character in memory for each byte, whatever letters it has
    index, url = without_credentials(index), without_credentials(url)
    links = _usual_links(raw) or _links(_without_comments(raw))
    entries = [entry for entry in zip(links.names, range(len(links.names)), strict=True) if entry[0].endswith(_FILES)]
    if not entries:
        _refuse_other_pages(links.head, body, len(links.names), url)
    refuse_unknown_major(_REPOSITORY_VERSION.search(links.head), url)
    base = _BASE.search(links.head)
    if base is not None:
        url = urljoin(url, unescape(base[1]))

    def make(filename: str, link: int) -> File:
        return _file_of_anchor(filename, links.inside(link), url, index)

    return Page(index, entries, make)


@dataclass(frozen=True, slots=True)
class _Links:
    """The anchors of a page: the file name in each (other text where there is none), and its attributes, unread.

    What is kept of the page is `raw`, in which each anchor begins where `starts` says; one start more is at the end.
    """

    head: str
    names: list[str]
    raw: str
    starts: Sequence[int]
    before: str = ""

    def inside(self, link: int) -> str:
        """What follows the `<a` of an anchor."""
        return self.before + _real(self.raw[self.starts[link] : self.starts[link + 1]])


def _real(raw: str) -> str:
    """The letters that bytes mean."""
    return raw if raw.isascii() else raw.encode("latin-1").decode("utf-8", "replace")


def _usual_links(raw: str) -> _Links | None:
    """The links of a page that repeats `<a href="…" …>…</a>` and the same few characters, as nearly every page does.

    None for another. What stands between the anchors is part of what the page is split at, and so no tag is overlooked.
    """
    first, last = raw.find(_USUAL_ANCHOR), raw.rfind("</a>")
    end = raw.find("</a>", first)
    if first < 0 or end < 0:
        return None
    following = raw.find(_USUAL_ANCHOR, end, last)
    between = raw[end:following] if following >= 0 else "</a>"
    # A comment at the end, as PyTorch's pages have one, hides nothing.
    if any(map(_ANCHOR.search, (raw[:first], between, raw[last:]))) or "<!--" in raw[:first] + between:
        return None
    pieces = raw.split(between + _USUAL_ANCHOR)
    length = len(pieces[-1]) - (len(raw) - last)
    if length < 0:
        return None
    pieces[-1] = pieces[-1][:length]
    pieces[0] = pieces[0][first + len(_USUAL_ANCHOR) :]
    names = []
    for piece in pieces:
        if "<" in piece:
            return None
        cut = piece.find("#")
        end = piece.find('"', 0, cut)  # without a # up to the last character, which is another one
        if end >= 0:
            cut = end
        names.append(piece[piece.rfind("/", 0, cut) + 1 : cut])
    _mend(names, pieces, raw)
    tags = [piece[: piece.rfind(">") + 1] for piece in pieces]
    return _Links(
        _real(raw[:first]), names, "".join(tags), array("Q", accumulate(map(len, tags), initial=0)), ' href="'
    )


def _mend(names: list[str], pieces: Sequence[str], raw: str) -> None:
    """Read those names again that are not as they look. That there are any at all is found out for all at once."""
    joined = "".join(names)
    if joined.isascii() and "?" not in raw and not any(mark in joined for mark in _MARKS):
        return
    for link, name in enumerate(names):
        odd = not name.isascii() or any(mark in name for mark in _MARKS)
        if odd or "?" in pieces[link].partition('"')[0]:
            names[link] = _filename(_attributes(_real(f' href="{pieces[link]}')).get("href", ""))


def _links(raw: str) -> _Links:
    """The links of any page without comments."""
    starts = array("Q", (anchor.end() for anchor in _ANCHOR.finditer(raw)))
    head = raw[: starts[0] - len("<a")] if starts else raw
    starts.append(len(raw))
    links = _Links(_real(head), [], raw, starts)
    for link in range(len(starts) - 1):
        links.names.append(_filename(_attributes(links.inside(link)).get("href", "")))
    return links


def _filename(href: str) -> str:
    return unquote(href.partition("#")[0].partition("?")[0].rpartition("/")[2]).strip()


def _attributes(piece: str) -> dict[str, str]:
    """Attributes of the tag whose inside starts the text; values are unescaped, the first of a name counts."""
    found: dict[str, str] = {}
    # Nearly every page is written plainly, and then one call finds all: pages have thousands of these.
    plain = _PLAIN.match(piece)
    if plain is not None:
        for name, value in reversed(_PLAIN_ATTRIBUTE.findall(plain[0])):
            found[name] = _unescaped(value) if "&" in value else value
        return found
    match = _ATTRIBUTE.match(piece)
    while match is not None:
        value = match[2] or match[3] or match[4] or ""
        found.setdefault(match[1].lower(), unescape(value))
        match = _ATTRIBUTE.match(piece, match.end())
    return found


@lru_cache(1024)
def _unescaped(text: str) -> str:
    """Thousands of files ask for the same few Pythons."""
    return unescape(text)


def _file_of_anchor(filename: str, piece: str, base: str, index: str) -> File:
    attributes = _attributes(piece)
    href, _, fragment = attributes["href"].strip().partition("#")
    metadata = attributes.get("data-core-metadata", attributes.get("data-dist-info-metadata"))
    return File(
        filename,
        href if href.startswith(_ABSOLUTE) else urljoin(base, href),
        index,
        _hash(fragment),
        attributes.get("data-requires-python") or None,
        None if metadata is None or metadata.lower() == "false" else _hash(metadata),
        attributes.get("data-yanked"),
        upload_time=attributes.get("data-upload-time"),
    )


def _hash(text: str) -> dict[str, str]:
    """`sha256=…` as a mapping; among several, as in a fragment, each one that is a hash."""
    if _SHA256.fullmatch(text):
        return {"sha256": text[7:]}
    pairs = (part.partition("=") for part in text.split("&"))
    return {name.lower(): digest.lower() for name, _, digest in pairs if _is_hexadecimal(digest) and name != "size"}


def _is_hexadecimal(text: str) -> bool:
    return len(text) >= 32 and not text.strip("0123456789abcdefABCDEF")  # noqa: PLR2004  (md5, the shortest in use)


def _without_comments(text: str) -> str:
    kept, at = [], 0
    while (start := text.find("<!--", at)) >= 0 and (end := text.find("-->", start + 4)) >= 0:
        kept.append(text[at:start])
        at = end + 3
    return "".join((*kept, text[at:])) if kept else text


def _refuse_other_pages(head: str, body: bytes, anchors: int, url: str) -> None:
    """A page without one file is an empty project, a folder, or something else such as a login page."""
    title = _TITLE.search(head)
    if not _FORM.search(body) and (anchors or "links for" in head.lower() or "pypi:repository-version" in head):
        return
    size = len(body.decode("utf-8", "replace"))
    what = f"a page titled {unescape(title[1]).strip()!r}" if title else f"{size} characters of something else"
    refuse(url, f"answers with {what}, where a page of links to files was expected")
