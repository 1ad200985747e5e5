"""Which folders are managed together ([tool.uv.workspace]), found from any of them.

    root/pyproject.toml             [tool.uv.workspace] members = ["packages/*"], exclude = ["packages/old"]
    root/packages/a/pyproject.toml  a member; the first pyproject.toml above it decides whether it is one
    root/packages/old/…             a project of its own

The root is a member too if it has a [project] table. Lock and environment lie in the root.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from packaging.utils import canonicalize_name

from bootstrap import toml
from bootstrap.errors import InputError

__all__ = ["Workspace", "deciding_places", "root_of", "workspace_of"]


@dataclass(frozen=True, slots=True)
class Workspace:
    """A root, and the folders of its members by normalized name; the root's own comes first if it is a member."""

    root: Path
    folders: Mapping[str, Path]


def workspace_of(folder: Path) -> Workspace | None:
    """The workspace that the project in a folder belongs to, as its root or a member; None where it stands alone.

    Raises InputError for members that are none, have no name or the same one, or are workspaces themselves.
    """
    root = _root(folder)
    return None if root is None else Workspace(root, _folders(root))


def root_of(folder: Path) -> Path:
    """The root of the workspace that a folder belongs to; the folder itself where it belongs to none."""
    try:
        return _root(folder) or folder
    except InputError:  # whoever reads the project says so
        return folder


def deciding_places(folder: Path) -> Iterator[Path]:
    """What has to stay as it is for a project to have the same workspace: files that may not be there, and folders."""
    root = root_of(folder)
    if root == folder and not _is_root(folder):
        for above in folder.parents:
            yield above / "pyproject.toml"
            if (above / "pyproject.toml").is_file():
                return
        return
    yield root / "pyproject.toml"
    try:
        yield from _looked_into(root, _table(root))
    except InputError:
        return


def _looked_into(root: Path, table: Mapping[str, Any]) -> Iterator[Path]:
    """The folders in which members are looked for, and the file that each folder found there has or lacks."""
    for pattern in _patterns(root, table, "members"):
        parts = pattern.split("/")
        for number, part in enumerate(parts):
            if any(sign in part for sign in "*?["):
                before = "/".join(parts[:number])
                yield from (each for each in (root.glob(before) if before else (root,)) if each.is_dir())
        yield from (each / "pyproject.toml" for each in root.glob(pattern or "*") if each.is_dir())


def _is_root(folder: Path) -> bool:
    try:
        return "workspace" in _uv(_document(folder / "pyproject.toml") or {})
    except InputError:
        return False


def _root(folder: Path) -> Path | None:
    own = _document(folder / "pyproject.toml")
    if own is None or _uv(own).get("managed") is False:
        return None
    if "workspace" in _uv(own):
        return folder
    if "project" not in own:
        return None
    for above in folder.parents:
        path = above / "pyproject.toml"
        if path.is_file():
            document = _document(path)
            is_root = document is not None and "workspace" in _uv(document)
            return above if is_root and folder in _matches(above, _table(above)) else None
    return None


def _folders(root: Path) -> Mapping[str, Path]:
    found: dict[str, Path] = {}
    path = root / "pyproject.toml"
    if "project" in (_document(path) or {}):
        found[_name(path)] = root
    for folder in _matches(root, _table(root)):
        member = folder / "pyproject.toml"
        if folder == root or not member.is_file():
            _refuse_without_project(path, folder)
            continue
        uv = _uv(_document(member) or {})
        if uv.get("managed") is False:
            continue
        if "workspace" in uv:
            raise InputError(member, f"is a workspace inside of the workspace {root}; exclude it there")
        name = _name(member)
        if name in found:
            raise InputError(path, f"has two members of the name `{name}`: {found[name]} and {folder}; rename one")
        found[name] = folder
    return found


def _refuse_without_project(path: Path, folder: Path) -> None:
    """A folder without a project is no member. It may be hidden, or hold nothing but what Python leaves behind."""
    if folder.name.startswith(".") or not folder.is_dir() or folder == path.parent:
        return
    left = (each for each in folder.rglob("*") if each.is_file() and "__pycache__" not in each.parts)
    if any(not each.name.startswith(".") for each in left):
        where = folder.relative_to(path.parent).as_posix()
        raise InputError(
            path,
            f"counts {where} among the members of the workspace, but there is no pyproject.toml in it; "
            f'write one, or exclude = ["{where}"]',
        )


def _name(path: Path) -> str:
    project = (_document(path) or {}).get("project")
    name = project.get("name") if isinstance(project, dict) else None
    if not isinstance(name, str):
        raise InputError(path, "is a member of a workspace and needs a [project] table with a name; exclude it there")
    return canonicalize_name(name)


def _matches(root: Path, table: Mapping[str, Any]) -> list[Path]:
    """The folders that the patterns name, in the order of the patterns, without those that are excluded."""
    excluded = tuple(_patterns(root, table, "exclude"))
    found: dict[Path, None] = {}
    for pattern in _patterns(root, table, "members"):
        places = sorted(root.glob(pattern)) if pattern else [root]
        found.update(dict.fromkeys(each for each in places if each.is_dir()))
    return [each for each in found if not _is_excluded(each, root, excluded)]


def _is_excluded(folder: Path, root: Path, patterns: tuple[str, ...]) -> bool:
    where = folder.relative_to(root).as_posix()
    return any(fnmatchcase(where, pattern) for pattern in patterns)


def _patterns(root: Path, table: Mapping[str, Any], key: str) -> Iterator[str]:
    values = table.get(key, [])
    if not isinstance(values, list) or not all(isinstance(each, str) for each in values):
        raise InputError(root / "pyproject.toml", f"[tool.uv.workspace] {key} must be a list of texts")
    for each in values:
        parts = [part for part in each.replace("\\", "/").split("/") if part not in {"", "."}]
        if each.startswith("/") or ".." in parts:
            raise InputError(
                root / "pyproject.toml",
                f'[tool.uv.workspace] {key} names "{each}", which leads out of the workspace; its members lie below it',
            )
        yield "/".join(parts)


def _table(root: Path) -> Mapping[str, Any]:
    table = _uv(_document(root / "pyproject.toml") or {}).get("workspace")
    if not isinstance(table, dict):
        raise InputError(root / "pyproject.toml", '[tool.uv.workspace] must be a table with members = ["..."]')
    return table


def _uv(document: Mapping[str, Any]) -> Mapping[str, Any]:
    tool = document.get("tool")
    table = tool.get("uv") if isinstance(tool, dict) else None
    return table if isinstance(table, dict) else {}


def _document(path: Path) -> Mapping[str, Any] | None:
    return toml.load(path) if path.is_file() else None
