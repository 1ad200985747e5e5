"""`doctor` on places where something is wrong, and on one where nothing is."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.acceptance.running import Workplace, pyproject, recorded
from tests.replica import Replica

SHARED_MEMORY = Path("/dev", "shm")  # on Linux, a file system of its own nearly everywhere


def examined(place: Workplace, *words: str) -> dict[str, str]:
    """What is wrong, by check."""
    done = place.run("doctor", "--json", *words)
    document = json.loads(done.stdout)
    assert document["schema"] == "torchstrap.doctor/1"
    assert done.returncode == (1 if document["findings"] else 0), done.stderr
    assert all(each["remedy"] for each in document["findings"])
    return {each["check"]: each["problem"] for each in document["findings"]}


@pytest.fixture
def quiet(workplace: Workplace) -> Workplace:
    """A workplace in which no Python of this machine, nor its GPU, is of interest."""
    names = ("VIRTUAL_ENV", "CONDA_PREFIX", "PYTHONPATH", "SSL_CERT_FILE", "SSL_CERT_DIR")
    root = {"PYTHONPATH": str(Path(__file__).parents[2])}
    return workplace.with_variables(**{name: root.get(name, "") for name in names})


@pytest.fixture
def synced(quiet: Workplace) -> Workplace:
    quiet.write(pyproject("torch==2.6.0"))
    quiet.sync("--variant", "cpu")
    return quiet


def snapshot(folder: Path) -> set[tuple[str, int]]:
    return {(str(each), each.lstat().st_mtime_ns) for each in folder.rglob("*") if not each.is_dir()}


def test_says_that_nothing_is_wrong_and_changes_nothing(synced: Workplace) -> None:
    before = snapshot(synced.folder), snapshot(synced.cache)
    done = synced.run("doctor")
    assert (done.returncode, done.stdout) == (0, "")
    assert done.stderr == "Nothing is wrong with this machine and the environment.\n"
    assert (snapshot(synced.folder), snapshot(synced.cache)) == before


def test_needs_neither_a_project_nor_an_environment(quiet: Workplace) -> None:
    assert examined(quiet) == {}
    assert not list(quiet.folder.iterdir())


def test_tells_people_the_problem_and_below_it_the_remedy(synced: Workplace) -> None:
    synced.write(pyproject("torch==2.6.0", "jinja2"))
    done = synced.run("doctor")
    assert done.returncode == 1
    problem, remedy = done.stdout.splitlines()
    assert problem.startswith(str(synced.folder / "pylock.toml"))
    assert remedy == "  run `torchstrap lock`"


@pytest.mark.parametrize("text", ["", "{", 'lock-version = "9"\n'], ids=["empty", "garbled", "newer"])
def test_a_lock_that_cannot_be_read(synced: Workplace, text: str) -> None:
    (synced.folder / "pylock.toml").write_text(text)
    assert "pylock.toml" in examined(synced)["lock"]


def test_a_project_that_cannot_be_read(synced: Workplace) -> None:
    synced.write("[project\n")
    assert "pyproject.toml" in examined(synced)["settings"]


def test_packages_that_a_hand_added_and_removed(synced: Workplace, replica: Replica) -> None:
    url = replica.add_wheel("default", "stowaway", "1")
    pip = [sys.executable, "-m", "pip", "--python", str(synced.python), "install", "-q", "--no-deps", "--no-index", url]
    subprocess.run(pip, env={**synced.variables(), "PIP_DISABLE_PIP_VERSION_CHECK": "1"}, check=True)
    assert "added stowaway 1" in examined(synced)["drift"]
    kept = synced.run("sync", "--variant", "cpu", "--keep-extras")
    assert kept.returncode == 0, kept.stderr
    assert examined(synced) == {}, "what was kept is known"


def test_files_that_verify_found(synced: Workplace) -> None:
    (module,) = (synced.folder / ".venv" / "lib").glob("python*/site-packages/typing_extensions/__init__.py")
    text = module.read_bytes()
    module.unlink()
    module.write_bytes(b"#" + text[1:])
    assert examined(synced) == {}, "bytes are what `verify` reads"
    assert synced.run("verify").returncode == 1
    assert "`verify` found files" in examined(synced)["drift"]


def test_an_environment_of_somebody_else(quiet: Workplace) -> None:
    (quiet.folder / ".venv").mkdir()
    (quiet.folder / ".venv" / "pyvenv.cfg").write_text("home = /usr/bin\n")
    assert "did not make" in examined(quiet)["foreign"]


def test_what_killed_runs_have_left(synced: Workplace) -> None:
    (synced.folder / ".venv.generations" / "x.building-999999999").mkdir()
    assert "x.building-999999999" in examined(synced)["litter"]


@pytest.mark.parametrize("source", ["TORCHSTRAP_CERT", "PIP_CERT", "SSL_CERT_FILE", "TORCHSTRAP_CLIENT_CERT"])
def test_certificates_that_are_not_there_or_are_none(quiet: Workplace, tmp_path: Path, source: str) -> None:
    file = tmp_path / "certificates.pem"
    place = quiet.with_variables(**{source: str(file)})
    assert "no such file" in examined(place)["certificates"]
    file.write_text("no certificate")
    assert "no certificate is in it" in examined(place)["certificates"]


def test_settings_that_make_no_sense(quiet: Workplace) -> None:
    assert "TORCHSTRAP_TIMEOUT" in examined(quiet.with_variables(TORCHSTRAP_TIMEOUT="soon"))["settings"]


def another_python(tmp_path: Path, torch: str) -> Path:
    """The `bin` of an environment with another torch."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", tmp_path / "other"], check=True)
    (site,) = (tmp_path / "other" / "lib").glob("python*/site-packages")
    (site / f"torch-{torch}.dist-info").mkdir()
    (site / f"torch-{torch}.dist-info" / "METADATA").write_text(
        f"Metadata-Version: 2.1\nName: torch\nVersion: {torch}\n"
    )
    return tmp_path / "other" / "bin"


