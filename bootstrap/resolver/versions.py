"""Version sets are integers: one bit per version that a package has, and one for "not selected".

    bit      0         1       2       3       4
    means    absent    1.0     1.1     2.0     2.1        oldest to newest
    >=1.1    0         0       1       1       1          = 0b11100

Once a page is read the versions are a finite list, so `&`, `|` and `~` are the whole algebra of sets,
and "newest" is the highest bit. Nothing here knows intervals, and nothing needs to.

Every PEP 440 operator but `===` picks versions that lie next to each other in sorted order, so a
specifier becomes a mask by bisection: a page of 4000 versions costs a dozen comparisons.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence

from packaging.specifiers import Specifier, SpecifierSet
from packaging.version import Version

__all__ = ["ABSENT", "bit", "describe", "everything", "mask_of", "newest", "span", "words_of"]

ABSENT = 1
"""The state of a package that is not selected."""

SHOWN_RUNS = 4

_PLAIN_PREFIX = re.compile(r"(?:\d+!)?\d+(?:\.\d+)*\Z")


def bit(index: int) -> int:
    """The mask that holds only the version at `index`, counted from 0 (oldest)."""
    return 2 << index


def everything(count: int) -> int:
    """The mask of every state of a package with `count` versions, absence included."""
    return (2 << count) - 1


def newest(mask: int) -> int:
    """The index of the newest version in `mask`."""
    return mask.bit_length() - 2


def span(low: int, high: int) -> int:
    """The mask of versions `low` (included) to `high` (excluded), both indexes counted from 0."""
    return (2 << high) - (2 << low) if high > low else 0


def mask_of(specifiers: SpecifierSet, versions: Sequence[Version]) -> int:
    """The versions (sorted, oldest first) that satisfy every specifier; pre-releases count like any other."""
    mask = span(0, len(versions))
    for specifier in specifiers:
        mask &= _mask_of_one(specifier, versions)
    return mask


def _mask_of_one(specifier: Specifier, versions: Sequence[Version]) -> int:
    operator, text, count = specifier.operator, specifier.version, len(versions)

    def fits(version: Version) -> bool:
        return specifier.contains(version, prereleases=True)

    def other(version: Version) -> bool:
        return not specifier.contains(version, prereleases=True)

    if operator in {">=", ">"}:
        return span(_first(versions, fits, 0), count)
    if operator in {"<=", "<"}:
        return span(0, _first(versions, other, 0))
    prefix = text.removesuffix(".*")
    if operator == "===" or (prefix != text and not _PLAIN_PREFIX.match(prefix)):
        return sum(bit(index) for index, version in enumerate(versions) if fits(version))
    low = bisect_left(versions, Version(f"{prefix}.dev0" if prefix != text else prefix))
    if operator == "!=":
        return span(0, count) & ~span(low, _first(versions, fits, low))
    return span(low, _first(versions, other, low))


def _first(versions: Sequence[Version], holds: Callable[[Version], bool], low: int) -> int:
    """The first index from `low` on where `holds`, which stays true once it is."""
    high = len(versions)
    while low < high:
        middle = (low + high) // 2
        if holds(versions[middle]):
            high = middle
        else:
            low = middle + 1
    return low


def describe(mask: int, versions: Sequence[Version], joint: str = "or") -> str:
    """A version set as people say it: "2.5.1 to 2.8.0", "2.6 or newer", "any version"; neighbours are folded."""
    count = len(versions)
    inside = mask & span(0, count)
    if not inside:
        return "no version"
    outside = span(0, count) & ~inside
    if not outside:
        return "any version"
    taken, missing = list(_runs(inside, count)), list(_runs(outside, count))
    if len(missing) < len(taken) and 2 * outside.bit_count() <= inside.bit_count():
        return f"any version but {_listed(missing, versions, 'and')}"
    if len(taken) == 1:
        low, high = taken[0]
        if high == count and low < count - 1:
            return f"{versions[low]} or newer"
        if low == 0 and high > 1:
            return f"{versions[high - 1]} or older"
    return _listed(taken, versions, joint)


def _runs(mask: int, count: int) -> Iterator[tuple[int, int]]:
    """The runs of neighbouring versions in `mask` as (first, behind the last)."""
    index = 0
    while index < count and mask >> (index + 1):
        rest = mask >> (index + 1)
        low = index + (rest & -rest).bit_length() - 1
        inverse = ~(mask >> (low + 1))
        high = low + (inverse & -inverse).bit_length() - 1
        yield low, high
        index = high


def _listed(runs: Sequence[tuple[int, int]], versions: Sequence[Version], joint: str) -> str:
    if len(runs) > SHOWN_RUNS:
        return f"{versions[runs[0][0]]} to {versions[runs[-1][1] - 1]} (not all of them)"
    texts = [text for low, high in runs for text in _run_texts(versions[low:high])]
    return texts[0] if len(texts) == 1 else f"{', '.join(texts[:-1])} {joint} {texts[-1]}"


def _run_texts(run: Sequence[Version]) -> list[str]:
    return [str(version) for version in run] if len(run) <= 2 else [f"{run[0]} to {run[-1]}"]  # noqa: PLR2004 - a pair


_WORDS = {
    ">=": "{} or newer",
    ">": "newer than {}",
    "<=": "{} or older",
    "<": "older than {}",
    "==": "{}",
    "===": "exactly {}",
    "!=": "not {}",
}
# The order in which the parts of one requirement are said.
_ORDER = ("===", "==", ">=", ">", "<", "<=", "!=")


def _reading_order(bound: tuple[str, str]) -> tuple[int, str]:
    return _ORDER.index(bound[0]), bound[1]


def _bounds(operator: str, text: str) -> list[tuple[str, str]]:
    """A compatible release is two bounds: `~=2.2` says 2.2 or newer and older than 3."""
    if operator != "~=":
        return [(operator, text)]
    version = Version(text)
    series = [*version.release[:-2], version.release[-2] + 1]
    epoch = f"{version.epoch}!" if version.epoch else ""
    return [(">=", text), ("<", epoch + ".".join(map(str, series)))]


def words_of(specifiers: SpecifierSet) -> str:
    """A specifier set in words: `>=2.6,<3` is "2.6 or newer and older than 3"; nothing asked is "any version"."""
    bounds = [bound for each in specifiers for bound in _bounds(each.operator, each.version)]
    said = [_WORDS[operator].format(text.replace(".*", ".x")) for operator, text in sorted(bounds, key=_reading_order)]
    if not said:
        return "any version"
    return said[0] if len(said) == 1 else f"{', '.join(said[:-1])} and {said[-1]}"
