"""What torchstrap.pyz carries, as something that Python can import from: a folder, once, or a piece of memory.

    <cache>/building/<hash>-<pid>-<random>/    in the making, held by its maker, renamed when it is on the disk
    <cache>/programs/<hash>/                   complete

Of several at once one makes it, and the others wait for that. Where there is to be no cache, or it cannot be written,
an archive in memory does (Linux), or one in a private folder that goes when the program ends. That is slower, for
nothing that was compiled can be kept.
"""

from __future__ import annotations

import hashlib
import io
import os
import sys
import zipfile
from contextlib import suppress
from pathlib import Path
from zipimport import zipimporter

from bootstrap.cache_place import own
from bootstrap.wheels.durable import settle
from bootstrap.wheels.making import alone_in, made_beside
from bootstrap.zipapp.loader import PROGRAM, is_ours, kept, names

__all__ = ["DamagedError", "unpacked"]

_YES = frozenset({"1", "yes", "true", "on"})


class DamagedError(Exception):
    """The file is not what was built."""


def unpacked(archive: zipimporter, digest: str, cache: str) -> str:
    """A folder or an archive that the program of a hash can be imported from. Raises DamagedError."""
    try:
        content = archive.get_data(PROGRAM)
    except (OSError, ImportError, EOFError, ValueError) as error:
        raise DamagedError(f"{archive.archive} cannot be read ({error}); download it again") from error
    if hashlib.sha256(content).hexdigest() != digest:
        raise DamagedError(f"{archive.archive} is damaged (its hash is another than it should be); download it again")
    if not _is_forbidden() and os.path.isabs(cache):  # noqa: PTH117 - a user without a home has a relative one
        with suppress(OSError):
            return _folder(content, digest, Path(cache))
    return _memory(content)


def _is_forbidden() -> bool:
    """Whether somebody said that nothing is to be kept."""
    said = os.environ.get("TORCHSTRAP_NO_CACHE", "").strip().lower()
    return said in _YES or "--no-cache" in own(sys.argv[1:])[0]


def _folder(content: bytes, digest: str, cache: Path) -> str:
    """Unpacked, and kept. Raises OSError."""
    building, programs = cache / "building", cache / "programs"
    for each in (building, programs):
        each.mkdir(parents=True, exist_ok=True)
    with alone_in(programs):
        place = kept(str(cache), digest)
        if place is None:
            free = next((each for each in names(digest) if not os.path.lexists(programs / each)), None)
            if free is not None:
                _unpack(content, building, programs / free)
            place = kept(str(cache), digest)
    if place is None:
        raise OSError(f"{programs} has what somebody else may change")
    return place


def _unpack(content: bytes, building: Path, place: Path) -> None:
    """Raises OSError, also on a file system whose folders are everybody's."""
    before = os.umask(0o777)
    os.umask(before | 0o022)  # others may read what the user lets them, and change nothing
    try:
        with made_beside(building, place.name) as beside:
            if not is_ours(beside.lstat()):
                raise OSError(f"others may change what is in {building}")
            with zipfile.ZipFile(io.BytesIO(content)) as program:
                program.extractall(beside)
            settle(beside)
            with suppress(OSError):  # where nothing can be locked somebody may have been quicker
                beside.rename(place)
    finally:
        os.umask(before)


def _memory(content: bytes) -> str:
    """An archive that is nowhere but in this process, or else in a private file."""
    if sys.platform == "linux":
        with suppress(OSError):
            opened = os.memfd_create("torchstrap.pyz")
            with open(opened, "wb", closefd=False) as file:
                file.write(content)
            path = f"/proc/{os.getpid()}/fd/{opened}"  # not "self": our children look at it, too
            if os.path.samestat(os.stat(path), os.fstat(opened)):  # noqa: PTH116
                return path
    return _private_file(content)


def _private_file(content: bytes) -> str:
    """An archive that is removed when this process ends, or becomes another program."""
    import atexit  # noqa: PLC0415 - only here
    import shutil  # noqa: PLC0415
    import tempfile  # noqa: PLC0415

    folder, maker = tempfile.mkdtemp(prefix="torchstrap-"), os.getpid()

    def remove() -> None:
        if os.getpid() == maker:
            shutil.rmtree(folder, ignore_errors=True)

    atexit.register(remove)
    path = Path(folder, PROGRAM)
    path.write_bytes(content)
    return str(path)
