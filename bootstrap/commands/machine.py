"""The machine that a command is about: this one, or one that somebody recorded. Probing errors become ours."""

from __future__ import annotations

from pathlib import Path

from bootstrap.errors import CannotWriteError, ConfigurationError, InputError
from probes import LocalHost, Machine, MachineFormatError, probe, probe_cached, read_machine, record

__all__ = ["recorded_as", "recorded_machine", "this_machine"]


def this_machine(cache: Path | None = None) -> Machine:
    """The probes' facts; what programs said is remembered below `cache` for as long as it holds.

    Raises ConfigurationError for a TORCHSTRAP_MACHINE that is none.
    """
    try:
        return probe() if cache is None else probe_cached(cache / "probes")
    except MachineFormatError as error:
        raise ConfigurationError(f"TORCHSTRAP_MACHINE: {error}") from error


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
