"""The machine that a command is about: this one, or one that somebody recorded. Probing errors become ours."""

from __future__ import annotations

from pathlib import Path

from bootstrap.errors import ConfigurationError, InputError
from probes import Machine, MachineFormatError, probe, read_machine

__all__ = ["recorded_machine", "this_machine"]


def this_machine() -> Machine:
    """The probes' facts. Raises ConfigurationError for a TORCHSTRAP_MACHINE that is none."""
    try:
        return probe()
    except MachineFormatError as error:
        raise ConfigurationError(f"TORCHSTRAP_MACHINE: {error}") from error


def recorded_machine(file: Path) -> Machine:
    """The machine of a `probe --json`. Raises InputError for a file that is none."""
    try:
        return read_machine(file)
    except MachineFormatError as error:
        raise InputError(file, f"is no machine as `torchstrap probe --json` describes one ({error})") from error
