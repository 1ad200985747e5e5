"""What `doctor` looks at, gathered once and afresh; nothing is changed but files of one byte that are tried and gone.

What cannot be read because it is wrong (settings, the lock) is a fact too: the sentence that says so.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from bootstrap.commands.activity import Activity
from bootstrap.commands.asked import Asked, environment_of, lock_path_of, project_folder
from bootstrap.commands.machine import folders, this_machine
from bootstrap.commands.standing import guests_of, versions_of
from bootstrap.environment import activation, generations, history
from bootstrap.environment.drift import Drift, drift
from bootstrap.environment.installed import by_name, installed
from bootstrap.errors import BootstrapError
from probes import MACHINE_OVERRIDE, Machine, Unknown
from probes.storage import Storage, probe_storage

if TYPE_CHECKING:
    from bootstrap.project.settings import Settings

__all__ = ["Certificate", "Condition", "Inhabited", "condition", "inhabited"]

LIMIT = 10.0  # seconds for another Python to say which torch it has
QUESTION = (
    "import importlib.metadata as found\ntry: print(found.version('torch'))\nexcept found.PackageNotFoundError: pass\n"
)


@dataclass(frozen=True, slots=True)
class Certificate:
    """Certificates that a setting or variable (`source`) names; `problem` is "" if they can be read."""

    source: str
    path: str
    problem: str


@dataclass(frozen=True, slots=True)
class Inhabited:
    """The current environment: every torch in it, what a hand has done, and whether `verify` found other bytes."""

    torches: tuple[str, ...] = ()
    drift: Drift = field(default_factory=Drift)
    is_distrusted: bool = False


@dataclass(frozen=True, slots=True)
class Condition:
    """All facts that the checks of `doctor` judge.

    `foreign` is the sentence about something that stands where the environment should and is not ours, `lock` the one
    about a lock that is of no use, `settings` the one about settings that make no sense; "" where there is none.
    `unwritable` are purposes of folders. `other_python` is the one that PATH finds and its torch, if that has one.
    """

    machine: Machine
    venv: Path
    environment: Inhabited | None = None
    foreign: str = ""
    lock: str = ""
    settings: str = ""
    certificates: tuple[Certificate, ...] = ()
    unwritable: frozenset[str] = frozenset()
    litter: tuple[Path, ...] = ()
    active: str | None = None
    other_python: tuple[str, str] | None = None
    shadows: tuple[str, ...] = ()


def condition(asked: Asked, environ: Mapping[str, str] = os.environ) -> Condition:
    """Look at this machine and the environment. Raises ConfigurationError for a TORCHSTRAP_MACHINE that is none."""
    venv = environment_of(asked)
    settings, problem = _settings(asked)
    storage, unwritable = _storage(asked)
    with suppress(BootstrapError):  # a sync that takes long is no reason to say nothing
        generations.settled(venv, limit=LIMIT)
    environment = inhabited(venv)
    return Condition(
        machine=this_machine()._replace(storage=storage),
        venv=venv,
        environment=environment,
        foreign=_foreign(venv),
        lock=_lock(asked) if not problem else "",
        settings=problem,
        certificates=tuple(_certificates(settings, environ)),
        unwritable=unwritable,
        litter=generations.litter(venv),
        active=environ.get("VIRTUAL_ENV") or environ.get("CONDA_PREFIX") or None,
        other_python=_other_python(venv, environ) if environment is not None else None,
        shadows=tuple(_shadows(environ)),
    )


def _settings(asked: Asked) -> tuple[Settings | None, str]:
    """The settings, or what is wrong with them. A folder without a project has those of the user."""
    from bootstrap.commands.session import settings_of  # noqa: PLC0415 - `probe` is not to load what sessions need

    try:
        return settings_of(asked), ""
    except (BootstrapError, OSError) as error:
        return None, str(error)


def _storage(asked: Asked) -> tuple[Storage | Unknown | None, frozenset[str]]:
    if os.environ.get(MACHINE_OVERRIDE):
        return None, frozenset()
    try:
        places = folders(asked)
    except (BootstrapError, OSError) as error:
        return Unknown(str(error)), frozenset()
    found = probe_storage(places)
    closed = {each.purpose for each in found.folders if not os.access(each.looked_at, os.W_OK | os.X_OK)}
    return found, frozenset(closed | {each.purpose for each in found.folders if each.read_only is True})


def inhabited(venv: Path) -> Inhabited | None:
    """The environment as it is, if it is one of ours."""
    current = generations.current(venv)
    if current is None:
        return None
    sites = history.site_packages(current)
    packages = by_name(installed(*sites))
    torches = tuple(each.version for each in packages.get("torch", ()))  # type: ignore[call-overload]
    made = versions_of(current)
    changes = drift(*sites, expected=made) if made else Drift()
    added = tuple(each for each in changes.added if each.normalized not in guests_of(current))
    return Inhabited(torches, replace(changes, added=added), history.is_distrusted(current))


def _foreign(venv: Path) -> str:
    try:
        generations.ensure_ours(venv)
    except BootstrapError as error:
        return str(error)
    return ""


def _lock(asked: Asked) -> str:
    """What is wrong with the lock of the project, if there are both."""
    if not (project_folder(asked) / "pyproject.toml").is_file() or not lock_path_of(asked).exists():
        return ""
    from bootstrap.commands.locks.keeping import digest_of  # noqa: PLC0415 - only where there is a lock
    from bootstrap.commands.locks.lock_file import any_lock  # noqa: PLC0415
    from bootstrap.commands.session import opened  # noqa: PLC0415
    from bootstrap.lock.model import Lock  # noqa: PLC0415

    try:
        with opened(asked, Activity()) as session:
            lock = any_lock(session)
            if not isinstance(lock, Lock) or lock.inputs == digest_of(session):
                return ""  # a lock that another tool wrote does not say what it was made for
            return f"{session.lock_path} was made for another pyproject.toml or other settings"
    except (BootstrapError, OSError) as error:
        return str(error)


def _certificates(settings: Settings | None, environ: Mapping[str, str]) -> Iterator[Certificate]:
    named = [
        ("cert", settings.cert if settings else None),
        ("client-cert", settings.client_cert if settings else None),
        ("SSL_CERT_FILE", environ.get("SSL_CERT_FILE")),
        ("SSL_CERT_DIR", environ.get("SSL_CERT_DIR")),
    ]
    for source, path in named:
        if path:
            yield Certificate(source, str(path), _unreadable(source, str(path)))


def _unreadable(source: str, path: str) -> str:
    import ssl  # noqa: PLC0415 - few people have certificates of their own

    try:
        if Path(path).is_dir():
            os.listdir(path)  # noqa: PTH208 - only whether it can be read
        elif source == "client-cert":
            ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_cert_chain(path)
        else:
            ssl.create_default_context(cafile=path)
    except ssl.SSLError:
        return "no certificate is in it"
    except OSError as error:
        return (error.strerror or str(error)).lower()
    return ""


def _other_python(venv: Path, environ: Mapping[str, str]) -> tuple[str, str] | None:
    """The Python that PATH finds, unless it is the environment's, and the torch that it would import."""
    found = shutil.which("python", path=environ.get("PATH")) or shutil.which("python3", path=environ.get("PATH"))
    if found is None or Path(found).parent.absolute() == (venv / activation.PYTHON).parent:
        return None
    variables = {name: value for name, value in environ.items() if name != "PYTHONPATH"}
    with suppress(OSError, subprocess.TimeoutExpired):
        done = subprocess.run(
            [found, "-c", QUESTION],
            capture_output=True,
            text=True,
            timeout=LIMIT,
            check=False,
            stdin=subprocess.DEVNULL,
            env=variables,
            cwd=venv.anchor,
        )
        return (found, done.stdout.strip()) if done.returncode == 0 and done.stdout.strip() else None
    return None


def _shadows(environ: Mapping[str, str]) -> Iterator[str]:
    """Folders of PYTHONPATH that hold a torch, which goes before the environment's."""
    for each in filter(None, environ.get("PYTHONPATH", "").split(os.pathsep)):
        if (Path(each) / "torch" / "__init__.py").is_file():
            yield each
