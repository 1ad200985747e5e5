"""How a source wants to be built, as its files say: nothing here runs anything of it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from packaging.requirements import InvalidRequirement, Requirement

from bootstrap import toml
from bootstrap.errors import BuildError, InputError

__all__ = ["BuildSystem", "build_system", "needs_build", "project_outline"]

# PEP 517: what stands for a missing [build-system] and for a missing build-backend.
LEGACY_BACKEND = "setuptools.build_meta:__legacy__"
LEGACY_REQUIRES = ("setuptools>=40.8.0",)

DECISIVE = frozenset({"version", "requires-python", "dependencies", "optional-dependencies"})


@dataclass(frozen=True, slots=True)
class BuildSystem:
    """The [build-system] table (PEP 518, PEP 517), complete."""

    requires: tuple[str, ...] = LEGACY_REQUIRES
    backend: str = LEGACY_BACKEND
    path: tuple[str, ...] = ()


def build_system(source: Path) -> BuildSystem:
    """The build system of a folder.

    Raises BuildError if there is nothing to build in it, and InputError if its pyproject.toml says nonsense.
    """
    file = source / "pyproject.toml"
    if not file.is_file():
        if not (source / "setup.py").is_file():
            raise BuildError(f"{source} has neither a pyproject.toml nor a setup.py, so it cannot be built.", "")
        return BuildSystem()
    content = toml.load(file)
    table = content.get("build-system", {})
    if not isinstance(table, dict):
        raise InputError(file, "[build-system] must be a table")
    if not table:
        return BuildSystem()
    if "requires" not in table:
        raise InputError(file, "[build-system] has no 'requires', which PEP 518 asks for; write requires = []")
    system = BuildSystem(
        requires=_texts(table, "requires", file),
        backend=_backend(table, file),
        path=_texts(table, "backend-path", file),
    )
    _check(system, file)
    return system


def needs_build(root: Path) -> bool:
    """Whether only a build can tell the version and the requirements of a project.

    True without a [project] table, and where it calls one of version, requires-python, dependencies and
    optional-dependencies dynamic (PEP 621). Raises InputError if pyproject.toml cannot be read.
    """
    project = _project(root)
    if not project:
        return True
    dynamic = project.get("dynamic", [])
    return not isinstance(dynamic, list) or not DECISIVE.isdisjoint(map(str, dynamic))


def project_outline(root: Path) -> bytes:
    """What the [project] table of a folder says, in the form of a METADATA file, although a build may say more.

    Raises InputError if pyproject.toml cannot be read.
    """
    project = _project(root)
    lines = [f"{key.title()}: {project[key]}" for key in ("name", "version") if isinstance(project.get(key), str)]
    needed = project.get("dependencies", [])
    lines += [f"Requires-Dist: {each}" for each in (needed if isinstance(needed, list) else [])]
    return "\n".join([*lines, ""]).encode()


def _project(root: Path) -> dict[str, Any]:
    file = root / "pyproject.toml"
    project = toml.load(file).get("project") if file.is_file() else None
    return project if isinstance(project, dict) else {}


def _texts(table: dict[str, Any], key: str, file: Path) -> tuple[str, ...]:
    values = table.get(key, [])
    if not isinstance(values, list) or not all(isinstance(each, str) for each in values):
        raise InputError(file, f"{key!r} in [build-system] must be a list of strings")
    return tuple(values)


def _backend(table: dict[str, Any], file: Path) -> str:
    backend = table.get("build-backend", LEGACY_BACKEND)
    if not isinstance(backend, str) or not backend:
        raise InputError(file, "'build-backend' in [build-system] must be a string")
    return backend


def _check(system: BuildSystem, file: Path) -> None:
    for text in system.requires:
        try:
            Requirement(text)
        except InvalidRequirement as error:
            raise InputError(file, f"{text!r} in [build-system] is not a requirement: {error}") from error
    root = file.parent.resolve()
    for text in system.path:
        if Path(text).is_absolute() or not (root / text).resolve().is_relative_to(root):
            raise InputError(file, f"{text!r} in 'backend-path' leads out of the project, which PEP 517 forbids")
