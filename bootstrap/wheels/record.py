"""RECORD, the wheel's own list of its files, and what it has to be for trust: complete, with good hashes.

A row for a file that is not there does no harm (some real wheels lost a file after their RECORD was made) and is only
noted: what is installed gets a list of its own. A row that points out of the folder has no innocent reason, and other
installers delete what such rows name.
"""

from __future__ import annotations

import base64
import csv
import hashlib
import io
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from bootstrap.wheels.names import bad_name

__all__ = ["INSTALLER_FILES", "Row", "absent", "rows_of", "unproved"]

STRONG = {"sha256": 43, "sha384": 64, "sha512": 86}  # algorithm: characters of its digest in a RECORD
HEX = re.compile(r"[0-9a-fA-F]+")
SIGNATURES = ("RECORD.jws", "RECORD.p7s")
INSTALLER_FILES = ("RECORD", "INSTALLER", "REQUESTED", "direct_url.json", *SIGNATURES)
COLUMNS = 3
SHOWN = 3


@dataclass(frozen=True, slots=True)
class Row:
    """A row of RECORD: `digest` like "sha256=…" ("" if none is given), `size` in bytes or None."""

    digest: str
    size: int | None


def rows_of(text: str, information: str) -> tuple[dict[str, Row], list[str]]:
    """The rows by path, and what is wrong with them. `information` is the name of the dist-info folder."""
    rows: dict[str, Row] = {}
    issues: list[str] = []
    try:
        parsed = [row for row in csv.reader(io.StringIO(text, newline="")) if row]
    except csv.Error as error:
        return rows, [f"RECORD cannot be read ({error})"]
    for row in parsed:
        path, digest, size = (*row, "", "")[:COLUMNS]
        issues += _bad_row(row, path in rows)
        algorithm, _, encoded = digest.partition("=")
        encoded = _as_specified(encoded.rstrip("="), algorithm)
        if digest and len(encoded) != STRONG.get(algorithm):
            issues.append(f"RECORD has no usable hash for {path!r} ({algorithm or 'none'})")
        if size and not size.isdecimal():
            issues.append(f"RECORD has no number as the size of {path!r}")
            size = ""
        rows[path] = Row(f"{algorithm}={encoded}" if digest else "", int(size) if size else None)
    if rows.get(f"{information}/RECORD", Row("", None)).digest:
        issues.append("RECORD claims to hash itself")
    return rows, issues


def _as_specified(encoded: str, algorithm: str) -> str:
    """A digest in the URL-safe base64 of the specification; some wheels (gmsh 4.15) write it as hex digits."""
    if algorithm in STRONG and HEX.fullmatch(encoded) and len(encoded) == 2 * hashlib.new(algorithm).digest_size:
        return base64.urlsafe_b64encode(bytes.fromhex(encoded)).rstrip(b"=").decode()
    return encoded


def _bad_row(row: list[str], is_known: bool) -> Iterator[str]:
    path = row[0]
    if any(row[COLUMNS:]):
        yield f"RECORD has {len(row)} columns instead of {COLUMNS} for {path!r}"
    if is_known:
        yield f"RECORD lists {path!r} twice"
    issue = bad_name(path)
    if issue:
        yield f"RECORD lists {path!r}, which {issue}"


def unproved(names: Iterable[str], rows: Mapping[str, Row], information: str) -> Iterator[str]:
    """Which files RECORD says nothing about; itself and its signatures need no row."""
    exempt = {f"{information}/{short}" for short in ("RECORD", *SIGNATURES)}
    for name in names:
        if name in exempt:
            continue
        row = rows.get(name)
        if row is None:
            yield f"RECORD does not list {name!r}"
        elif not row.digest:
            yield f"RECORD has no hash for {name!r}"


def absent(names: Iterable[str], rows: Mapping[str, Row], information: str) -> list[str]:
    """A note on the files that RECORD lists and the wheel has not, but for those that come with installing."""
    written = {f"{information}/{short}" for short in INSTALLER_FILES}
    missing = [path for path in rows.keys() - set(names) - written if not path.endswith((".pyc", "/"))]
    if not missing:
        return []
    shown = ", ".join(map(repr, sorted(missing)[:SHOWN]))
    more = f" and {len(missing) - SHOWN} more" if len(missing) > SHOWN else ""
    return [f"RECORD lists what is not in it: {shown}{more}"]
