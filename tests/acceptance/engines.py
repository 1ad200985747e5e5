"""What tests of real engines share: the engine comes from the default index, torch from the replica."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from bootstrap.errors import BootstrapError
from bootstrap.index.client import Client, NetworkSettings
from bootstrap.project.settings import default_index
from tests.acceptance.running import ROOT

__all__ = ["Site", "needs_published"]


def needs_published(package: str, tag: str) -> None:
    """Skip the test, with the reason, where the default index has no wheel with this tag in its name."""
    with Client(NetworkSettings(timeout=10, retries=1)) as client:
        try:
            page = client.get(f"{default_index()}/{package}/").body
        except BootstrapError as error:
            pytest.skip(f"the default index has no {package} for us: {error}")
    if tag.encode() not in page:
        pytest.skip(f"the default index has no {package} with {tag}, which this Python needs")


@dataclass(frozen=True)
class Site:
    """A machine as it is configured, network and all, but for torch's wheels, a project's folder and a cache."""

    folder: Path
    cache: Path
    pytorch: str
    program: tuple[str, ...] = (sys.executable, "-m", "bootstrap")

    def variables(self) -> Mapping[str, str]:
        """The environment of processes."""
        kept = {
            name: value for name, value in os.environ.items() if not name.startswith(("TORCHSTRAP_", "RAY_", "DASK_"))
        }
        return kept | {
            "PYTHONPATH": str(ROOT),
            "TORCHSTRAP_MIRRORS": f"https://download.pytorch.org/whl={self.pytorch}",
            "TORCHSTRAP_CACHE_DIR": str(self.cache),
        }

    def run(self, *words: str, **variables: str) -> str:
        """A command of ours that has to succeed; its standard output."""
        done = subprocess.run(
            [*self.program, *words],
            cwd=self.folder,
            env={**self.variables(), **variables},
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def lock(self) -> None:
        """Lock for this Python on Linux, as whoever runs a cluster would for its."""
        version = f"{sys.version_info[0]}.{sys.version_info[1]}"
        self.run("lock", "--python-version", version, "--platform", f"linux_{os.uname().machine}")
