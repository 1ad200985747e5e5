"""What a sync costs before it does anything."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
HEAVY = ("http.client", "ssl", "email.parser", "httpx", "rich", "virtualenv", "bootstrap.wheels.download")


def test_nothing_to_fetch_with_is_loaded_before_something_is_fetched() -> None:
    script = f"import sys, bootstrap.commands.syncing; print([each for each in {HEAVY} if each in sys.modules])"
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
