"""One entry of a `sources` table as a `Source`."""

from __future__ import annotations

from pathlib import Path

from packaging.utils import canonicalize_name

from bootstrap.errors import ConfigurationError
from bootstrap.project.model import Source
from bootstrap.project.places import is_url
from bootstrap.project.requirements import markers_of
from bootstrap.project.tables import Table, listed

__all__ = ["source_of"]

_KINDS = ("index", "url", "path", "git")
_REFERENCES = ("rev", "tag", "branch")
# `lfs` and `package` are uv's; they do not change which project is meant.
_KEYS = (*_KINDS, *_REFERENCES, "editable", "subdirectory", "marker", "extra", "group", "workspace", "lfs", "package")


def source_of(entry: Table, package: str, root: Path) -> Source | None:
    """The source, or None where the entry is wrong and an issue says so. Raises ConfigurationError for workspaces."""
    issues = entry.issues
    if entry.data.get("workspace"):
        raise ConfigurationError(
            f"{issues.file}: the source of `{package}` is the workspace; workspaces are not supported yet, "
            f'so write {{ path = "../{package}", editable = true }} instead'
        )
    entry.refuse_unknown(_KEYS)
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
    return Source(
        index=place if given[0] == "index" else None,
        url=place if given[0] == "url" else None,
        path=_absolute(root / place) if given[0] == "path" else None,
        git=place.removeprefix("git+") if given[0] == "git" else None,
        editable=entry.flag("editable"),
        reference=_reference(entry, package),
        subdirectory=entry.text("subdirectory"),
        marker=markers_of(entry.text("marker"), f"a source of `{package}`", issues),
        extra=canonicalize_name(extra) if extra else None,
        group=canonicalize_name(group) if group else None,
    )


def _absolute(path: Path) -> Path:
    """Without `..` and links, so that the same folder has one spelling."""
    try:
        return path.resolve()
    except (OSError, ValueError, RuntimeError):  # a circle of links, or a text that is no path
        return path.absolute()


def _reference(entry: Table, package: str) -> str | None:
    given = [key for key in _REFERENCES if key in entry]
    if len(given) > 1:
        entry.issues.add(f"a source of `{package}` has {listed(given)}; give one of them", package)
    if given and "git" not in entry:
        entry.issues.add(f"a source of `{package}` has {listed(given)}, which only git sources have", package)
    return entry.text(given[0]) if given else None
