"""Is an environment what was asked for? Everything is looked at, and every issue is said at once.

This reads what is on the disk. Whether torch works is another question (proof.py).
"""

from __future__ import annotations

import base64
import csv
import hashlib
import os
from collections import deque
from collections.abc import Container, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import NormalizedName, canonicalize_name
from packaging.version import InvalidVersion, Version

from bootstrap.environment.installed import Distribution, by_name, installed
from bootstrap.errors import VerificationError
from bootstrap.wheels.workers import thread_count

__all__ = [
    "altered",
    "issues",
    "same_version",
    "spoiled_files",
    "unmet",
    "verify",
    "verify_consistency",
]

CHUNK = 1024 * 1024
RECORD_COLUMNS = 3
SHOWN = 3  # missing files named per package


def verify(
    *site_packages: Path,
    expected: Mapping[str, Version],
    markers: Mapping[str, str],
    extras: Mapping[str, frozenset[str]] | None = None,
    overridden: Container[str] = (),
    guests: Container[str] = (),
) -> None:
    """Compare an environment with what was locked. Raises VerificationError with all `issues`."""
    found = issues(
        *site_packages, expected=expected, markers=markers, extras=extras or {}, overridden=overridden, guests=guests
    )
    if found:
        raise VerificationError(found)


def verify_consistency(
    *site_packages: Path,
    expected: Mapping[str, Version],
    markers: Mapping[str, str],
    extras: Mapping[str, frozenset[str]] | None = None,
    overridden: Container[str] = (),
    guests: Container[str] = (),
) -> None:
    """`verify` without a look at each file: for an environment whose files have just been put there, one by one.

    Raises VerificationError with all that does not fit together.
    """
    packages = by_name(installed(*site_packages))
    found = tuple(_inconsistencies(packages, expected, markers, extras or {}, overridden=overridden, guests=guests))
    if found:
        raise VerificationError(found)


def issues(
    *site_packages: Path,
    expected: Mapping[str, Version],
    markers: Mapping[str, str],
    extras: Mapping[str, frozenset[str]],
    overridden: Container[str] = (),
    guests: Container[str] = (),
) -> tuple[str, ...]:
    """What is wrong, one sentence each: names and full versions, requirements, and files that should be there.

    `extras` are those that the project asks for, by normalized name; what packages ask of one another is followed.
    Requirements on `overridden` names are the project's own affair. `guests` may be there without being expected.
    """
    packages = by_name(installed(*site_packages))
    return (
        *_inconsistencies(packages, expected, markers, extras, overridden=overridden, guests=guests),
        *(issue for several in packages.values() for each in several for issue in _missing_files(each)),
    )


def unmet(*site_packages: Path, of: Container[str], markers: Mapping[str, str]) -> tuple[str, ...]:
    """The requirements of some packages, by normalized name, that an environment does not meet, one sentence each."""
    packages = by_name(installed(*site_packages))
    return tuple(_unmet(packages, tuple(name for name in packages if name in of), markers, {}, ()))


def _inconsistencies(
    packages: Mapping[NormalizedName, tuple[Distribution, ...]],
    expected: Mapping[str, Version],
    markers: Mapping[str, str],
    extras: Mapping[str, frozenset[str]],
    *,
    overridden: Container[str],
    guests: Container[str],
) -> Iterator[str]:
    wanted = {canonicalize_name(name): version for name, version in expected.items()}
    yield from _differences({name: each for name, each in packages.items() if name not in guests}, wanted)
    # What a guest lacks is a warning to whoever brought it, and no reason to refuse the environment.
    yield from _unmet(packages, tuple(name for name in packages if name not in guests), markers, extras, overridden)


def _differences(
    packages: Mapping[NormalizedName, tuple[Distribution, ...]], expected: Mapping[NormalizedName, Version]
) -> Iterator[str]:
    for name, several in packages.items():
        if len(several) > 1:
            listed = ", ".join(each.version or "unknown" for each in several)
            yield f"{name} is installed {len(several)} times ({listed}); there may be one."
        if name not in expected:
            yield f"{name} {several[0].version} is installed, but it is not in the lock."
        elif not same_version(several[0], expected[name]):
            yield f"{name} is installed in version {several[0].version or 'unknown'}, but {expected[name]} is locked."
    for name, version in expected.items():
        if name not in packages:
            yield f"{name} {version} is locked, but it is not installed."


def same_version(package: Distribution, version: Version) -> bool:
    """Whether a package is of this very version, local part included."""
    return _version(package.version) == version


def _version(text: str) -> Version | None:
    try:
        return Version(text)
    except InvalidVersion:
        return None


