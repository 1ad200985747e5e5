"""Workspaces as uv's documentation describes them, read from real folders."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from bootstrap.errors import InputError, UsageError
from bootstrap.project.model import Item, Project
from bootstrap.project.pyproject import read_project
from bootstrap.project.selection import check_conflicts, select, select_groups
from bootstrap.project.sources import sources_for
from bootstrap.project.workspace import root_of, workspace_of

WORKSPACE = '[tool.uv.workspace]\nmembers = ["packages/*"]\n'
BUILD = '[build-system]\nrequires = ["setuptools"]\n'


def head(name: str, *dependencies: str, more: str = "") -> str:
    listed = ", ".join(f'"{each}"' for each in dependencies)
    return f'[project]\nname = "{name}"\nversion = "1"\ndependencies = [{listed}]\n{more}'


def made(root: Path, files: Mapping[str, str]) -> Path:
    """A workspace: the text of each pyproject.toml by its folder."""
    for folder, text in files.items():
        (root / folder).mkdir(parents=True, exist_ok=True)
        (root / folder / "pyproject.toml").write_text(text)
    return root


def names(project: Project) -> list[str | None]:
    return [each.name for each in project.members]


def test_the_root_is_a_member_and_patterns_choose_the_others(tmp_path: Path) -> None:
    root = made(
        tmp_path,
        {
            ".": head("albatross", more=f'{WORKSPACE}exclude = ["packages/old", "packages/x*"]\n'),
            "packages/bird": head("Bird.Feeder"),
            "packages/old": head("old"),
            "packages/x1": head("x1"),
            "packages/seeds": head("seeds"),
            "elsewhere": head("elsewhere"),
        },
    )
    (root / "packages" / ".hidden").mkdir()
    (root / "packages" / "left" / "__pycache__").mkdir(parents=True)
    (root / "packages" / "left" / "__pycache__" / "x.pyc").write_text("")
    (root / "packages" / "a-file").write_text("")
    assert names(read_project(root)) == ["albatross", "bird-feeder", "seeds"]
    found = workspace_of(root / "packages" / "seeds")
    assert found is not None
    assert found.root == root
    for alone in ("packages/old", "packages/x1", "elsewhere"):
        assert workspace_of(root / alone) is None
        assert root_of(root / alone) == root / alone
        assert read_project(root / alone).members == ()


def test_the_first_project_above_decides(tmp_path: Path) -> None:
    root = made(
        tmp_path,
        {
            ".": head("albatross", more='[tool.uv.workspace]\nmembers = ["**"]\n'),
            "packages/bird": head("bird"),
            "packages/bird/examples/one": head("one"),
        },
    )
    assert root_of(root / "packages" / "bird") == root
    assert root_of(root / "packages" / "bird" / "examples" / "one") == root / "packages" / "bird" / "examples" / "one"


def test_a_root_without_a_project(tmp_path: Path) -> None:
    root = made(tmp_path, {".": WORKSPACE, "packages/a": head("a", "six"), "packages/b": head("b", "idna")})
    whole = read_project(root)
    assert names(whole) == [None, "a", "b"]
    assert whole.taken_groups == {"a", "b"}
    assert {each.name for each in whole.dependencies} == {"six", "idna"}
    assert read_project(root / "packages" / "a").taken_groups == {"a"}


def test_what_is_managed_elsewhere_is_left_alone(tmp_path: Path) -> None:
    unmanaged = head("b", more="[tool.uv]\nmanaged = false\n")
    root = made(tmp_path, {".": WORKSPACE, "packages/a": head("a"), "packages/b": unmanaged})
    assert names(read_project(root)) == [None, "a"]
    assert read_project(root / "packages" / "b").members == ()


@pytest.mark.parametrize(
    ("files", "words"),
    [
        ({"packages/a": head("a"), "packages/b": head("A")}, ["two members", "`a`"]),
        ({"packages/a": "[dependency-groups]\nx = []\n"}, ["needs a [project] table"]),
        ({"packages/a": head("a", more=WORKSPACE)}, ["workspace inside of the workspace"]),
        ({"packages/a": head("a", more="[tool.uv.sources]\nb = { workspace = true }\n")}, ["`b`", "no member", "`a`"]),
        (
            {"packages/a": head("a", more='[tool.uv.sources]\na = { workspace = true, path = "x" }\n')},
            ["`workspace` and `path`"],
        ),
        ({"packages/a": head("a", more='[tool.uv]\nconflicts = [[{ package = "b" }, { extra = "x" }]]\n')}, ["`b`"]),
        (
            {"packages/a": head("a", more='[tool.uv]\nconflicts = [[{ package = "a" }, { extra = "x" }]]\n')},
            ["extra `x` of `a`", "missing"],
        ),
        ({"packages/a": head("a", more="[tool.uv]\nconflicts = [[{ color = 1 }]]\n")}, ["member of conflicts"]),
        (
            {
                "packages/a": head("a", more='[[tool.uv.index]]\nname = "x"\nurl = "https://a.example"\n'),
                "packages/b": head("b", more='[[tool.uv.index]]\nname = "x"\nurl = "https://b.example"\n'),
            },
            ["index of the name `x`"],
        ),
    ],
    ids=["twins", "nameless", "nested", "no-member", "two-places", "stranger", "no-extra", "nonsense", "indexes"],
)
def test_mistakes_are_named(tmp_path: Path, files: Mapping[str, str], words: list[str]) -> None:
    root = made(tmp_path, {".": WORKSPACE, **files})
    with pytest.raises(InputError) as caught:
        read_project(root)
    assert all(word in str(caught.value) for word in words), caught.value


@pytest.mark.parametrize("pattern", ["../*", "/somewhere/*"])
def test_members_lie_below_the_root(tmp_path: Path, pattern: str) -> None:
    made(tmp_path, {".": f'[tool.uv.workspace]\nmembers = ["{pattern}"]\n'})
    with pytest.raises(InputError, match="leads out of the workspace"):
        read_project(tmp_path)


def test_a_folder_without_a_project_among_the_members(tmp_path: Path) -> None:
    root = made(tmp_path, {".": WORKSPACE})
    (root / "packages" / "notes").mkdir(parents=True)
    (root / "packages" / "notes" / "README").write_text("x")
    with pytest.raises(InputError, match=r"packages/notes .* no pyproject\.toml"):
        read_project(root)


def test_pythons_are_those_of_all_and_constraints_those_of_the_root(tmp_path: Path) -> None:
    root = made(
        tmp_path,
        {
            ".": head(
                "root",
                more=f'requires-python = ">=3.10"\n{WORKSPACE}[tool.uv]\n'
                'constraint-dependencies = ["six<2"]\noverride-dependencies = ["idna==3"]\n',
            ),
            "packages/a": head("a", more='requires-python = "<3.13"\n[tool.uv]\nconstraint-dependencies = ["x<1"]\n'),
        },
    )
    whole = read_project(root / "packages" / "a")
    assert str(whole.requires_python) == "<3.13,>=3.10"
    assert [str(each) for each in whole.constraints] == ["six<2"]
    assert [str(each) for each in whole.overrides] == ["idna==3"]
    assert whole.root == root


def test_sources_of_the_root_count_where_a_member_has_none(tmp_path: Path) -> None:
    root = made(
        tmp_path,
        {
            ".": f'{WORKSPACE}[tool.uv.sources]\nsix = {{ url = "https://x.example/root/six-1-py3-none-any.whl" }}\n'
            'idna = { url = "https://x.example/root/idna-1-py3-none-any.whl" }\n',
            "packages/a": head("a", "six"),
            "packages/b": head(
                "b", "idna", more='[tool.uv.sources]\nidna = { url = "https://x.example/b/idna-1-py3-none-any.whl" }\n'
            ),
        },
    )
    found = sources_for(read_project(root), frozenset(), frozenset(), {})
    assert found["six"].url == "https://x.example/root/six-1-py3-none-any.whl"
    assert found["idna"].url == "https://x.example/b/idna-1-py3-none-any.whl"


def test_members_are_editable_unless_they_say_otherwise(tmp_path: Path) -> None:
    root = made(
        tmp_path,
        {
            ".": head(
                "root",
                "a",
                "b",
                more=f"{WORKSPACE}[tool.uv.sources]\na = {{ workspace = true }}\n"
                "b = { workspace = true, editable = false }\n",
            ),
            "packages/a": head("a"),
            "packages/b": head("b"),
            "packages/c": head("c", more=BUILD),
            "packages/d": head("d", more=f"{BUILD}[tool.uv]\npackage = false\n"),
            "packages/e": head("e"),
        },
    )
    by_name = {each.name: each for each in read_project(root).members}
    assert [by_name["a"].editable, by_name["b"].editable, by_name["c"].editable] == [True, False, True]
    packages = {name for name, each in by_name.items() if each.is_package}
    assert packages == {"a", "b", "c"}  # a and b are needed, though they have no build system


def test_a_member_of_another_workspace(tmp_path: Path) -> None:
    made(tmp_path / "other", {".": WORKSPACE, "packages/far": head("far")})
    text = '[tool.uv.sources]\nfar = { workspace = "../other" }\n'
    made(tmp_path / "own", {".": head("own", "far", more=text)})
    (source,) = read_project(tmp_path / "own").sources["far"]
    assert (source.path, source.editable) == (tmp_path / "other" / "packages" / "far", True)


TORCH = '[project.optional-dependencies]\ncpu = ["torch"]\ncu126 = ["torch"]\n'
APART = '[tool.uv]\nconflicts = [[{ extra = "cpu" }, { extra = "cu126" }]]\n'


def test_extras_of_one_name_are_one_choice(tmp_path: Path) -> None:
    root = made(
        tmp_path,
        {".": WORKSPACE, "packages/a": head("a", more=TORCH + APART), "packages/b": head("b", more=TORCH)},
    )
    whole = read_project(root)
    assert whole.conflicts == (frozenset({Item("extra", "cpu"), Item("extra", "cu126")}),)
    assert set(whole.extras) == {"cpu", "cu126"}
    assert select(whole, ["cpu"]) == {"cpu"}
    with pytest.raises(UsageError, match="exclude each other"):
        check_conflicts(whole, ["cpu", "cu126"])


def test_extras_of_one_name_that_conflict_get_names_of_their_own(tmp_path: Path) -> None:
    conflict = '[tool.uv]\nconflicts = [[{ package = "a", extra = "x" }, { package = "b", extra = "x" }]]\n'
    extra = '[project.optional-dependencies]\nx = ["six"]\n'
    root = made(
        tmp_path,
        {".": WORKSPACE + conflict, "packages/a": head("a", more=extra), "packages/b": head("b", more=extra)},
    )
    assert read_project(root).conflicts == (frozenset({Item("extra", "a-x"), Item("extra", "b-x")}),)
    assert select(read_project(root / "packages" / "a"), ["x"]) == {"a-x"}
    assert select(read_project(root / "packages" / "a"), ["b-x"]) == {"b-x"}
    both = select(read_project(root), ["x"])
    with pytest.raises(UsageError, match="exclude each other"):
        check_conflicts(read_project(root), both)


def test_whole_members_may_conflict(tmp_path: Path) -> None:
    conflict = '[tool.uv]\nconflicts = [[{ package = "a" }, { package = "b" }]]\n'
    root = made(
        tmp_path, {".": WORKSPACE + conflict, "packages/a": head("a", "six<1"), "packages/b": head("b", "six>1")}
    )
    whole = read_project(root)
    assert whole.conflicts == (frozenset({Item("group", "a"), Item("group", "b")}),)
    with pytest.raises(UsageError, match="members `a` and `b` exclude each other; name the one"):
        check_conflicts(whole, [], whole.taken_groups)
    check_conflicts(whole, [], read_project(root / "packages" / "a").taken_groups)


def test_an_extra_that_switches_on_another_members_extra(tmp_path: Path) -> None:
    forward = '[project.optional-dependencies]\ngpu = ["a[cu126]"]\n'
    root = made(
        tmp_path,
        {".": head("root", more=forward + WORKSPACE), "packages/a": head("a", more=TORCH + APART)},
    )
    assert select(read_project(root), ["gpu"]) == {"gpu", "cu126"}


def test_words_are_those_of_the_member_in_focus(tmp_path: Path) -> None:
    extra = '[project.optional-dependencies]\ndocs = ["six"]\n[dependency-groups]\ndev = ["idna"]\nlint = ["six"]\n'
    root = made(tmp_path, {".": WORKSPACE, "packages/a": head("a", more=extra), "packages/b": head("b")})
    first, second = read_project(root / "packages" / "a"), read_project(root / "packages" / "b")
    assert select(first, ["docs"]) == {"docs"}
    with pytest.raises(UsageError, match="no extra `docs`"):
        select(second, ["docs"])
    assert select_groups(second, ["a"]) == {"a"}  # a member beside the one in focus
    assert first.taken_groups == {"a", "dev"}
    assert second.taken_groups == {"b"}
    assert read_project(root).taken_groups == {"a", "b", "dev"}


def test_a_member_that_is_called_as_a_group(tmp_path: Path) -> None:
    group = '[dependency-groups]\ndocs = ["six"]\n'
    root = made(tmp_path, {".": WORKSPACE, "packages/a": head("a", more=group), "packages/docs": head("docs")})
    assert read_project(root / "packages" / "docs").taken_groups == {"docs-project"}


def test_it_does_not_matter_from_where_it_is_read(tmp_path: Path) -> None:
    """But for what is in focus: the lock is one for all."""
    from dataclasses import replace  # noqa: PLC0415

    root = made(tmp_path, {".": head("root", more=WORKSPACE), "packages/a": head("a", "six"), "packages/b": head("b")})
    seen = [
        replace(read_project(each), focus=None) for each in (root, root / "packages" / "a", root / "packages" / "b")
    ]
    assert seen[0].default_groups == ("root",)
    assert all(repr(each) == repr(seen[0]) for each in seen)
