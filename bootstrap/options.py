"""The words of the command line: one table of options, and which command takes which."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import NoReturn

from bootstrap import __version__
from bootstrap.errors import UsageError

__all__ = ["parser"]

# (flags, what it is, groups of commands that take it). Settings have the destination that project.settings knows.
_PROJECT = ("lock", "sync", "run", "choose")
_BUILDING = ("lock", "sync", "run")
_SYNCING = ("sync", "run")
_OPTIONS: tuple[tuple[tuple[str, ...], dict[str, object], tuple[str, ...]], ...] = (
    (
        ("--project",),
        {"type": Path, "metavar": "DIR", "help": "folder with the pyproject.toml (default: .)"},
        (*_PROJECT, "tree", "verify"),
    ),
    (
        ("-r", "--requirements"),
        {
            "type": Path,
            "metavar": "FILE",
            "action": "append",
            "default": [],
            "help": "a requirements file instead of a project; may be repeated",
        },
        _BUILDING,
    ),
    (
        ("-c", "--constraint"),
        {
            "type": Path,
            "metavar": "FILE",
            "action": "append",
            "default": [],
            "help": "a constraints file; may be repeated",
        },
        _BUILDING,
    ),
    (("--extra",), {"action": "append", "default": [], "metavar": "NAME", "help": "an extra of the project"}, _SYNCING),
    (("--group",), {"action": "append", "default": [], "metavar": "NAME", "help": "a dependency group"}, _SYNCING),
    (
        ("--variant",),
        {"metavar": "V", "help": "take this variant whatever the machine is: cpu, cu126, rocm6.4, xpu"},
        (*_SYNCING, "choose"),
    ),
    (("--require",), {"choices": ["gpu"], "help": "fail rather than end on a CPU build"}, _SYNCING),
    (
        ("--venv",),
        {"type": Path, "metavar": "DIR", "help": "the environment (default: .venv in the project)"},
        (*_SYNCING, "tree", "verify"),
    ),
    (("--python",), {"metavar": "P", "help": "interpreter: a path, or a version such as 3.12"}, _BUILDING),
    (("--python-version",), {"metavar": "V", "help": "the Python to choose for, such as 3.12"}, ("choose",)),
    (
        ("--machine",),
        {"type": Path, "metavar": "FILE", "help": "choose for another machine's `probe --json`"},
        ("choose",),
    ),
    (
        ("--sysroot",),
        {"type": Path, "metavar": "DIR", "help": "read /proc, /sys and /etc of a recorded machine"},
        ("probe",),
    ),
    (
        ("--record",),
        {"type": Path, "metavar": "DIR", "help": "write what was read into a new folder, names and serials masked"},
        ("probe",),
    ),
    (("--frozen",), {"action": "store_true", "help": "use the lock as it is"}, _SYNCING),
    (("--dry-run",), {"action": "store_true", "help": "say what would be done"}, ("sync",)),
    (
        ("--check",),
        {"action": "store_true", "help": "exit 1 if anything would change, and change nothing"},
        ("sync", "lock"),
    ),
    (("--upgrade",), {"action": "store_true", "help": "forget the locked versions"}, ("lock",)),
    (("-o", "--output"), {"metavar": "FILE", "help": "where the lock goes; `-` prints it"}, ("lock",)),
    (
        ("--json",),
        {"action": "store_true", "help": "one JSON document on standard output"},
        ("probe", "choose", "sync", "verify"),
    ),
    (("--index-url",), {"metavar": "URL", "help": "replaces the default index"}, _BUILDING),
    (
        ("--extra-index-url",),
        {"action": "append", "dest": "extra_index_urls", "metavar": "URL", "help": "asked before the default index"},
        _BUILDING,
    ),
    (("--find-links",), {"action": "append", "metavar": "PLACE", "help": "a folder or page of wheels"}, _BUILDING),
    (
        ("--mirror",),
        {
            "action": "append",
            "dest": "mirrors",
            "metavar": "FROM=TO",
            "help": "fetch addresses that begin with FROM from TO",
        },
        _BUILDING,
    ),
    (("--cache-dir",), {"metavar": "DIR", "help": "where pages, wheels and templates are kept"}, _BUILDING),
    (("--no-cache",), {"action": "store_true", "default": None, "help": "keep nothing after this run"}, _BUILDING),
    (("--offline",), {"action": "store_true", "default": None, "help": "use what is here"}, _BUILDING),
    (
        ("--pre",),
        {"action": "store_true", "default": None, "dest": "prereleases", "help": "admit pre-releases"},
        _BUILDING,
    ),
    (
        ("--no-build",),
        {"action": "store_true", "default": None, "help": "never build a source distribution"},
        _BUILDING,
    ),
    (("--no-binary",), {"action": "append", "metavar": "NAME", "help": "build this one from source"}, _BUILDING),
    (("--only-binary",), {"action": "append", "metavar": "NAME", "help": "never build this one"}, _BUILDING),
    (("--exclude-newer",), {"metavar": "DATE", "help": "as if it were this day"}, _BUILDING),
    (("-q", "--quiet"), {"action": "store_true", "help": "say only what is wrong"}, ("*",)),
    (("-v", "--verbose"), {"action": "store_true", "help": "say more"}, ("*",)),
)

_COMMANDS = {
    "probe": "what is this machine",
    "choose": "which offer, why, and why not the others",
    "lock": "write pylock.toml",
    "sync": "the main job: probe, choose, lock if needed, build, verify, switch",
    "run": "sync if needed, then become the command behind --",
    "verify": "prove that the environment is what was locked",
    "tree": "what needs what in the environment",
}


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise UsageError(f"{message}; see `{self.prog} --help`")


def parser() -> argparse.ArgumentParser:
    """The whole command line, as `argparse` wants it."""
    whole = _Parser(
        prog="torchstrap",
        description="Looks at this machine, decides which build of PyTorch it can run, and builds an environment "
        "in which every package shares that one build.",
    )
    whole.add_argument("--version", action="version", version=f"torchstrap {__version__}")
    commands = whole.add_subparsers(dest="name", required=True, metavar="COMMAND", parser_class=_Parser)
    for name, text in _COMMANDS.items():
        command = commands.add_parser(name, help=text, description=f"torchstrap {name}: {text}", allow_abbrev=False)
        for flags, what, takers in _OPTIONS:
            if name in takers or "*" in takers:
                command.add_argument(*flags, **what)  # type: ignore[arg-type]
        if name == "run":
            command.add_argument("command", nargs="*", metavar="-- CMD", help="the program and its arguments")
    return whole
