"""Archives of Pythons as python-build-standalone lays them out: a folder `python` with bin/ and lib/."""

from __future__ import annotations

import hashlib
import io
import json
import os
import re
import sys
import tarfile
from collections.abc import Mapping
from pathlib import Path

from bootstrap.commands.pythons.wanted import here
from bootstrap.environment import facts
from bootstrap.environment.standalone import Build

VERSION = sys.version.partition(" ")[0]
ANOTHER = re.sub(r"\d$", lambda digit: str((int(digit[0]) + 1) % 10), VERSION)
"""A release that is not the running one: `python` below says that it is this one."""

_UNNEEDED = re.compile(
    r"(test|tests|__pycache__|site-packages|dist-packages|idlelib|tkinter|turtledemo|lib2to3|ensurepip|pydoc_data|"
    r"config-.*|.*\.a)"
)
_RELATIVE = b"$ORIGIN/../lib"

_PRETENDER = """#!/bin/sh
cat <<END
{{"executable": "$0", "base_prefix": "/none", "version": "{version}", "implementation": "cpython",
"markers": {{"python_full_version": "{version}"}}, "tags": ["cp313-cp313-{tag}_2_17_{machine}"], "system": "linux",
"machine": "{machine}", "wide": true, "free_threaded": false, "scheme": {{"purelib": "lib", "platlib": "lib",
"scripts": "bin", "include": "include", "data": "."}}}}
END
"""


def made(version: str, content: bytes, release: str = "20250101") -> Build:
    """The row of a table for an archive that is for this machine."""
    return Build(version, release, here(), hashlib.sha256(content).hexdigest())


def table(folder: Path, *builds: Build) -> Path:
    """A table of these builds alone."""
    path = folder / "pythons.toml"
    rows = [[each.version, each.release, each.platform, each.sha256] for each in builds]
    path.write_text(f"builds = {json.dumps(rows)}\n")
    return path


def tar(members: Mapping[str, bytes | str], *special: tarfile.TarInfo) -> bytes:
    """An archive of executables, links (a text says where to) and whatever else."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:gz", compresslevel=1) as archive:
        for name, content in members.items():
            member = tarfile.TarInfo(name)
            member.mode = 0o755
            if isinstance(content, str):
                member.type, member.linkname = tarfile.SYMTYPE, content
                archive.addfile(member)
            else:
                member.size = len(content)
                archive.addfile(member, io.BytesIO(content))
        for each in special:
            archive.addfile(each)
    return stream.getvalue()


def pretender(version: str, *, libc: str = "gnu", more: bytes = b"") -> bytes:
    """A script that answers as such a Python of this machine does, and a file beside it."""
    machine = here().split("-")[1]
    tag = {"gnu": "manylinux", "musl": "musllinux"}[libc]
    script = _PRETENDER.format(version=version, machine=machine, tag=tag).encode()
    return tar({"python/bin/python3": script, "python/bin/python": "python3", "python/lib/more": more})


def python() -> bytes:
    """The running Python as one that can be unpacked anywhere and says that it is ANOTHER: all of it works."""
    base = Path(facts.base_executable())
    program = Path(os.path.realpath(base))
    minor = f"python{sys.version_info[0]}.{sys.version_info[1]}"
    library = Path(os.__file__).parent
    own = str(Path(sys.base_prefix) / "lib").encode()
    # Where it finds its shared library, if it has one: the path is as long as it was.
    moved = (own + b"\0", _RELATIVE.ljust(len(own), b"\0") + b"\0")
    renumbered = (f"{VERSION}\0".encode(), f"{ANOTHER}\0".encode())
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:gz", compresslevel=1) as archive:
        archive.add(library, f"python/lib/{minor}", filter=_needed)
        for path in (program, *Path(sys.base_prefix, "lib").glob(f"lib{minor}.so.*")):
            content = path.read_bytes().replace(*moved).replace(*renumbered)
            name = f"python/bin/{minor}" if path == program else f"python/lib/{path.name}"
            member = tarfile.TarInfo(name)
            member.mode, member.size = 0o755, len(content)
            archive.addfile(member, io.BytesIO(content))
        for name in ("python", "python3"):
            link = tarfile.TarInfo(f"python/bin/{name}")
            link.type, link.linkname = tarfile.SYMTYPE, minor
            archive.addfile(link)
    return stream.getvalue()


def _needed(member: tarfile.TarInfo) -> tarfile.TarInfo | None:
    is_needed = _UNNEEDED.fullmatch(Path(member.name).name) is None and (member.isreg() or member.isdir())
    return member if is_needed else None
