"""A wheel that was built here, out of the store again as an archive: its files in order, at one fixed moment."""

from __future__ import annotations

import shutil
import zipfile
from pathlib import Path

from bootstrap.wheels.store import StoredWheel

__all__ = ["repacked"]

MOMENT = (1980, 1, 1, 0, 0, 0)
REGULAR = 0o100000


def repacked(wheel: StoredWheel, folder: Path) -> Path:
    """Write the wheel's archive into a folder. The same entry gives the same bytes. Raises OSError."""
    contents = wheel.contents
    archive = folder / wheel.filename
    programs = contents.executables | {each.source for each in contents.data if each.executable}
    record = f"{contents.information}/RECORD"
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED, allowZip64=True) as target:
        for path in sorted({*contents.paths, *(each.source for each in contents.data)}):
            with (wheel.tree / path).open("rb") as source, target.open(_described(path, path in programs), "w") as sink:
                shutil.copyfileobj(source, sink)
        rows = "".join(f"{_quoted(each.source)},{each.digest},{each.size}\n" for each in contents.data)
        target.writestr(_described(record), f"{contents.record}{rows}{_quoted(record)},,\n")
    return archive


def _described(path: str, is_program: bool = False) -> zipfile.ZipInfo:
    information = zipfile.ZipInfo(path, MOMENT)
    information.create_system = 3  # Unix, wherever this runs
    information.external_attr = (REGULAR | (0o755 if is_program else 0o644)) << 16
    information.compress_type = zipfile.ZIP_DEFLATED
    return information


def _quoted(path: str) -> str:
    return '"' + path.replace('"', '""') + '"' if set(path) & set(',"\n') else path
