"""pip's configuration, because that is where labs keep their mirrors: its files and its PIP_* variables.

    lowest   global files < the user's files < the environment's own file < PIP_CONFIG_FILE    highest
             and over all of them: [global] < [install] < PIP_* variables

PIP_CONFIG_FILE set to the null device means no files; set to one that exists, it means not the user's.
The rules are those of pip's own documentation, topic "Configuration".
"""

from __future__ import annotations

import configparser
import os
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from bootstrap.errors import InputError

__all__ = ["PipConfiguration", "read_pip_configuration"]

_SECTIONS = ("global", "install")  # the later wins
_NOT_OPTIONS = frozenset({"version", "help", "config-file"})


@dataclass(frozen=True, slots=True)
class PipConfiguration:
    """Texts by pip's long option names ("extra-index-url"), where each was said, the files that were read, and all the
    places where one would have been.
    """

    values: Mapping[str, str] = field(default_factory=dict)
    origins: Mapping[str, str] = field(default_factory=dict)
    files: tuple[Path, ...] = ()
    places: tuple[Path, ...] = ()


def read_pip_configuration(
    environ: Mapping[str, str],
    home: Path,
    *,
    prefix: Path = Path(sys.prefix),
    platform: str = sys.platform,
    root: Path = Path("/"),
) -> PipConfiguration:
    """The configuration as `pip install` would see it.

    `prefix` is the Python environment's folder, `root` the one that absolute default places lie under.
    Raises InputError for a file that pip could not read either.
    """
    places = tuple(_places(environ, home, prefix, platform, root))
    files = tuple(path for path in places if path.is_file())
    read = [(path, _sections(path)) for path in files]
    values: dict[str, str] = {}
    origins: dict[str, str] = {}
    for section in _SECTIONS:
        for path, sections in read:
            said = {key: value for key, value in sections.get(section, {}).items() if value}
            values.update(said)
            origins.update(dict.fromkeys(said, str(path)))
    for variable, value in environ.items():
        key = _key(variable.removeprefix("PIP_"))
        if variable.startswith("PIP_") and value and key not in _NOT_OPTIONS:
            values[key], origins[key] = value, variable
    return PipConfiguration(values, origins, files, places)


def _key(name: str) -> str:
    return name.lower().replace("_", "-").removeprefix("--")


def _places(environ: Mapping[str, str], home: Path, prefix: Path, platform: str, root: Path) -> Iterator[Path]:
    """Every place that pip looks at, lowest precedence first."""
    named = environ.get("PIP_CONFIG_FILE")
    if named == os.devnull:
        return
    base = "pip.ini" if platform == "win32" else "pip.conf"
    yield from (folder / base for folder in _global_folders(environ, platform, root))
    if not (named and Path(named).exists()):
        yield home / ("pip" if platform == "win32" else ".pip") / base
        yield _user_folder(environ, home, platform) / base
    yield prefix / base
    if named:
        yield Path(named)


def _global_folders(environ: Mapping[str, str], platform: str, root: Path) -> Iterator[Path]:
    if platform == "win32":
        yield Path(environ.get("PROGRAMDATA") or root / "ProgramData") / "pip"
    elif platform == "darwin":
        yield root / "Library" / "Application Support" / "pip"
    else:
        named = environ.get("XDG_CONFIG_DIRS", "")
        folders = [Path(folder) for folder in named.split(":") if folder] or [root / "etc" / "xdg"]
        yield from (folder / "pip" for folder in folders)
        yield root / "etc"


def _user_folder(environ: Mapping[str, str], home: Path, platform: str) -> Path:
    if platform == "win32":
        return Path(environ.get("APPDATA") or home / "AppData" / "Roaming") / "pip"
    if platform == "darwin":
        folder = home / "Library" / "Application Support" / "pip"
        return folder if folder.is_dir() else home / ".config" / "pip"
    return Path(environ.get("XDG_CONFIG_HOME") or home / ".config") / "pip"


def _sections(path: Path) -> Mapping[str, Mapping[str, str]]:
    parser = configparser.RawConfigParser()
    try:
        parser.read_string(path.read_text("utf-8-sig"), str(path))
    except OSError as error:
        way_out = "correct its permissions, or set PIP_CONFIG_FILE to the null device"
        raise InputError(path, f"pip's configuration cannot be read ({error.strerror}); {way_out}") from error
    except UnicodeDecodeError as error:
        problem = f"pip's configuration is not UTF-8 text (byte {error.start}); save it as UTF-8"
        raise InputError(path, problem) from error
    except configparser.Error as error:
        problem = f"pip's configuration is not an INI file ({_first_line(error)}); correct the line"
        raise InputError(path, problem, _line(error)) from error
    return {section: {_key(name): value for name, value in parser.items(section)} for section in parser.sections()}


def _first_line(error: configparser.Error) -> str:
    return error.message.partition("\n")[0]


def _line(error: configparser.Error) -> int | None:
    line = getattr(error, "lineno", None)
    if isinstance(line, int):
        return line
    wrong = getattr(error, "errors", None)
    return int(wrong[0][0]) if wrong else None
