"""Running from a checkout: what we are made of is fetched once, into a place of its own, or a sentence says why not."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.making import make_wheel

ROOT = Path(__file__).parent.parent
PROVIDE = """
import sys
from bootstrap import checkout
problem = checkout.provide()
print(problem or "ready")
if problem is None:
    import onlyone
    print(onlyone.__file__)
    print([entry for entry in sys.path if "checkout" in entry] == [sys.path[-1]] or "before site-packages")
"""


@dataclass(frozen=True)
class Clone:
    """A clone whose only dependency lies in a folder of wheels, for a Python that has pip and nothing else."""

    folder: Path
    place: Path
    wheels: Path
    python_path: str

    def provide(self, **variables: str) -> subprocess.CompletedProcess[str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("PIP_", "XDG_"))}
        environ = {
            **kept,
            "PYTHONPATH": self.python_path,
            "TORCHSTRAP_TOOL_DIR": str(self.place),
            "PIP_CONFIG_FILE": os.devnull,
            "PIP_NO_INDEX": "1",
            "PIP_FIND_LINKS": str(self.wheels),
            "PIP_DISABLE_PIP_VERSION_CHECK": "1",
            **variables,
        }
        return subprocess.run(
            [sys.executable, "-S", "-c", PROVIDE],
            env=environ,
            cwd=self.folder,
            capture_output=True,
            text=True,
            check=False,
        )

    def places(self) -> list[Path]:
        return sorted((self.place / "torchstrap" / "checkout").iterdir())


@pytest.fixture
def clone(tmp_path: Path) -> Clone:
    folder, libraries, wheels = tmp_path / "clone", tmp_path / "libraries", tmp_path / "wheels"
    wheels.mkdir()
    libraries.mkdir()
    shutil.copytree(ROOT / "bootstrap", folder / "bootstrap", ignore=shutil.ignore_patterns("__pycache__"))
    (folder / "pyproject.toml").write_text('[project]\nname = "torchstrap"\ndependencies = ["onlyone>=1"]\n')
    make_wheel(wheels, "onlyone", "1.0", files={"onlyone.py": b"VERSION = 1\n"})
    specification = importlib.util.find_spec("pip")
    if specification is None or specification.origin is None:
        pytest.skip("this Python has no pip")
    (libraries / "pip").symlink_to(Path(specification.origin).parent)
    return Clone(folder, tmp_path / "tools", wheels, f"{folder}{os.pathsep}{libraries}")


def test_fetches_once_into_a_place_of_its_own(clone: Clone) -> None:
    first = clone.provide()
    assert first.returncode == 0, first.stderr
    answer, file, _ = first.stdout.splitlines()
    assert answer == "ready"
    assert clone.place in Path(file).parents
    assert "once" in first.stderr
    second = clone.provide(PIP_FIND_LINKS="/nowhere")
    assert (second.stdout, second.stderr) == (first.stdout, "")
    assert len(clone.places()) == 1


def test_another_list_makes_another_place(clone: Clone) -> None:
    assert clone.provide().returncode == 0
    (clone.folder / "pyproject.toml").write_text('[project]\nname = "torchstrap"\ndependencies = ["onlyone>=0.5"]\n')
    assert clone.provide().returncode == 0
    assert len(clone.places()) == 2


def test_what_pip_cannot_fetch_is_said_and_leaves_nothing(clone: Clone) -> None:
    done = clone.provide(PIP_FIND_LINKS="/nowhere")
    assert "pip could not fetch what torchstrap is made of" in done.stdout
    assert clone.places() == []
    assert clone.provide().stdout.startswith("ready")


@pytest.mark.skipif(sys.version_info < (3, 11), reason="Python 3.10 reads TOML with pip's help, and is asked before")
def test_a_python_without_pip_is_told_where_to_get_it(clone: Clone) -> None:
    (Path(clone.python_path.split(os.pathsep)[1]) / "pip").unlink()
    done = clone.provide()
    assert "has no pip" in done.stdout
    assert "python3-pip" in done.stdout
    assert not clone.place.exists()


def test_a_place_that_cannot_be_written_is_named(clone: Clone) -> None:
    clone.place.write_text("a file")
    done = clone.provide()
    assert "cannot be written" in done.stdout
    assert "TORCHSTRAP_TOOL_DIR" in done.stdout
    assert "Traceback" not in done.stderr


def test_an_installed_torchstrap_fetches_nothing(clone: Clone) -> None:
    (clone.folder / "torchstrap-1.0.dist-info").mkdir()
    done = clone.provide()
    assert done.stdout.startswith("ready")
    assert not clone.place.exists()
