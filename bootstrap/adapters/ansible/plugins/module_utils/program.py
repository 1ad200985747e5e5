# ruff: noqa: INP001 - Ansible makes packages of a collection's folders itself
"""torchstrap as a process: the words it is started with, and what its JSON, its sentences and its exit codes mean.

Ansible copies this to hosts whose Python may be older than any that torchstrap runs on (3.7), so it uses nothing but
the standard library and imports nothing of torchstrap: the contract is the command line.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

__all__ = [
    "ARGUMENTS",
    "BAD_INPUT",
    "FAILED",
    "Program",
    "Trouble",
    "before_and_after",
    "document",
    "lines_of",
    "lock_of",
    "machines_in",
    "name_of",
    "platform_of",
    "sentence",
    "survey_of",
    "words",
]

NEEDED = "0.1.0"
"""The first torchstrap that these modules can talk to."""
FAILED, USAGE, BAD_INPUT = 1, 2, 65
ARGUMENTS = {
    "program": {"type": "str", "default": "torchstrap"},
    "interpreter": {"type": "path"},
    "cache_dir": {"type": "path"},
}
_FOLDERS = ("/usr/local/bin", "/opt/torchstrap", "~/.local/bin")
_ELSEWHERE = "install it with the role torchstrap.lab.torchstrap, or say with `program` where it is"
_STOPPED = "{} was stopped by signal {} before it was done; the environment is what it was, and the next run goes on"
_SHOWN = 300  # characters of an output that nobody understands
_ARCHITECTURES = {"macos": {"aarch64": "arm64"}}


class Trouble(Exception):  # noqa: N818 - it is no error of ours, but what the program says
    """A sentence for people, the exit code of the program (None if it did not run), and all that it said."""

    def __init__(self, text: str, code: int | None = None, said: str = "") -> None:
        super().__init__(text)
        self.code = code
        self.said = said

    def details(self) -> dict[str, Any]:
        """For `fail_json`, beside the sentence."""
        return {} if self.code is None else {"rc": self.code, "stderr": self.said}


class Program:
    """torchstrap on the host where a module runs. `module` is an AnsibleModule with ARGUMENTS among its own."""

    def __init__(self, module: Any) -> None:
        """Raises Trouble where there is no such program."""
        self._module = module
        self.path = self._found(module.params["program"])
        interpreter = module.params["interpreter"]
        self._start = [interpreter, self.path] if interpreter else [self.path]
        cache = module.params["cache_dir"]
        self._variables = {"TORCHSTRAP_CACHE_DIR": cache} if cache else {}

    def _found(self, named: str) -> str:
        if os.sep not in named:
            found = self._module.get_bin_path(named, opt_dirs=[str(Path(each).expanduser()) for each in _FOLDERS])
            if found is None:
                raise Trouble(f"there is no {named} on the PATH of this host; {_ELSEWHERE}")
            return str(found)
        path = Path(named).expanduser().absolute()
        if not path.is_file():
            raise Trouble(f"there is no torchstrap at {path}; {_ELSEWHERE}")
        return str(path)

    def answer(self, arguments: Sequence[str], schema: str | None = None) -> dict[str, Any]:
        """What a command with --json says. Raises Trouble where it fails or says something else."""
        code, output, errors = self.run(arguments)
        if code != 0:
            raise self.failed(code, errors)
        return self.read(output, errors, schema)

    def run(self, arguments: Sequence[str]) -> tuple[int, str, str]:
        """Exit code, standard output and standard error. Raises Trouble where it cannot be started."""
        command = [*self._start, *arguments]
        try:
            # Where nobody keeps a project: what is meant is said by the options.
            code, output, errors = self._module.run_command(
                command, cwd=os.sep, environ_update=self._variables, handle_exceptions=False
            )
        except OSError as error:
            raise Trouble(f"{command[0]} cannot be started: {error.strerror or error}") from error
        return int(code), str(output), str(errors)

    def failed(self, code: int, errors: str) -> Trouble:
        """What to say of a command that failed."""
        if code < 0:
            return Trouble(_STOPPED.format(self.path, -code), code, errors)
        text = sentence(errors) or f"{self.path} ended with exit code {code} and no word of why"
        # Words that it does not know: those of an older one, or of another program.
        return Trouble(self._with_version(text) if code == USAGE else text, code, errors)

    def read(self, output: str, errors: str, schema: str | None = None) -> dict[str, Any]:
        """The document of a command that did not fail. Raises Trouble for what is none."""
        try:
            return document(output, schema)
        except ValueError as error:
            raise Trouble(self._with_version(str(error)), 0, errors) from error

    def _with_version(self, text: str) -> str:
        output = self.run(["--version"])[1]
        version = " ".join(output.split())[:_SHOWN] or "something that does not say its version"
        return f"{text} ({self.path} is {version}; these modules need torchstrap {NEEDED} or newer)"


def words(**options: Any) -> list[str]:
    """Options for a command line: a list is repeated, True has no value, what is not said is left out."""
    found: list[str] = []
    for name, value in options.items():
        flag = f"--{name.replace('_', '-')}"
        for each in value if isinstance(value, (list, tuple)) else [value]:
            if each is True:
                found.append(flag)
            elif each is not None and each is not False:
                found += [flag, str(each)]
    return found


def document(output: str, schema: str | None) -> dict[str, Any]:
    """The JSON object of an output. Raises ValueError with a sentence for what is none, or speaks of another schema."""
    try:
        found = json.loads(output)
    except ValueError:
        shown = " ".join(output.split())[:_SHOWN]
        raise ValueError(f"it did not answer in JSON, but with: {shown or 'nothing'}") from None
    if not isinstance(found, dict):
        raise ValueError(f"it did not answer with an object, but with a {type(found).__name__}")  # noqa: TRY004 - of data
    if schema is not None and found.get("schema") != schema:
        raise ValueError(f"it speaks {found.get('schema')!r}, where {schema!r} is understood")
    return found


def sentence(errors: str) -> str:
    """What was wrong, out of all that the program told people: its last `torchstrap: …`, to the end."""
    lines = errors.strip().splitlines()
    for position in range(len(lines) - 1, -1, -1):
        if lines[position].startswith("torchstrap: "):
            return "\n".join(lines[position:])[len("torchstrap: ") :]
    return "\n".join(lines[-3:])


def lines_of(packages: Iterable[Mapping[str, Any]]) -> list[str]:
    """`torch 2.9.0+cu130`, sorted."""
    return sorted(f"{each['name']} {each['version']}" for each in packages)


def before_and_after(outcome: Mapping[str, Any]) -> dict[str, str]:
    """The difference that Ansible shows, from the document of `sync --json`."""
    after = lines_of(outcome["packages"])
    before = {each.split(" ", 1)[0]: each for each in after}
    for each in outcome["added"]:
        before.pop(each.split(" ", 1)[0], None)
    for each in outcome["removed"]:
        before[each.split(" ", 1)[0]] = each
    for each in outcome["replaced"]:
        name, change = each.split(" ", 1)
        old, arrow = change.partition(" -> ")[:2]
        version, colon, file = old.partition(": ")
        before[name] = f"{name} {version}{f' ({file})' if arrow and colon else ''}"
    place = outcome["environment"]
    return _difference(place, sorted(before.values()), after)


def _difference(place: str, before: Sequence[str], after: Sequence[str]) -> dict[str, str]:
    return {
        "before_header": f"{place} (now)",
        "after_header": f"{place} (locked)",
        "before": "".join(f"{each}\n" for each in before),
        "after": "".join(f"{each}\n" for each in after),
    }


def lock_of(project: str | None, expected: str | None = None) -> dict[str, str]:
    """The sha256 of a project's lock, under `lock_sha256`, if there is one.

    Raises Trouble if it is not what was expected.
    """
    path = Path(project or "", "pylock.toml")
    found = hashlib.sha256(path.read_bytes()).hexdigest() if project and path.is_file() else None
    if expected is not None and found != expected.lower():
        state = f"is another one ({found})" if found else "is not there"
        raise Trouble(
            f"{path} {state}, where {expected} was expected: it has changed since; look at it, and plan again"
        )
    return {"lock_sha256": found} if found else {}


def platform_of(machine: Mapping[str, Any]) -> str | None:
    """As in `lock --platform`, such as linux_x86_64; None where the machine does not know what it is."""
    system = machine.get("system") or {}
    os_name, architecture = system.get("os"), system.get("architecture")
    if not isinstance(os_name, str) or not isinstance(architecture, str):
        return None
    return f"{os_name}_{_ARCHITECTURES.get(os_name, {}).get(architecture, architecture)}"


def name_of(file: str) -> str:
    """What `choose` calls the machine of a file, or of the one file in a folder."""
    return next(iter(sorted(Path(file).glob("*.json"))), Path(file)).stem


def machines_in(files: Iterable[str]) -> list[dict[str, Any]]:
    """The documents in files, and in the files of folders. Raises Trouble for one that cannot be read."""
    found = []
    for path in (each for file in files for each in (sorted(Path(file).glob("*.json")) or [Path(file)])):
        try:
            found.append(document(path.read_text(encoding="utf-8"), None))
        except (OSError, ValueError) as error:
            raise Trouble(f"{path} cannot be read as a machine: {error}", BAD_INPUT) from error
    return found


def survey_of(name: str, choice: Mapping[str, Any] | None, obstacle: str | None) -> dict[str, Any]:
    """What `choose --json` says of several machines, for one: it then says the choice alone."""
    offers = [{"offer": choice["offer"], "machines": [name]}] if choice else []
    return {"machines": [{"machine": name, "choice": choice, "obstacle": obstacle, "warnings": []}], "offers": offers}
