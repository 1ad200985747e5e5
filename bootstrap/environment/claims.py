"""Who owns which path of an environment: every path that any wheel brings, in the order given, on names alone.

What the environment has already (the interpreter, its settings, activation) is its own and nobody else's. Of two wheels
the first keeps the path, and the other's claim is remembered as a dispute (bootstrap/environment/disputes.py). No file
is written here.
"""

from __future__ import annotations

import base64
import hashlib
import os
from collections.abc import Sequence
from dataclasses import dataclass, field

from bootstrap.environment.layout import Layout
from bootstrap.environment.link import Parcel
from bootstrap.environment.scripts import entry_point_scripts, readdressed
from bootstrap.errors import VerificationError
from bootstrap.wheels.contents import DataFile
from bootstrap.wheels.store import StoredWheel

__all__ = ["INSTALLER", "OWN", "Claims", "Dispute", "Install", "claim", "site_of"]

INSTALLER = b"torchstrap\n"
OWN = -1  # in place of a wheel's number: the environment itself


@dataclass(frozen=True, slots=True)
class Install:
    """A wheel to install. `requested` if a person asked for it by name; `direct_url` is the text of PEP 610's file."""

    wheel: StoredWheel
    requested: bool = False
    direct_url: str | None = None


@dataclass(frozen=True, slots=True)
class Dispute:
    """A path that `owner` has and `other` brings too; wheels by their numbers."""

    owner: int
    other: int
    place: str


@dataclass(slots=True)
class Claims:
    """What is to be done, as it is found out. Paths are relative to the environment, wheels are numbers.

    `standing` are folders that the environment has already.
    """

    layout: Layout
    owners: dict[str, int] = field(default_factory=dict)
    standing: set[str] = field(default_factory=set)
    folders: set[str] = field(default_factory=set)
    parcels: list[Parcel] = field(default_factory=list)
    texts: dict[str, tuple[bytes, bool]] = field(default_factory=dict)
    added: dict[int, list[tuple[str, str, int]]] = field(default_factory=dict)
    disputes: list[Dispute] = field(default_factory=list)

    @classmethod
    def of(cls, layout: Layout) -> Claims:
        """The claims of the environment itself."""
        claims = cls(layout)
        root = str(layout.root)
        for folder, folders, files in os.walk(root):
            below = folder[len(root) + 1 :].replace(os.sep, "/")
            prefix = f"{below}/" if below else ""
            claims.standing.update(prefix + name for name in folders)
            claims.owners.update(dict.fromkeys((prefix + name for name in files), OWN))
        return claims

    def take(self, number: int, place: str) -> int:
        """Who owns a path, now that this wheel asks for it."""
        owner = OWN if place in self.standing else self.owners.setdefault(place, number)
        if owner != number:
            self.disputes.append(Dispute(owner, number, place))
        return owner


def site_of(layout: Layout, wheel: StoredWheel) -> str:
    """The folder that a wheel's packages go to."""
    return layout.purelib if wheel.contents.pure else layout.platlib


def claim(claims: Claims, number: int, installs: Sequence[Install]) -> None:
    """All paths of one wheel. Raises BadDistributionError (entry points) and VerificationError (a package twice)."""
    _claim_files(claims, number, installs[number].wheel)
    _claim_texts(claims, number, installs)


def _claim_files(claims: Claims, number: int, wheel: StoredWheel) -> None:
    """The files of a wheel that go to site-packages as they are."""
    site, contents = site_of(claims.layout, wheel), wheel.contents
    owners, paths = claims.owners, contents.paths
    places = [f"{site}/{path}" for path in paths]
    if owners.keys().isdisjoint(places):  # nearly always, and then there is no need to look at them one by one
        owners.update(dict.fromkeys(places, number))
    else:
        paths = [path for path, place in zip(paths, places, strict=True) if claims.take(number, place) == number]
    target = f"{claims.layout.root}/{site}"
    claims.folders.add(site)
    claims.parcels.append(Parcel(str(wheel.tree), target, contents.directories, paths, contents.executables))


def _claim_texts(claims: Claims, number: int, installs: Sequence[Install]) -> None:
    """What is written for this environment, and with it the wheel's `.data` files, some of which are."""
    each, layout = installs[number], claims.layout
    wheel = each.wheel
    python = f"{layout.final}/{layout.python}"
    claims.folders.add(layout.scripts)
    for name, content in entry_point_scripts(wheel.filename, wheel.contents.entry_points, python):
        _claim_text(claims, number, f"{layout.scripts}/{name}", content, executable=True)
    _claim_schemes(claims, number, wheel, python)
    information = f"{site_of(layout, wheel)}/{wheel.contents.information}"
    _claim_text(claims, number, f"{information}/INSTALLER", INSTALLER)
    if each.requested:
        _claim_text(claims, number, f"{information}/REQUESTED", b"")
    if each.direct_url is not None:
        _claim_text(claims, number, f"{information}/direct_url.json", each.direct_url.encode())
    if claims.owners.get(f"{information}/METADATA") != number:
        other = installs[claims.owners[f"{information}/METADATA"]].wheel
        raise VerificationError([f"{wheel.filename} and {other.filename} are one package at one version; take one."])


def _claim_schemes(claims: Claims, number: int, wheel: StoredWheel, python: str) -> None:
    """The wheel's `.data` files: a parcel for each scheme that has some to link."""
    linked: dict[str, list[DataFile]] = {}
    for row in wheel.contents.data:
        if _claim_data(claims, number, wheel, row, python):
            linked.setdefault(row.scheme, []).append(row)
    for scheme, rows in linked.items():
        source = rows[0].source.removesuffix(f"/{rows[0].path}")
        target = f"{claims.layout.root}/{claims.layout.scheme(scheme, wheel.name)}"
        executables = frozenset(row.path for row in rows if row.executable)
        claims.parcels.append(Parcel(f"{wheel.tree}/{source}", target, (), [row.path for row in rows], executables))


def _claim_data(claims: Claims, number: int, wheel: StoredWheel, row: DataFile, python: str) -> bool:
    """Claim one of them. Whether it is to be linked: it may be written instead, or belong to another wheel."""
    folder = claims.layout.scheme(row.scheme, wheel.name)
    place = f"{folder}/{row.path}" if folder else row.path
    source = f"{wheel.tree}/{row.source}"
    claims.folders.add(place.rpartition("/")[0])
    if row.scheme == "scripts" and _needs_writing(source, row):
        with open(source, "rb") as file:  # noqa: PTH123
            content = file.read()
        _claim_text(claims, number, place, readdressed(content, python) or content, executable=True)
        return False
    owner = claims.take(number, place)
    claims.added.setdefault(number, []).append((place, row.digest, row.size))
    return owner == number


def _needs_writing(source: str, row: DataFile) -> bool:
    """Programs that are complete as they are (cmake, ruff: tens of megabytes) are linked, not read and written."""
    with open(source, "rb") as file:  # noqa: PTH123
        return not row.executable or file.read(2) == b"#!"


def _claim_text(claims: Claims, number: int, place: str, content: bytes, *, executable: bool = False) -> None:
    if claims.owners.get(place) == number:
        return  # the wheel brings the same program as a script and as an entry point
    digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
    claims.added.setdefault(number, []).append((place, f"sha256={digest}", len(content)))
    if claims.take(number, place) == number:
        claims.texts[place] = (content, executable)
