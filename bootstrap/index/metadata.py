"""A distribution's METADATA, read for what a resolver needs (core metadata 1.0 to 2.5).

The standard library's e-mail parser reads the same headers some twenty times slower, and a resolution reads hundreds.
"""

from __future__ import annotations

from dataclasses import dataclass

from bootstrap.errors import BadDistributionError

__all__ = ["Metadata", "parse"]

_SINGLE = frozenset({"name", "version", "requires-python"})
_MANY = frozenset({"requires-dist", "provides-extra", "dynamic"})


@dataclass(frozen=True, slots=True)
class Metadata:
    """What a distribution says of itself. Requirements are text as written, such as the old `torch (==2.13.0)`."""

    name: str
    version: str
    requires_dist: tuple[str, ...] = ()
    requires_python: str | None = None
    provides_extra: tuple[str, ...] = ()
    dynamic: tuple[str, ...] = ()


def parse(body: bytes) -> Metadata:
    """The headers of a METADATA or PKG-INFO file. Raises BadDistributionError when it has no name or version."""
    single: dict[str, str] = {}
    many: dict[str, list[str]] = {kind: [] for kind in _MANY}
    for key, value in _headers(body):
        if key in _MANY:
            many[key].append(value)
        elif key in _SINGLE:
            single.setdefault(key, value)
    missing = [f"it states no {key}" for key in ("name", "version") if not single.get(key)]
    if missing:
        raise BadDistributionError("METADATA", missing)
    return Metadata(
        name=single["name"],
        version=single["version"],
        requires_dist=tuple(many["requires-dist"]),
        requires_python=single.get("requires-python") or None,
        provides_extra=tuple(many["provides-extra"]),
        dynamic=tuple(value.lower() for value in many["dynamic"]),
    )


def _headers(body: bytes) -> list[tuple[str, str]]:
    """Lower-case name and value of the headers, lines that were folded joined; what follows the empty line is prose."""
    head = body.replace(b"\r\n", b"\n").lstrip(b"\xef\xbb\xbf\n").partition(b"\n\n")[0]
    found: list[tuple[str, str]] = []
    for line in head.decode("utf-8", "replace").split("\n"):
        if line[:1] in {" ", "\t"}:
            if found and found[-1][0] != "description":
                key, value = found[-1]
                found[-1] = (key, f"{value} {line.strip()}".strip())
            continue
        key, colon, value = line.partition(":")
        if colon:
            found.append((key.strip().lower(), value.strip()))
    return found
