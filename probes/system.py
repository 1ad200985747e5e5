"""Operating system, architecture, C library and container.

Order, first answer wins: architecture from the running kernel; of a folder from /proc/sys/kernel/arch, the dynamic
loader that it holds, /proc/cpuinfo. C library from our own process; of a folder from its loader and library file.
"""

from __future__ import annotations

import os
import re
import sys
from typing import Any

from probes.host import Host
from probes.machine import Container, Libc, System, Unknown

__all__ = ["read_container", "read_libc", "read_system"]

_LIBRARY_LIMIT = 8 << 20
"""Bytes of a C library that are searched for its version."""

ARCHITECTURES = {"amd64": "x86_64", "x64": "x86_64", "arm64": "aarch64", "armv8l": "aarch64", "i386": "i686"}
"""What systems call an architecture -> what wheel tags on Linux call it. macOS keeps `arm64` (see `_architecture`)."""

LOADERS = (  # dynamic loader, architecture, C library
    ("/lib64/ld-linux-x86-64.so.2", "x86_64", "glibc"),
    ("/lib/ld-linux-aarch64.so.1", "aarch64", "glibc"),
    ("/lib64/ld64.so.2", "ppc64le", "glibc"),
    ("/lib/ld64.so.1", "s390x", "glibc"),
    ("/lib/ld-musl-x86_64.so.1", "x86_64", "musl"),
    ("/lib/ld-musl-aarch64.so.1", "aarch64", "musl"),
)

LIBRARIES = (
    "/lib/x86_64-linux-gnu/libc.so.6",
    "/lib/aarch64-linux-gnu/libc.so.6",
    "/lib64/libc.so.6",
    "/usr/lib/libc.so.6",
)

MARKS = (  # file whose presence says which kind of container this is
    ("/.dockerenv", "docker"),
    ("/run/.containerenv", "podman"),
    ("/.singularity.d", "apptainer"),
)
VARIABLES = (
    ("KUBERNETES_SERVICE_HOST", "kubernetes"),
    ("APPTAINER_CONTAINER", "apptainer"),
    ("SINGULARITY_CONTAINER", "apptainer"),
)
GROUPS = (
    ("kubepods", "kubernetes"),
    ("docker", "docker"),
    ("libpod", "podman"),
    ("containerd", "containerd"),
    ("lxc", "lxc"),
)
_PLIST = "/System/Library/CoreServices/SystemVersion.plist"


def read_system(host: Host) -> System:
    """Operating system and architecture of the running machine, or of the folder."""
    if host.running and sys.platform == "win32":
        return _windows(host)
    if host.exists(_PLIST):
        return _macos(host)
    kernel, source = _kernel(host)
    name = "linux"
    if host.running and not sys.platform.startswith("linux"):
        name = sys.platform
    return System(name, _distribution(host), kernel, _architecture(host), source)


def _windows(host: Host) -> System:
    # platform.version() may start programs and wait for them; this call does not.
    version: Any = sys.getwindowsversion()  # type: ignore[attr-defined, unused-ignore]
    text = f"{version.major}.{version.minor}.{version.build}"
    named = host.environ.get("PROCESSOR_ARCHITEW6432") or host.environ.get("PROCESSOR_ARCHITECTURE") or ""
    architecture = ARCHITECTURES.get(named.lower(), named.lower()) or Unknown("PROCESSOR_ARCHITECTURE is not set")
    return System("windows", text, text, architecture, "the version that Windows tells programs")


def _macos(host: Host) -> System:
    text = host.read_text(_PLIST)
    match = re.search(r"<key>ProductVersion</key>\s*<string>([\d.]+)</string>", text) if isinstance(text, str) else None
    version = match[1] if match else Unknown(f"{_PLIST} names no ProductVersion")
    kernel, _ = _kernel(host)
    machine = _architecture(host)
    return System("macos", version, kernel, "arm64" if machine == "aarch64" else machine, _PLIST)


