"""How it looks: progress, summaries, explanations. The only module that prints, and the only one that knows rich.

Results that somebody asked for (a probe, a choice, a tree, JSON) go to standard output; what happens on the way and the
summary of `sync` go to standard error, so that `run` leaves a program's output alone. On a terminal progress is live;
elsewhere it is a plain line every few seconds. rich is imported only where there is a terminal to paint on.
"""

from __future__ import annotations

import json
import sys
import threading
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TextIO

from bootstrap.commands.activity import Activity, Place
from bootstrap.commands.event_log import EventLog
from bootstrap.errors import BootstrapError

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

__all__ = ["Console", "duration", "harmless", "size"]

_INTERVAL = 5.0  # seconds between two plain lines
_SHOWN = 4  # files that get a bar of their own
_STYLES = {"+": "green", "-": "red", "~": "yellow", "warning": "yellow", "choice": "bold"}

# What a terminal would obey rather than show; it comes from metadata, file names and recordings of anybody.
_COMMANDS = {code: f"\\x{code:02x}" for code in (*range(32), *range(127, 160)) if chr(code) not in "\n\t"}


def harmless(text: str) -> str:
    """Text with control characters spelled out."""
    return text.translate(_COMMANDS)


def size(count: float) -> str:
    """Bytes in the unit that reads best, decimal as networks and disks are sold."""
    for unit in ("B", "kB", "MB"):
        digits = 1 if unit != "B" and count < 9.95 else 0  # noqa: PLR2004
        if round(count, digits) < 1000:  # noqa: PLR2004
            return f"{count:.{digits}f} {unit}"
        count /= 1000
    return f"{count:.2f} GB"


def duration(seconds: float) -> str:
    """Seconds as a person says them."""
    if round(seconds * 1000) < 1000:  # noqa: PLR2004
        return f"{seconds * 1000:.0f} ms"
    if round(seconds, 1) < 60:  # noqa: PLR2004
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s"


def files(count: int) -> str:
    return f"{count} file{'' if count == 1 else 's'}"


def origins(places: Sequence[Place]) -> str:
    """How much comes from where, as the end of a line."""
    said = [f"{size(each.total) if each.total else files(each.files)} from {each.name}" for each in places]
    return f": {', '.join(said)}" if said else ""


class _Lines(Activity):
    """For logs: a line per phase, and one every few seconds, while bytes arrive or nothing seems to happen."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._phase, self._spoken = "", time.monotonic()
        self._done = threading.Event()
        self._files = self._received = self._resumed = 0
        self._expected: tuple[int, int | None] = (0, None)
        self._begin = self._last = time.monotonic()

    @contextmanager
    def watched(self) -> Iterator[None]:
        """For the time of the block, who waits for us reads every few seconds that we are still there."""
        thread = threading.Thread(target=self._reassure, daemon=True)
        thread.start()
        try:
            yield
        finally:
            self._done.set()

    def _reassure(self) -> None:
        begin = time.monotonic()
        while not self._done.wait(_INTERVAL / 5):
            now = time.monotonic()
            if now - self._spoken >= _INTERVAL:
                self._say(f"Still at it: {self._phase or 'reading the project'} ({duration(now - begin)} so far)")

    def step(self, text: str) -> None:
        self._phase = text
        self._say(text)

    def expect(self, count: int, total: int | None, places: Sequence[Place] = ()) -> None:
        self._phase = "fetching"
        self._expected = (count, total)
        self._begin = self._last = time.monotonic()
        self._say(f"Fetching {files(count)}{f', {size(total)}' if total else ''}{origins(places)}")

    def resumed(self, name: str, count: int) -> None:
        self._resumed += count
        self._say(f"Going on with {name}: {size(count)} of it are here from before")

    def advanced(self, name: str, count: int) -> None:  # noqa: ARG002
        self._received += count
        now = time.monotonic()
        if now - self._last >= _INTERVAL:
            self._last = now
            self._say(self._position(now))

    def finished(self, name: str) -> None:  # noqa: ARG002
        self._files += 1

    def _position(self, now: float) -> str:
        rate = self._received / max(now - self._begin, 1e-6)
        count, total = self._expected
        here = self._received + self._resumed
        left = f", {duration(max(total - here, 0) / rate)} left" if total and rate > 0 else ""
        of = f" of {size(total)}" if total else ""
        return f"{self._files} of {count} files, {size(here)}{of} at {size(rate)}/s{left}"

    def _say(self, text: str) -> None:
        self._spoken = time.monotonic()
        self._stream.write(f"{text}\n")
        self._stream.flush()


class _Bars(Activity):
    """For people: one bar for all bytes and one each for the largest files under way."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._phase = progress.add_task("", total=None, visible=False)
        self._overall: TaskID | None = None
        self._files: dict[str, TaskID] = {}

    def step(self, text: str) -> None:
        self._progress.update(self._phase, description=text, visible=True)

    def expect(self, count: int, total: int | None, places: Sequence[Place] = ()) -> None:
        self._progress.update(self._phase, visible=False)
        self._overall = self._progress.add_task(f"{files(count)}{origins(places)}", total=total)

    def started(self, name: str, total: int | None) -> None:
        shown = len(self._files) < _SHOWN
        self._files[name] = self._progress.add_task(name.split("-", maxsplit=1)[0], total=total, visible=shown)

    def resumed(self, name: str, count: int) -> None:
        """It counts as done, but not as fast: the clock of a bar that is reset begins anew."""
        for task, remark in ((self._files.get(name), f" ({size(count)} from before)"), (self._overall, "")):
            if task is not None:
                now = next(each for each in self._progress.tasks if each.id == task)
                whole = int(now.completed) + count
                self._progress.reset(task, completed=whole, description=now.description + remark)

    def advanced(self, name: str, count: int) -> None:
        if name in self._files:
            self._progress.update(self._files[name], advance=count)
        if self._overall is not None:
            self._progress.update(self._overall, advance=count)

    def finished(self, name: str) -> None:
        if name in self._files:
            self._progress.remove_task(self._files.pop(name))
        for task in list(self._files.values())[:_SHOWN]:
            self._progress.update(task, visible=True)


