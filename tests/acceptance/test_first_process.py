"""`run` as the first process of a container: real pid namespaces, real signals, real zombies, odd users."""

from __future__ import annotations

import os
import pty
import re
import shutil
import signal
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.acceptance.running import Workplace, pyproject
from tests.replica import Replica

NAMESPACE = ("unshare", "--pid", "--fork", "--mount-proc")
US = (sys.executable, "-m", "bootstrap")


def can(*command: str) -> bool:
    return bool(shutil.which(command[0])) and subprocess.run(command, capture_output=True, check=False).returncode == 0


pytestmark = pytest.mark.skipif(
    not (sys.platform == "linux" and can(*NAMESPACE, "true")), reason="no pid namespaces can be made here"
)
needs_nsenter = pytest.mark.skipif(shutil.which("nsenter") is None, reason="no nsenter")


def until(true: Callable[[], object], seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.02)


def children(process: int) -> list[int]:
    try:
        return [int(each) for each in Path(f"/proc/{process}/task/{process}/children").read_text().split()]
    except FileNotFoundError:
        return []


@contextmanager
def container(place: Workplace, *words: str) -> Iterator[tuple[subprocess.Popen[str], int]]:
    """A command of ours as the first process of a namespace; the process around it, and its number out here."""
    with subprocess.Popen(
        [*NAMESPACE, *US, *words],
        cwd=place.folder,
        env=place.variables(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as around:
        try:
            until(lambda: children(around.pid))
            yield around, children(around.pid)[0]
        finally:
            for each in children(around.pid):
                os.kill(each, signal.SIGKILL)


def contained(place: Workplace, *words: str) -> subprocess.CompletedProcess[str]:
    """A command of ours as the first process of a namespace that ends by itself."""
    command, environ = [*NAMESPACE, *US, *words], place.variables()
    return subprocess.run(
        command, cwd=place.folder, env=environ, capture_output=True, text=True, check=False, timeout=180
    )


@pytest.fixture
def hanging(tmp_path: Path) -> Iterator[Workplace]:
    """A project whose index never answers."""
    with Replica(faults={r"/simple/": "hang"}) as replica:
        folder = tmp_path / "project"
        folder.mkdir()
        place = Workplace(folder, tmp_path / "cache", replica)
        place.write(pyproject("typing-extensions"))
        yield place


@pytest.mark.parametrize("words", [("run", "--", "true"), ("sync",)], ids=["run", "sync"])
@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)], ids=["TERM", "INT"])
def test_a_signal_while_it_prepares_ends_it(
    hanging: Workplace, number: signal.Signals, code: int, words: Sequence[str]
) -> None:
    with container(hanging, *words) as (around, first):
        until(lambda: hanging.replica.fetched("/simple/"))
        os.kill(first, number)
        assert around.wait(timeout=15) == code, around.communicate()
        assert "the environment is whole" in around.communicate()[1]
    assert sorted(path.name for path in hanging.folder.iterdir()) == ["pyproject.toml"]


def test_a_terminal_interrupts_it(hanging: Workplace) -> None:
    ours, theirs = pty.openpty()
    try:
        with subprocess.Popen(
            ["setsid", "--ctty", *NAMESPACE, *US, "run", "--", "true"],
            cwd=hanging.folder,
            env=hanging.variables(),
            stdin=theirs,
            stdout=theirs,
            stderr=subprocess.PIPE,
        ) as around:
            until(lambda: hanging.replica.fetched("/simple/"))
            os.write(ours, termios.tcgetattr(theirs)[6][termios.VINTR])
            _, said = around.communicate(timeout=15)
        assert b"the environment is whole" in said
        assert b"Traceback" not in said
    finally:
        os.close(ours)
        os.close(theirs)


@needs_nsenter
def test_who_loses_its_parents_is_buried_while_it_prepares(hanging: Workplace) -> None:
    with container(hanging, "run", "--", "true") as (around, first):
        until(lambda: hanging.replica.fetched("/simple/"))
        (worker,) = children(first)
        entered = ["nsenter", "--target", str(first), "--pid", "--mount", "sh", "-c", "sleep 0.5 & sleep 0.5 &"]
        subprocess.run(entered, check=True, capture_output=False)
        until(lambda: len(children(first)) == 3)
        until(lambda: children(first) == [worker])
        os.kill(first, signal.SIGTERM)
        assert around.wait(timeout=15) == 143


