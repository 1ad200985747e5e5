"""Wheels of the store into an environment: who owns which path is settled first, on names alone, then files are linked.

    claim     every path that any wheel brings, in the order given; the first claimant keeps it
    link      files as they are in the store (bootstrap/environment/link.py)
    write     what is this environment's own: programs, INSTALLER, REQUESTED, direct_url.json, RECORD

A RECORD lists what is really there: the wheel's own rows for what was linked from it, new ones for what was written.
A path that two packages bring with the same bytes is in both RECORDs; with different bytes, in the owner's only.
"""

from __future__ import annotations

import base64
import csv
import hashlib
import io
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from bootstrap.environment.layout import Layout
from bootstrap.environment.link import Parcel, carry_out, method_between
from bootstrap.environment.scripts import entry_point_scripts, readdressed
from bootstrap.errors import BadDistributionError, VerificationError
from bootstrap.wheels.contents import DataFile
from bootstrap.wheels.disk import writing
from bootstrap.wheels.store import StoredWheel

__all__ = ["Install", "install"]

INSTALLER = b"torchstrap\n"
WORKERS = min(4, os.cpu_count() or 1)


@dataclass(frozen=True, slots=True)
class Install:
    """A wheel to install. `requested` if a person asked for it by name; `direct_url` is the text of PEP 610's file."""

    wheel: StoredWheel
    requested: bool = False
    direct_url: str | None = None


@dataclass(slots=True)
class _Claims:
    """What is to be done, as it is found out. Paths are relative to the environment."""

    layout: Layout
    owners: dict[str, int] = field(default_factory=dict)
    folders: set[str] = field(default_factory=set)
    parcels: list[Parcel] = field(default_factory=list)
    texts: dict[str, tuple[bytes, bool]] = field(default_factory=dict)
    dropped: dict[int, set[str]] = field(default_factory=dict)
    added: dict[int, list[tuple[str, str, int]]] = field(default_factory=dict)
    disputes: list[tuple[int, int, str]] = field(default_factory=list)


def install(
    installs: Sequence[Install],
    layout: Layout,
    *,
    exclusive: Callable[[str], bool] = lambda _name: False,
    workers: int = WORKERS,
) -> tuple[str, ...]:
    """Install wheels into an environment that has none of their files. Returns warnings, one sentence each.

    Where two packages bring different files for one path, the first one's is kept, with a warning; if `exclusive` says
    yes to either's name (the torch family), VerificationError. Also raises BadDistributionError (entry points),
    CannotWriteError, NotPermittedError; the environment is unusable then and for the caller to remove.
    """
    if not installs:
        return ()
    claims = _Claims(layout)
    room = sum(each.wheel.contents.size for each in installs)
    with writing("installing packages", layout.root, room):
        for number, each in enumerate(installs):
            _claim(claims, number, each.wheel)
            _claim_texts(claims, number, each, installs)
        warnings = _settle(claims, installs, exclusive)
        for number, each in enumerate(installs):
            _record(claims, number, each)
        _write(claims, installs[0].wheel, workers)
    return warnings


def _claim(claims: _Claims, number: int, wheel: StoredWheel) -> None:
    """The files of a wheel that go to site-packages as they are."""
    site, contents = _site(claims.layout, wheel), wheel.contents
    owners, paths = claims.owners, contents.paths
    places = [f"{site}/{path}" for path in paths]
    if owners.keys().isdisjoint(places):  # nearly always, and then there is no need to look at them one by one
        owners.update(dict.fromkeys(places, number))
    else:
        for place in places:
            if owners.setdefault(place, number) != number:
                claims.disputes.append((owners[place], number, place))
        paths = [path for path, place in zip(paths, places, strict=True) if owners[place] == number]
    target = f"{claims.layout.root}/{site}"
    claims.folders.add(site)
    claims.parcels.append(Parcel(str(wheel.tree), target, contents.directories, paths, contents.executables))


def _claim_texts(claims: _Claims, number: int, each: Install, installs: Sequence[Install]) -> None:
    """What is written for this environment, and with it the wheel's `.data` files, some of which are."""
    layout, wheel = claims.layout, each.wheel
    python = f"{layout.final}/{layout.python}"
    claims.folders.add(layout.scripts)
    for name, content in entry_point_scripts(wheel.filename, wheel.contents.entry_points, python):
        _claim_text(claims, number, f"{layout.scripts}/{name}", content, executable=True)
    _claim_schemes(claims, number, wheel, python)
    information = f"{_site(layout, wheel)}/{wheel.contents.information}"
    _claim_text(claims, number, f"{information}/INSTALLER", INSTALLER)
    if each.requested:
        _claim_text(claims, number, f"{information}/REQUESTED", b"")
    if each.direct_url is not None:
        _claim_text(claims, number, f"{information}/direct_url.json", each.direct_url.encode())
    if claims.owners.get(f"{information}/METADATA") != number:
        other = installs[claims.owners[f"{information}/METADATA"]].wheel
        raise VerificationError([f"{wheel.filename} and {other.filename} are one package at one version; take one."])


def _claim_schemes(claims: _Claims, number: int, wheel: StoredWheel, python: str) -> None:
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


