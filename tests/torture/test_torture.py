"""A little of each torture, for every run of the tests; the scripts beside this do it at full size, and to uv."""

from __future__ import annotations

import random
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.replica import Replica
from tests.torture import at_once, full_disk, kills, mounts, power_cut
from tests.torture.places import FOLDERS, Place, contenders, prepared

OURS = (sys.executable, "-m", "bootstrap")
needs_strace = pytest.mark.skipif(not kills.steps_are_possible(), reason="no strace that may trace here")

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the wheels are for Linux")


@pytest.fixture(scope="module")
def replica() -> Iterator[Replica]:
    with Replica() as running:
        yield prepared(running)


@pytest.fixture
def program(tmp_path: Path, replica: Replica) -> Place:
    (found,) = contenders(tmp_path, replica, None)
    return found


@pytest.mark.parametrize(("environ", "count"), [({}, 8), (FOLDERS, 4)], ids=["link", "folder"])
def test_kills_leave_the_old_or_the_new_environment(program: Place, environ: dict[str, str], count: int) -> None:
    program.environ = environ
    said: list[str] = []
    report = kills.torture(program, count, random.Random(5), steps=kills.steps_are_possible(), say=said.append)
    assert (report.broken, report.stayed) == ([], [])
    assert report.hit > report.missed
    assert report.litter <= report.hit, report.names


@pytest.mark.skipif(not mounts.kinds(), reason="no file systems can be made here")
def test_a_full_disk_leaves_the_old_or_the_new_environment(tmp_path: Path, replica: Replica) -> None:
    with mounts.mounted(tmp_path, mounts.kinds()[0], full_disk.SIZE) as place:
        (program,) = contenders(place, replica, None)
        report = full_disk.starve(place, program, 2)
    assert (report.broken, report.stayed, report.unclear) == ([], [], [])
    assert report.full == 4


def test_processes_at_once_do_not_hurt_each_other(program: Place) -> None:
    for variant in ("cpu", "cu128"):
        program.must_sync(variant)
    program.forget(".venv", ".venv.generations", "cache", "pylock.toml")
    report = at_once.on_one_project(program, 4)
    assert (report.failed, report.broken, report.again) == (0, 0, 0), report.said


def test_projects_at_once_share_one_store(tmp_path: Path, program: Place) -> None:
    program.must_sync("cu128")
    program.forget("cache")
    report = at_once.on_many_projects(tmp_path / "many", program, 4)
    assert (report.failed, report.broken, report.again) == (0, 0, 0), report.said


@needs_strace
def test_each_step_of_a_switch_is_on_the_disk_before_the_next(program: Place) -> None:
    program.must_sync("cpu")
    calls, code = power_cut.recorded(program, "cu128")
    assert code == 0
    assert power_cut.step_problems(calls) == ()


def test_steps_in_another_order_would_be_noticed() -> None:
    lines = (
        "7 1.0 syncfs(3</p/.venv.generations/k.building-1-a>) = 0\n",
        "7 2.0 fsync(3</p/.venv.generations/k.building-1-a/generation.json> <unfinished ...>\n",
        '8 2.5 openat(AT_FDCWD</p>, "/p/x", O_RDONLY) = 4</p/x>\n',
        "7 3.0 <... fsync resumed>) = 0\n",
        '7 4.0 linkat(AT_FDCWD</p>, "/c/x", AT_FDCWD</p>, "/p/.venv.generations/k.building-1-a/x", 0) = 0\n',
    )
    found = power_cut.step_problems(tuple(power_cut.parsed(lines)))
    assert "all is on the disk before a file is linked" in found
    assert "never: the link is replaced" in found
    assert "never: the marker is on the disk" not in found


@needs_strace
def test_a_power_cut_leaves_the_old_or_the_new_environment(program: Place) -> None:
    times, lost, wrong = power_cut.torture(program, 4)
    assert wrong == []
    assert times > 0
    assert lost > 0


@needs_strace
@pytest.mark.skipif(not mounts.linkless(), reason="no file system without links can be made here")
def test_without_links_and_exchange_a_kill_leaves_an_environment_to_our_program(
    tmp_path: Path, replica: Replica
) -> None:
    with mounts.mounted(tmp_path, mounts.linkless()[0], 384) as other:
        (program,) = contenders(other, replica, None)
        program.cache = tmp_path / "cache"
        for variant in ("cpu", "cu128", "cpu"):
            program.must_sync(variant)
        assert not (program.folder / ".venv").is_symlink()
        seen = []
        for rename in range(1, 9):
            program.must_sync("cpu")
            if not kills.kill_at(program, "cu128", "rename", rename):
                break
            seen.append(program.look().state)
            words = [*program.command, "env", "list"]
            subprocess.run(words, cwd=program.folder, env=program.variables(), capture_output=True, check=True)
            assert program.look().state in {"cpu", "cu128"}, "whoever looks next finds one"
    assert "none" in seen, "or no kill hit the moment between two renames"
    assert set(seen) <= {"cpu", "cu128", "none"}


@pytest.mark.skipif("tmpfs" not in mounts.kinds(), reason="no file systems can be made here")
def test_the_store_may_lie_on_another_file_system(tmp_path: Path, replica: Replica) -> None:
    with mounts.mounted(tmp_path, "tmpfs", 192) as other:
        (program,) = contenders(tmp_path, replica, None)
        program.cache = other / "cache"
        for variant in ("cpu", "cu128", "cpu"):
            program.must_sync(variant)
    shutil.rmtree(tmp_path / "aside", ignore_errors=True)
