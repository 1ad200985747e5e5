"""Which source applies to which package, once it is known what is selected and for which environment.

A source that is limited to an extra or group applies as soon as that one is selected, whoever asks for the package:
one environment has one torch.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from bootstrap.errors import ConfigurationError
from bootstrap.project.model import Project, Source
from bootstrap.project.repository import shown

__all__ = ["activated", "place_of", "sources_for"]


def activated(project: Project, extras: frozenset[str], groups: frozenset[str] = frozenset()) -> frozenset[str]:
    """The extras, and those that aliases among them and the groups switch on."""
    by_alias = (project.aliases.get(extra, frozenset()) for extra in extras)
    by_group = (project.group_aliases.get(group, frozenset()) for group in groups)
    return extras.union(*by_alias, *by_group)


def sources_for(
    project: Project, extras: frozenset[str], groups: frozenset[str], markers: Mapping[str, str]
) -> Mapping[str, Source]:
    """The one source of each package that has one. `markers` is the PEP 508 environment.

    Raises ConfigurationError that names both where two different ones apply.
    """
    selected = activated(project, extras, groups)
    found: dict[str, Source] = {}
    for package, sources in project.sources.items():
        applying = [source for source in sources if _applies(source, selected, groups, markers)]
        for other in applying[1:]:
            if place_of(other) != place_of(applying[0]):
                raise ConfigurationError(
                    f"`{package}` has two sources that apply at once: {_named(applying[0])} and {_named(other)}; "
                    f"take one out, or give them extras that are in conflict or markers that exclude each other"
                )
        if applying:
            found[package] = applying[0]
    return found


def place_of(source: Source) -> Source:
    """The source without what it is limited to, to compare places."""
    return replace(source, marker=None, extra=None, group=None)


def _applies(source: Source, extras: frozenset[str], groups: frozenset[str], markers: Mapping[str, str]) -> bool:
    limited = source.extra is not None or source.group is not None
    if limited and source.extra not in extras and source.group not in groups:
        return False
    return source.marker is None or source.marker.evaluate(dict(markers))


def _named(source: Source) -> str:
    place = source.index or shown(source.url or source.git or str(source.path))
    limits = [f"extra {source.extra}"] if source.extra else []
    limits += [f"group {source.group}"] if source.group else []
    limits += [f"where {source.marker}"] if source.marker else []
    return f"`{place}` ({', '.join(limits)})" if limits else f"`{place}`"
