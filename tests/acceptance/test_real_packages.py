"""Real packages from the indexes that this machine is configured for; skipped, visibly, where there are none."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from bootstrap.errors import BootstrapError
from bootstrap.index.client import Client, NetworkSettings
from bootstrap.project.settings import default_index

ROOT = Path(__file__).parent.parent.parent
COMPUTE = "import torch; print(torch.__version__, (torch.ones(2) @ torch.ones(2)).item())"


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


def torchstrap(folder: Path, cache: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """One run with this machine's own configuration, pip's included."""
    environ = {name: value for name, value in os.environ.items() if not name.startswith("TORCHSTRAP_")}
    environ |= {"PYTHONPATH": str(ROOT), "TORCHSTRAP_CACHE_DIR": str(cache)}
    command = [sys.executable, "-m", "bootstrap", *arguments]
    return subprocess.run(command, cwd=folder, env=environ, capture_output=True, text=True, timeout=900, check=False)


def sync(folder: Path, cache: Path, *arguments: str) -> dict[str, Any]:
    done = torchstrap(folder, cache, "sync", "--json", *arguments)
    assert done.returncode == 0, done.stderr
    outcome: dict[str, Any] = json.loads(done.stdout)
    return outcome


@pytest.fixture(scope="module")
def network() -> None:
    """The default index answers."""
    with Client(NetworkSettings(timeout=10, retries=1)) as client:
        try:
            client.get(f"{default_index()}/pip/")
        except BootstrapError as error:
            pytest.skip(f"the default index cannot be reached: {error}")


def configured_wheels() -> Sequence[str]:
    """Wheels of torch for this Python in the folders that pip's `find-links` names."""
    listed = subprocess.run(
        [sys.executable, "-m", "pip", "config", "list"], capture_output=True, text=True, check=False
    )
    places = [line.partition("=")[2].strip("'\" ") for line in listed.stdout.splitlines() if "find-links" in line]
    tag = f"cp{sys.version_info[0]}{sys.version_info[1]}"
    folders = {Path(place.removeprefix("file://")) for several in places for place in several.split()}
    return [wheel.name for folder in folders if folder.is_dir() for wheel in folder.glob(f"torch-*+cpu-{tag}-*.whl")]


@pytest.mark.usefixtures("network")
def test_the_example_runs_real_torch_from_where_pip_is_told_to_look(tmp_path: Path, cache: Path) -> None:
    if not configured_wheels():
        pytest.skip("pip's find-links has no CPU build of torch for this Python")
    example = tmp_path / "quickstart"
    shutil.copytree(ROOT / "examples" / "quickstart", example, ignore=shutil.ignore_patterns(".venv*", "pylock*"))
    outcome = sync(example, cache, "--variant", "cpu")
    (torch,) = [each for each in outcome["packages"] if each["name"] == "torch"]
    assert torch["version"].endswith("+cpu")
    assert not [each for each in outcome["packages"] if each["name"].startswith("nvidia-") or each["name"] == "triton"]
    if not torch["index"].startswith("https://download.pytorch.org"):
        assert any("https://download.pytorch.org/whl/cpu" in warning for warning in outcome["warnings"])
    ran = torchstrap(example, cache, "run", "--variant", "cpu", "--", "python", "-c", COMPUTE)
    assert ran.stdout == f"{torch['version']} 2.0\n", ran.stderr
    assert sync(example, cache, "--variant", "cpu")["changed"] is False


@pytest.mark.usefixtures("network")
@pytest.mark.skipif(sys.version_info < (3, 11), reason="the project is for Python 3.11 and newer")
def test_two_hundred_real_packages_resolve_install_and_verify(tmp_path: Path, cache: Path) -> None:
    folder = tmp_path / "two-hundred"
    shutil.copytree(ROOT / "tests" / "projects" / "two-hundred", folder)
    outcome = sync(folder, cache)
    assert len(outcome["packages"]) >= 200
    python = folder / ".venv" / "bin" / "python"
    script = (
        "import transformers, datasets, sklearn, matplotlib, fastapi, langchain, kedro, diffusers; print('imported')"
    )
    imported = subprocess.run([python, "-c", script], capture_output=True, text=True, check=False)
    assert imported.stdout.endswith("imported\n"), imported.stderr
    checked = [sys.executable, "-m", "pip", "--python", str(python), "check"]
    assert subprocess.run(checked, capture_output=True, text=True, check=False).returncode == 0
    assert torchstrap(folder, cache, "verify").returncode == 0
    assert sync(folder, cache)["changed"] is False
