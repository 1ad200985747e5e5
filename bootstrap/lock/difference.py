"""What changed between two sets of pins, in words: "torch 2.8.0+cpu (pytorch cpu) → 2.8.0 (default index)"."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import NamedTuple
from urllib.parse import urlsplit

from bootstrap.lock.canonical import locked_address
from bootstrap.resolver.resolution import Direct, Pin

__all__ = ["Difference", "difference", "place"]

VARIANT_PAGE = re.compile(r"/whl/(?:(nightly|test)/)?([a-z]+[0-9.]*)/?$")


class Difference(NamedTuple):
    """One phrase per package, sorted by name; all empty where nothing changed."""

    added: tuple[str, ...]
    removed: tuple[str, ...]
    changed: tuple[str, ...]


def difference(old: Iterable[Pin], new: Iterable[Pin], names: Mapping[str, str] | None = None) -> Difference:
    """What it takes to go from one set of pins to another; `names` says how people call an index, by address.

    A version that gained or lost files, but kept the hashes of those that stayed, is no change.
    """
    words = {_bare(address): name for address, name in (names or {}).items()}
    before = {pin.name: pin for pin in old}
    after = {pin.name: pin for pin in new}
    return Difference(
        added=tuple(f"{name} {after[name].version}" for name in sorted(after.keys() - before.keys())),
        removed=tuple(f"{name} {before[name].version}" for name in sorted(before.keys() - after.keys())),
        changed=tuple(
            phrase
            for name in sorted(before.keys() & after.keys())
            if (phrase := _change(before[name], after[name], words))
        ),
    )


def place(pin: Pin, names: Mapping[str, str]) -> str:
    """Where a package comes from, as people say it; `names` by address without credentials and closing slash."""
    if pin.direct is not None:
        return _direct(pin.direct)
    address = _bare(pin.index or "")
    if address in names:
        return names[address]
    page = VARIANT_PAGE.search(address)
    if page:
        return " ".join(["pytorch", *filter(None, page.groups())])
    return urlsplit(address).netloc or address or "default index"


def _change(old: Pin, new: Pin, names: Mapping[str, str]) -> str | None:
    places = place(old, names), place(new, names)
    if _source(old) != _source(new):
        # Two addresses may have one name; then the version alone would say that nothing changed.
        places = places if places[0] != places[1] else (_source(old), _source(new))
        return f"{new.name} {old.version} ({places[0]}) → {new.version} ({places[1]})"
    if old.version != new.version:
        return f"{new.name} {old.version} → {new.version}"
    if not _same_files(old, new):
        return f"{new.name} {new.version}: same version, other files"
    return None


def _same_files(old: Pin, new: Pin) -> bool:
    before = {file.filename: file.hashes for file in old.files}
    after = {file.filename: file.hashes for file in new.files}
    common = before.keys() & after.keys()
    if (before or after) and not common:
        return False
    return all(_agree(before[name], after[name]) for name in common)


def _agree(old: Mapping[str, str], new: Mapping[str, str]) -> bool:
    return all(old[algorithm] == new[algorithm] for algorithm in old.keys() & new.keys())


def _source(pin: Pin) -> str:
    return _direct(pin.direct) if pin.direct is not None else _bare(pin.index or "")


def _direct(direct: Direct) -> str:
    if direct.commit:
        address = locked_address(direct.url).removeprefix("git+").partition("#")[0]
        return f"{address.removesuffix(f'@{direct.commit}')} at {direct.commit[:12]}"
    if direct.path is not None:
        return f"{direct.path}, editable" if direct.editable else str(direct.path)
    digest = next(iter(direct.hashes.values()), "")
    return locked_address(direct.url) + (f", {digest[:12]}" if digest else "")


def _bare(address: str) -> str:
    return locked_address(address).rstrip("/")
