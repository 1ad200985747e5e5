"""Which bytes of a file nobody has fetched, and who fetches which: claims never overlap, and none is forgotten.

    have ███████████░░░░░░░░███████░░░░░░░░░░░░░░░░░░░░
                    lane 1 ──>│      lane 2 ──>│ free

The second claim is the end of the file, as the directory of an archive stands there. Where nothing is free any more, a
connection that is done takes over the second half of what the slowest one still has before it; that one
stops there.
"""

from __future__ import annotations

import bisect
import threading
from collections.abc import Iterable
from dataclasses import dataclass

from bootstrap.wheels.journal import Span, gaps, merged

__all__ = ["Board", "Lane"]

LEAST = 2 * 1024 * 1024  # bytes that are worth a request of their own
TAIL = 2 * 1024 * 1024  # bytes at the end that are wanted early: the directory of an archive is among them


@dataclass(slots=True, eq=False)
class Lane:
    """One claim: everything before `position` has been written, `end` is where to stop, `noted` is in the journal."""

    position: int
    end: int
    noted: int


class Board:
    """What is left of a file of `size` bytes; safe to share between threads."""

    def __init__(self, have: Iterable[Span], size: int) -> None:
        self.size = size
        self._tail = max(0, size - TAIL)
        self._free = list(gaps(have, size))
        self._lanes: list[Lane] = []
        self._lock = threading.Lock()

    def claim(self, amount: int) -> Lane | None:
        """The first free bytes, at most `amount`, or a part of another's; None where nothing is worth it."""
        with self._lock:
            if self._free:
                start, end = self._last() or self._free.pop(0)
                if end - start > amount + LEAST:
                    self._free.insert(0, (start + amount, end))
                    end = start + amount
                return self._taken(start, end)
            slowest = max(self._lanes, key=lambda lane: lane.end - lane.position, default=None)
            if slowest is None or slowest.end - slowest.position < 2 * LEAST:
                return None
            end, slowest.end = slowest.end, (slowest.position + slowest.end) // 2
            return self._taken(slowest.end, end)

    def _last(self) -> Span | None:
        """The free bytes at the end of the file, if nobody has begun with them; the first claim is another."""
        if not self._lanes or self._free[-1][1] <= self._tail:
            return None
        start, end = self._free.pop()
        if start < self._tail:
            self._free.append((start, self._tail))
        return max(start, self._tail), end

    def give_back(self, lane: Lane) -> None:
        """The lane is done; what it did not fetch is free again."""
        with self._lock:
            self._lanes.remove(lane)
            if lane.position < lane.end:
                bisect.insort(self._free, (lane.position, lane.end))

    @property
    def front(self) -> int:
        """Every byte before this one is there."""
        missing = self.missing
        return missing[0][0] if missing else self.size

    @property
    def missing(self) -> tuple[Span, ...]:
        """What is still to come, in order."""
        with self._lock:
            return merged([*self._free, *((lane.position, lane.end) for lane in self._lanes)])

    @property
    def left(self) -> int:
        """How many bytes are still to come."""
        return sum(end - start for start, end in self.missing)

    def _taken(self, start: int, end: int) -> Lane:
        lane = Lane(start, end, start)
        self._lanes.append(lane)
        return lane
