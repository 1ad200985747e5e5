"""Locks that are not what they should be: edited by hand, merged, of another format, project or machine.

Each is refused with a sentence that names the file and the way out, and nothing is written: neither the lock nor an
environment.
"""

from __future__ import annotations

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
SHA = re.compile(r'(filelock-[^"]*\.whl".*sha256 = ")[0-9a-f]{8}')

FITTING = re.compile(r"(cp3\d+-)(?:manylinux|linux_|macosx)[\w.]+\.whl")


@pytest.fixture(scope="module")
def good() -> list[str]:
    """The lock of the first test, for the others."""
    return []


@pytest.fixture
def locked(workplace: Workplace, good: list[str]) -> Workplace:
    """A project on torchmetrics with extras cpu and cu124, locked for this machine."""
    workplace.write(PROJECT.read_text().replace(">=3.12", ">=3.10"))
    place = workplace.with_variables(**HERE)
    lock = place.folder / "pylock.toml"
    if good:
        lock.write_text(good[0])
    else:
        done = place.run("lock", "-q")
        assert done.returncode == 0, done.stderr
        good.append(lock.read_text())
    return place


def merged(text: str) -> str:
    first, second = "<<<<<<< HEAD\n", "=======\n>>>>>>> theirs\n"
    return text.replace('version = "1.8.2"\n', f'{first}version = "1.8.2"\n{second}', 1)


