"""Containers are recognised by what they leave, and limits are the smallest on the way up."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from probes import Container, Cpu, Limits, LocalHost, System, Unknown, probe
from probes.container import group_path, parse_bytes, parse_quota, read_container, read_limits
from probes.mounts import Mount, mount_of, parse_mounts
from tests.probes.driven import Driven, write

LINUX = System("linux", "debian 12", "6.1", "x86_64", "test")
ROOT = "22 1 0:21 / / rw,relatime - overlay overlay rw,lowerdir=/a\n"


@pytest.mark.parametrize(
    ("files", "environ", "kind"),
    [
        ({".dockerenv": ""}, {}, "docker"),
        ({".dockerenv": ""}, {"KUBERNETES_SERVICE_HOST": "10.0.0.1"}, "kubernetes"),
        ({"run/.containerenv": "", ".dockerenv": ""}, {}, "podman"),
        ({".singularity.d/labels.json": ""}, {}, "apptainer"),
        ({"run/systemd/container": "systemd-nspawn\n"}, {}, "systemd-nspawn"),
        ({"run/systemd/container": "lxc\n"}, {}, "lxc"),
        ({"run/systemd/container": "\0\xff not a word\n"}, {}, None),
        ({}, {"container": "oci"}, "oci"),
        ({"proc/1/cgroup": "0::/lxc.payload.web\n"}, {}, "lxc"),
        ({"proc/1/cgroup": "0::/init.scope\n"}, {}, None),
    ],
    ids=["docker", "pod", "podman", "apptainer", "nspawn", "lxc", "rubbish", "variable", "group", "none"],
)
def test_a_container_is_recognised(
    tmp_path: Path, files: dict[str, str], environ: dict[str, str], kind: str | None
) -> None:
    container = read_container(Driven(tmp_path, files, environ))
    assert (container and container.kind) == kind


def limits_of(root: Path, files: dict[str, str]) -> Limits:
    write(root, {"proc/self/mountinfo": ROOT, **files})
    limits = read_limits(LocalHost(root, {}), LINUX)
    assert isinstance(limits, Limits)
    return limits


def test_the_second_version_of_control_groups_is_read_up_to_the_root(tmp_path: Path) -> None:
    files = {
        "proc/self/cgroup": "0::/a.slice/b.scope\n",
        "sys/fs/cgroup/cgroup.controllers": "cpu memory\n",
        "sys/fs/cgroup/a.slice/cpu.max": "150000 100000\n",
        "sys/fs/cgroup/a.slice/b.scope/cpu.max": "max 100000\n",
        "sys/fs/cgroup/a.slice/memory.max": "8589934592\n",
        "sys/fs/cgroup/a.slice/b.scope/memory.max": "4294967296\n",
    }
    assert limits_of(tmp_path, files) == Limits(1.5, 4 << 30, False, "/sys/fs/cgroup/a.slice/b.scope")


def test_a_container_that_sees_its_own_group_as_the_root_has_that_ones_limits(tmp_path: Path) -> None:
    files = {
        "proc/self/cgroup": "0::/docker/0123\n",
        "sys/fs/cgroup/cgroup.controllers": "cpu memory\n",
        "sys/fs/cgroup/cpu.max": "200000 100000\n",
        "sys/fs/cgroup/memory.max": "max\n",
    }
    limits = limits_of(tmp_path, files)
    assert (limits.cpus, limits.memory) == (2.0, None)


def test_the_first_version_of_control_groups_is_read(tmp_path: Path) -> None:
    files = {
        "proc/self/cgroup": "5:memory:/docker/0123\n4:cpu,cpuacct:/docker/0123\n1:name=systemd:/\n",
        "sys/fs/cgroup/cpu,cpuacct/docker/0123/cpu.cfs_quota_us": "50000\n",
        "sys/fs/cgroup/cpu,cpuacct/docker/0123/cpu.cfs_period_us": "100000\n",
        "sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us": "-1\n",
        "sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us": "100000\n",
        "sys/fs/cgroup/memory/docker/0123/memory.limit_in_bytes": "1073741824\n",
        "sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712\n",
    }
    assert limits_of(tmp_path, files) == Limits(0.5, 1 << 30, False, "/sys/fs/cgroup/cpu,cpuacct/docker/0123")


def test_a_root_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    files = {"proc/self/cgroup": "0::/\n", "proc/self/mountinfo": ROOT.replace("rw,relatime", "ro,relatime")}
    assert limits_of(tmp_path, files).read_only is True


def test_a_machine_without_control_groups_is_unknown(tmp_path: Path) -> None:
    assert isinstance(read_limits(LocalHost(tmp_path, {}), LINUX), Unknown)


def test_a_share_of_time_is_a_number_of_cores(tmp_path: Path) -> None:
    core = "processor\t: {}\nflags\t\t: fpu lm\n"
    files = {
        "proc/cpuinfo": "\n".join(core.format(number) for number in range(8)),
        "proc/self/cgroup": "0::/\n",
        "sys/fs/cgroup/cgroup.controllers": "cpu\n",
        "sys/fs/cgroup/cpu.max": "250000 100000\n",
    }
    write(tmp_path, files)
    cpu = probe(LocalHost(tmp_path, {})).cpu
    assert isinstance(cpu, Cpu)
    assert cpu.cores == 3


@pytest.mark.parametrize(
    ("quota", "period", "cpus"),
    [("100000", "100000", 1.0), ("max", "100000", None), ("-1", "100000", None), ("1", "0", None), ("x", "y", None)],
)
def test_reads_a_quota(quota: str, period: str, cpus: float | None) -> None:
    assert parse_quota(quota, period) == cpus


def test_finds_the_group_of_a_controller() -> None:
    text = "4:cpu,cpuacct:/docker/a:b\n3:memory:/m\n0::/unified\n"
    assert [group_path(text, name) for name in ("cpu", "memory", "", "pids")] == ["/docker/a:b", "/m", "/unified", "/"]
    assert group_path("0::/../../outside\n", "") == "/"


def test_a_group_deeper_than_any_is_passed_over() -> None:
    """Each step would be looked for, so a long path would take long."""
    assert group_path("0::" + "/a" * 64, "") == "/a" * 64
    assert group_path("0::" + "/a" * 65, "") == "/"


def test_a_path_lies_on_the_deepest_mount_and_on_the_last_of_them() -> None:
    mounts = parse_mounts(
        ROOT
        + "rubbish\n"
        + "30 22 0:50 / /data\\040two rw - nfs server:/x rw\n31 22 0:51 / /data\\040two ro - tmpfs t rw\n"
    )
    assert mount_of("/data two/deep", mounts) == Mount("/data two", "tmpfs", "t", True)
    assert mount_of("/data twofold", mounts) == Mount("/", "overlay", "overlay", False)


@given(st.text() | st.text(alphabet="0123456789:/ ,-max\n\\."))
def test_no_text_makes_a_reader_fail(text: str) -> None:
    assert group_path(text, "cpu").startswith("/")
    assert (parse_quota(text, "100000") or 1) > 0
    assert (parse_bytes(text) or 1) > 0
    mount = mount_of("/a/b", parse_mounts(text))
    assert mount is None or "/a/b".startswith(mount.path)


def test_a_kind_is_told_with_where_it_was_read(tmp_path: Path) -> None:
    write(tmp_path, {".dockerenv": ""})
    assert read_container(LocalHost(tmp_path, {})) == Container("docker", "/.dockerenv")
