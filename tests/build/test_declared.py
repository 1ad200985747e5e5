from __future__ import annotations

from pathlib import Path

import pytest

from bootstrap.build.declared import declared_metadata
from bootstrap.index.metadata import parse

BUILD = '[build-system]\nrequires = ["setuptools"]\n'
PROJECT = """
[project]
name = "My.Project"
version = "1.0"
requires-python = ">=3.10"
dependencies = [
    "torch>=2", "numpy<2 ; python_version < '3.12'", "own @ https://files.example/own-1.tar.gz ; os_name == 'nt'"
]
optional-dependencies.Fast_Mode = ["triton", "ninja ; sys_platform == 'linux' or os_name == 'nt'"]
"""


def folder(path: Path, text: str, *others: str) -> Path:
    (path / "pyproject.toml").write_text(text)
    for each in others:
        (path / each).touch()
    return path


def test_says_what_the_table_says(tmp_path: Path) -> None:
    content = declared_metadata(folder(tmp_path, BUILD + PROJECT, "setup.py"))
    assert content is not None
    found = parse(content)
    assert (found.name, found.version, found.requires_python) == ("My.Project", "1.0", ">=3.10")
    assert found.provides_extra == ("fast-mode",)
    assert found.requires_dist == (
        "torch>=2",
        'numpy<2; python_version < "3.12"',
        'own @ https://files.example/own-1.tar.gz ; os_name == "nt"',
        'triton; extra == "fast-mode"',
        'ninja; (sys_platform == "linux" or os_name == "nt") and extra == "fast-mode"',
    )


@pytest.mark.parametrize(
    ("text", "others"),
    [
        pytest.param(BUILD, (), id="no table"),
        pytest.param(BUILD + PROJECT.replace('version = "1.0"', 'dynamic = ["version"]'), (), id="dynamic version"),
        pytest.param(BUILD + PROJECT.replace('version = "1.0"', ""), (), id="no version"),
        pytest.param(BUILD + PROJECT.replace('"1.0"', '"one"'), (), id="not a version"),
        pytest.param(BUILD + PROJECT.replace('"My.Project"', '"-"'), (), id="not a name"),
        pytest.param(BUILD + PROJECT.replace("torch>=2", "torch>>2"), (), id="not a requirement"),
        pytest.param(BUILD + PROJECT.replace('["triton"', "[7"), (), id="not texts"),
        pytest.param(PROJECT, ("setup.py",), id="a setup.py that may say more"),
    ],
)
def test_leaves_to_a_build_what_only_a_build_can_tell(tmp_path: Path, text: str, others: tuple[str, ...]) -> None:
    assert declared_metadata(folder(tmp_path, text, *others)) is None


def test_a_project_without_a_build_system_and_a_setup_py_says_it_too(tmp_path: Path) -> None:
    assert declared_metadata(folder(tmp_path, PROJECT)) is not None
