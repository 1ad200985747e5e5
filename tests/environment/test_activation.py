"""What a program sees of the environment that it runs in."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from bootstrap.environment.activation import variables

pytestmark = pytest.mark.skipif(os.name == "nt", reason="the folders have other names there")


def test_puts_the_environment_first_and_keeps_the_rest(tmp_path: Path) -> None:
    found = variables(str(tmp_path), {"PATH": "/usr/bin:/bin", "HOME": "/home/somebody"})
    assert found == {"PATH": f"{tmp_path}/bin:/usr/bin:/bin", "HOME": "/home/somebody", "VIRTUAL_ENV": str(tmp_path)}


def test_takes_away_what_would_lead_to_another_library() -> None:
    assert "PYTHONHOME" not in variables("/venv", {"PYTHONHOME": "/usr"})


def test_names_the_environment_absolutely(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert variables(".venv", {})["VIRTUAL_ENV"] == str(tmp_path / ".venv")


def test_changes_nothing_in_what_it_was_given() -> None:
    given = {"PATH": "/bin", "PYTHONHOME": "/usr"}
    variables("/venv", given)
    assert given == {"PATH": "/bin", "PYTHONHOME": "/usr"}


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        pytest.param({}, f"/venv/bin:{os.defpath}", id="without PATH programs are where the system says"),
        pytest.param({"PATH": ""}, "/venv/bin", id="an empty PATH never means the working folder"),
    ],
)
def test_path_without_folders(environ: dict[str, str], expected: str) -> None:
    assert variables("/venv", environ)["PATH"] == expected
