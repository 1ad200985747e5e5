"""Small bundles for tests: real archives, honest or spoiled."""

from __future__ import annotations

import hashlib
import io
import tarfile
from collections.abc import Iterable, Mapping
from pathlib import Path

from bootstrap.bundle import archive
from bootstrap.bundle.manifest import FILE, Cell, Manifest, Member, text
from profiles.offer import Offer

__all__ = ["CELL", "CPU", "manifest_of", "member", "packed", "plain", "written"]

CPU = Offer("cpu", "cpu", "https://lab.example/whl/cpu", "variant")
CELL = Cell("cpu", "3.12", "linux_x86_64")


def member(path: str, content: bytes, kind: str = "wheel") -> Member:
    """An entry for the content."""
    return Member(path, len(content), hashlib.sha256(content).hexdigest(), kind)


def manifest_of(contents: Mapping[str, bytes], *more: Member) -> Manifest:
    """An arranged manifest of the contents, and of whatever else it is to claim."""
    members = [member(path, content) for path, content in contents.items()]
    return archive.arranged(Manifest("minimal", (CPU,), (CELL,), (*members, *more)))


def written(path: Path, contents: Mapping[str, bytes]) -> Manifest:
    """An honest bundle."""
    manifest = manifest_of(contents)
    with path.open("wb") as target:
        archive.write(target, manifest, lambda each: io.BytesIO(contents[each.path]))
    return manifest


def packed(path: Path, manifest: Manifest, members: Iterable[tuple[tarfile.TarInfo, bytes]]) -> Path:
    """A bundle with any members, whatever the manifest says."""
    content = text(manifest)
    first = tarfile.TarInfo(FILE)
    with tarfile.open(path, "w", format=tarfile.PAX_FORMAT) as target:
        for information, data in ((first, content), *members):
            information.size = len(data) if information.isreg() else 0
            target.addfile(information, io.BytesIO(data))
    return path


def plain(name: str, kind: bytes = tarfile.REGTYPE, link: str = "") -> tarfile.TarInfo:
    """A member by name and kind."""
    information = tarfile.TarInfo(name)
    information.type, information.linkname = kind, link
    return information
