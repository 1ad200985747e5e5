"""What several parts of the page are made of: sections, tables, lists of facts, chips and bars.

A table is whole without its script: the script finds it by its class, and its columns by `data-column`.
A bar is an image that nobody has to see: the number stands beside it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from bootstrap.report.markup import Child, Markup, brief, element
from bootstrap.report.subject import Fact

__all__ = ["MISSING", "Column", "bar", "chip", "count", "facts_list", "outside", "section", "sentence", "table"]

MISSING = "—"
"""What stands where there is nothing; sorted last."""
_FACT = 600
"""Characters of a fact that are shown."""


class Column(NamedTuple):
    """`key` is what the address of a sorted table names; a number's cells stand on the right."""

    key: str
    title: str
    is_number: bool = False


def section(identity: str, title: str, *children: Child, kind: str | None = None) -> Markup:
    """A part of the page that has a heading."""
    heading = element("h2", title, id=f"{identity}-title")
    return element("section", heading, *children, id=identity, class_=kind, aria_labelledby=f"{identity}-title")


def table(identity: str, caption: str, columns: Sequence[Column], rows: Iterable[Markup], *, kind: str = "") -> Markup:
    """A table whose columns can be sorted where scripts run; it scrolls by itself where it is wider than the page."""
    heads = [
        element("th", each.title, scope="col", data_column=each.key, class_="number" if each.is_number else None)
        for each in columns
    ]
    whole = element(
        "table",
        element("caption", caption),
        element("thead", element("tr", *heads)),
        element("tbody", *rows),
        id=identity,
        class_=f"sortable {kind}".strip(),
    )
    return element("div", whole, class_="wide", role="region", tabindex=0, aria_label=caption)


def outside(text: str, limit: int) -> Markup:
    """Text that comes from elsewhere, of at most `limit` characters; it may run in either direction."""
    return element("bdi", brief(text, limit))


def sentence(text: str, limit: int) -> Markup:
    """The same for sentences, in which commands stand between backticks."""
    pieces = brief(text, limit).split("`")
    if len(pieces) % 2 == 0:
        return outside(text, limit)
    return element("bdi", *(element("code", each) if number % 2 else each for number, each in enumerate(pieces)))


def facts_list(facts: Iterable[Fact]) -> Markup:
    """Facts with their sources; what is told of one thing stands together."""
    parts: list[Markup] = []
    last = None
    for each in facts:
        if each.label != last:
            parts.append(element("dt", each.label))
        source = element("small", "read from ", outside(each.source, _FACT)) if each.source else None
        parts.append(element("dd", outside(each.value, _FACT), " " if source else None, source))
        last = each.label
    return element("dl", *parts, class_="facts")


def chip(text: str, kind: str) -> Markup:
    """A word with a colour; the word says it all."""
    return element("span", text, class_=f"chip {kind}")


def bar(share: float) -> Markup:
    """A bar of this share of the full width (0 to 1)."""
    width = f"{max(0.0, min(1.0, share)) * 100:.2f}%"
    return element(
        "svg",
        element("rect", width="100%", height="100%", rx=2, class_="rail"),
        element("rect", width=width, height="100%", rx=2, class_="filled"),
        class_="bar",
        aria_hidden="true",
        focusable="false",
    )


def count(number: int, one: str) -> str:
    """`1 machine`, `2 machines`."""
    return f"{number} {one}" if number == 1 else f"{number} {one}s"
