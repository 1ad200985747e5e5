"""What does not go together in one environment: two versions of CUDA, CUDA and ROCm, or two packages with one name.

    torch 2.9.0+cu130  ──  cupy-cuda12x                     two sets of CUDA libraries in one process
    onnxruntime        ──  onnxruntime-gpu                  one folder under site-packages: the last one installed wins
    flash-attn …+cu12torch2.8…  ──  torch 2.9               compiled against another torch

Installers see nothing in this: no metadata says it. Names and versions in, sentences out.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import combinations

from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

from profiles.splits import Split, instead_of, split_of
from profiles.tables import Tables, tables
from profiles.variants import cuda_major, is_variant
from profiles.words import joined

__all__ = ["clashes"]

_NAMED = 3
"""Packages that a sentence names; of RAPIDS an environment has a dozen."""
_DEFAULT_PLATFORM = "linux_x86_64"
"""The default index has builds of torch with CUDA for Linux only, of one CUDA version on every architecture."""


@dataclass(frozen=True, slots=True)
class _Part:
    """A package that is for one accelerator. `split` is None for torch."""

    name: str
    version: Version
    kind: str
    cuda: int | None
    split: Split | None = None

    @property
    def accelerator(self) -> str:
        return "ROCm" if self.kind == "rocm" else f"CUDA {self.cuda}"

    def __str__(self) -> str:
        return f"{self.name} {self.version}"


def clashes(variant: str, packages: Iterable[tuple[str, Version | str]]) -> tuple[str, ...]:
    """One sentence for each pair of packages that do not go together, naming both.

    `variant` is what the environment's torch was taken from: it tells the build where torch's own version does not.
    """
    versions = ((str(canonicalize_name(name)), _version(text)) for name, text in packages)
    pinned = {name: version for name, version in versions if version is not None}
    splits = {name: split for name, version in pinned.items() if (split := split_of(name, (), version)) is not None}
    torch = _torch(variant, pinned)
    parts = [_Part(name, pinned[name], each.accelerator, each.cuda, each) for name, each in sorted(splits.items())]
    return tuple(
        dict.fromkeys(
            (
                *_accelerators(([torch] if torch else []), parts),
                *_same_files(splits, pinned),
                *_other_torch(splits, pinned),
            )
        )
    )


def _version(text: Version | str) -> Version | None:
    try:
        return text if isinstance(text, Version) else Version(text)
    except InvalidVersion:
        return None


def _torch(variant: str, pinned: dict[str, Version]) -> _Part | None:
    """Torch as a part, if it is there and built for a GPU of NVIDIA or AMD."""
    version = pinned.get("torch")
    if version is None:
        return None
    label = version.local or ""
    build = label if is_variant(label) else variant
    if not is_variant(build):
        build = _default_build(version, pinned, tables())
    if build.startswith("rocm"):
        return _Part("torch", version, "rocm", None)
    major = cuda_major(build)
    return _Part("torch", version, "cuda", major) if major else None


def _default_build(version: Version, pinned: dict[str, Version], known: Tables) -> str:
    """What the default index has for this version: without packages of CUDA's libraries beside it, one for the CPU."""
    if not any(_is_library(split_of(name)) or name == "cuda-toolkit" for name in pinned):
        return "cpu"
    releases = known.releases
    fitting = (each for each in releases if each.version.release[:2] == version.release[:2])
    release = next(fitting, releases[0] if releases else None)
    return release.flavour("default", _DEFAULT_PLATFORM) if release else "cpu"


def _is_library(split: Split | None) -> bool:
    return split is not None and split.accelerator == "libraries"


def _accelerators(torch: list[_Part], parts: list[_Part]) -> Iterator[str]:
    """Two majors of CUDA, or CUDA and ROCm. What runs on torch's libraries counts where its version names its build."""
    groups: dict[str, list[_Part]] = {}
    for part in (*torch, *parts):
        if part.kind == "rocm" or (part.kind in {"cuda", "torch"} and part.cuda):
            groups.setdefault(part.accelerator, []).append(part)
    libraries = [part for part in parts if part.kind == "libraries" and part.accelerator not in groups]
    for part in libraries:
        groups.setdefault(part.accelerator, []).append(part)
    for one, other in combinations(groups.values(), 2):
        yield _two_accelerators(one, other)


def _two_accelerators(ones: list[_Part], others: list[_Part]) -> str:
    """The first are with torch, where there is one: they stay, and the others are to change."""
    one, other = ones[0], others[0]
    sentence = (
        f"{_listed(ones)} for {one.accelerator}, but {_listed(others)} for {other.accelerator}: "
        f"in one process they may load libraries that do not fit together"
    )
    instead = (instead_of(part.split, one.cuda) for part in others if part.split and one.cuda)
    way_out = next(filter(None, instead), None)
    if way_out is not None:
        return f"{sentence}; {way_out} is for {one.accelerator}"
    return f"{sentence}; take builds of both for one of the two, or an environment for each"


def _listed(parts: list[_Part]) -> str:
    named = [str(part) for part in parts[:_NAMED]]
    more = [f"{len(parts) - _NAMED} more"] if len(parts) > _NAMED else []
    return f"{joined((*named, *more))} {'is' if len(parts) == 1 else 'are'}"


def _same_files(splits: dict[str, Split], pinned: dict[str, Version]) -> Iterator[str]:
    for one, other in combinations(sorted(splits), 2):
        shared = splits[one].imports & splits[other].imports
        if shared:
            files = ", ".join(sorted(shared))
            yield (
                f"{one} {pinned[one]} and {other} {pinned[other]} install the same files ({files}), so one overwrites "
                f"the other; keep only one of them"
            )


def _other_torch(splits: dict[str, Split], pinned: dict[str, Version]) -> Iterator[str]:
    torch = pinned.get("torch")
    for name, split in sorted(splits.items()):
        if torch is not None and split.torch and Version(split.torch).release[:2] != torch.release[:2]:
            yield (
                f"{name} {pinned[name]} was compiled for torch {split.torch}, but torch {torch} is installed; "
                f"take a file of {name} for this torch"
            )
