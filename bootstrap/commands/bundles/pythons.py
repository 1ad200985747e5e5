"""Interpreters in a bundle: archives as `torchstrap python install` takes them, put in by one and installed by another.

bundle --with-python      the newest build of each Python of the bundle, for each of its platforms
sync --bundle             where no Python here fits, one that the bundle has is installed as if it had been fetched
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bootstrap.bundle.manifest import Cell
from bootstrap.commands.bundles.gathering import loaded
from bootstrap.commands.bundles.taking import Taken
from bootstrap.commands.pythons.installing import Supply, install
from bootstrap.commands.pythons.wanted import folder, here
from bootstrap.commands.session import Session
from bootstrap.environment.discovery import MissingPythonError
from bootstrap.environment.standalone import BASE_URL, Build, Table, platform_of, read_table
from bootstrap.errors import NoCompatibleFileError, NotPermittedError
from bootstrap.index.files import File
from bootstrap.wheels.transfer import Source, Streamed

__all__ = ["fetched_for", "installed_from"]


def fetched_for(session: Session, cells: Sequence[Cell]) -> tuple[Path, ...]:
    """The archives of the Pythons that the cells are for. Raises NoCompatibleFileError, NotPermittedError."""
    settings = session.settings
    if "python-downloads" in session.machine_policy.enforced and not settings.python_downloads:
        raise NotPermittedError(
            f"--with-python: {session.machine_policy.path} permits no download of Pythons; leave it out, or name the "
            f"archive of one that is here with --with-python FILE"
        )
    table, base = read_table(settings.python_table), (settings.python_mirror or BASE_URL).rstrip("/")
    builds = [_newest(table, python, platform) for python, platform in dict.fromkeys(each[1:] for each in cells)]
    files = [File(each.filename, f"{base}/{each.path}", "", {"sha256": each.sha256}) for each in builds]
    paths = loaded(session, files)
    return tuple(paths[each.sha256] for each in builds)


def _newest(table: Table, python: str, platform: str) -> Build:
    wanted = platform_of(platform, "glibc" if platform.startswith("linux") else None)
    for each in table.of(wanted):
        if each.version.startswith(f"{python}."):
            return each
    raise NoCompatibleFileError(
        f"--with-python: there is no build of Python {python} for {platform}; name an archive with --with-python FILE"
    )


def installed_from(session: Session, bundle: Taken, missing: MissingPythonError) -> bool:
    """Install a Python of the bundle that would do; whether it has one, and may change this machine.

    Raises what installing raises.
    """
    carried = {each.sha256: each for each in bundle.manifest.of("python")}
    if not carried or session.asked.dry_run or session.asked.check:
        return False
    several = read_table(session.settings.python_table).of(here())
    build = next((each for each in several if each.sha256 in carried and missing.admits(each.version)), None)
    if build is None:
        return False
    session.activity.step(f"Installing Python {build.version} out of the bundle")
    base = bundle.bundle.base.rstrip("/")
    addresses = {f"{base}/{build.path}": bundle.bundle.address(carried[build.sha256])}
    install(build, Supply(base, _Renamed(session.source, addresses), folder()))
    return True


@dataclass(frozen=True)
class _Renamed:
    """A source that knows files by other addresses."""

    source: Source
    addresses: Mapping[str, str]

    @contextmanager
    def piece(
        self, url: str, start: int = 0, end: int | None = None, unchanged: str | None = None
    ) -> Iterator[Streamed]:
        with self.source.piece(self.addresses.get(url, url), start, end, unchanged) as answer:
            yield answer
