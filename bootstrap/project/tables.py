"""A table of a TOML file that checks its own types and gathers what is wrong instead of stopping at the first mistake.

Every reader of pyproject.toml asks a `Table` for its keys. A key of the wrong type is noted in the shared `Issues`
and read as absent, so one run names every mistake of a file.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from bootstrap.errors import InputError

__all__ = ["Issues", "Table", "listed", "meant"]

_KINDS = {bool: "true or false", str: "a text", int: "a number", float: "a number", list: "a list", dict: "a table"}
_NAME = re.compile(r"[\w.-]+")


def listed(names: Iterable[str]) -> str:
    """Names as a sentence speaks of them: "`a`, `b` and `c`"."""
    quoted = [f"`{name}`" for name in names]
    return " and ".join(part for part in (", ".join(quoted[:-1]), quoted[-1]) if part) if quoted else "none"


def meant(name: str, known: Iterable[str]) -> str:
    """The way out for a name that does not exist: the nearest one that does, or all of them."""
    choices = list(known)
    near = get_close_matches(name, choices, n=1)
    if near:
        return f"did you mean `{near[0]}`?"
    return f"there is {listed(choices)}" if choices else "there are none"


class Issues:
    """Everything that is wrong with one file, each with a text to find its line by."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self._found: dict[str, str | int | None] = {}

    def add(self, problem: str, near: str | int | None = None) -> None:
        """Note a problem; `near` is the line in question, or a text that stands on it."""
        self._found.setdefault(problem, near)

    def check(self) -> None:
        """Raise one InputError that names every problem, if there is any."""
        if not self._found:
            return
        lines = self._lines()
        found = [(problem, _line_of(near, lines)) for problem, near in self._found.items()]
        if len(found) == 1:
            raise InputError(self.file, *found[0])
        sentences = [f"  line {line}: {problem}" if line else f"  {problem}" for problem, line in found]
        raise InputError(self.file, "\n".join((f"{len(found)} things are wrong:", *sentences)))

    def _lines(self) -> list[str]:
        try:
            return self.file.read_text("utf-8").splitlines()
        except (OSError, UnicodeDecodeError):
            return []


def _line_of(near: str | int | None, lines: list[str]) -> int | None:
    if not near or isinstance(near, int):
        return near or None
    for needle in (f'"{near}"', f"'{near}'", near):
        found = [number for number, line in enumerate(lines, 1) if needle in line]
        # A name may well stand right in one line and wrong in another; a longer text is wrong wherever it stands.
        if found and (len(found) == 1 or not _NAME.fullmatch(near)):
            return found[0]
    return None


@dataclass(frozen=True, slots=True)
class Table:
    """One table, called `where` in messages. A getter of an absent or wrong key gives the empty value of its type."""

    data: Mapping[str, Any]
    where: str
    issues: Issues

    def __contains__(self, key: str) -> bool:
        return key in self.data

    def text(self, key: str) -> str | None:
        value = self.data.get(key)
        if value is None or (isinstance(value, str) and value.strip()):
            return value
        self._wrong(key, "a text that is not empty", value)
        return None

    def flag(self, key: str) -> bool:
        value = self.data.get(key, False)
        if isinstance(value, bool):
            return value
        self._wrong(key, "true or false", value)
        return False

    def texts(self, key: str) -> tuple[str, ...]:
        """A list of texts."""
        value = self.data.get(key, [])
        if isinstance(value, list) and all(isinstance(each, str) for each in value):
            return tuple(value)
        self._wrong(key, "a list of texts", value)
        return ()

    def items(self, key: str) -> tuple[Any, ...]:
        """A list of anything."""
        value = self.data.get(key, [])
        if isinstance(value, list):
            return tuple(value)
        self._wrong(key, "a list", value)
        return ()

    def table(self, key: str) -> Table:
        value = self.data.get(key, {})
        if not isinstance(value, dict):
            self._wrong(key, "a table", value)
            value = {}
        return Table(value, f"{self.where}.{key}" if self.where else key, self.issues)

    def tables(self, key: str) -> tuple[Table, ...]:
        """A list of tables, or one table written without the brackets."""
        value = self.data.get(key, [])
        found = [value] if isinstance(value, dict) else value
        where = f"{self.where}.{key}" if self.where else key
        if isinstance(found, list) and all(isinstance(each, dict) for each in found):
            return tuple(Table(each, where, self.issues) for each in found)
        self._wrong(key, "a list of tables", value)
        return ()

    def refuse_unknown(self, known: Iterable[str]) -> None:
        """Note every key that is not among `known`."""
        names = tuple(known)
        for key in self.data:
            if key not in names:
                self.issues.add(f"[{self.where}] has no key `{key}`: {meant(key, names)}", key)

    def _wrong(self, key: str, wanted: str, value: object) -> None:
        place = f"[{self.where}] {key}" if self.where else key
        kind = "a list of other things" if isinstance(value, list) else _KINDS.get(type(value), "something else")
        self.issues.add(f"{place} must be {wanted}, but is {kind}; write it as {wanted}", key)
