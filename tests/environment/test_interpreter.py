from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from packaging.markers import default_environment
from packaging.tags import sys_tags

from bootstrap.environment.interpreter import UnusableError, _libc, _platform, describe, target


def is_binary(path: Path) -> bool:
    return path.is_file() and path.read_bytes()[:2] != b"#!"


def other_pythons() -> list[Path]:
    """Pythons on this machine of another version than the running one; not the scripts that some put in front."""
    folders = [Path(each) for each in os.environ.get("PATH", "").split(os.pathsep) if each]
    folders += (Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions").glob("*/bin")
    names = [f"python3.{minor}" for minor in range(10, 16) if minor != sys.version_info.minor]
    return [folder / name for folder in folders for name in names if is_binary(folder / name)]


@pytest.fixture
def other() -> Path:
    for each in other_pythons():
        if subprocess.run([each, "-V"], check=False, capture_output=True).returncode == 0:
            return each
    pytest.skip("there is no other Python on this machine")


def test_describes_the_running_python_without_a_child() -> None:
    found = describe(Path(sys.executable))
    assert found.version == default_environment()["python_full_version"]
    assert dict(found.markers) == default_environment()
    assert list(found.tags) == [str(tag) for tag in sys_tags()]
    assert found.base_prefix == Path(sys.base_prefix)
    assert found.path.exists()
    assert not found.path.is_relative_to(sys.prefix) or sys.prefix == sys.base_prefix


def test_a_child_says_the_same_of_it_as_it_says_itself(tmp_path: Path) -> None:
    link = tmp_path / "python"
    base = describe(Path(sys.executable))
    link.symlink_to(base.path)
    asked = describe(link)
    assert (asked.version, asked.tags, asked.markers) == (base.version, base.tags, base.markers)
    assert (asked.platform, asked.libc, asked.purelib) == (base.platform, base.libc, base.purelib)


def test_describes_another_python(other: Path, tmp_path: Path) -> None:
    found = describe(other, tmp_path)
    said = subprocess.run([other, "-V"], check=True, capture_output=True, text=True).stdout.split()[1]
    assert found.version == said
    minor = ".".join(said.split(".")[:2])
    assert found.purelib == f"lib/python{minor}/site-packages"
    assert found.markers["python_version"] == minor
    assert found.python == "bin/python"
    assert target(found).python_minor == minor
    assert target(found).tags == found.tags


def test_answers_again_from_what_it_remembers(other: Path, tmp_path: Path) -> None:
    first = describe(other, tmp_path)
    (kept,) = (tmp_path / "interpreters").iterdir()
    document = json.loads(kept.read_text())
    assert describe(other, tmp_path) == first
    kept.write_text(json.dumps({**document, "implementation": "remembered"}))
    assert describe(other, tmp_path).implementation == "remembered"


def test_asks_again_when_what_it_remembers_is_damaged(other: Path, tmp_path: Path) -> None:
    first = describe(other, tmp_path)
    (kept,) = (tmp_path / "interpreters").iterdir()
    kept.write_text("{")
    assert describe(other, tmp_path) == first


def test_does_not_remember_what_a_script_in_front_of_python_says(other: Path, tmp_path: Path) -> None:
    shim = tmp_path / "python3"
    shim.write_text(f'#!/bin/sh\nexec "{other}" "$@"\n')
    shim.chmod(0o755)
    assert describe(shim, tmp_path / "cache").version == describe(other).version
    assert not (tmp_path / "cache").exists()


def test_takes_the_base_of_a_python_in_an_environment(other: Path, tmp_path: Path) -> None:
    subprocess.run([other, "-m", "venv", "--without-pip", tmp_path / "env"], check=True)
    found = describe(tmp_path / "env/bin/python")
    assert not found.path.is_relative_to(tmp_path)
    assert found.path.resolve() == describe(other).path.resolve()


@pytest.mark.parametrize(
    ("script", "words"),
    [
        ("#!/bin/sh\nexit 3\n", "exit status 3"),
        ("#!/bin/sh\necho hello\n", "not a Python that can be used"),
        ("#!/bin/sh\necho broken libc >&2; exit 1\n", "broken libc"),
        ("#!/no/such/interpreter\n", "cannot be run"),
    ],
    ids=["fails", "talks of other things", "says why", "cannot start"],
)
def test_says_what_is_wrong_with_a_file_that_is_no_python(tmp_path: Path, script: str, words: str) -> None:
    fake = tmp_path / "python"
    fake.write_text(script)
    fake.chmod(0o755)
    with pytest.raises(UnusableError, match=words):
        describe(fake)


@pytest.mark.parametrize(
    ("system", "machine", "wide", "name"),
    [
        ("linux", "x86_64", True, "linux_x86_64"),
        ("linux", "aarch64", True, "linux_aarch64"),
        ("linux", "x86_64", False, "linux_i686"),
        ("darwin", "arm64", True, "macos_arm64"),
        ("darwin", "x86_64", True, "macos_x86_64"),
        ("win32", "AMD64", True, "windows_x86_64"),
    ],
)
def test_platforms_have_our_names(system: str, machine: str, wide: bool, name: str) -> None:
    assert _platform(system, machine, wide=wide) == name


@pytest.mark.parametrize(
    ("tags", "libc"),
    [
        (("cp312-cp312-linux_x86_64", "cp312-cp312-manylinux_2_36_x86_64"), "glibc2.36"),
        (("cp312-cp312-musllinux_1_2_x86_64",), "musl1.2"),
        (("cp312-cp312-macosx_14_0_arm64",), ""),
    ],
    ids=["glibc", "musl", "none"],
)
def test_the_c_library_shows_in_the_tags(tags: tuple[str, ...], libc: str) -> None:
    assert _libc(tags) == libc
