"""Targets, files, pins and locks as the tests of this folder speak of them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

from packaging.specifiers import SpecifierSet
from packaging.version import Version

from bootstrap.index.files import File
from bootstrap.lock.model import Lock
from bootstrap.resolver.resolution import Direct, Pin, Resolution, Target
from profiles.offer import Offer

DEFAULT = "https://index.example/simple"
PYTORCH = "https://download.pytorch.org/whl/"

SYSTEMS = {
    "linux_x86_64": ("linux", "x86_64", "Linux", "posix"),
    "linux_aarch64": ("linux", "aarch64", "Linux", "posix"),
    "macos_arm64": ("darwin", "arm64", "Darwin", "posix"),
    "windows_x86_64": ("win32", "AMD64", "Windows", "nt"),
}
WHEEL_TAGS = {
    "linux_x86_64": "manylinux_2_28_x86_64",
    "linux_aarch64": "manylinux_2_28_aarch64",
    "macos_arm64": "macosx_11_0_arm64",
    "windows_x86_64": "win_amd64",
}

OFFERS = (
    Offer("cpu", "cpu", PYTORCH + "cpu"),
    Offer("cu126", "cu126", PYTORCH + "cu126"),
    Offer("rocm", "rocm6.4", PYTORCH + "rocm6.4", "group"),
)


def target(python: str = "3.11.7", platform: str = "linux_x86_64") -> Target:
    system, machine, name, os_name = SYSTEMS[platform]
    minor = ".".join(python.split(".")[:2])
    interpreter = f"cp{minor.replace('.', '')}"
    return Target(
        python=python,
        platform=platform,
        markers={
            "implementation_name": "cpython",
            "implementation_version": python,
            "os_name": os_name,
            "platform_machine": machine,
            "platform_python_implementation": "CPython",
            "platform_release": "6.1.0-of-one-machine",
            "platform_system": name,
            "platform_version": "#1 SMP",
            "python_full_version": python,
            "python_version": minor,
            "sys_platform": system,
        },
        tags=(
            f"{interpreter}-{interpreter}-{WHEEL_TAGS[platform]}",
            f"{interpreter}-{interpreter}-linux_x86_64",
            "py3-none-any",
        ),
    )


def file(name: str, version: str, tags: str = "py3-none-any", index: str = DEFAULT, **others: object) -> File:
    filename = f"{name.replace('-', '_')}-{version}-{tags}.whl"
    known = {
        "hashes": {"sha256": hashlib.sha256((index + filename).encode()).hexdigest()},
        "url": f"{index}/files/{filename.replace('+', '%2B')}",
        "size": 1234,
        "upload_time": "2025-08-06T14:53:02.123456Z",
        "requires_python": ">=3.9",
        **others,
    }
    return File(filename=filename, index=index, **known)  # type: ignore[arg-type]


def sdist(name: str, version: str, suffix: str = ".tar.gz", index: str = DEFAULT) -> File:
    filename = f"{name}-{version}{suffix}"
    digest = hashlib.sha256(filename.encode()).hexdigest()
    return File(filename=filename, url=f"{index}/files/{filename}", index=index, hashes={"sha256": digest})


def pin(
    name: str,
    version: str = "1.0",
    *,
    index: str = DEFAULT,
    requires: Iterable[str] = (),
    wanted_by: Iterable[str] = ("",),
    files: tuple[File, ...] | None = None,
    direct: Direct | None = None,
) -> Pin:
    if files is None:
        files = () if direct else (file(name, version, index=index),)
    return Pin(name, Version(version), files, direct, tuple(requires), frozenset(wanted_by))


def lock(*resolutions: Resolution, **others: object) -> Lock:
    known = {"requires_python": SpecifierSet(">=3.10"), "offers": OFFERS, "inputs": "sha256:00", **others}
    return Lock(resolutions=resolutions, **known)  # type: ignore[arg-type]


def torch_lock() -> Lock:
    """Two builds of torch for one target, one shared dependent, a development extra and a group."""
    here = target()
    common = (
        pin("accelerate", requires=["numpy", "torch"]),
        pin("numpy", "2.1.0"),
        pin("pytest", "8.4.0", wanted_by=["extra:dev", "group:test"]),
    )
    cpu = pin("torch", "2.8.0+cpu", index=PYTORCH + "cpu", wanted_by=["", "extra:cpu"])
    cuda = pin("torch", "2.8.0+cu126", index=PYTORCH + "cu126", requires=["triton"], wanted_by=["", "extra:cu126"])
    return lock(
        Resolution("cpu", here, (*common, cpu)),
        Resolution("cu126", here, (*common, cuda, pin("triton", "3.4.0", index=PYTORCH + "cu126"))),
        offers=OFFERS[:2],
        extras=("dev",),
        groups=("test",),
        default_groups=("test",),
    )
