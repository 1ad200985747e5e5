"""Executables that may be Pythons, and what their names claim. Nothing is started here, and few names are read.

Order: the running one; PATH, folder by folder; then the folders in which version managers keep what they install.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

__all__ = ["OURS", "Candidate", "candidates", "own_folder"]

OURS = "torchstrap"
"""Who keeps the Pythons that `torchstrap python install` has installed."""

_COMMAND = re.compile(r"(?P<family>python|pypy|graalpy)(?P<version>\d+(?:\.\d+)?)?(?P<free>t?)(?:\.exe)?", re.ASCII)
_FOLDER = re.compile(r"(?:cpython-)?(?P<version>\d+\.\d+(?:\.\d+)?)(?P<free>t|\+freethreaded)?(?:-.*)?", re.ASCII)
_INSIDE = "python.exe" if os.name == "nt" else "bin/python"

# who keeps Pythons | the variable that says where | below the home folder, if it does not | below that
_MANAGERS = (
    (OURS, "TORCHSTRAP_PYTHON_DIR", ".local/share/torchstrap/pythons", ""),
    ("pyenv", "PYENV_ROOT", ".pyenv", "versions"),
    ("uv", "UV_PYTHON_INSTALL_DIR", ".local/share/uv/python", ""),
    ("asdf", "ASDF_DATA_DIR", ".asdf", "installs/python"),
    ("mise", "MISE_DATA_DIR", ".local/share/mise", "installs/python"),
)


@dataclass(frozen=True, slots=True)
class Candidate:
    """An executable, and who led to it: `running`, `PATH`, or the name of a version manager.

    What its name claims: `version` ("3.12", "3.12.1", "" for nothing), `free_threaded` (None for nothing), and
    `is_cpython`, false where it claims to be another implementation, or nothing that we understand.
    """

    path: Path
    source: str
    version: str = ""
    free_threaded: bool | None = None
    is_cpython: bool = True


def candidates(environ: Mapping[str, str]) -> Iterator[Candidate]:
    """Everything that could be a Python; many are links to the same one, or scripts in front of one."""
    yield Candidate(Path(sys.executable), "running")
    seen: set[str] = set()  # /bin is a link to /usr/bin nearly everywhere, and both are long
    for each in filter(None, environ.get("PATH", "").split(os.pathsep)):
        real = os.path.realpath(each)
        if real not in seen:
            yield from _commands(Path(each))
        seen.add(real)
    for source, folder in _managed(environ):
        yield from _installed(source, folder)


def _commands(folder: Path) -> Iterator[Candidate]:
    for name in _names(folder):
        match = _COMMAND.fullmatch(name)
        if match:
            version = match["version"] or ""
            free = bool(match["free"]) if version else None
            is_cpython = match["family"] == "python"
            yield Candidate(folder / name, "PATH", version if "." in version else "", free, is_cpython)


def _installed(source: str, folder: Path) -> Iterator[Candidate]:
    newest_first = sorted(_names(folder), key=lambda name: [*map(int, re.findall(r"\d{1,9}", name))], reverse=True)
    for name in newest_first:
        match = _FOLDER.fullmatch(name)
        if match:
            yield Candidate(folder / name / _INSIDE, source, match["version"], bool(match["free"]))
        else:
            yield Candidate(folder / name / _INSIDE, source, is_cpython=False)


def own_folder(environ: Mapping[str, str]) -> Path | None:
    """Where the Pythons are that torchstrap installs itself; None for a user without a home folder."""
    found = next(folder for source, folder in _managed(environ) if source == OURS)
    return None if found.is_relative_to(os.devnull) else found


def _managed(environ: Mapping[str, str]) -> Iterator[tuple[str, Path]]:
    home = Path(environ.get("HOME") or environ.get("USERPROFILE") or os.devnull)
    for source, variable, below_home, below in _MANAGERS:
        folder = home / below_home
        data = environ.get("XDG_DATA_HOME")
        if data and below_home.startswith(".local/share/"):
            folder = Path(data) / below_home.removeprefix(".local/share/")
        yield source, (Path(environ.get(variable) or folder) / below).absolute()


def _names(folder: Path) -> list[str]:
    try:
        return sorted(os.listdir(folder))  # noqa: PTH208 - names are all that is needed
    except OSError:
        return []
