"""How long each phase of a command takes, for whoever looks at an environment later; told on to who listens.

Phases follow one another: one lasts until the next begins, and one that comes again adds to what it took before.

    start      until the first phase          (project, settings and lock are read)
    the others as in event_log.py             (a download belongs to `fetch`, whether it was announced or not)
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from bootstrap.commands.activity import Activity, Place
from bootstrap.commands.event_log import PHASES

__all__ = ["Stopwatch"]


@dataclass(slots=True)
class Stopwatch(Activity):
    """Measures what it passes on. `clock` in seconds from any beginning."""

    listener: Activity
    clock: Callable[[], float] = time.monotonic
    _taken: dict[str, float] = field(default_factory=dict)
    _phase: str = "start"
    _since: float = field(init=False)

    def __post_init__(self) -> None:
        self._since = self.clock()

    def seconds(self) -> Mapping[str, float]:
        """What each phase took until now, in the order in which they began; to the millisecond."""
        self._begin(self._phase)
        return {phase: round(each, 3) for phase, each in self._taken.items()}

    def step(self, text: str) -> None:
        self._begin(PHASES.get(text.partition(" ")[0], "other"))
        self.listener.step(text)

    def expect(self, count: int, total: int | None, places: Sequence[Place] = ()) -> None:
        if count:
            self._begin("fetch")
        self.listener.expect(count, total, places)

    def started(self, name: str, total: int | None) -> None:
        self.listener.started(name, total)

    def resumed(self, name: str, count: int) -> None:
        self.listener.resumed(name, count)

    def advanced(self, name: str, count: int) -> None:
        self.listener.advanced(name, count)

    def arrived(self, name: str) -> None:
        self.listener.arrived(name)

    def finished(self, name: str) -> None:
        self.listener.finished(name)

    def _begin(self, phase: str) -> None:
        now = self.clock()
        self._taken[self._phase] = self._taken.get(self._phase, 0.0) + now - self._since
        self._phase, self._since = phase, now
