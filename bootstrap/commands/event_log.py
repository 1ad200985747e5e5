"""What goes on as JSON, one object a line, for programs that watch: `--json-log`, on standard error.

Each object has "schema" ("torchstrap.log/1"), "time" (seconds since 1970) and "event":

    phase      "phase": probe, resolve, fetch, build, link, verify, wait or other; "text": for people
    expect     "files": number; "bytes": number?; "places": [{"name", "files", "bytes"}]: what comes from where
    begin      "file", "bytes": number?       a download begins
    resume     "file", "bytes"                so many are here from an earlier run
    progress   "file", "bytes": so many are here now, "of": number?; once a second for each file at most
    arrive     "file", "bytes"                all bytes are here, and the hash is the promised one
    unpack     "file", "bytes", "seconds"     its files are in the store, each proved by its RECORD
    say        "text"                         a line of the summary
    warning    "text"
    error      "text", "exit_code"            the last one, if the command failed

What is marked `?` may be null. Programs should pass over events and fields that they do not know.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from bootstrap.commands.activity import Activity, Place

__all__ = ["SCHEMA", "EventLog"]

SCHEMA = "torchstrap.log/1"
INTERVAL = 1.0  # seconds between two `progress` of one file
# By the first word of what people read.
PHASES = {
    "Looking": "probe",
    "Resolving": "resolve",
    "There": "resolve",
    "Asking": "fetch",
    "Fetching": "fetch",
    "Building": "build",
    "Installing": "link",
    "Verifying": "verify",
    "Waiting": "wait",
    "Reading": "bundle",
    "Writing": "bundle",
}


@dataclass(slots=True)
class _File:
    begin: float
    of: int | None
    here: int = 0
    told: float = 0.0


@dataclass(slots=True)
class EventLog(Activity):
    """Writes each event as a line. Safe to share between threads."""

    write: Callable[[str], object]
    clock: Callable[[], float] = time.time
    _files: dict[str, _File] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def event(self, name: str, **more: object) -> None:
        line = json.dumps({"schema": SCHEMA, "time": round(self.clock(), 3), "event": name, **more})
        with self._lock:
            self.write(f"{line}\n")

    def step(self, text: str) -> None:
        self.event("phase", phase=PHASES.get(text.partition(" ")[0], "other"), text=text)

    def expect(self, count: int, total: int | None, places: Sequence[Place] = ()) -> None:
        listed = [{"name": each.name, "files": each.files, "bytes": each.total} for each in places]
        self.event("expect", files=count, bytes=total, places=listed)

    def started(self, name: str, total: int | None) -> None:
        self._files[name] = _File(self.clock(), total)
        self.event("begin", file=name, bytes=total)

    def resumed(self, name: str, count: int) -> None:
        self._file(name).here += count
        self.event("resume", file=name, bytes=count)

    def advanced(self, name: str, count: int) -> None:
        file, now = self._file(name), self.clock()
        file.here += count
        if now - file.told >= INTERVAL:
            file.told = now
            self.event("progress", file=name, bytes=file.here, of=file.of)

    def arrived(self, name: str) -> None:
        self.event("arrive", file=name, bytes=self._file(name).here)

    def finished(self, name: str) -> None:
        file = self._file(name)
        self.event("unpack", file=name, bytes=file.here, seconds=round(self.clock() - file.begin, 3))

    def _file(self, name: str) -> _File:
        return self._files.setdefault(name, _File(self.clock(), None))
