"""What people are told of real conflicts, word by word; the files in `golden/` are for reading."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.resolver.stories import read, stories


@pytest.mark.parametrize("path", stories().values(), ids=stories())
def test_a_conflict_is_told_like_this(path: Path) -> None:
    story = read(path)
    assert story.tell() == story.told


@pytest.mark.parametrize("path", stories().values(), ids=stories())
def test_what_is_promised_in_the_end_was_tried(path: Path) -> None:
    story = read(path)
    assert story.relieve() == story.tried


def test_there_are_golden_proofs_to_read() -> None:
    assert len(stories()) >= 15
