"""What is wrong with a machine and an environment, with one remedy each: a table of checks, pure functions of facts."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bootstrap.commands.asked import Asked
from bootstrap.commands.condition import Condition, condition
from bootstrap.wheels.disk import size_text
from probes import NvidiaDriver, Unknown
from probes.machine import CudaLibrary
from probes.storage import Folder, Storage

__all__ = ["CHECKS", "Finding", "examined", "findings", "to_json"]

SCHEMA = "torchstrap.doctor/1"
# Bytes that should be free, by what a folder is for. An environment for CUDA is 7 GB, and arrives as 3 GB more.
_ROOM_FOR_GPU: Mapping[str, int] = {"cache": 12 * 10**9, "environment": 10**9, "temporary": 500 * 10**6}
_ROOM: Mapping[str, int] = {"cache": 2 * 10**9, "environment": 500 * 10**6, "temporary": 200 * 10**6}
_ROOM_ONCE_BUILT: Mapping[str, int] = {"cache": 500 * 10**6, "environment": 200 * 10**6, "temporary": 200 * 10**6}


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that is wrong, and the one thing to do about it."""

    check: str
    problem: str
    remedy: str

    def to_json(self) -> Mapping[str, str]:
        """One entry of `doctor --json`."""
        return {"check": self.check, "problem": self.problem, "remedy": self.remedy}


Said = tuple[str, str] | None


def examined(asked: Asked) -> tuple[Finding, ...]:
    """Everything that is wrong here. Changes nothing and asks no network. Raises ConfigurationError."""
    return findings(condition(asked))


def findings(facts: Condition) -> tuple[Finding, ...]:
    """What the checks say of some facts, in the order of the table."""
    said = ((check, judge(facts)) for check, judge in CHECKS)
    return tuple(Finding(check, *found) for check, found in said if found is not None)


def to_json(several: Sequence[Finding]) -> Mapping[str, Any]:
    """The document of `doctor --json`."""
    return {"schema": SCHEMA, "findings": [each.to_json() for each in several]}


def _halves(facts: Condition) -> Said:
    driver = facts.machine.driver
    if not isinstance(driver, NvidiaDriver) or not isinstance(driver.user_space, str):
        return None
    if driver.user_space == driver.version or _works(driver):
        return None
    problem = f"the kernel runs NVIDIA driver {driver.version}, but its libraries are of {driver.user_space}"
    if facts.machine.container is not None:
        return problem, "take the driver's libraries out of the image: the container's runtime brings those that fit"
    return problem, "restart the machine, so that the kernel loads the driver that was installed"


def _works(driver: NvidiaDriver) -> bool:
    library = driver.library
    return isinstance(library, CudaLibrary) and isinstance(library.devices, int) and library.devices > 0


def _libcuda(facts: Condition) -> Said:
    driver, gpus = facts.machine.driver, [each for each in facts.machine.gpus if each.vendor == "nvidia"]
    if not isinstance(driver, NvidiaDriver) or not gpus or driver.library is not None:
        return None
    problem = f"there is {gpus[0].name}, and driver {driver.version}, but programs find no libcuda (libcuda.so.1)"
    if facts.machine.container is not None:
        return problem, "start the container with `--gpus all` and NVIDIA_DRIVER_CAPABILITIES=compute,utility"
    return problem, f"install the compute libraries of driver {driver.version} (libcuda1, nvidia-driver-cuda-libs)"


def _cuda_starts(facts: Condition) -> Said:
    driver = facts.machine.driver
    library = driver.library if isinstance(driver, NvidiaDriver) else None
    if not isinstance(library, CudaLibrary) or not isinstance(library.devices, Unknown) or _halves(facts):
        return None
    return f"libcuda: {library.devices.reason}", "see what `nvidia-smi` and the kernel's log say; a restart often helps"


def _driver(facts: Condition) -> Said:
    gpus = [each for each in facts.machine.gpus if each.vendor == "nvidia"]
    if not gpus or facts.machine.driver is not None:
        return None
    named = gpus[0].name if isinstance(gpus[0].name, str) else "an NVIDIA GPU"
    return f"{named} is there, but no NVIDIA driver is loaded", "install NVIDIA's driver, and restart the machine"


def _closed(facts: Condition) -> Said:
    gpu = next((each for each in facts.machine.gpus if each.closed and each.integrated is not True), None)
    if gpu is None:
        return None
    remedy = "give this user, or this container, the right to open its device: mostly the group `render` or `video`"
    return f"{gpu.name if isinstance(gpu.name, str) else 'a GPU'} cannot be used: {gpu.closed}", remedy


def _settings(facts: Condition) -> Said:
    return (facts.settings, "correct what is said there, or take it out") if facts.settings else None


def _certificates(facts: Condition) -> Said:
    bad = next((each for each in facts.certificates if each.problem), None)
    if bad is None:
        return None
    return (
        f"{bad.source} names {bad.path} for certificates: {bad.problem}",
        f"let {bad.source} name a file of PEM certificates that this user may read, or take it out",
    )


