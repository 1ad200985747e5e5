"""What a Python says about itself, as JSON. The text of this file is run by the interpreter that is asked (`-c`,
so that it works out of a zip file too).

It imports nothing of ours; `packaging` is found through the folder that is given as the first argument, which goes to
the end of `sys.path` so that nothing in it hides the standard library.
"""

from __future__ import annotations

import json
import os
import sys
import sysconfig
from typing import Any

__all__ = ["base_executable", "gather"]

ROOT = "/torchstrap-environment"
KINDS = ("purelib", "platlib", "scripts", "include", "data")


def gather() -> dict[str, Any]:
    """The facts of the running interpreter. Paths of `scheme` are relative to an environment made from it."""
    # Only here, because in a child the way to it has to be laid first.
    from packaging.markers import default_environment  # noqa: PLC0415
    from packaging.tags import sys_tags  # noqa: PLC0415

    markers = {key: str(value) for key, value in default_environment().items()}
    return {
        "executable": base_executable(),
        "base_prefix": sys.base_prefix,
        "version": markers["python_full_version"],
        "implementation": sys.implementation.name,
        "markers": markers,
        "tags": [str(tag) for tag in sys_tags()],
        "system": sys.platform,
        "machine": markers["platform_machine"],
        "wide": sys.maxsize > 2**32,
        "scheme": _scheme(),
        "free_threaded": bool(sysconfig.get_config_var("Py_GIL_DISABLED")),
    }


def base_executable() -> str:
    """The interpreter outside any virtual environment. Python knows it since 3.11; before, it has to be looked for."""
    given = getattr(sys, "_base_executable", None) or sys.executable
    exists = os.path.exists  # pathlib is slow to import
    folder = os.path.dirname(given)  # noqa: PTH120
    marks = (os.path.join(each, "pyvenv.cfg") for each in (folder, os.path.dirname(folder)))  # noqa: PTH118, PTH120
    if exists(given) and not any(map(exists, marks)):
        return str(given)
    minor = f"python{sys.version_info[0]}.{sys.version_info[1]}"
    names = ("python.exe",) if os.name == "nt" else (f"bin/{minor}{sys.abiflags}", f"bin/{minor}", "bin/python3")
    places = [os.path.join(sys.base_prefix, name) for name in names]  # noqa: PTH118
    return next(filter(exists, places), str(given))


def _scheme() -> dict[str, str]:
    """Where a virtual environment keeps things. The distribution's own default may be another (Debian's local)."""
    names = sysconfig.get_scheme_names()
    name = next(each for each in ("venv", "nt" if os.name == "nt" else "posix_prefix") if each in names)
    places = dict.fromkeys(("base", "platbase", "installed_base", "installed_platbase"), ROOT)
    found = {kind: sysconfig.get_path(kind, name, places) for kind in KINDS}
    return {kind: os.path.relpath(path, ROOT).replace(os.sep, "/") for kind, path in found.items()}


if __name__ == "__main__":
    sys.path.append(sys.argv[1])
    print(json.dumps(gather()))  # noqa: T201 - to the parent process
