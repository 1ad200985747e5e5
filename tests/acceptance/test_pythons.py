"""A Python that a project needs and this machine has not: fetched, checked, tried, and a base for environments."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest

from bootstrap.environment.standalone import BASE_URL, Build
from tests.acceptance.running import Workplace, pyproject
from tests.index.serving import Server, serving, with_ranges
from tests.standalones import ANOTHER, made, pretender, python, table

FAILED, UNREACHABLE, NOT_PERMITTED = 1, 69, 77
MINOR = ANOTHER.rpartition(".")[0]


@dataclass(frozen=True)
class Mirror:
    """A server that has one build, and a table that names it."""

    server: Server
    build: Build
    table: Path

    def variables(self, pythons: Path) -> dict[str, str]:
        return {
            "TORCHSTRAP_PYTHON_MIRROR": self.server.url,
            "TORCHSTRAP_PYTHON_TABLE": str(self.table),
            "TORCHSTRAP_PYTHON_DIR": str(pythons),
        }


@pytest.fixture(scope="module")
def mirror(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mirror]:
    content = python()
    build = made(ANOTHER, content)
    with serving() as server:
        server.routes[f"/{build.path}"] = with_ranges(content)
        yield Mirror(server, build, table(tmp_path_factory.mktemp("table"), build))


@pytest.fixture
def pythons(tmp_path: Path) -> Path:
    return tmp_path / "pythons"


@pytest.fixture
def place(workplace: Workplace, mirror: Mirror, pythons: Path) -> Workplace:
    """Where a Python can be had, and is not there yet: version managers have none."""
    mirror.server.asked.clear()
    managers = dict.fromkeys(("PYENV_ROOT", "UV_PYTHON_INSTALL_DIR", "ASDF_DATA_DIR", "MISE_DATA_DIR"), str(pythons))
    return workplace.with_variables(PATH="/usr/bin:/bin", **managers, **mirror.variables(pythons))


def said_by(program: Path, code: str) -> str:
    return subprocess.run([program, "-c", code], check=True, capture_output=True, text=True).stdout.strip()


def test_a_sync_gets_the_python_that_is_missing_and_its_environment_works(
    place: Workplace, mirror: Mirror, pythons: Path
) -> None:
    place.write(pyproject("six", more=f'requires-python = "=={ANOTHER}"\n'))
    checked = place.run("sync", "--check")
    assert checked.returncode == FAILED
    assert f"This run changes nothing: `torchstrap python install {MINOR}` gets one" in checked.stderr
    assert not pythons.exists()

    done = place.run("sync", "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["python"] == ANOTHER
    assert f"Installing Python {ANOTHER} for {mirror.build.platform}" in done.stderr
    base = said_by(place.python, "import platform, ssl, sys, six; print(platform.python_version(), sys.base_prefix)")
    assert base == f"{ANOTHER} {pythons / mirror.build.folder}"
    assert place.run("verify").returncode == 0

    mirror.server.asked.clear()
    assert place.sync()["changed"] is False
    assert place.sync("--python", ANOTHER)["python"] == ANOTHER
    assert mirror.server.asked == []

    listed = json.loads(place.run("python", "list", "--json").stdout)
    (ours,) = [each for each in listed["pythons"] if each["ours"]]
    assert (ours["source"], listed["folder"]) == ("torchstrap", str(pythons))
    assert Path(ours["path"]).is_relative_to(pythons / mirror.build.folder)
    assert listed["installable"] == [{"version": ANOTHER, "release": mirror.build.release, "installed": True}]
    assert f"{pythons / mirror.build.folder}/bin/" in place.run("python", "list").stdout


def test_several_processes_install_it_once(place: Workplace, mirror: Mirror, pythons: Path) -> None:
    with ThreadPoolExecutor(3) as pool:
        done = list(pool.map(lambda _: place.run("python", "install", MINOR, "--json"), range(3)))
    assert [each.returncode for each in done] == [0, 0, 0], [each.stderr for each in done]
    reports = [json.loads(each.stdout)["installed"] for each in done]
    assert sorted(each["changed"] for (each,) in reports) == [False, False, True]
    assert {each["path"] for (each,) in reports} == {str(pythons / mirror.build.folder / "bin/python")}
    asked = [headers.get("range", "bytes=0-") for _, headers in mirror.server.asked]
    assert len([each for each in asked if each.startswith("bytes=0-")]) == 1


def test_a_lock_needs_no_python_of_the_project(place: Workplace, pythons: Path) -> None:
    place.write(pyproject("six", more=f'requires-python = "=={ANOTHER}"\n'))
    assert place.run("lock").returncode == 0
    assert not pythons.exists()


@pytest.mark.parametrize(
    ("words", "variables", "sentence"),
    [
        (
            ("--offline",),
            {"PYTHON_MIRROR": "https://mirror.invalid"},
            "This run is offline: `torchstrap python install",
        ),
        ((), {"PYTHON_DOWNLOADS": "no"}, "Pythons are not fetched unasked (python-downloads): `torchstrap python inst"),
    ],
    ids=["offline", "switched-off"],
)
def test_what_is_not_fetched_is_named_with_the_way_to_get_it(
    place: Workplace, pythons: Path, words: tuple[str, ...], variables: dict[str, str], sentence: str
) -> None:
    place.write(pyproject("six"))
    place = place.with_variables(**{f"TORCHSTRAP_{name}": value for name, value in variables.items()})
    done = place.run("sync", "--python", ANOTHER, *words)
    assert done.returncode == FAILED
    assert f"Python {ANOTHER} was asked for; found: " in done.stderr
    assert sentence in done.stderr
    assert not pythons.exists()


def test_an_administrator_can_forbid_it(place: Workplace, pythons: Path, tmp_path: Path) -> None:
    policy = tmp_path / "policy.toml"
    policy.write_text("[enforced]\npython-downloads = false\n")
    place = place.with_variables(TORCHSTRAP_POLICY=str(policy), TORCHSTRAP_PYTHON_DOWNLOADS="yes")
    place.write(pyproject("six"))
    assert f"{policy} permits no download of Pythons: name one" in place.run("sync", "--python", ANOTHER).stderr
    done = place.run("python", "install", MINOR)
    assert done.returncode == NOT_PERMITTED
    assert str(policy) in done.stderr
    assert not pythons.exists()


def test_a_mirror_of_the_releases_is_a_prefix_as_any_other(place: Workplace, tmp_path: Path, mirror: Mirror) -> None:
    content = pretender("3.10.99")
    build = made("3.10.99", content)
    mirror.server.routes[f"/releases/{build.path}"] = with_ranges(content)
    place = place.with_variables(
        TORCHSTRAP_PYTHON_TABLE=str(table(tmp_path, build)),
        TORCHSTRAP_PYTHON_MIRROR="",
        TORCHSTRAP_MIRRORS=f"{BASE_URL}={mirror.server.url}/releases",
    )
    done = place.run("python", "install", "3.10")
    assert done.returncode == 0, done.stderr
    assert "Python 3.10.99 is installed" in done.stderr


def test_a_folder_is_a_mirror_even_offline(place: Workplace, tmp_path: Path) -> None:
    content = pretender("3.10.99")
    build = made("3.10.99", content)
    archive = tmp_path / "mirror" / build.release / build.filename
    archive.parent.mkdir(parents=True)
    archive.write_bytes(content)
    place = place.with_variables(TORCHSTRAP_PYTHON_TABLE=str(table(tmp_path, build)))
    done = place.run("python", "install", "3.10.99", "--offline", "--python-mirror", str(tmp_path / "mirror"))
    assert done.returncode == 0, done.stderr


def test_a_sync_whose_python_cannot_be_fetched_does_nothing(place: Workplace, tmp_path: Path) -> None:
    place = place.with_variables(TORCHSTRAP_PYTHON_TABLE=str(table(tmp_path, made("3.10.99", b""))))
    place.write(pyproject("six", more='requires-python = "==3.10.99"\n'))
    done = place.run("sync")
    assert done.returncode == UNREACHABLE
    assert not (place.folder / ".venv").exists()
    assert not (place.folder / "pylock.toml").exists()
