from __future__ import annotations

import pytest

from bootstrap.index.patience import Patience, asked_wait


def test_waits_twice_as_long_each_time_and_gives_up() -> None:
    patience = Patience(pause=0.5, attempts=4)
    assert [patience.after(progress=False) for _ in range(5)] == [0.5, 1.0, 2.0, None, None]


def test_counts_anew_after_something_came() -> None:
    patience = Patience(pause=1, attempts=3)
    assert [patience.after(progress=each) for each in (False, False, True, False, False)] == [1, 2, 1, 2, None]


def test_ends_when_its_time_is_used_up_by_crumbs() -> None:
    patience = Patience(pause=1, budget=3)
    assert [patience.after(progress=True) for _ in range(4)] == [1, 1, 1, None]


def test_is_renewed_by_much() -> None:
    patience = Patience(pause=1, budget=2)
    assert [patience.after(progress=True) for _ in range(2)] == [1, 1]
    patience.renew()
    assert patience.after(progress=False) == 1


def test_waits_as_long_as_it_is_asked_or_not_at_all() -> None:
    patience = Patience(pause=1, budget=100)
    assert patience.after(progress=False, asked=60) == 60
    assert patience.after(progress=False, asked=60) is None


@pytest.mark.parametrize(
    ("header", "seconds"),
    [("120", 120), ("", None), ("soon", None), ("-5", None), ("Thu, 01 Jan 1970 00:02:00 GMT", 20), ("1.5", None)],
)
def test_reads_what_a_server_asks_for(header: str, seconds: float | None) -> None:
    assert asked_wait(header, now=100) == seconds


def test_a_moment_that_has_passed_is_now() -> None:
    assert asked_wait("Thu, 01 Jan 1970 00:00:10 GMT", now=100) == 0
