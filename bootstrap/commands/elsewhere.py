"""`choose`: the choice for a project on this machine or on another, without a network."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from packaging.markers import default_environment
from packaging.version import Version

from bootstrap.commands.asked import Asked, lock_path_of, project_folder
from bootstrap.commands.choosing import judged_by_lock, select_offer
from bootstrap.commands.machine import recorded_machine, this_machine
from bootstrap.errors import ChoiceError, UsageError
from bootstrap.lock.pylock_read import read
from bootstrap.project.pyproject import read_project
from probes import Machine, Unknown
from profiles import Choice

__all__ = ["choose_for"]

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


def choose_for(asked: Asked, machine_file: Path | None, python: str | None) -> Choice:
    """The choice on this machine or, with `machine_file` (a `probe --json`), on that one.

    The Python is the one asked for ("3.12"), else the one that runs us. Raises UsageError for one that is no version.
    """
    project = read_project(project_folder(asked))
    machine = recorded_machine(machine_file) if machine_file else this_machine()
    markers = {**{key: str(value) for key, value in default_environment().items()}, **_markers_on(machine)}
    if python is not None:
        version = _VERSION.fullmatch(python)
        if version is None:
            raise UsageError(f"--python-version is {python!r}, but must be a version such as 3.12")
        markers |= {
            "python_version": version[1],
            "python_full_version": version[0] if version[2] else f"{version[1]}.0",
        }
    selection = select_offer(project, asked, machine, markers, ())
    if selection.obstacle is not None:
        raise ChoiceError(selection.obstacle)
    locked = _locked_torch(asked, selection.choice.offer.name, markers)
    return selection.choice if locked is None else judged_by_lock(selection, machine, markers, locked, None).choice


def _locked_torch(asked: Asked, offer: str, markers: Mapping[str, str]) -> Version | None:
    """The torch that the project's lock has for an offer there, if it has one."""
    path = lock_path_of(asked)
    if not path.is_file():
        return None
    for resolution in read(path).resolutions:
        target = resolution.target
        here = all(markers.get(name) == target.markers.get(name) for name in ("sys_platform", "platform_machine"))
        if resolution.offer == offer and target.python_minor == markers["python_version"] and here:
            return next((pin.version for pin in resolution.pins if pin.name == "torch"), None)
    return None


def _markers_on(machine: Machine) -> Mapping[str, str]:
    """The PEP 508 variables that tell platforms apart, for a machine that need not be this one."""
    system, architecture = machine.system.os, machine.system.architecture
    names = _SYSTEM_MARKERS.get(system, {})
    if isinstance(architecture, Unknown):
        return names
    return {**names, "platform_machine": _MACHINE_MARKERS.get(system, {}).get(architecture, architecture)}
