"""A standalone Python from its archive into a folder of its own, whole or not at all.

    <pythons>/.building/<sha256>.part       the archive as it arrives; outlives a kill, and is gone once it is of no use
    <pythons>/.building/<name>/python/...   what was unpacked of it, tried there
    <pythons>/cpython-3.13.17-linux-x86_64-gnu/   the same folder, renamed: it is there when it has shown that it works

The part is held under a lock, so of several processes that want the same Python one makes it, and the others find it.
What is in the archive counts for nothing before its hash is the promised one.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from bootstrap.build.source_distribution import unpack
from bootstrap.commands.pythons.housewarming import warm
from bootstrap.environment.interpreter import Interpreter, UnusableError, describe
from bootstrap.environment.standalone import Build, platform_of
from bootstrap.errors import (
    BadDistributionError,
    BootstrapError,
    CannotWriteError,
    HashMismatchError,
    NotPermittedError,
    UnreachableError,
)
from bootstrap.index.addresses import without_secrets
from bootstrap.wheels.disk import existing, writing
from bootstrap.wheels.durable import settle
from bootstrap.wheels.loading import Nobody, load
from bootstrap.wheels.parts import Held, forget, held, part_of
from bootstrap.wheels.transfer import PAUSE, Download, Errand, Event, Source

__all__ = ["PROGRAM", "Installed", "Supply", "install", "standing"]

PROGRAM = "python.exe" if os.name == "nt" else "bin/python"
"""The executable below the folder of a Python."""

_WORKSHOP = ".building"
_ELSEWHERE = "TORCHSTRAP_PYTHON_DIR names another folder for Pythons"


@dataclass(frozen=True, slots=True)
class Supply:
    """Where archives come from and where Pythons go. `pause` is the first wait after a failure, in seconds."""

    base: str
    client: Source
    folder: Path
    report: Callable[[Event], None] = lambda _event: None
    pause: float = PAUSE


@dataclass(frozen=True, slots=True)
class Installed:
    """A Python in its folder; `is_new` if this run put it there."""

    build: Build
    path: Path
    is_new: bool


def standing(build: Build, folder: Path) -> Path | None:
    """The executable of a build that is installed and works."""
    program = folder / build.folder / PROGRAM
    try:
        return program if program.exists() and _complaint(build, describe(program)) is None else None
    except (UnusableError, OSError):
        return None


def install(build: Build, supply: Supply) -> Installed:
    """The Python of a build, in its folder; fetched, checked, unpacked and tried unless it is there.

    Raises UnreachableError, BadDistributionError for an archive that is not the promised one or no Python,
    CannotWriteError and NotPermittedError that name the variable for another folder.
    """
    found = standing(build, supply.folder)
    if found is not None:
        return Installed(build, found, is_new=False)
    url = f"{supply.base.rstrip('/')}/{build.path}"
    download = Download(url, build.filename, build.sha256)
    workshop = supply.folder / _WORKSHOP
    try:
        _ensure_programs_start(supply.folder)
        with writing(f"installing Python {build.version}", supply.folder):
            workshop.mkdir(parents=True, exist_ok=True)
            with held(part_of(download, workshop)) as ours:
                is_new = standing(build, supply.folder) is None
                if is_new:
                    _make(build, download, ours, supply)
                forget(ours.part)
    except (CannotWriteError, NotPermittedError) as error:
        raise type(error)(f"{error} {_ELSEWHERE}.") from error
    return Installed(build, supply.folder / build.folder / PROGRAM, is_new)


def _make(build: Build, download: Download, ours: Held, supply: Supply) -> None:
    """Fetch, unpack, try, rename. The part is ours; what stands where the Python goes does not work."""
    tree, place = ours.part.parent / build.folder, supply.folder / build.folder
    errand = Errand(supply.client, supply.report, supply.pause)
    try:
        load(download, ours.file, ours.part, errand, Nobody())
        shutil.rmtree(tree, ignore_errors=True)
        tree.mkdir()
        root = unpack(ours.part, tree)
        warm(root, place)
        _prove(build, root)
        settle(tree)
        errand.say("finished", download)
        if place.exists():  # it does not work, or somebody was quicker where there are no locks
            place.rename(tree / "before")
        root.rename(place)
    except HashMismatchError as error:
        forget(ours.part)
        issue = f"its sha256 is {error.actual}, but {error.expected} was promised, and nothing was kept"
        way_out = "Try again; if it stays, whoever keeps the mirror has to look at that file"
        raise BadDistributionError(f"{build.filename} of {without_secrets(supply.base)}", [issue], way_out) from error
    except BadDistributionError as error:
        forget(ours.part)
        way_out = "No Python can be made of it: name one with --python PATH"
        raise BadDistributionError(build.filename, error.issues, way_out) from error
    except UnreachableError as error:
        if not os.fstat(ours.file.fileno()).st_size:
            forget(ours.part)
        raise _without_answer(build, error) from error
    except (OSError, CannotWriteError):  # what has arrived would be of use, but is in everybody's way on a full disk
        forget(ours.part)
        raise
    finally:
        shutil.rmtree(tree, ignore_errors=True)


def _prove(build: Build, root: Path) -> None:
    """Start it once. Raises BadDistributionError, or UnusableError with what the system says."""
    program = root / PROGRAM
    try:
        complaint = _complaint(build, describe(program))
    except UnusableError as error:
        raise BadDistributionError(build.filename, [f"it does not start here: {error}"]) from error
    if complaint is not None:
        raise BadDistributionError(build.filename, [complaint])


def _complaint(build: Build, found: Interpreter) -> str | None:
    """In what an interpreter is not the one of the table."""
    library = "musl" if found.libc.startswith("musl") else "glibc" if found.libc else None
    claimed = f"cpython {build.version} for {build.platform}"
    actual = f"{found.implementation} {found.version} for {platform_of(found.platform, library)}"
    return None if actual == claimed else f"it is {actual}, and should be {claimed}"


def _ensure_programs_start(folder: Path) -> None:
    """Raises CannotWriteError where the file system starts no programs: said before anything is fetched."""
    there = existing(folder.absolute())
    if hasattr(os, "statvfs") and os.statvfs(there).f_flag & getattr(os, "ST_NOEXEC", 0):
        raise CannotWriteError(f"{folder}: programs cannot be started from that file system (it is mounted noexec).")


def _without_answer(build: Build, error: UnreachableError) -> BootstrapError:
    """The same error with the way out."""
    hint = f"Python {build.version} could not be fetched; --python-mirror names another place for it"
    return type(error)(error.url, f"{error.problem}. {hint}, and --python PATH a Python that is here")
