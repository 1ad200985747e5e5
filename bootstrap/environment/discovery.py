"""Finding a Python: the one that was asked for, the running one if it fits, else the newest on the machine that does.

Candidates come from PATH (`python3.12`, `python3`, `python`) and from the folders where version managers keep theirs
(candidates.py); which others there are, inventory.py tells.
A free-threaded build, an alpha or another implementation is taken only if it was asked for, or running.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.version import Version

from bootstrap.environment.candidates import candidates
from bootstrap.environment.interpreter import Interpreter, UnusableError, describe
from bootstrap.errors import BootstrapError

__all__ = ["MissingPythonError", "find"]

WORDS = re.compile(r"(?:c?python)?[ -]?(?P<version>\d+(?:\.\d+){0,2}(?:(?:a|b|rc)\d+)?)(?P<free>t?)", re.IGNORECASE)
COMMAND = re.compile(r"python(?:\d+(?:\.\d+)?)?t?(?:\.exe)?")
NOWHERE = Version("0")


class MissingPythonError(BootstrapError):
    """No Python here fits: `problem` says so without a way out, `admits` tells of a version of CPython if it would."""

    def __init__(
        self,
        problem: str,
        admits: Callable[[str], bool],
        way_out: str = "Install one that fits, or name it with --python PATH.",
    ) -> None:
        super().__init__(f"{problem}. {way_out}")
        self.problem, self.admits = problem, admits


@dataclass(frozen=True, slots=True)
class _Wish:
    """What `--python` says besides a path: versions that begin with `prefix`, or that `versions` lets through."""

    prefix: str | None = None
    versions: SpecifierSet | None = None
    free_threaded: bool = False
    implementation: str = "cpython"

    def fits(self, found: Interpreter) -> bool:
        kind = (found.implementation, found.free_threaded)
        return kind == (self.implementation, self.free_threaded) and self.admits(found.version)

    def admits(self, version: str) -> bool:
        """Is it the version of what is wished for?"""
        if self.prefix and not f"{version}.".startswith(f"{self.prefix}."):
            return False
        return self.versions is None or self.versions.contains(version, prereleases=True)


def find(
    request: str | None,
    requires_python: SpecifierSet,
    cache: Path | None = None,
    *,
    environ: Mapping[str, str] = os.environ,
) -> Interpreter:
    """The Python to use. `request` is a path, a command, "3.12", "3.13t", ">=3.11" or None for any that fits.

    Raises MissingPythonError if there is none, naming what was required and what was found, and BootstrapError for
    what was named and is none, or does not fit.
    """
    if request is None:
        running = describe(Path(sys.executable), cache)
        if requires_python.contains(running.version, prereleases=True):
            return running
        return _newest(_Wish(), requires_python, cache, environ, wanted="", running=running)
    named = _named(request, environ)
    if named is not None:
        found = describe(named, cache)
        _insist(found, requires_python, request)
        return found
    return _newest(_wish(request), requires_python, cache, environ, wanted=request, running=None)


def _named(request: str, environ: Mapping[str, str]) -> Path | None:
    """The executable that a request names outright: a path, an environment's folder, or a command on PATH."""
    path = Path(request).expanduser()
    if path.is_dir():
        inside = (path / "bin" / "python", path / "python.exe", path / "Scripts" / "python.exe")
        return next((each for each in inside if each.exists()), None)
    if os.sep in request or "/" in request or path.is_file():
        return path.absolute()
    if WORDS.fullmatch(request) and not COMMAND.fullmatch(request):
        return None
    folders = environ.get("PATH", "").split(os.pathsep)
    return next((each for folder in folders if folder and _runnable(each := Path(folder) / request)), None)


def _wish(request: str) -> _Wish:
    words = WORDS.fullmatch(request.strip())
    if words:
        return _Wish(prefix=words["version"], free_threaded=bool(words["free"]))
    try:
        return _Wish(versions=SpecifierSet(request))
    except InvalidSpecifier as error:
        raise BootstrapError(
            f"--python {request}: there is no such file or command, and it is no version; "
            f'say a path, or a version like "3.12".'
        ) from error


def _insist(found: Interpreter, requires_python: SpecifierSet, request: str) -> None:
    if not requires_python.contains(found.version, prereleases=True):
        raise BootstrapError(
            f"--python {request} is Python {found.version}, but {requires_python} is required (requires-python); "
            f"name one that fits, or leave --python away."
        )


def _newest(
    wish: _Wish,
    requires_python: SpecifierSet,
    cache: Path | None,
    environ: Mapping[str, str],
    *,
    wanted: str,
    running: Interpreter | None,
) -> Interpreter:
    """The newest that fits. Names and folders say which to ask first, so that few have to be asked."""
    seen: dict[Path, Interpreter] = {running.path: running} if running else {}
    fitting: list[Interpreter] = []
    for hint, path in sorted(_hints(environ, wish), key=lambda pair: pair[0], reverse=True):
        finals = [version for each in fitting if not (version := Version(each.version)).is_prerelease]
        if finals and hint != NOWHERE and _series(hint) < _series(finals[0]):
            break
        try:
            found = describe(path, cache)
        except UnusableError:
            continue
        seen.setdefault(found.path, found)
        if wish.fits(found) and requires_python.contains(found.version, prereleases=True):
            fitting.append(found)
    if fitting:
        return max(fitting, key=lambda each: (not Version(each.version).is_prerelease, Version(each.version)))
    versions = ", ".join(sorted({each.version for each in seen.values()}, key=Version)) or "none"
    asked = f"Python {wanted} was asked for" if wanted else "no Python here fits"
    rule = f" and {requires_python} is required (requires-python)" if str(requires_python) else ""

    def admits(version: str) -> bool:
        usual = wish.implementation == "cpython" and not wish.free_threaded
        return usual and wish.admits(version) and requires_python.contains(version, prereleases=True)

    raise MissingPythonError(f"{asked}{rule}; found: {versions}", admits)


def _series(version: Version) -> tuple[int, int]:
    return version.major, version.minor


def _hints(environ: Mapping[str, str], wish: _Wish) -> Iterator[tuple[Version, Path]]:
    """Executables, each with the version that its name or folder claims (0 where it claims none)."""
    for each in candidates(environ):
        if each.is_cpython and each.free_threaded in {None, wish.free_threaded}:
            yield _version(each.version), each.path


def _version(text: str) -> Version:
    return Version(text) if text else NOWHERE


def _runnable(path: Path) -> bool:
    return path.is_file() and os.access(path, os.X_OK)
