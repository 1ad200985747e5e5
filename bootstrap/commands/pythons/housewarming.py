"""What a standalone Python says of itself, told of the place that it lies at and the compilers that are there.

Its builders leave word of their own: everything lies in /install, is compiled by `clang` and archived by a program
below /tools. Who builds an extension asks for that (sysconfig), and on most Linux machines there is only `cc`.

    lib/python3.X/_sysconfigdata_*.py   the table `build_time_vars`
    lib/pkgconfig/*.pc                  `prefix=`

Nothing else is touched, and what has another form stays as it is.
Source: https://gregoryszorc.com/docs/python-build-standalone/main/quirks.html
"""

from __future__ import annotations

import ast
import pprint
import re
from collections.abc import Mapping
from pathlib import Path

__all__ = ["told", "warm"]

_BUILDERS = re.compile(r"(?<![\w./-])(-[LI])?/install(?![\w.-])")
_PREFIX = re.compile(r"^(prefix *= *)/install$", re.MULTILINE)
_ANYWHERE = {"llvm-ar": "ar"}
_ON_LINUX = {"clang": "cc", "clang++": "c++"}
_TOOL = re.compile(r"(?<!\S)(?:/tools/\S*/)?(llvm-ar|clang\+\+|clang)(?!\S)")


def warm(root: Path, place: Path) -> None:
    """Rewrite what an unpacked Python says of itself; it lies in `root`, and will in `place`. Raises OSError."""
    for path in root.glob("lib/python3*/_sysconfigdata_*.py"):
        text = path.read_text(encoding="utf-8")
        renewed = _renewed(text, place, on_linux="linux" in path.name)
        if renewed != text:
            path.write_text(renewed, encoding="utf-8")
    for path in root.glob("lib/pkgconfig/*.pc"):
        if not path.is_symlink():
            text = path.read_text(encoding="utf-8")
            path.write_text(_PREFIX.sub(lambda found: f"{found[1]}{place}", text), encoding="utf-8")


def _renewed(text: str, place: Path, *, on_linux: bool) -> str:
    """The module with another table in it; as it is where the table is not written out."""
    try:
        statements = [each for each in ast.parse(text).body if isinstance(each, ast.Assign)]
        (table,) = [each for each in statements if ast.unparse(each.targets[0]) == "build_time_vars"]
        known = ast.literal_eval(table.value)
        lines = text.splitlines(keepends=True)
        before, after = lines[: table.lineno - 1], lines[table.end_lineno :]
    except (SyntaxError, ValueError):
        return text
    tools = {**_ANYWHERE, **(_ON_LINUX if on_linux else {})}
    written = {name: told(value, place, tools) if isinstance(value, str) else value for name, value in known.items()}
    return "".join((*before, f"build_time_vars = {pprint.pformat(written)}\n", *after))


def told(value: str, place: Path, tools: Mapping[str, str]) -> str:
    """One value: `/install` is the place, and tools that only the builders have are those that everybody has."""
    moved = _BUILDERS.sub(lambda found: f"{found[1] or ''}{place}", value)
    return _TOOL.sub(lambda found: tools.get(found[1], found[0]), moved)
