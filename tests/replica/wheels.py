"""Wheels in memory: valid archives whose bytes depend on nothing but what is said about them.

Members are stored, not compressed, and carry one fixed moment, so that every machine computes the same hash.
"""

from __future__ import annotations

import base64
import hashlib
import io
import itertools
import zipfile
from dataclasses import dataclass
from functools import cache

from packaging.utils import canonicalize_name

__all__ = ["Wheel"]

MOMENT = (1980, 1, 1, 0, 0, 0)
REGULAR_FILE = 0o100644 << 16


@dataclass(frozen=True, slots=True)
class Wheel:
    """One wheel; `requires` are whole requirement lines, `files` pairs of a path inside the wheel and its bytes."""

    name: str
    version: str
    tag: str = "py3-none-any"
    requires: tuple[str, ...] = ()
    python: str | None = None
    extras: tuple[str, ...] = ()
    scripts: tuple[tuple[str, str], ...] = ()
    files: tuple[tuple[str, bytes], ...] = ()

    @property
    def project(self) -> str:
        return canonicalize_name(self.name)

    @property
    def stem(self) -> str:
        return f"{self.name.replace('-', '_').replace('.', '_')}-{self.version}"

    @property
    def filename(self) -> str:
        return f"{self.stem}-{self.tag}.whl"

    def metadata(self) -> bytes:
        """METADATA, which is also what an index serves beside the wheel (PEP 658)."""
        lines = ["Metadata-Version: 2.1", f"Name: {self.name}", f"Version: {self.version}"]
        lines += [f"Requires-Python: {self.python}"] if self.python else []
        lines += [f"Requires-Dist: {requirement}" for requirement in self.requires]
        lines += [f"Provides-Extra: {extra}" for extra in self.extras]
        return "\n".join([*lines, "", f"Stands for {self.name} in tests.", ""]).encode()

    def content(self) -> bytes:
        """The archive. Made when first asked for, then kept."""
        return _archive(self)


@cache
def _archive(wheel: Wheel) -> bytes:
    members = dict(wheel.files)
    folder = f"{wheel.stem}.dist-info"
    members[f"{folder}/METADATA"] = wheel.metadata()
    members[f"{folder}/WHEEL"] = _wheel_file(wheel.tag)
    if wheel.scripts:
        rows = [f"{name} = {target}" for name, target in wheel.scripts]
        members[f"{folder}/entry_points.txt"] = "\n".join(["[console_scripts]", *rows, ""]).encode()
    rows = [f"{path},{_record_hash(content)},{len(content)}" for path, content in members.items()]
    members[f"{folder}/RECORD"] = "\n".join([*rows, f"{folder}/RECORD,,", ""]).encode()
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for path, content in members.items():
            information = zipfile.ZipInfo(path, MOMENT)
            information.create_system = 3  # Unix, wherever this runs
            information.external_attr = REGULAR_FILE
            archive.writestr(information, content)
    return buffer.getvalue()


def _wheel_file(tag: str) -> bytes:
    # What the real ones have: file names renamed to manylinux1 by hand, and linux_x86_64 still inside.
    inside = tag.replace("manylinux1_x86_64", "linux_x86_64")
    lines = ["Wheel-Version: 1.0", "Generator: replica", f"Root-Is-Purelib: {str(tag.endswith('-any')).lower()}"]
    lines += [
        f"Tag: {'-'.join(parts)}" for parts in itertools.product(*(part.split(".") for part in inside.split("-")))
    ]
    return "\n".join([*lines, ""]).encode()


def _record_hash(content: bytes) -> str:
    return "sha256=" + base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