def test_another_environment_that_is_active(synced: Workplace, tmp_path: Path) -> None:
    scripts = another_python(tmp_path, "2.4.0")
    on_path = synced.with_variables(PATH=f"{scripts}{os.pathsep}{os.environ['PATH']}")
    assert "whose torch is 2.4.0; that of" in examined(on_path)["other-python"]
    active = on_path.with_variables(VIRTUAL_ENV=str(scripts.parent))
    assert list(examined(active)) == ["active"]
    ours = synced.with_variables(PATH=f"{synced.folder / '.venv/bin'}{os.pathsep}{os.environ['PATH']}")
    assert examined(ours.with_variables(VIRTUAL_ENV=str(synced.folder / ".venv"))) == {}


def test_a_torch_that_goes_before_all_others(synced: Workplace, tmp_path: Path) -> None:
    (tmp_path / "torch").mkdir()
    (tmp_path / "torch" / "__init__.py").write_text("")
    path = f"{synced.variables()['PYTHONPATH']}{os.pathsep}{tmp_path}"
    assert str(tmp_path) in examined(synced.with_variables(PYTHONPATH=path))["shadows"]


def test_a_machine_whose_gpu_has_no_driver(quiet: Workplace, tmp_path: Path) -> None:
    machine = recorded("linux-x86_64-rtx4090-without-driver-cpu", tmp_path)
    assert "no NVIDIA driver" in examined(quiet.with_variables(TORCHSTRAP_MACHINE=str(machine)))["driver"]
    (tmp_path / "none.json").write_text("{")
    broken = quiet.with_variables(TORCHSTRAP_MACHINE=str(tmp_path / "none.json")).run("doctor")
    assert (broken.returncode, broken.stdout) == (78, "")


@pytest.mark.skipif(not SHARED_MEMORY.is_dir(), reason="no second file system is at hand")
def test_a_cache_on_another_file_system(quiet: Workplace, tmp_path: Path) -> None:
    if SHARED_MEMORY.stat().st_dev == tmp_path.stat().st_dev:
        pytest.skip("it is one file system")
    found = examined(quiet, "--cache-dir", str(SHARED_MEMORY / "torchstrap-that-is-not-there"))
    assert "cannot share files" in found["sharing"]
