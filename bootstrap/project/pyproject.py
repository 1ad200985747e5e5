"""pyproject.toml as a `Project`: [project], [dependency-groups], [tool.uv] and [tool.torchstrap].

Every mistake of the file is gathered first and raised as one InputError. A project that is a member of a workspace
is read with all of it (joined.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement
from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.utils import InvalidName, canonicalize_name
from packaging.version import InvalidVersion, Version

from bootstrap import toml
from bootstrap.errors import InputError
from bootstrap.project.dynamic import dynamic_dependencies
from bootstrap.project.groups import groups_of
from bootstrap.project.joined import joined
from bootstrap.project.model import Project
from bootstrap.project.parts import Part
from bootstrap.project.requirements import expanded, requirements_of
from bootstrap.project.source_tables import Outside
from bootstrap.project.tables import Issues, Table, listed
from bootstrap.project.tool_tables import ToolTables
from bootstrap.project.workspace import workspace_of

__all__ = ["read_project"]


def read_project(folder: Path) -> Project:
    """The project in a folder (or of a pyproject.toml named itself), or the workspace that it is a member of.

    Raises InputError that names every mistake of the file, ConfigurationError for what is not supported.
    """
    path = _file_in(folder)
    workspace = workspace_of(path.parent)
    if workspace is None:
        return _part(path, Outside()).project
    folders = dict.fromkeys((workspace.root, *workspace.folders.values()))
    head = _part(workspace.root / "pyproject.toml", Outside(workspace.folders))
    outside = Outside(workspace.folders, head.project.indexes)
    others = [_part(each / "pyproject.toml", outside) for each in folders if each != workspace.root]
    return joined(workspace.root, (head, *others), path.parent)


def _part(path: Path, outside: Outside) -> Part:
    """What one file says."""
    issues = Issues(path)
    document = Table(toml.load(path), "", issues)
    _refuse_without_project(document, path)
    head = document.table("project")
    name = _name(head)
    version = _version(head)
    requires_python = _requires_python(head)
    tools = ToolTables.of(document, path.parent, outside)
    dynamic = dynamic_dependencies(document, path.parent)
    raw_extras = {**_extras(head), **dynamic.extras}
    extras = expanded(name, raw_extras, raw_extras, issues)
    raw_groups = groups_of(document, tools.development_requirements())
    groups = expanded(name, raw_groups, raw_extras, issues)
    base = (*requirements_of(head.texts("dependencies"), "[project] dependencies", issues), *dynamic.base)
    _refuse_itself(name, base, issues)
    parties = tools.parties(name) if outside.folders else ()
    conflicts = () if outside.folders else tools.conflicts(name, extras.requirements, groups.requirements)
    indexes = tools.indexes()
    sources = tools.sources(indexes, extras.requirements, groups.requirements)
    default_groups = tools.default_groups(groups.requirements)
    constraints, overrides = tools.constraints(), tools.overrides()
    packaged = tools.packaged("build-system" in document)
    issues.check()
    project = Project(
        root=path.parent,
        name=name,
        version=version,
        requires_python=requires_python,
        dependencies=base,
        extras=extras.requirements,
        aliases=extras.aliases,
        groups=groups.requirements,
        group_aliases=groups.aliases,
        default_groups=default_groups,
        sources=sources,
        indexes=indexes,
        conflicts=conflicts,
        constraints=constraints,
        overrides=overrides,
        has_build_system=packaged,
        files=(path, *dynamic.files),
    )
    said = default_groups if tools.has_default_groups else None
    return Part(project, parties, tools.said_of_packaging(), said)


def _file_in(folder: Path) -> Path:
    path = (folder if folder.name == "pyproject.toml" and not folder.is_dir() else folder / "pyproject.toml").absolute()
    if not path.exists():
        raise InputError(
            path, "does not exist; name a project's folder with --project DIR, or requirements with -r FILE"
        )
    return path


def _refuse_without_project(document: Table, path: Path) -> None:
    if "project" in document or "dependency-groups" in document:
        return
    tool: Any = document.data.get("tool")
    uv = tool.get("uv") if isinstance(tool, Mapping) else None
    if isinstance(uv, Mapping) and "workspace" in uv:
        return
    if isinstance(tool, Mapping) and "poetry" in tool:
        problem = (
            "keeps its dependencies in [tool.poetry]; move them to [project] (PEP 621), "
            "or export them to a requirements file and name it with -r FILE"
        )
    else:
        problem = "has neither a [project] nor a [dependency-groups] table; add [project] with name and dependencies"
    raise InputError(path, problem)


def _name(head: Table) -> str | None:
    if not head.data:
        return None
    text = head.text("name")
    if text is None:
        if "name" not in head:
            head.issues.add('[project] has no name; add name = "..." to it', "[project]")
        return None
    try:
        return canonicalize_name(text, validate=True)
    except InvalidName:
        head.issues.add(f'"{text}" is not a project name; use letters, digits, ".", "-" and "_" only', text)
        return None


def _version(head: Table) -> str | None:
    text = head.text("version")
    if text is None:
        if head.data and "version" not in head and "version" not in head.texts("dynamic"):
            head.issues.add('[project] has no version; add version = "0.1.0", or dynamic = ["version"]', "[project]")
        return None
    try:
        return str(Version(text))
    except InvalidVersion:
        head.issues.add(f'"{text}" is not a version; write it like "1.2.3" (PEP 440)', text)
        return None


def _requires_python(head: Table) -> SpecifierSet:
    text = head.text("requires-python") or ""
    try:
        return SpecifierSet(text)
    except InvalidSpecifier:
        head.issues.add(f'requires-python "{text}" is not a set of versions; write it like ">=3.10"', text)
        return SpecifierSet()


def _extras(head: Table) -> Mapping[str, tuple[Requirement, ...]]:
    table = head.table("optional-dependencies")
    found: dict[str, tuple[Requirement, ...]] = {}
    for key in table.data:
        name = canonicalize_name(key)
        if name in found:
            table.issues.add(f"the extra `{name}` is there twice (names differ only in spelling); rename one", key)
        found[name] = requirements_of(table.texts(key), f"extra `{key}`", table.issues)
    return found


def _refuse_itself(name: str | None, base: tuple[Requirement, ...], issues: Issues) -> None:
    for requirement in base:
        if name is not None and canonicalize_name(requirement.name) == name:
            extras = (
                f"what its extras {listed(sorted(requirement.extras))} ask for" if requirement.extras else "its parts"
            )
            issues.add(
                f'dependencies name the project itself ("{requirement}"); write {extras} there instead', "dependencies"
            )
