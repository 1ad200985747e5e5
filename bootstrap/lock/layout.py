"""How a lock is laid out: one line per file, so that a change of one file is a change of one line.

The plain writer gives every file a table of its own, eight lines for each of thousands of wheels.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

__all__ = ["laid_out"]

WIDTH = 110

Scalar = Callable[[Any], str]


def laid_out(document: Mapping[str, Any], scalar: Scalar) -> str:
    """The document as TOML; `scalar` writes one string, number, boolean or time.

    Tables of the document's own level and under `tool` get headers, everything deeper is inline.
    """
    tool = document.get("tool", {})
    packages = document.get("packages", [])
    # An empty list of tables has no header to stand for it.
    blocks = [_lines(_without(document, *(["packages"] if packages else []), "tool"), scalar)]
    for package in packages:
        blocks.append(["[[packages]]", *_lines(_without(package, "tool"), scalar)])
        blocks += _tool_blocks(package.get("tool", {}), "packages.tool", scalar)
    blocks += _tool_blocks(tool, "tool", scalar)
    return "\n\n".join("\n".join(block) for block in blocks) + "\n"


def _without(table: Mapping[str, Any], *keys: str) -> dict[str, Any]:
    return {key: value for key, value in table.items() if key not in keys}


def _tool_blocks(tool: Mapping[str, Any], where: str, scalar: Scalar) -> list[list[str]]:
    return [[f"[{where}.{name}]", *_lines(table, scalar)] for name, table in tool.items()]


def _lines(table: Mapping[str, Any], scalar: Scalar) -> list[str]:
    return [f"{_key(key, scalar)} = {_value(value, scalar, len(key))}" for key, value in table.items()]


def _value(value: Any, scalar: Scalar, used: int) -> str:
    inline = _inline(value, scalar)
    tables = isinstance(value, list) and any(isinstance(each, Mapping) for each in value)
    if not isinstance(value, list) or (not tables and used + len(inline) <= WIDTH):
        return inline
    return "\n".join(["[", *(f"    {_inline(each, scalar)}," for each in value), "]"])


def _inline(value: Any, scalar: Scalar) -> str:
    if isinstance(value, Mapping):
        pairs = ", ".join(f"{_key(key, scalar)} = {_inline(each, scalar)}" for key, each in value.items())
        return f"{{ {pairs} }}" if pairs else "{}"
    if isinstance(value, list):
        return f"[{', '.join(_inline(each, scalar) for each in value)}]"
    return scalar(value)


def _key(key: str, scalar: Scalar) -> str:
    bare = key.isascii() and key.replace("-", "").replace("_", "").isalnum()
    return key if bare else scalar(key)
