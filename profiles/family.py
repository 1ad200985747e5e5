"""The torch family: packages that are published per variant, so that the chosen variant's index answers for them."""

from __future__ import annotations

from functools import cache

from packaging.utils import canonicalize_name

from profiles.forms import KINDS
from profiles.loading import merged
from profiles.tables import pages

__all__ = ["family", "is_family"]


@cache
def family() -> frozenset[str]:
    """The normalized names, from family.toml and the site's tables. Raises TableError if those are not right."""
    rows = merged(pages("family.toml"), "family", KINDS["family"])
    return frozenset(name for row in rows for name in row["names"])


def is_family(name: str) -> bool:
    """Whether a package belongs to the torch family; any spelling of its name will do."""
    return canonicalize_name(name) in family()
