"""Dependencies that [project] calls dynamic.

Only a build knows them, except where setuptools reads them from plain files: those are read here just the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from bootstrap.project.requirements import requirements_of
from bootstrap.project.tables import Issues, Table

__all__ = ["Dynamic", "dynamic_dependencies"]


@dataclass(frozen=True, slots=True)
class Dynamic:
    """What was found outside of [project], and the files that it was found in."""

    base: tuple[Requirement, ...] = ()
    extras: Mapping[str, tuple[Requirement, ...]] = field(default_factory=dict)
    files: tuple[Path, ...] = ()


def dynamic_dependencies(document: Table, root: Path) -> Dynamic:
    """Dynamic dependencies and extras as far as [tool.setuptools.dynamic] names files for them.

    Otherwise an issue of the document says that they need a build.
    """
    declared = set(document.table("project").texts("dynamic"))
    static = document.table("tool").table("setuptools").table("dynamic") if declared else None
    base: tuple[Requirement, ...] = ()
    extras: dict[str, tuple[Requirement, ...]] = {}
    files: list[Path] = []
    if static is not None and "dependencies" in declared:
        if "dependencies" in static:
            base = _from_files(static.table("dependencies"), root, files)
        else:
            _needs_a_build("dependencies", document.issues)
    if static is not None and "optional-dependencies" in declared:
        if "optional-dependencies" in static:
            table = static.table("optional-dependencies")
            extras = {canonicalize_name(key): _from_files(table.table(key), root, files) for key in table.data}
        else:
            _needs_a_build("optional-dependencies", document.issues)
    return Dynamic(base, extras, tuple(files))


def _needs_a_build(key: str, issues: Issues) -> None:
    issues.add(
        f"[project] calls {key} dynamic, so only building the project would tell them; "
        f"write {key} into [project] and take the word out of dynamic, or name a requirements file with -r FILE",
        key,
    )


def _from_files(table: Table, root: Path, files: list[Path]) -> tuple[Requirement, ...]:
    names = (table.text("file"),) if isinstance(table.data.get("file"), str) else table.texts("file")
    found: list[Requirement] = []
    for name in names:
        path = root / (name or "")
        try:
            lines = path.read_text("utf-8").splitlines()
        except (OSError, ValueError) as error:
            reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
            table.issues.add(f'[{table.where}] names "{name}", which cannot be read ({reason})', name)
            continue
        files.append(path)
        texts = (line.partition("#")[0].strip() for line in lines)
        found.extend(requirements_of((text for text in texts if text), f"{path}", table.issues))
    return tuple(found)
