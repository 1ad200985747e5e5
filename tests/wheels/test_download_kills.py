"""The small form of `python -m tests.torture.download_kills`."""

from __future__ import annotations

from pathlib import Path

from tests.torture.download_kills import torture


def test_a_killed_download_goes_on_where_it_was(tmp_path: Path) -> None:
    """What 16 connections had not noted yet is a larger share of less."""
    report, _ = torture(tmp_path, kills=3, megabytes=60, cap=4_000_000, seed=1)
    assert report.wrong == []
    assert len(report.again) == 3 - report.missed
    assert all(-0.01 < each < 0.4 for each in report.again)
