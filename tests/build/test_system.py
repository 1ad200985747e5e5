from __future__ import annotations

from pathlib import Path

import pytest

from bootstrap.build.system import BuildSystem, build_system, needs_build


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param(None, True, id="only a setup.py"),
        pytest.param("[build-system]\nrequires = []\n", True, id="no project table"),
        pytest.param("[project]\nname = 'x'\nversion = '1'\n", False, id="all said"),
        pytest.param("[project]\nname = 'x'\ndynamic = ['version']\n", True, id="dynamic version"),
        pytest.param("[project]\nname = 'x'\nversion = '1'\ndynamic = ['dependencies']\n", True, id="dependencies"),
        pytest.param("[project]\nname = 'x'\nversion = '1'\ndynamic = ['readme']\n", False, id="dynamic readme"),
        pytest.param("[project]\nname = 'x'\ndynamic = 'version'\n", True, id="nonsense"),
    ],
)
def test_knows_when_only_a_build_can_tell(tmp_path: Path, text: str | None, expected: bool) -> None:
    if text is not None:
        (tmp_path / "pyproject.toml").write_text(text)
    assert needs_build(tmp_path) is expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param(None, BuildSystem(), id="only a setup.py"),
        pytest.param("[project]\nname = 'x'\n", BuildSystem(), id="no table"),
        pytest.param("[build-system]\nrequires = ['a']\n", BuildSystem(("a",)), id="no backend"),
        pytest.param(
            "[build-system]\nrequires = ['a', 'b']\nbuild-backend = 'a.api'\nbackend-path = ['.']\n",
            BuildSystem(("a", "b"), "a.api", (".",)),
            id="complete",
        ),
    ],
)
def test_fills_in_what_the_standard_says(tmp_path: Path, text: str | None, expected: BuildSystem) -> None:
    (tmp_path / "setup.py").touch()
    if text is not None:
        (tmp_path / "pyproject.toml").write_text(text)
    assert build_system(tmp_path) == expected


def test_a_missing_backend_is_the_old_setuptools() -> None:
    assert BuildSystem() == BuildSystem(("setuptools>=40.8.0",), "setuptools.build_meta:__legacy__")
