from __future__ import annotations

import sys
from pathlib import Path

import pytest
from packaging.specifiers import SpecifierSet

from bootstrap.environment.discovery import find
from bootstrap.environment.interpreter import describe
from bootstrap.errors import BootstrapError

RUNNING = ".".join(map(str, sys.version_info[:3]))
EVERYTHING = SpecifierSet()

ANSWER = """#!/bin/sh
cat <<'END'
{{"executable": "{path}", "base_prefix": "/none", "version": "{version}", "implementation": "{implementation}",
"markers": {{"python_full_version": "{version}"}}, "tags": ["cp-none-any"], "system": "linux", "machine": "x86_64",
"wide": true, "free_threaded": {free}, "scheme": {{"purelib": "lib", "platlib": "lib", "scripts": "bin",
"include": "include", "data": "."}}}}
END
"""


def pretend(path: Path, version: str, *, implementation: str = "cpython", free: bool = False) -> Path:
    """An executable that answers as a Python of that version would."""
    path.parent.mkdir(parents=True, exist_ok=True)
    text = ANSWER.format(path=path, version=version, implementation=implementation, free=str(free).lower())
    path.write_text(text)
    path.chmod(0o755)
    return path


def world(folder: Path) -> dict[str, str]:
    """A PATH and a home of its own."""
    return {"PATH": str(folder / "bin"), "HOME": str(folder / "home")}


def test_takes_the_running_one_if_it_fits(tmp_path: Path) -> None:
    pretend(tmp_path / "bin/python3.99", "3.99.0")
    assert find(None, SpecifierSet(">=3.10"), environ=world(tmp_path)).version == describe(Path(sys.executable)).version


def test_takes_the_newest_that_fits_if_the_running_one_does_not(tmp_path: Path) -> None:
    for version in ("3.97.1", "3.98.3", "3.99.0"):
        pretend(tmp_path / f"bin/python{version.rpartition('.')[0]}", version)
    pretend(tmp_path / "home/.pyenv/versions/3.98.4/bin/python", "3.98.4")
    pretend(tmp_path / "bin/python", "2.7.18")
    assert find(None, SpecifierSet(">=3.97,<3.99"), environ=world(tmp_path)).version == "3.98.4"


def test_prefers_a_final_release(tmp_path: Path) -> None:
    pretend(tmp_path / "bin/python3.98", "3.98.0")
    pretend(tmp_path / "bin/python3.99", "3.99.0b1")
    assert find(None, SpecifierSet(">=3.98"), environ=world(tmp_path)).version == "3.98.0"
    assert find("3.99", EVERYTHING, environ=world(tmp_path)).version == "3.99.0b1"


@pytest.mark.parametrize(
    ("request_", "version"),
    [
        ("3.98", "3.98.3"),
        ("3.98.3", "3.98.3"),
        ("python3.98", "3.98.3"),
        ("cpython3.98", "3.98.3"),
        (">=3.98", "3.99.0"),
    ],
)
def test_finds_what_was_asked_for(tmp_path: Path, request_: str, version: str) -> None:
    pretend(tmp_path / "bin/python3.98", "3.98.3")
    pretend(tmp_path / "bin/python3.99", "3.99.0")
    assert find(request_, EVERYTHING, environ=world(tmp_path)).version == version


def test_a_short_version_is_no_prefix_of_a_longer_number(tmp_path: Path) -> None:
    pretend(tmp_path / "bin/python3.99", "3.99.0")
    with pytest.raises(BootstrapError, match=r"Python 3\.9 was asked for"):
        find("3.9", EVERYTHING, environ=world(tmp_path))


def test_takes_free_threaded_and_foreign_ones_only_when_asked(tmp_path: Path) -> None:
    pretend(tmp_path / "bin/python3.99t", "3.99.1", free=True)
    pretend(tmp_path / "bin/python3.99", "3.99.2", implementation="pypy")
    pretend(tmp_path / "bin/python3.98", "3.98.0")
    assert find(None, SpecifierSet(">=3.98"), environ=world(tmp_path)).version == "3.98.0"
    assert find("3.99t", EVERYTHING, environ=world(tmp_path)).version == "3.99.1"


def test_takes_a_path_an_environment_and_a_command(tmp_path: Path) -> None:
    path = pretend(tmp_path / "env/bin/python", "3.50.0")
    pretend(tmp_path / "bin/pypy3", "3.51.0", implementation="pypy")
    assert find(str(path), EVERYTHING, environ=world(tmp_path)).version == "3.50.0"
    assert find(str(tmp_path / "env"), EVERYTHING, environ=world(tmp_path)).version == "3.50.0"
    assert find("pypy3", EVERYTHING, environ=world(tmp_path)).implementation == "pypy"


def test_a_named_python_has_to_fit_too(tmp_path: Path) -> None:
    path = pretend(tmp_path / "bin/python", "3.50.0")
    with pytest.raises(BootstrapError, match=r"is Python 3\.50\.0, but <3\.50 is required"):
        find(str(path), SpecifierSet("<3.50"), environ=world(tmp_path))


def test_names_what_is_required_and_what_was_found(tmp_path: Path) -> None:
    pretend(tmp_path / "bin/python3.98", "3.98.3")
    with pytest.raises(BootstrapError) as caught:
        find(None, SpecifierSet(">=4"), environ=world(tmp_path))
    assert caught.value.exit_code == 1
    assert ">=4" in str(caught.value)
    assert "3.98.3" in str(caught.value)
    assert RUNNING in str(caught.value)


def test_says_that_a_request_is_nothing(tmp_path: Path) -> None:
    with pytest.raises(BootstrapError, match="there is no such file or command"):
        find("snake", EVERYTHING, environ=world(tmp_path))


def test_skips_what_cannot_be_run(tmp_path: Path) -> None:
    broken = tmp_path / "bin/python3.99"
    pretend(broken, "3.99.0").write_text("#!/bin/sh\nexit 1\n")
    pretend(tmp_path / "bin/python3.98", "3.98.0")
    assert find(None, SpecifierSet(">=3.98"), environ=world(tmp_path)).version == "3.98.0"
