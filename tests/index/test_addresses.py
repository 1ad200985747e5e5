from __future__ import annotations

from pathlib import Path

import pytest

from bootstrap.index import addresses


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        pytest.param("https://me:word@host/simple", "https://host/simple", id="user-and-password"),
        pytest.param("https://token@host:8443/simple", "https://host:8443/simple", id="token"),
        pytest.param("https://me:p@ss@host/simple", "https://host/simple", id="at-sign-in-the-password"),
        pytest.param("https://host/simple/@scope", "https://host/simple/@scope", id="at-sign-in-the-path"),
        pytest.param("/srv/wheels", "/srv/wheels", id="path"),
    ],
)
def test_shows_no_credentials(url: str, shown: str) -> None:
    assert addresses.without_credentials(url) == shown


def test_decodes_credentials() -> None:
    assert addresses.credentials("https://me%40lab:a%2Fb@host/") == ("me@lab", "a/b")
    assert addresses.credentials("https://host/") is None


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        pytest.param("https://host/a", "https://me:word@HOST:443/b", True, id="default-port"),
        pytest.param("https://host/a", "http://host/a", False, id="other-scheme"),
        pytest.param("https://host/a", "https://host.example/a", False, id="other-host"),
        pytest.param("http://[::1]:80/a", "http://[::1]/b", True, id="ipv6"),
    ],
)
def test_compares_origins(one: str, other: str, same: bool) -> None:
    assert (addresses.origin(one) == addresses.origin(other)) is same


_MIRRORS = (
    ("https://download.pytorch.org", "https://lab/all"),
    ("https://download.pytorch.org/whl/cu128/", "https://lab/newest/"),
)


@pytest.mark.parametrize(
    ("url", "asked"),
    [
        pytest.param("https://download.pytorch.org/whl/cpu/torch/", "https://lab/all/whl/cpu/torch/", id="prefix"),
        pytest.param("https://download.pytorch.org/whl/cu128/torch/", "https://lab/newest/torch/", id="longest-prefix"),
        pytest.param("https://download.pytorch.org/whl/cu1281/a", "https://lab/all/whl/cu1281/a", id="whole-segments"),
        pytest.param("https://download.pytorch.org.evil/a", "https://download.pytorch.org.evil/a", id="other-host"),
    ],
)
def test_rewrites_the_longest_prefix(url: str, asked: str) -> None:
    assert addresses.rewrite(url, _MIRRORS) == asked


def test_turns_file_addresses_into_paths(tmp_path: Path) -> None:
    path = tmp_path / "a b+c"
    assert addresses.file_path(path.as_uri()) == path
