"""What resolving asks of the world: who answers is decided above this layer."""

from __future__ import annotations

from typing import Protocol

from bootstrap.index.files import File, Listing
from bootstrap.index.metadata import Metadata
from bootstrap.project.model import Index

__all__ = ["Catalogue"]


class Catalogue(Protocol):
    """Pages and metadata. Both calls block, may be made from any thread, and remember their answers."""

    def listing(self, name: str, index: Index | str | None = None, variant: str | None = None) -> Listing:
        """What `index` lists of a project, or, without one, what the ordinary indexes do; empty if nobody knows it."""
        ...

    def metadata(self, file: File) -> Metadata:
        """The metadata of a file, without downloading all of it where the index allows."""
        ...
