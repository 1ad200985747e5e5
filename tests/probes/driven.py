"""Machines for tests: files in a folder, programs and environment as they are here, and a driver that is told."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from probes import LocalHost, Unknown

__all__ = ["Driven", "built", "environ_of", "write"]

_SOURCE = Path(__file__).with_name("fake_driver.c")


def write(root: Path, files: Mapping[str, str | bytes]) -> None:
    """Make files below a folder."""
    for name, content in files.items():
        path = root / name.lstrip("/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())


class Driven:
    """A machine whose files lie in a folder and whose programs run here."""

    running = True

    def __init__(self, root: Path, files: Mapping[str, str], environ: Mapping[str, str] | None = None) -> None:
        write(root, files)
        folder = LocalHost(root, {})
        self.read_bytes, self.read_text, self.exists, self.names = (
            folder.read_bytes,
            folder.read_text,
            folder.exists,
            folder.names,
        )
        self.told, self.stamp = folder.told, folder.stamp
        self.environ: Mapping[str, str] = environ or {}
        self.started = 0

    def run(
        self, command: Sequence[str], timeout: float, environ: Mapping[str, str] | None = None, name: str = ""
    ) -> str | Unknown:
        self.started += 1
        return LocalHost(environ={**self.environ}).run(command, timeout, environ, name)


def built(folder: Path, *options: str, names: Sequence[str] = ("libnvidia-ml.so.1", "libcuda.so.1")) -> Path:
    """The fake driver's libraries in a folder, for LD_LIBRARY_PATH; skips the test where they cannot be built."""
    compiler = shutil.which("cc")
    if compiler is None or not sys.platform.startswith("linux"):
        pytest.skip("needs a C compiler and Linux")
    if Path("/dev/nvidiactl").exists() and "libcuda.so.1" not in names:
        pytest.skip("this machine has a libcuda of its own")
    folder.mkdir(parents=True, exist_ok=True)
    library = folder / "driver.so"
    subprocess.run([compiler, "-shared", "-fPIC", "-w", *options, "-o", library, _SOURCE], check=True, timeout=120)
    for name in names:
        shutil.copy(library, folder / name)
    return folder


def environ_of(libraries: Path, script: str, **more: str) -> dict[str, str]:
    """The environment of a program that is to find those libraries, saying what the script tells."""
    return {**os.environ, "LD_LIBRARY_PATH": str(libraries), "FAKE_DRIVER": script, **more}
