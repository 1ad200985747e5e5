"""More of what can be wrong with wheels, source distributions, indexes and places."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from tests.acceptance.running import Workplace, pyproject
from tests.acceptance.test_sources import source_distribution
from tests.replica import Replica, faults


def assert_refused(workplace: Workplace, *arguments: str, code: int, says: tuple[str, ...]) -> None:
    before = {path.name for path in workplace.folder.iterdir()}
    done = workplace.run("sync", *arguments)
    assert done.returncode == code, (done.returncode, done.stderr)
    for words in says:
        assert words in done.stderr, done.stderr
    assert "Traceback" not in done.stderr.partition("Building")[0]
    assert {path.name for path in workplace.folder.iterdir()} - {".venv.generations"} == before
    generations = workplace.folder / ".venv.generations"
    assert not generations.exists() or not [each for each in generations.iterdir() if each.is_dir()]
    incoming = workplace.cache / "incoming"
    assert not incoming.exists() or not list(incoming.iterdir())


@pytest.fixture
def place(tmp_path: Path, workplace: Workplace) -> Workplace:
    """The same, with a cache of its own: what is spoiled here must not be kept for others."""
    return Workplace(workplace.folder, tmp_path / "cache", workplace.replica)


def test_a_wheel_that_is_a_web_page(place: Workplace) -> None:
    with Replica(faults={r"/files/.*typing_extensions[^/]*\.whl$": "not-a-zip"}) as broken:
        spoiled = Workplace(place.folder, place.cache, broken)
        spoiled.write(pyproject("typing-extensions"))
        assert_refused(spoiled, code=1, says=("typing_extensions", "sha256"))


def test_a_wheel_that_is_no_zip_and_promises_no_hash(place: Workplace) -> None:
    place.replica.add_file("nohash", "broken", "1", "broken-1-py3-none-any.whl", b"<html>log in</html>")
    place.write(pyproject("broken"))
    index = f"{place.replica.pytorch}/nohash"
    assert_refused(place, "--index-url", index, code=1, says=("broken-1-py3-none-any.whl",))


def test_a_version_that_is_only_for_another_platform(place: Workplace) -> None:
    place.replica.add_wheel("default", "windows-only", "1", tag="cp311-cp311-win_amd64")
    place.write(pyproject("windows-only"))
    assert_refused(place, code=1, says=("windows-only", "win_amd64"))


def test_a_version_that_is_only_for_another_python(place: Workplace) -> None:
    place.replica.add_wheel("default", "old-python", "1", python="<3.5")
    place.write(pyproject("old-python"))
    assert_refused(place, code=1, says=("old-python", "<3.5"))


def test_a_build_that_fails_shows_its_last_lines(place: Workplace) -> None:
    setup = "import sys\nprint('the very last words', file=sys.stderr)\nraise SystemExit(3)\n"
    archive = source_distribution("crumbling", "1", setup=setup)
    place.replica.add_file("default", "crumbling", "1", "crumbling-1.tar.gz", archive)
    place.write(pyproject("crumbling"))
    assert_refused(place, code=1, says=("crumbling", "the very last words"))


def test_a_source_distribution_that_is_no_archive(place: Workplace) -> None:
    place.replica.add_file("default", "rubble", "1", "rubble-1.tar.gz", b"no archive")
    place.write(pyproject("rubble"))
    assert_refused(place, code=1, says=("rubble-1.tar.gz",))


def test_a_build_that_is_forbidden(place: Workplace) -> None:
    place.replica.add_file("default", "unbuilt", "1", "unbuilt-1.tar.gz", source_distribution("unbuilt", "1"))
    place.write(pyproject("unbuilt"))
    assert_refused(place, "--no-build", code=1, says=("unbuilt",))


def test_an_index_that_wants_a_login(place: Workplace) -> None:
    with Replica(faults={r"/simple/": faults.login("user:s3cret")}) as closed:
        spoiled = Workplace(place.folder, place.cache, closed)
        spoiled.write(pyproject("typing-extensions"))
        assert_refused(spoiled, code=69, says=("login", "typing-extensions"))
        address = closed.default_index.replace("http://", "http://user:s3cret@")
        done = spoiled.run("sync", "--index-url", address, "-q")
        assert (done.returncode, done.stderr) == (0, "")


def test_an_index_that_is_a_login_page(place: Workplace) -> None:
    with Replica(faults={r"/simple/.+/": "not-a-zip"}) as portal:
        spoiled = Workplace(place.folder, place.cache, portal)
        spoiled.write(pyproject("typing-extensions"))
        done = spoiled.run("sync")
        assert done.returncode in (1, 69), done.stderr
        assert "Traceback" not in done.stderr
        assert "typing-extensions" in done.stderr


@pytest.mark.parametrize("what", ["file", "folder with things", "link elsewhere"])
def test_something_else_where_the_environment_should_be(place: Workplace, what: str, tmp_path: Path) -> None:
    place.write(pyproject("typing-extensions"))
    venv = place.folder / ".venv"
    if what == "file":
        venv.write_text("mine")
    elif what == "link elsewhere":
        venv.symlink_to(tmp_path)
    else:
        venv.mkdir()
        (venv / "mine.txt").write_text("mine")
    before = (venv.is_symlink(), venv.is_dir())
    assert_refused(place, code=73, says=(".venv", "--venv"))
    assert (venv.is_symlink(), venv.is_dir()) == before


def test_an_environment_below_a_file(place: Workplace) -> None:
    place.write(pyproject("typing-extensions"))
    assert_refused(place, "--venv", "pyproject.toml/env", code=73, says=("pyproject.toml",))


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_that_cannot_be_written(place: Workplace) -> None:
    place.write(pyproject("typing-extensions"))
    place.folder.chmod(stat.S_IRUSR | stat.S_IXUSR)
    try:
        done = place.run("sync")
    finally:
        place.folder.chmod(stat.S_IRWXU)
    assert done.returncode in (73, 77), done.stderr
    assert str(place.folder) in done.stderr
    assert "Traceback" not in done.stderr


def test_a_cache_that_is_a_file(place: Workplace) -> None:
    place.write(pyproject("typing-extensions"))
    place.cache.write_text("no folder")
    done = place.run("sync")
    assert done.returncode == 73, done.stderr
    assert str(place.cache) in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("TORCHSTRAP_TIMEOUT", "soon"),
        ("TORCHSTRAP_MIRRORS", "no-equals-sign"),
        ("TORCHSTRAP_EXCLUDE_NEWER", "yesterday"),
        ("TORCHSTRAP_MACHINE", "/no/such/machine.json"),
    ],
)
def test_a_setting_that_makes_no_sense_is_named(place: Workplace, variable: str, value: str) -> None:
    place.write(pyproject("typing-extensions"))
    assert_refused(place.with_variables(**{variable: value}), code=78, says=(variable, value))


@pytest.mark.parametrize("python", ["3.99", "/no/such/python", "pyproject.toml"])
def test_a_python_that_is_not_there(place: Workplace, python: str) -> None:
    place.write(pyproject("typing-extensions"))
    done = place.run("sync", "--python", python)
    assert done.returncode not in (0, -11)
    assert python in done.stderr
    assert "Traceback" not in done.stderr
    assert [each.name for each in place.folder.iterdir()] == ["pyproject.toml"]


def test_a_dependency_that_is_no_requirement(place: Workplace) -> None:
    place.write(pyproject("torch >== 2"))
    assert_refused(place, code=65, says=("pyproject.toml", "torch >== 2"))
