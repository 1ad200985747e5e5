"""Files that belong to the environment itself and that no wheel may bring: the interpreter, its settings, our markers.

The interpreter's and the activation scripts' names are known before there is an environment, so a wheel that brings
them never enters the store. What an environment has beyond that (bootstrap/environment/installation.py) is looked at
when a wheel is installed into it.
"""

from __future__ import annotations

import re

__all__ = ["is_program", "is_reserved"]

PROGRAM = re.compile(
    r"((python|pypy|graalpy)(\d+(\.\d+)*)?t?w?(\.exe)?|(de)?activate(\..*)?|activate_this\.py)", re.IGNORECASE
)
MARKER = re.compile(
    r"(pyvenv\.cfg|generation\.json|\.?torchstrap.*|cachedir\.tag|\.gitignore|bin|scripts|lib|lib64|include)",
    re.IGNORECASE,
)
STARTUP = re.compile(r"(_virtualenv\.(py|pth)|__pycache__)", re.IGNORECASE)
# Which names are taken in which folder of which install scheme; "" as a scheme is the wheel's own root.
TAKEN = {
    ("", ""): STARTUP,
    ("purelib", ""): STARTUP,
    ("platlib", ""): STARTUP,
    ("scripts", ""): PROGRAM,
    ("data", "bin"): PROGRAM,
    ("data", "scripts"): PROGRAM,
    ("data", ""): MARKER,
}


def is_program(name: str) -> bool:
    """Whether a program of this name is the environment's own."""
    return PROGRAM.fullmatch(name) is not None


def is_reserved(scheme: str, path: str) -> bool:
    """Whether a file that a wheel brings in a scheme ("" for what goes to site-packages) is the environment's own."""
    folder, _, name = path.rpartition("/")
    taken = TAKEN.get((scheme, folder.lower()))
    return taken is not None and taken.fullmatch(name) is not None
