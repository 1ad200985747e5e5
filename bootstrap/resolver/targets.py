"""Targets that are not this machine: what a Python minor on a platform accepts, from its name alone.

    "3.12" and "linux_x86_64:glibc2.28"  ->  Target(markers, manylinux_2_28 … manylinux1, linux, any)

A lock holds for every machine of a platform, so a target here is the least that such a machine has:

    glibc                 2.28 unless another is named: what torch needs since 2.7 (profiles/releases.toml), and what
                          every distribution in support has (RHEL 8, Debian 10, Ubuntu 20.04 and later)
    macOS                 14, what torch needs on arm64 since 2.12; 11 on x86_64
    python_full_version   the first patch release that the project admits. Where metadata distinguishes patches it is
                          to bring a backport to the early ones ("async-timeout; python_full_version < '3.11.3'"),
                          so this errs on the side of a package too many
    Requires-Python       is held against the last patch release: a lower bound within a minor is met by updating it
    platform_release      cannot be known of a machine that is not there, nor can platform_version; both are empty,
                          so that no comparison with them holds
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from packaging.specifiers import SpecifierSet
from packaging.tags import Tag, compatible_tags, cpython_tags, mac_platforms

from bootstrap.resolver.resolution import Target

__all__ = [
    "PLATFORMS",
    "PYTHONS",
    "Platform",
    "admits",
    "minor_of",
    "platform",
    "platform_like",
    "pythons",
    "serves",
    "target",
]

PYTHONS = ("3.9", "3.10", "3.11", "3.12", "3.13", "3.14")
"""Minor releases of CPython that a torch in our tables has wheels for; https://devguide.python.org/versions/"""

OLDEST_UNASKED = "3.10"
"""Older ones only if the project's requires-python has a lower bound that admits them."""

LAST_PATCH = 99
"""Stands for the last patch release of a minor, whichever that is."""

GLIBC = (2, 28)
OLDEST_GLIBC: Mapping[str, tuple[int, int]] = MappingProxyType({"x86_64": (2, 5), "aarch64": (2, 17)})
"""Where manylinux begins; PEP 513 and PEP 599."""

LEGACY: Mapping[tuple[int, int], str] = MappingProxyType(
    {(2, 17): "manylinux2014", (2, 12): "manylinux2010", (2, 5): "manylinux1"}
)
"""Older names of the same; PEP 600."""

MACOS: Mapping[str, tuple[int, int]] = MappingProxyType({"arm64": (14, 0), "x86_64": (11, 0)})

# What a Python there says of itself: sys_platform, platform_machine, platform_system, os_name.
_MARKERS = {
    "linux_x86_64": ("linux", "x86_64", "Linux", "posix"),
    "linux_aarch64": ("linux", "aarch64", "Linux", "posix"),
    "macos_arm64": ("darwin", "arm64", "Darwin", "posix"),
    "macos_x86_64": ("darwin", "x86_64", "Darwin", "posix"),
    "windows_x86_64": ("win32", "AMD64", "Windows", "nt"),
    "windows_arm64": ("win32", "ARM64", "Windows", "nt"),
}

PLATFORMS = tuple(_MARKERS)

