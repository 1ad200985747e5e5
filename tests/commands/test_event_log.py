from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from bootstrap.commands.activity import Activity, Place
from bootstrap.commands.event_log import PHASES, SCHEMA, EventLog

ROOT = Path(__file__).parent.parent.parent


@pytest.fixture
def said() -> list[str]:
    return []


@pytest.fixture
def moment() -> list[float]:
    return [100.0]


@pytest.fixture
def log(said: list[str], moment: list[float]) -> EventLog:
    return EventLog(said.append, lambda: moment[0])


def events(said: list[str]) -> list[dict[str, object]]:
    assert all(each.endswith("\n") and each.count("\n") == 1 for each in said)
    return [json.loads(each) for each in said]


def test_tells_a_download_from_its_beginning_to_the_store(log: EventLog, said: list[str], moment: list[float]) -> None:
    log.expect(1, 100, [Place("files.example", 1, 100)])
    log.started("a.whl", 100)
    log.resumed("a.whl", 40)
    for _ in range(60):
        moment[0] += 0.1
        log.advanced("a.whl", 1)
    log.arrived("a.whl")
    log.finished("a.whl")
    found = events(said)
    assert {each["schema"] for each in found} == {SCHEMA}
    kinds = [str(each["event"]) for each in found]
    assert kinds[:3] == ["expect", "begin", "resume"]
    assert kinds[3:-2] == ["progress"] * 6
    assert kinds[-2:] == ["arrive", "unpack"]
    assert found[0]["places"] == [{"name": "files.example", "files": 1, "bytes": 100}]
    assert (found[3]["bytes"], found[3]["of"]) == (41, 100)
    assert (found[-1]["bytes"], found[-1]["seconds"]) == (100, 6.0)


@pytest.mark.parametrize(
    ("text", "phase"), [("Verifying", "verify"), ("Installing 3 packages", "link"), ("?", "other")]
)
def test_names_phases_for_programs(text: str, phase: str, log: EventLog, said: list[str]) -> None:
    log.step(text)
    assert [(each["phase"], each["text"]) for each in events(said)] == [(phase, text)]


def test_knows_the_first_word_of_every_phase_in_the_source() -> None:
    texts = [
        found
        for path in (ROOT / "bootstrap").rglob("*.py")
        for found in re.findall(r'activity\.step\(f?"(\w+)', path.read_text(encoding="utf-8"))
    ]
    assert set(texts) == PHASES.keys()


def test_listens_to_everything_that_is_told(log: EventLog) -> None:
    told: dict[str, Callable[..., object]] = {name: each for name, each in vars(Activity).items() if name[0] != "_"}
    assert all(getattr(type(log), name) is not each for name, each in told.items())