def _kernel(host: Host) -> tuple[str | Unknown, str]:
    if host.running and sys.platform != "win32":
        return os.uname().release, "uname"
    for path, pattern in (("/proc/sys/kernel/osrelease", r"(\S+)"), ("/proc/version", r"Linux version (\S+)")):
        text = host.read_text(path)
        match = re.search(pattern, text) if isinstance(text, str) else None
        if match:
            return match[1], path
    return Unknown("neither /proc/sys/kernel/osrelease nor /proc/version tells it"), "/etc/os-release"


def _distribution(host: Host) -> str | Unknown:
    for path in ("/etc/os-release", "/usr/lib/os-release"):
        text = host.read_text(path)
        if isinstance(text, str):
            pairs = dict(re.findall(r"^([A-Z_]+)=[\"']?(.*?)[\"']?$", text, re.MULTILINE))
            return " ".join(filter(None, (pairs.get("ID", "linux"), pairs.get("VERSION_ID"))))
    return Unknown("there is no /etc/os-release")


def _architecture(host: Host) -> str | Unknown:
    if host.running and sys.platform != "win32":
        machine = os.uname().machine
        return ARCHITECTURES.get(machine, machine)
    text = host.read_text("/proc/sys/kernel/arch")
    if isinstance(text, str) and text.strip():
        return ARCHITECTURES.get(text.strip(), text.strip())
    for path, architecture, _ in LOADERS:
        if host.exists(path):
            return architecture
    cores = host.read_text("/proc/cpuinfo")
    if isinstance(cores, str) and re.search(r"^flags\s*:.*\blm\b", cores, re.MULTILINE):
        return "x86_64"
    if isinstance(cores, str) and re.search(r"^CPU architecture\s*: 8", cores, re.MULTILINE):
        return "aarch64"
    return Unknown("neither /proc/sys/kernel/arch nor a dynamic loader nor /proc/cpuinfo tells it")


def read_libc(host: Host, system: System) -> Libc | Unknown | None:
    """The C library; None where the system has no choice of it (anything but Linux)."""
    if system.os != "linux":
        return None
    if host.running:
        own = _own_libc()
        if own is not None:
            return own
    for path, _, family in LOADERS:
        if host.exists(path):
            return Libc(family, _glibc_version(host) if family == "glibc" else _musl_version(host), path)
    version = _glibc_version(host)
    if isinstance(version, Unknown):
        return Unknown("no dynamic loader was found")
    return Libc("glibc", version, "libc.so.6")


def _own_libc() -> Libc | None:
    try:
        text = os.confstr("CS_GNU_LIBC_VERSION") or ""
    except (AttributeError, OSError, ValueError):
        return None
    family, _, version = text.partition(" ")
    return Libc(family, version, "confstr") if family == "glibc" and version else None


def _glibc_version(host: Host) -> str | Unknown:
    for path in LIBRARIES:
        content = host.read_bytes(path, _LIBRARY_LIMIT)
        match = (
            re.search(rb"GNU C Library[^\n]{0,200}? version (\d+\.\d+)", content)
            if isinstance(content, bytes)
            else None
        )
        if match:
            return match[1].decode()
    return Unknown("no libc.so.6 names its version")


def _musl_version(host: Host) -> str | Unknown:
    text = host.read_text("/lib/apk/db/installed", _LIBRARY_LIMIT)
    match = re.search(r"^P:musl\nV:([\d.]+)", text, re.MULTILINE) if isinstance(text, str) else None
    return match[1] if match else Unknown("/lib/apk/db/installed does not name musl")


def read_container(host: Host) -> Container | None:
    """What the machine is wrapped in, or None."""
    for path, kind in MARKS:
        if host.exists(path):
            return Container(kind, path)
    if host.running:
        for variable, kind in VARIABLES:
            if host.environ.get(variable):
                return Container(kind, variable)
        if host.environ.get("container"):
            return Container(host.environ["container"], "container")
    groups = host.read_text("/proc/1/cgroup")
    for word, kind in GROUPS:
        if isinstance(groups, str) and word in groups:
            return Container(kind, "/proc/1/cgroup")
    return None
