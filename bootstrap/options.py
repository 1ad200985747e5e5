"""The words of the command line: one table of options, and which command takes which."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import NoReturn

from bootstrap import __version__
from bootstrap.errors import UsageError

__all__ = ["parser"]

# (flags, what it is, groups of commands that take it). Settings have the destination that project.settings knows.
_PROJECT = ("lock", "sync", "run", "choose", "bundle")
_BUILDING = ("lock", "sync", "run", "bundle")
_SYNCING = ("sync", "run")
_TAKING = ("sync", "run", "bundle")
_ENV = ("env list", "env rollback", "env remove", "env export")
_LOOKING = ("tree", "verify", "ready", "doctor", "probe", "facts", "report")
_CACHE = ("cache dir", "cache gc", "cache verify")
_PYTHONS = ("python list", "python install")
_OPTIONS: tuple[tuple[tuple[str, ...], dict[str, object], tuple[str, ...]], ...] = (
    (
        ("--project",),
        {"type": Path, "metavar": "DIR", "help": "folder with the pyproject.toml (default: .)"},
        (*_PROJECT, *_ENV, *_CACHE, *_LOOKING, *_PYTHONS),
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
    (("--extra",), {"action": "append", "default": [], "metavar": "NAME", "help": "an extra of the project"}, _TAKING),
    (("--group",), {"action": "append", "default": [], "metavar": "NAME", "help": "a dependency group"}, _TAKING),
    (
        ("--variant",),
        {"metavar": "V", "help": "take this variant whatever the machine is: cpu, cu126, rocm6.4, xpu"},
        (*_SYNCING, "choose"),
    ),
    (
        ("--gpus",),
        {"metavar": "all|any|N,…", "help": "which GPUs must work: all (default), one of them, or these of `probe`"},
        (*_SYNCING, "choose"),
    ),
    (("--require",), {"choices": ["gpu"], "help": "fail rather than end on a CPU build"}, _SYNCING),
    (
        ("--venv",),
        {"type": Path, "metavar": "DIR", "help": "the environment (default: .venv in the project)"},
        (*_SYNCING, *_ENV, *_LOOKING),
    ),
    (("--python",), {"metavar": "P", "help": "interpreter: a path, or a version such as 3.12"}, _BUILDING),
    (("--python-version",), {"metavar": "V", "help": "the Python to choose for, such as 3.12"}, ("choose", "report")),
    (
        ("--machine",),
        {
            "type": Path,
            "metavar": "FILE",
            "action": "append",
            "default": [],
            "help": "another machine's `probe --json`, or a folder of them; with several, the fewest offers for all",
        },
        ("choose", "report"),
    ),
    (
        ("--variants",),
        {
            "action": "append",
            "default": [],
            "metavar": "V,…",
            "help": "with --machine: the only variants that are allowed there, as the policy of those machines has it",
        },
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
    (("--frozen",), {"action": "store_true", "help": "use the lock as it is"}, _TAKING),
    (
        ("--keep-extras",),
        {"action": "store_true", "help": "take along what was installed by hand, with a warning"},
        _SYNCING,
    ),
    (
        ("--no-verify",),
        {"action": "store_true", "help": "do not try whether torch works before switching; all else is checked"},
        _SYNCING,
    ),
    (
        ("--all-but-current",),
        {"action": "store_true", "help": "all generations but the current one"},
        ("env remove",),
    ),
    (("--all",), {"action": "store_true", "help": "all generations, and with them the environment"}, ("env remove",)),
    (("--dry-run",), {"action": "store_true", "help": "say what would be done"}, ("sync", "cache gc")),
    (
        ("--check",),
        {"action": "store_true", "help": "exit 1 if anything would change, and change nothing"},
        ("sync", "lock", "choose"),
    ),
    (
        ("--diff",),
        {"action": "store_true", "help": "on standard output, what changes as lines that begin with - and +"},
        ("sync", "choose"),
    ),
    (
        ("--modulefile",),
        {"action": "append_const", "const": "modulefile", "dest": "kinds", "help": "a module for Lmod (Lua)"},
        ("env export",),
    ),
    (
        ("--kernelspec",),
        {"action": "append_const", "const": "kernelspec", "dest": "kinds", "help": "a kernel for Jupyter"},
        ("env export",),
    ),
    (
        ("-o", "--output"),
        {"metavar": "PLACE", "help": "the module's file, the kernel's folder (default: standard output)"},
        ("env export",),
    ),
    (
        ("--python-version",),
        {
            "action": "append",
            "dest": "python_versions",
            "metavar": "V",
            "help": "a Python to lock for, such as 3.12; may be repeated (default: all in requires-python)",
        },
        ("lock", "bundle"),
    ),
    (
        ("--platform",),
        {
            "action": "append",
            "dest": "platforms",
            "metavar": "P",
            "help": "a platform to lock for, such as linux_x86_64 or linux_x86_64:glibc2.28; may be repeated",
        },
        ("lock", "bundle"),
    ),
    (
        ("-o", "--output"),
        {"metavar": "FILE", "help": "where the page goes; `-` prints it (default where that is no terminal)"},
        ("report",),
    ),
    (("--upgrade",), {"action": "store_true", "help": "forget the locked versions"}, ("lock",)),
    (
        ("--upgrade-package",),
        {"action": "append", "default": [], "metavar": "NAME", "help": "forget the locked versions of this one"},
        ("lock",),
    ),
    (("-o", "--output"), {"metavar": "FILE", "help": "where the lock goes; `-` prints it"}, ("lock",)),
    (
        ("--bundle",),
        {
            "metavar": "PLACE",
            "help": "install offline from what `bundle` made: the file, the folder it unpacks to, or their address",
        },
        _SYNCING,
    ),
    (
        ("--variants",),
        {
            "action": "append",
            "default": [],
            "metavar": "V,…",
            "help": "the offers to bundle, by name or variant, such as cpu,cu130 (default: the one for this machine)",
        },
        ("bundle",),
    ),
    (
        ("--program",),
        {"type": Path, "metavar": "FILE", "help": "the torchstrap.pyz to put in (default: the one that is running)"},
        ("bundle",),
    ),
    (
        ("--with-python",),
        {
            "action": "append",
            "nargs": "?",
            "default": [],
            "metavar": "FILE",
            "help": "the interpreters that it is for, too, or the archive of one; may be repeated",
        },
        ("bundle",),
    ),
    (("-o", "--output"), {"metavar": "FILE", "help": "where the bundle goes"}, ("bundle",)),
    (("--json",), {"action": "store_true", "help": "what was made, as one JSON document"}, ("bundle",)),
    (
        ("--json",),
        {"action": "store_true", "help": "one JSON document on standard output"},
        ("probe", "choose", "sync", "verify", "doctor", "env list", "env rollback", "cache gc", "cache verify"),
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
            "help": "fetch addresses that begin with FROM from TO; several for one FROM are tried in order",
        },
        (*_BUILDING, "python install"),
    ),
    (
        ("--trusted-host",),
        {
            "action": "append",
            "dest": "trusted_hosts",
            "metavar": "HOST",
            "help": "a host, or HOST:PORT, that may do without https, and whose certificate is not checked",
        },
        (*_BUILDING, "python install"),
    ),
    (
        ("--keyring-provider",),
        {
            "metavar": "WHICH",
            "help": "`subprocess` asks the program keyring for logins, `disabled` never does (default: for a user that "
            "an address names without a password)",
        },
        (*_BUILDING, "python install"),
    ),
    (
        ("--python-mirror",),
        {"metavar": "URL", "help": "where standalone Pythons are fetched from, a folder for each release's day in it"},
        (*_BUILDING, "python install"),
    ),
    (("--json",), {"action": "store_true", "help": "one JSON document on standard output"}, _PYTHONS),
    (
        ("--cache-dir",),
        {"metavar": "DIR", "help": "where pages, wheels and templates are kept"},
        (*_BUILDING, *_CACHE, "doctor", "probe", "facts"),
    ),
    (
        ("--no-cache",),
        {"action": "store_true", "default": None, "help": "keep nothing after this run"},
        (*_BUILDING, *_CACHE, "doctor", "probe", "facts"),
    ),
    (
        ("--keep-wheels",),
        {"metavar": "DIR", "help": "have the file of every wheel that is installed in DIR, too"},
        _SYNCING,
    ),
    (
        ("--offline",),
        {"action": "store_true", "default": None, "help": "use what is here"},
        (*_BUILDING, "python install"),
    ),
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
    (
        ("--undated",),
        {
            "action": "append",
            "metavar": "NAME",
            "help": "with --exclude-newer: an index need not say when files of this one were uploaded",
        },
        _BUILDING,
    ),
    (
        ("--json-log",),
        {"action": "store_true", "help": "what goes on as JSON, one object a line, on standard error"},
        _BUILDING,
    ),
    (("-q", "--quiet"), {"action": "store_true", "help": "say only what is wrong"}, ("*",)),
    (("-v", "--verbose"), {"action": "store_true", "help": "say more"}, ("*",)),
)

_COMMANDS = {
    "probe": "what is this machine",
    "choose": "which offer, why, and why not the others",
    "lock": "write pylock.toml",
    "sync": "the main job: probe, choose, lock if needed, build, verify, switch",
    "run": "sync if needed, then become the command behind --",
    "bundle": "one file with all that machines without internet need: `tar -xOf FILE torchstrap.pyz` is the program",
    "verify": "prove that the environment is what was locked",
    "ready": "exit 0 if programs can be started in the environment, 1 if not; for health checks",
    "tree": "what needs what in the environment",
    "doctor": "what is wrong with this machine and the environment, with a remedy each; changes nothing",
    "facts": "this machine and the environment as one flat JSON object, for inventories",
    "report": "machines, or a project's environment, as one HTML page",
    "env list": "the environments that were built here before, and the current one",
    "env export": "the environment as a module for Lmod or a kernel for Jupyter",
    "env rollback": "go back to the environment used before, or to a named one",
    "env remove": "remove environments that were built before",
    "cache dir": "where the cache is",
    "cache gc": "remove what no environment uses",
    "cache verify": "read all of the store again, and take out what is damaged",
    "python list": "the Pythons on this machine, and those that can be installed",
    "python install": "install standalone Pythons for environments, in a folder of their own",
}
_GROUPS = {
    "env": "list, go back to, remove or export environments that were built before",
    "cache": "look after the cache",
    "python": "list Pythons, or install standalone ones",
}
# Words that are no options: what they are, by command.
_WORDS: dict[str, tuple[str, dict[str, object]]] = {
    "run": ("command", {"nargs": "*", "metavar": "-- CMD", "help": "the program and its arguments"}),
    "env rollback": ("key", {"nargs": "?", "metavar": "KEY", "help": "one of `env list`, or how only one begins"}),
    "env remove": ("keys", {"nargs": "*", "metavar": "KEY", "help": "one of `env list`, or how only one begins"}),
    "python install": ("versions", {"nargs": "+", "metavar": "VERSION", "help": "such as 3.13, or 3.13.1"}),
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
    groups: dict[str, argparse._SubParsersAction[_Parser]] = {}
    for name, text in _COMMANDS.items():
        group, _, word = name.rpartition(" ")
        if group and group not in groups:
            several = commands.add_parser(group, help=_GROUPS[group], description=f"torchstrap {group}", add_help=True)
            groups[group] = several.add_subparsers(
                dest="action", required=True, metavar="ACTION", help="what to do", parser_class=_Parser
            )
        parent = groups[group] if group else commands
        command = parent.add_parser(word, help=text, description=f"torchstrap {name}: {text}", allow_abbrev=False)
        command.set_defaults(name=name)
        for flags, what, takers in _OPTIONS:
            if name in takers or "*" in takers:
                command.add_argument(*flags, **what)  # type: ignore[arg-type]
        if name in _WORDS:
            word, what = _WORDS[name]
            command.add_argument(word, **what)  # type: ignore[arg-type]
    return whole