def _claim_data(claims: _Claims, number: int, wheel: StoredWheel, row: DataFile, python: str) -> bool:
    """Claim one of them. Whether it is to be linked: it may be written instead, or belong to another wheel."""
    folder = claims.layout.scheme(row.scheme, wheel.name)
    place = f"{folder}/{row.path}" if folder else row.path
    source = f"{wheel.tree}/{row.source}"
    if os.path.exists(f"{claims.layout.root}/{place}"):  # noqa: PTH110 - some wheels bring hundreds
        raise BadDistributionError(wheel.filename, [f"{row.source!r} would replace a file of the environment itself"])
    claims.folders.add(place.rpartition("/")[0])
    if row.scheme == "scripts" and _needs_writing(source, row):
        with open(source, "rb") as file:  # noqa: PTH123
            content = file.read()
        _claim_text(claims, number, place, readdressed(content, python) or content, executable=True)
        return False
    owner = claims.owners.setdefault(place, number)
    _add_row(claims, number, place, row.digest, row.size)
    if owner != number:
        claims.disputes.append((owner, number, place))
    return owner == number


def _needs_writing(source: str, row: DataFile) -> bool:
    """Programs that are complete as they are (cmake, ruff: tens of megabytes) are linked, not read and written."""
    with open(source, "rb") as file:  # noqa: PTH123
        return not row.executable or file.read(2) == b"#!"


def _claim_text(claims: _Claims, number: int, place: str, content: bytes, *, executable: bool = False) -> None:
    if claims.owners.get(place) == number:
        return  # the wheel brings the same program as a script and as an entry point
    digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
    _add_row(claims, number, place, f"sha256={digest}", len(content))
    owner = claims.owners.setdefault(place, number)
    if owner == number:
        claims.texts[place] = (content, executable)
    else:
        claims.disputes.append((owner, number, place))


def _add_row(claims: _Claims, number: int, place: str, digest: str, size: int) -> None:
    claims.added.setdefault(number, []).append((place, digest, size))


def _site(layout: Layout, wheel: StoredWheel) -> str:
    return layout.purelib if wheel.contents.pure else layout.platlib


def _settle(claims: _Claims, installs: Sequence[Install], exclusive: Callable[[str], bool]) -> tuple[str, ...]:
    """Look at the paths that two packages bring. Warnings; VerificationError where it matters too much."""
    warnings: list[str] = []
    issues: list[str] = []
    for owner, other, place in claims.disputes:
        first, second = installs[owner].wheel, installs[other].wheel
        if _digest(claims, owner, first, place) == _digest(claims, other, second, place):
            continue
        claims.dropped.setdefault(other, set()).add(place)
        both = f"{first.name} {first.version} and {second.name} {second.version} both bring {place} with other content"
        if exclusive(first.name) or exclusive(second.name):
            issues.append(f"{both}; the environment cannot have both packages.")
        else:
            warnings.append(f"{both}; the one of {first.name} is installed.")
    if issues:
        raise VerificationError(issues)
    return tuple(warnings)


def _digest(claims: _Claims, number: int, wheel: StoredWheel, place: str) -> str | None:
    """The hash of what a wheel brings for a path, as RECORD spells it."""
    for added, digest, _ in claims.added.get(number, ()):
        if added == place:
            return digest
    inside = place.removeprefix(f"{_site(claims.layout, wheel)}/")
    return next((row[1] for row in csv.reader(io.StringIO(wheel.contents.record)) if row[0] == inside), None)


def _record(claims: _Claims, number: int, each: Install) -> None:
    wheel = each.wheel
    site = _site(claims.layout, wheel)
    dropped = claims.dropped.get(number, set())
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    if dropped:
        rows = csv.reader(io.StringIO(wheel.contents.record))
        writer.writerows(row for row in rows if f"{site}/{row[0]}" not in dropped)
    else:
        text.write(wheel.contents.record)
    added = claims.added.get(number, ())
    writer.writerows((_relative(place, site), digest, size) for place, digest, size in added if place not in dropped)
    record = f"{wheel.contents.information}/RECORD"
    writer.writerow((record, "", ""))
    claims.texts[f"{site}/{record}"] = (text.getvalue().encode(), False)


def _relative(place: str, site: str) -> str:
    """A path of the environment as seen from site-packages."""
    if place.startswith(f"{site}/"):
        return place[len(site) + 1 :]
    if place.partition("/")[0] != site.partition("/")[0]:
        return "../" * (site.count("/") + 1) + place
    return os.path.relpath(place, site).replace(os.sep, "/")


def _write(claims: _Claims, sample: StoredWheel, workers: int) -> None:
    root = str(claims.layout.root)
    for folder in claims.folders:
        os.makedirs(f"{root}/{folder}", exist_ok=True)  # noqa: PTH103
    carry_out(claims.parcels, method_between(f"{sample.folder}/wheel.json", claims.layout.root), workers)
    for place, (content, executable) in claims.texts.items():
        made = os.open(f"{root}/{place}", os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o777 if executable else 0o666)
        with os.fdopen(made, "wb") as file:
            file.write(content)
