"""`verify` proves that the environment is what was locked, and says what is not."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.acceptance.running import Workplace, pyproject


@pytest.fixture
def made(workplace: Workplace) -> Workplace:
    workplace.write(pyproject("accelerate", "torch==2.6.0"))
    workplace.sync("--variant", "cpu")
    return workplace


def site_packages(workplace: Workplace) -> Path:
    (found,) = (workplace.folder / ".venv" / "lib").glob("python*/site-packages")
    return found


def test_says_that_all_is_well(made: Workplace) -> None:
    done = made.run("verify")
    assert done.returncode == 0, done.stderr
    assert "torch 2.6.0+cpu imports and computes" in done.stdout


def test_names_a_file_that_was_changed(made: Workplace) -> None:
    module = site_packages(made) / "accelerate" / "__init__.py"
    text = module.read_bytes()
    module.unlink()  # not in place: it is linked into the store
    module.write_bytes(text + b"\n# changed")
    done = made.run("verify")
    assert done.returncode == 1
    assert "accelerate/__init__.py was changed" in done.stderr


def test_names_a_version_that_is_not_the_locked_one(made: Workplace) -> None:
    (metadata,) = site_packages(made).glob("packaging-*.dist-info/METADATA")
    text = metadata.read_text()
    metadata.unlink()
    metadata.write_text(text.replace("\nVersion: ", "\nVersion: 0.", 1))
    done = made.run("verify")
    assert done.returncode == 1
    assert "packaging is installed in version 0." in done.stderr


def test_survives_metadata_that_is_gone(made: Workplace) -> None:
    (metadata,) = site_packages(made).glob("packaging-*.dist-info/METADATA")
    metadata.unlink()
    done = made.run("verify")
    assert done.returncode == 1
    assert "packaging" in done.stderr
    assert "Traceback" not in done.stderr


def test_an_environment_that_is_not_there(workplace: Workplace) -> None:
    done = workplace.run("verify")
    assert done.returncode == 65
    assert "torchstrap sync" in done.stderr
