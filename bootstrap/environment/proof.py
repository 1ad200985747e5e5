"""Does torch work here? Only the environment's own Python can show it: it is started and made to try (trial.py).

What is tried: torch and its family import and are the builds that were locked, torchvision's operators load, and every
device that torch sees multiplies as the CPU does. What failed is named, each device for itself.
"""

from __future__ import annotations

import json
import pkgutil
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

from bootstrap.environment.trial import MARK
from bootstrap.errors import VerificationError

__all__ = ["Proof", "prove", "script"]

LIMIT = 300.0  # seconds; the first import of torch from a network file system takes minutes
DEVICE_LIMIT = 120.0  # seconds; a driver may have to translate the code for its GPU first
TRIED = ("torch", "torchvision", "torchaudio")
HIDE = "hide it from programs (CUDA_VISIBLE_DEVICES, HIP_VISIBLE_DEVICES, ZE_AFFINITY_MASK)"
REMEDIES = (  # a part of what was said, what helps
    (("no kernel image", "invalid device function"), "take a variant for it (`torchstrap choose` says which), or"),
    (("driver version is insufficient", "driver initialization failed"), "update the driver, or"),
    (("numbers of a product are wrong",), "its memory, its driver or its link to the CPU is faulty: mend that, or"),
    (("did not answer",), "see what the driver says of it (nvidia-smi, rocm-smi, xpu-smi), or"),
)


@dataclass(frozen=True, slots=True)
class Proof:
    """What the environment's own Python said; `torch` is `torch.__version__`. Without torch, only `python` is set.

    `devices` are those that torch sees and has computed on, with their names: "cuda:0 NVIDIA L4".
    """

    python: str
    torch: str | None = None
    cuda: str | None = None
    hip: str | None = None
    xpu: str | None = None
    devices: tuple[str, ...] = ()


@cache
def script() -> str:
    """What is run. A proof of another script would be another proof."""
    return (pkgutil.get_data("bootstrap.environment", "trial.py") or b"").decode()


def prove(
    python: Path, expected: Mapping[str, Version], *, limit: float = LIMIT, device_limit: float = DEVICE_LIMIT
) -> Proof:
    """Start an environment's Python and, if torch is in the lock, import it and compute with it on all it sees.

    Limits in seconds. Raises VerificationError with every issue: what does not load, a version that is not the locked
    one (the public part has to agree, the local part, `+cu132`, where the lock has one), and each device that fails.
    """
    locked = {canonicalize_name(name): version for name, version in expected.items()}
    tried = [name for name in TRIED if canonicalize_name(name) in locked] if "torch" in locked else []
    if not tried:
        return _started(python, limit)
    command = [str(python), "-I", "-X", "utf8", "-c", script(), str(device_limit), *tried]
    try:
        done = subprocess.run(
            command, capture_output=True, timeout=limit + device_limit, check=False, stdin=subprocess.DEVNULL
        )
        output, how = done.stdout, ""
        if done.returncode:
            how = f"signal {-done.returncode}" if done.returncode < 0 else f"exit status {done.returncode}"
    except subprocess.TimeoutExpired as error:
        output, how = error.stdout or b"", f"did not finish within {limit + device_limit:.0f} seconds"
    except OSError as error:
        raise VerificationError([f"{python} cannot be run ({error.strerror})."]) from error
    told = tuple(_told(output))
    issues = (*_failures(python, told, how, device_limit), *_disagreements(told, locked))
    if issues:
        raise VerificationError(issues)
    return _proof(told)


def _started(python: Path, limit: float) -> Proof:
    """The interpreter alone; all that it loads is what it needs to say its version."""
    command = [str(python), "-I", "-c", "import sys; print(sys.version.split()[0])"]
    try:
        done = subprocess.run(command, capture_output=True, timeout=limit, check=False, stdin=subprocess.DEVNULL)
    except subprocess.TimeoutExpired as error:
        raise VerificationError([f"{python} did not start within {limit:.0f} seconds."]) from error
    except OSError as error:
        raise VerificationError([f"{python} cannot be run ({error.strerror})."]) from error
    said = done.stdout.decode("utf-8", "replace").split()
    if done.returncode or not said:
        lines = done.stderr.decode("utf-8", "replace").strip().splitlines()
        why = lines[-1] if lines else f"exit status {done.returncode}"
        raise VerificationError([f"the interpreter does not start in {python.parent.parent}: {why}"])
    return Proof(said[-1])


def _told(output: bytes) -> Iterator[Mapping[str, Any]]:
    """What the script said, among whatever packages print."""
    for line in output.decode("utf-8", "replace").split("\n"):
        if line.startswith(MARK):
            try:
                yield json.loads(line.removeprefix(MARK))
            except ValueError:  # cut off by a signal
                return


def _failures(python: Path, told: Sequence[Mapping[str, Any]], how: str, device_limit: float) -> Iterator[str]:
    """One sentence for each step that failed, and for each that nobody heard of again."""
    place = python.parent.parent
    ended = {each.get("done") or each.get("failed") for each in told}
    for each in told:
        if "failed" in each:
            yield _sentence(place, each["failed"], each.get("name", ""), each["why"])
    silent = [each for each in told if each.get("begin") not in {None, *ended}]
    why = how or f"it did not answer within {device_limit:.0f} seconds"
    for each in silent:
        yield _sentence(place, each["begin"], each.get("name", ""), why)
    if not silent and (how or "everything" not in ended):
        yield f"the Python in {place} did not finish its trial: {how or 'it said nothing more'}."


def _sentence(place: Path, step: str, name: str, why: str) -> str:
    if step not in TRIED and step != "the list of devices":
        device = f"{step} ({name})" if name else step
        remedy = next((each for marks, each in REMEDIES if any(mark in why for mark in marks)), "")
        return f"{device} does not work with the torch in {place}: {why}; {remedy} {HIDE}.".replace(";  ", "; ")
    what = f"{step} cannot be imported and used" if step in TRIED else f"torch cannot tell {step}"
    return f"{what} in {place}: {why}"


def _disagreements(told: Sequence[Mapping[str, Any]], locked: Mapping[Any, Version]) -> Iterator[str]:
    for each in told:
        name = each.get("done")
        if name not in TRIED or each.get("version") is None:
            continue
        version, wanted = _version(each["version"]), locked[name]
        if version is None or version.public != wanted.public:
            yield f"{name} says that it is {each['version']}, but {wanted} is locked."
        elif wanted.local is not None and version.local != wanted.local:
            build = version.local or "without a local version"
            yield f"{name} says that it is the build {build}, but {wanted} is locked."
        if each.get("computed", 2.0) != 2.0:  # noqa: PLR2004 - one and one
            yield f"{name} {each['version']} computes {each['computed']} where 2.0 is right."


def _version(text: str) -> Version | None:
    try:
        return Version(text)
    except InvalidVersion:
        return None


def _proof(told: Sequence[Mapping[str, Any]]) -> Proof:
    done = {each["done"]: each for each in told if "done" in each}
    torch = done["torch"]
    worked = (each for device in done.get("the list of devices", {}).get("devices", ()) if (each := done.get(device)))
    devices = tuple(f"{each['done']} {each['name']}".strip() for each in worked)
    builds = {name: torch[name] for name in ("cuda", "hip", "xpu")}
    return Proof(done["python"]["version"], torch["version"], **builds, devices=devices)
