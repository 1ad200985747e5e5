"""Where the NVIDIA driver's libraries lie, and which version their file names carry.

The kernel's module and these libraries must be of one version. An unattended upgrade replaces the files and cannot
replace a module in use: until the machine is restarted, programs find a driver that does not answer.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from probes.host import Host
from probes.machine import Unknown

__all__ = ["LIBRARY_FOLDERS", "find_compat", "library_files", "user_space_version"]

LIBRARY_FOLDERS = ("/usr/lib/wsl/lib", "/usr/local/nvidia/lib64", "/usr/lib64/nvidia", "/run/opengl-driver/lib")
"""Folders that hold the driver's libraries on some systems, and that loaders do not search by themselves."""
_SEARCHED = (
    "/usr/lib/x86_64-linux-gnu",
    "/usr/lib/aarch64-linux-gnu",
    "/usr/lib/x86_64-linux-gnu/nvidia/current",
    "/usr/lib64",
    "/usr/lib",
    *LIBRARY_FOLDERS,
)
_VERSIONED = re.compile(r"lib(?:cuda|nvidia-ml)\.so\.(\d{3}\.\d{1,4}(?:\.\d{1,4})?)", re.ASCII)


def user_space_version(host: Host, loaded: Iterable[str]) -> str | Unknown | None:
    """The version of the libraries: of those that the child loaded, else of those that lie where loaders look.

    None where there are none with a number (WSL and Jetson have `libcuda.so.1.1`).
    """
    own = {match[1] for path in loaded if "compat" not in path and (match := _VERSIONED.search(path))}
    found = own or {
        match[1] for folder in _SEARCHED for name in host.names(folder) if (match := _VERSIONED.fullmatch(name))
    }
    if len(found) > 1:
        return Unknown(f"libraries of several versions lie on this machine: {', '.join(sorted(found))}")
    return next(iter(found), None)


def library_files(host: Host) -> Iterator[str]:
    """Every file of the driver's libraries that a loader could take: LD_LIBRARY_PATH, the system's folders, compat."""
    given = filter(None, host.environ.get("LD_LIBRARY_PATH", "").split(":"))
    compat = find_compat(host)
    for folder in dict.fromkeys((*given, *_SEARCHED, *([compat.rpartition("/")[0]] if compat else []))):
        for name in host.names(folder):
            if name.startswith(("libcuda.so", "libnvidia-ml.so")):
                yield f"{folder}/{name}"


def find_compat(host: Host) -> str | None:
    """A libcuda of the package cuda-compat, which lets newer programs run on an older kernel driver of some GPUs.

    https://docs.nvidia.com/deploy/cuda-compatibility/forward-compatibility.html
    """
    for toolkit in host.names("/usr/local"):
        for folder in (f"/usr/local/{toolkit}/compat", f"/usr/local/{toolkit}/compat/lib"):
            if not toolkit.startswith("cuda"):
                continue
            for name in reversed(host.names(folder)):
                if _VERSIONED.fullmatch(name):
                    return f"{folder}/{name}"
    return None
