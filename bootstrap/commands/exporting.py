"""`env export`: the environment as other programs want to be told of it: an Lmod module, a Jupyter kernel.

Both name the stable path of the environment, so they hold through every sync and switch.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from bootstrap.commands.asked import Asked, environment_of
from bootstrap.commands.outcome import left_in
from bootstrap.environment import activation, generations
from bootstrap.errors import InputError, UsageError
from bootstrap.wheels.disk import put, writing

__all__ = ["KERNEL_FILE", "Exported", "exported", "kernelspec", "modulefile", "write"]

KERNEL_FILE = "kernel.json"
_KERNEL = "ipykernel"


class Exported(NamedTuple):
    """A text, the file that it belongs into (None: standard output), and what people should know."""

    text: str
    place: Path | None
    warnings: tuple[str, ...] = ()


def exported(asked: Asked, kind: str) -> Exported:
    """The current environment as a `modulefile` or `kernelspec`.

    `--output` names the module's file (`torch/2.13.0.lua`), or the kernel's folder, in which `kernel.json` is written.
    Raises InputError if there is no environment of ours, UsageError for a module that Lmod would not take for Lua.
    """
    venv = environment_of(asked)
    current = generations.current(venv)
    if current is None:
        raise InputError(venv, "is no environment of torchstrap's; make one with `torchstrap sync`, or say --venv")
    said = left_in(current)
    versions = {each["name"]: each["version"] for each in said.get("packages") or ()}
    output = Path(asked.output).absolute() if asked.output not in {None, "-"} else None
    if kind == "modulefile":
        if output is not None and output.suffix != ".lua":
            raise UsageError(f"{output} must end with .lua, as Lmod takes other files for Tcl")
        return Exported(modulefile(venv, versions, said), output)
    missing = f"{_KERNEL} is not in {venv}, and without it Jupyter cannot start the kernel; add it to the project"
    warnings = () if _KERNEL in versions else (missing,)
    return Exported(kernelspec(venv, versions, said), output and output / KERNEL_FILE, warnings)


def write(made: Exported) -> None:
    """Write it to its place, whole. Raises CannotWriteError or NotPermittedError."""
    if made.place is not None:
        with writing(f"writing {made.place.name}", made.place.parent):
            put(made.place, made.text.encode())


def modulefile(venv: Path, versions: Mapping[str, str], said: Mapping[str, Any]) -> str:
    """A module for Lmod that does what the environment's activation does, and takes it back."""
    title = _title(venv, versions, said)
    return f"""\
-- Made by `torchstrap env export --modulefile`; it stays right through every `torchstrap sync`.
help({_lua(title)})
whatis({_lua(f"Name: {venv.parent.name}")})
whatis({_lua(f"Description: {title}")})
family("python_environment")
setenv("VIRTUAL_ENV", {_lua(str(venv))})
prepend_path("PATH", {_lua(str((venv / activation.PYTHON).parent))})
unsetenv("PYTHONHOME")
"""


def kernelspec(venv: Path, versions: Mapping[str, str], said: Mapping[str, Any]) -> str:
    """A kernel that Jupyter starts with the environment's interpreter."""
    document = {
        "argv": [str(venv / activation.PYTHON), "-m", "ipykernel_launcher", "-f", "{connection_file}"],
        "display_name": _title(venv, versions, said),
        "language": "python",
        "env": {"VIRTUAL_ENV": str(venv)},
        "metadata": {"debugger": True},
    }
    return json.dumps(document, indent=1, ensure_ascii=False) + "\n"


def _title(venv: Path, versions: Mapping[str, str], said: Mapping[str, Any]) -> str:
    """As in: Python 3.11.7 with torch 2.13.0+cpu (vision-lab)."""
    torch = f" with torch {versions['torch']}" if "torch" in versions else ""
    return f"Python {said.get('python') or '3'}{torch} ({venv.parent.name})"


def _lua(text: str) -> str:
    """A text as Lua writes it."""
    escapes = {"\\": "\\\\", '"': '\\"'}
    return '"' + "".join(escapes.get(each) or (f"\\{ord(each):03d}" if each < " " else each) for each in text) + '"'
