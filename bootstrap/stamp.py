"""Is the environment, or the lock, already what was asked for? Answered from one small file, without heavy imports.

A successful `sync` leaves a stamp inside the generation it built or checked, a `lock` that is whole leaves one in the
cache. The stamp lists everything that the answer depended on, in words that can be compared without understanding them:

    invocation   the options, the working folder, the interpreter that runs us
    variables    those of the environment that a choice or a setting can come from
    facts        files by time and size (project, lock, configuration, site-packages) or, where a kernel makes up
                 times, by their text (driver version) or mere existence (device nodes)

If all of it is as it was, nothing has to be done. Anything else, a damaged stamp included, means the full path.
The warnings that belong to the choice are kept with it: a GPU that is not used is said every time.
Only `os` and `sys` may be imported here: a test holds us to it.
"""

from __future__ import annotations

import os
import sys

from bootstrap import __version__
from bootstrap.cache_place import option, own, usual_cache
from bootstrap.environment import activation

__all__ = ["FILE", "OUTCOME", "Stamp", "answer", "elsewhere", "invocation", "lock_folder", "observe", "read", "write"]

FILE = "torchstrap.stamp"
OUTCOME = "torchstrap.json"
_VERSION = f"torchstrap-stamp 3 of {__version__}"
_END = "end"
_WARNING = "! "
_NOTE = "- "
_SWITCHING = ".generations/switching.json"  # while folders change places, and after a kill: somebody has to look
_SYNCING = ("sync", "run")
_COMMANDS = (*_SYNCING, "lock")
_LONGEST = 200
"""Characters that a file's name may safely have."""
_QUIET = frozenset({"-q", "--quiet", "-v", "--verbose", "--json"})
_VARIABLES = (
    "CUDA_DEVICE_ORDER",
    "CUDA_VISIBLE_DEVICES",
    "HIP_VISIBLE_DEVICES",
    "HOME",
    "NVIDIA_VISIBLE_DEVICES",
    "ROCR_VISIBLE_DEVICES",
    "XDG_CACHE_HOME",
    "XDG_CONFIG_DIRS",
    "XDG_CONFIG_HOME",
    "ZE_AFFINITY_MASK",
)
_PREFIXES = ("PIP_", "TORCHSTRAP_")
_RECORDED = "TORCHSTRAP_MACHINE"  # names a file that stands in for the machine
# What a machine with another driver, another card or another container would show differently.
_MACHINE = (
    "text /sys/module/nvidia/version",
    "text /proc/driver/nvidia/version",
    "cards /proc/driver/nvidia/gpus",
    "node /dev/nvidiactl",
    "node /dev/nvidia0",
    "node /dev/dxg",
    "node /dev/kfd",
)


class Stamp:
    """What an earlier run saw. `summary`, `warnings` and `notes` are the lines it would say again."""

    __slots__ = ("facts", "invocation", "notes", "summary", "warnings")

    def __init__(
        self, invocation: str, facts: dict[str, str], summary: str, warnings: list[str], notes: list[str]
    ) -> None:
        self.invocation = invocation
        self.facts = facts
        self.summary = summary
        self.warnings = warnings
        self.notes = notes


def answer(arguments: list[str]) -> int | None:
    """Exit code if there is nothing to do, None if the full program has to look. May become the command of `run`."""
    if not arguments or arguments[0] not in _COMMANDS:
        return None
    options, command = own(arguments[1:])
    try:
        place = _lock_place(options) if arguments[0] == "lock" else _environment(options)
    except OSError:  # the current folder is gone
        return None
    stamp = None if place is None else read(place)
    if place is None or stamp is None or os.path.lexists(place + _SWITCHING) or not _holds(stamp, options):
        return None
    if arguments[0] == "run":
        if not command or "--json" in options:
            return None
        _warn(stamp)
        return activation.become(place, command)
    return _say(place, options, stamp)


