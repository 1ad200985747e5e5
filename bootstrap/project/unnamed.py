"""Requirements that are a place instead of a name: `./folder[extra]`, `x-1.0.whl`, `https://...`, `git+https://...`.

A place must tell its name without being built: by a file name, by `#egg=`, or by what the folder's files declare.
"""

from __future__ import annotations

import ast
import configparser
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit
from urllib.request import url2pathname

from packaging.requirements import Requirement
from packaging.utils import (
    InvalidSdistFilename,
    InvalidWheelFilename,
    canonicalize_name,
    parse_sdist_filename,
    parse_wheel_filename,
)

from bootstrap import toml
from bootstrap.errors import InputError
from bootstrap.project.model import Source
from bootstrap.project.places import is_url
from bootstrap.project.repository import is_repository, read_repository
from bootstrap.project.requirements import requirement_of

__all__ = ["Wanted", "is_place", "wanted_at"]

_VERSION_CONTROL = re.compile(r"(git|hg|svn|bzr)\+")
_ARCHIVE = re.compile(r"[^@]*\.(whl|tar\.gz|zip|tar\.bz2|tar\.xz|tgz)(\[[^\]]*\])?(\s*;.*)?", re.IGNORECASE)
_PARTS = re.compile(r"(?P<place>.+?)(?P<extras>\[[^\[\]]*\])?(?:(?:\s+;|;\s+)(?P<marker>.*))?\s*", re.DOTALL)
_DECLARATIONS = ("pyproject.toml", "setup.cfg", "setup.py")


@dataclass(frozen=True, slots=True)
class Wanted:
    """A requirement, and the place that it shall come from where it is not an index."""

    requirement: Requirement
    source: Source | None = None


def is_place(text: str) -> bool:
    """Whether a line is a path or a URL rather than a requirement by name (`name @ url` is one)."""
    if re.match(r"[A-Za-z0-9][A-Za-z0-9._-]*\s*(\[[^\]]*\]\s*)?@", text):
        return False
    before = re.split(r"\s;|;\s|\[", text)[0]
    return bool(
        before.startswith((".", "~")) or "/" in before or "\\" in before or is_url(text) or _ARCHIVE.fullmatch(text)
    )


def wanted_at(text: str, folders: Sequence[Path], *, editable: bool) -> Wanted:
    """What the place in a text holds; a relative path is looked for in the folders in turn.

    Raises ValueError with one sentence where the place does not tell its name.
    """
    found = _PARTS.fullmatch(text)
    if found is None:
        raise ValueError(f'"{text}" is neither a requirement nor a place; write it like "name>=1.0" or "./folder"')
    place, suffix = found["place"].strip(), found["extras"] or ""
    marker = f" ; {found['marker']}" if found["marker"] else ""
    if _VERSION_CONTROL.match(place) or (is_url(place) and not place.startswith("file:")):
        return _remote(place, suffix, marker, editable=editable)
    path = _path(place, folders)
    if editable and not path.is_dir():
        raise ValueError(f'"-e {text}" is not a folder; only a project\'s folder can be editable, so leave out -e')
    requirement = requirement_of(f"{_name_at(path)}{suffix}{marker}")
    return Wanted(requirement, Source(path=path, editable=editable))


def _remote(place: str, suffix: str, marker: str, *, editable: bool) -> Wanted:
    bare, _, fragment = place.partition("#")
    egg = parse_qs(fragment).get("egg", [""])[0]
    name = egg.partition("[")[0] or _name_of_file(unquote(urlsplit(bare).path.rpartition("/")[2]))
    if not name:
        raise ValueError(f'"{place}" does not tell its name; write it as "name @ {place}"')
    extras = suffix or "".join(egg.partition("[")[1:])
    if not editable:
        return Wanted(requirement_of(f"{name}{extras} @ {place}{marker}"))
    if not is_repository(bare):
        raise ValueError(f'"-e {place}" is not a folder or a git+ address; leave out -e')
    found = read_repository(place)
    # A commit does not change, so there is nothing to edit: it is installed as any other.
    source = Source(
        git=found.url, reference=found.revision, subdirectory=found.subdirectory, lfs=found.lfs, editable=True
    )
    return Wanted(requirement_of(f"{name}{extras}{marker}"), source)


def _path(place: str, folders: Sequence[Path]) -> Path:
    if place.startswith("file:"):
        candidates = [Path(url2pathname(urlsplit(place).path))]
    else:
        candidates = [folder / os.path.expanduser(place) for folder in folders]  # noqa: PTH111 - Path's raises for ~nobody
    for candidate in candidates:
        if candidate.is_file() or any((candidate / name).is_file() for name in _DECLARATIONS):
            return candidate.resolve()
    where = " or ".join(dict.fromkeys(str(candidate) for candidate in candidates))
    raise ValueError(f'"{place}" is neither a file nor the folder of a project ({where}); correct the path')


def _name_at(path: Path) -> str:
    name = _name_of_file(path.name) if path.is_file() else _declared_name(path)
    if not name:
        raise ValueError(f'{path} does not tell its name; write it as "name @ {path.as_uri()}"')
    return name


def _name_of_file(filename: str) -> str | None:
    try:
        if filename.endswith(".whl"):
            return parse_wheel_filename(filename)[0]
        return parse_sdist_filename(filename)[0]
    except (InvalidWheelFilename, InvalidSdistFilename):
        return None


def _declared_name(folder: Path) -> str | None:
    readers = (_name_in_pyproject, _name_in_setup_cfg, _name_in_setup_py)
    for filename, reader in zip(_DECLARATIONS, readers, strict=True):
        path = folder / filename
        try:
            name = reader(path) if path.is_file() else None
        except (InputError, OSError, ValueError, SyntaxError, configparser.Error):
            name = None  # the next file may know; if none does, the caller says so
        if name:
            return canonicalize_name(name)
    return None


def _name_in_pyproject(path: Path) -> str | None:
    document = toml.load(path)
    tool = document.get("tool", {})
    for table in (document.get("project"), tool.get("poetry") if isinstance(tool, dict) else None):
        if isinstance(table, dict) and isinstance(table.get("name"), str):
            return str(table["name"])
    return None


def _name_in_setup_cfg(path: Path) -> str | None:
    parser = configparser.RawConfigParser()
    parser.read_string(path.read_text("utf-8"))
    return parser.get("metadata", "name", fallback=None)


def _name_in_setup_py(path: Path) -> str | None:
    """The name where it is written as a text in the call of setup(); nothing is run."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        called = node.func if isinstance(node, ast.Call) else None
        if isinstance(node, ast.Call) and "setup" in (getattr(called, "id", None), getattr(called, "attr", None)):
            for keyword in node.keywords:
                if keyword.arg == "name" and isinstance(keyword.value, ast.Constant):
                    return str(keyword.value.value)
    return None