@pytest.mark.parametrize(
    ("spoil", "code", "sentence", "way_out"),
    [
        pytest.param(
            lambda t: SHA.sub(r"\g<1>00000000", t), 1, "filelock-", "torchstrap lock --upgrade", id="another hash"
        ),
        pytest.param(merged, 65, "marks of an unfinished merge, the first in line", "torchstrap lock", id="a merge"),
        pytest.param(
            lambda t: t.replace('lock-version = "1.0"', 'lock-version = "2.0"'),
            65,
            "is in lock format 2.0",
            "update torchstrap",
            id="a newer format",
        ),
        pytest.param(
            lambda t: re.sub(r"wheels = \[\n    .*filelock.*\n\]\n", "", t),
            65,
            "is not a valid lock",
            "`torchstrap lock` writes it anew",
            id="a package without files",
        ),
        pytest.param(
            lambda t: t.replace("marker = \"'cpu' in extras\"", "marker = \"'cpu' upon extras\"", 1),
            65,
            "is not a valid lock",
            "`torchstrap lock` writes it anew",
            id="no marker",
        ),
        pytest.param(
            lambda t: re.sub(r"marker = \"'cpu' in extras\"", "marker = \"'cu124' in extras\"", t, count=1),
            65,
            "was edited by hand",
            "`torchstrap lock` writes it anew",
            id="another marker",
        ),
        pytest.param(
            lambda t: t.replace('name = "filelock"\nversion = "3.20.0"', 'name = "filelock"\nversion = "3.20.1"'),
            65,
            "is not a valid lock",
            "`torchstrap lock` writes it anew",
            id="another version",
        ),
        pytest.param(
            lambda t: re.sub(r'\[\[packages\]\]\nname = "filelock".*?(?=\[\[packages)', "", t, flags=re.DOTALL),
            65,
            "was edited by hand: torch needs filelock, which is not in it",
            "`torchstrap lock` writes it anew",
            id="a package taken out",
        ),
        pytest.param(
            lambda t: re.sub(r'(filelock-[^"]*\.whl".*sha256 = ")[0-9a-f]{64}', r"\g<1>abc", t),
            65,
            "was edited by hand: the sha256 of filelock-",
            "`torchstrap lock` writes it anew",
            id="no hash",
        ),
        pytest.param(
            lambda t: t[: len(t) // 2], 65, "is not valid TOML", "`torchstrap lock` writes it anew", id="half of it"
        ),
        pytest.param(lambda _: "", 65, "it has no lock-version", "move it away", id="nothing in it"),
        pytest.param(
            lambda t: t[: t.index("[tool.torchstrap]")],
            65,
            "[tool.torchstrap] is not a table",
            "`torchstrap lock` writes the lock anew",
            id="without our table",
        ),
        pytest.param(
            lambda t: t.replace('project = "seed-9640"', 'project = "another"'),
            65,
            "is the lock of another, and this project is seed-9640",
            "`torchstrap lock`",
            id="another project",
        ),
        pytest.param(
            lambda t: FITTING.sub(r"\1win_arm64.whl", t),
            1,
            "does not fit this machine: markupsafe",
            "Without --frozen",
            id="another machine",
        ),
    ],
)
def test_frozen_refuses(locked: Workplace, spoil: Callable[[str], str], code: int, sentence: str, way_out: str) -> None:
    lock = locked.folder / "pylock.toml"
    before = lock.read_text()
    lock.write_text(spoil(before))
    assert lock.read_text() != before
    spoiled = lock.read_bytes()
    done = locked.run("sync", "--frozen", "--extra", "cpu")
    assert done.returncode == code, done.stderr
    assert sentence in done.stderr
    assert way_out in done.stderr
    if sentence != "filelock-":  # then the file that was downloaded is to blame
        assert str(lock) in done.stderr
    assert "Traceback" not in done.stderr
    assert lock.read_bytes() == spoiled
    assert {each.name for each in locked.folder.iterdir() if not each.name.startswith(".venv")} == {
        "pyproject.toml",
        "pylock.toml",
    }
    assert not (locked.folder / ".venv").exists()


def test_frozen_says_that_the_lock_was_made_for_something_else(locked: Workplace) -> None:
    locked.write((locked.folder / "pyproject.toml").read_text().replace('["torchmetrics"]', '["torchmetrics", "six"]'))
    outcome = locked.sync("--frozen", "--extra", "cpu")
    assert any("made for another pyproject.toml" in each for each in outcome["warnings"])


def test_an_environment_stays_when_its_lock_is_spoiled(locked: Workplace) -> None:
    locked.sync("--frozen", "--extra", "cpu")
    before = (locked.folder / ".venv").resolve()
    lock = locked.folder / "pylock.toml"
    lock.write_text(merged(lock.read_text()))
    assert locked.run("sync", "--extra", "cpu").returncode == 65
    assert (locked.folder / ".venv").resolve() == before
    assert locked.run("lock", "-q").returncode == 0
    assert locked.sync("--extra", "cpu")["changed"] is False


def test_the_lock_of_another_project_is_not_used_without_frozen(workplace: Workplace) -> None:
    place = workplace.with_variables(**HERE)
    place.write(pyproject("typing-extensions"))
    assert place.run("lock", "-q").returncode == 0
    text = (place.folder / "pylock.toml").read_text()
    assert 'project = "minimal"' in text
    place.write(pyproject("typing-extensions", "numpy").replace('"minimal"', '"other"'))
    assert "numpy" in {each["name"] for each in place.sync()["packages"]}
    assert 'project = "other"' in (place.folder / "pylock.toml").read_text()


def test_a_lock_of_a_slightly_newer_format_is_used_with_a_warning(locked: Workplace) -> None:
    lock = locked.folder / "pylock.toml"
    lock.write_text(lock.read_text().replace('lock-version = "1.0"', 'lock-version = "1.9"'))
    done = locked.run("sync", "--frozen", "--extra", "cpu", "--dry-run")
    assert done.returncode == 0, done.stderr
    assert "is in lock format 1.9, and this torchstrap knows 1.0" in done.stderr
    assert "update torchstrap" in done.stderr
    assert "minor version" not in done.stderr


@pytest.mark.parametrize("words", [("lock",), ("lock", "--check")], ids=["written", "looked at"])
def test_a_lock_of_ours_that_cannot_be_read_is_written_anew(locked: Workplace, words: tuple[str, ...]) -> None:
    lock = locked.folder / "pylock.toml"
    good = lock.read_text()
    lock.write_text(good[: len(good) // 2])
    done = locked.run(*words)
    assert done.returncode == (1 if "--check" in words else 0), done.stderr
    assert "is not valid TOML" in done.stderr
    assert ("That is done now" in done.stderr) is ("--check" not in words)
    assert (lock.read_text() == good) is ("--check" not in words)
