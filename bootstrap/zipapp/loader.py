"""How torchstrap.pyz starts: from the folder that it was unpacked into, or else from itself.

    <cache>/programs/<first digits of the hash of program.zip>    made once; ours, or root's
    <cache>/programs/<…>-<user number>                            where the first is somebody else's

A program that others could have changed is not run: the folder has to belong to us or to root, and only its owner may
write to it. In it lie compiled modules, so that even a start with nothing to do is quicker than from the archive.
Before the stamp has answered only what Python has loaded already, to get here, may be imported.
"""

from __future__ import annotations

import os
import sys
import time
from zipimport import zipimporter

from bootstrap.cache_place import own, usual_cache

__all__ = ["DIGEST", "PROGRAM", "is_ours", "kept", "main", "names"]

PROGRAM, DIGEST = "program.zip", "program.sha256"
_SHOWN = 16  # digits of the hash
_DAY = 86400.0  # seconds
_KIND, _FOLDER, _OTHERS_WRITE = 0o170000, 0o040000, 0o022  # of st_mode; `stat` is one import more


def main(archive: zipimporter) -> int:
    """Run one command and return its exit code; `run` does not return, it becomes the command."""
    digest = archive.get_data(DIGEST).decode()[:64]
    try:
        cache = usual_cache(own(sys.argv[1:])[0])
    except OSError:  # the current folder is gone
        cache = ""
    place = kept(cache, digest)
    if place is not None:
        return _run_from(place)
    from bootstrap import stamp  # noqa: PLC0415 - out of the archive, which costs more than out of a folder

    answer = stamp.answer(sys.argv[1:])
    return _run_from_new_place(archive, digest, cache) if answer is None else answer


def _run_from_new_place(archive: zipimporter, digest: str, cache: str) -> int:
    from bootstrap.commands.stopping import Stopped, stop_within_a_second  # noqa: PLC0415 - not where the stamp answers
    from bootstrap.zipapp.unpacking import DamagedError, unpacked  # noqa: PLC0415

    stop_within_a_second()  # a first process of a container would not even notice that it is to stop
    try:
        return _run_from(unpacked(archive, digest, cache))
    except DamagedError as error:
        sys.stderr.write(f"torchstrap: {error}\n")
        return 1
    except Stopped as stopped:
        return stopped.exit_code


def _run_from(place: str) -> int:
    """From here on everything is imported from another place; what of ours has been imported is forgotten."""
    sys.path[0] = place
    for name in [each for each in sys.modules if each.partition(".")[0] == "bootstrap"]:
        del sys.modules[name]
    from bootstrap.__main__ import main as program  # noqa: PLC0415 - there

    return program()


def names(digest: str) -> tuple[str, ...]:
    """What a folder with the program of a hash may be called, the first by choice."""
    short = digest[:_SHOWN]
    return (short, f"{short}-{os.geteuid()}") if hasattr(os, "geteuid") else (short,)


def kept(cache: str, digest: str) -> str | None:
    """The folder with the program, if there is one to be trusted. Once a day it is noted that it is used."""
    for name in names(digest):
        place = os.path.join(cache, "programs", name)  # noqa: PTH118
        try:
            status = os.lstat(place)
        except OSError:
            continue
        if not is_ours(status):
            continue
        if status.st_mtime < time.time() - _DAY:
            try:  # noqa: SIM105 - contextlib is slow to import
                os.utime(place)
            except OSError:  # root's
                pass
        return place
    return None


def is_ours(status: os.stat_result) -> bool:
    """Whether it is a folder that only we, or root, can have changed."""
    if not hasattr(os, "geteuid"):
        return True
    is_closed = status.st_mode & (_KIND | _OTHERS_WRITE) == _FOLDER
    return is_closed and status.st_uid in (0, os.geteuid())
