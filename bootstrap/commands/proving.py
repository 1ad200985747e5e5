"""That torch works is shown before an environment is switched to, and once for the same files, Python and machine."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from packaging.version import Version

from bootstrap.commands.session import Session
from bootstrap.environment.proof import Proof, prove
from bootstrap.environment.proofs import Proofs, key_of
from bootstrap.errors import VerificationError
from probes import MACHINE_OVERRIDE, Gpu

__all__ = ["shown"]


def shown(session: Session, python: Path, expected: Mapping[str, Version], files: Sequence[object]) -> bool:
    """Start an environment's Python and have torch compute, unless that is known or `--no-verify` says not to.

    `expected` are names and versions, `files` what tells these very packages from others. Returns whether torch is
    known to work; an environment without torch needs no more than a Python that starts. Raises VerificationError.
    """
    if "torch" not in expected:
        prove(python, {})
        return True
    proofs, key = Proofs(session.cache / "proofs"), key_of(files, session.interpreter.key, session.machine)
    known = proofs.recall(key)
    if known is not None:
        prove(python, {})
        _look_for_devices(session, known)
        return True
    if session.asked.no_verify:
        prove(python, {})
        session.warn("--no-verify: nobody has tried whether torch works in this environment; `torchstrap verify` does")
        return False
    proof = prove(python, expected)
    _look_for_devices(session, proof)
    proofs.remember(key, proof)
    return True


def _look_for_devices(session: Session, proof: Proof) -> None:
    """Never silently on the CPU: a build for GPUs that sees none of those that are there is a warning, or an error.

    Raises VerificationError with `--require gpu`.
    """
    if proof.devices or os.environ.get(MACHINE_OVERRIDE):  # a machine that is only described has nothing to see
        return
    vendor = next((vendor for vendor, build in _BUILDS.items() if getattr(proof, build)), None)
    there = [each for each in session.machine.gpus if each.vendor == vendor and each.visible and not _is_assumed(each)]
    if not there:
        return
    names = (each.name if isinstance(each.name, str) else f"of {each.vendor}, name unknown" for each in there)
    sentence = (
        f"torch {proof.torch} works, but sees none of this machine's GPUs ({', '.join(names)}) and will use the CPU; "
        f"`torchstrap doctor` looks for the reason"
    )
    if session.asked.require == "gpu":
        raise VerificationError([f"{sentence}, and --require gpu asks for one."])
    session.warn(sentence)


def _is_assumed(gpu: Gpu) -> bool:
    """Was it named by a variable? Such an environment is for another machine than the one that it is built on."""
    return gpu.source.startswith("TORCHSTRAP_")


_BUILDS = {"amd": "hip", "nvidia": "cuda", "intel": "xpu"}
