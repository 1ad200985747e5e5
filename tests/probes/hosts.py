"""Hosts for tests: one that notes what is asked of another, and one that answers from memory."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

from probes import LocalHost, Unknown, probe
from probes.host import LIMIT, Host
from tests.machines.unpack import machines, unpack

__all__ = ["Asked", "Remembered", "asked_of_machines"]


@dataclass
class Asked:
    """A host that answers as another one does and notes the paths, variables, questions and programs asked for."""

    host: Host
    paths: set[str] = field(default_factory=set)
    folders: set[str] = field(default_factory=set)
    variables: set[str] = field(default_factory=set)
    questions: set[str] = field(default_factory=set)
    programs: set[str] = field(default_factory=set)

    running = False

    @property
    def environ(self) -> Mapping[str, str]:
        return _Noted(self.host.environ, self.variables)

    def read_bytes(self, path: str, limit: int = LIMIT) -> bytes | Unknown | None:
        self.paths.add(path)
        return self.host.read_bytes(path, limit)

    def read_text(self, path: str, limit: int = LIMIT) -> str | Unknown | None:
        self.paths.add(path)
        return self.host.read_text(path, limit)

    def exists(self, path: str) -> bool:
        self.paths.add(path)
        return self.host.exists(path)

    def names(self, path: str) -> tuple[str, ...]:
        self.folders.add(path)
        return self.host.names(path)

    def stamp(self, path: str) -> str | None:
        return self.host.stamp(path)

    def told(self, question: str) -> str | None:
        self.questions.add(question)
        return self.host.told(question)

    def run(
        self, command: Sequence[str], timeout: float, environ: Mapping[str, str] | None = None, name: str = ""
    ) -> str | Unknown:
        self.programs.add(name or Path(command[0]).name)
        return self.host.run(command, timeout, environ, name)


class _Noted(dict[str, str]):
    def __init__(self, environ: Mapping[str, str], seen: set[str]) -> None:
        super().__init__(environ)
        self._seen = seen

    def get(self, name: str, default: str | None = None) -> str | None:  # type: ignore[override]
        self._seen.add(name)
        return super().get(name, default)


@lru_cache(maxsize=1)
def asked_of_machines() -> Asked:
    """Everything that probes asked of the recorded machines: a probe that asks for more is covered without a word."""
    noted = Asked(LocalHost("/", {}))
    for machine in machines():
        with tempfile.TemporaryDirectory() as folder:
            noted.host = LocalHost(unpack(machine, Path(folder)), {})
            probe(noted)
    return noted


@dataclass
class Remembered:
    """A machine in memory: contents by path, and what no file tells."""

    files: Mapping[str, bytes] = field(default_factory=dict)
    environ: Mapping[str, str] = field(default_factory=dict)
    answers: Mapping[str, str] = field(default_factory=dict)
    output: Mapping[str, str | Unknown] = field(default_factory=dict)

    running = False

    def read_bytes(self, path: str, limit: int = LIMIT) -> bytes | Unknown | None:
        content = self.files.get(path)
        return None if content is None else content[:limit]

    def read_text(self, path: str, limit: int = LIMIT) -> str | Unknown | None:
        content = self.read_bytes(path, limit)
        return content.decode(errors="replace") if isinstance(content, bytes) else content

    def exists(self, path: str) -> bool:
        return path in self.files or bool(self.names(path))

    def names(self, path: str) -> tuple[str, ...]:
        inside = f"{path.rstrip('/')}/"
        return tuple(sorted({each[len(inside) :].partition("/")[0] for each in self.files if each.startswith(inside)}))

    def stamp(self, path: str) -> str | None:
        return str(len(self.files[path])) if path in self.files else None

    def told(self, question: str) -> str | None:
        return self.answers.get(question)

    def run(
        self, command: Sequence[str], timeout: float, environ: Mapping[str, str] | None = None, name: str = ""
    ) -> str | Unknown:
        del timeout, environ
        return self.output.get(name or Path(command[0]).name, Unknown("nobody knows that program"))
