"""`ready`: may programs be started in the environment? For health checks, so it is quick and changes nothing.

It is ready when a complete generation is there which nobody found to be spoiled, and the files that said what should be
in it (project, lock, configuration) are as they were when it was built. So it is not while a container still prepares
itself for a new lock. Options of `sync` are not compared: a health check does not know them.
"""

from __future__ import annotations

from pathlib import Path

from bootstrap import stamp
from bootstrap.commands.asked import Asked, environment_of
from bootstrap.environment import activation, generations, history

__all__ = ["obstacle"]


def obstacle(asked: Asked) -> str | None:
    """What keeps programs from being started in the environment, in a sentence; None if it is ready."""
    venv = environment_of(asked)
    current = generations.current(venv)
    if current is None:
        return f"{venv}: there is no environment of torchstrap's yet"
    if not (current / activation.PYTHON).exists():
        return f"{venv}: its interpreter is gone; `torchstrap sync` makes the environment anew"
    if history.is_distrusted(current):
        return f"{venv}: `torchstrap verify` found files that are not as they were installed; run `torchstrap sync`"
    changed = _changed(venv, current)
    return f"{venv}: {changed} changed since it was built, and no sync has been done yet" if changed else None


def _changed(venv: Path, current: Path) -> str | None:
    """A file outside the environment that is not as it was when the environment was stamped."""
    left = stamp.read(str(current))
    facts = {} if left is None else left.facts
    files = [fact for fact in facts if fact.startswith("file ") and f" {venv}/" not in fact]
    return next((fact.partition(" ")[2] for fact in files if stamp.observe(fact) != facts[fact]), None)
