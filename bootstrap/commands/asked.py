"""What a command line asks for, as one value that every command understands."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

__all__ = ["Asked"]


@dataclass(frozen=True, slots=True)
class Asked:
    """The words of `choose`, `lock`, `sync` and `run`. `settings` holds those that `bootstrap.project.settings` knows.

    `options` are all words but the command's name and what stands behind `--`: the stamp compares them.
    """

    project: Path = Path()
    requirements: tuple[Path, ...] = ()
    constraints: tuple[Path, ...] = ()
    extras: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    variant: str | None = None
    require: str | None = None
    venv: Path | None = None
    python: str | None = None
    frozen: bool = False
    dry_run: bool = False
    check: bool = False
    upgrade: bool = False
    output: str | None = None
    settings: Mapping[str, object] = field(default_factory=dict)
    options: tuple[str, ...] = ()
