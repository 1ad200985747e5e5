"""AMD's targets, as KFD numbers them."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from probes import LocalHost
from probes.amd import parse_target, read_amd


@pytest.mark.parametrize(
    ("number", "target"),
    [
        (90010, "gfx90a"),
        (90402, "gfx942"),
        (90500, "gfx950"),
        (90006, "gfx906"),
        (100306, "gfx1036"),
        (110003, "gfx1103"),
        (110501, "gfx1151"),
        (120001, "gfx1201"),
        (0, None),
    ],
)
def test_reads_the_target(number: int, target: str | None) -> None:
    assert parse_target(f"simd_count 64\ngfx_target_version {number}\nvendor_id 4098\n") == target


@given(st.text() | st.text(alphabet="gfx_target_version 0123456789\n"))
def test_no_text_makes_the_target_fail(text: str) -> None:
    target = parse_target(text)
    assert target is None or target.startswith("gfx")


def test_gpus_that_cannot_be_opened_are_a_note(tmp_path: Path) -> None:
    node = tmp_path / "sys/class/kfd/kfd/topology/nodes/1"
    node.mkdir(parents=True)
    (node / "properties").write_text("gfx_target_version 110000\n")
    gpus, notes = read_amd(LocalHost(tmp_path, {}))
    assert gpus == ()
    assert "no device node /dev/kfd" in notes[0]


def test_the_override_comes_first(tmp_path: Path) -> None:
    gpus, notes = read_amd(LocalHost(tmp_path, {"TORCHSTRAP_AMD_ARCHITECTURE": "gfx1100,gfx90a"}))
    assert [gpu.target for gpu in gpus] == ["gfx1100", "gfx90a"]
    assert len(notes) == 1
    assert read_amd(LocalHost(tmp_path, {"TORCHSTRAP_AMD_ARCHITECTURE": "none"}))[0] == ()