_WORD = re.compile(r"(?P<name>[a-z]+_[a-z0-9_]+)(?::glibc(?P<major>2)\.(?P<minor>\d{1,3}))?", re.ASCII)
_MINOR = re.compile(r"3\.\d{1,3}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Platform:
    """One of our names, the markers that machines of that name have in common, and their platform tags, best first."""

    name: str
    markers: Mapping[str, str]
    tags: tuple[str, ...]


def platform(word: str) -> Platform:
    """The platform of a word such as `linux_x86_64` or `linux_x86_64:glibc2.17`.

    Raises ValueError with the words that end the sentence "... must be".
    """
    parts = _WORD.fullmatch(word.strip())
    name = parts["name"] if parts else ""
    if parts is None or name not in _MARKERS or (parts["minor"] and not name.startswith("linux_")):
        raise ValueError(f"one of {', '.join(PLATFORMS)}; for Linux :glibc2.28 or the like may follow")
    glibc = (2, int(parts["minor"])) if parts["minor"] else GLIBC
    oldest = OLDEST_GLIBC.get(name.partition("_")[2], glibc)
    if glibc < oldest:
        raise ValueError(f"at least glibc {oldest[0]}.{oldest[1]}, the oldest that wheels are made for on {name}")
    system, machine, system_name, os_name = _MARKERS[name]
    markers = {
        "implementation_name": "cpython",
        "os_name": os_name,
        "platform_machine": machine,
        "platform_python_implementation": "CPython",
        "platform_release": "",
        "platform_system": system_name,
        "platform_version": "",
        "sys_platform": system,
    }
    return Platform(name, markers, tuple(_tags(name, glibc)))


def platform_like(here: Target) -> Platform:
    """The platform of a target that is known in full, for its other Pythons: musl, an old glibc, a rare processor."""
    tags = dict.fromkeys(tag.split("-", 2)[2] for tag in here.tags)
    versions = ("python_version", "python_full_version", "implementation_version")
    markers = {name: value for name, value in here.markers.items() if name not in versions}
    markers |= {"implementation_name": "cpython", "platform_python_implementation": "CPython"}
    return Platform(here.platform, markers, tuple(tag for tag in tags if tag != "any"))


def target(python: str, where: Platform, requires_python: SpecifierSet) -> Target:
    """A CPython of a minor version ("3.12") on a platform, for a project with that requires-python."""
    version = (3, int(minor_of(python).partition(".")[2]))
    interpreter = f"cp{version[0]}{version[1]}"
    tags: Iterable[Tag] = (
        *cpython_tags(version, [interpreter], where.tags),
        *compatible_tags(version, interpreter, where.tags),
    )
    first = f"{python}.{_first_patch(python, requires_python)}"
    markers = {
        **where.markers,
        "implementation_version": first,
        "python_full_version": first,
        "python_version": python,
    }
    return Target(f"{python}.{LAST_PATCH}", where.name, markers, tuple(dict.fromkeys(map(str, tags))))


def minor_of(text: str) -> str:
    """A minor version as it was written. Raises ValueError with the words that end the sentence "... must be"."""
    if _MINOR.fullmatch(text.strip()) is None:
        raise ValueError("a minor version of Python such as 3.12")
    return text.strip()


def pythons(requires_python: SpecifierSet, here: str) -> tuple[str, ...]:
    """The minor versions that a project admits, newest first; `here` is among them if it is admitted.

    A project that says nothing is asked nothing more of: only `here` then.
    """
    if not requires_python:
        return (here,)
    bounded = any(each.operator in {">=", ">", "~=", "==", "==="} for each in requires_python)
    known = PYTHONS if bounded else PYTHONS[PYTHONS.index(OLDEST_UNASKED) :]
    return tuple(each for each in sorted({*known, here}, key=_minor, reverse=True) if admits(requires_python, each))


def admits(requires_python: SpecifierSet, python: str) -> bool:
    """Whether a requires-python admits any release of a minor version."""
    return any(requires_python.contains(f"{python}.{patch}") for patch in range(LAST_PATCH + 1))


def serves(locked: Target, here: Target) -> bool:
    """Whether what fits the one is sure to fit the other: every tag that it accepts."""
    return set(locked.tags) <= set(here.tags)


def _first_patch(python: str, requires_python: SpecifierSet) -> int:
    return next((each for each in range(LAST_PATCH + 1) if requires_python.contains(f"{python}.{each}")), 0)


def _minor(python: str) -> int:
    return int(python.partition(".")[2])


def _tags(name: str, glibc: tuple[int, int]) -> Iterator[str]:
    system, _, machine = name.partition("_")
    if system == "windows":
        yield {"x86_64": "win_amd64", "arm64": "win_arm64"}[machine]
    elif system == "macos":
        yield from mac_platforms(MACOS[machine], machine)
    else:
        yield f"linux_{machine}"
        for minor in range(glibc[1], OLDEST_GLIBC[machine][1] - 1, -1):
            yield f"manylinux_2_{minor}_{machine}"
            if (2, minor) in LEGACY:
                yield f"{LEGACY[2, minor]}_{machine}"
