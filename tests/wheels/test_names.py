from __future__ import annotations

import random

import pytest

from bootstrap.wheels.names import _wrong_with, bad_name, bad_names, same_where_case_does_not_count
from bootstrap.wheels.reserved import is_program, is_reserved


@pytest.mark.parametrize(
    "name",
    [
        "tool.py",
        "folder/",
        "a/b/c.so.1",
        ".hidden",
        "...dots.py",
        "a b/c d.txt",
        "caf\u00e9/\u6587.py",
        "{{ cookiecutter.name }}/x.py",
        "tool/1:2.txt",
        "console.py",
        "aux.py",
        "auxiliary",
        "com10",
        "lib/python3.12/site-packages/x.py",
    ],
)
def test_nothing_is_wrong_with_an_ordinary_name(name: str) -> None:
    assert bad_name(name) == ""


@pytest.mark.parametrize("name", ["CON", "con.txt", "a/Aux/b.py", "nul .txt", "lpt\u00b9", "CONIN$", "com1.tar.gz"])
def test_knows_the_devices_of_windows(name: str) -> None:
    assert bad_name(name) == "is a device on Windows"


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("Tool.py", "tool.py", True),
        ("stra\u00dfe", "STRASSE", True),
        ("caf\u00e9", "cafe\u0301", True),
        ("\uff54ool", "tool", True),
        ("\ufb01le", "file", True),
        ("\u212b", "\u00e5", True),
        ("\u03a3", "\u03c2", True),
        ("tool", "tools", False),
        ("caf\u00e9", "cafe", False),
    ],
    ids=ascii,
)
def test_knows_names_that_some_file_system_takes_for_one(one: str, other: str, same: bool) -> None:
    assert (same_where_case_does_not_count(one) == same_where_case_does_not_count(other)) == same
    assert bool(list(bad_names([one, other], linux_only=False))) == same
    assert list(bad_names([one, other], linux_only=True)) == []


def test_folders_may_be_there_before_or_after_their_files() -> None:
    assert list(bad_names(["a/", "a/b.py", "c/d.py", "c/"], linux_only=False)) == []


@pytest.mark.parametrize(
    "name", ["python", "Python3", "python3.13t", "pythonw.exe", "pypy3.10", "activate", "activate.nu", "deactivate.bat"]
)
def test_programs_of_the_environment_are_reserved(name: str) -> None:
    assert is_program(name)
    assert is_reserved("scripts", name)
    assert is_reserved("data", f"bin/{name}")


@pytest.mark.parametrize("name", ["python-config", "ipython", "pythonx", "activator", "python3-tool", "py"])
def test_programs_of_packages_are_not(name: str) -> None:
    assert not is_program(name)
    assert not is_reserved("scripts", name)


def test_a_folder_of_a_package_may_have_any_of_these_names() -> None:
    assert not is_reserved("data", "share/tool/pyvenv.cfg")
    assert not is_reserved("", "tool/_virtualenv.pth")
    assert not is_reserved("data", "lib/x.so")


def test_what_passes_for_ordinary_at_a_glance_is_so_at_a_closer_look() -> None:
    generator = random.Random(3)
    words = ["a", "con", "AUX", "nul.txt", "com1", "lpt9.", "..", ".", "/", "/", " ", "$", "C:", "\\", "\u00e9", "\n"]
    for _ in range(20_000):
        name = "".join(generator.choices(words, k=generator.randint(0, 6)))
        assert bad_name(name) == _wrong_with(name), name
