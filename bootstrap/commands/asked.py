"""What a command line asks for, as one value that every command understands."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from bootstrap.project.workspace import root_of

__all__ = ["Asked", "environment_of", "is_lock", "lock_path_of", "project_folder", "root_folder"]

_LOCK_NAME = re.compile(r"pylock(\.[^.]+)?\.toml")


@dataclass(frozen=True, slots=True)
class Asked:
    """The words of `choose`, `lock`, `sync` and `run`. `settings` holds those that `bootstrap.project.settings` knows.

    `options` are all words but the command's name and what stands behind `--`: the stamp compares them.
    """

    project: Path | None = None
    requirements: tuple[Path, ...] = ()
    constraints: tuple[Path, ...] = ()
    extras: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    variant: str | None = None
    require: str | None = None
    gpus: str | None = None
    venv: Path | None = None
    python: str | None = None
    frozen: bool = False
    dry_run: bool = False
    check: bool = False
    keep_extras: bool = False
    no_verify: bool = False
    upgrade: bool = False
    upgrade_packages: tuple[str, ...] = ()
    python_versions: tuple[str, ...] = ()
    platforms: tuple[str, ...] = ()
    output: str | None = None
    bundle: str | None = None
    settings: Mapping[str, object] = field(default_factory=dict)
    options: tuple[str, ...] = ()


def project_folder(asked: Asked) -> Path:
    """The folder of the project, absolute: `--project`, TORCHSTRAP_PROJECT, or the current one."""
    folder = asked.project or Path(os.environ.get("TORCHSTRAP_PROJECT") or ".")
    return (folder.parent if folder.name == "pyproject.toml" else folder).absolute()


def root_folder(asked: Asked) -> Path:
    """Where lock, environment and settings of the project are: its folder, or the root of its workspace.

    `--project MEMBER` and a member's folder mean what they mean to uv: one lock and one environment for the workspace,
    both in its root, and in the environment that member and what it needs, members editable. In the root that is the
    root's own project, or every member where the root has no [project].
    """
    folder = project_folder(asked)
    return folder if asked.requirements else root_of(folder)


def environment_of(asked: Asked) -> Path:
    """Where the environment is: `--venv`, or `.venv` in the project, for all members of a workspace in its root."""
    named = asked.venv or os.environ.get("TORCHSTRAP_VENV")
    return Path(named).absolute() if named else root_folder(asked) / ".venv"


def lock_path_of(asked: Asked) -> Path:
    """`pylock.toml` beside a pyproject.toml; `pylock.NAME.toml` beside NAME.txt, so that each has its own.

    A workspace has one for all of its members, in its root.
    """
    if asked.output not in {None, "-"}:
        return Path(str(asked.output)).absolute()
    if not asked.requirements:
        return root_folder(asked) / "pylock.toml"
    first = asked.requirements[0].absolute()
    if is_lock(first):
        return first
    if not first.is_file():  # a pipe, as in `-r <(echo torch)`
        return project_folder(asked) / "pylock.requirements.toml"
    return first.parent / f"pylock.{first.name.split('.', maxsplit=1)[0]}.toml"


def is_lock(path: Path) -> bool:
    """Whether the name is one that PEP 751 keeps for locks: `-r` takes such a file too, as pip's does."""
    return _LOCK_NAME.fullmatch(path.name) is not None
