"""In which order indexes are asked.

A tier is a set of indexes that count as one: the newest version of any of them wins. Tiers are asked in turn, and the
first one that has a project answers for it.

    our extra indexes   one tier each          said on the command line, in TORCHSTRAP_*, in [tool.torchstrap]
    the project's       one tier each          in the order of its file
    the default index   with those that pip or a requirements file adds to it
"""

from __future__ import annotations

from bootstrap.errors import ConfigurationError
from bootstrap.project.model import Index, Project
from bootstrap.project.places import DEFAULT_INDEX
from bootstrap.project.settings import Settings, default_index
from bootstrap.project.tables import meant

__all__ = ["default_tier", "find_links", "named_addresses", "named_index", "tiers"]


def tiers(project: Project, settings: Settings) -> tuple[tuple[Index, ...], ...]:
    """Every index that any package may come from. Nothing where `no_index` says so."""
    if settings.no_index:
        return ()
    ours = [Index(url) for url in settings.extra_index_urls]
    theirs = [
        _placed(index, project, settings)
        for index in project.indexes
        if not (index.explicit or index.default or index.flat)
    ]
    last = default_tier(project, settings)
    taken = {index.url for index in last}
    first = {index.url: index for index in reversed((*ours, *theirs)) if index.url not in taken}
    return (*((index,) for index in reversed(first.values())), *((last,) if last else ()))


def named_addresses(project: Project, settings: Settings) -> tuple[str, ...]:
    """Every address that somebody named for packages in general; not the one that is there when nobody does."""
    ours = (*settings.extra_index_urls, *([settings.index_url] if settings.index_url else []))
    theirs = (index.url for index in project.indexes if not index.explicit and index.url != DEFAULT_INDEX)
    pips = (*([settings.pip_index_url] if settings.pip_index_url else []), *settings.pip_extra_index_urls)
    return tuple(dict.fromkeys((*ours, *theirs, *settings.requirements_index_urls, *pips)))


def default_tier(project: Project, settings: Settings) -> tuple[Index, ...]:
    """The default index, and what pip or a requirements file would merge with it.

    A project whose default index is explicit has none: only its other indexes are asked.
    """
    added = settings.requirements_index_urls
    named = _default_of(project)
    if settings.index_url:
        first = [Index(settings.index_url, default=True)]
    elif named is not None:
        first = [] if named.explicit else [named]
    else:
        first = [Index(_default_url(settings), default=True)]
        added = (*added, *settings.pip_extra_index_urls)
    taken = {index.url for index in first}
    return (*first, *(Index(url) for url in dict.fromkeys(added) if url not in taken))


def find_links(project: Project, settings: Settings) -> tuple[Index, ...]:
    """Folders and pages of links that any package may come from: ours first, then the project's."""
    ours = [Index(url, flat=True) for url in settings.find_links]
    theirs = [index for index in project.indexes if index.flat and not index.explicit]
    return tuple({index.url: index for index in reversed((*ours, *theirs))}.values())[::-1]


def named_index(project: Project, name: str, settings: Settings | None = None) -> Index:
    """The index that a source names. Raises ConfigurationError where there is none of that name."""
    for index in project.indexes:
        if index.name == name:
            return _placed(index, project, settings or Settings())
    names = [index.name for index in project.indexes if index.name]
    raise ConfigurationError(f"no index has the name `{name}`: {meant(name, names)}")


def _default_of(project: Project) -> Index | None:
    """The project's own default index, unless it only repeats that the default is the default."""
    return next((index for index in project.indexes if index.default and index.url != DEFAULT_INDEX), None)


def _default_url(settings: Settings) -> str:
    return settings.pip_index_url or default_index()


def _placed(index: Index, project: Project, settings: Settings) -> Index:
    """With the address of the default index where the entry stands for it."""
    if index.url != DEFAULT_INDEX:
        return index
    named = _default_of(project)
    url = settings.index_url or (named.url if named else _default_url(settings))
    return Index(url, index.name, index.explicit, index.default, index.flat)
