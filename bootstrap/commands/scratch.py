"""Temporary files where there is no folder for them: in containers whose root is read-only and that mount no /tmp."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

__all__ = ["temporary_files"]


@contextmanager
def temporary_files(*folders: Path) -> Iterator[None]:
    """For the block there is a place for temporary files, ours and those of the programs that we start.

    It is the system's where that has one; else it lies in the first of `folders` that can be written, and goes away
    with the block. Where none can, it is up to whoever needs such a file to say so.
    """
    try:
        tempfile.gettempdir()
    except FileNotFoundError:
        place = next(_made(folders), None)
    else:
        place = None
    if place is None:
        yield
        return
    before = os.environ.get("TMPDIR")
    tempfile.tempdir = os.environ["TMPDIR"] = place
    try:
        yield
    finally:
        tempfile.tempdir = None
        if before is None:
            del os.environ["TMPDIR"]
        else:
            os.environ["TMPDIR"] = before
        shutil.rmtree(place, ignore_errors=True)


def _made(folders: tuple[Path, ...]) -> Iterator[str]:
    for folder in folders:
        with suppress(OSError):
            folder.mkdir(parents=True, exist_ok=True)
            yield tempfile.mkdtemp(prefix=".torchstrap-", dir=folder)
