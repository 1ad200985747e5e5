"""Every Python on this machine, each once: what `probe` tells of them.

Each is asked by a child, in words that every Python since 2.7 understands; `interpreter.describe`, which knows all that
an environment needs, is for those that we can work with. What one answered is kept under the executable's path, time
and size, so that it is not started again. What failed is tried anew each time, and what can be read without starting
anything is: the executable's header, its loader, the mark that another program manages its packages (PEP 668).
"""

from __future__ import annotations

import json
import os
import re
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bootstrap.environment.candidates import Candidate, candidates
from bootstrap.environment.facts import base_executable
from probes.documents import writable
from probes.host import Host, Interrupted, LocalHost
from probes.libc import libc_of, parse_elf
from probes.machine import Libc, Unknown
from probes.pythons import Python

__all__ = ["pythons"]

FORMAT = 1
SECONDS = 5.0  # a Python that hangs may not hold up a probe
LONGEST_REASON = 300  # characters
MOST = 256  # answers that are kept
HEADER = 1 << 16  # bytes of an executable in which its loader is named
MARK = "EXTERNALLY-MANAGED"
SHELL = "/bin/sh"  # joins what a program complains of to what it prints
ARCHITECTURES = {"amd64": "x86_64", "i386": "i686", "i586": "i686"}
QUESTION = """
import json, os, sys, sysconfig
v = sys.version_info
named = getattr(sys, "implementation", None)
free = sysconfig.get_config_var("Py_GIL_DISABLED") if v >= (3, 13) else 0
print(json.dumps({
    "version": "%d.%d.%d" % tuple(v[:3])
    + ("" if v[3] == "final" else "%s%d" % ({"alpha": "a", "beta": "b"}.get(v[3], "rc"), v[4])),
    "implementation": named.name if named else "pypy" if hasattr(sys, "pypy_version_info") else "cpython",
    "free_threaded": bool(free),
    "stdlib": sysconfig.get_path("stdlib"),
    "machine": os.uname()[4] if hasattr(os, "uname") else os.environ.get("PROCESSOR_ARCHITECTURE", ""),
}))
"""


@dataclass(frozen=True, slots=True)
class _Answer:
    """What a Python said of itself."""

    version: str
    implementation: str
    free_threaded: bool
    stdlib: str
    machine: str


def pythons(
    cache: Path | None = None, environ: Mapping[str, str] = os.environ, *, seconds: float = SECONDS
) -> tuple[Python, ...]:
    """The Pythons that PATH and version managers have, and the running one, in that order.

    `cache` is a folder to remember answers in; one that cannot be written is no obstacle. Environments are none, nor
    are scripts that stand in front of a Python. One that cannot be run is unknown, with the reason, and so is one that
    did not answer before `seconds` had gone for all of them. Never raises.
    """
    host = LocalHost()
    deadline = time.monotonic() + seconds
    found = {path: (source, _key(path)) for path, source in _distinct(environ)}
    known = _known(cache)
    answers = {path: known.get(key) or _ask(host, path, deadline) for path, (_, key) in found.items()}
    told = {found[path][1]: answer for path, answer in answers.items() if isinstance(answer, _Answer)}
    if cache is not None and not told.keys() <= known.keys():
        _remember(cache, told if len(known) > MOST else {**known, **told})
    libraries: dict[str, Libc | Unknown | None] = {}
    return tuple(_python(host, libraries, path, source, answers[path]) for path, (source, _) in found.items())


