"""What this machine is wrapped in, and how much of it is ours: containers and control groups.

A control group's limit is the smallest on the way up to the root, as a child may not have more than its parent.
In a container the group's own folder is often mounted as the root, so the path of /proc/self/cgroup may not exist
there: folders that are not there are passed over. https://docs.kernel.org/admin-guide/cgroup-v2.html
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import TypeVar

from probes.host import Host
from probes.machine import Container, Limits, System, Unknown
from probes.mounts import mount_of, parse_mounts

__all__ = ["group_path", "parse_bytes", "parse_quota", "read_container", "read_limits"]

Limit = TypeVar("Limit", int, float)

MARKS = (  # file whose presence says which kind of container this is
    ("/run/.containerenv", "podman"),
    ("/.dockerenv", "docker"),
    ("/.singularity.d", "apptainer"),
    ("/var/run/secrets/kubernetes.io", "kubernetes"),
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
    ("machine.slice/systemd-nspawn", "systemd-nspawn"),
)
_MANAGER = "/run/systemd/container"
"""systemd inside a container writes here what its `$container` says: `lxc`, `systemd-nspawn`, `podman`, …"""
_GROUP = "/sys/fs/cgroup"
_DEEPEST = 64
"""Steps of a group's path. A file that tells of more was not written by a kernel."""
_NO_LIMIT = 1 << 60
"""cgroup v1 says "no limit" as the largest multiple of a page below 2**63."""


def read_container(host: Host) -> Container | None:
    """What the machine is wrapped in, or None. WSL is no container: see `System.wsl`."""
    for variable, kind in VARIABLES:  # a pod is more than the docker or containerd that it is made with
        if host.environ.get(variable):
            return Container(kind, variable)
    for path, kind in MARKS:
        if host.exists(path):
            return Container(kind, path)
    manager = host.read_text(_MANAGER, 256)
    if isinstance(manager, str) and re.fullmatch(r"[\w.-]{1,64}", manager.strip(), re.ASCII):
        return Container(manager.strip(), _MANAGER)
    if host.environ.get("container"):
        return Container(host.environ["container"], "container")
    groups = host.read_text("/proc/1/cgroup")
    for word, kind in GROUPS:
        if isinstance(groups, str) and word in groups:
            return Container(kind, "/proc/1/cgroup")
    return None


def read_limits(host: Host, system: System) -> Limits | Unknown | None:
    """CPU time and memory that the control group allows, and whether `/` is read-only. None where there are none."""
    if system.os != "linux":
        return None
    groups = host.read_text("/proc/self/cgroup")
    if not isinstance(groups, str):
        return groups or Unknown("there is no /proc/self/cgroup")
    table = host.read_text("/proc/self/mountinfo")
    root = mount_of("/", parse_mounts(table)) if isinstance(table, str) else None
    read_only = Unknown("/proc/self/mountinfo does not name the root") if root is None else root.read_only
    if host.exists(f"{_GROUP}/cgroup.controllers"):
        path = group_path(groups, "")
        cpus = _smallest(host, _GROUP, path, lambda folder: _quota_2(host, folder))
        memory = _smallest(host, _GROUP, path, lambda folder: _bytes(host, f"{folder}/memory.max"))
        return Limits(cpus, memory, read_only, f"{_GROUP}{path.rstrip('/')}")
    cpu, memories = group_path(groups, "cpu"), group_path(groups, "memory")
    root_of = next((f"{_GROUP}/{name}" for name in ("cpu", "cpu,cpuacct") if host.exists(f"{_GROUP}/{name}")), _GROUP)
    return Limits(
        _smallest(host, root_of, cpu, lambda folder: _quota_1(host, folder)),
        _smallest(host, f"{_GROUP}/memory", memories, lambda at: _bytes(host, f"{at}/memory.limit_in_bytes")),
        read_only,
        f"{root_of}{cpu.rstrip('/')}",
    )


def group_path(text: str, controller: str) -> str:
    """This process's group for a controller in /proc/self/cgroup, for `""` that of version 2; `/` if not named."""
    for line in text.splitlines():
        _, _, rest = line.partition(":")
        names, _, path = rest.partition(":")
        proper = path.startswith("/") and ".." not in path and path.count("/") <= _DEEPEST
        if proper and controller in names.split(","):
            return path
    return "/"


def _smallest(host: Host, root: str, path: str, read: Callable[[str], Limit | None]) -> Limit | None:
    limits = [limit for folder in _upwards(root, path) if host.exists(folder) and (limit := read(folder)) is not None]
    return min(limits, default=None)


def _upwards(root: str, path: str) -> Iterator[str]:
    steps = [step for step in path.split("/") if step]
    for depth in range(len(steps), -1, -1):
        yield "/".join((root, *steps[:depth]))


def _quota_2(host: Host, folder: str) -> float | None:
    text = host.read_text(f"{folder}/cpu.max", 256)
    return parse_quota(*text.split()[:2]) if isinstance(text, str) and len(text.split()) > 1 else None


def _quota_1(host: Host, folder: str) -> float | None:
    quota, period = (host.read_text(f"{folder}/cpu.cfs_{what}_us", 256) for what in ("quota", "period"))
    return parse_quota(quota, period) if isinstance(quota, str) and isinstance(period, str) else None


def parse_quota(quota: str, period: str) -> float | None:
    """CPUs' worth of time from microseconds in each period; None for `max`, `-1` and what is no number."""
    if not all(re.fullmatch(r"\d{1,15}", part.strip(), re.ASCII) for part in (quota, period)):
        return None
    return int(quota) / int(period) if int(quota) and int(period) else None


def _bytes(host: Host, path: str) -> int | None:
    text = host.read_text(path, 256)
    return parse_bytes(text) if isinstance(text, str) else None


def parse_bytes(text: str) -> int | None:
    """A memory limit; None for `max`, for cgroup v1's number that means it, and for what is no number."""
    if not re.fullmatch(r"\d{1,20}", text.strip(), re.ASCII):
        return None
    return int(text) if 0 < int(text) < _NO_LIMIT else None
