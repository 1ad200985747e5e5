"""Small programs in front of packages: those of entry points, and those that a wheel brings with `#!python`.

Where the first line can simply name the interpreter, the few lines are written here. What is harder, the starters of
Windows and paths that are too long or have a space, is installer's work.
"""

from __future__ import annotations

import os
import platform
import re
from collections.abc import Iterator
from typing import Literal, cast

from bootstrap.errors import BadDistributionError
from bootstrap.wheels.entry_points import Program, programs

__all__ = ["entry_point_scripts", "readdressed"]

SHEBANG = re.compile(rb"#!pythonw?(?=[ \r\n]|$)")
PLAIN_PYTHON = re.compile(r"/\S{1,120}")  # the first line of a program may have 127 bytes (Linux before 5.1)
PROGRAM = """\
#!{python}
import sys

from {module} import {name}

if __name__ == "__main__":
    sys.exit({attribute}())
"""

Kind = Literal["posix", "win-ia32", "win-amd64", "win-arm", "win-arm64"]


def entry_point_scripts(filename: str, text: str, python: str) -> Iterator[tuple[str, bytes]]:
    """File name and content of each program that an `entry_points.txt` declares; they are run by `python`.

    Raises BadDistributionError, with the wheel's file name, for names that would leave the folder or replace Python: a
    store may have been filled by a version of ours that was less strict.
    """
    found, issues = programs(text)
    if issues:
        raise BadDistributionError(filename, issues)
    for each in found:
        yield _named(each, python)


def _named(program: Program, python: str) -> tuple[str, bytes]:
    name, module, attribute, section = program
    if _kind() == "posix" and _is_plain(python):
        first = attribute.partition(".")[0]
        return name, PROGRAM.format(python=python, module=module, name=first, attribute=attribute).encode()
    # Importing it (email, zipfile) takes as long as writing hundreds of programs.
    from installer.scripts import Script  # noqa: PLC0415

    return Script(name, module, attribute, section).generate(python, _kind())


def _is_plain(python: str) -> bool:
    return python.isascii() and PLAIN_PYTHON.fullmatch(python) is not None


def _kind() -> Kind:
    if os.name != "nt":
        return "posix"
    machine = platform.machine().lower()
    return cast("Kind", {"amd64": "win-amd64", "arm64": "win-arm64", "x86": "win-ia32"}.get(machine, "win-amd64"))


def readdressed(content: bytes, python: str) -> bytes | None:
    """A script of a wheel's `.data/scripts` with its `#!python` naming `python`; None if it has no such line."""
    if not SHEBANG.match(content):
        return None
    first, newline, rest = content.partition(b"\n")
    header = _header(python)
    arguments = first[2:].strip().partition(b" ")[2]
    if arguments and b"\n" not in header:
        header += b" " + arguments
    return header + (newline or b"\n") + rest


def _header(python: str) -> bytes:
    """The lines that make a program one of this interpreter."""
    if _is_plain(python):
        return f"#!{python}".encode()
    from installer.scripts import Script  # noqa: PLC0415 - see above

    # installer knows what to do about over-long and spaced paths: take the lines that it puts before the code.
    return Script("_", "_", "_", "console").generate(python, "posix")[1].partition(b"# -*-")[0].rstrip(b"\n")
