"""The wheels that vendored.txt names, from a folder of wheels, from what was fetched before, or from an index."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from packaging.requirements import Requirement
from packaging.version import Version

from bootstrap.commands.activity import Activity
from bootstrap.commands.asked import Asked
from bootstrap.commands.session import Session, opened
from bootstrap.errors import InputError, NoCompatibleFileError
from bootstrap.wheels.store import sha256_of

__all__ = ["gathered"]


def gathered(vendored: Path, near: Path | None, activity: Activity) -> Iterator[Path]:
    """The file of each wheel, in the order of the list; those in the folder `near` need no index.

    Raises InputError for a line that does not say one version and its hash, NoCompatibleFileError for a wheel that
    nobody has, and as fetching does.
    """
    here = {sha256_of(each): each for each in sorted(near.glob("*.whl"))} if near is not None else {}
    with opened(Asked(requirements=(vendored.absolute(),)), activity) as session:
        activity.step("Fetching what torchstrap is made of")
        for requirement in session.project.dependencies:
            sha256 = _promised(session, requirement, vendored)
            yield here.get(sha256) or _fetched(session, requirement, sha256)


def _promised(session: Session, requirement: Requirement, vendored: Path) -> str:
    hashes = [each.partition(":")[2] for each in session.project.hashes.get(str(requirement), ())]
    is_pinned = [each.operator for each in requirement.specifier] == ["=="]
    if len(hashes) != 1 or not is_pinned:
        raise InputError(vendored, f"{requirement} is no `name==version --hash=sha256:…`; write it anew with --update")
    return hashes[0]


def _fetched(session: Session, requirement: Requirement, sha256: str) -> Path:
    version = Version(next(iter(requirement.specifier)).version)
    listing = session.catalogue.listing(requirement.name)
    for file in listing.versions.get(version, ()):
        # Folders and old pages promise nothing: then what arrives has to be it.
        if file.is_wheel and file.hashes.get("sha256", sha256) == sha256:
            return session.workshop.archives.fetch(replace(file, hashes={"sha256": sha256}))
    raise NoCompatibleFileError(
        f"no index has the wheel of {requirement.name} {version} whose sha256 is {sha256}; "
        f"put it into a folder and name that with --wheels, or resolve anew with --update"
    )
