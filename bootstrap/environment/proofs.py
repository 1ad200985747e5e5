"""What has been proven once need not be proven again: importing torch takes seconds.

    <cache>/proofs/<digest>.json    what torch said, filed under all that could make it say something else

Filed under the files of the environment, the build of the interpreter, and of the machine what torch talks to: the C
library, the drivers, and the GPUs that programs see. A new driver is a new question; a second generation of the same
files is not, nor is a second project.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from bootstrap.environment.proof import Proof, script
from bootstrap.wheels.disk import put

if TYPE_CHECKING:
    from probes import Machine

__all__ = ["Proofs", "key_of"]


def key_of(files: Sequence[object], interpreter: str, machine: Machine) -> str:
    """Names a question: would torch, in these files, under this interpreter, work on this machine?

    `files` are values that JSON knows, one for each package.
    """
    document = machine.to_json()
    facts = [document[name] for name in ("system", "libc", "driver", "drivers")]
    seen = [each for each in document["gpus"] if each["visible"]]
    text = json.dumps([script(), list(files), interpreter, facts, seen], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:32]


@dataclass(frozen=True, slots=True)
class Proofs:
    """The proofs below one folder, which need not exist yet."""

    root: Path

    def recall(self, key: str) -> Proof | None:
        """What was proven, or None if nobody has tried."""
        with suppress(OSError, ValueError, TypeError, LookupError):
            document = json.loads(self._place(key).read_bytes())
            return Proof(**{**document, "devices": tuple(document["devices"])})
        return None

    def remember(self, key: str, proof: Proof) -> None:
        """Keep a proof; a folder that cannot be written is no obstacle."""
        with suppress(OSError):
            put(self._place(key), f"{json.dumps(asdict(proof))}\n".encode())

    def _place(self, key: str) -> Path:
        return self.root / f"{key}.json"
