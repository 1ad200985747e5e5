"""The catalogue as values: which file is listed on which index, and where it lies.

Two kinds of rows:

    releases.NAME        ->  the default index, and by [copied] PyTorch's indexes, with the default index's file
    family.NAME.VERSION  ->  builds, each `on` some of the indexes, on PyTorch's with a file of its own there
"""

from __future__ import annotations

import importlib.util
import re
import sys
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from email.parser import BytesParser
from functools import cache
from pathlib import Path
from typing import Any, Protocol

from tests.replica.contents import contents
from tests.replica.wheels import Wheel

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

__all__ = ["DEFAULT", "VARIANTS", "File", "Listed", "Stored", "catalogue"]

DEFAULT = "default"
VARIANTS = ("cpu", "cu124", "cu126", "cu128", "cu130")
MARKERS = {
    "linux": 'platform_system == "Linux"',
    "linux_x86_64": 'platform_system == "Linux" and platform_machine == "x86_64"',
}


class File(Protocol):
    """What an index can serve."""

    @property
    def filename(self) -> str: ...
    @property
    def python(self) -> str | None: ...
    def content(self) -> bytes: ...
    def metadata(self) -> bytes: ...


@dataclass(frozen=True, slots=True)
class Stored:
    """A file with given bytes: a real wheel, a source distribution (no metadata beside it), or something broken."""

    filename: str
    data: bytes
    python: str | None = None
    description: bytes = b""

    def content(self) -> bytes:
        return self.data

    def metadata(self) -> bytes:
        return self.description


@dataclass(frozen=True, slots=True)
class Listed:
    """A file on an index's page of a project. `path` is its place on the file host, `uploaded` a day.

    `hashed` and `described` say whether the link carries the file's hash and offers its metadata.
    """

    index: str
    project: str
    version: str
    file: File
    path: str
    uploaded: str
    hashed: bool = True
    described: bool = True
    yanked: str | None = None


@cache
def catalogue() -> tuple[Listed, ...]:
    """Everything that every replica lists."""
    document = tomllib.loads(Path(__file__).with_name("catalogue.toml").read_text("utf-8"))
    plain = [listed for name in document["releases"] for listed in _plain(document, name)]
    plain += _real_setuptools()
    return (*plain, *_copies(document, plain), *_family(document))


def _plain(document: Mapping[str, Any], name: str) -> Iterator[Listed]:
    for version, row in document["releases"][name].items():
        for tag in _tags(document, row["wheels"]):
            wheel = _wheel(document, name, version, tag, row)
            yield Listed(DEFAULT, name, version, wheel, f"/files/{name}/{wheel.filename}", row["seen"])


def _copies(document: Mapping[str, Any], plain: list[Listed]) -> Iterator[Listed]:
    copied = {key: set(names.split()) for key, names in document["copied"].items()}
    for variant in VARIANTS:
        wanted = copied["everywhere"] | copied.get(variant[:4], set())
        for one in plain:
            if one.project in wanted:
                yield Listed(variant, one.project, one.version, one.file, one.path, one.uploaded)


def _family(document: Mapping[str, Any]) -> Iterator[Listed]:
    for name, releases in document["family"].items():
        for version, release in releases.items():
            for build in release["builds"]:
                yield from _build(document, name, version, release, build)


def _build(
    document: Mapping[str, Any], name: str, version: str, release: Mapping[str, Any], build: Mapping[str, Any]
) -> Iterator[Listed]:
    local = f"+{build['local']}" if "local" in build else ""
    requires = [*release["requires"], *build.get("requires", ())]
    for key, marker in MARKERS.items():
        pinned = [line for item in build.get(key, ()) for line in _expanded(document, item)]
        requires += [f"{line} ; {marker}" for line in pinned]
    row = {**release, "requires": requires}
    for tag in _tags(document, build["wheels"]):
        for index in build["on"].split():
            cuda = _cuda(index, build, tag)
            wheel = _wheel(document, name, version + local, tag, row, cuda=cuda)
            folder = f"files/{name}" if index == DEFAULT else f"whl/{index}"
            described = index == DEFAULT or release["seen"] >= document["described_since"]
            yield Listed(
                index=index,
                project=name,
                version=version + local,
                file=wheel,
                path=f"/{folder}/{wheel.filename}",
                uploaded=release["seen"],
                hashed=index == DEFAULT or f"{name} {version}" not in document["unhashed"],
                described=described,
            )