def elsewhere(arguments: list[str]) -> tuple[str, str, Stamp] | None:
    """A generation that is what is asked for and not the current one: the environment, the key, and its stamp.

    None if there is none, or if the current one is not as it was left: that has to be said. Changes nothing.
    """
    if not arguments or arguments[0] not in _SYNCING:
        return None
    options, command = own(arguments[1:])
    if arguments[0] == "run" and (not command or "--json" in options):
        return None
    try:
        venv = _environment(options)
        folder = f"{venv}.generations"
        keys = os.listdir(folder)  # noqa: PTH208
        # What is a folder of its own is not among the others.
        here = os.path.basename(os.readlink(venv)) if os.path.islink(venv) else ""  # noqa: PTH114, PTH115, PTH119
    except OSError:
        return None
    left = read(venv)
    inside = os.path.abspath(venv) + os.sep  # noqa: PTH100
    if left is None or not all(observe(name) == seen for name, seen in left.facts.items() if f" {inside}" in name):
        return None
    for key in keys:
        place = os.path.join(folder, key)  # noqa: PTH118
        stamp = None if key == here else read(place)
        if stamp is not None and _holds(stamp, options, inside, os.path.abspath(place) + os.sep):  # noqa: PTH100
            return venv, key, stamp
    return None


def _holds(stamp: Stamp, options: list[str], inside: str = "", place: str = "") -> bool:
    """Whether all is as it was; what was `inside` one folder is looked for in another."""
    try:
        if stamp.invocation != invocation(options):
            return False
    except OSError:  # the current folder is gone
        return False
    return all(observe(name.replace(f" {inside}", f" {place}")) == seen for name, seen in stamp.facts.items())


def invocation(options: list[str]) -> str:
    """Everything but files that decides what `sync` does, as one line."""
    asked = [option for option in options if option not in _QUIET]
    variables = [
        f"{name}={_without_passwords(value)}"
        for name, value in sorted(os.environ.items())
        if name in _VARIABLES or name.startswith(_PREFIXES)
    ]
    words = [_without_passwords(word) for word in asked]
    return repr((words, os.getcwd(), sys.executable, sys.version, variables))  # noqa: PTH109 - pathlib is slow to import


def _without_passwords(text: str) -> str:
    """A text whose addresses have no user and password: a stamp can be read by whoever uses the environment."""
    head, mark, rest = text.partition("://")
    if not mark:
        return text
    host = rest
    for end in "/ ,\t\n":
        host = host.partition(end)[0]
    return head + mark + host.rpartition("@")[2] + _without_passwords(rest[len(host) :])


def observe(fact: str) -> str:
    """What a fact looks like now; a missing file is an observation too."""
    kind, _, path = fact.partition(" ")
    try:
        if kind == "text":
            with open(path, encoding="utf-8", errors="replace") as file:  # noqa: PTH123
                return repr(file.read(4096))
        if kind == "cards":
            cards = [f"text {path}/{name}/information" for name in sorted(os.listdir(path))]  # noqa: PTH208
            return repr([observe(card) for card in cards])
        status = os.stat(path)  # noqa: PTH116
    except OSError:
        return "absent"
    return "present" if kind == "node" else f"{status.st_mtime_ns}:{status.st_size}:{status.st_ino}"


def read(venv: str) -> Stamp | None:
    """The stamp of an environment, or None if there is none that can be understood."""
    try:
        with open(os.path.join(venv, FILE), encoding="utf-8", errors="surrogateescape") as file:  # noqa: PTH118, PTH123
            version, asked, summary, *rest, end = file.read().split("\n")[:-1]
    except (OSError, ValueError):
        return None
    warnings, notes = (
        [line.removeprefix(mark) for line in rest if line.startswith(mark)] for mark in (_WARNING, _NOTE)
    )
    others = (line for line in rest if "\t" in line and not line.startswith((_WARNING, _NOTE)))
    facts = dict(line.split("\t", 1)[::-1] for line in others)
    count = len(facts) + len(warnings) + len(notes)
    whole = version == _VERSION and end == f"{_END} {len(rest)}" and count == len(rest)
    return Stamp(asked, facts, summary, warnings, notes) if whole else None


