"""A program of its own: which device nodes open, tried, as one line of JSON on standard output.

It runs in a child with a time limit, because opening a node wakes the device and waits for its driver.
Arguments are paths, each followed by a word that says nothing here (see access.py).

    {path: {} | {"error": errno's name, "group": name of the node's group | null, "listed": bool}}

`listed` says whether that group counts this user among its members, though this process may be older than that.
"""

from __future__ import annotations

import errno
import json
import os
import sys
from pathlib import Path
from typing import Any

__all__ = ["attempt"]


def attempt(path: str) -> dict[str, Any]:
    """What comes of opening one node for reading and writing."""
    try:
        os.close(os.open(path, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC))
    except OSError as problem:
        return {"error": errno.errorcode.get(problem.errno or 0, str(problem)), **group_of(path)}
    return {}


def group_of(path: str) -> dict[str, Any]:
    """The group of a node, and whether it lists this user."""
    try:
        import grp  # noqa: PLC0415 - Windows has neither
        import pwd  # noqa: PLC0415

        group = grp.getgrgid(Path(path).stat().st_gid)
        return {"group": group.gr_name, "listed": pwd.getpwuid(os.getuid()).pw_name in group.gr_mem}
    except (ImportError, KeyError, OSError):
        return {"group": None, "listed": False}


if __name__ == "__main__":
    sys.stdout.write(json.dumps({path: attempt(path) for path in sys.argv[1::2]}) + "\n")
