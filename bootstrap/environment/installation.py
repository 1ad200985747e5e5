"""Wheels of the store into an environment: who owns which path is settled first, on names alone, then files are linked.

    claim     every path that any wheel brings (bootstrap/environment/claims.py)
    settle    paths that two want (bootstrap/environment/disputes.py)
    link      files as they are in the store (bootstrap/environment/link.py)
    write     what is this environment's own: programs, INSTALLER, REQUESTED, direct_url.json, RECORD

A RECORD lists what is really there: the wheel's own rows for what was linked from it, new ones for what was written.
A path that two packages bring with the same bytes is in both RECORDs; with different bytes, in the owner's only.

Names settle nearly everything. What only the file system knows (that it takes two names for one, that one package's
file is another's folder) shows when a link cannot be made, and is explained then: nobody pays for it before.
"""

from __future__ import annotations

import csv
import io
import json
import os
from collections.abc import Callable, Iterator, Sequence

from bootstrap.environment.claims import INSTALLER, Claims, Install, claim, site_of
from bootstrap.environment.disputes import explained, settle
from bootstrap.environment.layout import Layout
from bootstrap.environment.link import carry_out, method_between
from bootstrap.wheels.disk import writing
from bootstrap.wheels.store import StoredWheel
from bootstrap.wheels.workers import thread_count

__all__ = ["INSTALLER", "Install", "install"]

_EXPECTED = frozenset({("setuptools", "distutils-precedence.pth")})
"""What runs at every start in most environments with torch, and is known."""


def install(
    installs: Sequence[Install],
    layout: Layout,
    *,
    exclusive: Callable[[str], bool] = lambda _name: False,
    workers: int | None = None,
) -> tuple[str, ...]:
    """Install wheels into an environment that has none of their files. Returns warnings, one sentence each.

    Where two packages bring different files for one path, the first one's is kept, with a warning; if `exclusive` says
    yes to either's name (the torch family), VerificationError. Also raises BadDistributionError (a file of the
    environment itself, entry points), CannotWriteError, NotPermittedError; the environment is unusable then and for the
    caller to remove.
    """
    if not installs:
        return ()
    room = sum(each.wheel.contents.size for each in installs)
    with writing("installing packages", layout.root, room):
        claims = Claims.of(layout)
        for number in range(len(installs)):
            claim(claims, number, installs)
        settlement = settle(claims, installs, exclusive)
        for number, each in enumerate(installs):
            _record(claims, number, each.wheel, settlement.dropped.get(number, frozenset()))
        try:
            _write(claims, installs[0].wheel, workers or thread_count())
        except (FileExistsError, NotADirectoryError, IsADirectoryError) as error:
            reason = explained(error, claims, installs)
            if reason is None:
                raise
            raise reason from error
    return (*settlement.warnings, *_remarks(installs))


def _remarks(installs: Sequence[Install]) -> Iterator[str]:
    """What people should know of wheels that are good enough."""
    for each in installs:
        yield from (f"{each.wheel.filename} is installed although {note}" for note in each.wheel.contents.notes)
    startup = [f"{path} ({each.wheel.name} {each.wheel.version})" for each in installs for path in _startup(each)]
    if startup:
        yield f"Python reads these files of packages at every start: {', '.join(startup)}"


def _startup(each: Install) -> list[str]:
    """The `.pth` files of a package, but for the one by which a folder is installed as editable, as was asked for."""
    contents = each.wheel.contents
    if ".pth," not in contents.record and not any(row.path.endswith(".pth") for row in contents.data):
        return []
    if each.direct_url is not None and json.loads(each.direct_url).get("dir_info", {}).get("editable"):
        return []
    brought = [row.path for row in contents.data if row.scheme in {"purelib", "platlib"}]
    loose = (path for path in (*contents.paths, *brought) if path.endswith(".pth") and "/" not in path)
    return [path for path in loose if (each.wheel.name, path) not in _EXPECTED]


def _record(claims: Claims, number: int, wheel: StoredWheel, dropped: frozenset[str]) -> None:
    site = site_of(claims.layout, wheel)
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


def _write(claims: Claims, sample: StoredWheel, workers: int) -> None:
    root = str(claims.layout.root)
    for folder in claims.folders:
        os.makedirs(f"{root}/{folder}", exist_ok=True)  # noqa: PTH103
    carry_out(claims.parcels, method_between(f"{sample.folder}/wheel.json", claims.layout.root), workers)
    for place, (content, executable) in claims.texts.items():
        made = os.open(f"{root}/{place}", os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o777 if executable else 0o666)
        with os.fdopen(made, "wb") as file:
            file.write(content)