class Console:
    """Where everything for people is written. `quiet` leaves warnings and errors only."""

    def __init__(self, *, quiet: bool = False, verbose: bool = False, json_log: bool = False) -> None:
        self.verbose = verbose
        self._log = EventLog(_written) if json_log else None
        self._quiet = quiet
        self._terminal = sys.stderr.isatty()

    @contextmanager
    def activity(self) -> Iterator[Activity]:
        """Progress for the time of the block, in the form that fits where standard error goes."""
        if self._log is not None:
            yield self._log
        elif self._quiet:
            yield Activity()
        elif not self._terminal:
            lines = _Lines(sys.stderr)
            with lines.watched():
                yield lines
        else:
            with _progress() as progress:
                yield _Bars(progress)

    def say(self, text: str, style: str = "") -> None:
        """A line of the summary."""
        if self._log is not None:
            self._log.event("say", text=text)
        elif not self._quiet:
            self._write(text, style)

    def warn(self, text: str) -> None:
        """A line that is said even when quiet."""
        if self._log is not None:
            self._log.event("warning", text=text)
        else:
            self._write(f"warning: {text}", "warning")

    def failed(self, error: BootstrapError) -> bool:
        """Note in the log why a command ends, if there is a log."""
        if self._log is not None:
            self._log.event("error", text=str(error), exit_code=error.exit_code)
        return self._log is not None

    def result(self, text: str) -> None:
        """What was asked for, on standard output."""
        text = harmless(text)
        sys.stdout.write(text if text.endswith("\n") else f"{text}\n")
        sys.stdout.flush()

    def json(self, document: Mapping[str, Any]) -> None:
        """The one JSON document of `--json`, on standard output."""
        self.result(json.dumps(document, indent=2, sort_keys=False))

    def changes(self, added: Iterable[str], removed: Iterable[str], changed: Iterable[str]) -> None:
        """One line per package: what is new, what is gone, what is another."""
        for sign, names in (("+", added), ("-", removed), ("~", changed)):
            for name in names:
                self.say(f" {sign} {name}", sign)

    def _write(self, text: str, style: str) -> None:
        text = harmless(text)
        if not self._terminal or style not in _STYLES:
            sys.stderr.write(f"{text}\n")
            return
        from rich.console import Console as Paint  # noqa: PLC0415 - 40 ms that a log need not pay
        from rich.text import Text  # noqa: PLC0415

        Paint(stderr=True, soft_wrap=True, highlight=False).print(Text(text, style=_STYLES[style]))


def _written(line: str) -> None:
    sys.stderr.write(line)
    sys.stderr.flush()


def _progress() -> Progress:
    from rich.console import Console as Paint  # noqa: PLC0415 - only where there is a terminal
    from rich.progress import (  # noqa: PLC0415
        BarColumn,
        DownloadColumn,
        Progress,
        SpinnerColumn,
        TextColumn,
        TimeRemainingColumn,
        TransferSpeedColumn,
    )

    class Bytes(Progress):
        """Bars for what has bytes, a spinner and its text for what has not."""

        def get_renderables(self) -> Iterator[Any]:
            visible = [task for task in self.tasks if task.visible]
            phases = [task for task in visible if not task.total and not task.completed]
            self.columns = (SpinnerColumn(), TextColumn("{task.description}"))
            yield self.make_tasks_table(phases)
            self.columns = (
                TextColumn("{task.description}"),
                BarColumn(),
                DownloadColumn(),
                TransferSpeedColumn(),
                TimeRemainingColumn(),
            )
            yield self.make_tasks_table([task for task in visible if task not in phases])

    return Bytes(console=Paint(stderr=True), transient=True, refresh_per_second=10)
