"""Builds of CPython that run wherever they are unpacked: which there are, for which platforms, where, with which hash.

    standalone.toml            what is known: version, day of the build, platform, sha256; no address but the base
    <base>/<day>/<file name>   where an archive is, below the project's releases or a mirror of them
    <folder>/cpython-3.13.17-linux-x86_64-gnu/   what is in its folder `python`, once it is installed

They are the releases of python-build-standalone. https://gregoryszorc.com/docs/python-build-standalone/main/
Nothing is fetched here. Maintainers renew the table, and `install.sh` takes its rows from it:

    python -m bootstrap.environment.standalone --update FILE...  # versions.json of pbs-installer, SHA256SUMS
    python -m bootstrap.environment.standalone --shell 3.13
"""

from __future__ import annotations

import argparse
import json
import pkgutil
import re
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from packaging.version import Version

from bootstrap import toml
from bootstrap.errors import InputError

__all__ = ["BASE_URL", "PLATFORMS", "Build", "Table", "builds_in", "platform_of", "read_table", "shell_rows", "written"]

BASE_URL = "https://github.com/astral-sh/python-build-standalone/releases/download"
PLATFORMS: Mapping[str, str] = {  # as in our folders' names | as in the archives' names
    "linux-x86_64-gnu": "x86_64-unknown-linux-gnu",
    "linux-x86_64-musl": "x86_64-unknown-linux-musl",
    "linux-aarch64-gnu": "aarch64-unknown-linux-gnu",
    "linux-aarch64-musl": "aarch64-unknown-linux-musl",
    "macos-arm64": "aarch64-apple-darwin",
    "macos-x86_64": "x86_64-apple-darwin",
    "windows-x86_64": "x86_64-pc-windows-msvc",
}
MINORS = ("3.14", "3.13", "3.12", "3.11", "3.10")
"""The Pythons that torchstrap makes environments for."""

_OURS = "standalone.toml"
_PARTS = {  # of a row
    "version": re.compile(r"3\.\d{1,3}\.\d{1,4}"),
    "release": re.compile(r"\d{8}"),
    "platform": re.compile("|".join(PLATFORMS)),
    "sha256": re.compile(r"[0-9a-f]{64}"),
}
_ARCHIVE = re.compile(r"cpython-(3\.\d+\.\d+)\+(\d{8})-(.+)-install_only_stripped\.tar\.gz")
_SUM = re.compile(r"([0-9a-f]{64}) [ *](\S+)")


@dataclass(frozen=True, slots=True)
class Build:
    """One archive. `release` is the day of its release (20261021), `platform` one of PLATFORMS."""

    version: str
    release: str
    platform: str
    sha256: str

    @property
    def filename(self) -> str:
        return f"cpython-{self.version}+{self.release}-{PLATFORMS[self.platform]}-install_only_stripped.tar.gz"

    @property
    def path(self) -> str:
        """Where it is below the base, as in an address."""
        return f"{self.release}/{quote(self.filename)}"

    @property
    def folder(self) -> str:
        """The name of the folder that it is kept in, once it is installed."""
        return f"cpython-{self.version}-{self.platform}"


@dataclass(frozen=True, slots=True)
class Table:
    """The builds that there are, newest first."""

    builds: tuple[Build, ...]

    def of(self, platform: str) -> tuple[Build, ...]:
        return tuple(each for each in self.builds if each.platform == platform)


def platform_of(system: str, libc: str | None) -> str:
    """Our name of a platform ("linux_x86_64") and the family of its C library as one of those here, if it is any."""
    ending = {"glibc": "-gnu", "musl": "-musl"}.get(libc or "", "")
    return system.replace("_", "-", 1) + ending


def read_table(path: Path | None = None) -> Table:
    """The table in a file, or ours. Raises InputError that says what is wrong with it."""
    if path is not None:
        return _table(path, toml.load(path))
    return _table(_OURS, toml.loads((pkgutil.get_data(__package__, _OURS) or b"").decode(), _OURS))


