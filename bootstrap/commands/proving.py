"""That torch works is shown before an environment is switched to, and once for the same files, Python and machine."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from packaging.version import Version

from bootstrap.commands.session import Session
from bootstrap.environment import verification
from bootstrap.environment.proofs import Proofs, key_of

__all__ = ["shown"]


def shown(session: Session, python: Path, expected: Mapping[str, Version], files: Sequence[object]) -> bool:
    """Start an environment's Python and have torch compute, unless that is known or `--no-verify` says not to.

    `expected` are names and versions, `files` what tells these very packages from others. Returns whether torch is
    known to work; an environment without torch needs no more than a Python that starts. Raises VerificationError.
    """
    proofs, key = Proofs(session.cache / "proofs"), ""
    if "torch" in expected:
        key = key_of(files, session.interpreter.key, session.machine)
    if not key or key in proofs:
        verification.prove(python, {})
        return True
    if session.asked.no_verify:
        verification.prove(python, {})
        session.warn("--no-verify: nobody has tried whether torch works in this environment; `torchstrap verify` does")
        return False
    proofs.remember(key, verification.prove(python, expected))
    return True
