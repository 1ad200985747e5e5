"""Golden proofs: a small world, what is asked of it, and what a person is told.

# A sentence about the case, for whoever reads the file.

[index]                                           the default index
numpy 1.26.4
numpy 2.3.4 (python >=3.11)
torch 2.5.1: sympy==1.13.1, triton==3.1.0         several versions may share a line: torch 2.5.0 2.5.1
old 1.0 (yanked broken) (wheels cp310-cp310-win_amd64) (uploaded 2024-06-01T00:00:00Z) (extras fast)

[index https://download.pytorch.org/whl/cpu for torch torchvision]
torch 2.6.0+cpu

[asked]
torch>=2.6                                        also: "extra cpu: torch>=2.6", "constraint: numpy<2",
python 3.13                                       "override: numpy>=3", "variant: cpu", "glibc: 2.17", "no build"

[told]
1. The project needs …

[tried]                                           what stands in the place of the last sentence once it was tried
To go on, …
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Literal

from packaging.requirements import Requirement

from bootstrap.errors import NoSolutionError
from bootstrap.index.files import File
from bootstrap.index.metadata import Metadata
from bootstrap.resolver.candidates import Policy
from bootstrap.resolver.relief import tried
from bootstrap.resolver.resolution import Direct, Resolution, Target
from bootstrap.resolver.resolve import Request, resolve
from tests.resolver.worlds import ANY, DEFAULT, LINUX, Release, World, requirements

SECTION = re.compile(r"\[(\w+)(?: (\S+))?(?: for (.+))?\]")
REMARK = re.compile(r" \((\w+) ([^)]*)\)")


@dataclass
class Story:
    """One golden file, read."""

    world: World
    request: Request
    told: tuple[str, ...]
    tried: tuple[str, ...] = ()

    def tell(self) -> tuple[str, ...]:
        found = self.attempt(self.request)
        if isinstance(found, NoSolutionError):
            return found.proof
        return ("There is a solution.", *(f"{pin.name} {pin.version}" for pin in found.pins))

    def relieve(self) -> tuple[str, ...]:
        """What stands in the place of the last sentence once all that it proposes was tried."""
        found = self.attempt(self.request)
        if not isinstance(found, NoSolutionError):
            return ()

        def attempt(request: Request) -> Resolution | Literal["contradiction", "unknown"]:
            result = self.attempt(request)
            return "contradiction" if isinstance(result, NoSolutionError) else result

        return tried(found, self.request, attempt).proof[len(found.proof) - 1 :]

    def attempt(self, request: Request) -> Resolution | NoSolutionError:
        try:
            return resolve(request, self.world, metadata_of_sdist=named)
        except NoSolutionError as error:
            return error


@dataclass
class _Reader:
    indexes: dict[str, dict[str, dict[str, Release]]] = field(default_factory=dict)
    alone: dict[str, str] = field(default_factory=dict)
    asked: list[tuple[str, str]] = field(default_factory=list)
    told: list[str] = field(default_factory=list)
    tried: list[str] = field(default_factory=list)

    def read(self, text: str) -> Story:
        section: re.Match[str] | None = None
        for line in text.splitlines():
            if not line or line.startswith("#"):
                continue
            if heading := SECTION.fullmatch(line):
                section = heading
                self.alone.update(dict.fromkeys((heading[3] or "").split(), heading[2]))
                continue
            assert section is not None, f"a line before the first section: {line}"
            if section[1] == "index":
                self.release(section[2] or DEFAULT, line)
            elif section[1] == "asked":
                kind, _, rest = line.rpartition(": ")
                self.asked.append((kind, rest))
            else:
                (self.tried if section[1] == "tried" else self.told).append(line)
        return Story(World(self.indexes), self.request(), tuple(self.told), tuple(self.tried))

    def release(self, index: str, line: str) -> None:
        head, _, needs = line.partition(": ")
        remarks = dict(REMARK.findall(head))
        name, *versions = REMARK.sub("", head).split()
        release = Release(
            tuple(needs.split(", ")) if needs else (),
            tuple(remarks.get("wheels", ANY).split()),
            page_python=remarks.get("python"),
            yanked=remarks.get("yanked"),
            extras=tuple(remarks.get("extras", "").split()),
            uploaded=remarks.get("uploaded"),
        )
        self.indexes.setdefault(index, {}).setdefault(name, {}).update(dict.fromkeys(versions, release))

    def request(self) -> Request:
        roots: dict[str, tuple[Requirement, ...]] = {"": ()}
        for kind, text in self.asked:
            if not kind or kind.startswith(("extra ", "group ")):
                label = kind.replace(" ", ":")
                roots[label] = (*roots.get(label, ()), *requirements(text))
        newest = next(self.values("not after"), None)
        return Request(
            target=target(next(self.values("python"), "3.11"), next(self.values("glibc"), "2.36")),
            roots=roots,
            index_for=self.alone.get,
            variant=next(self.values("variant"), None),
            constraints=requirements(*self.values("constraint")),
            overrides=requirements(*self.values("override")),
            policy=Policy(
                no_build="build" in self.values("no"),
                exclude_newer=datetime.fromisoformat(newest) if newest else None,
            ),
        )

    def values(self, kind: str) -> Iterator[str]:
        return (text for each, text in self.asked if each == kind)


def named(source: File | Direct) -> Metadata:
    """A direct package is what its file's name says, and needs nothing."""
    assert isinstance(source, Direct), f"nobody should build {source}"
    name, version = source.url.rpartition("/")[2].split("-")[:2]
    return Metadata(name, version)


def target(python: str, glibc: str) -> Target:
    """The Linux of the other tests with another Python or an older libc."""

    def translated(text: str) -> str:
        return text.replace("cp311", f"cp{python.replace('.', '')}").replace("3.11", python)

    def runs(tag: str) -> bool:
        found = re.search(r"manylinux_2_(\d+)_", tag)
        return found is None or int(found[1]) <= int(glibc.partition(".")[2])

    markers: Mapping[str, str] = {name: translated(value) for name, value in LINUX.markers.items()}
    tags = [translated(tag) for tag in LINUX.tags if runs(tag)]
    return replace(LINUX, python=translated(LINUX.python), markers=markers, tags=tuple(tags))


def stories() -> Mapping[str, Path]:
    """The golden files by what they are about."""
    return {path.stem: path for path in sorted((Path(__file__).parent / "golden").glob("*.txt"))}


def read(path: Path) -> Story:
    return _Reader().read(path.read_text(encoding="utf-8"))
