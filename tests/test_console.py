"""How it looks: plain lines without a terminal, bars on one, and nothing on standard output that nobody asked for."""

from __future__ import annotations

import contextlib
import io
import os
import struct
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from bootstrap.commands.activity import Place
from bootstrap.console import Console, _Lines, duration, size

ROOT = Path(__file__).parent.parent

DOWNLOADS = """
    from bootstrap.console import Console
    import time
    console = Console()
    with console.activity() as activity:
        activity.step("Resolving something")
        time.sleep(0.15)
        activity.expect(6, 60_000_000)
        for each in range(6):
            activity.started(f"package{each}-1.0-py3-none-any.whl", 10_000_000)
        activity.resumed("package0-1.0-py3-none-any.whl", 1_000_000)
        for _ in range(4):
            for each in range(6):
                activity.advanced(f"package{each}-1.0-py3-none-any.whl", 2_500_000)
            time.sleep(0.12)
        for each in range(6):
            activity.finished(f"package{each}-1.0-py3-none-any.whl")
        activity.step("Installing 6 packages")
        time.sleep(0.12)
    console.changes(["new 1"], ["old 1"], ["other 1 -> 2"])
    console.warn("look [bold]here[/bold]")
    console.say("all is well", "choice")
"""


@pytest.mark.parametrize(
    ("count", "expected"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1.0 kB"),
        (9_940, "9.9 kB"),
        (10_000, "10 kB"),
        (999_400, "999 kB"),
        (999_999, "1.0 MB"),
        (1_500_000, "1.5 MB"),
        (821_000_000, "821 MB"),
        (999_999_999, "1.00 GB"),
        (3_120_000_000, "3.12 GB"),
    ],
)
def test_sizes_read_well(count: int, expected: str) -> None:
    assert size(count) == expected


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        (0, "0 ms"),
        (0.0314, "31 ms"),
        (0.9999, "1.0 s"),
        (1, "1.0 s"),
        (59.94, "59.9 s"),
        (59.99, "1 min 0 s"),
        (60, "1 min 0 s"),
        (119.7, "2 min 0 s"),
        (3599.9, "60 min 0 s"),
        (754, "12 min 34 s"),
    ],
)
def test_durations_read_well(seconds: float, expected: str) -> None:
    assert duration(seconds) == expected


def test_lines_for_logs_are_whole_and_plain() -> None:
    stream = io.StringIO()
    lines = _Lines(stream)
    lines.step("Resolving")
    lines.expect(1, 1200)
    lines.expect(2, None, [Place("files.example", 1, 2000), Place("find-links", 1, 0), Place("the store", 7, 0)])
    lines.started("a", None)
    lines.advanced("a", 700)
    lines.finished("a")
    assert stream.getvalue().splitlines() == [
        "Resolving",
        "Fetching 1 file, 1.2 kB",
        "Fetching 2 files: 2.0 kB from files.example, 1 file from find-links, 7 files from the store",
    ]


def test_a_position_tells_how_far_how_fast_and_how_long() -> None:
    lines = _Lines(io.StringIO())
    lines.expect(3, 4000)
    lines.advanced("a", 1000)
    lines.finished("a")
    text = lines._position(lines._begin + 2)
    assert text == "1 of 3 files, 1.0 kB of 4.0 kB at 500 B/s, 6.0 s left"
    lines.expect(3, None)
    assert "left" not in lines._position(lines._begin + 2)


def test_more_than_was_expected_never_takes_negative_time() -> None:
    lines = _Lines(io.StringIO())
    lines.expect(1, 100)
    lines.advanced("a", 300)
    assert "-" not in lines._position(lines._begin + 1)


def test_what_an_earlier_run_left_is_shown_and_not_counted_as_fast() -> None:
    said = io.StringIO()
    lines = _Lines(said)
    lines.expect(1, 100_000_000)
    lines.started("torch-2.9.whl", 100_000_000)
    lines.resumed("torch-2.9.whl", 60_000_000)
    lines.advanced("torch-2.9.whl", 20_000_000)
    assert "Going on with torch-2.9.whl: 60 MB of it are here from before" in said.getvalue()
    position = lines._position(lines._begin + 10)
    assert position == "0 of 1 files, 80 MB of 100 MB at 2.0 MB/s, 10.0 s left"


def test_quiet_leaves_warnings_and_results(capsys: pytest.CaptureFixture[str]) -> None:
    console = Console(quiet=True)
    with console.activity() as activity:
        activity.step("Resolving")
        activity.expect(1, 1)
    console.say("summary")
    console.changes(["a 1"], ["b 1"], ["c 1 -> 2"])
    console.warn("look")
    console.result("answer")
    said = capsys.readouterr()
    assert (said.out, said.err) == ("answer\n", "warning: look\n")


def test_changes_have_a_sign_each(capsys: pytest.CaptureFixture[str]) -> None:
    Console().changes(["a 1"], ["b 1"], ["c 1 -> 2"])
    said = capsys.readouterr()
    assert (said.out, said.err) == ("", " + a 1\n - b 1\n ~ c 1 -> 2\n")


def test_without_a_terminal_there_are_no_escapes_and_no_rich() -> None:
    script = textwrap.dedent(DOWNLOADS) + "import sys; print('rich' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", script], env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True,
        check=True,
    )  # fmt: skip
    assert done.stdout == "False\n"
    assert "\x1b" not in done.stderr
    assert "\r" not in done.stderr
    assert done.stderr.splitlines() == [
        "Resolving something",
        "Fetching 6 files, 60 MB",
        "Going on with package0-1.0-py3-none-any.whl: 1.0 MB of it are here from before",
        "Installing 6 packages",
        " + new 1",
        " - old 1",
        " ~ other 1 -> 2",
        "warning: look [bold]here[/bold]",
        "all is well",
    ]


@pytest.mark.skipif(os.name == "nt", reason="there are no pseudo terminals")
@pytest.mark.parametrize("columns", [120, 80, 20])
def test_on_a_terminal_there_are_bars(columns: int) -> None:
    import fcntl  # noqa: PLC0415 - not on Windows
    import pty  # noqa: PLC0415
    import termios  # noqa: PLC0415

    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    unset = {"COLUMNS", "LINES", "NO_COLOR", "FORCE_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE", "CI"}
    environ = {name: value for name, value in os.environ.items() if name not in unset}
    with subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(DOWNLOADS)],
        env={**environ, "PYTHONPATH": str(ROOT), "TERM": "xterm-256color"},
        stdout=subprocess.PIPE,
        stderr=theirs,
    ) as process:
        os.close(theirs)
        shown = b""
        with contextlib.suppress(OSError):  # how Linux says that the other side has closed
            while part := os.read(ours, 65536):
                shown += part
        assert process.stdout is not None
        assert process.stdout.read() == b""
    os.close(ours)
    assert process.returncode == 0, shown.decode()
    text = shown.decode()
    assert "\x1b[" in text
    assert "all is well" in text
    assert "look [bold]here[/bold]" in text
    if columns > 20:
        for words in ("6 files", "package0", "package3", "Resolving something", "/s"):
            assert words in text
        assert "60.0" in text
    assert text.rindex("all is well") > text.rindex("\x1b[?25h"), "the cursor is shown again before the summary"


def test_nothing_that_anybody_wrote_commands_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    console = Console()
    console.result("ubuntu\x1b[2J 24.04\n\tnext")
    console.warn("torch\x9b31m\r")
    said = capsys.readouterr()
    assert said.out == "ubuntu\\x1b[2J 24.04\n\tnext\n"
    assert said.err == "warning: torch\\x9b31m\\x0d\n"
