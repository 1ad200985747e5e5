"""All that a command works with, opened once: the project, the settings, the interpreter, the indexes and the store.

Opening reads files and may describe an interpreter; nothing is fetched yet. Warnings gather in the session and are said
at the end, where people read them.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from packaging.specifiers import SpecifierSet

from bootstrap import toml
from bootstrap.commands.activity import Activity
from bootstrap.commands.asked import Asked, environment_of, is_lock, lock_path_of, project_folder, root_folder
from bootstrap.commands.builds.workshop import Workshop
from bootstrap.commands.choices.choosing import Selection, select_offer
from bootstrap.commands.choices.site_tables import ensure_usable
from bootstrap.commands.machine import this_machine
from bootstrap.commands.scratch import temporary_files
from bootstrap.environment.discovery import MissingPythonError, find
from bootstrap.environment.interpreter import Interpreter, target
from bootstrap.errors import UsageError
from bootstrap.lock.pylock_read import document
from bootstrap.project import indexes
from bootstrap.project.extra_builds import extra_build_dependencies
from bootstrap.project.model import Project
from bootstrap.project.pip_configuration import PipConfiguration, read_pip_configuration
from bootstrap.project.policy import NONE, MachinePolicy, read_policy
from bootstrap.project.pyproject import read_project
from bootstrap.project.settings import Settings, read_settings
from bootstrap.resolver.resolution import Target
from bootstrap.wheels import sharing
from bootstrap.wheels.store import Store
from probes import Machine

if TYPE_CHECKING:
    from bootstrap.commands.bundles.taking import Taken
    from bootstrap.index.client import Client, NetworkSettings
    from bootstrap.index.lookup import Catalogue
    from bootstrap.project.requirements_file import Options
    from bootstrap.resolver.candidates import Policy
    from bootstrap.wheels.transfer import Source

__all__ = ["Session", "network_of", "opened", "settings_of"]


@dataclass
class Session:
    """One run. What is costly and not always needed is made when first asked for."""

    asked: Asked
    activity: Activity
    project: Project
    settings: Settings
    configuration: PipConfiguration
    cache: Path
    machine_policy: MachinePolicy = NONE
    hashes_required: bool = False
    bundle: Taken | None = None
    warnings: list[str] = field(default_factory=list)

    @property
    def venv(self) -> Path:
        """The stable path of the environment."""
        return environment_of(self.asked)

    @property
    def lock_path(self) -> Path:
        """Where the lock of this project is kept."""
        return lock_path_of(self.asked)

    @cached_property
    def interpreter(self) -> Interpreter:
        """The Python that the environment is for."""
        wanted = self.project.requires_python
        if self.bundle is not None and self.asked.python is None:
            wanted &= self.bundle.pythons
        try:
            return find(self.asked.python, wanted, self.cache)
        except MissingPythonError as missing:
            from bootstrap.commands.pythons.wanted import provided  # noqa: PLC0415 - most machines have one

            if not self._is_carried(missing):
                provided(self, missing)
            return find(self.asked.python, wanted, self.cache)

    def _is_carried(self, missing: MissingPythonError) -> bool:
        """Whether a Python that would do came with the bundle; it is installed then."""
        if self.bundle is None:
            return False
        from bootstrap.commands.bundles.pythons import installed_from  # noqa: PLC0415 - most machines have one

        return installed_from(self, self.bundle, missing)

    @cached_property
    def target(self) -> Target:
        """What is resolved for."""
        return target(self.interpreter)

    @cached_property
    def machine(self) -> Machine:
        """The facts of this machine."""
        self.activity.step("Looking at this machine")
        return this_machine(self.cache)

    @cached_property
    def client(self) -> Client:
        """The one HTTP client of this run."""
        from bootstrap.index.client import Client  # noqa: PLC0415 - a warm run fetches nothing

        settings = self.settings
        client = Client(network_of(settings, offline=settings.offline or self.bundle is not None))
        # A lock holds no credentials, and a locked run reads no page: the files' hosts are known from here.
        for address in (
            *indexes.named_addresses(self.project, settings),
            *(index.url for index in self.project.indexes),
        ):
            client.remember(client.rewrite(address))
        return client

    @cached_property
    def catalogue(self) -> Catalogue:
        """What the indexes have."""
        from bootstrap.index.cache import PageCache  # noqa: PLC0415 - a locked run asks no index
        from bootstrap.index.lookup import Catalogue  # noqa: PLC0415

        return Catalogue(
            self.client,
            PageCache(self.cache),
            tiers=indexes.tiers(self.project, self.settings) if self.bundle is None else (),
            find_links=indexes.find_links(self.project, self.settings) if self.bundle is None else (self.bundle.tools,),
        )

    @cached_property
    def source(self) -> Source:
        """Who has the files: the bundle for its own."""
        return self.client if self.bundle is None else self.bundle.bundle.source(self.client)

    @cached_property
    def store(self) -> Store:
        """Unpacked wheels."""
        return Store(self.cache)

    @cached_property
    def workshop(self) -> Workshop:
        """Where wheels and environments are made."""
        return Workshop(self)

    @cached_property
    def policy(self) -> Policy:
        """What the resolver may choose from."""
        from bootstrap.resolver.candidates import Policy  # noqa: PLC0415 - a locked run resolves nothing

        settings = self.settings
        return Policy(
            prereleases=settings.prereleases,
            no_build=settings.no_build,
            no_binary=settings.no_binary,
            only_binary=settings.only_binary,
            exclude_newer=settings.exclude_newer,
            undated=frozenset(settings.undated),
        )

    def select(self) -> Selection:
        """The offer for this machine, or the one that was asked for."""
        addresses = indexes.named_addresses(self.project, self.settings)
        return select_offer(
            self.project, self.asked, self.machine, self.target.markers, addresses, policy=self.machine_policy
        )

    def everything_to_say(self) -> tuple[str, ...]:
        """All warnings so far, those of the indexes included."""
        if "catalogue" in self.__dict__:
            for each in self.catalogue.warnings:
                self.warn(each)
        return tuple(self.warnings)

    def warn(self, sentence: str) -> None:
        """Remember something that people should know, once."""
        if sentence not in self.warnings:
            self.warnings.append(sentence)

    def settings_that_matter(self) -> Mapping[str, Any]:
        """The part of the settings that a lock depends on, as values that JSON knows.

        What pip's configuration of this machine says is not among it: a lock is for every machine.
        """
        settings = self.settings
        return {
            "index-url": settings.index_url,
            "extra-index-urls": settings.extra_index_urls,
            "no-index": settings.no_index,
            "requirements-index-urls": settings.requirements_index_urls,
            "prereleases": settings.prereleases,
            "no-build": settings.no_build,
            "no-binary": sorted(settings.no_binary),
            "only-binary": sorted(settings.only_binary),
            "exclude-newer": settings.exclude_newer.isoformat() if settings.exclude_newer else None,
            "undated": sorted(settings.undated),
            **({"build-with": sorted(settings.build_with)} if settings.build_with else {}),
        }


@contextmanager
def opened(asked: Asked, activity: Activity, bundle: Taken | None = None) -> Iterator[Session]:
    """A session for the block. With `--no-cache` all that is fetched lies in a folder that goes away with it."""
    ensure_usable()
    configuration = read_pip_configuration(os.environ, _home())
    policy = read_policy()
    project, options = _read(asked)
    settings = read_settings(
        command_line=asked.settings,
        environ=os.environ,
        project_table=_table(asked),
        pip=configuration,
        options=options,
        policy=policy,
        folder=project.root,
        working_folder=Path.cwd(),
    )
    with ExitStack() as stack:
        cache, beside = settings.cache_dir, environment_of(asked).parent
        stack.enter_context(temporary_files(*filter(None, (cache, beside))))
        if cache is None:
            # Beside the environment, so that linking works: the links keep the files when the folder goes.
            cache = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix=".torchstrap-", dir=beside)))
        sharing.prepare(cache)
        required = options is not None and options.require_hashes
        session = Session(asked, activity, project, settings, configuration, cache, policy, required, bundle)
        try:
            yield session
        finally:
            if "client" in session.__dict__:
                session.client.close()


def network_of(settings: Settings, *, offline: bool) -> NetworkSettings:
    """How servers are reached, in the words of the client."""
    from bootstrap.index.client import NetworkSettings  # noqa: PLC0415 - a warm run fetches nothing

    return NetworkSettings(
        timeout=settings.timeout,
        retries=settings.retries,
        cert=str(settings.cert) if settings.cert else None,
        client_cert=str(settings.client_cert) if settings.client_cert else None,
        proxy=settings.proxy,
        trusted_hosts=settings.trusted_hosts,
        keyring_provider=settings.keyring_provider,
        mirrors=settings.mirrors,
        offline=offline,
    )


def settings_of(asked: Asked) -> Settings:
    """The settings that hold in a folder, whether a project is in it or not. Raises ConfigurationError, InputError."""
    folder = root_folder(asked)
    has_table = (folder / "pyproject.toml").is_file()
    return read_settings(
        command_line=asked.settings,
        environ=os.environ,
        project_table=_table(asked) if has_table else {},
        pip=read_pip_configuration(os.environ, _home()),
        policy=read_policy(),
        folder=folder,
        working_folder=Path.cwd(),
    )


def _home() -> Path:
    """Containers run under users that nobody has heard of."""
    try:
        return Path.home()
    except RuntimeError:
        return Path("/")


def _read(asked: Asked) -> tuple[Project, Options | None]:
    if not asked.requirements and not asked.constraints:
        return read_project(project_folder(asked)), None
    locks = [each for each in asked.requirements if is_lock(each)]
    if locks:
        return _of_lock(locks[0], asked), None
    from bootstrap.project.requirements_file import read_requirements  # noqa: PLC0415 - most runs read none

    if asked.requirements:
        return read_requirements(asked.requirements, asked.constraints)
    project = read_project(project_folder(asked))
    narrowing, options = read_requirements((), asked.constraints)
    constrained = (*project.constraints, *narrowing.constraints)
    files = (*project.files, *narrowing.files)
    return replace(project, constraints=constrained, files=files), options


def _of_lock(path: Path, asked: Asked) -> Project:
    """What a lock says of the project that it was made for; it stands alone, and nothing narrows what it pins."""
    if len(asked.requirements) > 1 or asked.constraints:
        raise UsageError(f"{path} is a lock and installed as it is: give no other -r and no -c with it")
    content = document(path)
    return Project(path.absolute().parent, requires_python=content.requires_python or SpecifierSet(), files=(path,))


def _table(asked: Asked) -> Mapping[str, object]:
    if asked.requirements:
        return {}
    tool: Mapping[str, Any] = toml.load(root_folder(asked) / "pyproject.toml").get("tool", {})
    table: Mapping[str, object] = tool.get("torchstrap", {})
    theirs = extra_build_dependencies(tool.get("uv", {}))
    return {"build-with": theirs, **table} if theirs else table
