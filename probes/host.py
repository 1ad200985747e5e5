"""The only thing that touches the machine.

A probe asks a `Host` and is told a text, None (it is not there) or Unknown (it cannot be read): it never sees an
exception. `LocalHost()` is the machine that we run on. `LocalHost("/srv/image")` is the machine that a folder
describes: nothing outside that folder is read, links inside it are followed as that machine would follow them,
no program is started, and of the environment only our own overrides (`TORCHSTRAP_*`) count.
"""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Protocol

from probes.machine import Unknown

__all__ = ["LIMIT", "Host", "LocalHost"]

LIMIT = 1 << 20
"""Bytes that are read of a file unless told otherwise."""
_LINKS = 40
"""Symbolic links that are followed for one path, as in Linux."""
_PREFIX = "TORCHSTRAP_"


class Host(Protocol):
    """Questions that probes ask. Paths are absolute paths of that machine, with slashes."""

    @property
    def running(self) -> bool:
        """Whether this is the machine that we run on."""

    @property
    def environ(self) -> Mapping[str, str]:
        """The environment, overrides included."""

    def read_bytes(self, path: str, limit: int = LIMIT) -> bytes | Unknown | None:
        """At most `limit` bytes from the start of a regular file."""

    def read_text(self, path: str, limit: int = LIMIT) -> str | Unknown | None:
        """The same as text; bytes that are not UTF-8 are replaced."""

    def exists(self, path: str) -> bool:
        """Whether there is anything of that name."""

    def names(self, path: str) -> tuple[str, ...]:
        """Names in a folder, sorted; none if it is absent or closed to us."""

    def run(self, command: Sequence[str], timeout: float, environ: Mapping[str, str] | None = None) -> str | Unknown:
        """What a program prints. `timeout` is in seconds; `environ` is added to the environment."""


class LocalHost:
    """The machine that we run on, or the one below `sysroot`."""

    def __init__(self, sysroot: Path | str = "/", environ: Mapping[str, str] | None = None) -> None:
        """`environ` stands in for the environment of this process."""
        self._root = Path(sysroot)
        self.running = self._root.resolve() == Path(self._root.anchor or "/").resolve()
        given = os.environ if environ is None else environ
        self.environ: Mapping[str, str] = {
            name: value for name, value in given.items() if self.running or name.startswith(_PREFIX)
        }

    def read_bytes(self, path: str, limit: int = LIMIT) -> bytes | Unknown | None:
        try:
            descriptor = os.open(self._locate(path), os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
            with os.fdopen(descriptor, "rb") as stream:
                if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                    return Unknown(f"{path} is no regular file")
                return stream.read(limit)
        except (FileNotFoundError, NotADirectoryError):
            return None
        except (OSError, ValueError) as problem:
            return Unknown(f"{path} cannot be read ({getattr(problem, 'strerror', None) or problem})")

    def read_text(self, path: str, limit: int = LIMIT) -> str | Unknown | None:
        content = self.read_bytes(path, limit)
        return content.decode(errors="replace") if isinstance(content, bytes) else content

    def exists(self, path: str) -> bool:
        try:
            return os.path.lexists(self._locate(path))
        except (OSError, ValueError):
            return False

    def names(self, path: str) -> tuple[str, ...]:
        try:
            return tuple(sorted(os.listdir(self._locate(path))))  # noqa: PTH208 - names, not paths
        except (OSError, ValueError):
            return ()

    def run(self, command: Sequence[str], timeout: float, environ: Mapping[str, str] | None = None) -> str | Unknown:
        program = Path(command[0]).name
        if not self.running:
            return Unknown(f"{program} was not asked, as this machine is only a folder")
        try:
            process = subprocess.Popen(
                list(command),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env={**self.environ, **(environ or {})},
                cwd=self._root,
                start_new_session=True,
            )
        except (OSError, ValueError) as problem:
            return Unknown(f"{program} cannot be started ({problem})")
        return _outcome(process, program, timeout)

    def _locate(self, path: str) -> Path:
        if self.running:
            return Path(path)
        return self._root.joinpath(*self._followed(path))

    def _followed(self, path: str) -> list[str]:
        """The parts of a path below the root, with every link replaced by what it means inside the root."""
        waiting = list(reversed(PurePosixPath(path).parts))
        parts: list[str] = []
        links = 0
        while waiting:
            part = waiting.pop()
            if part == "..":
                parts = parts[:-1]
                continue
            if part == "/":
                parts = []
                continue
            here = self._root.joinpath(*parts, part)
            if here.is_symlink():
                links += 1
                if links > _LINKS:
                    raise OSError(f"{path} goes through too many links")
                waiting.extend(reversed(PurePosixPath(os.readlink(here)).parts))  # noqa: PTH115 - the text, unchanged
                continue
            parts.append(part)
        return parts


def _outcome(process: subprocess.Popen[bytes], program: str, timeout: float) -> str | Unknown:
    try:
        output, _ = process.communicate(timeout=timeout)
    except subprocess.TimeoutExpired:
        _end(process)
        return Unknown(f"{program} gave no answer within {timeout:g} s")
    if process.returncode != 0:
        return Unknown(f"{program} ended with {process.returncode}")
    return output.decode(errors="replace")


def _end(process: subprocess.Popen[bytes]) -> None:
    """Kill a program with everything that it started. One that hangs inside a driver cannot be killed: it is left."""
    try:
        if sys.platform == "win32":
            process.kill()
        else:
            os.killpg(process.pid, signal.SIGKILL)
    except OSError:
        process.kill()
    try:
        process.communicate(timeout=1)
    except (subprocess.TimeoutExpired, OSError, ValueError):
        if process.stdout is not None:
            process.stdout.close()
