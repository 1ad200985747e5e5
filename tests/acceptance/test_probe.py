"""`probe` as people and programs see it."""

from __future__ import annotations

import json
from pathlib import Path

from tests.acceptance.running import Workplace
from tests.machines.unpack import unpack


def test_a_recording_is_read_back_as_the_same_machine(workplace: Workplace) -> None:
    first = json.loads(workplace.run("probe", "--json", "--record", "capture").stdout)
    again = json.loads(workplace.run("probe", "--json", "--sysroot", "capture").stdout)
    assert first["schema"] == "torchstrap.machine/1"
    assert again == first


def test_a_recording_overwrites_nothing(workplace: Workplace) -> None:
    kept = workplace.folder / "capture" / "kept.txt"
    kept.parent.mkdir()
    kept.write_text("kept")
    done = workplace.run("probe", "--record", "capture")
    assert done.returncode == 73
    assert "capture" in done.stderr
    assert kept.read_text() == "kept"


def test_the_table_names_the_card_and_where_it_was_read(workplace: Workplace, tmp_path: Path) -> None:
    unpack("linux-x86_64-rtx5090-driver580-cu130.txt", tmp_path / "machine")
    table = workplace.run("probe", "--sysroot", str(tmp_path / "machine")).stdout
    assert "RTX 5090" in table
    assert "NVIDIA 580" in table
    assert "/proc/driver/nvidia/gpus/" in table


def test_a_sysroot_that_is_none_is_refused(workplace: Workplace) -> None:
    done = workplace.run("probe", "--sysroot", "nowhere")
    assert done.returncode == 2
    assert "nowhere" in done.stderr
