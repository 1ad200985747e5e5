"""The administrator's file: what it may say, and that it has the first and the last word."""

from __future__ import annotations

from pathlib import Path

import pytest

from bootstrap.errors import ConfigurationError
from bootstrap.project.pip_configuration import PipConfiguration
from bootstrap.project.policy import NONE, MachinePolicy, read_policy, watched
from bootstrap.project.settings import Settings, read_cache_dir, read_settings


def policy(folder: Path, text: str) -> MachinePolicy:
    file = folder / "torchstrap" / "policy.toml"
    file.parent.mkdir()
    file.write_text(text)
    return read_policy({}, root=folder)


def settings(found: MachinePolicy, **said: object) -> Settings:
    pip = PipConfiguration({"cert": "/pip.pem", "find-links": "/pip"}, {}, ())
    return read_settings(command_line=said, environ={}, project_table={}, pip=pip, policy=found)


def test_a_machine_without_a_policy_admits_everything(tmp_path: Path) -> None:
    found = read_policy({}, root=tmp_path)
    assert found is NONE
    assert found.admits("cu130")


def test_defaults_go_before_pips_configuration_and_behind_all_else(tmp_path: Path) -> None:
    found = policy(tmp_path, '[defaults]\ncert = "lab.pem"\ncache-dir = "/srv/store"\n')
    assert settings(found).cert == tmp_path / "torchstrap" / "lab.pem"
    assert settings(found).cache_dir == Path("/srv/store")
    assert settings(found, cache_dir="/mine").cache_dir == Path("/mine")


def test_what_is_enforced_goes_before_the_command_line(tmp_path: Path) -> None:
    found = policy(
        tmp_path, '[enforced]\ncache-dir = "/srv/store"\noffline = true\nmirrors = ["https://a=https://b"]\n'
    )
    said = settings(found, cache_dir="/mine", mirrors=["https://a=https://c"])
    assert said.cache_dir == Path("/srv/store")
    assert said.offline
    assert said.mirrors == (("https://a", "https://b"), ("https://a", "https://c"))
    folder = read_cache_dir(
        command_line={"cache_dir": "/mine"}, environ={}, project_table={}, folder=tmp_path, policy=found
    )
    assert folder == Path("/srv/store")


def test_enforced_binaries_have_the_last_word(tmp_path: Path) -> None:
    found = policy(tmp_path, '[enforced]\nonly-binary = [":all:"]\n')
    said = settings(found, no_binary=["numpy"])
    assert said.only_binary == frozenset({":all:"})
    assert said.no_binary == frozenset()


def test_the_variable_names_a_policy_only_where_the_administrator_has_none(tmp_path: Path) -> None:
    other = tmp_path / "other.toml"
    other.write_text("[enforced]\noffline = false\n")
    environ = {"TORCHSTRAP_POLICY": str(other)}
    assert read_policy(environ, root=tmp_path).enforced == {"offline": False}
    policy(tmp_path, "[enforced]\noffline = true\n")
    assert read_policy(environ, root=tmp_path).enforced == {"offline": True}
    assert watched(environ, root=tmp_path) == (tmp_path / "torchstrap" / "policy.toml", other)


def test_variants_are_a_list_of_what_may_be_installed(tmp_path: Path) -> None:
    found = policy(tmp_path, '[enforced]\nvariants = ["cpu", "cu126"]\n')
    assert found.admits("cu126")
    assert not found.admits("cu130")
    assert found.sentence() == f"{tmp_path}/torchstrap/policy.toml allows cpu, cu126 only"


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("[enforced\n", "is not valid TOML"),
        ("[forced]\n", "`forced` is no part of a policy; there are defaults, enforced, install"),
        ("enforced = 1\n", "enforced must be a table"),
        ("[enforced]\nvariants = []\n", "variants must be a list of names"),
        ('[enforced]\nvariants = "cpu"\n', "variants must be a list of names"),
        ('[defaults]\nvariants = ["cpu"]\n', "belongs into [enforced]"),
    ],
    ids=["no TOML", "unknown table", "no table", "no variants", "a text for a list", "a veto as default"],
)
def test_a_policy_that_makes_no_sense_is_named(tmp_path: Path, text: str, sentence: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        policy(tmp_path, text)
    assert sentence in str(caught.value)
    assert "policy.toml" in str(caught.value)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("[enforced]\ncolour = 1\n", "[enforced] colour is no setting; there are build-with, cache-dir"),
        ('[defaults]\noffline = "perhaps"\n', "[defaults] offline is 'perhaps', but must be yes or no"),
    ],
    ids=["unknown setting", "impossible value"],
)
def test_a_setting_of_a_policy_that_makes_no_sense_is_named(tmp_path: Path, text: str, sentence: str) -> None:
    found = policy(tmp_path, text)
    with pytest.raises(ConfigurationError) as caught:
        settings(found)
    assert sentence in str(caught.value)


def test_a_policy_that_the_variable_names_has_to_exist(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"TORCHSTRAP_POLICY names .*, which does not exist"):
        read_policy({"TORCHSTRAP_POLICY": str(tmp_path / "none.toml")}, root=tmp_path)


def test_a_policy_that_cannot_be_read_is_no_policy_to_pass_over(tmp_path: Path) -> None:
    (tmp_path / "torchstrap" / "policy.toml").mkdir(parents=True)
    with pytest.raises(ConfigurationError, match="cannot be read"):
        read_policy({}, root=tmp_path)
