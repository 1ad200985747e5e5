"""How many connections one file deserves: more only while more bring more. Pure; times and rates come in as numbers.

1 ─> 2 ─> 4 ─> 8        each step only if the one before raised the rate by a sixth
     └──> 1             otherwise one back, and another try after a while
"""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["MOST_LANES", "WINDOW", "Pace"]

STEPS = (1, 3, 8)
MOST_LANES = STEPS[-1]
WINDOW = 0.25  # seconds over which a rate is measured
GAIN = 1.17  # times the rate before that more connections have to bring
WORTH = 1.0  # seconds that must be left for a change to pay
REST = 40  # windows until the next try


@dataclass(slots=True)
class Pace:
    """The number of connections to use."""

    _before: float = 0.0
    _settling: bool = False
    _resting: int = 0

    def judge(self, lanes: int, rate: float, left: int) -> int:
        """The number to use from now on, after `lanes` brought `rate` bytes per second and `left` bytes remain."""
        if left < rate * WORTH:
            return lanes
        if self._settling:  # new connections were still being made in this window
            self._settling = False
            return lanes
        if self._resting:
            self._resting -= 1
            self._before = 0.0
            return lanes
        if rate < self._before * GAIN:
            self._resting = REST
            return max((each for each in STEPS if each < lanes), default=1)
        more = min((each for each in STEPS if each > lanes), default=lanes)
        self._before, self._settling = rate, True
        self._resting = REST if more == lanes else 0
        return more

    def rest(self) -> None:
        """A connection was too many; ask for no more for a while."""
        self._resting = REST
