"""Back to an environment that was here before: a link is replaced, and nothing that is known is asked again.

`sync` and `run` come here when the stamp of the current environment does not answer. If that of another generation
does, and nobody touched the current one, then all that there is to do is the switch; the full program would come to the
same, in ten times the time.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

from bootstrap import stamp
from bootstrap.console import Console
from bootstrap.environment import activation, generations
from bootstrap.errors import BootstrapError

__all__ = ["answer"]

NOTHING = "Nothing to do. "


def answer(arguments: list[str]) -> int | None:
    """The exit code if a switch was all; None if the full program has to look. May become the command of `run`."""
    found = stamp.elsewhere(arguments)
    if found is None:
        return None
    venv, key, _ = found
    path = Path(os.path.abspath(venv))  # noqa: PTH100 - links stay as they are
    try:
        with generations.locked(path, limit=0):
            again = stamp.elsewhere(arguments)
            if again is None or again[:2] != (venv, key):
                return None
            before = _packages(path)
            generations.switch(path, key)
    except BootstrapError:  # somebody is at it, or it cannot be written: the full program waits, or says so
        return None
    _tell(arguments, path, before, again[2])
    if arguments[0] == "run":
        return activation.become(venv, arguments[arguments.index("--") + 1 :])
    return 0


def _packages(venv: Path) -> dict[str, dict[str, Any]]:
    document = _document(venv)
    return {each["name"]: each for each in document.get("packages", ())}


def _document(venv: Path) -> dict[str, Any]:
    try:
        document = json.loads((venv / stamp.OUTCOME).read_bytes())
    except (OSError, ValueError):
        return {}
    return document if isinstance(document, dict) else {}


def _tell(arguments: list[str], venv: Path, before: dict[str, dict[str, Any]], left: stamp.Stamp) -> None:
    """What the full program would say."""
    options = arguments[: arguments.index("--")] if "--" in arguments else arguments
    console = Console(quiet=bool({"-q", "--quiet"} & set(options)), verbose=False)
    document = _document(venv)
    changes = difference(before, {each["name"]: each for each in document.get("packages", ())})
    for warning in left.warnings:
        console.warn(warning)
    console.changes(*changes)
    console.say(left.summary.removeprefix(NOTHING), "choice")
    if "--json" in options:
        added, removed, replaced = changes
        sys.stdout.flush()
        console.json({**document, "changed": True, "added": added, "removed": removed, "replaced": replaced})


def difference(before: dict[str, dict[str, Any]], after: dict[str, dict[str, Any]]) -> tuple[list[str], ...]:
    """What was added, removed and replaced, in words, as bootstrap/commands/outcome.py has it."""
    both = sorted(before.keys() & after.keys())
    replaced = [
        _replaced(before[name], after[name])
        for name in both
        if any(before[name].get(key) != after[name].get(key) for key in ("version", "sha256"))
    ]
    added, removed = (
        [f"{name} {some[name]['version']}" for name in sorted(some.keys() - others.keys())]
        for some, others in ((after, before), (before, after))
    )
    return added, removed, replaced


def _replaced(old: dict[str, Any], new: dict[str, Any]) -> str:
    if old["version"] != new["version"]:
        return f"{new['name']} {old['version']} -> {new['version']}"
    return f"{new['name']} {new['version']}: {old['file']} -> {new['file']}"
