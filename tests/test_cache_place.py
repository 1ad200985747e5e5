"""Where the cache mostly is: as the settings find it, for everybody who has said nothing unusual."""

from __future__ import annotations

from pathlib import Path

import pytest

from bootstrap.cache_place import option, own, usual_cache
from bootstrap.project.settings import read_cache_dir


@pytest.mark.parametrize(
    "variables",
    [
        {},
        {"XDG_CACHE_HOME": "elsewhere"},
        {"XDG_CACHE_HOME": ""},
        {"TORCHSTRAP_CACHE_DIR": "named"},
        {"TORCHSTRAP_CACHE_DIR": "named", "XDG_CACHE_HOME": "elsewhere"},
        {"HOME": "other"},
    ],
    ids=repr,
)
def test_is_where_the_settings_find_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variables: dict[str, str]
) -> None:
    for name in ("XDG_CACHE_HOME", "TORCHSTRAP_CACHE_DIR"):
        monkeypatch.delenv(name, raising=False)
    said = {name: value and str(tmp_path / value) for name, value in variables.items()}
    for name, value in said.items():
        monkeypatch.setenv(name, value)
    found = read_cache_dir(command_line={}, environ=said, project_table={}, folder=Path())
    assert Path(usual_cache([])) == found


@pytest.mark.parametrize(
    ("arguments", "folder"),
    [
        (["sync", "--cache-dir", "here"], "here"),
        (["sync", "--cache-dir=here"], "here"),
        (["sync", "--cache-dir", "there", "--cache-dir=here"], "here"),
        (["run", "--cache-dir", "here", "--", "tool", "--cache-dir", "its"], "here"),
    ],
)
def test_an_option_of_ours_names_it(arguments: list[str], folder: str) -> None:
    assert usual_cache(own(arguments)[0]) == str(Path(folder).absolute())


def test_the_value_of_an_option_may_be_missing() -> None:
    assert option(["--cache-dir"], "--cache-dir") is None
