"""What goes into torchstrap.pyz: our modules, those of others without what nobody needs, and everybody's licence."""

from __future__ import annotations

import ast
import re
import zipfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from hashlib import sha256
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

from bootstrap.errors import BadDistributionError, BootstrapError
from bootstrap.zipapp.archive import Member, archive, members_of, plain
from bootstrap.zipapp.loader import DIGEST, PROGRAM

__all__ = ["LICENCES", "ROOT", "pyz"]

ROOT = Path(__file__).parent.parent.parent
"""Where our packages lie."""
LICENCES = "LICENCES.txt"

# Python reads this text only if the end is missing and the file is no archive for it: then it says the second line.
_PREFIX = b"#!/usr/bin/env python3\n# coding: torchstrap.pyz-is-not-complete--download-it-again\n"
_OURS = ("bootstrap", "probes", "profiles")
_KINDS = frozenset({".py", ".toml", ".txt", ".css", ".js"})
# What a start needs that has nothing to do, or has to unpack the rest; and with each, what it imports at once.
_QUICK = (
    "bootstrap/commands/stopping.py",
    "bootstrap/stamp.py",
    "bootstrap/zipapp/loader.py",
    "bootstrap/zipapp/unpacking.py",
)
_FRONT = "bootstrap/zipapp/front.py"
# Where only the very end is missing, a Python takes the archive inside for the whole.
_INNER = b'import sys\n\nsys.exit("torchstrap.pyz is not complete, download it again")\n'
# Of other people's wheels; virtualenv carries whole wheels to put into environments, and ours begin empty.
_UNUSED = re.compile(
    r"virtualenv/seed/wheels/embed/.*\.whl"
    r"|distlib/[^/]*\.exe"
    r"|example\.py"
    r"|(.*/)?tests?/.*"
    r"|.*\.pyi|.*/py\.typed"
    r"|[^/]*\.dist-info/(RECORD|WHEEL|INSTALLER|REQUESTED|top_level\.txt|zip-safe|.*\.json)"
)
_LICENCE = re.compile(r"[^/]*\.dist-info/(licen[cs]es/.*|(LICEN[CS]E|COPYING|NOTICE|AUTHORS)[^/]*)", re.IGNORECASE)


def pyz(wheels: Sequence[Path], moment: float) -> bytes:
    """The whole file, from the wheels of all that we need; `moment` in seconds since 1970 is the time of every member.

    Raises BadDistributionError for a wheel that cannot be carried, BootstrapError where there is nothing to build from.
    """
    ours = {name: (ROOT / name).read_bytes() for name in _own()}
    theirs = [member for wheel in wheels for member in _carried(wheel)]
    licences = _licences(wheels)
    carried = (plain("__main__.py", _INNER), *(plain(*each) for each in ours.items()), *theirs)
    program = archive(sorted(carried, key=lambda each: each.name), moment)
    quick = [plain("__main__.py", ours[_FRONT]), *(plain(name, ours[name]) for name in _imported(_QUICK, ours))]
    digest = f"{sha256(program).hexdigest()}  {PROGRAM}\n".encode()
    rest = [plain(DIGEST, digest), plain(LICENCES, licences), plain(PROGRAM, program)]
    return archive([*quick, *rest], moment, _PREFIX)


def _own() -> Iterator[str]:
    if not ROOT.is_dir():
        raise BootstrapError(f"{ROOT} is no folder: this is torchstrap.pyz already, copy the file itself")
    for package in _OURS:
        for path in sorted((ROOT / package).rglob("*")):
            name = path.relative_to(ROOT).as_posix()
            is_plug = name.startswith("bootstrap/adapters/")  # engines take these from where they are installed
            if path.suffix in _KINDS and not is_plug and "__pycache__" not in name and path.is_file():
                yield name


def _imported(roots: Iterable[str], ours: Mapping[str, bytes]) -> Sequence[str]:
    """Modules of ours with all that they import as soon as they are imported, and the packages that hold them."""
    found: set[str] = set()
    waiting = list(roots)
    while waiting:
        name = waiting.pop()
        if name in found or name not in ours:
            continue
        found.add(name)
        packages = Path(name).parents
        waiting += [(each / "__init__.py").as_posix() for each in packages]
        for statement in ast.parse(ours[name]).body:
            if isinstance(statement, ast.ImportFrom) and statement.module:
                module = statement.module.replace(".", "/")
                waiting += [f"{module}.py", *(f"{module}/{each.name}.py" for each in statement.names)]
    return sorted(found)


def _carried(wheel: Path) -> Iterator[Member]:
    try:
        members = tuple(members_of(wheel))
    except (zipfile.BadZipFile, ValueError, OSError) as error:
        raise BadDistributionError(wheel.name, [f"cannot be read ({error})"], "Fetch it again") from error
    for each in members:
        if each.name.partition("/")[0].endswith(".data"):
            raise BadDistributionError(wheel.name, [f"has {each.name}, which one file cannot install"], "Leave it out")
        if not _UNUSED.fullmatch(each.name) and not _LICENCE.fullmatch(each.name):
            yield each


def _licences(wheels: Iterable[Path]) -> bytes:
    """The licence of everything that is carried, each under the name of what it is for. Raises BootstrapError."""
    said = [("torchstrap", _own_licence())]
    for wheel in wheels:
        title = "{} {}".format(*wheel.name.split("-")[:2])
        members = tuple(members_of(wheel))
        found = [each.content() for each in members if _LICENCE.fullmatch(each.name)]
        said += [(title, text) for text in found or [_stated(wheel, members)]]
    rule = b"=" * 100
    return b"\n".join(b"\n".join((rule, title.encode(), rule, text.strip(), b"")) for title, text in said)


def _own_licence() -> bytes:
    file = ROOT / "LICENSE"
    if file.is_file():
        return file.read_bytes()
    try:
        text = distribution("torchstrap").read_text("licenses/LICENSE")
    except PackageNotFoundError:
        text = None
    if text is None:
        raise BootstrapError(f"there is no LICENSE in {ROOT}; build from a clone of torchstrap")
    return text.encode()


def _stated(wheel: Path, members: Iterable[Member]) -> bytes:
    """What a wheel without the text of its licence says of it."""
    for each in members:
        if each.name.endswith(".dist-info/METADATA"):
            head = each.content().partition(b"\n\n")[0].splitlines()
            lines = [line for line in head if re.match(rb"(License|Author|Classifier: License|Home-page)", line)]
            if any(b"icense" in line for line in lines):
                return b"\n".join(lines)
    raise BadDistributionError(wheel.name, ["says nothing of its licence"], "Do not carry it")
