"""What a hand does inside an environment is named by the next sync, and given up or, with `--keep-extras`, kept."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.running import Workplace, pyproject
from tests.replica import Replica

FULL = "Looking at this machine"


@pytest.fixture
def synced(workplace: Workplace) -> Workplace:
    workplace.write(pyproject("typing-extensions", "jinja2"))
    workplace.sync()
    return workplace


@pytest.fixture(scope="module")
def wheels() -> Iterator[Replica]:
    """Packages that only a person would install."""
    with Replica() as replica:
        yield replica


def pip(workplace: Workplace, *words: str) -> None:
    command = [sys.executable, "-m", "pip", "--python", str(workplace.python), *words]
    environ = {**workplace.variables(), "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
    subprocess.run(command, env=environ, check=True, capture_output=True)


def install(workplace: Workplace, wheel: str) -> None:
    pip(workplace, "install", "-q", "--no-deps", "--no-index", wheel)


def imports(workplace: Workplace, *modules: str) -> bool:
    script = "; ".join(f"import {each}" for each in modules)
    done = subprocess.run([workplace.python, "-I", "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 0 or "ModuleNotFoundError" in done.stderr, done.stderr
    return done.returncode == 0


def site(workplace: Workplace) -> Path:
    (found,) = (workplace.folder / ".venv" / "lib").glob("python*/site-packages")
    return found


def drift_in(outcome: dict[str, Any]) -> str:
    (found,) = (str(each) for each in outcome["warnings"] if "by hand" in each)
    return found


def test_names_what_was_added_changed_and_removed(synced: Workplace, wheels: Replica) -> None:
    install(synced, wheels.add_wheel("default", "stowaway", "1"))
    pip(synced, "install", "-q", "--no-deps", "--no-index", "--force-reinstall",
        wheels.add_wheel("default", "markupsafe", "0.1"))  # fmt: skip
    pip(synced, "uninstall", "-q", "-y", "typing-extensions")
    sentence = drift_in(synced.sync())
    assert "added stowaway 1" in sentence
    assert "changed markupsafe" in sentence
    assert "-> 0.1 (by pip)" in sentence
    assert "removed typing-extensions" in sentence
    assert "built again from the lock" in sentence
    assert "--keep-extras takes stowaway along" in sentence
    assert imports(synced, "typing_extensions", "jinja2")
    assert not imports(synced, "stowaway")
    assert FULL not in synced.run("sync").stderr, "once built there is nothing to do"


def test_names_a_package_whose_file_has_another_size(synced: Workplace) -> None:
    file = site(synced) / "typing_extensions" / "__init__.py"
    text = file.read_bytes()
    file.unlink()  # not in place: it is linked into the store
    file.write_bytes(text + b"# mine\n")
    (synced.folder / ".venv" / "torchstrap.stamp").unlink()
    assert "changed typing-extensions" in drift_in(synced.sync())
    assert (site(synced) / "typing_extensions" / "__init__.py").read_bytes() == text


def test_a_check_says_it_too_and_changes_nothing(synced: Workplace, wheels: Replica) -> None:
    install(synced, wheels.add_wheel("default", "stowaway", "1"))
    done = synced.run("sync", "--check")
    assert done.returncode == 1
    assert "added stowaway 1" in done.stderr
    assert imports(synced, "stowaway")


def test_keeps_what_was_added_without_building_anything(synced: Workplace, wheels: Replica) -> None:
    install(synced, wheels.add_wheel("default", "stowaway", "1"))
    before = (synced.folder / ".venv").resolve()
    outcome = synced.sync("--keep-extras")
    assert (synced.folder / ".venv").resolve() == before
    assert outcome["changed"] is False
    assert outcome["extras"] == [{"name": "stowaway", "version": "1"}]
    assert "stowaway was added by hand and stays" in drift_in(outcome)
    assert synced.run("verify").returncode == 0, "what was kept is known"
    assert "--keep-extras takes stowaway along" in drift_in(synced.sync()), "without it, the lock is what counts"
    assert not imports(synced, "stowaway")


def test_takes_what_was_added_along_into_the_next_environment(synced: Workplace, wheels: Replica) -> None:
    files = {"stowaway.py": b"def main(): print('stowed')\n"}
    install(synced, wheels.add_wheel("default", "stowaway", "1", files=files, scripts={"stow": "stowaway:main"}))
    synced.write(pyproject("typing-extensions", "jinja2", "certifi"))
    outcome = synced.sync("--keep-extras")
    assert outcome["changed"] is True
    assert outcome["extras"] == [{"name": "stowaway", "version": "1"}]
    assert drift_in(outcome).endswith(", with stowaway")
    assert imports(synced, "certifi", "stowaway", "jinja2")
    done = synced.run("run", "--keep-extras", "--", "stow")
    assert (done.returncode, done.stdout) == (0, "stowed\n"), done.stderr
    assert FULL not in synced.run("sync", "--keep-extras").stderr
    assert synced.run("verify").returncode == 0


def test_says_when_what_it_takes_along_does_not_fit(synced: Workplace, wheels: Replica) -> None:
    install(synced, wheels.add_wheel("default", "stowaway", "1", requires=["jinja2<2", "nothing-like-it"]))
    synced.write(pyproject("typing-extensions", "jinja2", "certifi"))
    warnings = " ".join(synced.sync("--keep-extras")["warnings"])
    assert "stowaway 1 needs jinja2<2, but" in warnings
    assert "stowaway 1 needs nothing-like-it, which is not installed" in warnings
    assert imports(synced, "stowaway")


def test_never_takes_the_torch_family_or_the_files_of_the_lock(synced: Workplace, wheels: Replica) -> None:
    install(synced, wheels.add_wheel("default", "torchao", "0.1"))
    clash = {"certifi/__init__.py": b"raise SystemExit('not me')\n", "bulky.py": b""}
    install(synced, wheels.add_wheel("default", "bulky", "1", files=clash))
    synced.write(pyproject("typing-extensions", "jinja2", "certifi"))
    outcome = synced.sync("--keep-extras")
    warnings = " ".join(outcome["warnings"])
    assert "torchao 0.1 was not carried over: it is of the torch family" in warnings
    assert "bulky 1 came without certifi/__init__.py" in warnings
    assert outcome["extras"] == [{"name": "bulky", "version": "1"}]
    assert imports(synced, "bulky", "certifi")


def test_what_stays_behind_is_said_when_another_environment_follows(synced: Workplace, wheels: Replica) -> None:
    install(synced, wheels.add_wheel("default", "stowaway", "1"))
    before = (synced.folder / ".venv").resolve().name
    synced.write(pyproject("typing-extensions"))
    sentence = drift_in(synced.sync())
    assert "added stowaway 1" in sentence
    assert f"env rollback {before}" in sentence
    assert synced.run("env", "rollback", before).returncode == 0
    assert imports(synced, "stowaway")


def test_the_variable_says_the_same_as_the_option(synced: Workplace, wheels: Replica) -> None:
    install(synced, wheels.add_wheel("default", "stowaway", "1"))
    assert synced.with_variables(TORCHSTRAP_KEEP_EXTRAS="1").sync()["extras"]
    assert synced.with_variables(TORCHSTRAP_KEEP_EXTRAS="off").sync()["extras"] == []


def test_what_verify_found_is_built_again_and_not_from_the_same_damage(synced: Workplace) -> None:
    file = site(synced) / "typing_extensions" / "__init__.py"
    text = file.read_bytes()
    with file.open("r+b") as opened:  # in place, through the link into the store, and of the same size
        opened.write(b"#")
    found = synced.run("verify")
    assert found.returncode == 1
    assert "was changed after it was installed" in found.stderr
    outcome = synced.sync()
    assert any("damaged in the store" in each for each in outcome["warnings"])
    assert (site(synced) / "typing_extensions" / "__init__.py").read_bytes() == text
    assert synced.run("verify").returncode == 0


@pytest.fixture
def broken(tmp_path: Path) -> Iterator[Workplace]:
    """A project whose torch cannot be imported, and a cache of its own."""
    with Replica() as replica:
        folder = tmp_path / "project"
        folder.mkdir()
        files = {"torch/__init__.py": b"raise ImportError('libgone.so: cannot open shared object file')\n"}
        replica.add_wheel("cpu", "torch", "2.6.1+cpu", files=files)
        place = Workplace(folder, tmp_path / "cache", replica)
        place.write(pyproject("torch==2.6.1"))
        yield place


def test_no_verify_skips_the_proof_alone_and_says_so(broken: Workplace) -> None:
    failed = broken.run("sync", "--variant", "cpu")
    assert failed.returncode == 1
    assert "libgone.so" in failed.stderr
    assert not (broken.folder / ".venv").exists()
    outcome = broken.sync("--variant", "cpu", "--no-verify")
    assert any("--no-verify" in each and "torchstrap verify" in each for each in outcome["warnings"])
    assert (broken.folder / ".venv").exists()
    for again in (broken.run("sync", "--variant", "cpu"), broken.run("verify")):
        assert again.returncode == 1, "whoever does not say --no-verify gets the proof"
        assert "libgone.so" in again.stderr


def test_a_proof_is_made_once_for_the_same_files(workplace: Workplace, tmp_path: Path) -> None:
    workplace.write(pyproject("torch==2.6.1"))
    marks = tmp_path / "marks"
    marks.mkdir()
    torch = "import os, uuid; open(os.environ['MARKS'] + '/' + uuid.uuid4().hex, 'w').close()\n"
    torch += "__version__ = '2.6.1+cpu'\n"
    with Replica() as replica:
        replica.add_wheel("cpu", "torch", "2.6.1+cpu", files={"torch/__init__.py": torch.encode()})
        first = Workplace(workplace.folder, tmp_path / "cache", replica).with_variables(MARKS=str(marks))
        first.sync("--variant", "cpu")
        assert len(list(marks.iterdir())) == 1
        shutil.rmtree(first.folder / ".venv.generations")
        first.sync("--variant", "cpu")
        assert len(list(marks.iterdir())) == 1, "another generation of the same files"
        first.sync("--variant", "cpu", "--venv", "other")
        assert len(list(marks.iterdir())) == 1, "another environment of the same files"
        other = first.with_variables(TORCHSTRAP_CUDA_DRIVER="580.95.05")
        shutil.rmtree(first.folder / ".venv.generations")
        other.sync("--variant", "cpu")
        assert len(list(marks.iterdir())) == 2, "another driver is another question"


def test_the_document_of_a_sync_without_extras_says_so(synced: Workplace) -> None:
    assert json.loads((synced.folder / ".venv" / "torchstrap.json").read_text())["extras"] == []