def _distinct(environ: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Executables behind all links, each once, with who led to it first."""
    seen: set[str] = set()
    for each in (Candidate(Path(base_executable()), "running"), *candidates(environ)):
        path = os.path.realpath(each.path)
        if path not in seen and each.path.is_absolute() and _is_program(path) and not _is_environment(path):
            yield path, each.source
        seen.add(path)


def _is_program(path: str) -> bool:
    """Whether it can be run and is no script: pyenv's `python` starts another from folder to folder."""
    try:
        with open(path, "rb") as stream:  # noqa: PTH123
            return stream.read(2) != b"#!" and os.access(path, os.X_OK)
    except OSError:
        return False


def _is_environment(path: str) -> bool:
    folder = os.path.dirname(path)  # noqa: PTH120
    return any(os.path.exists(f"{each}/pyvenv.cfg") for each in (folder, os.path.dirname(folder)))  # noqa: PTH110, PTH120


def _key(path: str) -> str:
    try:
        status = os.stat(path)  # noqa: PTH116
    except OSError:
        return path
    system = os.uname().machine if hasattr(os, "uname") else ""
    return f"{path} {status.st_mtime_ns} {status.st_size} {system}"


def _ask(host: Host, path: str, deadline: float) -> _Answer | Unknown:
    """What one says in a child, if it does before `deadline` on the monotonic clock."""
    left = deadline - time.monotonic()
    if left <= 0:
        return Unknown("it was not asked, as others took too long")
    joined = (SHELL, "-c", 'exec "$0" "$@" 2>&1') if os.path.exists(SHELL) else ()  # noqa: PTH110
    # -I would be shorter, but Python 2 does not know it; the folder that children start in is the root.
    output = host.run((*joined, path, "-B", "-E", "-s", "-S", "-c", QUESTION), left, name=path)
    if isinstance(output, Unknown):
        said = output.output.strip().splitlines()[-1:] if isinstance(output, Interrupted) else []
        return Unknown(": ".join((output.reason.removeprefix(f"{path} "), *said))[:LONGEST_REASON])
    return _answer(output)


def _answer(output: str) -> _Answer | Unknown:
    with suppress(ValueError, KeyError, TypeError, RecursionError):
        return _from_json(json.loads(output.strip().rpartition("\n")[2]))
    return Unknown("it does not answer as a Python does")


def _from_json(document: Mapping[str, Any]) -> _Answer:
    """Raises ValueError, KeyError or TypeError for what is no answer."""
    texts = {name: document[name] for name in ("version", "implementation", "stdlib", "machine")}
    free = document["free_threaded"]
    if not all(isinstance(text, str) for text in texts.values()) or not isinstance(free, bool):
        raise TypeError("texts, and a bool")
    if not re.fullmatch(r"\d{1,4}(\.\d{1,4}){2}((a|b|rc)\d{1,4})?", texts["version"], re.ASCII):
        raise ValueError("no version")
    return _Answer(free_threaded=free, **texts)


def _place(cache: Path) -> Path:
    return cache / "interpreters" / "inventory.json"


def _known(cache: Path | None) -> dict[str, _Answer]:
    if cache is None:
        return {}
    with suppress(OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        document = json.loads(_place(cache).read_text(encoding="utf-8"))
        if document["format"] == FORMAT:
            return {key: _from_json(each) for key, each in document["answers"].items()}
    return {}


def _remember(cache: Path, answers: Mapping[str, _Answer]) -> None:
    names = tuple(_Answer.__dataclass_fields__)
    document = {
        "format": FORMAT,
        "answers": {key: {name: getattr(each, name) for name in names} for key, each in answers.items()},
    }
    place = _place(cache)
    beside = place.with_name(f"{place.name}.{os.getpid()}")
    with suppress(OSError):
        place.parent.mkdir(parents=True, exist_ok=True)
        beside.write_text(json.dumps(document), encoding="utf-8")
        beside.replace(place)


def _python(
    host: Host, libraries: dict[str, Libc | Unknown | None], path: str, source: str, answer: _Answer | Unknown
) -> Python:
    header = host.read_bytes(path, HEADER)
    elf = parse_elf(header) if isinstance(header, bytes) else Unknown("it cannot be read")
    libc = None
    if not isinstance(elf, Unknown) and elf.loader is not None:
        if elf.loader not in libraries:  # once each: to read a version takes milliseconds
            libraries[elf.loader] = _library(host, path, source)
        libc = libraries[elf.loader]
        libc = libc._replace(source=f"{path}, whose loader is {elf.loader}") if isinstance(libc, Libc) else libc
    if isinstance(answer, Unknown):
        architecture = answer if isinstance(elf, Unknown) else elf.architecture
        return Python(writable(path), source, answer, answer, architecture, libc, answer, answer)
    told = ARCHITECTURES.get(answer.machine.lower(), answer.machine)
    return Python(
        writable(path),
        source,
        answer.version,
        answer.implementation,
        told if isinstance(elf, Unknown) else elf.architecture,
        libc,
        answer.free_threaded,
        os.path.exists(os.path.join(answer.stdlib, MARK)),  # noqa: PTH110, PTH118
    )


def _library(host: Host, path: str, source: str) -> Libc | Unknown | None:
    """The C library of an executable; that of our own process is known without reading it."""
    family, _, version = (host.told("libc") or "").partition(" ")
    return Libc(family, version, path) if source == "running" and family == "glibc" else libc_of(host, path)
