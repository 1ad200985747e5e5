"""Real wheels for tests, made in a folder: the archive's records are right unless a test spoils them."""

from __future__ import annotations

import base64
import hashlib
import stat
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path

__all__ = ["make_wheel", "metadata_text", "record_hash", "write_wheel"]

MOMENT = (2024, 1, 1, 0, 0, 0)


def record_hash(content: bytes) -> str:
    """The hash as a RECORD spells it."""
    return "sha256=" + base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()


def metadata_text(
    name: str,
    version: str,
    *,
    requires: Sequence[str] = (),
    python: str | None = None,
    extras: Mapping[str, Sequence[str]] | None = None,
) -> str:
    """A METADATA file; `extras` maps each extra to its requirements."""
    lines = ["Metadata-Version: 2.1", f"Name: {name}", f"Version: {version}"]
    if python is not None:
        lines.append(f"Requires-Python: {python}")
    lines += [f"Requires-Dist: {each}" for each in requires]
    for extra, needed in (extras or {}).items():
        lines.append(f"Provides-Extra: {extra}")
        for each in needed:
            requirement, _, marker = each.partition(";")
            condition = f"({marker.strip()}) and extra == '{extra}'" if marker.strip() else f"extra == '{extra}'"
            lines.append(f"Requires-Dist: {requirement.strip()} ; {condition}")
    return "\n".join(lines) + "\n"


def write_wheel(
    archive: Path,
    members: Mapping[str, bytes],
    *,
    record: str,
    executable: Sequence[str] = (),
    packed: int = zipfile.ZIP_DEFLATED,
) -> Path:
    """Zip the members, add a RECORD with a row for each of them, and return the archive's path."""
    rows = [f"{_quoted(name)},{record_hash(content)},{len(content)}" for name, content in members.items()]
    everything = {**members, record: "\n".join([*rows, f"{record},,"]).encode() + b"\n"}
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as target:
        for name, content in everything.items():
            info = zipfile.ZipInfo(name, MOMENT)
            mode = 0o755 if name in executable else 0o644
            info.external_attr = (stat.S_IFREG | mode) << 16
            info.compress_type = packed
            target.writestr(info, content)
    return archive


def make_wheel(
    folder: Path,
    name: str,
    version: str,
    *,
    requires: Sequence[str] = (),
    files: Mapping[str, str | bytes] | None = None,
    entry_points: str = "",
    tag: str = "py3-none-any",
    python: str | None = None,
    extras: Mapping[str, Sequence[str]] | None = None,
    build: str = "",
    executable: Sequence[str] = (),
) -> Path:
    """A correct wheel in `folder`. Without `files` it holds one module that says its version.

    `files` are paths inside the wheel (`NAME-VERSION.data/scripts/tool` too), `build` is a build tag ("1"),
    `executable` names the files that carry the executable bit.
    """
    escaped = name.replace("-", "_").replace(".", "_")
    information = f"{escaped}-{version}.dist-info"
    contents = files if files is not None else {f"{escaped.lower()}.py": f"__version__ = {version!r}\n"}
    members = {path: text.encode() if isinstance(text, str) else text for path, text in contents.items()}
    described = metadata_text(name, version, requires=requires, python=python, extras=extras)
    members[f"{information}/METADATA"] = described.encode()
    pure = "true" if tag.endswith("-none-any") else "false"
    tags = "".join(
        f"Tag: {interpreter}-{abi}-{platform}\n"
        for interpreter in tag.split("-", maxsplit=1)[0].split(".")
        for abi in tag.split("-")[1].split(".")
        for platform in tag.split("-")[2].split(".")
    )
    members[f"{information}/WHEEL"] = f"Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: {pure}\n{tags}".encode()
    if entry_points:
        members[f"{information}/entry_points.txt"] = entry_points.encode()
    folder.mkdir(parents=True, exist_ok=True)
    middle = f"-{build}" if build else ""
    archive = folder / f"{escaped}-{version}{middle}-{tag}.whl"
    return write_wheel(archive, members, record=f"{information}/RECORD", executable=executable)


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"' if "," in name or '"' in name else name
