"""`lock` and how `sync` uses it: all offers, the same bytes again, and nothing changed where nothing may change."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from bootstrap.environment.interpreter import describe
from tests.acceptance.running import Workplace, pyproject

PROJECT = Path(__file__).parent.parent / "projects" / "torchmetrics-9640" / "pyproject.toml"


HERE = {
    "TORCHSTRAP_PYTHON_VERSION": f"{sys.version_info[0]}.{sys.version_info[1]}",
    "TORCHSTRAP_PLATFORM": describe(Path(sys.executable)).platform,
}
"""Locks for this machine alone: what is not about many takes its time in vain."""


@pytest.fixture
def project(workplace: Workplace) -> Workplace:
    """A project on torchmetrics with extras cpu and cu124, for any Python; locked for this one."""
    workplace.write(PROJECT.read_text().replace(">=3.12", ">=3.10"))
    return workplace.with_variables(**HERE)


def files(folder: Path) -> dict[str, bytes]:
    """Every file below a folder; links are not followed."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_every_offer_is_in_the_lock(project: Workplace) -> None:
    done = project.run("lock")
    assert done.returncode == 0, done.stderr
    lock = (project.folder / "pylock.toml").read_text()
    assert "cpu, cu124" in done.stderr
    for word in ("+cpu", "+cu124", "\"'cu124' in extras\"", 'lock-version = "1.0"'):
        assert word in lock
    assert done.stdout == ""
    assert {each.name for each in project.folder.iterdir()} == {"pyproject.toml", "pylock.toml"}


def test_a_second_lock_is_the_same_to_the_byte(project: Workplace) -> None:
    assert project.run("lock").returncode == 0
    lock = project.folder / "pylock.toml"
    first, moment = lock.read_bytes(), lock.stat().st_mtime_ns
    again = project.run("lock")
    assert again.returncode == 0
    assert lock.read_bytes() == first
    assert "unchanged" in again.stderr
    assert lock.stat().st_mtime_ns == moment


def test_lock_after_sync_keeps_what_was_installed(project: Workplace) -> None:
    installed = {each["name"]: each for each in project.sync("--extra", "cpu")["packages"]}
    assert project.run("lock").returncode == 0
    after = project.sync("--extra", "cpu")
    assert {each["name"]: each for each in after["packages"]} == installed
    assert after["changed"] is False
    assert project.run("sync", "--frozen", "--extra", "cu124", "-q").returncode == 0


def test_check_tells_by_the_exit_code_and_writes_nothing(project: Workplace) -> None:
    assert project.run("lock", "--check").returncode == 1
    assert not (project.folder / "pylock.toml").exists()
    assert project.run("lock").returncode == 0
    assert project.run("lock", "--check").returncode == 0
    project.write((project.folder / "pyproject.toml").read_text().replace('["torchmetrics"]', '["torchmetrics<99"]'))
    before = (project.folder / "pylock.toml").read_bytes()
    (project.folder / "pylock.toml").write_bytes(before)
    done = project.run("lock", "--check")
    assert done.returncode == 1
    assert "would change" in done.stderr
    assert (project.folder / "pylock.toml").read_bytes() == before


def test_a_lock_can_be_printed(project: Workplace) -> None:
    printed = project.run("lock", "-o", "-", "-q")
    assert printed.returncode == 0
    assert printed.stderr == ""
    assert not (project.folder / "pylock.toml").exists()
    assert project.run("lock", "-q").returncode == 0
    assert (project.folder / "pylock.toml").read_text() == printed.stdout


def test_a_lock_can_go_elsewhere(project: Workplace) -> None:
    (project.folder / "deep").mkdir()
    assert project.run("lock", "-o", "deep/pylock.other.toml").returncode == 0
    assert (project.folder / "deep" / "pylock.other.toml").is_file()
    assert not (project.folder / "pylock.toml").exists()


def test_frozen_uses_the_lock_and_asks_no_index(project: Workplace) -> None:
    assert project.run("lock").returncode == 0
    before = len(project.replica.requests)
    outcome = project.sync("--frozen", "--extra", "cu124")
    asked = [str(each) for each in project.replica.requests[before:]]
    assert not [each for each in asked if each.endswith(("/", ".metadata"))]
    (torch,) = (each for each in outcome["packages"] if each["name"] == "torch")
    assert torch["version"].endswith("+cu124")
    assert torch["sha256"] in (project.folder / "pylock.toml").read_text()


def test_frozen_keeps_to_the_lock_when_the_project_asks_for_more(project: Workplace) -> None:
    assert project.run("lock").returncode == 0
    before = (project.folder / "pylock.toml").read_bytes()
    project.write(
        (project.folder / "pyproject.toml").read_text().replace('["torchmetrics"]', '["torchmetrics", "six"]')
    )
    frozen = project.sync("--frozen", "--extra", "cpu")
    assert "six" not in {each["name"] for each in frozen["packages"]}
    assert (project.folder / "pylock.toml").read_bytes() == before
    assert "six" in {each["name"] for each in project.sync("--extra", "cpu")["packages"]}


