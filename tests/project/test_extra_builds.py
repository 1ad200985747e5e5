from __future__ import annotations

from pathlib import Path

import pytest

from bootstrap.project.extra_builds import extra_build_dependencies
from bootstrap.project.setting_kinds import Addition, additions


def test_only_what_says_so_matches_the_environment() -> None:
    uv = {
        "extra-build-dependencies": {
            "flash-attn": ["setuptools", {"requirement": "torch", "match-runtime": True}],
            "other": [{"requirement": "numpy"}],
        }
    }
    assert additions(extra_build_dependencies(uv), Path()) == (
        Addition("flash-attn", "setuptools", matches=False),
        Addition("flash-attn", "torch", matches=True),
        Addition("other", "numpy", matches=False),
    )


@pytest.mark.parametrize("uv", [{}, {"index": []}, None, []], ids=["empty", "other keys", "nothing", "no table"])
def test_nothing_is_said_where_uv_says_nothing(uv: object) -> None:
    assert extra_build_dependencies(uv) == {}


@pytest.mark.parametrize(
    "said",
    [["torch"], {"a": "torch"}, {"a": [7]}, {"a": [{"match-runtime": True}]}],
    ids=["a list", "text", "number", "no name"],
)
def test_what_is_not_of_uvs_form_is_left_to_complain_of(said: object) -> None:
    with pytest.raises(ValueError, match="a list of names"):
        additions(extra_build_dependencies({"extra-build-dependencies": said}), Path())
