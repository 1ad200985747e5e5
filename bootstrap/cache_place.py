"""Where the cache mostly is, found out without reading anything: for the stamp of a lock, and for what a pyz unpacks.

The whole truth is in `bootstrap.project.settings`, which also knows what a project or an administrator says of it. Who
looks here and is led elsewhere finds nothing and loses time. Only `os` and `sys` may be imported.
"""

from __future__ import annotations

import os
import sys

__all__ = ["option", "own", "usual_cache"]


def own(arguments: list[str]) -> tuple[list[str], list[str]]:
    """Options of ours, and the command behind `--`."""
    if "--" not in arguments:
        return arguments, []
    at = arguments.index("--")
    return arguments[:at], arguments[at + 1 :]


def option(options: list[str], name: str) -> str | None:
    """What the last `--name VALUE` or `--name=VALUE` says."""
    value = None
    for position, word in enumerate(options):
        if word == name and position + 1 < len(options):
            value = options[position + 1]
        elif word.startswith(f"{name}="):
            value = word[len(name) + 1 :]
    return value


def usual_cache(options: list[str]) -> str:
    """The folder that `--cache-dir`, TORCHSTRAP_CACHE_DIR or the system's custom names; it need not exist.

    It is absolute, but for a user without a home. Raises OSError where the current folder is gone and would matter.
    """
    named = option(options, "--cache-dir") or os.environ.get("TORCHSTRAP_CACHE_DIR")
    if named:
        return os.path.abspath(named)  # noqa: PTH100
    join, home = os.path.join, os.path.expanduser("~")  # noqa: PTH111 - pathlib is slow to import
    if os.name == "nt":
        return join(os.environ.get("LOCALAPPDATA") or join(home, "AppData", "Local"), "torchstrap", "Cache")
    usual = join(home, *(("Library", "Caches") if sys.platform == "darwin" else (".cache",)))
    return join(os.environ.get("XDG_CACHE_HOME") or usual, "torchstrap")
