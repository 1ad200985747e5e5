"""Whatever goes wrong or happens at once: the environment is the old one or the new one, and the lock loses nothing."""

from __future__ import annotations

import io
import json
import os
import shutil
import signal
import subprocess
import sys
import tarfile
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from bootstrap import toml
from tests.acceptance.running import Workplace, pyproject
from tests.replica import Replica, faults

SEEDS = Path(__file__).parent.parent / "projects"
IMPORTS = "import accelerate, typing_extensions; print('whole')"


def imports(workplace: Workplace) -> bool:
    done = subprocess.run([workplace.python, "-I", "-c", IMPORTS], capture_output=True, text=True, check=False)
    return done.stdout == "whole\n"


def spoil(workplace: Workplace) -> None:
    """A hand in the environment, so that it has to be built again."""
    (site,) = (workplace.folder / ".venv" / "lib").glob("python*/site-packages")
    shutil.rmtree(next(site.glob("certifi-*.dist-info")))


def test_an_environment_that_cannot_be_built_again_stays(tmp_path: Path) -> None:
    with Replica() as replica:
        folder = tmp_path / "project"
        folder.mkdir()
        place = Workplace(folder, tmp_path / "cache", replica)
        place.write(pyproject("accelerate", "torch==2.6.0"))
        place.sync("--variant", "cpu")
        before = (folder / ".venv").resolve()
        spoil(place)
        shutil.rmtree(place.cache / "wheels")
        replica.faults[r"\.whl$"] = faults.status(500)
        failed = place.with_variables(TORCHSTRAP_RETRIES="0").run("sync", "--variant", "cpu")
        assert failed.returncode == 69, failed.stderr
        assert (folder / ".venv").resolve() == before
        assert imports(place)
        replica.faults.clear()
        place.sync("--variant", "cpu")
        assert place.run("verify").returncode == 0


def test_a_kill_in_the_middle_leaves_the_old_environment(tmp_path: Path) -> None:
    with Replica(faults={r"\.whl$": "hang"}) as hanging, Replica() as good:
        folder = tmp_path / "project"
        folder.mkdir()
        place = Workplace(folder, tmp_path / "cache", good)
        place.write(pyproject("accelerate", "torch==2.6.0"))
        place.sync("--variant", "cpu")
        before, lock = (folder / ".venv").resolve(), (folder / "pylock.toml").read_bytes()
        stuck = Workplace(folder, tmp_path / "other-cache", hanging)
        command = [sys.executable, "-m", "bootstrap", "sync", "--variant", "cu124"]
        with subprocess.Popen(command, cwd=folder, env=stuck.variables(), stderr=subprocess.PIPE) as running:
            wait_until(lambda: bool(hanging.fetched(r"\.whl$")))
            running.kill()
        assert (folder / ".venv").resolve() == before
        assert (folder / "pylock.toml").read_bytes() == lock
        assert imports(place)
        assert place.sync("--variant", "cu124")["choice"]["variant"] == "cu124"
        assert not list((folder / ".venv.generations").glob("*building*"))


def wait_until(true: Callable[[], bool], seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.05)


@pytest.mark.skipif(os.name == "nt", reason="signals are POSIX's")
def test_an_interrupt_stops_a_run_that_waits_for_a_server(tmp_path: Path) -> None:
    with Replica(faults={r"/simple/": "hang"}) as hanging:
        folder = tmp_path / "project"
        folder.mkdir()
        place = Workplace(folder, tmp_path / "cache", hanging)
        place.write(pyproject("accelerate"))
        command = [sys.executable, "-m", "bootstrap", "sync"]
        with subprocess.Popen(command, cwd=folder, env=place.variables(), stderr=subprocess.PIPE) as running:
            wait_until(lambda: bool(hanging.fetched("/simple/")))
            running.send_signal(signal.SIGINT)
            # The server never answers; only an interrupt that is heard ends this.
            assert running.wait(timeout=15) == 130
        assert sorted(path.name for path in folder.iterdir()) == ["pyproject.toml"]


