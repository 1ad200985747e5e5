"""How long to go on asking: which answers mean "later", and how long to wait before asking again.

    wait = pause, 2 pause, 4 pause, …   while nothing new comes
         | what Retry-After says        if that is longer
         | None                         when the attempts or the time for waiting are used up

Pure: who uses it does the waiting.
"""

from __future__ import annotations

import email.utils
from dataclasses import dataclass

__all__ = ["PASSING", "Patience", "asked_wait"]

PASSING = frozenset({408, 425, 429, 500, 502, 503, 504})
"""Statuses that say "later"; everything else from 400 on is an answer for good."""


def asked_wait(retry_after: str, now: float) -> float | None:
    """The seconds that a Retry-After header asks for, as a number or a date (RFC 9110, 10.2.3); None if it does not."""
    if retry_after.isdecimal():
        return float(retry_after)
    try:
        moment = email.utils.parsedate_to_datetime(retry_after)
    except ValueError:
        return None
    return max(0.0, moment.timestamp() - now)


@dataclass(slots=True)
class Patience:
    """`attempts` in a row that bring nothing, and `budget` seconds of waiting between two times that something came."""

    pause: float = 0.5
    attempts: int = 5
    budget: float = 120.0
    _failures: int = 0
    _waited: float = 0.0
    _over: bool = False

    def renew(self) -> None:
        """Enough came; all is forgiven."""
        self._failures, self._waited = 0, 0.0

    def after(self, *, progress: bool, asked: float | None = None) -> float | None:
        """Seconds to wait after a failure before the next attempt, or None to give up.

        `progress` says that something new came first; then the attempts count anew, but not the time. Who has given
        up once stays so.
        """
        self._failures = 1 if progress else self._failures + 1
        wait = max(asked or 0.0, self.pause * 2.0 ** (self._failures - 1))
        self._waited += wait
        self._over = self._over or self._failures >= self.attempts or self._waited > self.budget
        return None if self._over else wait
