"""What tells one generation from all others: its files, its interpreter, its place, our version."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from bootstrap import __version__
from bootstrap.commands.builds.workshop import description_of
from bootstrap.commands.session import Session
from bootstrap.errors import InputError
from bootstrap.resolver.resolution import Pin

__all__ = ["identities", "key_of"]


def key_of(session: Session, pins: tuple[Pin, ...]) -> str:
    """The name of the generation that holds these pins. Raises InputError for a lock without hashes."""
    content = [__version__, session.interpreter.key, str(session.venv), identities(pins)]
    content += [sorted(session.settings.build_with)] if session.settings.build_with else []
    digest = hashlib.sha256(json.dumps(content).encode()).hexdigest()[:16]
    torch = next((str(pin.version) for pin in pins if pin.name == "torch"), None)
    return f"torch-{torch}-{digest}" if torch else digest


def identities(pins: tuple[Pin, ...]) -> list[list[Any]]:
    """The very files of the pins, as values that JSON knows. Raises InputError for a lock without hashes."""
    return [_identity(pin) for pin in sorted(pins, key=lambda pin: pin.name)]


def _identity(pin: Pin) -> list[Any]:
    if pin.files:
        file = pin.files[0]
        if "sha256" not in file.hashes:
            raise InputError(
                "the lock", f"has no sha256 for {file.filename}; write it anew with `torchstrap lock --upgrade`"
            )
        return [pin.name, str(pin.version), file.filename, file.hashes["sha256"]]
    direct = pin.direct
    if direct is None:
        return [pin.name, str(pin.version)]
    description = description_of(direct.path) if direct.path else None
    return [pin.name, str(pin.version), direct.url, direct.editable, dict(direct.hashes), description]
