"""Which wheels torchstrap.pyz carries: vendored.txt, written by our own resolver and read by our own reader.

    name==version --hash=sha256:…      a wheel for every Python 3 on every platform, nothing else

The versions are resolved for the lowest Python that we support, where the choice is smallest, and then have to hold for
every other Python and platform, which may add names and change nothing.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from packaging.pylock import Package
from packaging.tags import Tag
from packaging.utils import InvalidWheelFilename, parse_wheel_filename

from bootstrap import toml
from bootstrap.commands.activity import Activity
from bootstrap.commands.asked import Asked
from bootstrap.commands.locks.relocking import lock
from bootstrap.commands.session import opened
from bootstrap.errors import BootstrapError, NoCompatibleFileError
from bootstrap.lock.pylock_read import document

__all__ = ["PLATFORMS", "PYTHONS", "UNUSED", "VENDORED", "lines", "pinned"]

VENDORED = Path(__file__).parent / "vendored.txt"
PYTHONS = ("3.10", "3.11", "3.12", "3.13", "3.14")
PLATFORMS = ("linux_x86_64", "linux_aarch64", "macos_arm64", "macos_x86_64", "windows_x86_64")
UNUSED = {
    "pygments": "rich colours source code with it, and we show none",
    "markdown-it-py": "rich renders Markdown with it, and we have none",
    "mdurl": "a part of markdown-it-py",
}
"""What our dependencies ask for and do without, with the reason."""
_EVERYWHERE = Tag("py3", "none", "any")


def pinned(pyproject: Path, activity: Activity) -> str:
    """The text of vendored.txt for the dependencies of a project. Raises BootstrapError if there is no such set."""
    wanted = [str(each) for each in toml.load(pyproject)["project"]["dependencies"]]
    with tempfile.TemporaryDirectory(prefix="torchstrap-") as scratch:
        folder = Path(scratch)
        lowest = _locked(_asked(folder, wanted, (), PYTHONS[:1], PLATFORMS[:1]), activity)
        held = [f"{each.name}=={each.version}" for each in lowest]
        everywhere = _locked(_asked(folder, wanted, held, PYTHONS, PLATFORMS), activity)
    return "".join(f"{line}\n" for line in lines(everywhere))


def _asked(
    folder: Path, wanted: Sequence[str], held: Sequence[str], pythons: Sequence[str], platforms: Sequence[str]
) -> Asked:
    files = {name: folder / f"{name}.txt" for name in ("wanted", "held")}
    for name, requirements in (("wanted", wanted), ("held", held)):
        files[name].write_text("".join(f"{each}\n" for each in requirements), encoding="utf-8")
    return Asked(
        requirements=(files["wanted"],),
        constraints=(files["held"],),
        python_versions=tuple(pythons),
        platforms=tuple(platforms),
        output=str(folder / "pylock.toml"),
        settings={"no_build": True},
    )


def _locked(asked: Asked, activity: Activity) -> Sequence[Package]:
    with opened(asked, activity) as session:
        done = lock(session)
    if done.warnings:
        raise BootstrapError(f"what torchstrap needs cannot be had everywhere: {'; '.join(done.warnings)}")
    return document(done.path).packages


def lines(packages: Sequence[Package]) -> Iterator[str]:
    """One for each package, by name. Raises BootstrapError where one has several versions, or no wheel for all."""
    versions: dict[str, Package] = {}
    for each in sorted(packages, key=lambda each: each.name):
        before = versions.setdefault(each.name, each)
        if before.version != each.version:
            raise BootstrapError(
                f"{each.name} would be {before.version} on one Python and {each.version} on another; "
                f"one file can carry one of them: narrow it in pyproject.toml"
            )
    yield from (
        f"{each.name}=={each.version} --hash=sha256:{_hash(each)}"
        for each in versions.values()
        if each.name not in UNUSED
    )


def _hash(package: Package) -> str:
    for wheel in package.wheels or ():
        hashes: Mapping[str, str] = wheel.hashes
        if _is_for_all(wheel.filename) and "sha256" in hashes:
            return hashes["sha256"]
    raise NoCompatibleFileError(
        f"{package.name} {package.version} has no wheel for every Python 3 on every platform (py3-none-any), "
        f"and one file can carry no other; do without it, or name another version in pyproject.toml"
    )


def _is_for_all(filename: str) -> bool:
    try:
        return _EVERYWHERE in parse_wheel_filename(filename)[3]
    except InvalidWheelFilename:
        return False
