"""Which index alone answers for a package, and which packages no index is asked for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from urllib.parse import parse_qs, urldefrag

from bootstrap.errors import InputError
from bootstrap.project.indexes import named_index
from bootstrap.project.model import Index, Project, Source
from bootstrap.project.repository import Repository
from bootstrap.project.settings import Settings
from bootstrap.resolver.resolution import Direct
from profiles import Offer, is_family

__all__ = ["Route", "direct_sources", "route"]

Route = Callable[[str], Index | str | None]

_HASHES = ("sha256", "sha384", "sha512")


def route(project: Project, settings: Settings, sources: Mapping[str, Source], offer: Offer) -> Route:
    """Who answers for a name: its source; for the torch family the variant's index; else the ordinary indexes (None).

    Raises ConfigurationError for a source that names no index of the project.
    """
    if settings.no_index:
        return lambda _name: None
    named = {
        name: named_index(project, source.index, settings)
        for name, source in sources.items()
        if source.index is not None
    }

    def answers(name: str) -> Index | str | None:
        return named.get(name) or (offer.index if is_family(name) else None)

    return answers


def direct_sources(sources: Mapping[str, Source]) -> Mapping[str, Direct]:
    """Packages from addresses, folders and git repositories. Raises InputError for a folder that is not there."""
    found = {}
    for name, source in sources.items():
        if source.url is not None:
            address, fragment = urldefrag(source.url)
            said = parse_qs(fragment)
            hashes = {algorithm: said[algorithm][0] for algorithm in _HASHES if algorithm in said}
            found[name] = Direct(address, hashes=hashes, subdirectory=source.subdirectory)
        elif source.path is not None:
            if not source.path.exists():
                raise InputError(source.path, f"does not exist, but it is the source of {name}; mend its `path`")
            found[name] = Direct(source.path.as_uri(), path=source.path, editable=source.editable)
        elif source.git is not None:
            repository = Repository(source.git, source.reference, source.subdirectory, source.lfs)
            found[name] = Direct(repository.address, subdirectory=source.subdirectory)
    return found
