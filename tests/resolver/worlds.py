"""Small worlds in memory: indexes whose every file is a value, and targets to resolve for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from packaging.requirements import Requirement
from packaging.version import Version

from bootstrap.index.files import File, Listing
from bootstrap.index.metadata import Metadata
from bootstrap.project.model import Index
from bootstrap.resolver.candidates import Policy
from bootstrap.resolver.resolution import Direct, Resolution, Target
from bootstrap.resolver.resolve import Request, resolve

DEFAULT = "https://index.example/simple"
ANY = "py3-none-any"
LINUX = Target(
    python="3.11.7",
    platform="linux_x86_64",
    markers={
        "python_version": "3.11",
        "python_full_version": "3.11.7",
        "sys_platform": "linux",
        "platform_system": "Linux",
        "platform_machine": "x86_64",
        "implementation_name": "cpython",
        "os_name": "posix",
        "platform_python_implementation": "CPython",
        "implementation_version": "3.11.7",
        "platform_release": "",
        "platform_version": "",
    },
    tags=(
        "cp311-cp311-manylinux_2_36_x86_64",
        "cp311-cp311-manylinux_2_28_x86_64",
        "cp311-cp311-manylinux_2_17_x86_64",
        "cp311-cp311-manylinux2014_x86_64",
        "cp311-cp311-linux_x86_64",
        "cp311-abi3-manylinux_2_28_x86_64",
        "cp39-abi3-manylinux_2_28_x86_64",
        "py3-none-manylinux_2_28_x86_64",
        "cp311-none-any",
        "py3-none-any",
    ),
)


@dataclass(frozen=True)
class Release:
    """One version on an index: what it needs, and its files by their tags; "sdist" is a source distribution."""

    requires: Sequence[str] = ()
    files: Sequence[str] = (ANY,)
    page_python: str | None = None
    python: str | None = None
    yanked: str | None = None
    extras: Sequence[str] = ()
    uploaded: str | None = None
    says: tuple[str, str] | None = None  # name and version in its metadata, where they are not those of the file


Packages = Mapping[str, Mapping[str, Release | Sequence[str]]]


@dataclass
class World:
    """Indexes by address; the ordinary one is `DEFAULT`. It counts what it is asked for."""

    indexes: Mapping[str, Packages]
    pages: list[str] = field(default_factory=list)
    variants: dict[str, str | None] = field(default_factory=dict)
    metadata_read: list[str] = field(default_factory=list)

    def listing(self, name: str, index: Index | str | None = None, variant: str | None = None) -> Listing:
        self.pages.append(name)
        self.variants[name] = variant
        address = index.url if isinstance(index, Index) else index or DEFAULT
        releases = self.indexes[address].get(name)
        if releases is None:
            return Listing(name, {})
        versions = {
            Version(version): tuple(
                file_of(name, version, release_of(release), tag, address) for tag in release_of(release).files
            )
            for version, release in releases.items()
        }
        return Listing(name, dict(sorted(versions.items(), reverse=True)), (address,))

    def metadata(self, file: File) -> Metadata:
        self.metadata_read.append(file.filename)
        _, _, name, version, _ = file.url.rsplit("/", 4)
        release = release_of(self.indexes[file.index][name][version])
        said_name, said_version = release.says or (name, version)
        return Metadata(said_name, said_version, tuple(release.requires), release.python, tuple(release.extras))


def release_of(release: Release | Sequence[str]) -> Release:
    return release if isinstance(release, Release) else Release(release)


def file_of(name: str, version: str, release: Release, tag: str, index: str) -> File:
    filename = f"{name}-{version}.tar.gz" if tag == "sdist" else f"{name.replace('-', '_')}-{version}-{tag}.whl"
    return File(
        filename,
        f"{index}/files/{name}/{version}/{filename}",
        index,
        {},
        requires_python=release.page_python,
        yanked=release.yanked,
        upload_time=release.uploaded,
    )


def requirements(*texts: str) -> tuple[Requirement, ...]:
    return tuple(Requirement(text) for text in texts)


def no_source(source: File | Direct) -> Metadata:
    raise AssertionError(f"nobody should build {source}")


def request_for(*roots: str, **more: object) -> Request:
    """A request of the project for Linux; `more` are fields of `Request`, `extras` maps extras to requirements."""
    labels = {"": requirements(*roots)}
    extras = more.pop("extras", {})
    assert isinstance(extras, Mapping)
    labels.update({f"extra:{name}": requirements(*texts) for name, texts in extras.items()})
    target = more.pop("target", LINUX)
    return Request(target=target, roots=labels, **more)  # type: ignore[arg-type]


def versions_of(resolution: Resolution) -> Mapping[str, str]:
    return {pin.name: str(pin.version) for pin in resolution.pins}


def solve_world(packages: Packages, *roots: str, policy: Policy | None = None, **more: object) -> Mapping[str, str]:
    """What an index alone gives for these requirements, as name -> version."""
    world = World({DEFAULT: packages})
    request = request_for(*roots, policy=policy or Policy(), **more)
    return versions_of(resolve(request, world, metadata_of_sdist=no_source))
