"""Containers without an engine: namespaces, a root of their own around this machine's /usr, what a Containerfile says.

A container has its own processes and mounts, a read-only root, no /sys, and a user that nobody has heard of. What it is
given is its image's files and its volumes. `FROM` and `RUN` are not followed: /usr stands for what they install.
"""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

__all__ = ["PYTHON", "Image", "are_possible", "command", "read", "version"]

PYTHON = Path("/usr/bin/python3")
_NAMESPACES = ("unshare", "--mount", "--pid", "--fork")
_CAN_RUN = "import sys; sys.exit(sys.version_info < (3, 10))"
_ETC = ("ld.so.cache", "hosts", "os-release", "alternatives")
_DEVICES = ("null", "zero", "urandom")
_CREATED = """
set -e
root=$1
mount -t tmpfs none "$root"
cd "$root"
mkdir -p usr proc dev tmp etc
for each in bin sbin lib lib64; do ln -s "usr/$each" "$each"; done
mount --bind -o ro /usr usr
mount -t tmpfs none usr/local
mount -t proc proc proc
chmod 1777 tmp
"""


@dataclass(frozen=True)
class Image:
    """What the lines of a Containerfile come to. `files` are its own, place in the container to place out here."""

    entrypoint: tuple[str, ...] = ()
    command: tuple[str, ...] = ()
    environ: Mapping[str, str] = field(default_factory=dict)
    folder: str = "/"
    files: Mapping[str, Path] = field(default_factory=dict)
    volumes: tuple[str, ...] = ()


def are_possible() -> bool:
    """Whether this machine lets us make one, and has a Python for it in /usr."""
    if sys.platform != "linux" or os.geteuid() != 0 or shutil.which("unshare") is None or not PYTHON.exists():
        return False
    mounts = subprocess.run([*_NAMESPACES, "mount", "-t", "tmpfs", "none", "/mnt"], capture_output=True, check=False)
    python = subprocess.run([PYTHON, "-I", "-c", _CAN_RUN], capture_output=True, check=False)
    return mounts.returncode == 0 and python.returncode == 0


def version() -> str:
    """Which Python containers have, as in 3.11."""
    asked = [str(PYTHON), "-I", "-c", "import sys; print('%d.%d' % sys.version_info[:2])"]
    done = subprocess.run(asked, capture_output=True, text=True, check=True)
    return done.stdout.strip()


def read(containerfile: Path, context: Path) -> Image:
    """The image that a Containerfile describes, its files taken from `context`."""
    said: dict[str, list[str]] = {}
    for line in containerfile.read_text().splitlines():
        word, _, rest = line.partition(" ")
        if word and not line.startswith("#"):
            said.setdefault(word, []).append(rest)
    folder = said.get("WORKDIR", ["/"])[-1]
    files = {}
    for rest in said.get("COPY", ()):
        source, target = rest.split()
        files[os.path.normpath(Path(folder, target))] = context / source
    environ = dict(each.split("=", 1) for rest in said.get("ENV", ()) for each in shlex.split(rest))
    return Image(
        entrypoint=tuple(json.loads(said["ENTRYPOINT"][-1])),
        command=tuple(json.loads(said["CMD"][-1])),
        environ=environ,
        folder=folder,
        files=files,
        volumes=tuple(said.get("VOLUME", ())),
    )


def command(
    image: Image,
    root: Path,
    *,
    volumes: Mapping[str, Path],
    words: Sequence[str] | None = None,
    user: int = 12345,
    environ: Mapping[str, str] | None = None,
    in_front: Sequence[str] = (),
    entrypoint: Sequence[str] | None = None,
    network: bool = True,
) -> list[str]:
    """The command line out here that is the container. `root` is an empty folder, `in_front` becomes the first process.

    `words` take the place of the image's command. The network is that of whoever calls, or there is none.
    """
    lines = [_CREATED]
    for target, source in [*image.files.items(), *volumes.items()]:
        lines.append(_mounted(source, target, writable=target in volumes))
    lines += [_mounted(Path("/dev", each), f"/dev/{each}", writable=True) for each in _DEVICES]
    lines += [
        _mounted(Path("/etc", each), f"/etc/{each}", writable=False) for each in _ETC if Path("/etc", each).exists()
    ]
    variables = {"PATH": "/usr/local/bin:/usr/bin:/bin", **image.environ, **(environ or {})}
    inner = [*in_front, *(image.entrypoint if entrypoint is None else entrypoint), *(words or image.command)]
    quoted = shlex.join(["env", "-i", *(f"{name}={value}" for name, value in variables.items()), *inner])
    change = shlex.join(["chroot", f"--userspec={user}:{user}", "."])
    lines += ["mount -o remount,ro .", f"exec {change} sh -c {shlex.quote(f'cd {image.folder} && exec {quoted}')}"]
    namespaces = _NAMESPACES if network else (*_NAMESPACES, "--net")
    return [*namespaces, "sh", "-c", "\n".join(lines), "sh", str(root)]


def _mounted(source: Path, target: str, *, writable: bool) -> str:
    place = shlex.quote(target.lstrip("/"))
    if source.is_dir():
        made = f"mkdir -p {place}"
    else:
        made = f"mkdir -p {shlex.quote(str(Path(target).parent).lstrip('/') or '.')}; touch {place}"
    options = "" if writable else "-o ro "
    return f"{made}; mount --bind {options}{shlex.quote(str(source))} {place}"
