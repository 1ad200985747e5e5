"""Running torchstrap as a person would: a process, a folder, indexes on 127.0.0.1, nothing of this machine's setup."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from bootstrap.project.settings import default_index
from probes import LocalHost, probe
from tests.machines.unpack import unpack
from tests.replica import Replica

ROOT = Path(__file__).parent.parent.parent


def pyproject(*dependencies: str, more: str = "") -> str:
    """A project that has dependencies and, at the end, whatever else."""
    listed = ", ".join(map(json.dumps, dependencies))
    return f'[project]\nname = "minimal"\nversion = "1"\ndependencies = [{listed}]\n{more}'


def recorded(machine: str, folder: Path) -> Path:
    """The `probe --json` of one of the machines in tests/machines, for TORCHSTRAP_MACHINE and `choose --machine`."""
    found = probe(LocalHost(unpack(f"{machine}.txt", folder / machine), {}))
    file = folder / f"{machine}.json"
    file.write_text(json.dumps(found.to_json()))
    return file


@dataclass(frozen=True)
class Workplace:
    """A project folder, a cache, and a replica that stands for the PyTorch indexes and the default index."""

    folder: Path
    cache: Path
    replica: Replica
    environ: Mapping[str, str] = field(default_factory=dict)
    program: tuple[str, ...] = (sys.executable, "-m", "bootstrap")

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """One command of ours, with the exit code as it comes."""
        return subprocess.run(
            [*self.program, *arguments],
            cwd=self.folder,
            env=self.variables(),
            capture_output=True,
            text=True,
            timeout=180,
            check=False,
        )

    def variables(self) -> dict[str, str]:
        """The environment of a run: the mirrors, and nothing of pip's."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("PIP_", "TORCHSTRAP_"))}
        mirrors = {
            "https://download.pytorch.org/whl": self.replica.pytorch,
            default_index(): self.replica.default_index,
        }
        return kept | {
            "PIP_CONFIG_FILE": os.devnull,
            "PYTHONPATH": str(ROOT),
            "TORCHSTRAP_MIRRORS": " ".join(f"{source}={target}" for source, target in mirrors.items()),
            "TORCHSTRAP_CACHE_DIR": str(self.cache),
            **self.environ,
        }

    def with_variables(self, **variables: str) -> Workplace:
        """The same place for somebody whose environment says more."""
        return replace(self, environ={**self.environ, **variables})

    def sync(self, *arguments: str) -> dict[str, Any]:
        """A sync that has to succeed; what it reports."""
        done = self.run("sync", "--json", *arguments)
        assert done.returncode == 0, done.stderr
        outcome: dict[str, Any] = json.loads(done.stdout)
        return outcome

    @property
    def python(self) -> Path:
        """The interpreter of the environment."""
        return self.folder / ".venv" / "bin" / "python"

    def write(self, text: str) -> None:
        """A pyproject.toml for the project."""
        (self.folder / "pyproject.toml").write_text(text)
