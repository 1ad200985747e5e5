"""Recordings: what probes ask of one machine, as a folder that answers the same on another.

    FOLDER/proc/cpuinfo …            every file that was read, and an empty one for everything that was seen
    FOLDER/.torchstrap/answers.json  what no file tells (see probes/host.py)

`LocalHost(FOLDER)` reads it. Serial numbers, UUIDs, network addresses, host and user names are masked.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from probes.host import ANSWERS, LIMIT, Host, Interrupted
from probes.machine import Unknown
from probes.masks import Mask

__all__ = ["Recorder", "personal_names", "write_recording"]

_CROWDED = re.compile(r"^/(dev|usr|opt|run|lib|lib64|var|etc)(/|$)")
"""Folders of which only names that speak of accelerators are kept: the rest is nobody's business, and many."""
_ACCELERATORS = re.compile(
    r"nv|cuda|rocm|hip|hsa|kfd|^dri|render|^card|^accel|dxg|habana|^hl\d|davinci|ascend|^ze_|libze|tpu|apex|vfio",
    re.IGNORECASE,
)
_MOUNTS = "/proc/self/mountinfo"


class _Watched(Mapping[str, str]):
    """An environment that keeps what it was asked for."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = environ
        self.seen: dict[str, str] = {}

    def __getitem__(self, name: str) -> str:
        self.seen[name] = self._environ[name]
        return self.seen[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._environ)

    def __len__(self) -> int:
        return len(self._environ)


class Recorder:
    """A host that answers as another one does, and keeps the answers."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self._watched = _Watched(host.environ)
        self.running = host.running
        self.environ: Mapping[str, str] = self._watched
        self.files: dict[str, bytes] = {}
        self.present: set[str] = set()
        self.answers: dict[str, str] = {}
        self.output: dict[str, str | Unknown] = {}

    @property
    def variables(self) -> Mapping[str, str]:
        """The variables that were asked for and set."""
        return self._watched.seen

    def read_bytes(self, path: str, limit: int = LIMIT) -> bytes | Unknown | None:
        content = self._host.read_bytes(path, limit)
        if isinstance(content, bytes) and len(content) >= len(self.files.get(path, b"")):
            self.files[path] = content
        return content

    def read_text(self, path: str, limit: int = LIMIT) -> str | Unknown | None:
        content = self.read_bytes(path, limit)
        return content.decode(errors="replace") if isinstance(content, bytes) else content

    def exists(self, path: str) -> bool:
        found = self._host.exists(path)
        if found:
            self.present.add(path)
        return found

    def names(self, path: str) -> tuple[str, ...]:
        found = self._host.names(path)
        for name in found:
            if not _CROWDED.match(path) or _ACCELERATORS.search(name):
                self.present.add(f"{path.rstrip('/')}/{name}")
        return found

    def stamp(self, path: str) -> str | None:
        return self._host.stamp(path)

    def told(self, question: str) -> str | None:
        answer = self._host.told(question)
        if answer is not None:
            self.answers[question] = answer
        return answer

    def run(
        self, command: Sequence[str], timeout: float, environ: Mapping[str, str] | None = None, name: str = ""
    ) -> str | Unknown:
        output = self._host.run(command, timeout, environ, name)
        self.output[name or Path(command[0]).name] = output
        return output


def personal_names(host: Host) -> tuple[str, ...]:
    """The name of the host, which recordings leave out. (Users' names go with their folders.)"""
    name = host.read_text("/proc/sys/kernel/hostname", 256)
    return tuple(filter(None, (name.strip() if isinstance(name, str) else "", host.environ.get("HOSTNAME", ""))))


def write_recording(recorder: Recorder, folder: Path, mask: Mask) -> None:
    """Write what a recorder kept. Raises FileExistsError for a folder that holds something, OSError if it cannot."""
    if folder.exists() and any(folder.iterdir()):
        raise FileExistsError(f"{folder} holds something already; name a new folder for the recording")
    output = {name: mask(_json(text)) for name, text in recorder.output.items()}  # first, as it names whole UUIDs
    for path, content in recorder.files.items():
        target = _inside(folder, mask(path))
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(_masked(path, content, mask))
    for path in sorted(recorder.present, reverse=True):  # what lies deeper comes first, and makes its folders
        target = _inside(folder, mask(path))
        target.parent.mkdir(parents=True, exist_ok=True)
        if not target.exists():
            target.touch()
    answers = {
        "environ": {name: mask(value) for name, value in recorder.variables.items()},
        "told": {name: answer for name, answer in recorder.answers.items() if name != "identity"},
        "output": {name: json.loads(text) for name, text in output.items()},
    }
    target = _inside(folder, ANSWERS)
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(json.dumps(answers, indent=1, sort_keys=True) + "\n", encoding="utf-8")


def _inside(folder: Path, path: str) -> Path:
    parts = re.sub(r"^[A-Za-z]:", "", path).replace("\\", "/").split("/")
    return folder.joinpath(*(part for part in parts if part not in ("", ".", "..")))


def _json(output: str | Unknown) -> str:
    if isinstance(output, Unknown):
        return json.dumps(
            {"unknown": output.reason, "output": output.output if isinstance(output, Interrupted) else ""}
        )
    return json.dumps(output)


def _masked(path: str, content: bytes, mask: Mask) -> bytes:
    if path == _MOUNTS:  # the rest names servers and people
        content = b"".join(line for line in content.splitlines(keepends=True) if line.split(b" ")[4:5] == [b"/"])
    try:
        return mask(content.decode()).encode()
    except UnicodeDecodeError:
        return content