def _wheel(
    document: Mapping[str, Any], name: str, version: str, tag: str, row: Mapping[str, Any], *, cuda: str | None = None
) -> Wheel:
    requires = list(row.get("requires", ()))
    extras = row.get("extras", {})
    says = _spoken(version, tag, cuda) if name == "torch" else version
    scripts = document["scripts"].get(name, {})
    needs_torch = any(re.match(r"torch\b(?!.*;)", line) for line in requires)
    return Wheel(
        name=document["spelled"].get(name, name),
        version=version,
        tag=tag,
        requires=(*requires, *(f"{line} ; extra == '{key}'" for key, lines in extras.items() for line in lines)),
        python=row.get("python"),
        extras=tuple(extras),
        scripts=tuple(scripts.items()),
        files=contents(name, says, scripts=scripts, imports_torch=needs_torch, cuda=cuda),
    )


def _spoken(version: str, tag: str, cuda: str | None) -> str:
    """What torch's `__version__` says: the build, also where the wheel's own version hides it."""
    if "+" in version or "macosx" in tag:
        return version
    return f"{version}+cu{cuda.replace('.', '')}" if cuda else f"{version}+cpu"


def _cuda(index: str, build: Mapping[str, Any], tag: str) -> str | None:
    """The CUDA version that a build is for, or None. The default index's builds have CUDA on Linux x86_64 only."""
    if index.startswith("cu"):
        return f"{index[2:-1]}.{index[-1]}"
    pinned = [item for key in MARKERS for item in build.get(key, ()) if item.startswith("@")]
    if index == DEFAULT and pinned and tag.endswith("x86_64"):
        return ".".join(pinned[0].removeprefix("@").split(".")[:2])
    return None


def _expanded(document: Mapping[str, Any], item: str) -> list[str]:
    return list(document["sets"][item[1:]]) if item.startswith("@") else [item]


def _tags(document: Mapping[str, Any], patterns: str | list[str]) -> Iterator[str]:
    """The wheel tags that "INTERPRETER PLATFORM" stands for; the catalogue's first lines describe the form."""
    for pattern in [patterns] if isinstance(patterns, str) else patterns:
        interpreter, platform = pattern.split()
        platforms = document["platforms"][platform[1:]] if platform.startswith("@") else [platform]
        parsed = re.fullmatch(r"cp3(\d+)\.\.3(\d+)(?:-(\w+))?", interpreter)
        if parsed:
            named = [f"cp3{minor}" for minor in range(int(parsed[1]), int(parsed[2]) + 1)]
            starts = [f"{python}-{parsed[3] or python}" for python in named]
        else:
            starts = [interpreter if "-" in interpreter else f"{interpreter}-none"]
        yield from (f"{start}-{each}" for start in starts for each in platforms)


def _real_setuptools() -> Iterator[Listed]:
    """The setuptools that virtualenv carries: projects with a build system are built by the real one."""
    carrier = importlib.util.find_spec("virtualenv")
    if carrier is None or carrier.origin is None:
        return
    for path in sorted(Path(carrier.origin).parent.glob("seed/wheels/embed/setuptools-*.whl")):
        version = path.name.split("-")[1]
        with zipfile.ZipFile(path) as archive:
            metadata = archive.read(f"setuptools-{version}.dist-info/METADATA")
        python = BytesParser().parsebytes(metadata, headersonly=True)["Requires-Python"]
        file = Stored(path.name, path.read_bytes(), python, metadata)
        name = "setuptools"
        yield Listed(DEFAULT, name, version, file, f"/files/{name}/{path.name}", "2025-11-01")
