"""`python list`: the Pythons of this machine, which of them are ours, and those that can be installed."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bootstrap.commands.pythons.installing import Installed
from bootstrap.environment.candidates import own_folder
from bootstrap.environment.inventory import pythons
from bootstrap.environment.standalone import Build
from probes.machine import Libc, Unknown
from probes.pythons import Python
from probes.recorded import plain

__all__ = ["Listing", "installed_json", "listed"]

_SCHEMA = "torchstrap.pythons/1"
_INSTALL_SCHEMA = "torchstrap.python-install/1"


@dataclass(frozen=True, slots=True)
class Listing:
    """What is here and what can be had; `folder` is where ours are, None for a user who has no place for them."""

    pythons: tuple[Python, ...]
    builds: tuple[Build, ...]
    platform: str
    folder: Path | None

    def is_ours(self, python: Python) -> bool:
        return self.folder is not None and Path(python.path).is_relative_to(os.path.realpath(self.folder))

    def _has(self, build: Build) -> bool:
        return self.folder is not None and (self.folder / build.folder).is_dir()

    def to_json(self) -> Mapping[str, Any]:
        return {
            "schema": _SCHEMA,
            "platform": self.platform,
            "folder": None if self.folder is None else str(self.folder),
            "pythons": [{**plain(each), "ours": self.is_ours(each)} for each in self.pythons],
            "installable": [
                {"version": each.version, "release": each.release, "installed": self._has(each)} for each in self.builds
            ],
        }

    def lines(self) -> Iterator[str]:
        """For people: one line for each Python, then those that can be had."""
        for each in self.pythons:
            yield f"{_text(each.version):<10} {_kind(each):<24} {each.path}{'  (ours)' if self.is_ours(each) else ''}"
        missing = [each.version for each in self.builds if not self._has(each)]
        if missing:
            yield f"`torchstrap python install` has for {self.platform}: {', '.join(missing)}"
        elif not self.builds:
            yield f"`torchstrap python install` has nothing for {self.platform}"


def listed(builds: Sequence[Build], platform: str, cache: Path | None, environ: Mapping[str, str]) -> Listing:
    """What is on this machine, beside what can be had for its platform."""
    return Listing(pythons(cache, environ), tuple(builds), platform, own_folder(environ))


def installed_json(several: Sequence[Installed]) -> Mapping[str, Any]:
    """What `python install --json` says."""
    return {
        "schema": _INSTALL_SCHEMA,
        "installed": [
            {"version": each.build.version, "path": str(each.path), "changed": each.is_new} for each in several
        ],
    }


def _text(fact: str | Unknown) -> str:
    return "unknown" if isinstance(fact, Unknown) else fact


def _kind(python: Python) -> str:
    library = python.libc.family if isinstance(python.libc, Libc) else ""
    free = "free-threaded" if python.free_threaded is True else ""
    return " ".join(filter(None, (_text(python.implementation), _text(python.architecture), library, free)))