def _table(name: object, document: Mapping[str, Any]) -> Table:
    rows = document.get("builds")
    if not isinstance(rows, list):
        raise InputError(name, 'must have a list `builds` of rows ["VERSION", "RELEASE", "PLATFORM", "SHA256"]')
    return Table(_newest_first(_build(name, number, row) for number, row in enumerate(rows, 1)))


def _build(name: object, number: int, row: object) -> Build:
    if not isinstance(row, list) or len(row) != len(_PARTS) or not all(isinstance(each, str) for each in row):
        raise InputError(name, f'row {number} of `builds` must be ["VERSION", "RELEASE", "PLATFORM", "SHA256"]')
    for (part, rule), each in zip(_PARTS.items(), row, strict=True):
        if not rule.fullmatch(each):
            known = f"; there are {', '.join(PLATFORMS)}" if part == "platform" else ""
            raise InputError(name, f"row {number} of `builds`: {each!r} is no {part}{known}")
    return Build(*row)


def _newest_first(builds: Iterable[Build]) -> tuple[Build, ...]:
    order = list(PLATFORMS)
    by_platform = sorted(builds, key=lambda each: order.index(each.platform))
    return tuple(sorted(by_platform, key=lambda each: (Version(each.version), each.release), reverse=True))


def shell_rows(minor: str = "3.13") -> str:
    """The newest build of a Python for each platform that has a shell: PLATFORM VERSION SHA256 PATH, a line each."""
    found = {each.platform: each for each in reversed(read_table().builds) if each.version.startswith(f"{minor}.")}
    rows = (found[platform] for platform in PLATFORMS if platform in found and not platform.startswith("windows"))
    return "".join(f"{each.platform} {each.version} {each.sha256} {each.path}\n" for each in rows)


def builds_in(name: str, text: str) -> Iterator[Build]:
    """The builds for us that a file names: pbs-installer's versions.json, or the SHA256SUMS of a release."""
    if name.endswith(".json"):
        named = [(each["filename"], each["sha256"] or "") for one in json.loads(text) for each in one["files"]]
    else:
        named = [(match[2], match[1]) for match in map(_SUM.fullmatch, text.splitlines()) if match]
    triples = {triple: platform for platform, triple in PLATFORMS.items()}
    for filename, sha256 in named:
        match = _ARCHIVE.fullmatch(filename)
        if match and sha256 and match[3] in triples and match[1].rpartition(".")[0] in MINORS:
            yield Build(match[1], match[2], triples[match[3]], sha256)


def written(builds: Iterable[Build]) -> str:
    """The text of a table with the newest of each minor release and platform. Raises ValueError for two hashes of one.

    A platform of which a file knows only older builds keeps those.
    """
    hashes: dict[str, str] = {}
    newest: dict[tuple[str, str], Build] = {}
    for each in reversed(_newest_first(builds)):
        if hashes.setdefault(each.filename, each.sha256) != each.sha256:
            raise ValueError(f"two hashes were given for {each.filename}")
        newest[each.version.rpartition(".")[0], each.platform] = each
    head = (pkgutil.get_data(__package__, _OURS) or b"").decode().partition("builds = [")[0]
    rows = "".join(
        f'  ["{each.version}", "{each.release}", "{each.platform}", "{each.sha256}"],\n'
        for each in _newest_first(newest.values())
    )
    return f"{head}builds = [\n{rows}]\n"


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m bootstrap.environment.standalone")
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--update", nargs="+", type=Path, metavar="FILE", help="write the table anew from these files")
    what.add_argument("--shell", nargs="?", const="3.13", metavar="VERSION", help="the rows that install.sh needs")
    parsed = parser.parse_args(arguments)
    if parsed.shell:
        sys.stdout.write(shell_rows(parsed.shell))
        return 0
    found = [build for path in parsed.update for build in builds_in(path.name, path.read_text(encoding="utf-8"))]
    Path(__file__).with_name(_OURS).write_text(written(found), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
