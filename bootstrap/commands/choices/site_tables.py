"""What a site says of builds (profiles/site.py), looked at before anything is decided by it."""

from __future__ import annotations

from bootstrap.errors import ConfigurationError
from profiles.family import family
from profiles.loading import TableError
from profiles.site import folders, watched
from profiles.tables import tables

__all__ = ["ensure_usable"]


def ensure_usable() -> None:
    """Read the site's tables if there are any. Raises ConfigurationError with file and line of what is wrong."""
    try:
        if len(watched()) > len(folders()):
            tables()
            family()
    except TableError as error:
        raise ConfigurationError(str(error)) from error
