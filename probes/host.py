"""The only thing that touches the machine.

A probe asks a `Host` and is told a text, None (it is not there) or Unknown (it cannot be read): it never sees an
exception. `LocalHost()` is the machine that we run on. `LocalHost("/srv/image")` is the machine that a folder
describes: nothing outside that folder is read, links inside it are followed as that machine would follow them,
no program is started, and of the environment only our own overrides (`TORCHSTRAP_*`) count. Where the folder is a
recording (see probes/recorder.py), it also holds what no file tells, in ANSWERS: environment, system calls, output.
"""

from __future__ import annotations

import errno
import os
import re
import stat
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from probes.documents import parse_document, writable
from probes.machine import Unknown

__all__ = ["ANSWERS", "LIMIT", "Host", "Interrupted", "LocalHost"]

ANSWERS = "/.torchstrap/answers.json"
"""`{"environ": {name: text}, "told": {question: text}, "output": {name: text | {"unknown", "output"}}}`"""

LIMIT = 1 << 20
"""Bytes that are read of a file unless told otherwise."""
_LINKS = 40
"""Symbolic links that are followed for one path, as in Linux."""
_LONGEST = 4096
"""Characters of a path, as in Linux."""
_PREFIX = "TORCHSTRAP_"


class Interrupted(Unknown):
    """A program that did not end well, and what it had printed until then."""

    __slots__ = ("output",)
    output: str

    def __init__(self, reason: str, output: str = "") -> None:
        super().__init__(reason)
        object.__setattr__(self, "output", output)

    def _key(self) -> tuple[str, ...]:
        return self.reason, self.output


def _windows() -> str:
    # platform.version() may start programs and wait for them; this call does not.
    version: Any = sys.getwindowsversion()  # type: ignore[attr-defined, unused-ignore]
    return f"{version.major}.{version.minor}.{version.build}"


def _cores() -> str:
    if hasattr(os, "sched_getaffinity"):
        return str(len(os.sched_getaffinity(0)))
    return str(os.cpu_count() or "")


def _displays() -> str | None:
    if sys.platform == "win32":
        from probes.display_ids import display_ids  # noqa: PLC0415 - nobody else needs it

        return display_ids()
    return None


QUESTIONS: Mapping[str, Callable[[], str | None]] = {
    # What system calls tell of the machine that we run on. Each may raise; that is no answer.
    "platform": lambda: sys.platform,
    "bits": lambda: "64" if sys.maxsize > 1 << 32 else "32",
    "machine": lambda: os.uname().machine,
    "kernel": lambda: os.uname().release,
    "windows": _windows,
    "libc": lambda: os.confstr("CS_GNU_LIBC_VERSION"),
    "cores": _cores,
    "displays": _displays,
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

    def __init__(self, sysroot: os.PathLike[str] | str = "/", environ: Mapping[str, str] | None = None) -> None:
        """`environ` stands in for the environment of this process."""
        self._root = os.fspath(sysroot)
        self.running = os.path.realpath(self._root) == os.path.realpath(os.sep)
        given = os.environ if environ is None else environ
        self._given = given
        self._answers: Mapping[str, Mapping[str, Any]] = {} if self.running else self._recorded()
        self.environ: Mapping[str, str] = {
            **{name: value for name, value in self._part("environ").items() if isinstance(value, str)},
            **{name: writable(value) for name, value in given.items() if self.running or name.startswith(_PREFIX)},
        }

    def read_bytes(self, path: str, limit: int = LIMIT) -> bytes | Unknown | None:
        try:
            located = self._locate(path)
            if not stat.S_ISREG(os.stat(located).st_mode):
                return Unknown(f"{path} is no regular file")
            descriptor = os.open(located, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
            with os.fdopen(descriptor, "rb") as stream:
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
            names = os.listdir(self._locate(path))
        except (OSError, ValueError):
            return ()
        return tuple(sorted(name for name in names if name == writable(name)))

    def stamp(self, path: str) -> str | None:
        try:
            found = os.stat(self._locate(path))
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
        program = name or os.path.basename(command[0])
        if not self.running:
            return self._printed(program)
        from probes.children import ask_program  # noqa: PLC0415 - costs 8 ms, and most machines need no child

        return ask_program(command, program, timeout, {**self._given, **(environ or {})}, self._root)

    def _recorded(self) -> Mapping[str, Any]:
        content = self.read_text(ANSWERS)
        document = parse_document(content) if isinstance(content, str) else None
        return document if isinstance(document, dict) else {}

    def _part(self, name: str) -> Mapping[str, Any]:
        part = self._answers.get(name)
        return part if isinstance(part, dict) else {}

    def _printed(self, program: str) -> str | Unknown:
        output = self._part("output").get(program)
        if isinstance(output, str):
            return output
        if isinstance(output, dict) and isinstance(output.get("unknown"), str):
            printed = output.get("output")
            return Interrupted(output["unknown"], printed if isinstance(printed, str) else "")
        return Unknown(f"{program} was not asked, as this machine is only a folder")

    def _locate(self, path: str) -> str:
        if len(path) > _LONGEST:
            raise OSError(errno.ENAMETOOLONG, "the path is too long")
        return path if self.running else os.path.join(self._root, *self._followed(path))

    def _followed(self, path: str) -> list[str]:
        """The parts of a path below the root, with every link replaced by what it means inside the root."""
        waiting = _steps(re.sub(r"^[A-Za-z]:", "", path).replace("\\", "/"))
        parts: list[str] = []
        links = 0
        there = True
        while waiting:
            part = waiting.pop()
            if part == "..":
                parts, there = parts[:-1], True
                continue
            if part == "/":
                parts, there = [], True
                continue
            parts.append(part)
            kind = _kind(os.path.join(self._root, *parts)) if there else None
            there = kind is not None  # below what is not there nothing is, and no link
            if kind is not None and stat.S_ISLNK(kind):
                links += 1
                if links > _LINKS:
                    raise OSError(errno.ELOOP, "the path goes through too many links")
                target = os.readlink(os.path.join(self._root, *parts))
                waiting.extend(_steps(target))
                parts.pop()
        return parts


def _steps(path: str) -> list[str]:
    """The parts of a path, the last one first; the root is one of them."""
    below = [part for part in path.split("/") if part not in ("", ".")]
    return [*reversed(below), *(["/"] if path.startswith("/") else [])]


def _kind(path: str) -> int | None:
    """The mode of what lies there, links being what they are; None if nothing does. Raises OSError if it is closed."""
    try:
        return os.lstat(path).st_mode
    except (FileNotFoundError, NotADirectoryError):
        return None
