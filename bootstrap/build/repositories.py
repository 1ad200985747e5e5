"""Git repositories in the cache: what was fetched of each, and the folders that builds begin from.

    <root>/mirrors/<key>/                     bare; holds only the commits that were asked for
    <root>/mirrors/<key>/refs/torchstrap/…    a reference for each commit that is here as a whole
    <root>/mirrors/<key>.lock                 held by who fetches or checks out
    <root>/checkouts/<key>/<commit>/          one folder per commit, made beside and renamed; nobody builds in it

A commit is fetched without its history where the server can do that. `with_history` fetches all of it, and the tags:
backends that make versions from them need both. A checkout borrows the objects of its mirror.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from bootstrap.build.git import Git
from bootstrap.errors import RefusedError, RepositoryError
from bootstrap.index.addresses import rewrite, without_secrets
from bootstrap.project.repository import Repository
from bootstrap.project.tables import listed, meant
from bootstrap.wheels.disk import writing

if sys.platform != "win32":
    import fcntl

__all__ = ["Repositories", "project_in"]

_HEX = re.compile(r"[0-9a-fA-F]{4,64}")
_FETCHED, _DEEP = "refs/torchstrap/commits", "refs/torchstrap/histories"
_EVERYTHING = ("+refs/heads/*:refs/heads/*", "+refs/tags/*:refs/tags/*")
_DESCRIPTIONS = ("pyproject.toml", "setup.py", "setup.cfg")
_DEPTH = 2  # folders below the top that are looked into for a project


@dataclass(frozen=True, slots=True)
class Repositories:
    """The repositories below one folder, which need not exist yet. With `offline` no server is asked."""

    root: Path
    git: Git = field(default_factory=Git)
    offline: bool = False

    def commit(self, repository: Repository) -> str:
        """The commit that a repository's revision means now: branch, tag, commit or its beginning, in this order.

        Raises RepositoryError for one that it has not, UnreachableError, and RefusedError when offline.
        """
        if repository.commit is not None:
            return repository.commit
        shown = without_secrets(repository.url)
        self._ensure_online(shown)
        revision, url = repository.revision, self._asked(repository)
        names = _names(revision)
        found = self.git.references(url, *(each for name in names for each in (name, f"{name}^{{}}")))
        for name in names:
            if name in found:
                return found[name]
        if revision is not None and _HEX.fullmatch(revision):
            return self._beginning(repository, revision.lower())
        raise self._absent(repository, url)

    def checkout(self, repository: Repository, commit: str, *, with_history: bool = False) -> Path:
        """The folder with the files of a commit, submodules included, as they are: copy it before anything runs there.

        Raises RepositoryError for a commit that is gone and for what git refuses, UnreachableError, RefusedError.
        """
        suffix = f"{'-lfs' if repository.lfs else ''}{'-history' if with_history else ''}"
        place = self.root / "checkouts" / _key(repository) / f"{commit}{suffix}"
        with writing("fetching a git repository", self.root), self._held(repository) as mirror:
            with suppress(OSError):  # `cache gc` goes by it
                os.utime(place)
                os.utime(mirror)
            if place.is_dir() and mirror.is_dir():
                return place
            self._fetch(repository, mirror, commit, with_history=with_history)
            if place.is_dir():
                return place
            place.parent.mkdir(parents=True, exist_ok=True)
            beside = Path(tempfile.mkdtemp(prefix=".", dir=place.parent))
            try:
                self._fill(repository, mirror, commit, beside)
                beside.chmod(0o755)
                beside.rename(place)
            finally:
                shutil.rmtree(beside, ignore_errors=True)
        return place

    def _asked(self, repository: Repository) -> str:
        """The address that is really asked: the mirror's, where one is set. Passwords are git's helper's matter."""
        return without_secrets(rewrite(without_secrets(repository.url), self.git.access.mirrors))

    def _ensure_online(self, shown: str) -> None:
        if self.offline:
            raise RefusedError(shown, "not asked, because this run is offline and the cache does not have it")

    def _absent(self, repository: Repository, url: str) -> RepositoryError:
        every = self.git.references(url)
        shown, revision = without_secrets(repository.url), repository.revision
        if revision is None:
            return RepositoryError(f"{shown} has no commit yet; name a branch that has one")
        prefix = revision.rpartition("/")[0] + "/" if revision.startswith("refs/") else None
        kind = {"refs/tags/": "tag", "refs/heads/": "branch"}.get(prefix or "", "branch, tag or commit")
        name = revision.removeprefix(prefix or "")
        known = [each.split("/", 2)[2] for each in every if each.startswith(prefix or ("refs/heads/", "refs/tags/"))]
        return RepositoryError(f"{shown} has no {kind} `{name}`; {meant(name, sorted(set(known))[:20])}")

    def _beginning(self, repository: Repository, text: str) -> str:
        """The one commit that begins so; all branches and tags have to be here to know it."""
        with writing("fetching a git repository", self.root), self._held(repository) as mirror:
            self._prepare(mirror)
            self._everything(self._asked(repository), mirror)
            done = self.git.run("rev-parse", "--verify", "--quiet", f"{text}^{{commit}}", folder=mirror)
        found = done.stdout.strip() if done is not None else ""
        if found.startswith(text):
            return found
        several = done is not None and "ambiguous" in done.stderr
        what = f"more than one object that begins with {text}; give more digits" if several else f"no commit {text}"
        raise RepositoryError(f"{without_secrets(repository.url)} has {what}")

    # Fetching ----------------------------------------------------------------------------------

    @contextmanager
    def _held(self, repository: Repository) -> Iterator[Path]:
        """The mirror's folder, which need not exist yet, with nobody else at it."""
        mirror = self.root / "mirrors" / _key(repository)
        mirror.parent.mkdir(parents=True, exist_ok=True)
        with mirror.with_name(f"{mirror.name}.lock").open("w") as file:
            if sys.platform != "win32":
                fcntl.flock(file, fcntl.LOCK_EX)
            yield mirror

    def _prepare(self, mirror: Path) -> None:
        """Make the mirror if there is none; else take away what a git that was killed has left locked."""
        if mirror.is_dir():
            for each in (*mirror.glob("*.lock"), *(mirror / "refs").rglob("*.lock")):
                each.unlink(missing_ok=True)
            return
        beside = Path(tempfile.mkdtemp(prefix=".", dir=mirror.parent))
        try:
            self.git.make("init", "--quiet", "--bare", "--template=", ".", folder=beside)
            beside.rename(mirror)
        finally:
            shutil.rmtree(beside, ignore_errors=True)

    def _fetch(self, repository: Repository, mirror: Path, commit: str, *, with_history: bool) -> None:
        mark = f"{_DEEP if with_history else _FETCHED}/{commit}"
        self._prepare(mirror)
        if self._has(mirror, mark):
            return
        self._ensure_online(without_secrets(repository.url))
        url = self._asked(repository)
        alone = f"+{commit}:{_FETCHED}/{commit}"
        if not with_history and self._tried(url, mirror, "--depth=1", alone):
            return
        if not (with_history and self._tried(url, mirror, *_deepening(mirror), *_EVERYTHING, alone)):
            self._everything(url, mirror)
        if not self._has(mirror, commit) and not self._tried(url, mirror, alone):
            raise RepositoryError(
                f"{without_secrets(repository.url)} has no commit {commit} (any more); "
                f"`torchstrap lock --upgrade` takes what its branch or tag is now"
            )
        for each in {mark, f"{_FETCHED}/{commit}"}:
            self.git.make("update-ref", each, commit, folder=mirror)

    def _has(self, mirror: Path, name: str) -> bool:
        done = self.git.run("rev-parse", "--verify", "--quiet", f"{name}^{{commit}}", folder=mirror)
        return done is not None and done.returncode == 0

    def _tried(self, url: str, mirror: Path, *words: str) -> bool:
        """One attempt that may fail because a server cannot do it; one that does not answer at all is an error."""
        options = [word for word in words if word.startswith("--")]
        references = [word for word in words if not word.startswith("--")]
        try:
            self.git.ask(url, "fetch", "--no-tags", "--quiet", *options, "--", url, *references, folder=mirror)
        except RefusedError:
            return False
        return True

    def _everything(self, url: str, mirror: Path) -> None:
        words = ("fetch", "--no-tags", "--quiet", *_deepening(mirror), "--", url, *_EVERYTHING)
        self.git.ask(url, *words, folder=mirror)

    # Checking out ------------------------------------------------------------------------------

    def _fill(self, repository: Repository, mirror: Path, commit: str, folder: Path) -> None:
        """A repository of its own that borrows the mirror's objects, with the commit's files."""
        git, inside = self.git, folder / ".git"
        git.make("init", "--quiet", "--template=", ".", folder=folder)
        (inside / "objects" / "info").mkdir(exist_ok=True)
        (inside / "objects" / "info" / "alternates").write_text(f"{mirror / 'objects'}\n", encoding="utf-8")
        if (mirror / "shallow").is_file():
            shutil.copy(mirror / "shallow", inside / "shallow")
        tags = git.make("for-each-ref", "--format=%(objectname) %(refname)", "refs/tags", folder=mirror)
        (inside / "packed-refs").write_text(f"# pack-refs with: \n{tags}", encoding="utf-8")
        git.make("config", "remote.origin.url", self._asked(repository), folder=folder)
        git.make("checkout", "--quiet", "--force", "--detach", commit, folder=folder)
        if repository.lfs:
            self._lfs(repository, folder, commit)
        if (folder / ".gitmodules").is_file():
            self._submodules(repository, folder)

    def _lfs(self, repository: Repository, folder: Path, commit: str) -> None:
        done = self.git.run("lfs", "version")
        shown = without_secrets(repository.url)
        if done is None or done.returncode:
            raise RepositoryError(f"{shown} is wanted with `lfs = true`, and there is no git-lfs here: install git-lfs")
        self._ensure_online(shown)
        self.git.make("lfs", "install", "--local", "--skip-smudge", folder=folder)
        self.git.ask(shown, "lfs", "fetch", "origin", commit, folder=folder)
        self.git.make("lfs", "checkout", folder=folder)

    def _submodules(self, repository: Repository, folder: Path) -> None:
        shown = without_secrets(repository.url)
        self._ensure_online(shown)
        words = ("submodule", "update", "--init", "--recursive", "--quiet")
        done = self.git.run(*words, "--depth=1", folder=folder)
        if done is None or done.returncode:
            self.git.ask(f"{shown}, its submodules", *words, folder=folder)


