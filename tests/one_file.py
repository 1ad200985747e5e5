"""torchstrap.pyz for tests, built once for all processes of a run, and the Pythons of this machine that can run it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
_NAME = re.compile(r"python3\.(\d+)")


@pytest.fixture(scope="session")
def pyz(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file, as `python -m bootstrap.zipapp` builds it here and now."""
    import fcntl  # noqa: PLC0415 - not everywhere

    folder = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        folder = folder.parent  # the one that the processes share
    file = folder / "torchstrap.pyz"
    with (folder / "torchstrap.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not file.exists():
            build(file, folder / "torchstrap-cache")
    return file


def build(file: Path, cache: Path, **variables: str) -> str:
    """Build it; what that says. The wheels come from where pip gets them on this machine."""
    environ = {**_plain(os.environ), "TORCHSTRAP_CACHE_DIR": str(cache), **variables}
    command = [sys.executable, "-m", "bootstrap.zipapp", "-o", str(file)]
    done = subprocess.run(command, cwd=ROOT, env=environ, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def _plain(environ: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in environ.items() if not name.startswith(("TORCHSTRAP_", "SOURCE_DATE_"))}


def pythons(lowest: int, highest: int) -> list[Path]:
    """One Python of each minor version in a range, wherever version managers and the system have them."""
    home = Path.home()
    folders = [Path(each) for each in os.environ.get("PATH", "").split(os.pathsep) if each]
    folders += sorted((Path(os.environ.get("PYENV_ROOT", home / ".pyenv")) / "versions").glob("*/bin"))
    folders += sorted((home / ".local/share/uv/python").glob("*/bin"))
    found = {sys.version_info.minor: Path(sys.executable)} if lowest <= sys.version_info.minor <= highest else {}
    for minor, path in (each for folder in folders for each in _named(folder)):
        if lowest <= minor <= highest and minor not in found and _runs(path):
            found[minor] = path
    return [path for _, path in sorted(found.items())]


def _named(folder: Path) -> Iterator[tuple[int, Path]]:
    """Executables called python3.N, but not the scripts that some version managers put in front of theirs."""
    for path in sorted(folder.glob("python3.*")):
        name = _NAME.fullmatch(path.name)
        if name and path.is_file() and path.read_bytes()[:2] != b"#!":
            yield int(name[1]), path


def _runs(path: Path) -> bool:
    return subprocess.run([path, "-c", ""], check=False, capture_output=True).returncode == 0