def test_a_lock_that_cannot_be_written_switches_nothing(workplace: Workplace) -> None:
    workplace.write(pyproject("typing-extensions"))
    (workplace.folder / "pylock.toml").mkdir()
    done = workplace.run("sync")
    assert done.returncode != 0
    assert "pylock.toml" in done.stderr
    assert "Traceback" not in done.stderr
    assert not (workplace.folder / ".venv").exists()


def test_two_environments_of_one_project_share_one_lock(workplace: Workplace) -> None:
    shutil.copy(SEEDS / "accelerate-9734" / "pyproject.toml", workplace.folder)
    text = (workplace.folder / "pyproject.toml").read_text()
    workplace.write(text.replace(">=3.12", ">=3.10"))
    running = [
        subprocess.Popen(
            [sys.executable, "-m", "bootstrap", "sync", "--extra", extra, "--venv", f"env-{extra}"],
            cwd=workplace.folder,
            env=workplace.variables(),
            stderr=subprocess.PIPE,
        )
        for extra in ("cpu", "cu124")
    ]
    for each in running:
        _, said = each.communicate(timeout=120)
        assert each.returncode == 0, said
    lock = (workplace.folder / "pylock.toml").read_text()
    assert "+cpu" in lock
    assert "+cu124" in lock


@pytest.mark.parametrize("variant", ["rocm6.4", "cu124"])
def test_any_variant_leaves_a_lock_that_can_be_read(workplace: Workplace, variant: str) -> None:
    workplace.write(pyproject("typing-extensions"))
    workplace.sync("--variant", variant)
    workplace.sync("--variant", "cpu")
    document = toml.load(workplace.folder / "pylock.toml")
    assert set(document["extras"]) == {variant.replace(".", "-"), "cpu"}


def test_a_variant_that_is_none_is_refused(workplace: Workplace) -> None:
    workplace.write(pyproject("typing-extensions"))
    done = workplace.run("sync", "--variant", "../../etc")
    assert done.returncode == 2
    assert "../../etc" in done.stderr


def source_distribution(name: str) -> bytes:
    """A package whose build writes down which torch it saw."""
    files = {
        "pyproject.toml": '[build-system]\nrequires = ["setuptools", "torch"]\n'
        'build-backend = "setuptools.build_meta"\n'
        f'[project]\nname = "{name}"\nversion = "1.0"\n[tool.setuptools]\npy-modules = ["{name}"]\n',
        "setup.py": "import setuptools, torch, pathlib\n"
        f"pathlib.Path('{name}.py').write_text(f'seen = {{torch.__version__!r}}')\nsetuptools.setup()\n",
        "PKG-INFO": f"Metadata-Version: 2.2\nName: {name}\nVersion: 1.0\n",
    }
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w:gz") as tar:
        for path, text in files.items():
            entry = tarfile.TarInfo(f"{name}-1.0/{path}")
            entry.size = len(text.encode())
            tar.addfile(entry, io.BytesIO(text.encode()))
    return archive.getvalue()


def test_what_is_built_with_torch_is_built_with_the_torch_of_its_environment(workplace: Workplace) -> None:
    name = "builtwithtorch"
    workplace.replica.add_file("default", name, "1.0", f"{name}-1.0.tar.gz", source_distribution(name))
    workplace.write(pyproject(name, "torch==2.6.0"))
    for variant in ("cpu", "cu124", "cpu"):
        workplace.sync("--variant", variant)
        script = f"import json, torch, {name}; print(json.dumps([torch.__version__, {name}.seen]))"
        done = subprocess.run([workplace.python, "-I", "-c", script], capture_output=True, text=True, check=True)
        installed, seen = json.loads(done.stdout)
        assert installed == seen == f"2.6.0+{variant}"
