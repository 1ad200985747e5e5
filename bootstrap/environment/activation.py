"""Becoming a program inside an environment. On the path where nothing has to be done: `os` and `sys` only."""

from __future__ import annotations

import _signal  # type: ignore[import-not-found]  # built in; `signal` itself would import enum
import os
import sys

__all__ = ["PYTHON", "WINDOWS", "become", "variables"]

WINDOWS = os.name == "nt"
PYTHON = "Scripts/python.exe" if WINDOWS else "bin/python"

_NOT_EXECUTABLE = 126
_NOT_FOUND = 127


def variables(venv: str, environ: dict[str, str]) -> dict[str, str]:
    """The process environment with the virtual environment switched on, as its activation script would do."""
    venv = os.path.abspath(venv)  # noqa: PTH100 - pathlib is slow to import
    scripts = os.path.join(venv, "Scripts" if WINDOWS else "bin")  # noqa: PTH118
    changed = {name: value for name, value in environ.items() if name != "PYTHONHOME"}
    changed["VIRTUAL_ENV"] = venv
    # Where nobody set PATH the system looks in places of its own, which a PATH of ours would hide.
    changed["PATH"] = os.pathsep.join(part for part in (scripts, environ.get("PATH", os.defpath)) if part)
    return changed


def become(venv: str, command: list[str]) -> int:
    """Replace this process by the command. Returns only if that fails: 127 not found, 126 found but not executable."""
    environ = variables(venv, dict(os.environ))
    if "atexit" in sys.modules:  # what is left for the end is done now: of this program nothing stays
        sys.modules["atexit"]._run_exitfuncs()  # noqa: SLF001 - there is no other name for it
    sys.stdout.flush()
    sys.stderr.flush()
    # Python ignores these for itself; what is ignored stays ignored in the program, and `yes | head` would complain.
    for name in ("SIGPIPE", "SIGXFSZ"):
        if hasattr(_signal, name):
            _signal.signal(getattr(_signal, name), _signal.SIG_DFL)
    try:
        os.execvpe(command[0], command, environ)  # noqa: S606 - this is what `run` is for
    except (FileNotFoundError, NotADirectoryError):  # the second where PATH names something that is no folder
        sys.stderr.write(f"torchstrap: {command[0]}: not found, neither in {venv} nor on PATH\n")
        return _NOT_FOUND
    except OSError as error:
        sys.stderr.write(f"torchstrap: {command[0]}: cannot be run ({error.strerror})\n")
        return _NOT_EXECUTABLE