def _room(facts: Condition) -> Said:
    wanted = _ROOM_FOR_GPU if any(each.visible for each in facts.machine.gpus) else _ROOM
    wanted = _ROOM_ONCE_BUILT if facts.environment is not None else wanted
    short = [each for each in _folders(facts) if isinstance(each.free, int) and each.free < wanted.get(each.purpose, 0)]
    if not short:
        return None
    named = ", ".join(f"{size_text(_free(each))} for the {each.purpose} folder ({each.path})" for each in short)
    return f"little room is left: {named}", "run `torchstrap cache gc` and `torchstrap env remove --all-but-current`"


def _free(folder: Folder) -> int:
    return folder.free if isinstance(folder.free, int) else 0


def _folders(facts: Condition) -> Iterable[Folder]:
    storage = facts.machine.storage
    return storage.folders if isinstance(storage, Storage) else ()


def _sharing(facts: Condition) -> Said:
    storage = facts.machine.storage
    pairs = storage.sharing if isinstance(storage, Storage) else ()
    found = next((each for each in pairs if (each.origin, each.target) == ("cache", "environment")), None)
    if found is None or found.hard_link is not False or found.reflink is True:
        return None
    places = {each.purpose: each.path for each in _folders(facts)}
    return (
        f"{places['cache']} (cache) and {facts.venv} cannot share files: each environment is a full copy",
        "name a folder on the environment's file system with --cache-dir or TORCHSTRAP_CACHE_DIR",
    )


def _writable(facts: Condition) -> Said:
    closed = [each for each in _folders(facts) if each.purpose in facts.unwritable]
    if not closed:
        return None
    named = ", ".join(f"{each.path} ({each.purpose})" for each in closed)
    return f"this user cannot write {named}", "change the owner or mode, or name others: --cache-dir, --venv, TMPDIR"


def _foreign(facts: Condition) -> Said:
    return (facts.foreign, "mv it away, and run `torchstrap sync`") if facts.foreign else None


def _lock(facts: Condition) -> Said:
    return (facts.lock, "run `torchstrap lock`") if facts.lock else None


def _litter(facts: Condition) -> Said:
    if not facts.litter:
        return None
    named = ", ".join(map(str, facts.litter))
    return f"runs that were killed have left {named}", "run `torchstrap env remove --all-but-current`"


def _two_torches(facts: Condition) -> Said:
    torches = facts.environment.torches if facts.environment else ()
    if len(torches) < 2:  # noqa: PLR2004 - two are one too many
        return None
    return f"torch is installed {len(torches)} times in {facts.venv} ({', '.join(torches)})", "run `torchstrap sync`"


def _drift(facts: Condition) -> Said:
    environment = facts.environment
    if environment is None or not (environment.drift or environment.is_distrusted):
        return None
    what = str(environment.drift) or "`verify` found files that are not as they were installed"
    return (
        f"{facts.venv} was changed by hand since it was built: {what}",
        "run `torchstrap sync`, which builds it again (--keep-extras takes along what was added)",
    )


def _active(facts: Condition) -> Said:
    if facts.environment is None or facts.active in {None, str(facts.venv)}:
        return None
    if facts.other_python is None:  # another environment without torch is nobody's concern
        return None
    return (
        f"{facts.active} is active, with torch {facts.other_python[1]}; the environment here is {facts.venv}",
        "deactivate it, or start programs with `torchstrap run --`",
    )


def _other_python(facts: Condition) -> Said:
    if facts.environment is None or facts.other_python is None or _active(facts) is not None:
        return None
    python, torch = facts.other_python
    if torch in facts.environment.torches:
        return None
    ours = ", ".join(facts.environment.torches) or "none"
    return (
        f"`python` is {python}, whose torch is {torch}; that of {facts.venv} is {ours}",
        "start programs with `torchstrap run --`, or activate the environment",
    )


def _shadows(facts: Condition) -> Said:
    if not facts.shadows:
        return None
    named = ", ".join(facts.shadows)
    return f"PYTHONPATH brings another torch before that of any environment: {named}", "unset PYTHONPATH"


CHECKS: Sequence[tuple[str, Callable[[Condition], Said]]] = (
    ("driver", _driver),
    ("driver-halves", _halves),
    ("libcuda", _libcuda),
    ("cuda-start", _cuda_starts),
    ("gpu-closed", _closed),
    ("settings", _settings),
    ("certificates", _certificates),
    ("room", _room),
    ("sharing", _sharing),
    ("writable", _writable),
    ("foreign", _foreign),
    ("lock", _lock),
    ("litter", _litter),
    ("two-torches", _two_torches),
    ("drift", _drift),
    ("active", _active),
    ("other-python", _other_python),
    ("shadows", _shadows),
)
