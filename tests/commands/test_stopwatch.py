"""Phases are measured by whoever passes them on, and everything is passed on."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from bootstrap.commands.activity import Activity, Place
from bootstrap.commands.stopwatch import Stopwatch


@dataclass
class Clock:
    now: float = 100.0

    def __call__(self) -> float:
        return self.now


@dataclass
class Heard(Activity):
    said: list[tuple[Any, ...]] = field(default_factory=list)

    def step(self, text: str) -> None:
        self.said.append(("step", text))

    def expect(self, count: int, total: int | None, places: Any = ()) -> None:
        self.said.append(("expect", count, total, tuple(places)))

    def started(self, name: str, total: int | None) -> None:
        self.said.append(("started", name, total))

    def resumed(self, name: str, count: int) -> None:
        self.said.append(("resumed", name, count))

    def advanced(self, name: str, count: int) -> None:
        self.said.append(("advanced", name, count))

    def arrived(self, name: str) -> None:
        self.said.append(("arrived", name))

    def finished(self, name: str) -> None:
        self.said.append(("finished", name))


def test_a_phase_lasts_until_the_next_begins_and_adds_to_what_it_took_before() -> None:
    clock = Clock()
    watch = Stopwatch(Activity(), clock)
    for seconds, text in (
        (1, "Looking at this machine"),
        (2, "Resolving cpu"),
        (4, "Installing 3 packages"),
        (8, "Resolving cu126"),
        (16, "What is this"),
    ):
        clock.now += seconds
        watch.step(text)
    clock.now += 0.0004
    assert watch.seconds() == {"start": 1, "probe": 2, "resolve": 4 + 16, "link": 8, "other": 0}
    assert list(watch.seconds()) == ["start", "probe", "resolve", "link", "other"]


def test_files_that_are_expected_are_fetched_and_none_are_not() -> None:
    clock = Clock()
    watch = Stopwatch(Activity(), clock)
    watch.expect(0, 0)
    clock.now += 1
    watch.expect(2, 10)
    clock.now += 3
    assert watch.seconds() == {"start": 1, "fetch": 3}


def test_passes_everything_on() -> None:
    heard = Heard()
    watch = Stopwatch(heard)
    places = (Place("server", 1, 10),)
    watch.step("Resolving")
    watch.expect(1, 10, places)
    watch.started("a", 10)
    watch.resumed("a", 4)
    watch.advanced("a", 6)
    watch.arrived("a")
    watch.finished("a")
    assert heard.said == [
        ("step", "Resolving"),
        ("expect", 1, 10, places),
        ("started", "a", 10),
        ("resumed", "a", 4),
        ("advanced", "a", 6),
        ("arrived", "a"),
        ("finished", "a"),
    ]
    told = {name for name in vars(Activity) if not name.startswith("_")}
    assert told == {each[0] for each in heard.said}
