"""Threads for the processors that this process may really use, on recorded machines."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from bootstrap.wheels.workers import thread_count
from probes.host import ANSWERS, LocalHost

SECOND = {"proc/self/cgroup": "0::/job/one\n", "sys/fs/cgroup/cgroup.controllers": "cpu memory\n"}
FIRST = {"proc/self/cgroup": "4:cpu,cpuacct:/docker/01\n"}


def machine(folder: Path, cores: str, files: dict[str, str]) -> LocalHost:
    """A recorded machine with so many processors for the process, and these files."""
    answers = json.dumps({"told": {"platform": "linux", "cores": cores}})
    for path, text in {**files, ANSWERS.lstrip("/"): answers}.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text)
    return LocalHost(folder, {})


@pytest.mark.parametrize(
    ("cores", "files", "count"),
    [
        pytest.param("64", {}, 4, id="many-are-enough"),
        pytest.param("2", {}, 2, id="affinity"),
        pytest.param("64", {**SECOND, "sys/fs/cgroup/job/one/cpu.max": "200000 100000\n"}, 2, id="quota"),
        pytest.param("64", {**SECOND, "sys/fs/cgroup/job/one/cpu.max": "50000 100000\n"}, 1, id="half-of-one"),
        pytest.param("64", {**SECOND, "sys/fs/cgroup/job/one/cpu.max": "250000 100000\n"}, 3, id="two-and-a-half"),
        pytest.param("64", {**SECOND, "sys/fs/cgroup/job/one/cpu.max": "max 100000\n"}, 4, id="no-quota"),
        pytest.param(
            "64",
            {**SECOND, "sys/fs/cgroup/job/one/cpu.max": "max 100000\n", "sys/fs/cgroup/job/cpu.max": "100000 100000\n"},
            1,
            id="quota-of-the-parent",
        ),
        pytest.param(
            "64",
            {
                **FIRST,
                "sys/fs/cgroup/cpu,cpuacct/docker/01/cpu.cfs_quota_us": "200000\n",
                "sys/fs/cgroup/cpu,cpuacct/docker/01/cpu.cfs_period_us": "100000\n",
            },
            2,
            id="first-version",
        ),
    ],
)
def test_there_are_as_many_as_processors_up_to_four(
    cores: str, files: dict[str, str], count: int, tmp_path: Path
) -> None:
    assert thread_count(machine(tmp_path, cores, files)) == count


def test_a_machine_that_says_nothing_has_those_of_the_interpreter(tmp_path: Path) -> None:
    assert thread_count(machine(tmp_path, "", {})) == min(4, os.cpu_count() or 1)


def test_here_there_are_no_more_than_this_process_may_use() -> None:
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    assert 1 <= thread_count() <= min(4, allowed)
