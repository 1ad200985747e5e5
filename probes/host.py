"""The only thing that touches the machine.

A probe asks a `Host` and is told a text, None (it is not there) or Unknown (it cannot be read): it never sees an
exception. `LocalHost()` is the machine that we run on. `LocalHost("/srv/image")` is the machine that a folder
describes: nothing outside that folder is read, links inside it are followed as that machine would follow them,
no program is started, and of the environment only our own overrides (`TORCHSTRAP_*`) count. Where the folder is a
recording (see probes/record.py), it also holds what no file tells, in ANSWERS: environment, system calls, output.
"""

from __future__ import annotations

import json
import os
import re
import signal
import stat
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, Protocol

from probes.machine import Unknown

if TYPE_CHECKING:
    import subprocess

__all__ = ["ANSWERS", "LIMIT", "Host", "Interrupted", "LocalHost"]

ANSWERS = "/.torchstrap/answers.json"
"""`{"environ": {name: text}, "told": {question: text}, "output": {name: text | {"unknown", "output"}}}`"""

LIMIT = 1 << 20
"""Bytes that are read of a file unless told otherwise."""
_LINKS = 40
"""Symbolic links that are followed for one path, as in Linux."""
_PREFIX = "TORCHSTRAP_"
_PATIENCE = 0.5
"""Seconds that a killed program has for going."""


@dataclass(frozen=True, slots=True)
class Interrupted(Unknown):
    """A program that did not end well, and what it had printed until then."""

    output: str = ""


def _windows() -> str:
    # platform.version() may start programs and wait for them; this call does not.
    version: Any = sys.getwindowsversion()  # type: ignore[attr-defined, unused-ignore]
    return f"{version.major}.{version.minor}.{version.build}"


def _cores() -> str:
    if hasattr(os, "sched_getaffinity"):
        return str(len(os.sched_getaffinity(0)))
    return str(os.cpu_count() or "")


QUESTIONS: Mapping[str, Callable[[], str | None]] = {
    # What system calls tell of the machine that we run on. Each may raise; that is no answer.
    "platform": lambda: sys.platform,
    "bits": lambda: "64" if sys.maxsize > 1 << 32 else "32",
    "machine": lambda: os.uname().machine,
    "kernel": lambda: os.uname().release,
    "windows": _windows,
    "libc": lambda: os.confstr("CS_GNU_LIBC_VERSION"),
    "cores": _cores,
    "identity": lambda: f"{os.getuid()} {os.getgid()} {sorted(os.getgroups())}",
}


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

    def stamp(self, path: str) -> str | None:
        """A text that changes whenever what lies there does, or the right to use it; None if nothing does."""

    def told(self, question: str) -> str | None:
        """What a system call tells, one of QUESTIONS; None where there is no such call, or nobody to ask."""

    def run(
        self, command: Sequence[str], timeout: float, environ: Mapping[str, str] | None = None, name: str = ""
    ) -> str | Unknown:
        """What a program prints, or Interrupted. `timeout` is in seconds; `environ` is added to the environment.

        `name` is what recordings call its output, if not by the program's own name.
        """


class LocalHost:
    """The machine that we run on, or the one below `sysroot`."""

    def __init__(self, sysroot: Path | str = "/", environ: Mapping[str, str] | None = None) -> None:
        """`environ` stands in for the environment of this process."""
        self._root = Path(sysroot)
        self.running = self._root.resolve() == Path(self._root.anchor or "/").resolve()
        given = os.environ if environ is None else environ
        self._answers: Mapping[str, Mapping[str, Any]] = {} if self.running else self._recorded()
        self.environ: Mapping[str, str] = {
            **{name: value for name, value in self._part("environ").items() if isinstance(value, str)},
            **{name: value for name, value in given.items() if self.running or name.startswith(_PREFIX)},
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

    def stamp(self, path: str) -> str | None:
        try:
            found = os.stat(self._locate(path))  # noqa: PTH116 - as for names
        except (OSError, ValueError):
            return None
        return f"{found.st_dev} {found.st_ino} {found.st_mode} {found.st_size} {found.st_mtime_ns} {found.st_ctime_ns}"

    def told(self, question: str) -> str | None:
        if not self.running:
            answer = self._part("told").get(question)
            return answer if isinstance(answer, str) else None
        try:
            return QUESTIONS[question]() or None
        except (AttributeError, OSError, ValueError):
            return None

    def run(
        self, command: Sequence[str], timeout: float, environ: Mapping[str, str] | None = None, name: str = ""
    ) -> str | Unknown:
        program = name or Path(command[0]).name
        if not self.running:
            return self._printed(program)
        import subprocess  # noqa: PLC0415 - costs 5 ms, and most machines need no child

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

    def _recorded(self) -> Mapping[str, Any]:
        content = self.read_bytes(ANSWERS)
        try:
            document = json.loads(content) if isinstance(content, bytes) else {}
        except (ValueError, RecursionError):
            return {}
        return document if isinstance(document, dict) else {}

    def _part(self, name: str) -> Mapping[str, Any]:
        part = self._answers.get(name)
        return part if isinstance(part, dict) else {}

    def _printed(self, program: str) -> str | Unknown:
        output = self._part("output").get(program)
        if isinstance(output, str):
            return output
        if isinstance(output, dict) and isinstance(output.get("unknown"), str):
            return Interrupted(output["unknown"], str(output.get("output", "")))
        return Unknown(f"{program} was not asked, as this machine is only a folder")

    def _locate(self, path: str) -> Path:
        if self.running:
            return Path(path)
        return self._root.joinpath(*self._followed(path))

    def _followed(self, path: str) -> list[str]:
        """The parts of a path below the root, with every link replaced by what it means inside the root."""
        waiting = list(reversed(PurePosixPath(re.sub(r"^[A-Za-z]:", "", path).replace("\\", "/")).parts))
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
    from subprocess import TimeoutExpired  # noqa: PLC0415 - as above

    try:
        output, _ = process.communicate(timeout=timeout)
    except TimeoutExpired:
        return Interrupted(f"{program} gave no answer within {timeout:g} s", _end(process).decode(errors="replace"))
    if process.returncode != 0:
        return Interrupted(f"{program} ended with {process.returncode}", output.decode(errors="replace"))
    return output.decode(errors="replace")


def _end(process: subprocess.Popen[bytes]) -> bytes:
    """Kill a program with everything that it started; return what it had printed.

    One that hangs inside a driver cannot be killed: it is left.
    """
    from subprocess import TimeoutExpired  # noqa: PLC0415 - as above

    try:
        if sys.platform == "win32":
            process.kill()
        else:
            os.killpg(process.pid, signal.SIGKILL)
    except OSError:
        process.kill()
    try:
        return process.communicate(timeout=_PATIENCE)[0]
    except (TimeoutExpired, OSError, ValueError) as problem:
        if process.stdout is not None:
            process.stdout.close()
        return getattr(problem, "output", None) or b""
