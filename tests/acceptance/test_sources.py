"""What comes as source: distributions without a wheel, and folders beside the project."""

from __future__ import annotations

import io
import subprocess
import tarfile
from pathlib import Path

import pytest

from tests.acceptance.running import Workplace, pyproject

BUILD = '[build-system]\nrequires = ["setuptools"]\nbuild-backend = "setuptools.build_meta"\n'


def project_table(name: str, version: str, more: str = "") -> str:
    return f'{BUILD}\n[project]\nname = "{name}"\nversion = "{version}"\n{more}'


def source_distribution(name: str, version: str, *, setup: str | None = None, requires: str = "") -> bytes:
    """A real one, with setuptools as its backend; `setup` is a setup.py that runs at every build."""
    table = project_table(name, version, f'dependencies = ["{requires}"]\n' if requires else "")
    files = {
        "pyproject.toml": table if setup is None else BUILD,
        "setup.py": setup or "from setuptools import setup; setup()\n",
        f"{name}.py": f"VERSION = '{version}'\n",
        "PKG-INFO": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n",
    }
    if setup is None:
        files["pyproject.toml"] += f'\n[tool.setuptools]\npy-modules = ["{name}"]\n'
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for path, text in files.items():
            member = tarfile.TarInfo(f"{name}-{version}/{path}")
            member.size = len(text.encode())
            archive.addfile(member, io.BytesIO(text.encode()))
    return buffer.getvalue()


def says(workplace: Workplace, code: str) -> str:
    done = subprocess.run([workplace.python, "-I", "-c", code], capture_output=True, text=True, check=False)
    return (done.stdout + done.stderr).strip()


def folder(path: Path, name: str, version: str, text: str, more: str = "") -> Path:
    path.mkdir(parents=True)
    table = project_table(name, version, more)
    (path / "pyproject.toml").write_text(f'{table}\n[tool.setuptools]\npy-modules = ["{name}"]\n')
    (path / f"{name}.py").write_text(text)
    return path


def test_a_source_distribution_is_built_once_and_its_requirements_come_along(workplace: Workplace) -> None:
    archive = source_distribution("handmade", "1.2", requires="typing-extensions")
    workplace.replica.add_file("default", "handmade", "1.2", "handmade-1.2.tar.gz", archive)
    workplace.write(pyproject("handmade"))
    first = workplace.run("sync")
    assert first.returncode == 0, first.stderr
    assert "Building handmade-1.2.tar.gz" in first.stderr
    assert says(workplace, "import handmade, typing_extensions; print(handmade.VERSION)") == "1.2"
    again = workplace.run("sync", "--venv", "another")
    assert again.returncode == 0, again.stderr
    assert "Building" not in again.stderr
    packages = {each["name"] for each in workplace.sync()["packages"]}
    assert packages == {"handmade", "typing-extensions"}
    assert workplace.run("verify").returncode == 0


@pytest.mark.parametrize("editable", [True, False], ids=["editable", "copied"])
def test_a_folder_beside_the_project(workplace: Workplace, tmp_path: Path, editable: bool) -> None:
    name = "beside_editable" if editable else "beside_copied"
    other = folder(tmp_path / "other", name, "1", "print('first')\n", 'dependencies = ["typing-extensions"]\n')
    source = f'[tool.uv.sources]\n{name} = {{ path = "../other"{", editable = true" if editable else ""} }}\n'
    workplace.write(pyproject(name, more=source))
    outcome = workplace.sync()
    (own,) = (each for each in outcome["packages"] if each["name"] == name.replace("_", "-"))
    assert (own["version"], own["sha256"]) == ("1", None)
    assert {each["name"] for each in outcome["packages"]} == {own["name"], "typing-extensions"}
    assert says(workplace, f"import {name}") == "first"
    (other / f"{name}.py").write_text("print('second')\n")
    assert says(workplace, f"import {name}") == ("second" if editable else "first")
    assert workplace.sync()["changed"] is False


def test_a_folder_that_becomes_another_version_is_installed_anew(workplace: Workplace, tmp_path: Path) -> None:
    other = folder(tmp_path / "other", "growing_folder", "1", "")
    workplace.write(pyproject("growing-folder", more='[tool.uv.sources]\ngrowing-folder = { path = "../other" }\n'))
    workplace.sync()
    table = other / "pyproject.toml"
    table.write_text(table.read_text().replace('version = "1"', 'version = "2"'))
    outcome = workplace.sync()
    assert outcome["packages"][0]["version"] == "2"
    version = "from importlib.metadata import version; print(version('growing-folder'))"
    assert says(workplace, version) == "2"


def test_a_folder_that_is_not_there_is_named(workplace: Workplace) -> None:
    workplace.write(pyproject("absent", more='[tool.uv.sources]\nabsent = { path = "../absent" }\n'))
    done = workplace.run("sync")
    assert done.returncode in (1, 65), done.stderr
    assert "absent" in done.stderr
    assert "Traceback" not in done.stderr
    assert [each.name for each in workplace.folder.iterdir()] == ["pyproject.toml"]


def test_a_wheel_by_its_address(workplace: Workplace) -> None:
    url = workplace.replica.add_wheel("default", "addressed", "3")
    workplace.write(pyproject(f"addressed @ {url}"))
    outcome = workplace.sync()
    assert [(each["name"], each["version"]) for each in outcome["packages"]] == [("addressed", "3")]
    assert workplace.sync()["changed"] is False


def test_the_project_itself_may_be_a_package(workplace: Workplace) -> None:
    folder(workplace.folder / "own", "own_package", "1", "print('own')\n")
    for each in (workplace.folder / "own").iterdir():
        each.rename(workplace.folder / each.name)
    outcome = workplace.sync()
    assert [each["name"] for each in outcome["packages"]] == ["own-package"]
    (workplace.folder / "own_package.py").write_text("print('edited')\n")
    assert says(workplace, "import own_package") == "edited"
