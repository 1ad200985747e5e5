"""The machine that a command is about: this one, or one that somebody recorded. Probing errors become ours."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bootstrap.errors import BootstrapError, CannotWriteError, ConfigurationError, InputError
from probes import (
    MACHINE_OVERRIDE,
    LocalHost,
    Machine,
    MachineFormatError,
    Unknown,
    probe,
    probe_cached,
    read_machine,
    record,
)

if TYPE_CHECKING:
    from bootstrap.commands.asked import Asked

__all__ = [
    "cache_folder",
    "folders",
    "machine_below",
    "recorded_as",
    "recorded_machine",
    "this_machine",
    "whole_machine",
]


def this_machine(cache: Path | None = None) -> Machine:
    """The probes' facts; what programs said is remembered below `cache` for as long as it holds.

    Raises ConfigurationError for a TORCHSTRAP_MACHINE that is none.
    """
    try:
        return probe() if cache is None else probe_cached(cache / "probes")
    except MachineFormatError as error:
        raise ConfigurationError(f"TORCHSTRAP_MACHINE: {error}") from error


def whole_machine(asked: Asked) -> Machine:
    """The same with what probes leave out: the interpreters, and what the folders that a sync would use can share.

    A machine that TORCHSTRAP_MACHINE stands in for has of both what its document says, and nothing of this one.
    Raises as `this_machine`.
    """
    from bootstrap.environment.inventory import pythons  # noqa: PLC0415 - only `probe` wants to know
    from probes.storage import probe_storage  # noqa: PLC0415

    try:
        places = folders(asked)
    except (BootstrapError, OSError) as error:
        problem, places = Unknown(f"where the cache is cannot be read: {error}"), {}
    cache = places.get("cache")
    machine = this_machine(cache)
    if os.environ.get(MACHINE_OVERRIDE):
        return machine
    return machine._replace(pythons=pythons(cache), storage=probe_storage(places) if places else problem)


def machine_below(sysroot: Path) -> Machine:
    """The machine that lies in a folder. Raises as `this_machine`."""
    try:
        return probe(LocalHost(sysroot))
    except MachineFormatError as error:
        raise ConfigurationError(f"TORCHSTRAP_MACHINE: {error}") from error


def folders(asked: Asked) -> dict[str, Path]:
    """The folders that a sync would write to, by their purpose: `cache` (if there is one), `environment`, `temporary`.

    Raises as `cache_folder`.
    """
    from tempfile import gettempdir  # noqa: PLC0415

    from bootstrap.commands.asked import environment_of  # noqa: PLC0415

    cache = cache_folder(asked)
    others = {"environment": environment_of(asked)}
    with suppress(FileNotFoundError):  # a container with a read-only root may have none
        others["temporary"] = Path(gettempdir())
    return others if cache is None else {"cache": cache, **others}


def cache_folder(asked: Asked) -> Path | None:
    """Where the cache is or would be; None where there is to be none.

    Raises ConfigurationError for a folder that makes no sense, InputError for a pyproject.toml that cannot be read.
    """
    from bootstrap.commands.asked import root_folder  # noqa: PLC0415
    from bootstrap.project.policy import read_policy  # noqa: PLC0415
    from bootstrap.project.settings import read_cache_dir  # noqa: PLC0415

    project = root_folder(asked)
    found = read_cache_dir(
        command_line=asked.settings,
        environ=os.environ,
        project_table=_table(project),
        folder=project,
        policy=read_policy(),
    )
    return None if found is None else found.absolute()


def _table(project: Path) -> dict[str, Any]:
    """[tool.torchstrap] of a project, if there is one."""
    path = project / "pyproject.toml"
    if not path.is_file() or b"torchstrap" not in path.read_bytes():
        return {}
    from bootstrap import toml  # noqa: PLC0415 - few machines are probed from such a folder

    tool = toml.load(path).get("tool")
    table = tool.get("torchstrap") if isinstance(tool, dict) else None
    return table if isinstance(table, dict) else {}


def recorded_machine(file: Path) -> Machine:
    """The machine of a `probe --json`. Raises InputError for a file that is none."""
    try:
        return read_machine(file)
    except MachineFormatError as error:
        raise InputError(file, f"is no machine as `torchstrap probe --json` describes one ({error})") from error


def recorded_as(folder: Path, sysroot: Path | None) -> Machine:
    """The machine here or below `sysroot`, and a recording of it in a new folder. Raises CannotWriteError."""
    try:
        return record(LocalHost(sysroot or Path("/")), folder)
    except FileExistsError as error:
        raise CannotWriteError(f"{folder} exists; name a folder that does not, or remove it") from error
    except OSError as error:
        raise CannotWriteError(f"{error.filename or folder}: {error.strerror}; name another folder") from error
