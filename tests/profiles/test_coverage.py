"""torch's rule for which code runs on which GPU."""

from __future__ import annotations

import pytest

from profiles.coverage import covers
from profiles.tables import capability


@pytest.mark.parametrize(
    ("codes", "device", "runs"),
    [
        ("5.0", "5.2", True),
        ("5.0", "5.3", False),
        ("6.0", "6.1", True),
        ("6.1", "6.0", False),
        ("6.0", "6.2", False),
        ("7.0", "7.5", True),
        ("7.5", "7.0", False),
        ("7.0", "7.2", False),
        ("7.2", "7.2", True),
        ("7.2", "7.5", False),
        ("8.0", "8.6", True),
        ("8.6", "8.9", True),
        ("8.0", "8.7", False),
        ("8.7", "8.7", True),
        ("8.7", "8.9", False),
        ("8.0", "9.0", False),
        ("9.0", "8.0", False),
        ("10.0", "10.3", True),
        ("10.0", "10.1", False),
        ("11.0", "10.1", True),
        ("11.0", "11.0", True),
        ("12.0", "12.1", True),
        ("12.0", "10.0", False),
    ],
)
def test_covers(codes: str, device: str, runs: bool) -> None:
    assert covers([capability(codes)], capability(device)) is runs


def test_any_of_several_codes_will_do() -> None:
    assert covers([(7, 5), (8, 6)], (8, 9))
    assert not covers([], (8, 9))
