"""What the blocks of the tables hold: for each key how its value is read, and what it must be in words."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from itertools import pairwise
from typing import Any

from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import Version

from profiles.loading import Form, Kind
from profiles.variants import is_variant

__all__ = ["ACCELERATORS", "KINDS", "NONE", "PLATFORMS"]

PLATFORMS = ("linux_x86_64", "linux_aarch64", "windows_x86_64", "windows_arm64", "macos_arm64", "macos_x86_64")
ACCELERATORS = ("cpu", "cuda", "rocm", "tpu", "directml", "openvino", "torch", "libraries")
"""What packages other than torch are built for; what the last two mean is said in splits.toml."""
NONE = "none"
"""What `default` says of a platform for which the default index has no wheel."""

_version = lru_cache(maxsize=None)(Version)  # the same few versions stand in every row


def _text(value: Any) -> str:
    if not isinstance(value, str) or not value.strip():
        raise ValueError(value)
    return value


def _number(value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise ValueError(value)
    return value


def _matching(pattern: str) -> Callable[[Any], str]:
    form = re.compile(pattern, re.ASCII)

    def read(value: Any) -> str:
        if form.fullmatch(value) is None:
            raise ValueError(value)
        return str(value)

    return read


def _list(read: Callable[[Any], Any]) -> Callable[[Any], tuple[Any, ...]]:
    def read_all(values: Any) -> tuple[Any, ...]:
        found = tuple(map(read, values))
        if not isinstance(values, list) or not found or len(set(found)) != len(found):
            raise ValueError(values)
        return found

    return read_all


def _ordered(read: Callable[[Any], Any], *, rising: bool) -> Callable[[Any], tuple[Any, ...]]:
    read_all = _list(read)

    def read_in_order(values: Any) -> tuple[Any, ...]:
        found = read_all(values)
        if any((one < other) is not rising for one, other in pairwise(found)):
            raise ValueError(values)
        return found

    return read_in_order


def _map(key: Callable[[str], bool], read: Callable[[Any], Any]) -> Callable[[Any], Mapping[str, Any]]:
    def read_all(values: Any) -> Mapping[str, Any]:
        if not all(map(key, values)):
            raise ValueError(values)
        return {name: read(value) for name, value in values.items()}

    return read_all


def _bounds(value: Any) -> tuple[Any, ...]:
    oldest, newest = (_version(_python(each)) for each in value)
    if oldest > newest:
        raise ValueError(value)
    return oldest, newest


def _minor(value: Any) -> Version:
    return _version(_matching(r"\d+\.\d+")(value))


def _variant(value: Any) -> str:
    if not is_variant(value):
        raise ValueError(value)
    return str(value)


def _flavour(value: Any) -> str:
    return NONE if value == NONE else _variant(value)


def _platform(value: Any) -> str:
    if value not in PLATFORMS:
        raise ValueError(value)
    return str(value)


def _name(value: Any) -> str:
    if canonicalize_name(_text(value)) != value:
        raise ValueError(value)
    return str(value)


def _pattern(value: Any) -> str:
    _name(_text(value).replace("*", "x"))
    return str(value)


def _capability(value: Any) -> tuple[int, int]:
    version = _minor(value)
    return version.major, version.minor


def _is_platform(key: str) -> bool:
    return key in PLATFORMS


def _has_all(values: Any) -> Mapping[str, Version]:
    read = _map(lambda key: key == "all" or key in PLATFORMS or is_variant(key), _version)(values)
    if "all" not in read:
        raise ValueError(values)
    return read


def _specifier(value: Any) -> SpecifierSet:
    return SpecifierSet(_text(value))


_python = _matching(r"3\.\d+")

_NAMED = " or ".join((", ".join(PLATFORMS[:-1]), PLATFORMS[-1]))
_VARIANTS = Form(_list(_variant), 'a list of variants, each once, such as ["cpu", "cu126", "rocm6.4", "xpu"]')
_TEXT = Form(_text, "a text in quotes")
_MINOR = Form(_minor, 'a release in quotes, such as "2.15"')
_SPECIFIER = Form(_specifier, 'a range of releases in quotes, such as ">=2.9,<2.12"')
_DRIVER = Form(_matching(r"\d+(\.\d+)*"), 'a version of the driver in quotes, such as "525.60.13"')
_NAMES = Form(_list(_name), 'a list of normalized names of packages, each once, such as ["torch-tensorrt"]')
_TARGETS = Form(_list(_matching(r"gfx[0-9a-f]+")), 'a list of targets of ROCm, each once, such as ["gfx90a"]')
_PLATFORMS = Form(_list(_platform), f"a list of platforms, each once: {_NAMED}")
_REASONS = {"source": _TEXT, "assumed": _TEXT}

KINDS: Mapping[str, Kind] = {
    "release": Kind(
        {
            "torch": _MINOR,
            "versions": Form(
                _ordered(_version, rising=False), 'versions, the newest first, such as ["2.9.1", "2.9.0"]'
            ),
            "python": Form(_bounds, 'the oldest and the newest Python, such as ["3.10", "3.14"]'),
            "free_threaded": Form(_list(_matching(r"3\.\d+t")), 'a list of free-threaded Pythons, such as ["3.14t"]'),
            "python_on": Form(
                _map(_is_platform, _bounds), 'bounds by platform, such as { windows_arm64 = ["3.11", "3.13"] }'
            ),
            **dict.fromkeys(PLATFORMS, _VARIANTS),
            "default": Form(
                _map(_is_platform, _flavour), 'a variant or "none" by platform, such as { linux_x86_64 = "cu130" }'
            ),
            "glibc": Form(_has_all, 'versions for all, and by variant or platform, such as { all = "2.28" }'),
            "macos": Form(_has_all, 'versions for all, and by platform, such as { all = "14.0" }'),
            **_REASONS,
        },
        ("torch", "versions", "python", "default", "glibc", "macos"),
        lambda row: (f"torch {row['torch']}",),
    ),
    "driver": Kind(
        {
            "cuda": Form(_number, "a major version of CUDA, such as 13"),
            "linux": _DRIVER,
            "windows": _DRIVER,
            **_REASONS,
        },
        ("cuda", "linux", "windows"),
        lambda row: (f"CUDA {row['cuda']}",),
    ),
    "architectures": Kind(
        {
            "variants": _VARIANTS,
            "torch": _SPECIFIER,
            "platforms": _PLATFORMS,
            "capabilities": Form(
                _ordered(_capability, rising=True), 'compute capabilities, the lowest first, such as ["7.5", "8.0"]'
            ),
            **_REASONS,
        },
        ("variants", "torch", "platforms", "capabilities"),
        lambda row: tuple(
            f"{variant} of torch {row.get('torch', '')} for {platform}"
            for variant in row["variants"]
            for platform in row.get("platforms", ())
        ),
    ),
    "targets": Kind(
        {"variants": _VARIANTS, "names": _TARGETS, **_REASONS}, ("variants", "names"), lambda row: row["variants"]
    ),
    "family": Kind({"names": _NAMES, **_REASONS}, ("names",), lambda row: row["names"]),
    "companions": Kind(
        {
            "torch": _MINOR,
            **dict.fromkeys(("torchvision", "torchaudio", "triton"), Form(_minor, 'a release, such as "0.29"')),
            "without": Form(_map(is_variant, _list(_name)), 'packages by variant, such as { cu132 = ["torchaudio"] }'),
            **_REASONS,
        },
        ("torch", "torchvision", "torchaudio"),
        lambda row: (f"torch {row['torch']}",),
    ),
    "triton": Kind(
        {
            "torch": _SPECIFIER,
            **dict.fromkeys(("cu", "rocm", "xpu"), Form(_name, 'the name of a package, such as "triton"')),
            **_REASONS,
        },
        ("torch", "cu", "rocm", "xpu"),
        lambda row: (f"torch {row['torch']}",),
    ),
    "nvidia": Kind(
        {
            "capability": Form(_capability, 'a compute capability in quotes, such as "9.0"'),
            "family": _TEXT,
            "examples": _TEXT,
            **_REASONS,
        },
        ("capability", "family"),
        lambda row: ("compute capability {}.{}".format(*row["capability"]),),
    ),
    "amd": Kind(
        {
            "names": _TARGETS,
            "family": _TEXT,
            "override": Form(_matching(r"\d+\.\d+\.\d+"), 'a value of HSA_OVERRIDE_GFX_VERSION, such as "10.3.0"'),
            **_REASONS,
        },
        ("names", "family"),
        lambda row: row["names"],
    ),
    "toolkit": Kind(
        {"cuda": _MINOR, "linux": _DRIVER, "windows": _DRIVER, **_REASONS},
        ("cuda", "linux"),
        lambda row: (f"CUDA {row['cuda']}",),
    ),
    "split": Kind(
        {
            "names": Form(_list(_pattern), 'a list of normalized names, each once, such as ["cupy-rocm-*"]'),
            "product": Form(_name, 'the name of what all builds are builds of, such as "cupy"'),
            "suffix": Form(_matching(r"-[a-z0-9-]+"), 'how all of the names end, such as "-cu12"'),
            "extras": Form(_list(_name), 'a list of normalized names of extras, such as ["and-cuda"]'),
            "versions": _SPECIFIER,
            "accelerator": Form(_matching("|".join(ACCELERATORS)), f"one of {', '.join(ACCELERATORS)}"),
            "cuda": Form(_number, "a major version of CUDA, such as 13"),
            "label": Form(_matching("local|post"), "local or post"),
            "driver": Form(
                _map(lambda key: key in {"linux", "windows"}, _DRIVER.read),
                'versions of the driver by system, such as { linux = "535", windows = "535" }',
            ),
            "capability": Form(_capability, 'a compute capability in quotes, such as "9.0"'),
            "platforms": _PLATFORMS,
            "python": Form(lambda value: _version(_python(value)), 'the oldest Python, such as "3.11"'),
            "glibc": Form(_minor, 'the oldest glibc, such as "2.28"'),
            "imports": Form(_list(_matching(r"\w+")), 'a list of what can be imported, such as ["cupy", "cupyx"]'),
            **_REASONS,
        },
        ("names", "accelerator", "source"),
        lambda row: tuple(
            f"{name}{row.get('suffix', '')}[{extra}]{row.get('versions', '')}"
            for name in row["names"]
            for extra in row.get("extras", ("",))
        ),
    ),
}
