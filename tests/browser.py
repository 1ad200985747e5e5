"""A real browser without a window: Debian's package `chromium`. What it makes of a page, and what it complains of."""

from __future__ import annotations

import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

__all__ = ["MISSING", "Seen", "chromium", "seen"]

MISSING = "there is no Chromium here; Debian has it as the package `chromium`"
_NAMES = ("chromium", "chromium-browser", "google-chrome")
_CONSOLE = re.compile(r":CONSOLE[:(]\d+\)?\] (.*)")


@dataclass(frozen=True)
class Seen:
    """The document after its script has run, and the lines of the console."""

    dom: str
    console: tuple[str, ...]


def chromium() -> str | None:
    """The program, if it is here."""
    return next((found for name in _NAMES if (found := shutil.which(name))), None)


def seen(address: str, profile: Path) -> Seen:
    """Open an address in a browser that knows nothing, and look at what it shows."""
    program = chromium()
    assert program is not None, MISSING
    command = [
        program,
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-dev-shm-usage",
        "--no-first-run",
        "--disable-background-networking",
        "--disable-component-update",
        f"--user-data-dir={profile}",
        "--enable-logging=stderr",
        "--virtual-time-budget=2000",
        "--dump-dom",
        address,
    ]
    done = subprocess.run(command, capture_output=True, timeout=120, check=False, stdin=subprocess.DEVNULL)
    errors = done.stderr.decode("utf-8", "replace")
    assert done.returncode == 0, errors
    return Seen(done.stdout.decode("utf-8"), tuple(_CONSOLE.findall(errors)))
