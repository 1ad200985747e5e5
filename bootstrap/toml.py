"""TOML as a value or an `InputError`, whichever reader this Python has."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

from bootstrap.errors import InputError

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

__all__ = ["load", "loads"]


def load(path: Path) -> dict[str, Any]:
    """The document in a file. Raises InputError when it cannot be read, is not UTF-8, or is not TOML."""
    try:
        text = path.read_bytes().decode("utf-8")
    except OSError as error:
        raise InputError(path, f"cannot be read ({error.strerror})") from error
    except UnicodeDecodeError as error:
        raise InputError(path, f"is not UTF-8 text (byte {error.start})") from error
    return loads(text, path)


def loads(text: str, name: object) -> dict[str, Any]:
    """The document in a text; `name` is what the error calls it."""
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        where = re.search(r"line (\d+)", str(error))
        raise InputError(name, f"is not valid TOML: {error}", int(where[1]) if where else None) from error
    except RecursionError as error:
        raise InputError(name, "is nested too deeply to be read") from error
