"""Run a project's build backend (PEP 517, PEP 660) in an environment of its own.

    provide(build-system.requires) ──> python ──> get_requires_for_build_wheel ──> more requirements
    provide(all of them)           ──> python ──> build_wheel                  ──> wheel

The caller provides environments, so that build requirements come from our own resolver, store and indexes. What the
backend prints goes into a log; a build that fails shows the last lines of it and says where the whole is kept.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import pyproject_hooks

from bootstrap.build.system import BuildSystem, build_system
from bootstrap.errors import BuildError

__all__ = ["Build", "BuildEnvironment", "Provide", "build_editable", "build_wheel", "metadata"]

Provide = Callable[[Sequence[str]], Path]
Answer = TypeVar("Answer")

SHOWN_LINES = 20

# What would let the caller's own environment shine through, or point the child at another one.
DROPPED = frozenset(
    {
        "PYTHONPATH",
        "PYTHONHOME",
        "PYTHONSTARTUP",
        "PYTHONEXECUTABLE",
        "PYTHONPLATLIBDIR",
        "PYTHONSAFEPATH",
        "PYTHONWARNINGS",
        "VIRTUAL_ENV",
        "CONDA_PREFIX",
        "__PYVENV_LAUNCHER__",
    }
)


@dataclass(frozen=True, slots=True)
class BuildEnvironment:
    """`provide` installs requirements into an environment and says which Python it has.

    `logs` is the folder for the logs of failed builds; None is the system's folder for temporary files. `called` is how
    people know the source, if not by its folder. `variables` are those of the caller.
    """

    provide: Provide
    logs: Path | None = None
    called: str | None = None
    variables: Mapping[str, str] = field(default_factory=lambda: dict(os.environ))


Build = Callable[[Path, Path, Provide | BuildEnvironment], Path]


def build_wheel(source: Path, out: Path, provide: Provide | BuildEnvironment) -> Path:
    """Build a wheel of the folder into `out`. Raises BuildError with the backend's last lines."""
    return _built("wheel", source, out, provide)


def build_editable(source: Path, out: Path, provide: Provide | BuildEnvironment) -> Path:
    """Build a wheel that makes the folder importable where it is (PEP 660). Raises BuildError."""
    return _built("editable", source, out, provide)


def metadata(source: Path, provide: Provide | BuildEnvironment) -> bytes:
    """The METADATA that a wheel of the folder would have; built in full if the backend cannot do with less."""
    with _opened(source, _environment(provide)) as session:
        hooks = session.hooks("get_requires_for_build_wheel")
        with tempfile.TemporaryDirectory(prefix="torchstrap-metadata-") as folder:
            try:
                name = session.call(
                    lambda: hooks.prepare_metadata_for_build_wheel(folder, _allow_fallback=False), "the metadata"
                )
            except pyproject_hooks.HookMissing:
                name = session.call(lambda: hooks.build_wheel(folder), "the wheel")
                return _from_wheel(session.result(folder, name))
            return session.result(folder, f"{name}/METADATA").read_bytes()


def _built(kind: str, source: Path, out: Path, provide: Provide | BuildEnvironment) -> Path:
    what = "the editable wheel" if kind == "editable" else "the wheel"
    with _opened(source, _environment(provide)) as session:
        hooks = session.hooks(f"get_requires_for_build_{kind}")
        out.mkdir(parents=True, exist_ok=True)
        hook = getattr(hooks, f"build_{kind}")
        try:
            wheel = session.result(str(out), session.call(lambda: hook(str(out)), what))
        except pyproject_hooks.HookMissing as error:
            raise BuildError(
                f"{session.name} cannot be installed editable: its build backend {session.system.backend} does not "
                f"know PEP 660. Ask for a newer one in [build-system] requires, or install the project as a wheel.",
                "",
            ) from error
        if not zipfile.is_zipfile(wheel):
            raise session.failure(what, f"the backend made {wheel.name}, which is not a wheel")
        return wheel


