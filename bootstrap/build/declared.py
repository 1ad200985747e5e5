"""What a project's folder says of itself without being built: [project] as METADATA (PEP 621, PEP 643)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import InvalidName, canonicalize_name
from packaging.version import InvalidVersion, Version

from bootstrap import toml
from bootstrap.build.system import needs_build

__all__ = ["declared_metadata"]


def declared_metadata(folder: Path) -> bytes | None:
    """The METADATA that every wheel of the folder will have, as far as resolving goes; None if only a build can tell.

    Mistakes in the table are left for the backend to find: it knows how to say them. Raises InputError for a
    pyproject.toml that cannot be read.
    """
    if needs_build(folder):
        return None
    document = toml.load(folder / "pyproject.toml")
    if "build-system" not in document and any((folder / each).is_file() for each in ("setup.py", "setup.cfg")):
        return None  # these may have the last word then
    try:
        return "\n".join([*_headers(document["project"]), ""]).encode()
    except (InvalidName, InvalidVersion, InvalidRequirement, KeyError, TypeError, AttributeError):
        return None


def _headers(table: Mapping[str, Any]) -> Iterator[str]:
    canonicalize_name(table["name"], validate=True)
    yield "Metadata-Version: 2.2"
    yield f"Name: {table['name']}"
    yield f"Version: {Version(table['version'])}"
    if "requires-python" in table:
        yield f"Requires-Python: {table['requires-python']}"
    for text in table.get("dependencies", []):
        yield f"Requires-Dist: {Requirement(text)}"
    for key, texts in table.get("optional-dependencies", {}).items():
        extra = canonicalize_name(key)
        yield f"Provides-Extra: {extra}"
        for text in texts:
            yield f"Requires-Dist: {_in_extra(Requirement(text), extra)}"


def _in_extra(requirement: Requirement, extra: str) -> Requirement:
    condition = f'extra == "{extra}"'
    marker = f"({requirement.marker}) and {condition}" if requirement.marker else condition
    requirement.marker = None
    return Requirement(f"{requirement} ; {marker}")
