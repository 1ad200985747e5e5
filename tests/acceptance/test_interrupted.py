"""Ctrl-C in a large download: what has arrived stays, how to go on is said, and going on is what that does."""

from __future__ import annotations

import os
import pty
import random
import signal
import subprocess
import termios
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.request import urlopen

import pytest

from bootstrap.wheels.journal import read
from tests.acceptance.running import Workplace, pyproject
from tests.replica import Replica
from tests.wheels.misbehaving import Site, misbehaving

MEGABYTE = 1024 * 1024
SIZE = 24 * MEGABYTE
HALF = SIZE // 2

pytestmark = pytest.mark.skipif(os.name == "nt", reason="signals and terminals are POSIX's")


@pytest.fixture
def slow(replica: Replica, tmp_path: Path) -> Iterator[tuple[Workplace, Site]]:
    """A project that is locked, and a slow mirror that has its one wheel."""
    address = replica.add_wheel("default", "vast", "1", files={"vast.bin": random.Random(1).randbytes(SIZE)})
    folder = tmp_path / "project"
    folder.mkdir()
    place = Workplace(folder, tmp_path / "cache", replica)
    place.write(pyproject("vast"))
    assert place.run("lock").returncode == 0
    with urlopen(address) as answer, misbehaving(answer.read()) as site:
        site.cap = 2 * MEGABYTE
        mirrors = f"{place.variables()['TORCHSTRAP_MIRRORS']} {replica.files_url}={site.address}"
        yield place.with_variables(TORCHSTRAP_MIRRORS=mirrors), site


def noted(place: Workplace) -> int:
    """How much is known to have arrived."""
    journals = (read(each) for each in (place.cache / "incoming").glob("*.journal"))
    return sum(end - start for each in journals if each for start, end in each.spans)


def interrupted_by_a_signal(place: Workplace, ready: Callable[[], bool]) -> tuple[int, str]:
    command = [*place.program, "sync", "--frozen"]
    with subprocess.Popen(
        command, cwd=place.folder, env=place.variables(), stderr=subprocess.PIPE, text=True
    ) as running:
        while not ready():
            assert running.poll() is None
            time.sleep(0.01)
        running.send_signal(signal.SIGINT)
        _, said = running.communicate(timeout=15)
    return running.returncode, said


def interrupted_in_a_terminal(place: Workplace, ready: Callable[[], bool]) -> tuple[int, str]:
    ours, theirs = pty.openpty()
    command = ["setsid", "--ctty", *place.program, "sync", "--frozen"]
    environ = {**place.variables(), "TERM": "xterm", "COLUMNS": "200"}
    with subprocess.Popen(
        command, cwd=place.folder, env=environ, stdin=theirs, stdout=theirs, stderr=theirs
    ) as running:
        said = b""
        os.set_blocking(ours, False)
        interrupt = termios.tcgetattr(theirs)[6][termios.VINTR]
        pressed = False
        while running.poll() is None:
            try:
                said += os.read(ours, 65536)
            except BlockingIOError:
                time.sleep(0.01)
            if not pressed and ready():
                pressed = os.write(ours, interrupt) > 0
    os.close(theirs)
    try:
        while rest := os.read(ours, 65536):
            said += rest
    except OSError:  # the end, on Linux
        pass
    os.close(ours)
    return running.returncode, said.decode()


@pytest.mark.parametrize("interrupted", [interrupted_by_a_signal, interrupted_in_a_terminal])
def test_what_has_arrived_stays_and_the_next_run_fetches_the_rest(
    interrupted: Callable[[Workplace, Callable[[], bool]], tuple[int, str]], slow: tuple[Workplace, Site]
) -> None:
    place, site = slow
    code, said = interrupted(place, lambda: noted(place) >= HALF)
    assert code == 130
    assert "the same command goes on with the files that arrived" in said
    assert "Traceback" not in said
    left = noted(place)
    assert HALF <= left < SIZE
    assert not (place.folder / ".venv").exists()
    site.cap, before = 0, site.served
    outcome = place.sync("--frozen")
    assert [each["name"] for each in outcome["packages"]] == ["vast"]
    assert site.served - before < SIZE * 0.7, "what one connection took over from another may have been sent twice"
    assert not list((place.cache / "incoming").iterdir())
