"""Which Python somebody wants and may have: the words of `python install`, and what `sync` misses.

The newest build that fits is taken, of this machine's platform and C library. What can be had is said where it cannot
be fetched: offline, where nothing is to be changed, and where `python-downloads = no` is set.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from bootstrap.commands.activity import Activity
from bootstrap.commands.pythons.installing import Installed, Supply, install
from bootstrap.environment.candidates import own_folder
from bootstrap.environment.discovery import MissingPythonError
from bootstrap.environment.facts import base_executable
from bootstrap.environment.standalone import BASE_URL, Build, Table, platform_of, read_table
from bootstrap.errors import CannotWriteError, ConfigurationError, NoCompatibleFileError, NotPermittedError, UsageError
from bootstrap.index.addresses import file_path, host, is_local
from bootstrap.project.policy import MachinePolicy
from bootstrap.project.settings import Settings
from probes import LocalHost
from probes.host import Host
from probes.libc import libc_of, read_libc
from probes.machine import Libc, Unknown
from probes.system import read_system

if TYPE_CHECKING:
    from bootstrap.commands.session import Session
    from bootstrap.index.client import Client
    from bootstrap.wheels.transfer import Event

__all__ = ["Shop", "here", "provided"]

_VERSION = re.compile(r"3\.\d{1,3}(\.\d{1,4})?")


@dataclass(frozen=True, slots=True)
class Shop:
    """What can be had on a platform, and how."""

    settings: Settings
    policy: MachinePolicy
    client: Client
    table: Table
    platform: str
    activity: Activity

    @classmethod
    def of(cls, settings: Settings, policy: MachinePolicy, client: Client, activity: Activity) -> Shop:
        """Raises InputError for a table that is none."""
        return cls(settings, policy, client, read_table(settings.python_table), here(), activity)

    @property
    def base(self) -> str:
        return self.settings.python_mirror or BASE_URL

    def named(self, word: str) -> Build:
        """The newest build of "3.13", or that of "3.13.1". Raises UsageError, NoCompatibleFileError."""
        if not _VERSION.fullmatch(word):
            raise UsageError(f"{word!r} is no version of Python; write one like 3.13 or 3.13.1")
        return self._newest(lambda version: f"{version}.".startswith(f"{word}."), f"Python {word}")

    def _newest(self, admits: Callable[[str], bool], what: str) -> Build:
        several = self.table.of(self.platform)
        found = next((each for each in several if admits(each.version)), None)
        if found is not None:
            return found
        if not several:
            others = ", ".join(sorted({each.platform for each in self.table.builds})) or "none"
            raise NoCompatibleFileError(
                f"there is no build of {what} to install for {self.platform} (there are for {others}); "
                f"install one as this system does it, or name it with --python PATH"
            )
        versions = ", ".join(each.version for each in several)
        raise NoCompatibleFileError(f"there is no build of {what} to install for {self.platform}; there are {versions}")

    def missed(self, missing: MissingPythonError) -> Build | None:
        """What would do for somebody who found no Python."""
        return next((each for each in self.table.of(self.platform) if missing.admits(each.version)), None)

    def obstacle(self) -> str | None:
        """Why nothing may be fetched without being asked for by name, as the beginning of a sentence."""
        if self.forbidden:
            return f"{self.policy.path} permits no download of Pythons"
        if not self.settings.python_downloads:
            return "Pythons are not fetched unasked (python-downloads)"
        if self.client.settings.offline and not is_local(self.client.rewrite(self.base)):
            return "This run is offline"
        return None

    @property
    def forbidden(self) -> bool:
        """Has the administrator of this machine said no?"""
        return "python-downloads" in self.policy.enforced and not self.settings.python_downloads

    def buy(self, build: Build) -> Installed:
        """Install it. Raises what `install` raises, and NotPermittedError where the policy says no."""
        if self.forbidden:
            raise NotPermittedError(
                f"Python {build.version} is not installed: {self.policy.path} permits no download of Pythons; "
                f"name one that is here with --python PATH, or ask whoever keeps that file"
            )
        asked = self.client.rewrite(self.base)
        place = file_path(asked) if is_local(asked) else host(asked)
        self.activity.step(f"Installing Python {build.version} for {build.platform} from {place}")
        return install(build, Supply(self.base, self.client, folder(), partial(_told, self.activity)))


def folder(environ: Mapping[str, str] = os.environ) -> Path:
    """Where our Pythons go. Raises CannotWriteError for a user without a home folder."""
    found = own_folder(environ)
    if found is None:
        raise CannotWriteError("this user has no home folder; name a folder for Pythons with TORCHSTRAP_PYTHON_DIR")
    return found


def here(host: Host | None = None) -> str:
    """The platform of this machine as builds name it. The C library is the one that we run on ourselves.

    Raises ConfigurationError where the architecture cannot be found out.
    """
    host = host or LocalHost()
    system = read_system(host)
    # What runs under Rosetta can run as what the machine is.
    architecture = system.machine if system.os == "macos" and system.machine else system.architecture
    if isinstance(architecture, Unknown):
        raise ConfigurationError(
            f"this machine's architecture is unknown ({architecture.reason}); name a Python with --python"
        )
    own = libc_of(host, os.path.realpath(base_executable())) if system.os == "linux" else None
    library = own if isinstance(own, Libc) else read_libc(host, system)
    name = {"amd64": "x86_64"}.get(architecture.lower(), architecture)
    return platform_of(f"{system.os}_{name}", library.family if isinstance(library, Libc) else None)


def provided(session: Session, missing: MissingPythonError) -> Installed:
    """The Python that a session misses, installed. Raises MissingPythonError with the way out if that cannot be."""
    shop = Shop.of(session.settings, session.machine_policy, session.client, session.activity)
    build = shop.missed(missing)
    if build is None:
        raise missing
    obstacle, asked = shop.obstacle(), session.asked
    if obstacle is None and (asked.dry_run or asked.check):
        obstacle = "This run changes nothing"
    if obstacle is not None:
        command = f"`torchstrap python install {build.version.rpartition('.')[0]}`"
        allowed = "name one" if shop.forbidden else f"{command} gets one that does, or name one"
        raise MissingPythonError(missing.problem, missing.admits, f"{obstacle}: {allowed} with --python PATH.")
    return shop.buy(build)


def _told(activity: Activity, event: Event) -> None:
    name = event.download.filename
    if event.kind == "started":
        activity.expect(1, None)
        activity.started(name, event.amount or None)
    elif event.kind == "resumed":
        activity.resumed(name, event.amount)
    elif event.kind == "advanced":
        activity.advanced(name, event.amount)
    elif event.kind == "arrived":
        activity.arrived(name)
    elif event.kind == "finished":
        activity.finished(name)
