"""A digest of what was asked for, so that a lock knows when it is out of date.

Two projects that mean the same have the same digest: comments, the order of requirements, the spelling of names and
passwords in addresses do not count. The order of indexes and of a package's sources does, since the first one wins.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from bootstrap.lock.canonical import locked_address
from bootstrap.project.model import Index, Member, Project, Source

__all__ = ["inputs_digest"]


def inputs_digest(project: Project, settings: Mapping[str, Any] | None = None) -> str:
    """A sha256 with its name in front, over all that decides what a lock of this project holds.

    `settings` are those from outside the project that matter to it (index addresses, pre-releases, a date), as values
    that JSON knows; addresses in it are taken without credentials.
    """
    root = project.root
    content = {
        "name": project.name,
        "requires-python": str(project.requires_python),
        "dependencies": _requirements(project.dependencies),
        "extras": {name: _requirements(asked) for name, asked in project.extras.items()},
        "aliases": {name: sorted(extras) for name, extras in project.aliases.items()},
        "groups": {name: _requirements(asked) for name, asked in project.groups.items()},
        "default-groups": sorted(project.default_groups),
        "sources": {name: [_source(each, root) for each in several] for name, several in project.sources.items()},
        "indexes": [_index(each) for each in project.indexes],
        "conflicts": sorted(sorted([item.kind, item.name] for item in conflict) for conflict in project.conflicts),
        "constraints": _requirements(project.constraints),
        "overrides": _requirements(project.overrides),
        "hashes": {text: sorted(hashes) for text, hashes in project.hashes.items()},
        "build-system": project.has_build_system,
        **({"members": [_member(each, root) for each in project.members]} if project.members else {}),
        "settings": _plain(settings or {}),
    }
    canonical = json.dumps(content, sort_keys=True, ensure_ascii=True, separators=(",", ":"))
    return f"sha256:{hashlib.sha256(canonical.encode('ascii')).hexdigest()}"


def _requirements(requirements: Iterable[Requirement]) -> list[str]:
    return sorted({_requirement(each) for each in requirements})


def _requirement(requirement: Requirement) -> str:
    extras = ",".join(sorted(canonicalize_name(extra) for extra in requirement.extras))
    where = f" @ {locked_address(requirement.url)}" if requirement.url else str(requirement.specifier)
    marker = f" ; {requirement.marker}" if requirement.marker else ""
    return f"{canonicalize_name(requirement.name)}[{extras}]{where}{marker}"


def _source(source: Source, root: Path) -> dict[str, Any]:
    return {
        "index": source.index,
        "url": source.url and locked_address(source.url),
        "path": None if source.path is None else _relative(source.path, root),
        "editable": source.editable,
        "git": source.git and locked_address(source.git),
        "reference": source.reference,
        "subdirectory": source.subdirectory,
        **({"lfs": True} if source.lfs else {}),
        "marker": None if source.marker is None else str(source.marker),
        "extra": source.extra,
        "group": source.group,
    }


def _member(member: Member, root: Path) -> dict[str, Any]:
    return {
        "name": member.name,
        "path": _relative(member.root, root),
        "dependencies": _requirements(member.dependencies),
        "extras": {name: _requirements(asked) for name, asked in member.extras.items()},
        "groups": {name: _requirements(asked) for name, asked in member.groups.items()},
        "package": [member.is_package, member.is_needed, member.editable],
    }


def _index(index: Index) -> list[Any]:
    return [locked_address(index.url), index.name, index.explicit, index.default, index.flat]


def _relative(path: Path, root: Path) -> str:
    """The same on every machine: from the project's folder, where that is possible."""
    try:
        return Path(os.path.relpath(root / path, root)).as_posix()
    except ValueError:  # another drive
        return path.as_posix()


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _plain(each) for key, each in value.items()}
    if isinstance(value, (set, frozenset)):
        return sorted(map(str, map(_plain, value)))
    if isinstance(value, (list, tuple)):
        return [_plain(each) for each in value]
    if isinstance(value, str):
        return locked_address(value) if "://" in value else value
    return value if value is None or isinstance(value, (bool, int, float)) else str(value)
