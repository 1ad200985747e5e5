"""pyproject.toml becomes a Project, or one error that names every mistake of the file."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import tomli_w
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from packaging.requirements import Requirement

from bootstrap.errors import ConfigurationError, InputError
from bootstrap.project.model import Index, Item, Project, Source
from bootstrap.project.pyproject import read_project

Read = Callable[[str], Project]
HEAD = '[project]\nname = "This.Thing"\nversion = "1.0"\n'
SEEDS = Path(__file__).parent.parent / "projects"


@pytest.fixture
def read(tmp_path: Path) -> Read:
    def reading(text: str) -> Project:
        (tmp_path / "pyproject.toml").write_text(text, "utf-8")
        return read_project(tmp_path)

    return reading


@pytest.mark.parametrize(
    ("seed", "extras", "indexes"),
    [
        ("accelerate-9734", {"cpu", "cu124"}, 2),
        ("multiplatform-9310", {"cpu", "gpu"}, 1),
        ("switching-16368", {"cpu", "cu128", "pypi"}, 3),
        ("torchmetrics-9640", {"cpu", "cu124"}, 2),
        ("ultralytics-9306", {"cpu", "cu124"}, 2),
    ],
)
def test_reads_the_five_reports_as_they_stand(seed: str, extras: set[str], indexes: int) -> None:
    project = read_project(SEEDS / seed)
    assert set(project.extras) == extras
    assert len(project.indexes) == indexes
    assert project.conflicts == (frozenset(Item("extra", name) for name in extras),)
    assert set(project.sources) <= {"torch", "torchvision"}
    assert project.has_build_system == (seed == "ultralytics-9306")
    assert project.files == (SEEDS / seed / "pyproject.toml",)


def test_reads_the_head_of_a_project(read: Read) -> None:
    project = read(HEAD + 'requires-python = ">=3.10"\ndependencies = ["numpy>=2", "torch ; python_version > \'3\'"]\n')
    assert (project.name, project.version, str(project.requires_python)) == ("this-thing", "1.0", ">=3.10")
    assert [str(each) for each in project.dependencies] == ["numpy>=2", 'torch; python_version > "3"']
    assert not project.has_build_system


def test_takes_the_file_itself_for_its_folder(read: Read, tmp_path: Path) -> None:
    assert read(HEAD) == read_project(tmp_path / "pyproject.toml")


def test_leaves_a_dynamic_version_open(read: Read) -> None:
    assert read('[project]\nname = "a"\ndynamic = ["version"]\n').version is None


def test_reads_groups_without_a_project(read: Read) -> None:
    project = read('[dependency-groups]\ndev = ["pytest"]\n')
    assert project.name is None
    assert project.default_groups == ("dev",)


def test_replaces_alias_extras_by_what_they_stand_for(read: Read) -> None:
    project = read(
        HEAD
        + """[project.optional-dependencies]
cu124 = ["torch>=2.5"]
GPU = ["this-thing[cu124]", "rich"]
all = ["this_thing[gpu]; sys_platform == 'linux'"]
"""
    )
    assert [str(each) for each in project.extras["gpu"]] == ["torch>=2.5", "rich"]
    assert [str(each) for each in project.extras["all"]] == [
        'torch>=2.5; sys_platform == "linux"',
        'rich; sys_platform == "linux"',
    ]
    assert project.aliases == {"gpu": {"cu124"}, "all": {"gpu", "cu124"}}


def test_joins_the_markers_of_an_alias_and_of_what_it_stands_for(read: Read) -> None:
    project = read(
        HEAD
        + """[project.optional-dependencies]
a = ["torch ; python_version < '3.9' or python_version > '3.10'"]
b = ["this-thing[a]; sys_platform == 'linux'"]
"""
    )
    marker = project.extras["b"][0].marker
    assert marker is not None
    assert not marker.evaluate({"sys_platform": "darwin", "python_version": "3.11"})
    assert marker.evaluate({"sys_platform": "linux", "python_version": "3.11"})


def test_resolves_includes_of_groups_and_extras_in_groups(read: Read) -> None:
    project = read(
        HEAD
        + """[project.optional-dependencies]
cpu = ["torch"]
[dependency-groups]
dev = [{ include-group = "Test_It" }, "ruff", "this-thing[cpu]"]
test-it = ["pytest", "ruff"]
"""
    )
    assert [str(each) for each in project.groups["dev"]] == ["pytest", "ruff", "torch"]
    assert project.group_aliases == {"dev": {"cpu"}}


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("", ("dev",)),
        ("default-groups = []", ()),
        ('default-groups = "all"', ("test", "dev")),
        ('default-groups = ["Test"]', ("test",)),
    ],
    ids=["silent", "none", "all", "named"],
)
def test_knows_the_default_groups(read: Read, line: str, expected: tuple[str, ...]) -> None:
    groups = '[dependency-groups]\ntest = ["pytest"]\ndev = ["ruff"]\n'
    assert read(f"{HEAD}{groups}[tool.uv]\n{line}\n").default_groups == expected


def test_reads_every_kind_of_source(read: Read, tmp_path: Path) -> None:
    project = read(
        HEAD
        + """[project.optional-dependencies]
