from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from bootstrap.errors import CannotWriteError, TryAgainError
from bootstrap.wheels.holding import alone, together

ROOT = Path(__file__).parents[2]
HOLD = """
import sys
from pathlib import Path
from bootstrap.wheels.holding import together
with together(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_many_hold_it_together_and_nobody_alone_meanwhile(tmp_path: Path) -> None:
    lock = tmp_path / "new" / "lock"
    command = [sys.executable, "-c", HOLD, str(lock)]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "held\n"
        with together(lock), together(lock):
            pass
        with pytest.raises(TryAgainError, match="try again"), alone(lock, 0.1):
            pytest.fail("somebody else holds it")
        other.kill()
    with alone(lock, 1) as is_alone:
        assert is_alone, "a lock goes with its process"


def test_a_folder_that_nobody_can_write_needs_no_lock(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    ran = False
    with together(tmp_path / "file" / "lock"):
        ran = True
    assert ran
    with pytest.raises(CannotWriteError), alone(tmp_path / "file" / "lock", 0.1):
        pytest.fail("there is no such folder")
