"""`choose`: the choice for a project on this machine or on another, without a network."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

from packaging.markers import default_environment
from packaging.specifiers import SpecifierSet

from bootstrap.commands.asked import Asked, lock_path_of, project_folder
from bootstrap.commands.choices.choosing import Selection, judged_by_lock, select_offer
from bootstrap.commands.choices.site_tables import ensure_usable
from bootstrap.commands.machine import recorded_machine, this_machine
from bootstrap.errors import ChoiceError, NotPermittedError, UsageError
from bootstrap.lock.model import Lock
from bootstrap.lock.pylock_read import load
from bootstrap.project.model import Project
from bootstrap.project.policy import NONE, MachinePolicy, read_policy
from bootstrap.project.pyproject import read_project
from bootstrap.resolver.resolution import Pin
from probes import Machine, Unknown
from profiles import Choice

__all__ = ["Answer", "Considered", "choose_for", "considered", "considered_for"]

_VERSION = re.compile(r"(3\.\d{1,3})(\.\d{1,3})?")
_SYSTEM_MARKERS: Mapping[str, Mapping[str, str]] = {
    "linux": {"sys_platform": "linux", "platform_system": "Linux", "os_name": "posix"},
    "macos": {"sys_platform": "darwin", "platform_system": "Darwin", "os_name": "posix"},
    "windows": {"sys_platform": "win32", "platform_system": "Windows", "os_name": "nt"},
}
# What platform.machine() says, where that is not the name in wheel tags.
_MACHINE_MARKERS: Mapping[str, Mapping[str, str]] = {
    "macos": {"aarch64": "arm64"},
    "windows": {"x86_64": "AMD64", "aarch64": "ARM64"},
}


class Answer(NamedTuple):
    """What is said of a machine: its choice, or why there is none (`obstacle`).

    `fitting` are the names of the offers that serve it as well.
    """

    choice: Choice | None
    obstacle: str | None
    fitting: tuple[str, ...] = ()
    accelerates: bool = False


@dataclass(frozen=True, slots=True)
class Considered:
    """A project with its lock, and a machine that need not be this one, with the PEP 508 variables there.

    A lock that another tool wrote says nothing of offers, so none of its versions are looked at; `unread` says so.
    """

    asked: Asked
    project: Project
    lock: Lock | None
    machine: Machine
    markers: Mapping[str, str]
    policy: MachinePolicy = NONE
    unread: str | None = None

    def choice(self) -> Choice:
        """In the light of the lock, if there is one. Raises ChoiceError where no offer can be installed."""
        return self._chosen(self._selection())

    def answer(self) -> Answer:
        """The choice, or why there is none, and what else is to be known of it."""
        try:
            selection = self._selection()
            choice = self._chosen(selection)
        except (ChoiceError, NotPermittedError) as error:
            return Answer(None, str(error))
        situation, asked = selection.situation, selection.torch
        torch = asked if choice.torch is None else SpecifierSet(f"=={choice.torch}")
        settled = () if choice.fitting else situation.fitting(selection.candidates, asked)
        fitting = choice.fitting or tuple(each.name for each in settled)
        return Answer(choice, None, fitting, situation.accelerates(choice.offer, torch))

    def _chosen(self, selection: Selection) -> Choice:
        if selection.obstacle is not None:
            raise ChoiceError(selection.obstacle)
        pins = self._locked(selection.choice.offer.name)
        if any(pin.name == "torch" for pin in pins):
            selection = judged_by_lock(selection, pins, None)
        choice = selection.choice
        return choice if self.unread is None else replace(choice, warnings=(*choice.warnings, self.unread))

    def _selection(self) -> Selection:
        return select_offer(self.project, self.asked, self.machine, self.markers, (), policy=self.policy)

    def _locked(self, offer: str) -> tuple[Pin, ...]:
        """What the project's lock has for an offer there, if it has something."""
        for resolution in self.lock.resolutions if self.lock else ():
            target = resolution.target
            here = all(
                self.markers.get(name) == target.markers.get(name) for name in ("sys_platform", "platform_machine")
            )
            if resolution.offer == offer and target.python_minor == self.markers["python_version"] and here:
                return resolution.pins
        return ()


def choose_for(asked: Asked, machine_file: Path | None, python: str | None, policy: MachinePolicy = NONE) -> Choice:
    """The choice on this machine or, with `machine_file` (a `probe --json`), on that one, where `policy` holds.

    Raises as `considered`.
    """
    if machine_file is None:
        return considered(asked, [None], python)[0].choice()
    return considered_for(asked, [(recorded_machine(machine_file), policy)], python)[0].choice()


def considered(asked: Asked, machine_files: Sequence[Path | None], python: str | None) -> tuple[Considered, ...]:
    """As `considered_for`, for this machine (None) and for those that files describe.

    Raises InputError for a file that describes no machine, too.
    """
    # What the administrator of this machine has decided says nothing of others.
    return considered_for(
        asked,
        [(recorded_machine(file), NONE) if file else (this_machine(), read_policy()) for file in machine_files],
        python,
    )


def considered_for(
    asked: Asked, machines: Sequence[tuple[Machine, MachinePolicy]], python: str | None
) -> tuple[Considered, ...]:
    """What choices are made from, one for each machine. The Python is the one asked for ("3.12"), else the one that
    runs us. Project and lock are read once.

    Raises UsageError for a Python that is no version, InputError for a project or a lock that cannot be read.
    """
    ensure_usable()
    project, path = read_project(project_folder(asked)), lock_path_of(asked)
    found = load(path) if path.is_file() else None
    lock = found if isinstance(found, Lock) else None
    unread = None if found is lock else f"{path.name} was not written by torchstrap; the versions in it are not heeded"
    ours = {**{key: str(value) for key, value in default_environment().items()}, **_python(python)}
    return tuple(
        Considered(asked, project, lock, machine, {**ours, **_markers_on(machine)}, policy, unread)
        for machine, policy in machines
    )


def _python(python: str | None) -> Mapping[str, str]:
    if python is None:
        return {}
    version = _VERSION.fullmatch(python)
    if version is None:
        raise UsageError(f"--python-version is {python!r}, but must be a version such as 3.12")
    return {"python_version": version[1], "python_full_version": version[0] if version[2] else f"{version[1]}.0"}


def _markers_on(machine: Machine) -> Mapping[str, str]:
    """The PEP 508 variables that tell platforms apart, for a machine that need not be this one."""
    system, architecture = machine.system.os, machine.system.architecture
    names = _SYSTEM_MARKERS.get(system, {})
    if isinstance(architecture, Unknown):
        return names
    return {**names, "platform_machine": _MACHINE_MARKERS.get(system, {}).get(architecture, architecture)}