cpu = ["torch"]
[dependency-groups]
dev = ["ruff"]
[[tool.uv.index]]
name = "own"
url = "https://own.example/simple"
[tool.uv.sources]
torch = { index = "own", extra = "CPU", marker = "sys_platform == 'linux'" }
ruff = [{ index = "own", group = "dev" }]
a = { url = "https://x.example/a-1.tar.gz", subdirectory = "inner" }
b = { path = "../b", editable = true }
c = { git = "https://x.example/c.git", tag = "v1" }
"""
    )
    (torch,) = project.sources["torch"]
    assert (torch.index, torch.extra, str(torch.marker)) == ("own", "cpu", 'sys_platform == "linux"')
    assert project.sources["ruff"] == (Source(index="own", group="dev"),)
    assert project.sources["a"] == (Source(url="https://x.example/a-1.tar.gz", subdirectory="inner"),)
    assert project.sources["b"] == (Source(path=tmp_path.parent / "b", editable=True),)
    assert project.sources["c"] == (Source(git="https://x.example/c.git", reference="refs/tags/v1"),)


def test_reads_indexes_in_file_order_with_their_kinds(read: Read, tmp_path: Path) -> None:
    project = read(
        HEAD
        + """[tool.uv]
extra-index-url = ["https://old.example/simple"]
find-links = ["./wheels"]
[[tool.uv.index]]
name = "flat"
url = "wheels"
format = "flat"
[[tool.uv.index]]
url = "https://default.example/simple"
default = true
[[tool.uv.index]]
name = "plain"
url = "{DEFAULT_INDEX}"
explicit = true
"""
    )
    folder = (tmp_path / "wheels").as_uri()
    assert project.indexes == (
        Index(folder, "flat", flat=True),
        Index("https://default.example/simple", default=True),
        Index("{DEFAULT_INDEX}", "plain", explicit=True),
        Index("https://old.example/simple"),
        Index(folder, flat=True),
    )


def test_takes_our_own_keys_over_those_of_uv(read: Read) -> None:
    project = read(
        HEAD
        + """[tool.uv]
constraint-dependencies = ["numpy<2"]
override-dependencies = ["a==1"]
[tool.uv.sources]
torch = { index = "one" }
other = { index = "one" }
[[tool.uv.index]]
name = "one"
url = "https://uv.example/simple"
[tool.torchstrap]
constraint-dependencies = ["numpy<3"]
[tool.torchstrap.sources]
Torch = { index = "two" }
[[tool.torchstrap.index]]
name = "one"
url = "https://ours.example/simple"
[[tool.torchstrap.index]]
name = "two"
url = "https://two.example/simple"
"""
    )
    assert project.constraints == (Requirement("numpy<3"),)
    assert project.overrides == (Requirement("a==1"),)
    assert project.sources == {"torch": (Source(index="two"),), "other": (Source(index="one"),)}
    assert [index.url for index in project.indexes] == ["https://ours.example/simple", "https://two.example/simple"]


def test_excluded_packages_are_overrides_that_never_apply(read: Read) -> None:
    (override,) = read(f'{HEAD}[tool.uv]\nexclude-dependencies = ["triton"]\n').overrides
    assert override.name == "triton"
    assert override.marker is not None
    assert not override.marker.evaluate()


def test_accepts_conflicts_that_name_this_very_package(read: Read) -> None:
    text = """[project.optional-dependencies]
a = []
[dependency-groups]
b = []
[tool.uv]
conflicts = [[{ package = "this-thing", extra = "a" }, { group = "b" }]]
"""
    assert read(HEAD + text).conflicts == (frozenset({Item("extra", "a"), Item("group", "b")}),)


@pytest.mark.parametrize(
    ("line", "expected"), [("package = false", False), ("", True)], ids=["uv-says-no", "build-system"]
)
def test_knows_whether_the_project_itself_is_installed(read: Read, line: str, expected: bool) -> None:
    assert read(f"{HEAD}[build-system]\nrequires = []\n[tool.uv]\n{line}\n").has_build_system is expected


def test_reads_dependencies_that_setuptools_takes_from_files(read: Read, tmp_path: Path) -> None:
    (tmp_path / "requirements.txt").write_text("# all of it\nnumpy>=2  # arrays\n\ntorch\n")
    project = read(
        """[project]
