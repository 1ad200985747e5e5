"""Without a terminal a sync that takes long says every few seconds that it is still there, in plain lines."""

from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path

from tests.acceptance.running import Workplace, pyproject
from tests.replica import Replica
from tests.replica.faults import Answer, Request

PATIENCE = 100.0  # seconds after which the server goes on in any case


def test_a_log_gets_a_line_every_few_seconds(tmp_path: Path) -> None:
    enough = threading.Event()

    def wait(_: Request, answer: Answer) -> Answer:
        enough.wait(PATIENCE)
        return answer

    with Replica() as replica:
        replica.add_wheel("default", "slow-to-come", "1")
        replica.faults[r"slow_to_come.*\.whl$"] = wait
        folder = tmp_path / "project"
        folder.mkdir()
        place = Workplace(folder, tmp_path / "cache", replica, {"TORCHSTRAP_TIMEOUT": str(2 * PATIENCE)})
        place.write(pyproject("slow-to-come"))
        command = [sys.executable, "-m", "bootstrap", "sync"]
        with subprocess.Popen(
            command, cwd=folder, env=place.variables(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        ) as process:
            assert process.stderr is not None
            said: list[str] = []
            for line in process.stderr:
                said.append(line)
                if sum(each.startswith("Still at it") for each in said) == 2:  # one would be by chance
                    enough.set()
            code = process.wait()
            assert process.stdout is not None
            out = process.stdout.read()
    assert enough.is_set(), f"no lines while nothing came: {said}"
    assert (code, out) == (0, "")
    waited = [each for each in said if each.startswith("Still at it: fetching (")]
    assert len(waited) == len(set(waited)) >= 2, "each says how long it has been"
    fetching = next(number for number, each in enumerate(said) if each.startswith("Fetching 1 file"))
    assert all(said.index(each) > fetching for each in waited)
    assert said[-1].rstrip().endswith("torch not among them")
    assert not {"\r", "\x1b"} & set("".join(said))
