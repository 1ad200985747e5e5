"""What folders can share is tried on the real disk, and nothing is left behind."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from probes import LocalHost, Unknown
from probes.storage import probe_storage
from tests.probes.driven import write


def test_two_folders_of_one_file_system_share_hard_links(tmp_path: Path) -> None:
    one, other = tmp_path / "one", tmp_path / "other"
    for folder in (one, other):
        folder.mkdir()
    storage = probe_storage({"cache": one, "environment": other})
    assert [(each.origin, each.target, each.hard_link) for each in storage.sharing] == [
        ("cache", "environment", True),
        ("environment", "cache", True),
    ]
    assert all(isinstance(each.free, int) and each.free > 0 for each in storage.folders)
    assert [list(folder.iterdir()) for folder in (one, other)] == [[], []]


def test_two_file_systems_share_no_hard_links(tmp_path: Path) -> None:
    memory = Path("/dev/shm")  # noqa: S108 - the one other file system that every Linux has
    if not os.access(memory, os.W_OK) or memory.stat().st_dev == tmp_path.stat().st_dev:
        pytest.skip("needs a second file system")
    storage = probe_storage({"cache": tmp_path, "environment": memory})
    assert [each.hard_link for each in storage.sharing] == [False, False]
    assert [each.reflink for each in storage.sharing] == [False, False]
    assert storage.folders[1].kind == "tmpfs"


def test_a_folder_that_is_not_there_yet_is_looked_up_above(tmp_path: Path) -> None:
    storage = probe_storage({"cache": tmp_path / "a/b/c"})
    (folder,) = storage.folders
    assert (folder.purpose, folder.path, folder.looked_at) == ("cache", str(tmp_path / "a/b/c"), str(tmp_path))
    assert not (tmp_path / "a").exists()
    assert storage.sharing == ()


def test_one_folder_for_two_purposes_shares_everything_with_itself(tmp_path: Path) -> None:
    sharing = probe_storage({"cache": tmp_path, "temporary": tmp_path}).sharing
    assert [each.hard_link for each in sharing] == [True, True]
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_written_is_unknown(tmp_path: Path) -> None:
    if not Path("/proc/self/fd").exists():
        pytest.skip("needs Linux")
    first, second = probe_storage({"cache": tmp_path, "environment": Path("/proc/self/net")}).sharing
    assert isinstance(first.hard_link, Unknown)
    assert isinstance(second.reflink, Unknown)
    assert first.hard_link == second.reflink
    assert "cannot be written" in second.reflink.reason
    assert list(tmp_path.iterdir()) == []


def test_a_folder_whose_name_is_no_text_can_be_written_down(tmp_path: Path) -> None:
    folder = Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9"))
    try:
        folder.mkdir()
    except OSError:
        pytest.skip("this file system takes only text")
    storage = probe_storage({"cache": folder, "temporary": tmp_path})
    assert storage.folders[0].path.encode().endswith(b"/caf?")
    assert [each.hard_link for each in storage.sharing] == [True, True]


def test_the_kind_of_a_file_system_is_that_of_the_table_of_mounts(tmp_path: Path) -> None:
    if not sys.platform.startswith("linux"):
        pytest.skip("needs Linux")
    line = f"30 22 0:50 / {os.path.realpath(tmp_path)} ro - nfs4 server:/x rw\n"
    write(tmp_path / "machine", {"proc/self/mountinfo": line})
    (folder,) = probe_storage({"cache": tmp_path}, LocalHost(tmp_path / "machine", {})).folders
    assert (folder.kind, folder.read_only) == ("nfs4", True)
