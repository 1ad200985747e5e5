"""Packages from git: which commit an address means in this run, and its files.

    git+https://host/repo@main   ── the commit in the lock, unless it is to be upgraded
                                 ── else what `main` is now     asked once in a run

Passwords in addresses are taken out of them here, and kept for the server that they are for.
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, TypeGuard

from packaging.utils import canonicalize_name

from bootstrap.errors import BadDistributionError, InputError
from bootstrap.index.addresses import credentials, origin, rewrite, without_secrets
from bootstrap.lock.pylock_read import read
from bootstrap.project.model import Project
from bootstrap.project.repository import Repository, is_repository, read_repository
from bootstrap.resolver.resolution import Direct

if TYPE_CHECKING:
    from bootstrap.build.repositories import Repositories
    from bootstrap.commands.session import Session

__all__ = ["Commits", "is_commit", "vcs_information"]

_HTTP = ("http://", "https://")


def is_commit(what: object) -> TypeGuard[Direct]:
    """Whether something that can be built comes from git."""
    return isinstance(what, Direct) and (is_repository(what.url) or what.commit is not None)


def vcs_information(direct: Direct) -> Mapping[str, object]:
    """What PEP 610 wants to know of a commit."""
    found = _read(direct)
    asked = Repository("", direct.revision).words
    revision = {"requested_revision": asked} if asked else {}
    inside = {"subdirectory": found.subdirectory} if found.subdirectory else {}
    information = {"vcs": "git", **revision, "commit_id": direct.commit}
    return {"url": without_secrets(found.url), "vcs_info": information, **inside}


@dataclass
class Commits:
    """The commits of one session."""

    session: Session
    _settled: dict[tuple[str, str | None], str] = field(default_factory=dict)
    _checkouts: dict[tuple[str, bool], Path] = field(default_factory=dict)

    def settled(self, direct: Direct) -> Direct:
        """With the commit that its revision means. Raises BadDistributionError for an address that git has not."""
        if direct.commit:
            return direct
        found = _read(direct)
        key = (without_secrets(found.url), found.revision)
        if key not in self._settled:
            kept = found.commit or self._locked.get(key)
            if kept is None:
                self.session.activity.step(f"Asking {key[0]} for {found.words or 'its newest commit'}")
            self._settled[key] = kept or self._repositories.commit(found)
        commit = self._settled[key]
        address = replace(found, url=key[0], revision=commit).address
        return replace(direct, url=address, commit=commit, subdirectory=found.subdirectory, revision=found.revision)

    def project(self, direct: Direct) -> Path:
        """The folder of the project of a settled commit, to be read and nothing else."""
        from bootstrap.build.repositories import project_in  # noqa: PLC0415 - most environments have nothing of git

        found = _read(direct)
        return project_in(self._checkout(direct, with_history=False), found, direct.commit or "")

    def copied(self, direct: Direct, folder: Path) -> Path:
        """The project of a settled commit in a copy of all files, for a build to write in.

        With its history where the backend may make the version from that.
        """
        from bootstrap.build.declared import declared_metadata  # noqa: PLC0415
        from bootstrap.build.repositories import project_in  # noqa: PLC0415 - most environments have nothing of git

        checkout = self._checkout(direct, with_history=declared_metadata(self.project(direct)) is None)
        copy = folder / self.place(direct).name
        shutil.copytree(checkout, copy, symlinks=True)
        return project_in(copy, _read(direct), direct.commit or "")

    def place(self, direct: Direct) -> Path:
        """A path of its own for each project of each commit, for notes beside it. Nothing need be there."""
        found = _read(direct)
        digest = hashlib.sha256(without_secrets(direct.url).encode()).hexdigest()
        name = found.url.rstrip("/").rpartition("/")[2].removesuffix(".git")
        folder = self.session.cache / "git" / "built" / digest
        folder.mkdir(parents=True, exist_ok=True)
        return folder / f"{name}-{(direct.commit or '')[:12]}"

    def words(self, direct: Direct, package: str) -> str:
        """What people call it."""
        return f"{package} ({without_secrets(_read(direct).url)} at {(direct.commit or '')[:12]})"

    def _checkout(self, direct: Direct, *, with_history: bool) -> Path:
        key = (direct.url, with_history)
        if key not in self._checkouts:
            found = _read(direct)
            self.session.activity.step(f"Fetching {without_secrets(found.url)}")
            self._checkouts[key] = self._repositories.checkout(found, direct.commit or "", with_history=with_history)
        return self._checkouts[key]

    @cached_property
    def _repositories(self) -> Repositories:
        from bootstrap.build.git import Access, Git  # noqa: PLC0415 - most environments have nothing of git
        from bootstrap.build.repositories import Repositories  # noqa: PLC0415

        settings = self.session.settings
        addresses = [*_addresses(self.session.project), *(target for _, target in settings.mirrors)]
        logins = {}
        for each in addresses:
            pair = credentials(each) if each.startswith(_HTTP) else None
            if pair is not None:
                logins[origin(rewrite(each, settings.mirrors))] = pair
        access = Access(
            cert=settings.cert,
            client_cert=settings.client_cert,
            proxy=settings.proxy,
            trusted_hosts=settings.trusted_hosts,
            mirrors=settings.mirrors,
            logins=logins,
        )
        return Repositories(self.session.cache / "git", Git(access), settings.offline)

    @cached_property
    def _locked(self) -> Mapping[tuple[str, str | None], str]:
        """The commits in the lock that is there, by repository and revision.

        Projects of one repository move together, so one that is to be upgraded takes the others along.
        """
        asked = self.session.asked
        if asked.upgrade:
            return {}
        upgraded = set(map(canonicalize_name, asked.upgrade_packages))
        found: dict[tuple[str, str | None], str] = {}
        moved: set[tuple[str, str | None]] = set()
        for name, direct in _locked_commits(self.session):
            key = (_read(direct).url, direct.revision)
            found[key] = direct.commit or ""
            if name in upgraded:
                moved.add(key)
        return {key: commit for key, commit in found.items() if key not in moved}


def _read(direct: Direct) -> Repository:
    try:
        return read_repository(direct.url)
    except ValueError as error:
        raise BadDistributionError(without_secrets(direct.url), [str(error)]) from error


def _locked_commits(session: Session) -> Iterator[tuple[str, Direct]]:
    try:
        lock = read(session.lock_path)
    except InputError:  # there is none; or whoever is to write one says what is wrong with this
        return
    for resolution in lock.resolutions:
        for pin in resolution.pins:
            if pin.direct is not None and pin.direct.commit:
                yield pin.name, pin.direct


def _addresses(project: Project) -> Iterator[str]:
    """Every address of a repository that the project itself has written."""
    groups = (*project.extras.values(), *project.groups.values(), project.constraints, project.overrides)
    for requirement in (*project.dependencies, *(each for several in groups for each in several)):
        if requirement.url and is_repository(requirement.url):
            yield requirement.url[4:]
    for several in project.sources.values():
        yield from (source.git for source in several if source.git)
