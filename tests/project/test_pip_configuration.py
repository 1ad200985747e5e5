"""pip's configuration is read from where pip reads it, and the last word wins as in pip."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bootstrap.errors import InputError
from bootstrap.project.pip_configuration import PipConfiguration, read_pip_configuration


def put(path: Path, content: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content, "utf-8")
    return path


def conf(url: str, section: str = "global") -> str:
    return f"[{section}]\nindex-url = {url}\n"


def read(tmp_path: Path, environ: Mapping[str, str] | None = None, platform: str = "linux") -> PipConfiguration:
    return read_pip_configuration(
        environ or {}, tmp_path / "home", prefix=tmp_path / "venv", platform=platform, root=tmp_path / "root"
    )


PLACES = {
    "linux": [
        "root/etc/xdg/pip/pip.conf",
        "root/etc/pip.conf",
        "home/.pip/pip.conf",
        "home/.config/pip/pip.conf",
        "venv/pip.conf",
    ],
    "darwin": [
        "root/Library/Application Support/pip/pip.conf",
        "home/.pip/pip.conf",
        "home/.config/pip/pip.conf",
        "venv/pip.conf",
    ],
    "win32": ["root/ProgramData/pip/pip.ini", "home/pip/pip.ini", "home/AppData/Roaming/pip/pip.ini", "venv/pip.ini"],
}


@pytest.mark.parametrize("platform", PLACES)
def test_later_places_win_over_earlier_ones(tmp_path: Path, platform: str) -> None:
    for place in PLACES[platform]:
        path = put(tmp_path / place, conf(place))
        configuration = read(tmp_path, platform=platform)
        assert configuration.values == {"index-url": place}
        assert configuration.origins == {"index-url": str(path)}
    assert configuration.files == tuple(tmp_path / place for place in PLACES[platform])


def test_macos_prefers_its_own_folder_when_it_exists(tmp_path: Path) -> None:
    put(tmp_path / "home/.config/pip/pip.conf", conf("unix"))
    put(tmp_path / "home/Library/Application Support/pip/pip.conf", conf("mac"))
    assert read(tmp_path, platform="darwin").values == {"index-url": "mac"}


def test_follows_the_folders_that_the_environment_names(tmp_path: Path) -> None:
    put(tmp_path / "a/pip/pip.conf", "[global]\ncert = a\nproxy = a\n")
    put(tmp_path / "b/pip/pip.conf", "[global]\nproxy = b\n")
    environ = {"XDG_CONFIG_DIRS": str(tmp_path / "a"), "XDG_CONFIG_HOME": str(tmp_path / "b")}
    assert read(tmp_path, environ).values == {"cert": "a", "proxy": "b"}


def test_the_section_install_wins_over_global_of_any_file(tmp_path: Path) -> None:
    put(tmp_path / "root/etc/pip.conf", conf("from-install", "install"))
    put(tmp_path / "venv/pip.conf", conf("from-global"))
    assert read(tmp_path).values == {"index-url": "from-install"}


def test_variables_win_over_files_and_empty_ones_say_nothing(tmp_path: Path) -> None:
    put(tmp_path / "venv/pip.conf", "[install]\nindex_url = file\ntimeout = 3\n[freeze]\nuser = yes\n")
    configuration = read(tmp_path, {"PIP_INDEX_URL": "variable", "PIP_TIMEOUT": "", "PIP_HELP": "1", "PIPX": "x"})
    assert configuration.values == {"index-url": "variable", "timeout": "3"}
    assert configuration.origins["index-url"] == "PIP_INDEX_URL"


def test_the_null_device_means_no_files_but_variables_count(tmp_path: Path) -> None:
    put(tmp_path / "venv/pip.conf", conf("file"))
    configuration = read(tmp_path, {"PIP_CONFIG_FILE": os.devnull, "PIP_PROXY": "p"})
    assert configuration == PipConfiguration({"proxy": "p"}, {"proxy": "PIP_PROXY"})


def test_a_named_file_wins_and_hides_those_of_the_user(tmp_path: Path) -> None:
    put(tmp_path / "home/.config/pip/pip.conf", "[global]\nproxy = user\n")
    put(tmp_path / "venv/pip.conf", conf("site") + "cert = site\n")
    named = put(tmp_path / "named.conf", conf("named"))
    assert read(tmp_path, {"PIP_CONFIG_FILE": str(named)}).values == {"index-url": "named", "cert": "site"}


def test_a_named_file_that_is_missing_changes_nothing(tmp_path: Path) -> None:
    put(tmp_path / "home/.config/pip/pip.conf", conf("user"))
    assert read(tmp_path, {"PIP_CONFIG_FILE": str(tmp_path / "none")}).values == {"index-url": "user"}


def test_values_keep_percent_signs_and_several_lines(tmp_path: Path) -> None:
    put(
        tmp_path / "venv/pip.conf",
        "[global]\nindex-url = https://a%40b@x\nextra-index-url =\n  https://1\n  https://2\n",
    )
    values = read(tmp_path).values
    assert values["index-url"] == "https://a%40b@x"
    assert values["extra-index-url"].split() == ["https://1", "https://2"]


@pytest.mark.parametrize(
    ("content", "line"),
    [
        (b"index-url = x\n", 1),
        (b"[global]\na = 1\nnonsense\n", 3),
        (b"[global]\na=1\na=2\n", 3),
        (b"[global]\n\xff", None),
    ],
    ids=["no-section", "no-value", "twice", "no-text"],
)
def test_refuses_a_broken_file_with_its_line(tmp_path: Path, content: bytes, line: int | None) -> None:
    path = tmp_path / "venv" / "pip.conf"
    path.parent.mkdir()
    path.write_bytes(content)
    with pytest.raises(InputError, match="pip's configuration") as caught:
        read(tmp_path)
    assert (caught.value.file, caught.value.line) == (str(path), line)


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.one_of(st.binary(max_size=40), st.text(alphabet="[]=:# \nab%", max_size=40).map(str.encode)))
def test_any_bytes_are_a_configuration_or_a_sentence(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "venv" / "pip.conf"
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(content)
    try:
        files = [str(file) for file in read(tmp_path).files]
    except InputError as error:
        files = [error.file]
    assert files == [str(path)]
