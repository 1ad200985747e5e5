"""One interpreter, as a value. Finding them means starting programs, so probes do not: see bootstrap/environment."""

from __future__ import annotations

from typing import NamedTuple

from probes.machine import Libc, Unknown

__all__ = ["Python"]


class Python(NamedTuple):
    """A Python on the machine. What only it could tell is unknown, with the reason, if it cannot be run.

    field                type      what                                                     source
    path                 text      the executable itself, whatever links lead to it         the file system
    source               text      who led to it: `running`, `PATH`, `pyenv`, `uv`, …
    version              text      `3.11.7`, `3.14.0rc2`                                    the interpreter
    implementation       text      `cpython`, `pypy`, `graalpy`                             the interpreter
    architecture         text      as in wheel tags: `x86_64`                               the executable's header
    libc                 object?   as Libc; null if it is linked to none                    the executable's loader
    free_threaded        bool      whether it was built to run without a global lock        the interpreter
    externally_managed   bool      whether its packages are another program's (PEP 668)     EXTERNALLY-MANAGED
    """

    path: str
    source: str
    version: str | Unknown
    implementation: str | Unknown
    architecture: str | Unknown
    libc: Libc | Unknown | None
    free_threaded: bool | Unknown
    externally_managed: bool | Unknown
