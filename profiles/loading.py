"""Documents of tables as checked rows, or an error that names the file, the line, and what would be right.

    sheet   a text and what it is called            releases.toml, /etc/torchstrap/profiles/lab.toml
    row     one [[block]] of it, every value read   [[release]] torch = "2.15" …
    kind    what such a block may hold              torch: a version; python: two of them, the oldest first; …

Sheets are read one after the other: a row of a later one replaces what an earlier one says of the same thing, key by
key, and is added if none does. Within one sheet a thing is described once.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

__all__ = ["Form", "Kind", "Page", "Row", "Sheet", "TableError", "every", "merged", "parse", "rows_of"]

_REASONS = ("source", "assumed")
"""Keys that speak of the other keys of a row: they are not kept when those are replaced."""


class TableError(Exception):
    """A table that cannot be used; `line` counts from 1 and is None if the whole file is meant."""

    def __init__(self, file: object, problem: str, line: int | None = None) -> None:
        super().__init__(f"{file}{f', line {line}' if line else ''}: {problem}")
        self.file, self.problem, self.line = str(file), problem, line


@dataclass(frozen=True, slots=True)
class Sheet:
    """A document before it is read; `name` is what errors call it."""

    name: str
    text: str


@dataclass(frozen=True, slots=True)
class Form:
    """What a value must be: `read` makes it what we work with, or raises ValueError; `words` say it to people."""

    read: Callable[[Any], Any]
    words: str


@dataclass(frozen=True, slots=True)
class Kind:
    """What blocks of one name hold. `things` are what a row describes: two rows of a sheet have none in common."""

    forms: Mapping[str, Form]
    needed: tuple[str, ...]
    things: Callable[[Mapping[str, Any]], Iterable[Hashable]]


@dataclass(frozen=True, slots=True)
class Row:
    """One block; `place` counts those of its kind in the sheet from 0."""

    kind: str
    sheet: Sheet
    place: int
    values: Mapping[str, Any]

    def __getitem__(self, key: str) -> Any:
        return self.values[key]

    def get(self, key: str) -> Any:
        """The value of a key that may be missing."""
        return self.values.get(key)

    @property
    def line(self) -> int | None:
        """Where the block begins; None if it is not written as one."""
        header = re.compile(rf"^[ \t]*\[\[[ \t]*{self.kind}[ \t]*\]\]", re.MULTILINE)
        found = [match.start() for match in header.finditer(self.sheet.text)]
        return self.sheet.text.count("\n", 0, found[self.place]) + 1 if self.place < len(found) else None

    def error(self, problem: str) -> TableError:
        """This row is wrong, and how."""
        return TableError(self.sheet.name, f"[[{self.kind}]] {problem}", self.line)


Page = Mapping[str, tuple[Row, ...]]
"""The rows of a sheet by kind, in their order."""


def parse(sheet: Sheet) -> dict[str, Any]:
    """A sheet as TOML understands it. Raises TableError."""
    try:
        return tomllib.loads(sheet.text)
    except tomllib.TOMLDecodeError as error:
        where = re.search(r"line (\d+)", str(error))
        line = int(where[1]) if where else len(sheet.text.splitlines())  # "at end of document"
        raise TableError(sheet.name, f"is not valid TOML: {error}", line) from error
    except RecursionError as error:
        raise TableError(sheet.name, "is nested too deeply to be read") from error


def rows_of(sheet: Sheet, kinds: Mapping[str, Kind]) -> Page:
    """The rows of a sheet, each value read. Raises TableError for whatever is not as `kinds` say.

    A key that is missing is no error yet: an earlier sheet may have it (see `merged`).
    """
    document = parse(sheet)
    for name, blocks in document.items():
        if name not in kinds:
            raise TableError(
                sheet.name, f"{name!r} is no table that is known here{_meant(name, kinds)}", _line(sheet, name)
            )
        if not (isinstance(blocks, list) and all(isinstance(block, dict) for block in blocks)):
            raise TableError(sheet.name, f"{name!r} must be written as blocks, [[{name}]]", _line(sheet, name))
    page = {
        name: tuple(_row(Row(name, sheet, place, block), kinds[name]) for place, block in enumerate(blocks))
        for name, blocks in document.items()
    }
    for name, rows in page.items():
        _ensure_unique(rows, kinds[name])
    return page


def merged(pages: Iterable[Page], name: str, kind: Kind) -> tuple[Row, ...]:
    """The rows of one kind from all sheets, the first first. Raises TableError for a row that is not complete then.

    A row of a later sheet that describes the same as an earlier one replaces the keys that it gives, and gives the
    reasons for it: `source` and `assumed` of the earlier one do not speak for it.
    """
    rows: dict[tuple[Hashable, ...], Row] = {}
    for page in pages:
        for row in page.get(name, ()):
            key = tuple(kind.things(row.values))
            earlier = rows.get(key)
            rows[key] = row if earlier is None else replace(row, values=_replaced(earlier.values, row.values))
    for row in rows.values():
        _ensure_complete(row, kind)
    return tuple(rows.values())


def every(pages: Sequence[Page], name: str, kind: Kind) -> tuple[Row, ...]:
    """The rows of one kind where the first that fits counts: those of later sheets stand first. Raises TableError."""
    rows = [row for page in reversed(pages) for row in page.get(name, ())]
    for row in rows:
        _ensure_complete(row, kind)
    return tuple(rows)


def _row(row: Row, kind: Kind) -> Row:
    values = {}
    for key, value in row.values.items():
        form = kind.forms.get(key)
        if form is None:
            raise row.error(f"has no key {key!r}{_meant(key, kind.forms)}")
        try:
            values[key] = form.read(value)
        except (ValueError, TypeError, AttributeError) as error:
            raise row.error(f"{key} is {value!r}, but must be {form.words}") from error
    for key in kind.needed[:1]:  # what the row is about
        if key not in values:
            raise row.error(f"needs the key {key!r}: {kind.forms[key].words}")
    return replace(row, values=values)


def _replaced(earlier: Mapping[str, Any], later: Mapping[str, Any]) -> Mapping[str, Any]:
    return {**{key: value for key, value in earlier.items() if key not in _REASONS}, **later}


def _ensure_complete(row: Row, kind: Kind) -> None:
    for key in kind.needed:
        if key not in row.values:
            raise row.error(f"needs the key {key!r}: {kind.forms[key].words}")


def _ensure_unique(rows: Sequence[Row], kind: Kind) -> None:
    seen: dict[Hashable, Row] = {}
    for row in rows:
        for thing in kind.things(row.values):
            earlier = seen.setdefault(thing, row)
            if earlier is not row:
                where = f" in line {earlier.line}" if earlier.line else ""
                raise row.error(f"describes {thing} again, which another row{where} does; keep one of them")


def _meant(word: str, known: Iterable[str]) -> str:
    from difflib import get_close_matches  # noqa: PLC0415 - only needed for an error

    names = sorted(known)
    close = get_close_matches(word, names, 1)
    return f"; is it {close[0]!r}?" if close else f"; known are {', '.join(names)}"


def _line(sheet: Sheet, name: str) -> int | None:
    found = re.search(rf"^[ \t]*\[*[ \t]*[\"']?{re.escape(name)}\b", sheet.text, re.MULTILINE)
    return sheet.text.count("\n", 0, found.start()) + 1 if found else None