name = "a"
dynamic = ["version", "dependencies", "optional-dependencies"]
[tool.setuptools.dynamic]
dependencies = { file = "requirements.txt" }
optional-dependencies.Fast = { file = ["requirements.txt"] }
"""
    )
    assert [str(each) for each in project.dependencies] == ["numpy>=2", "torch"]
    assert project.extras == {"fast": project.dependencies}
    assert tmp_path / "requirements.txt" in project.files


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[tool.black]\n", ["[project]", "add"]),
        ("[tool.poetry]\nname = 'a'\n", ["[tool.poetry]", "export"]),
        ("[project]\nversion = '1'\n", ["no name", "add name"]),
        ("[project]\nname = 'a'\n", ["no version", "dynamic"]),
        ("[project]\nname = '-a-'\nversion = '1'\n", ["line 2", '"-a-"', "letters"]),
        ("[project]\nname = 'a'\nversion = 'one'\n", ["line 3", '"one"', "1.2.3"]),
        (HEAD + "requires-python = '3.10+'\n", ["line 4", '"3.10+"', ">=3.10"]),
        (HEAD + "dependencies = ['torch>>2']\n", ["line 4", '"torch>>2"', "name>=1.0"]),
        (HEAD + "dependencies = 'torch'\n", ["line 4", "dependencies must be a list of texts", "is a text"]),
        (HEAD + "dependencies = ['this-thing[a]']\n", ["line 4", "itself", "`a`"]),
        ("[project]\nname = 'a'\nversion = '1'\ndynamic = ['dependencies']\n", ["line 4", "building", "-r FILE"]),
        (HEAD + "[project.optional-dependencies]\na_b = []\na-b = []\n", ["`a-b` is there twice", "rename"]),
        (
            HEAD + "[project.optional-dependencies]\na = ['this-thing[b]']\nb = ['this-thing[a]']\n",
            ["a -> b -> a", "take one"],
        ),
        (HEAD + "[project.optional-dependencies]\ncu124 = []\na = ['this-thing[cu123]']\n", ["did you mean `cu124`?"]),
        (HEAD + "[dependency-groups]\na = [{include-group = 'b'}]\nb = [{include-group = 'a'}]\n", ["a -> b -> a"]),
        (HEAD + "[dependency-groups]\ntest = []\na = [{include-group = 'tset'}]\n", ["line 6", "mean `test`?"]),
        (HEAD + "[dependency-groups]\na = [3]\n", ["group `a`", "include-group"]),
        (HEAD + "[tool.uv]\ndefault-groups = ['dev']\n", ["line 5", "`dev`"]),
        (HEAD + "[tool.uv.sources]\ntorch = { index = 'nowhere' }\n", ["line 5", "`nowhere`", "there are none"]),
        (HEAD + "[tool.uv.sources]\ntorch = { path = 'a', url = 'https://b' }\n", ["`url` and `path`", "exactly one"]),
        (HEAD + "[tool.uv.sources]\ntorch = { indx = 'a' }\n", ["no key `indx`", "mean `index`"]),
        (HEAD + "[tool.uv.sources]\ntorch = { path = 'a', extra = 'cpu' }\n", ["the extra `cpu`", "not among"]),
        (HEAD + "[tool.uv.sources]\ntorch = { path = 'a', group = 'cpu' }\n", ["the group `cpu`", "not among"]),
        (
            HEAD + "[tool.uv.sources]\ntorch = { path = 'a', marker = 'linux' }\n",
            ['"linux" is not an environment marker'],
        ),
        (HEAD + "[tool.uv.sources]\nlib = { workspace = true }\n", ["`lib`", "no [tool.uv.workspace]"]),
        (HEAD + "[tool.uv]\nconflicts = [[{ package = 'b', extra = 'x' }, { extra = 'y' }]]\n", ["package `b`"]),
        (HEAD + "[tool.uv.sources]\nlib = { git = 'git@h.example:a/b.git' }\n", ["ssh://git@h.example/a/b.git"]),
        (HEAD + "[tool.uv.sources]\nlib = { git = 'https://h.example/a', rev = '--x' }\n", ["`lib`", '"--x"']),
        (HEAD + "[tool.uv.sources]\nlib = { git = 'https://h.example/a', subdirectory = '../x' }\n", ["leads out"]),
        (HEAD + "[tool.uv.sources]\ntorch = { path = 'a', tag = 'v1' }\n", ["`tag`", "only git"]),
        (HEAD + "[tool.uv.sources]\ntorch = { git = 'https://a', tag = '1', rev = '2' }\n", ["`rev` and `tag`"]),
        (HEAD + "[tool.uv.sources]\ntorch = { url = 'a.whl' }\n", ["scheme", "path ="]),
        (HEAD + "[[tool.uv.index]]\nname = 'a'\n", ["the url of the index `a` is missing"]),
        (HEAD + "[[tool.uv.index]]\nurl = 'https://a'\nformat = 'rss'\n", ['"rss"', '"flat"']),
        (
            HEAD + "[[tool.uv.index]]\nname='a'\nurl='https://a'\n[[tool.uv.index]]\nname='a'\nurl='https://b'\n",
            ["two indexes"],
        ),
        (
            HEAD
            + "[[tool.uv.index]]\nurl='https://a'\ndefault=true\n[[tool.uv.index]]\nurl='https://b'\ndefault=true\n",
            ["more than one index"],
        ),
        (HEAD + "[tool.uv]\nconflicts = [[{ extra = 'cpu' }, { extra = 'gpu' }]]\n", ["2 things", "`cpu`", "`gpu`"]),
        (
            HEAD + "[project.optional-dependencies]\na = []\n[tool.uv]\nconflicts = [[{ extra = 'a' }]]\n",
            ["at least two"],
        ),
        (HEAD + "[tool.uv]\nconflicts = [[{ name = 'cpu' }]]\n", ["a member of conflicts", "extra ="]),
        (HEAD + "[[tool.uv.index]]\nurl = 'lab.example'\n", ["line 5", 'write "https://lab.example"']),
        (HEAD + "[tool.uv]\nconflicts = ['cpu']\n", ["conflicts must be lists"]),
        (HEAD + "[tool.uv]\nconstraint-dependencies = ['?']\n", ["constraint-dependencies", '"?"']),
    ],
)
def test_refuses_a_mistake_with_the_way_out(read: Read, tmp_path: Path, text: str, words: list[str]) -> None:
    with pytest.raises(InputError) as caught:
        read(text)
    message = str(caught.value)
    assert str(tmp_path / "pyproject.toml") in message
    assert [word for word in words if word not in message] == []


def test_names_every_mistake_of_a_file_at_once(read: Read) -> None:
    with pytest.raises(InputError) as caught:
        read("[project]\nname = 'a'\nversion = 'x y'\ndependencies = ['?', '!']\n")
    assert "3 things are wrong" in str(caught.value)
    assert str(caught.value).count("\n  line ") == 3


def test_refuses_a_folder_without_pyproject(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="does not exist; name a project's folder"):
        read_project(tmp_path)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[tool.uv]\noverride-dependencies = [{ package = 'a' }]\n", "not supported yet"),
    ],
    ids=["scoped-override"],
)
def test_says_what_is_not_supported_yet(read: Read, text: str, words: str) -> None:
    with pytest.raises(ConfigurationError, match=words):
        read(HEAD + text)


def test_ignores_keys_of_uv_that_it_does_not_know(read: Read) -> None:
    assert read(f"{HEAD}[tool.uv]\nlink-mode = 'copy'\n[tool.uv.pip]\ntorch-backend = 'auto'\n").name == "this-thing"


SCALARS = st.one_of(st.text(max_size=8), st.integers(-9, 9), st.booleans(), st.just("torch"), st.just("cpu"))
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(
            st.sampled_from(
                [
                    "index",
                    "url",
                    "extra",
                    "group",
                    "marker",
                    "path",
                    "git",
                    "name",
                    "package",
                    "include-group",
                    "torch",
                    "file",
                ]
            ),
            inner,
            max_size=3,
        ),
    ),
    max_leaves=6,
)
TOOL = st.dictionaries(
    st.sampled_from(
        ["sources", "index", "conflicts", "default-groups", "override-dependencies", "find-links", "package"]
    ),
    VALUES,
)
DOCUMENTS = st.fixed_dictionaries(
    {
        "project": st.dictionaries(
            st.sampled_from(["name", "version", "dependencies", "optional-dependencies", "dynamic", "requires-python"]),
            VALUES,
        )
    },
    optional={
        "dependency-groups": VALUES,
        "tool": st.dictionaries(st.sampled_from(["uv", "torchstrap", "setuptools"]), st.one_of(TOOL, VALUES)),
        "build-system": VALUES,
    },
)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(DOCUMENTS)
def test_any_document_is_a_project_or_a_sentence(tmp_path: Path, document: dict[str, object]) -> None:
    (tmp_path / "pyproject.toml").write_bytes(tomli_w.dumps(document).encode())
    try:
        subject = str(read_project(tmp_path).root)
    except (InputError, ConfigurationError) as error:
        subject = str(error)
    assert subject.startswith(str(tmp_path))


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=60))
def test_any_bytes_are_a_project_or_a_sentence(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "pyproject.toml").write_bytes(content)
    with pytest.raises(InputError):
        read_project(tmp_path)