def _unmet(
    packages: Mapping[NormalizedName, tuple[Distribution, ...]],
    first: tuple[NormalizedName, ...],
    markers: Mapping[str, str],
    asked: Mapping[str, frozenset[str]],
    overridden: Container[str],
) -> Iterator[str]:
    """Follow the requirements of the `first` packages, without extras and with each that is in play, each once."""
    waiting = deque([(name, "") for name in first])
    waiting.extend((canonicalize_name(name), extra) for name, extras in asked.items() for extra in sorted(extras))
    seen = set(waiting)
    said: set[str] = set()
    while waiting:
        name, extra = waiting.popleft()
        for each in packages.get(name, ())[:1]:
            for requirement in _requirements(each, markers, extra):
                needed = canonicalize_name(requirement.name)
                more = [(needed, canonicalize_name(another)) for another in sorted(requirement.extras)]
                waiting.extend(pair for pair in more if pair not in seen)
                seen.update(more)
                issue = "" if needed in overridden else _complaint(each, requirement, packages.get(needed, ()))
                if issue and issue not in said:
                    said.add(issue)
                    yield issue


def _requirements(package: Distribution, markers: Mapping[str, str], extra: str) -> Iterator[Requirement]:
    """The requirements that count here."""
    environment = {**markers, "extra": extra}
    for text in package.requires:
        marker = text.partition(";")[2]
        # Most requirements of most packages are for extras; parsing them would take most of the time.
        if not extra and "extra ==" in marker and " or " not in marker:
            continue
        try:
            requirement = Requirement(text)
        except InvalidRequirement:
            continue
        if requirement.marker is None or requirement.marker.evaluate(environment):
            yield requirement


def _complaint(package: Distribution, requirement: Requirement, found: tuple[Distribution, ...]) -> str:
    needs = f"{package.name} {package.version} needs {requirement.name}{requirement.specifier}"
    if not found:
        return f"{needs}, which is not installed."
    version = _version(found[0].version)
    if version is None or not requirement.specifier.contains(version, prereleases=True):
        return f"{needs}, but {found[0].version or 'an unknown version'} is installed."
    return ""


def _missing_files(package: Distribution) -> Iterator[str]:
    if not package.record:
        yield f"{package.name} {package.version} has no RECORD, so nobody knows which files are its own."
        return
    gone = [path for path, is_there in spoiled_files(package) if not is_there]
    if gone:
        more = f" and {len(gone) - SHOWN} more" if len(gone) > SHOWN else ""
        yield f"{package.name} {package.version} lacks {', '.join(gone[:SHOWN])}{more}."


def spoiled_files(package: Distribution) -> Iterator[tuple[str, bool]]:
    """The files of a package that are gone or have another size than its RECORD says, and whether they are there."""
    if not package.record:
        return
    site = str(package.folder.parent)
    with (package.folder / "RECORD").open(encoding="utf-8", newline="") as file:
        for row in csv.reader(file):
            if row:
                try:
                    size = os.stat(f"{site}/{row[0]}").st_size  # noqa: PTH116 - one string per file
                except OSError:
                    yield row[0], False
                    continue
                if len(row) == RECORD_COLUMNS and row[2].isdecimal() and int(row[2]) != size:
                    yield row[0], True


def altered(*site_packages: Path) -> tuple[str, ...]:
    """Files whose bytes are not what their RECORD promises, one sentence per package. Reads everything: seconds."""
    with ThreadPoolExecutor(max_workers=thread_count()) as readers:
        return tuple(issue for issue in readers.map(_altered_files, installed(*site_packages)) if issue)


def _altered_files(package: Distribution) -> str:
    if not package.record:
        return ""
    site = package.folder.parent
    wrong = []
    with (package.folder / "RECORD").open(encoding="utf-8", newline="") as file:
        for path, promised, _ in (row for row in csv.reader(file) if len(row) == RECORD_COLUMNS):
            algorithm, _, expected = promised.partition("=")
            if algorithm in hashlib.algorithms_guaranteed and _digest(site / path, algorithm) not in {expected, None}:
                wrong.append(path)
    if not wrong:
        return ""
    more = f" and {len(wrong) - SHOWN} more" if len(wrong) > SHOWN else ""
    return f"{package.name} {package.version}: {', '.join(wrong[:SHOWN])}{more} was changed after it was installed."


def _digest(path: Path, algorithm: str) -> str | None:
    """As RECORD spells it; None for a file that is gone, which is another issue."""
    digest = hashlib.new(algorithm)
    try:
        with path.open("rb") as file:
            while chunk := file.read(CHUNK):
                digest.update(chunk)
    except OSError:
        return None
    return base64.urlsafe_b64encode(digest.digest()).rstrip(b"=").decode()
