"""The marker: `generation.json`, written last. A folder that has one is a complete environment, and it says which.

A generation lies in `.venv.generations` under its key, or at `.venv` itself, where that is a folder: wherever it is,
its marker has the key. The time of the marker is when it was used last.
"""

from __future__ import annotations

import json
import os
import re
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from bootstrap.errors import NewerError
from bootstrap.wheels.durable import settle_names

__all__ = [
    "KEY",
    "MARKER",
    "SCHEMA",
    "ensure_known",
    "folder_of",
    "is_complete",
    "key_in",
    "key_of",
    "mark",
    "marker_of",
    "use",
    "used",
]

MARKER = "generation.json"
SCHEMA = 1
KEY = re.compile(r"(?!.*\.(?:building|removing)-)[A-Za-z0-9][A-Za-z0-9._+-]*")


def folder_of(venv: Path) -> Path:
    """Where the generations of an environment are: beside it."""
    return venv.parent / f"{venv.name}.generations"


def is_complete(generation: Path) -> bool:
    """Whether a folder is a generation."""
    return (generation / MARKER).is_file()


def marker_of(generation: Path) -> Mapping[str, Any]:
    """What was left in a generation when it was built; empty where that cannot be read."""
    try:
        document = json.loads((generation / MARKER).read_bytes())
    except (OSError, ValueError):
        return {}
    return document if isinstance(document, dict) else {}


def key_in(generation: Path) -> str | None:
    """The key that the marker says."""
    key = marker_of(generation).get("key")
    return key if isinstance(key, str) and KEY.fullmatch(key) else None


def ensure_known(generation: Path) -> None:
    """Raise NewerError for a generation whose marker says more than we understand."""
    schema = marker_of(generation).get("schema", SCHEMA)
    if not isinstance(schema, int) or schema > SCHEMA:
        raise NewerError(generation, schema, SCHEMA, "name another environment with --venv")


def key_of(generation: Path) -> str:
    """The key of a generation, wherever it lies; its name where the marker does not say."""
    return key_in(generation) or generation.name


def used(generation: Path) -> int:
    """When a generation was used last, in nanoseconds since 1970. Raises OSError if it is none."""
    return (generation / MARKER).stat().st_mtime_ns


def use(generation: Path, others: Iterable[Path]) -> None:
    """Make it the one used last, whatever the clock has done meanwhile and however coarse the file system's is."""
    newest = max(used(each) for each in (generation, *others))
    moment = max(time.time_ns(), newest + 1)
    os.utime(generation / MARKER, ns=(moment, moment))


def mark(building: Path, document: Mapping[str, Any]) -> None:
    """Write the marker, and have it on the disk. Raises OSError."""
    with (building / MARKER).open("w", encoding="utf-8") as file:
        json.dump(document, file, indent=1)
        file.write("\n")
        file.flush()
        os.fsync(file.fileno())
    settle_names(building)
