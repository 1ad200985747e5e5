"""The programs that a wheel's entry_points.txt declares, as values, and what is wrong with them.

A name becomes a file name and a word in people's shells, and a reference becomes code, so both are held to what they
have to be: a plain word, and `module:function`.
"""

from __future__ import annotations

import configparser
import re
from typing import Literal, NamedTuple

from bootstrap.wheels.reserved import is_program

__all__ = ["Program", "programs"]

SECTIONS: dict[str, Literal["console", "gui"]] = {"console_scripts": "console", "gui_scripts": "gui"}
DOTTED = r"[^\W\d]\w*(?:\.[^\W\d]\w*)*"
REFERENCE = re.compile(rf"(?P<module>{DOTTED})\s*:\s*(?P<attribute>{DOTTED})\s*(?:\[.*\])?")
WORD = re.compile(r"\w[\w.+@ -]*")  # programs with windows have spaces in their names


class Program(NamedTuple):
    """One program: `attribute` of `module` is called."""

    name: str
    module: str
    attribute: str
    section: Literal["console", "gui"]


def programs(text: str) -> tuple[list[Program], list[str]]:
    """The programs of an entry_points.txt, and what is wrong with it, a phrase each."""
    if "_scripts" not in text:
        return [], []
    parser = configparser.RawConfigParser(delimiters=("=",), strict=False, interpolation=None)
    parser.optionxform = str  # type: ignore[assignment,method-assign]  # names keep their case
    try:
        parser.read_string(text)
    except configparser.Error as error:
        return [], [f"its entry_points.txt cannot be read ({' '.join(str(error).split())})"]
    found: list[Program] = []
    issues: list[str] = []
    for section, kind in SECTIONS.items():
        for name, reference in parser.items(section) if parser.has_section(section) else ():
            match = REFERENCE.fullmatch(reference.strip())
            issue = _bad_program(name.strip()) or (
                "" if match else f"refers to {reference.strip()!r}, which is no module:function"
            )
            if issue:
                issues.append(f"the entry point {name.strip()!r} {issue}")
            elif match:
                found.append(Program(name.strip(), match["module"], match["attribute"], kind))
    return found, issues


def _bad_program(name: str) -> str:
    if "/" in name or "\\" in name or name in {"", ".", ".."}:
        return "has a path in its name"
    if is_program(name):
        return "would replace a program of the environment itself"
    if not WORD.fullmatch(name) or name.endswith("."):
        return "has a name that is no plain word, which a shell could take for something else"
    return ""
