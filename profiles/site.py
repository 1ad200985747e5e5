"""What a site says of builds that this program does not know, or knows otherwise.

    /etc/torchstrap/profiles/*.toml                  for everybody on the machine; not on Windows
    $XDG_CONFIG_HOME/torchstrap/profiles/*.toml      for one user; ~/.config where the variable is not set

The files hold rows of the same form as ours, of every kind: `[[release]]`, `[[driver]]`, `[[architectures]]`,
`[[targets]]`, `[[family]]` … They are read after ours, the user's after the machine's, those of one folder by name. A
row for what an earlier one describes replaces the keys that it gives; any other is added. Of `[[architectures]]`, where
the first row that fits counts, the later stand first.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path

from profiles.loading import Sheet, TableError

__all__ = ["folders", "sheets", "watched"]

_OURS = Path("torchstrap", "profiles")


def folders(
    environ: Mapping[str, str] | None = None, home: Path | None = None, *, root: Path | None = Path("/etc")
) -> tuple[Path, ...]:
    """Where site tables may lie, whether the folders are there or not; the later one has the last word."""
    environ = os.environ if environ is None else environ
    machine = () if root is None or os.name == "nt" else (root / _OURS,)
    named = environ.get("XDG_CONFIG_HOME")
    if named:
        return (*machine, Path(named) / _OURS)
    try:
        return (*machine, (home or Path.home()) / ".config" / _OURS)
    except RuntimeError:  # containers run under users that nobody has heard of
        return machine


def sheets(places: Iterable[Path] | None = None) -> tuple[Sheet, ...]:
    """The site's files in their order. Raises TableError for one that cannot be read."""
    return tuple(_sheet(path) for folder in (folders() if places is None else places) for path in _files(folder))


def watched(places: Iterable[Path] | None = None) -> tuple[Path, ...]:
    """All whose change may change the tables: the folders, because files may come, and the files. Raises TableError."""
    found = folders() if places is None else tuple(places)
    return (*found, *(path for folder in found for path in _files(folder)))


def _files(folder: Path) -> list[Path]:
    try:
        names = os.listdir(folder)  # noqa: PTH208 - no objects for a folder that is hardly ever there
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as error:
        if not os.path.lexists(folder):  # in the home of somebody else, where nothing is meant for us
            return []
        raise TableError(folder, f"cannot be read ({error.strerror}); make it readable or remove it") from error
    return [folder / name for name in sorted(names) if name.endswith(".toml") and not name.startswith(".")]


def _sheet(path: Path) -> Sheet:
    try:
        return Sheet(str(path), path.read_bytes().decode("utf-8"))
    except OSError as error:
        raise TableError(path, f"cannot be read ({error.strerror}); make it readable or remove it") from error
    except UnicodeDecodeError as error:
        raise TableError(path, f"is not UTF-8 text (byte {error.start})") from error
