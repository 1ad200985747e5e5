"""Hashes that requirements files promise (`--hash`): what is locked has to keep them, as in pip."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from bootstrap.errors import NoCompatibleFileError, UsageError
from bootstrap.index.files import File
from bootstrap.resolver.resolution import Direct, Pin

__all__ = ["keep_promises"]


def keep_promises(pins: Sequence[Pin], hashes: Mapping[str, frozenset[str]], *, required: bool) -> Iterator[Pin]:
    """The pins with only those files whose hash was promised.

    `hashes` are "sha256:…" by the text of the requirement that they stand behind. One promise asks for all: as in pip,
    every package needs one then, or when `required` says so. Raises UsageError for a package without,
    NoCompatibleFileError for one whose files are all others than promised.
    """
    promised: dict[str, frozenset[str]] = {}
    for text, several in hashes.items():
        name = canonicalize_name(Requirement(text).name)
        promised[name] = promised.get(name, frozenset()) | several
    if not promised and not required:
        yield from pins
        return
    for pin in pins:
        if pin.name not in promised:
            raise UsageError(
                f"{pin.name} {pin.version} has no --hash, but others have: give every package one, "
                f"those that are only needed by others too (`torchstrap lock` writes a lock that has them all)"
            )
        if pin.direct is not None and _digests(pin.direct) & promised[pin.name]:
            yield pin
            continue
        kept = tuple(file for file in pin.files if _digests(file) & promised[pin.name])
        if not kept:
            has = ", ".join(
                sorted(digest for file in (*pin.files, pin.direct) if file for digest in _digests(file))[:3]
            )
            raise NoCompatibleFileError(
                f"{pin.name} {pin.version}: no file that fits here has a hash that was promised "
                f"({', '.join(sorted(promised[pin.name]))}); the index has {has}. Check where the promise came from."
            )
        yield replace(pin, files=kept)


def _digests(file: File | Direct) -> frozenset[str]:
    return frozenset(f"{name}:{digest}" for name, digest in file.hashes.items())
