"""`--json-log` and `--keep-wheels` as programs and people use them."""

from __future__ import annotations

import json
from pathlib import Path

from tests.acceptance.running import Workplace, pyproject
from tests.replica import Replica


def test_every_line_on_standard_error_is_an_event(tmp_path: Path, replica: Replica, workplace: Workplace) -> None:
    place = Workplace(workplace.folder, tmp_path / "cache", replica)
    place.write(pyproject("typing-extensions"))
    done = place.run("sync", "--json-log", "--json", "--no-verify")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["changed"] is True
    events = [json.loads(line) for line in done.stderr.splitlines()]
    kinds = [each["event"] for each in events]
    assert [kinds.index(each) for each in ("expect", "begin", "arrive", "unpack")] == sorted(
        kinds.index(each) for each in ("expect", "begin", "arrive", "unpack")
    )
    assert {each["phase"] for each in events if each["event"] == "phase"} >= {"resolve", "link"}
    assert place.run("sync", "--json-log", "--no-verify").stderr == ""


def test_a_failure_is_the_last_event(workplace: Workplace) -> None:
    workplace.write(pyproject("no-such-package-anywhere"))
    done = workplace.run("sync", "--json-log")
    last = json.loads(done.stderr.splitlines()[-1])
    assert (last["event"], last["exit_code"]) == ("error", done.returncode)
    assert "no-such-package-anywhere" in last["text"]


def test_the_wheels_of_an_environment_are_kept_also_when_it_is_there(workplace: Workplace) -> None:
    workplace.write(pyproject("typing-extensions"))
    workplace.sync("--no-verify")
    workplace.sync("--no-verify", "--keep-wheels", "wheels")
    kept = [each.name for each in (workplace.folder / "wheels").iterdir()]
    assert len(kept) == 1
    assert kept[0].startswith("typing_extensions-")
