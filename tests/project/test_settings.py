"""Settings come from the highest place that says them; lists are joined."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timezone
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bootstrap.errors import ConfigurationError
from bootstrap.project.binaries import Binaries
from bootstrap.project.pip_configuration import PipConfiguration
from bootstrap.project.requirements_file import Options
from bootstrap.project.settings import _ROWS, Settings, default_index, read_cache_dir, read_settings


def read(
    command_line: Mapping[str, object] | None = None,
    environ: Mapping[str, str] | None = None,
    table: Mapping[str, object] | None = None,
    pip: Mapping[str, str] | None = None,
    options: Options | None = None,
    *,
    folder: Path = Path(),
) -> Settings:
    return read_settings(
        command_line=command_line or {},
        environ=environ or {},
        project_table=table or {},
        pip=PipConfiguration(pip or {}, dict.fromkeys(pip or {}, "pip.conf")),
        options=options,
        folder=folder,
    )


def test_says_the_defaults_where_nobody_says_anything() -> None:
    found = read()
    assert found.cache_dir is not None
    assert found == Settings(cache_dir=found.cache_dir)
    assert found.cache_dir.name == "torchstrap"


def test_the_highest_place_wins() -> None:
    places: list[dict[str, object]] = [
        {"command_line": {"timeout": 1}},
        {"environ": {"TORCHSTRAP_TIMEOUT": "2"}},
        {"table": {"timeout": 3}},
        {"pip": {"timeout": "4"}},
    ]
    for expected in range(1, 5):
        said: dict[str, object] = {}
        for place in places[expected - 1 :]:
            said |= place
        assert read(**said).timeout == expected  # type: ignore[arg-type]


def test_options_of_requirements_files_stand_above_the_table() -> None:
    options = Options(
        find_links=("https://a",), prereleases=True, index_url="https://i", extra_index_urls=("https://e",)
    )
    found = read(table={"pre": False, "find-links": ["https://b"]}, pip={"index-url": "https://p"}, options=options)
    assert found.prereleases
    assert found.find_links == ("https://a", "https://b")
    assert found.pip_index_url == "https://i"
    assert found.requirements_index_urls == ("https://e",)


@pytest.mark.parametrize("command_line", [{}, {"cache_dir": "a"}, {"no_cache": True}, {"cache_dir": None}])
@pytest.mark.parametrize("environ", [{}, {"TORCHSTRAP_CACHE_DIR": "b"}, {"TORCHSTRAP_NO_CACHE": "no"}])
@pytest.mark.parametrize("table", [{}, {"cache-dir": "c"}, {"no-cache": True}])
def test_the_cache_alone_is_the_same_as_among_all_settings(
    command_line: dict[str, object], environ: dict[str, str], table: dict[str, object]
) -> None:
    alone = read_cache_dir(command_line=command_line, environ=environ, project_table=table, folder=Path("project"))
    assert alone == read(command_line, environ, table, folder=Path("project")).cache_dir


def test_the_cache_alone_does_not_mind_what_else_is_wrong() -> None:
    alone = read_cache_dir(command_line={}, environ={"TORCHSTRAP_TIMEOUT": "x"}, project_table={}, folder=Path())
    assert alone == read().cache_dir
    with pytest.raises(ConfigurationError, match="TORCHSTRAP_NO_CACHE"):
        read_cache_dir(command_line={}, environ={"TORCHSTRAP_NO_CACHE": "x"}, project_table={}, folder=Path())


def test_what_was_not_given_on_the_command_line_says_nothing() -> None:
    found = read(
        {"offline": False, "timeout": None, "find_links": [], "index_url": ""},
        {
            "TORCHSTRAP_OFFLINE": "1",
            "TORCHSTRAP_TIMEOUT": "7",
            "TORCHSTRAP_FIND_LINKS": "https://l",
            "TORCHSTRAP_INDEX_URL": "https://i",
        },
    )
    assert (found.offline, found.timeout, found.find_links, found.index_url) == (True, 7, ("https://l",), "https://i")


def test_a_variable_can_switch_off_what_a_file_switches_on() -> None:
    assert not read(environ={"TORCHSTRAP_NO_BUILD": "no"}, table={"no-build": True}).no_build


def test_the_command_line_may_use_the_words_of_its_options() -> None:
    found = read(
        {"extra_index_url": ["https://1"], "pre": True, "mirror": ["https://a=https://b"], "trusted_host": ["h"]}
    )
    assert (found.extra_index_urls, found.prereleases) == (("https://1",), True)
    assert (found.mirrors, found.trusted_hosts) == ((("https://a", "https://b"),), ("h",))


def test_lists_are_joined_highest_first_without_repetition() -> None:
    found = read(
        {"extra_index_urls": ["https://1", "https://2"]},
        {"TORCHSTRAP_EXTRA_INDEX_URL": "https://3 https://1"},
        {"extra-index-url": ["https://4"]},
        {"extra-index-url": "https://5\nhttps://6"},
    )
    assert found.extra_index_urls == ("https://1", "https://2", "https://3", "https://4")
    assert found.pip_extra_index_urls == ("https://5", "https://6")


def test_the_index_of_pip_is_kept_apart() -> None:
    found = read(pip={"index-url": "https://p/simple"})
    assert (found.index_url, found.pip_index_url) == (None, "https://p/simple")


@pytest.mark.parametrize(
    "said",
    [
        {"command_line": {"mirrors": ["https://a/whl=https://b/whl", "https://c=/srv/c"]}},
        {"environ": {"TORCHSTRAP_MIRRORS": "https://a/whl=https://b/whl,https://c=/srv/c"}},
        {"environ": {"TORCHSTRAP_MIRROR": "https://a/whl/=https://b/whl/ https://c=file:///srv/c"}},
        {"table": {"mirrors": {"https://a/whl": "https://b/whl", "https://c": "/srv/c"}}},
    ],
    ids=["command-line", "commas", "spaces-and-slashes", "table"],
)
def test_reads_mirrors_however_they_are_written(said: dict[str, Mapping[str, object]]) -> None:
    found = read(**said)  # type: ignore[arg-type]
    assert found.mirrors == (("https://a/whl", "https://b/whl"), ("https://c", Path("/srv/c").as_uri()))


def test_reads_several_mirrors_of_one_address_in_their_order() -> None:
    expected = (("https://a", "https://b"), ("https://a", "https://c"))
    assert read({"mirrors": ["https://a=https://b", "https://a=https://c"]}).mirrors == expected
    assert read(table={"mirrors": {"https://a": ["https://b", "https://c"]}}).mirrors == expected


def test_relative_paths_of_the_table_are_meant_from_the_project(tmp_path: Path) -> None:
    found = read(table={"find-links": ["wheels"], "cert": "ca.pem", "cache-dir": "cache"}, folder=tmp_path)
    assert found.find_links == ((tmp_path / "wheels").as_uri(),)
    assert (found.cert, found.cache_dir) == (tmp_path / "ca.pem", tmp_path / "cache")


def test_paths_elsewhere_are_meant_from_the_working_folder() -> None:
    assert read(environ={"TORCHSTRAP_FIND_LINKS": "wheels"}).find_links == ((Path.cwd() / "wheels").as_uri(),)


def test_no_cache_means_none_whatever_folder_is_named(tmp_path: Path) -> None:
    assert read({"no_cache": True}, {"TORCHSTRAP_CACHE_DIR": str(tmp_path)}).cache_dir is None
    assert read({}, {"TORCHSTRAP_CACHE_DIR": str(tmp_path)}).cache_dir == tmp_path


def test_reads_what_pip_knows_of_the_network() -> None:
    found = read(
        pip={
            "cert": "/ca.pem",
            "client-cert": "/me.pem",
            "proxy": "proxy.lab:3128",
            "trusted-host": "a.lab\n b.lab:8080",
            "retries": "9",
            "no-index": "true",
            "pre": "yes",
            "find-links": "/srv/wheels https://links",
        }
    )
    assert (found.cert, found.client_cert) == (Path("/ca.pem"), Path("/me.pem"))
    assert (found.proxy, found.trusted_hosts, found.retries) == ("http://proxy.lab:3128", ("a.lab", "b.lab:8080"), 9)
    assert (found.no_index, found.prereleases) == (True, True)
    assert found.find_links == (Path("/srv/wheels").as_uri(), "https://links")


@pytest.mark.parametrize(
    ("said", "meant"),
    [("import", "subprocess"), ("Subprocess", "subprocess"), ("disabled", "disabled"), ("auto", "auto")],
)
def test_knows_pips_words_for_keyrings(said: str, meant: str) -> None:
    assert read(pip={"keyring-provider": said}).keyring_provider == meant
    assert read(environ={"TORCHSTRAP_KEYRING_PROVIDER": said}).keyring_provider == meant
    assert read({"keyring_provider": "disabled"}, pip={"keyring-provider": said}).keyring_provider == "disabled"
    with pytest.raises(ConfigurationError, match="must be auto, disabled or subprocess"):
        read({"keyring_provider": f"{said}!"})


def test_a_higher_word_about_binaries_takes_a_name_off_the_other_side() -> None:
    found = read({"only_binary": ["Torch"]}, pip={"no-binary": "torch,numpy"})
    assert found.no_binary == {"numpy"}
    assert found.only_binary == {"torch"}


def test_none_takes_back_what_was_said_lower() -> None:
    assert read({"no_binary": [":none:"]}, pip={"no-binary": ":all:"}).no_binary == frozenset()


def test_all_on_one_side_leaves_names_on_the_other() -> None:
    found = read({"only_binary": [":all:"], "no_binary": ["mpi4py"]})
    assert found.no_binary == {"mpi4py"}
    assert found.only_binary == {":all:"}


def test_binaries_of_requirements_files_count() -> None:
    assert read(options=Options(binaries=Binaries(no_binary=frozenset({"a"})))).no_binary == {"a"}


def test_refuses_a_name_on_both_sides_of_binaries() -> None:
    with pytest.raises(ConfigurationError, match="both name `torch`"):
        read({"only_binary": ["torch"], "no_binary": ["torch"]})


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("2025-06-30", datetime(2025, 7, 1, tzinfo=timezone.utc)),
        ("2025-06-30T12:00:00Z", datetime(2025, 6, 30, 12, tzinfo=timezone.utc)),
        ("2025-06-30T12:00:00+02:00", datetime(2025, 6, 30, 10, tzinfo=timezone.utc)),
        ("2025-06-30T12:00:00", datetime(2025, 6, 30, 12, tzinfo=timezone.utc)),
    ],
    ids=["whole-day", "utc", "offset", "bare"],
)
def test_reads_moments_in_utc(said: str, expected: datetime) -> None:
    assert read(environ={"TORCHSTRAP_EXCLUDE_NEWER": said}).exclude_newer == expected


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ({"environ": {"TORCHSTRAP_TIMEOUT": "soon"}}, "TORCHSTRAP_TIMEOUT is 'soon', but must be a number of seconds"),
        ({"environ": {"TORCHSTRAP_TIMEOUT": "-1"}}, "above zero"),
        ({"environ": {"TORCHSTRAP_TIMEOUT": "nan"}}, "above zero"),
        ({"environ": {"TORCHSTRAP_RETRIES": "1.5"}}, "a whole number"),
        ({"environ": {"TORCHSTRAP_OFFLINE": "maybe"}}, "must be yes or no"),
        ({"environ": {"TORCHSTRAP_MIRRORS": "a=b"}}, "FROM=TO"),
        ({"table": {"mirrors": {"https://a": 3}}}, "FROM=TO"),
        ({"table": {"no-build": "perhaps"}}, r"\[tool.torchstrap\] no-build is 'perhaps'"),
        ({"table": {"find-links": 3}}, "a list of addresses or paths"),
        ({"table": {"index-url": 3}}, "an address like https://host/simple"),
        ({"environ": {"TORCHSTRAP_INDEX_URL": "lab.example/simple"}}, "an address like"),
        ({"environ": {"TORCHSTRAP_MIRRORS": "https://a=b"}}, "FROM=TO"),
        ({"pip": {"extra-index-url": "https://a b"}}, "extra-index-url in pip.conf is 'https://a b'"),
        ({"pip": {"no-index": "maybe"}}, "no-index in pip.conf is 'maybe'"),
        ({"command_line": {"exclude_newer": "yesterday"}}, "--exclude-newer is 'yesterday', but must be a date"),
    ],
)
def test_refuses_a_setting_naming_its_place(said: dict[str, Mapping[str, object]], words: str) -> None:
    with pytest.raises(ConfigurationError, match=words):
        read(**said)  # type: ignore[arg-type]


def test_every_row_is_a_field_and_no_word_means_two_things() -> None:
    fields = set(Settings.__dataclass_fields__)
    assert {row.name for row in _ROWS} - fields == {"no_cache"}
    assert fields - {row.name for row in _ROWS} == {"no_binary", "only_binary"}
    for words in (
        [w for row in _ROWS for w in row.variables],
        [w for row in _ROWS for w in row.keys],
        [row.pip for row in _ROWS if row.pip],
    ):
        assert len(words) == len(set(words))


def test_the_default_index_is_an_address_of_simple_pages() -> None:
    assert default_index().startswith("https://")
    assert default_index().endswith("/simple")


KEYS = sorted({"no-binary", "only-binary"} | {key for row in _ROWS for key in (*row.keys, row.pip or "pre")})
VALUES = st.recursive(
    st.one_of(st.text(max_size=9), st.integers(), st.floats(), st.booleans(), st.none(), st.dates()),
    lambda inner: st.one_of(st.lists(inner, max_size=2), st.dictionaries(st.text(max_size=5), inner, max_size=2)),
    max_leaves=4,
)


@settings(max_examples=200, deadline=None)
@given(
    st.dictionaries(st.sampled_from(KEYS), VALUES, max_size=3),
    st.dictionaries(st.sampled_from(KEYS), st.text(max_size=12), max_size=3),
    st.dictionaries(st.sampled_from([v for row in _ROWS for v in row.variables]), st.text(max_size=12), max_size=3),
)
def test_any_words_are_settings_or_a_sentence(
    table: dict[str, object], pip: dict[str, str], environ: dict[str, str]
) -> None:
    try:
        sentence = f"{read(environ=environ, table=table, pip=pip)} must be"
    except ConfigurationError as error:
        sentence = str(error)
    assert "must be" in sentence or "both name" in sentence


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        pytest.param(["torch"], [("", "torch", True)], id="a list for all"),
        pytest.param(
            {"Flash_Attn": ["torch", "numpy<2"]},
            [("flash-attn", "torch", True), ("flash-attn", "numpy<2", True)],
            id="by package",
        ),
        pytest.param(
            {"flash-attn": [{"requirement": "torch", "match-runtime": False}]},
            [("flash-attn", "torch", False)],
            id="as in uv's table",
        ),
    ],
)
def test_what_builds_get_on_top(said: object, expected: list[tuple[str, str, bool]]) -> None:
    assert list(read(table={"build-with": said}).build_with) == expected


def test_what_builds_get_is_joined_from_all_places() -> None:
    found = read(environ={"TORCHSTRAP_BUILD_WITH": "torch numpy"}, table={"build-with": {"a": ["ninja"]}})
    assert [tuple(each) for each in found.build_with] == [
        ("", "torch", True),
        ("", "numpy", True),
        ("a", "ninja", True),
    ]


@pytest.mark.parametrize("said", [7, ["torch torch"], [7], {"a": "torch"}, {"a": [{"match-runtime": True}]}])
def test_refuses_what_no_build_can_get(said: object) -> None:
    with pytest.raises(ConfigurationError, match=r"\[tool\.torchstrap\] build-with is .* but must be a list of names"):
        read(table={"build-with": said})


@pytest.mark.parametrize("text", ["http://[bad/", "https://host:99999999/simple"], ids=["host", "port"])
def test_an_address_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(ConfigurationError, match="must be an address like"):
        read_settings(command_line={"index_url": text}, environ={}, project_table={}, pip=PipConfiguration({}, {}, ()))