def test_the_program_takes_the_place_of_the_first_process(workplace: Workplace) -> None:
    workplace.write(pyproject("typing-extensions"))
    program = (
        "import os, signal, sys, typing_extensions\n"
        "signal.signal(signal.SIGTERM, lambda *_: sys.exit(7))\n"
        "print(os.getpid(), flush=True)\n"
        "signal.pause()\n"
    )
    for _ in range(2):  # with something to prepare, and without
        with container(workplace, "run", "-q", "--", "python", "-c", program) as (around, first):
            assert around.stdout is not None
            assert around.stdout.readline() == "1\n", around.communicate()
            os.kill(first, signal.SIGTERM)
            assert around.wait(timeout=15) == 7


def test_no_signal_stays_blocked_in_the_program(workplace: Workplace) -> None:
    workplace.write(pyproject("typing-extensions"))
    output = contained(workplace, "run", "-q", "--", "cat", "/proc/self/status").stdout
    states = {name: int(mask, 16) for name, mask in re.findall(r"^(Sig\w+):\t(\w+)$", output, re.MULTILINE)}
    own = re.search(r"^SigIgn:\t(\w+)$", Path("/proc/self/status").read_text(), re.MULTILINE)
    assert own is not None
    # Python ignores the first two for itself, and the others are handled while it prepares.
    given_back = sum(1 << each - 1 for each in (signal.SIGPIPE, signal.SIGXFSZ, signal.SIGINT, signal.SIGTERM))
    assert (states["SigBlk"], states["SigIgn"]) == (0, int(own[1], 16) & ~given_back)


def test_a_failure_to_prepare_is_the_containers(workplace: Workplace) -> None:
    workplace.write(pyproject("no-such-project-anywhere"))
    done = contained(workplace, "run", "--", "touch", "ran")
    assert done.returncode == 1
    assert done.stderr.count("no-such-project-anywhere") >= 1
    assert not (workplace.folder / "ran").exists()


STRANGER = ("setpriv", "--reuid=54321", "--regid=54321", "--clear-groups")


@pytest.mark.skipif(not can(*STRANGER, sys.executable, "-c", "import httpx"), reason="nobody else can run this Python")
def test_a_stranger_without_a_home_on_a_read_only_root(tmp_path: Path) -> None:
    with Replica() as replica:
        folder = tmp_path / "writable" / "project"
        folder.mkdir(parents=True)
        for each in (tmp_path / "writable", folder):
            each.chmod(0o777)
        for each in (tmp_path, *tmp_path.parents):
            if not each.stat().st_mode & 0o001:
                each.chmod(each.stat().st_mode | 0o011)
        place = Workplace(folder, tmp_path / "writable" / "cache", replica)
        place.write(pyproject("typing-extensions", "torch==2.6.0"))
        writable = tmp_path / "writable"
        (tmp_path / "site" / "torchstrap-0.dist-info").mkdir(parents=True)  # as in an image that has it installed
        variables = {name: value for name, value in place.variables().items() if name not in {"HOME", "TMPDIR", "USER"}}
        variables["PYTHONPATH"] += f"{os.pathsep}{tmp_path / 'site'}"
        script = f'mount --bind "{writable}" "{writable}"; mount -o remount,ro,bind /; cd "{folder}"; exec "$@"'
        command = ["unshare", "--mount", *NAMESPACE[1:], "sh", "-c", script, "sh", *STRANGER, *US]
        done = subprocess.run(
            [*command, "run", "--variant", "cpu", "--", "python", "-c", "import os, torch; print(os.getuid())"],
            env=variables,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert (done.returncode, done.stdout) == (0, "54321\n"), done.stderr


def test_containers_that_start_at_once_fetch_each_wheel_once(tmp_path: Path) -> None:
    with Replica(latency=0.01) as replica:
        places = []
        for number in range(6):
            folder = tmp_path / f"project-{number}"
            folder.mkdir()
            places.append(Workplace(folder, tmp_path / "cache", replica))
            places[-1].write(pyproject("accelerate", "torch==2.6.0"))
        program = ("python", "-c", "import accelerate, torch; print(torch.__version__)")
        running = [
            subprocess.Popen(
                [*NAMESPACE, *US, "run", "-q", "--variant", "cpu", "--", *program],
                cwd=each.folder,
                env=each.variables(),
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
            for each in places
        ]
        answers = [each.communicate(timeout=180) for each in running]
        assert [each.returncode for each in running] == [0] * 6, answers
        assert {output for output, _ in answers} == {"2.6.0+cpu\n"}
        fetched = replica.fetched(r"^GET .*\.whl$")
        assert sorted(fetched) == sorted(set(fetched))
