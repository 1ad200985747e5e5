"""What is wrong is refused with a sentence that names the thing and the way out, and leaves nothing behind."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.acceptance.running import Workplace, pyproject
from tests.making import make_wheel
from tests.replica import Replica

PROJECTS = Path(__file__).parent.parent / "projects"
MINIMAL = '[project]\nname = "minimal"\nversion = "1"\ndependencies = [{dependencies}]\n'


@pytest.fixture(scope="module")
def replica() -> Iterator[Replica]:
    with Replica() as running:
        yield running


@pytest.fixture
def workplace(tmp_path: Path, replica: Replica) -> Workplace:
    folder = tmp_path / "project"
    folder.mkdir()
    return Workplace(folder, tmp_path / "cache", replica)


def minimal(*dependencies: str, more: str = "") -> str:
    return MINIMAL.format(dependencies=", ".join(map(json.dumps, dependencies))) + more


def assert_refused(workplace: Workplace, *arguments: str, code: int, says: tuple[str, ...]) -> str:
    """The exit code, the words, and that nothing lies about afterwards."""
    before = {path.name for path in workplace.folder.iterdir()}
    done = workplace.run("sync", *arguments)
    assert done.returncode == code, (done.returncode, done.stderr)
    for words in says:
        assert words in done.stderr, done.stderr
    assert "Traceback" not in done.stderr
    assert {path.name for path in workplace.folder.iterdir()} - {".venv.generations"} == before
    generations = workplace.folder / ".venv.generations"
    assert not generations.exists() or not [each for each in generations.iterdir() if each.is_dir()]
    incoming = workplace.cache / "incoming"
    assert not incoming.exists() or not list(incoming.iterdir())
    return done.stderr


def test_a_file_that_is_not_toml(workplace: Workplace) -> None:
    workplace.write("[project\nname = 1")
    assert_refused(workplace, code=65, says=("pyproject.toml", "line 1", "TOML"))


def test_a_folder_without_a_project(workplace: Workplace) -> None:
    assert_refused(workplace, code=65, says=("pyproject.toml", "--project"))


def test_an_unknown_extra_is_named_with_those_that_exist(workplace: Workplace) -> None:
    shutil.copy(PROJECTS / "accelerate-9734" / "pyproject.toml", workplace.folder)
    assert_refused(workplace, "--extra", "cu123", code=2, says=("cu123", "cpu", "cu124"))


def test_two_conflicting_extras_are_both_named(workplace: Workplace) -> None:
    shutil.copy(PROJECTS / "accelerate-9734" / "pyproject.toml", workplace.folder)
    assert_refused(workplace, "--extra", "cpu", "--extra", "cu124", code=2, says=("cpu", "cu124"))


def test_an_index_that_does_not_exist(workplace: Workplace) -> None:
    workplace.write(minimal("numpy"))
    says = ("http://127.0.0.1:9/simple", "numpy")
    assert_refused(workplace, "--index-url", "http://127.0.0.1:9/simple", code=69, says=says)


def test_a_project_that_no_index_has(workplace: Workplace) -> None:
    workplace.write(minimal("no-such-project-anywhere"))
    assert_refused(workplace, code=1, says=("no-such-project-anywhere",))


def test_an_index_that_answers_500(workplace: Workplace) -> None:
    with Replica(faults={r"/simple/numpy/": "500"}) as broken:
        place = Workplace(workplace.folder, workplace.cache, broken)
        place.write(minimal("numpy"))
        assert_refused(place, code=69, says=("500", "numpy"))


def test_an_index_that_hangs(workplace: Workplace) -> None:
    with Replica(faults={r"/simple/numpy/": "hang"}) as broken:
        place = Workplace(
            workplace.folder, workplace.cache, broken, {"TORCHSTRAP_TIMEOUT": "1", "TORCHSTRAP_RETRIES": "1"}
        )
        place.write(minimal("numpy"))
        assert_refused(place, code=69, says=("numpy", "1 s"))


def test_a_wheel_with_a_wrong_hash(workplace: Workplace) -> None:
    with Replica(faults={r"/files/.*typing_extensions[^/]*\.whl$": "wrong-bytes"}, pep658=True) as broken:
        place = Workplace(workplace.folder, workplace.cache, broken)
        place.write(minimal("typing-extensions"))
        assert_refused(place, code=1, says=("typing_extensions", "sha256"))


def test_no_version_fits_and_the_proof_names_the_culprit(workplace: Workplace) -> None:
    workplace.write(minimal("torchvision==0.20.1", "torch>=2.6"))
    said = assert_refused(workplace, code=1, says=("torchvision 0.20.1+cpu needs torch 2.5.1", "To go on"))
    assert "torch>=2.6" in said.splitlines()[-1]


def test_a_python_outside_requires_python(workplace: Workplace) -> None:
    workplace.write(minimal("numpy").replace('version = "1"', 'version = "1"\nrequires-python = ">=3.99"'))
    assert_refused(workplace, code=1, says=(">=3.99",))


def test_an_environment_of_somebody_else_is_left_alone(workplace: Workplace) -> None:
    workplace.write(minimal("typing-extensions"))
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", workplace.folder / ".venv"], check=True)
    (workplace.folder / ".venv" / "mine.txt").write_text("mine")
    assert_refused(workplace, code=73, says=(".venv", "--venv"))
    assert (workplace.folder / ".venv" / "mine.txt").read_text() == "mine"


def test_words_that_do_not_fit(workplace: Workplace) -> None:
    workplace.write(minimal("typing-extensions"))
    assert_refused(workplace, "--no-such-option", code=2, says=("--no-such-option", "--help"))


def test_require_gpu_on_a_machine_without_one(workplace: Workplace) -> None:
    shutil.copy(PROJECTS / "torchmetrics-9640" / "pyproject.toml", workplace.folder)
    (workplace.folder / "pyproject.toml").write_text(
        (workplace.folder / "pyproject.toml").read_text().replace(">=3.12", ">=3.10")
    )
    done = workplace.run("choose", "--json")
    if json.loads(done.stdout)["variant"] != "cpu":
        pytest.skip("this machine has a GPU that can be used")
    assert_refused(workplace, "--require", "gpu", code=1, says=("gpu", "cu124"))


def test_a_frozen_sync_without_a_lock(workplace: Workplace) -> None:
    workplace.write(minimal("typing-extensions"))
    assert_refused(workplace, "--frozen", code=65, says=("pylock.toml", "torchstrap lock"))


def test_an_index_without_dates_is_refused_under_exclude_newer_unless_exempted(workplace: Workplace) -> None:
    workplace.write(pyproject("undated"))
    make_wheel(workplace.folder / "wheels", "undated", "1.0")
    words = ("lock", "--exclude-newer", "2099-01-01", "--find-links", "wheels")
    refused = workplace.run(*words)
    assert refused.returncode == 1
    assert "no upload date on its index" in refused.stderr
    assert "--undated undated" in refused.stderr
    assert not (workplace.folder / "pylock.toml").exists()
    exempted = workplace.run(*words, "--undated", "undated")
    assert exempted.returncode == 0, exempted.stderr


@pytest.mark.skipif(os.geteuid() != 0, reason="a small file system can only be mounted by root")
def test_a_disk_that_is_full(workplace: Workplace, tmp_path: Path) -> None:
    small = tmp_path / "small"
    small.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "none", small], check=False).returncode:
        pytest.skip("no small file system can be mounted here")
    try:
        place = Workplace(workplace.folder, small, workplace.replica)
        place.write(minimal("numpy", "accelerate==0.26.1"))
        assert_refused(place, code=73, says=("small", "bytes free", "Make room"))
    finally:
        subprocess.run(["umount", small], check=True)