@pytest.mark.parametrize(("option", "code"), [("--check", 1), ("--dry-run", 0)])
def test_looking_changes_nothing(project: Workplace, option: str, code: int) -> None:
    fresh = project.run("sync", option, "--extra", "cpu", "--json")
    assert fresh.returncode == code
    document = json.loads(fresh.stdout)
    assert document["changed"] is True
    assert any(each.startswith("torch 2.") for each in document["added"])
    assert [each.name for each in project.folder.iterdir()] == ["pyproject.toml"]
    project.sync("--extra", "cpu")
    before = files(project.folder)
    same = project.run("sync", option, "--extra", "cpu", "--json")
    assert (same.returncode, json.loads(same.stdout)["changed"]) == (0, False)
    other = project.run("sync", option, "--extra", "cu124", "--json")
    assert other.returncode == code
    assert any("+cpu -> " in each for each in json.loads(other.stdout)["replaced"])
    assert files(project.folder) == before


def test_the_json_has_the_fields_that_others_rely_on(project: Workplace) -> None:
    done = project.run("sync", "--json", "--extra", "cpu")
    document = json.loads(done.stdout)
    assert document["schema"].startswith("torchstrap.sync/")
    assert document.keys() >= {
        "changed", "choice", "environment", "python", "packages", "added", "removed", "warnings",
    }  # fmt: skip
    assert document["choice"].keys() >= {"offer", "variant", "torch", "reason", "rejected"}
    assert all(each.keys() >= {"offer", "reason"} for each in document["choice"]["rejected"])
    assert document["packages"]
    for each in document["packages"]:
        assert each.keys() >= {"name", "version", "index", "file", "sha256"}
        assert len(each["sha256"]) == 64
    assert document["environment"] == str(project.folder / ".venv")
    assert "Resolving" in done.stderr


def test_quiet_says_nothing(project: Workplace) -> None:
    for words in (["lock", "-q"], ["sync", "-q", "--extra", "cpu"], ["sync", "-q", "--extra", "cpu"]):
        done = project.run(*words)
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_upgrade_takes_what_is_new(workplace: Workplace) -> None:
    workplace.replica.add_wheel("default", "growing", "1")
    workplace.write(pyproject("growing<2"))
    place = workplace.with_variables(TORCHSTRAP_NO_CACHE="1")
    assert place.run("lock").returncode == 0
    workplace.replica.add_wheel("default", "growing", "1.5")
    workplace.replica.add_wheel("default", "growing", "2")
    lock = workplace.folder / "pylock.toml"
    assert place.run("lock").returncode == 0
    assert 'version = "1"' in lock.read_text()
    assert place.run("lock", "--upgrade").returncode == 0
    assert 'version = "1.5"' in lock.read_text()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("not = [toml", "line 1"),
        ('lock-version = "2.0"\ncreated-by = "another"\npackages = []\n', "2.0"),
        ('created-by = "another"\npackages = []\n', "lock-version"),
        ('lock-version = "1.0"\ncreated-by = "another"\npackages = 7\n', "packages"),
    ],
    ids=["not TOML", "newer", "no version", "wrong shape"],
)
@pytest.mark.parametrize("frozen", [("--frozen",), ()], ids=["frozen", "free"])
def test_a_lock_that_cannot_be_read(workplace: Workplace, text: str, words: str, frozen: tuple[str, ...]) -> None:
    workplace.write(pyproject("typing-extensions"))
    lock = workplace.folder / "pylock.toml"
    lock.write_text(text)
    done = workplace.run("sync", *frozen)
    assert done.returncode == 65, done.stderr
    assert "pylock.toml" in done.stderr
    assert words in done.stderr
    assert lock.read_text() == text
    assert not (workplace.folder / ".venv").exists()


@pytest.mark.parametrize(
    "spoil",
    [
        pytest.param(lambda text: text.replace("[tool.torchstrap]", "<<<<<<< ours\n[tool.torchstrap]"), id="a merge"),
        pytest.param(lambda text: re.sub(r"\nschema = \d+", "\nschema = 0", text), id="another schema"),
    ],
)
def test_lock_writes_one_of_ours_anew_that_cannot_be_read(project: Workplace, spoil: Callable[[str], str]) -> None:
    assert project.run("lock", "-q").returncode == 0
    lock = project.folder / "pylock.toml"
    good = lock.read_text()
    lock.write_text(spoil(good))
    assert project.run("sync", "--extra", "cpu").returncode == 65
    done = project.run("lock", "-q")
    assert done.returncode == 0
    assert "That is done now, and the versions that it held are forgotten" in done.stderr
    assert lock.read_text() == good


def test_lock_does_not_replace_what_is_not_ours(project: Workplace) -> None:
    lock = project.folder / "pylock.toml"
    lock.write_text('lock-version = "1.0"\ncreated-by = "another"\npackages = []\n')
    before = lock.read_bytes()
    assert project.run("lock").returncode == 65
    assert lock.read_bytes() == before


def test_a_lock_that_somebody_else_made_is_not_guessed_at(workplace: Workplace) -> None:
    """It does not say which offers it holds for: neither overwritten nor misread, it is refused (test_interop.py)."""
    workplace.write(pyproject("typing-extensions"))
    assert workplace.run("lock").returncode == 0
    lock = workplace.folder / "pylock.toml"
    ours = lock.read_text().partition("[tool.torchstrap]")[0].replace('"torchstrap"', '"another"')
    foreign = "\n\n".join(part for part in ours.split("\n\n") if "[packages.tool" not in part)
    lock.write_text(foreign)
    for command in ("sync", "lock"):
        done = workplace.run(command, "-q")
        assert done.returncode == 65
        assert "written by another" in done.stderr
        assert "sync --frozen" in done.stderr
    assert lock.read_text() == foreign