def project_in(checkout: Path, repository: Repository, commit: str) -> Path:
    """The folder of the project in a checkout. Raises RepositoryError where there is none, or only by a way out of it.

    A link may lead anywhere inside; what describes the project must not be read from elsewhere on this machine.
    """
    top, where = checkout.resolve(), f"{without_secrets(repository.url)} at {commit[:12]}"
    folder = checkout / (repository.subdirectory or ".")
    if not folder.is_dir():
        raise RepositoryError(f"{where} has no folder `{repository.subdirectory}`; correct the subdirectory")
    for path in (folder, *(folder / name for name in _DESCRIPTIONS)):
        with suppress(RuntimeError):  # links in a circle: they are not there
            if path.is_symlink() and not path.resolve().is_relative_to(top):
                link = path.relative_to(checkout).as_posix()
                raise RepositoryError(f"{where} is refused: {link} is a link that leads out of it")
    if not folder.resolve().is_relative_to(top):
        raise RepositoryError(f"{where} is refused: {repository.subdirectory} is a link that leads out of it")
    if not any((folder / name).is_file() for name in _DESCRIPTIONS[:2]):
        others = _projects_below(checkout)
        way_out = f"; it has projects in {listed(others)}: name one as the subdirectory" if others else ""
        inside = f" in `{repository.subdirectory}`" if repository.subdirectory else ""
        raise RepositoryError(f"{where} has no Python project{inside}: no pyproject.toml and no setup.py{way_out}")
    return folder


def _projects_below(checkout: Path) -> list[str]:
    patterns = ["/".join([*("*" for _ in range(depth)), name]) for depth in (1, _DEPTH) for name in _DESCRIPTIONS[:2]]
    found = {each.parent.relative_to(checkout).as_posix() for pattern in patterns for each in checkout.glob(pattern)}
    return sorted(found)[:5]


def _names(revision: str | None) -> tuple[str, ...]:
    """The full names that a revision may mean, first things first."""
    if revision is None:
        return ("HEAD",)
    return (revision,) if revision.startswith("refs/") else (f"refs/heads/{revision}", f"refs/tags/{revision}")


def _deepening(mirror: Path) -> tuple[str, ...]:
    return ("--unshallow",) if (mirror / "shallow").is_file() else ()


def _key(repository: Repository) -> str:
    """A folder's name: how people call the repository, and what tells it from others."""
    url = without_secrets(repository.url)
    name = re.sub(r"[^A-Za-z0-9._-]", "-", urlsplit(url).path.rstrip("/").rpartition("/")[2].removesuffix(".git"))
    return f"{name[:40].lstrip('.') or 'repository'}-{hashlib.sha256(url.encode()).hexdigest()[:16]}"
