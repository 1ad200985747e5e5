"""HTML that is escaped by construction: text becomes markup in one place, and that place escapes it.

    element("p", "2 < 3", class_="note")  ──>  Markup: <p class="note">2 &lt; 3</p>
    children: text (escaped), Markup (as it is), None (nothing)

The template libraries that are maintained and escape by themselves stand on MarkupSafe, whose wheels are one for each
platform, or compile templates into Python as they run, and neither fits into one pure file. What a page of tables needs
of them is this module, in which there is no way to forget the escaping.

What people's terminals and eyes would obey rather than show (control characters, marks that turn the direction of text,
halves of characters) is spelled out, as the console does it.
"""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Iterable
from hashlib import sha256
from pkgutil import get_data
from typing import NamedTuple

__all__ = ["Asset", "Child", "Markup", "asset", "brief", "document", "element", "fragment"]

_HIDDEN = r"\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufffe\uffff"
_SPECIAL = re.compile(f"[&<>\"'{_HIDDEN}\ud800-\udfff]")
_ENTITIES = {"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#39;"}
_VOID = frozenset({"br", "col", "hr", "input", "link", "meta"})
_NAME = re.compile(r"[a-z][a-z0-9]*")
_RAW = frozenset({"script", "style"})
"""Elements whose content is no text, so that nothing can be escaped in it: only `asset` makes them."""


class Markup(NamedTuple):
    """Finished HTML. Only this module makes one; a test says so."""

    html: str


Child = str | Markup | None


def element(name: str, /, *children: Child, **attributes: str | int | bool | None) -> Markup:
    """One element. Attributes are written `class_`, `aria_label`; True stands alone, False and None are left out.

    Raises ValueError for a name that is none, and for elements that hold no text.
    """
    if not _NAME.fullmatch(name) or name in _RAW:
        raise ValueError(f"{name!r} is no element that can be written here")
    said = "".join(
        _attribute(key, value) for key, value in attributes.items() if value is not None and value is not False
    )
    if name in _VOID:
        return Markup(f"<{name}{said}>")
    return Markup(f"<{name}{said}>{fragment(children).html}</{name}>")


def fragment(children: Iterable[Child]) -> Markup:
    """Several children as one."""
    return Markup("".join(each.html if isinstance(each, Markup) else _escaped(each) for each in children if each))


class Asset(NamedTuple):
    """A file of ours as the element for it, and its hash as a Content-Security-Policy names it."""

    markup: Markup
    source: str


def asset(name: str) -> Asset:
    """A file of this folder that is CSS or JavaScript; also from inside an archive. Raises FileNotFoundError."""
    content = get_data(__package__, name)
    if content is None:
        raise FileNotFoundError(name)
    kind = {"css": "style", "js": "script"}[name.rpartition(".")[2]]
    digest = b64encode(sha256(content).digest()).decode()
    return Asset(Markup(f"<{kind}>{content.decode('utf-8')}</{kind}>"), f"'sha256-{digest}'")


def document(language: str, head: Markup, body: Markup) -> str:
    """A whole page."""
    return f"<!doctype html>\n{element('html', head, body, lang=language).html}\n"


def brief(text: str, limit: int) -> str:
    """Text of at most `limit` characters, with a word on how many more there were."""
    return text if len(text) <= limit else f"{text[:limit]}… ({len(text)} characters)"


def _attribute(key: str, value: str | int | bool | None) -> str:
    name = key.rstrip("_").replace("_", "-")
    return f" {name}" if value is True else f' {name}="{_escaped(str(value))}"'


def _escaped(text: str) -> str:
    return _SPECIAL.sub(_entity, text)


def _entity(found: re.Match[str]) -> str:
    character = found[0]
    code = ord(character)
    return _ENTITIES.get(character) or (f"\\x{code:02x}" if code < 256 else f"\\u{code:04x}")  # noqa: PLR2004
