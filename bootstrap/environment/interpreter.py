"""Which Python, and what it is: facts gathered once per build of an interpreter and remembered.

What is remembered is filed under everything that could change the answer: the executable's path, time and size, the
kernel and the C library (both show in markers and tags), and our own format.
"""

from __future__ import annotations

import hashlib
import json
import os
import pkgutil
import re
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import packaging
from packaging.version import Version

from bootstrap.environment import facts
from bootstrap.errors import BootstrapError
from bootstrap.resolver.resolution import Target
from bootstrap.wheels.disk import put

__all__ = ["Interpreter", "UnusableError", "describe", "target"]

FORMAT = 2
LIMIT = 60  # seconds; a Python on a cold network file system takes its time
LONGEST_REASON = 300  # characters
SYSTEMS = {"linux": "linux", "darwin": "macos", "win32": "windows"}
MACHINES = {"amd64": "x86_64", "x86_64": "x86_64", "arm64": "arm64", "aarch64": "aarch64"}
SPELLINGS = {"linux_arm64": "linux_aarch64", "macos_aarch64": "macos_arm64", "windows_aarch64": "windows_arm64"}
LIBC_TAG = re.compile(r"-(many|musl)linux_(\d+)_(\d+)_")


class UnusableError(BootstrapError):
    """A file that should be a Python is none, or one that cannot be used."""


@dataclass(frozen=True, slots=True)
class Interpreter:
    """The facts of one Python.

    `path` is the executable outside any virtual environment, `version` the full one ("3.11.7"), `platform` one of our
    names ("linux_x86_64"), `libc` "glibc2.36", "musl1.2" or "". `tags` are wheel tags, best first. The last four are
    folders of an environment made from it, relative to the environment, with "/" between their parts.
    """

    path: Path
    base_prefix: Path
    version: str
    implementation: str
    markers: Mapping[str, str]
    tags: tuple[str, ...]
    platform: str
    libc: str
    free_threaded: bool
    purelib: str
    platlib: str
    scripts: str
    include: str

    @property
    def python(self) -> str:
        """The executable of an environment made from it, relative to the environment."""
        return f"{self.scripts}/python.exe" if self.platform.startswith("windows") else f"{self.scripts}/python"

    @property
    def key(self) -> str:
        """Names this build of Python among all others on the machine; fit for a file name."""
        text = f"{self.path}\n{self.version}\n{self.base_prefix}\n{self.tags[0] if self.tags else ''}"
        return f"{self.implementation}-{self.version}-{hashlib.sha256(text.encode()).hexdigest()[:16]}"


def target(interpreter: Interpreter) -> Target:
    """What resolution has to know of an interpreter."""
    return Target(interpreter.version, interpreter.platform, interpreter.markers, interpreter.tags)


def describe(python: Path, cache: Path | None = None) -> Interpreter:
    """The facts of a Python executable; the running one is asked directly, another by one child process.

    `cache` is a folder to remember answers in; one that cannot be written is no obstacle.
    Raises UnusableError if it cannot be run or says nothing sensible.
    """
    if os.path.abspath(python) == os.path.abspath(sys.executable):  # noqa: PTH100 - links must stay as they are
        return _interpreter(facts.gather())
    remembered = _place(python, cache)
    if remembered is not None:
        with suppress(OSError, ValueError, KeyError, TypeError):
            return _from_json(json.loads(remembered.read_text(encoding="utf-8")))
    found = _interpreter(_ask(python))
    if remembered is not None:
        _remember(remembered, found)
    return found


def _place(python: Path, cache: Path | None) -> Path | None:
    """The file for an answer. Scripts in front of a Python (pyenv's shims) answer differently from folder to folder."""
    if cache is None:
        return None
    try:
        with python.open("rb") as file:
            if file.read(2) == b"#!":
                return None
        status = python.stat()
    except OSError:
        return None
    libc = os.confstr("CS_GNU_LIBC_VERSION") if "CS_GNU_LIBC_VERSION" in getattr(os, "confstr_names", {}) else ""
    system = tuple(os.uname()) if hasattr(os, "uname") else sys.getwindowsversion()  # type: ignore[attr-defined,unused-ignore]
    parts = (FORMAT, packaging.__version__, python.absolute(), status.st_mtime_ns, status.st_size, libc, system)
    return cache / "interpreters" / f"{hashlib.sha256(repr(parts).encode()).hexdigest()[:32]}.json"


def _ask(python: Path) -> Mapping[str, Any]:
    source = pkgutil.get_data("bootstrap.environment", "facts.py") or b""
    ours = Path(packaging.__file__ or "").parent.parent
    command = [str(python), "-I", "-S", "-X", "utf8", "-c", source.decode(), str(ours)]
    try:
        done = subprocess.run(command, capture_output=True, timeout=LIMIT, check=False, stdin=subprocess.DEVNULL)
    except OSError as error:
        raise UnusableError(f"{python} cannot be run ({error.strerror}); name another with --python.") from error
    except subprocess.TimeoutExpired as error:
        raise UnusableError(f"{python} did not answer within {LIMIT} seconds; name another with --python.") from error
    try:
        document = json.loads(done.stdout)
        if done.returncode == 0 and isinstance(document, dict):
            return document
    except ValueError:
        pass
    lines = done.stderr.decode("utf-8", "replace").strip().splitlines()
    # A program that is no Python may repeat our whole source in what it says.
    why = lines[-1] if lines and len(lines[-1]) < LONGEST_REASON else f"exit status {done.returncode}"
    raise UnusableError(f"{python} is not a Python that can be used ({why}); name another with --python.")


def _interpreter(found: Mapping[str, Any]) -> Interpreter:
    scheme = found["scheme"]
    tags = tuple(found["tags"])
    return Interpreter(
        path=Path(found["executable"]),
        base_prefix=Path(found["base_prefix"]),
        version=found["version"].rstrip("+"),
        implementation=found["implementation"],
        markers=found["markers"],
        tags=tags,
        platform=_platform(found["system"], found["machine"], wide=found["wide"]),
        libc=_libc(tags),
        free_threaded=found["free_threaded"],
        purelib=scheme["purelib"],
        platlib=scheme["platlib"],
        scripts=scheme["scripts"],
        include=scheme["include"],
    )


def _platform(system: str, machine: str, *, wide: bool) -> str:
    """One of our names; a 32-bit Python on a 64-bit kernel has a machine of its own."""
    ours = MACHINES.get(machine.lower(), machine.lower())
    narrow = "i686" if ours == "x86_64" else "armv7l"
    name = f"{SYSTEMS.get(system, system)}_{ours if wide else narrow}"
    return SPELLINGS.get(name, name)


def _libc(tags: tuple[str, ...]) -> str:
    """The C library, from the best tag that carries its version."""
    for tag in tags:
        found = LIBC_TAG.search(tag)
        if found:
            return f"{'glibc' if found[1] == 'many' else 'musl'}{found[2]}.{found[3]}"
    return ""


def _from_json(document: Mapping[str, Any]) -> Interpreter:
    Version(document["version"])
    paths = {name: Path(document[name]) for name in ("path", "base_prefix")}
    if not paths["path"].exists():
        raise ValueError("that Python is gone")
    return Interpreter(**{**document, **paths, "tags": tuple(document["tags"])})


def _remember(place: Path, found: Interpreter) -> None:
    document = {each.name: getattr(found, each.name) for each in fields(found)}
    with suppress(OSError):
        put(place, json.dumps(document, default=str).encode())