def write(
    venv: str,
    options: list[str],
    files: list[str],
    summary: str,
    warnings: tuple[str, ...] = (),
    *,
    notes: tuple[str, ...] = (),
) -> None:
    """Leave a stamp: `files` are watched by time and size, the machine by what shows its accelerators.

    `warnings` and `notes` are said again whenever the stamp answers. A stamp that cannot be written (read-only
    environment) costs time later and nothing else.
    """
    watched = [*files, os.path.join(venv, activation.PYTHON)]  # noqa: PTH118
    machine = os.environ.get(_RECORDED)
    facts = [f"file {os.path.abspath(path)}" for path in (*watched, *([machine] if machine else ()))]  # noqa: PTH100
    head = [_VERSION, invocation(options), " ".join(summary.splitlines())]
    said = [(_WARNING, text) for text in warnings] + [(_NOTE, text) for text in notes]
    rest = [mark + " ".join(text.splitlines()) for mark, text in said]
    rest += [f"{observe(fact)}\t{fact}" for fact in dict.fromkeys((*facts, *_MACHINE))]
    beside = os.path.join(venv, f".{FILE}.new")  # noqa: PTH118 - one name: who writes is alone, and a kill leaves one
    try:
        with open(beside, "w", encoding="utf-8", errors="surrogateescape") as file:  # noqa: PTH123
            file.write("\n".join([*head, *rest, f"{_END} {len(rest)}", ""]))
        os.replace(beside, os.path.join(venv, FILE))  # noqa: PTH105, PTH118
    except OSError:
        return


def lock_folder(cache: str, project: str) -> str | None:
    """Where in a cache the stamp of a project's lock is; None if its path is too long for a file's name."""
    name = os.path.abspath(project).replace("%", "%25").replace(os.sep, "%2F").replace(":", "%3A")  # noqa: PTH100
    return os.path.join(cache, "stamps", name) if len(name) <= _LONGEST else None  # noqa: PTH118


def _lock_place(options: list[str]) -> str | None:
    """The folder with the stamp of the lock, if the cache is where it mostly is."""
    return lock_folder(usual_cache(options), _project(options))


def _project(options: list[str]) -> str:
    return option(options, "--project") or os.environ.get("TORCHSTRAP_PROJECT") or "."


def _environment(options: list[str]) -> str:
    """Where the environment is, as the command line parser will find it."""
    venv = option(options, "--venv") or os.environ.get("TORCHSTRAP_VENV")
    return venv or os.path.join(_folder_above(os.path.abspath(_project(options))), ".venv")  # noqa: PTH100, PTH118


def _folder_above(project: str) -> str:
    """The folder itself or, of a member of a workspace, the one above that has a stamp: that says what it is for."""
    folder = project
    while not os.path.exists(os.path.join(folder, ".venv", FILE)):  # noqa: PTH110, PTH118
        above = os.path.dirname(folder)  # noqa: PTH120
        if above == folder:
            return project
        folder = above
    return folder


def _warn(stamp: Stamp) -> None:
    for warning in stamp.warnings:
        sys.stderr.write(f"warning: {warning}\n")


def _say(venv: str, options: list[str], stamp: Stamp) -> int | None:
    """Repeat the earlier outcome in the form that was asked for."""
    if "--json" in options:
        try:
            with open(os.path.join(venv, OUTCOME), encoding="utf-8") as file:  # noqa: PTH118, PTH123
                document = file.read()
        except OSError:
            return None
        sys.stdout.write(document)
    _warn(stamp)
    if "--json" not in options and not {"-q", "--quiet", "--json-log"} & set(options):
        sys.stderr.writelines(f"{line}\n" for line in (*stamp.notes, stamp.summary))
    return 0
