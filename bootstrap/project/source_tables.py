"""One entry of a `sources` table as a `Source`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from packaging.utils import canonicalize_name

from bootstrap.project.model import Index, Source
from bootstrap.project.places import is_url
from bootstrap.project.repository import Repository, read_repository, revision_of, subdirectory_of
from bootstrap.project.requirements import markers_of
from bootstrap.project.tables import Table, listed, meant
from bootstrap.project.workspace import workspace_of

__all__ = ["Outside", "source_of"]

_KINDS = ("index", "url", "path", "git")
_REFERENCES = ("rev", "tag", "branch")
_PREFIXES = {"rev": "", "tag": "refs/tags/", "branch": "refs/heads/"}
_KEYS = (*_KINDS, *_REFERENCES, "editable", "subdirectory", "marker", "extra", "group", "workspace", "lfs", "package")


@dataclass(frozen=True, slots=True)
class Outside:
    """What a file may name of its workspace: the folders of the members by name, and the root's indexes."""

    folders: Mapping[str, Path] = field(default_factory=dict)
    indexes: tuple[Index, ...] = ()


def source_of(entry: Table, package: str, root: Path, outside: Outside) -> Source | None:
    """The source, or None where the entry is wrong and an issue says so."""
    issues = entry.issues
    entry.refuse_unknown(_KEYS)
    if entry.data.get("workspace"):
        return _of_workspace(entry, package, root, outside)
    given = [kind for kind in _KINDS if kind in entry]
    if len(given) != 1:
        which = f"has {listed(given)}" if given else "names no place"
        issues.add(f"a source of `{package}` {which}; give exactly one of {listed(_KINDS)}", package)
        return None
    place = entry.text(given[0])
    if place is None:
        return None
    if given[0] == "url" and not is_url(place):
        issues.add(f'the url of `{package}` is "{place}"; write it with its scheme, or use path = "{place}"', place)
    extra, group = entry.text("extra"), entry.text("group")
    repository = _repository(entry, package, place) if given[0] == "git" else None
    if given[0] == "git" and repository is None:
        return None
    return Source(
        index=place if given[0] == "index" else None,
        url=place if given[0] == "url" else None,
        path=_absolute(root / place) if given[0] == "path" else None,
        git=repository.url if repository else None,
        editable=entry.flag("editable"),
        reference=repository.revision if repository else _reference(entry, package),
        subdirectory=repository.subdirectory if repository else entry.text("subdirectory"),
        lfs=repository.lfs if repository else False,
        marker=markers_of(entry.text("marker"), f"a source of `{package}`", issues),
        extra=canonicalize_name(extra) if extra else None,
        group=canonicalize_name(group) if group else None,
    )


def _of_workspace(entry: Table, package: str, root: Path, outside: Outside) -> Source | None:
    """Another member, of this workspace or of the one in a folder that is named. Members are editable."""
    issues, said = entry.issues, entry.data["workspace"]
    folders = outside.folders
    if isinstance(said, str):
        other = workspace_of(_absolute(root / said))
        folders = other.folders if other is not None else {}
    elif said is not True:
        issues.add(f"the workspace of `{package}` must be true or a folder; write workspace = true", package)
        return None
    folder = folders.get(canonicalize_name(package))
    both = [kind for kind in _KINDS if kind in entry]
    if both:
        issues.add(f"a source of `{package}` has `workspace` and {listed(both)}; give one of them", package)
    elif folder is None:
        way_out = meant(canonicalize_name(package), folders) if folders else "there is no [tool.uv.workspace]"
        issues.add(f"the source of `{package}` is the workspace, of which it is no member: {way_out}", package)
    extra, group = entry.text("extra"), entry.text("group")
    if folder is None:
        return None
    return Source(
        path=folder,
        editable=entry.flag("editable") if "editable" in entry else True,
        marker=markers_of(entry.text("marker"), f"a source of `{package}`", issues),
        extra=canonicalize_name(extra) if extra else None,
        group=canonicalize_name(group) if group else None,
        member=not isinstance(said, str),
    )


def _absolute(path: Path) -> Path:
    """Without `..` and links, so that the same folder has one spelling."""
    try:
        return path.resolve()
    except (OSError, ValueError, RuntimeError):  # a circle of links, or a text that is no path
        return path.absolute()


def _repository(entry: Table, package: str, place: str) -> Repository | None:
    """The repository of a git source; what the address says of revision and subdirectory the keys say again."""
    reference = _reference(entry, package)
    prefix = next((_PREFIXES[key] for key in _REFERENCES if key in entry), "")
    try:
        found = read_repository(place)
        asked = found.revision if reference is None else revision_of(f"{prefix}{reference}")
        inside = subdirectory_of(entry.text("subdirectory")) or found.subdirectory
    except ValueError as error:
        entry.issues.add(f"a source of `{package}`: {error}", package)
        return None
    return replace(found, revision=asked, subdirectory=inside, lfs=found.lfs or entry.flag("lfs"))


def _reference(entry: Table, package: str) -> str | None:
    given = [key for key in _REFERENCES if key in entry]
    if len(given) > 1:
        entry.issues.add(f"a source of `{package}` has {listed(given)}; give one of them", package)
    if given and "git" not in entry:
        entry.issues.add(f"a source of `{package}` has {listed(given)}, which only git sources have", package)
    return entry.text(given[0]) if given else None