@dataclass(frozen=True, slots=True)
class _Session:
    """One build: where its output goes, and in which words it fails."""

    source: Path
    system: BuildSystem
    environment: BuildEnvironment
    log: Path

    @property
    def name(self) -> str:
        return self.environment.called or str(self.source)

    def hooks(self, more: str) -> pyproject_hooks.BuildBackendHookCaller:
        """The backend in an environment that has all it requires; `more` is the hook that names the second part."""
        first = self._caller(self.environment.provide(self.system.requires))
        wanted: Any = self.call(getattr(first, more), "the build requirements")
        if not isinstance(wanted, list) or not all(isinstance(each, str) for each in wanted):
            raise self.failure("the build requirements", f"{more} gave {wanted!r} in place of a list of requirements")
        added = [each for each in wanted if each not in self.system.requires]
        return self._caller(self.environment.provide((*self.system.requires, *added))) if added else first

    def call(self, hook: Callable[[], Answer], what: str) -> Answer:
        """What the hook answers. Raises BuildError for all but a missing hook, which only some may be."""
        try:
            return hook()
        except pyproject_hooks.BackendUnavailable as error:
            self._append(error.traceback)
            raise self.failure(what, f"its backend {self.system.backend} cannot be imported") from error
        except subprocess.CalledProcessError as error:
            raise self.failure(what, _ended(error.returncode)) from error
        except (FileNotFoundError, json.JSONDecodeError) as error:
            raise self.failure(what, "the backend ended without an answer") from error

    def result(self, folder: str, name: object) -> Path:
        """What a hook says it made. Raises BuildError if it is not there."""
        made = Path(folder) / str(name)
        inside = made.resolve().is_relative_to(Path(folder).resolve())
        if not isinstance(name, str) or not inside or not made.is_file():
            raise self.failure("what it made", f"the backend says it made {name!r}, which is not there")
        return made

    def failure(self, what: str, reason: str) -> BuildError:
        """The error to raise; the log stays where the sentence says."""
        lines = self.log.read_text(encoding="utf-8", errors="replace").rstrip().splitlines()
        kept = f" The full log is {self.log}." if lines else ""
        return BuildError(
            f"{self.name} could not be built, at {what}: {reason}.{kept}", "\n".join(lines[-SHOWN_LINES:])
        )

    def _caller(self, python: Path) -> pyproject_hooks.BuildBackendHookCaller:
        return pyproject_hooks.BuildBackendHookCaller(
            str(self.source),
            self.system.backend,
            backend_path=self.system.path or None,
            runner=self._run,
            python_executable=str(python),
        )

    def _run(self, cmd: Sequence[str], cwd: str | None = None, extra_environ: Mapping[str, str] | None = None) -> None:
        """Run a hook with its output in the log and nothing to read, so that no backend waits for an answer."""
        environment = {**child_variables(self.environment.variables, Path(cmd[0])), **(extra_environ or {})}
        with self.log.open("ab") as log:
            try:
                subprocess.run(
                    cmd,
                    cwd=cwd,
                    env=environment,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    check=True,
                )
            except OSError as error:
                raise self.failure("starting Python", f"{cmd[0]} cannot be started: {error.strerror}") from error

    def _append(self, text: str) -> None:
        with self.log.open("a", encoding="utf-8") as log:
            log.write(text)


def child_variables(variables: Mapping[str, str], python: Path) -> dict[str, str]:
    """The environment variables of a build: the caller's, without what would leak its Python into the child's."""
    kept = {key: value for key, value in variables.items() if key.upper() not in DROPPED}
    # Tools that are installed as build requirements (cmake, ninja) are found where their scripts lie.
    path = os.pathsep.join(filter(None, [str(python.parent), kept.get("PATH", os.defpath)]))
    return {**kept, "PATH": path, "PYTHONNOUSERSITE": "1", "PYTHONUTF8": "1"}


@contextmanager
def _opened(source: Path, environment: BuildEnvironment) -> Iterator[_Session]:
    """A build's session; its log is removed unless the build fails with something in it."""
    source = source.absolute()
    system = build_system(source)
    if environment.logs is not None:
        environment.logs.mkdir(parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(prefix=f"torchstrap-build-{source.name}-", suffix=".log", dir=environment.logs)
    os.close(descriptor)
    session = _Session(source, system, environment, Path(name))
    try:
        yield session
    finally:
        failed = isinstance(sys.exc_info()[1], BuildError)
        if not failed or session.log.stat().st_size == 0:
            with suppress(OSError):
                session.log.unlink()


def _environment(provide: Provide | BuildEnvironment) -> BuildEnvironment:
    return provide if isinstance(provide, BuildEnvironment) else BuildEnvironment(provide)


def _ended(code: int) -> str:
    """How the backend's process ended, in words."""
    return f"the backend was ended by signal {-code}" if code < 0 else f"the backend ended with exit code {code}"


def _from_wheel(wheel: Path) -> bytes:
    try:
        with zipfile.ZipFile(wheel) as archive:
            (name,) = (
                each for each in archive.namelist() if each.count("/") == 1 and each.endswith(".dist-info/METADATA")
            )
            return archive.read(name)
    except (zipfile.BadZipFile, ValueError, OSError) as error:
        raise BuildError(
            f"the backend made {wheel.name}, which is not a wheel with one METADATA ({error}).", ""
        ) from error
