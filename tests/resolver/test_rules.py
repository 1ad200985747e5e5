"""The rules of the field, one small world each: the situations that resolvers are known to get wrong."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timezone

import pytest

from bootstrap.errors import NoSolutionError
from bootstrap.index.metadata import Metadata
from bootstrap.resolver.candidates import Policy
from bootstrap.resolver.resolution import Direct
from bootstrap.resolver.resolve import resolve
from tests.resolver.stories import target
from tests.resolver.worlds import DEFAULT, Packages, Release, World, request_for, requirements, solve_world, versions_of


@pytest.mark.parametrize(
    ("versions", "root", "expected"),
    [
        (["1.0", "1.0.post1", "1.0.post2"], "a", "1.0.post2"),
        (["1.0", "1.0.post1"], "a>1.0", None),
        (["1.0", "1.0.post1", "1.1"], "a>1.0,<1.1", None),
        (["1.0.post1", "1.0.post2"], "a>1.0.post1", "1.0.post2"),
        (["1.0", "1.0.post1"], "a==1.0", "1.0"),
        (["1.0", "1.0.post1"], "a==1.0.*", "1.0.post1"),
        (["2024.1", "1!1.0"], "a", "1!1.0"),
        (["2024.1", "1!1.0"], "a<2025", "2024.1"),
        (["2024.1", "1!1.0", "1!1.4", "1!2.0"], "a~=1!1.0", "1!1.4"),
        (["1.4", "1!1.4"], "a==1.*", "1.4"),
        (["1.4.1", "1.4.9", "1.5"], "a~=1.4.1", "1.4.9"),
        (["1.4.1", "1.4.9", "1.5", "2.0"], "a~=1.4", "1.5"),
        (["1.0", "1.0+cpu", "1.0+cu128"], "a===1.0", "1.0"),
        (["1.0.0"], "a===1.0", None),
        (["1.0", "1.0+cpu"], "a==1.0", "1.0+cpu"),
        (["1.0+cpu", "1.1"], "a>1.0,!=1.1", None),
        (["1.0+1", "1.0+10", "1.0+9"], "a", "1.0+10"),
        (["1.0", "1.1"], "a!=1.1", "1.0"),
        (["1.0", "1.1", "1.1.1"], "a!=1.1.*", "1.0"),
        (["1.0", "2.0.dev1", "2.0a1", "2.0rc1"], "a", "1.0"),
        (["2.0.dev1", "2.0a1", "2.0rc1"], "a", "2.0rc1"),
        (["1.0", "2.0.dev1"], "a>=2.0.dev0", "2.0.dev1"),
        (["1.0", "2.0rc1"], "a<2.0", "1.0"),
        (["1.0", "2.0rc1"], "a>1.0", "2.0rc1"),
        (["1.0rc1", "1.0"], "a==1.0rc1", "1.0rc1"),
    ],
)
def test_versions_are_ordered_and_specified_as_pep_440_says(
    versions: Sequence[str], root: str, expected: str | None
) -> None:
    packages: Packages = {"a": dict.fromkeys(versions, ())}
    if expected is None:
        with pytest.raises(NoSolutionError):
            solve_world(packages, root)
    else:
        assert solve_world(packages, root) == {"a": expected}


def extra(*needs: str, offers: str = "x y z all") -> Release:
    return Release(needs, extras=offers.split())


@pytest.mark.parametrize(
    ("packages", "roots", "expected"),
    [
        pytest.param(
            {"a": {"1": extra('a[y]; extra == "x"', 'a[x]; extra == "y"', 'b; extra == "y"')}, "b": {"1": ()}},
            ["a[x]"],
            {"a": "1", "b": "1"},
            id="extras of one package in a circle",
        ),
        pytest.param(
            {"a": {"1": extra('a[all]; extra == "all"', 'b; extra == "all"')}, "b": {"1": ()}},
            ["a[all]"],
            {"a": "1", "b": "1"},
            id="an extra that needs itself",
        ),
        pytest.param(
            {
                "a": {"1": extra('b[x]; extra == "x"')},
                "b": {"1": extra('a[y]; extra == "x"')},
                "c": {"1": ()},
            },
            ["a[x]"],
            {"a": "1", "b": "1"},
            id="extras of two packages in a circle",
        ),
        pytest.param(
            {
                "a": {
                    "1": extra('a[x,y]; extra == "all"', 'b<2; extra == "x"', 'b>=2; extra == "y"'),
                    "0.9": extra('b; extra == "all"'),
                },
                "b": {"1": (), "2": ()},
            },
            ["a[all]"],
            {"a": "0.9", "b": "2"},
            id="a release whose own extras contradict each other is passed over",
        ),
        pytest.param(
            {"a": {"2": extra('b==2; extra == "x"'), "1": extra('b==1; extra == "x"')}, "b": {"1": (), "2": ()}},
            ["a[x]", "a", "b<2"],
            {"a": "1", "b": "1"},
            id="an extra takes its package back with it",
        ),
        pytest.param(
            {"a": {"1": extra('b; extra == "Fancy_Extra"', offers="fancy-extra")}, "b": {"1": ()}},
            ["A[fancy.extra]"],
            {"a": "1", "b": "1"},
            id="names and extras in any spelling",
        ),
        pytest.param(
            {"a": {"1": extra("b", 'b[x]; extra == "x"')}, "b": {"1": extra('c; extra == "x"')}, "c": {"1": ()}},
            ["a"],
            {"a": "1", "b": "1"},
            id="an extra that nobody asks for costs nothing",
        ),
    ],
)
def test_extras_are_followed(packages: Packages, roots: Sequence[str], expected: Mapping[str, str]) -> None:
    assert solve_world(packages, *roots) == expected


@pytest.mark.parametrize(
    ("packages", "roots", "expected"),
    [
        pytest.param(
            {
                "web": {"3": ("core>=3", "json"), "2": ("core>=2", "json<2"), "1": ("core", "json<2")},
                "auth": {"2": ("core<3", "json<2"), "1": ("core<2",)},
                "core": {"1": (), "2": (), "3": ()},
                "json": {"1": (), "2": ()},
            },
            ["web", "auth"],
            {"web": "2", "auth": "2", "core": "2", "json": "1"},
            id="both give way a little",
        ),
        pytest.param(
            {
                "top": {"2": ("left==2", "right==2"), "1": ("left==1", "right==1")},
                "left": {"2": ("shared==1",), "1": ("shared",)},
                "right": {"2": ("shared==2",), "1": ("shared",)},
                "shared": {"1": (), "2": ()},
            },
            ["top"],
            {"top": "1", "left": "1", "right": "1", "shared": "2"},
            id="a release that contradicts itself is passed over",
        ),
        pytest.param(
            {
                "a": {f"1.{minor}": ("b",) for minor in range(30)},
                "b": {f"1.{minor}": ("gone>=1",) if minor else () for minor in range(30)},
                "gone": {"0.1": ()},
            },
            ["a"],
            {"a": "1.29", "b": "1.0"},
            id="what fails is taken back, not what stands before it",
        ),
        pytest.param(
            {"a": {"2": ("b",), "1": ()}, "b": {"1": ("a<2",)}},
            ["a"],
            {"a": "1"},
            id="a package whose dependency forbids it",
        ),
        pytest.param(
            {"a": {"1": ("b",)}, "b": {"1": ("c",)}, "c": {"1": ("a", "b")}},
            ["c"],
            {"a": "1", "b": "1", "c": "1"},
            id="a circle of three",
        ),
        pytest.param(
            {"a": {"1": ("a>=1",)}},
            ["a"],
            {"a": "1"},
            id="a package that needs itself",
        ),
        pytest.param(
            {"a": {"2": ("a<2",), "1": ("a",)}},
            ["a"],
            {"a": "1"},
            id="a package that forbids itself",
        ),
        pytest.param(
            {"a": {"2": Release(yanked="broken"), "1": ()}, "b": {"1": ("a>=2",), "0.9": ("a",)}},
            ["b"],
            {"a": "1", "b": "0.9"},
            id="a yanked release is avoided by going back elsewhere",
        ),
        pytest.param(
            {"a": {"2.0rc1": (), "1": ()}, "b": {"2": ("a>=2.0rc1",), "1": ("a",)}, "c": {"1": ("a<2",)}},
            ["b", "c"],
            {"a": "1", "b": "1", "c": "1"},
            id="a pre-release that one asks for and another forbids",
        ),
        pytest.param(
            {"a": {"1": ('b; python_version < "3.11"', 'c; python_version >= "3.11"')}, "c": {"1": ()}},
            ["a"],
            {"a": "1", "c": "1"},
            id="what a marker excludes need not even exist",
        ),
        pytest.param(
            {"a": {"1": ('b; extra == "x" or sys_platform == "linux"',)}, "b": {"1": ()}},
            ["a"],
            {"a": "1", "b": "1"},
            id="a marker that holds with and without the extra",
        ),
        pytest.param(
            {"a": {"1": ("b (>=1.0,<2)",)}, "b": {"1.5": (), "2.0": ()}},
            ["a"],
            {"a": "1", "b": "1.5"},
            id="parentheses of old metadata",
        ),
    ],
)
def test_goes_back_as_far_as_it_must(packages: Packages, roots: Sequence[str], expected: Mapping[str, str]) -> None:
    assert solve_world(packages, *roots) == expected


@pytest.mark.parametrize(
    ("tag", "fits"),
    [
        ("cp39-abi3-manylinux_2_28_x86_64", True),
        ("cp311-abi3-manylinux_2_28_x86_64", True),
        ("cp312-abi3-manylinux_2_28_x86_64", False),
        ("cp311-cp311-manylinux_2_28_x86_64", True),
        ("cp311-cp311d-manylinux_2_28_x86_64", False),
        ("cp311-cp311-manylinux_2_39_x86_64", False),
        ("cp311-cp311-musllinux_1_2_x86_64", False),
        ("cp310-cp310-manylinux_2_28_x86_64", False),
        ("py2.py3-none-any", True),
        ("py2-none-any", False),
        ("1-cp311-cp311-manylinux_2_28_x86_64", True),
        ("cp311-cp311-manylinux_2_17_x86_64.manylinux_2_28_x86_64", True),
    ],
)
def test_a_wheel_fits_by_its_tags(tag: str, fits: bool) -> None:
    packages: Packages = {"a": {"2": Release(files=(tag,)), "1": ()}}
    assert solve_world(packages, "a") == {"a": "2" if fits else "1"}


def test_a_pin_of_the_project_lets_in_a_pre_release_that_its_package_needs() -> None:
    # The search fails at `a` before it comes to what `b` needs.
    packages: Packages = {
        "a": {"2.0rc1": (), "1.0": ("missing",)},
        "b": {"1.0": ("a==2.0rc1",)},
    }
    assert solve_world(packages, "a", "b==1.0") == {"a": "2.0rc1", "b": "1.0"}


def test_constraints_do_not_ask_for_an_extra_or_a_package() -> None:
    packages: Packages = {"a": {"1": extra('b; extra == "x"')}, "b": {"1": ()}, "c": {"1": ()}}
    assert solve_world(packages, "a", constraints=requirements("c==1", "a<2")) == {"a": "1"}


def test_an_override_holds_for_the_extra_of_a_package() -> None:
    packages: Packages = {"a": {"1": extra('b<2; extra == "x"')}, "b": {"1": (), "2": ()}}
    assert solve_world(packages, "a[x]", overrides=requirements("b>=2")) == {"a": "1", "b": "2"}


def test_an_override_that_nothing_needs_asks_for_nothing() -> None:
    assert solve_world({"a": {"1": ()}}, "a", overrides=requirements("b>=2")) == {"a": "1"}


def test_the_python_of_the_target_counts_not_the_one_that_runs_this() -> None:
    packages: Packages = {"a": {"2": Release(page_python=">=3.13"), "1": ()}}
    assert solve_world(packages, "a", target=target("3.13", "2.36")) == {"a": "2"}
    assert solve_world(packages, "a") == {"a": "1"}


LIMIT = datetime(2025, 1, 1, tzinfo=timezone.utc)


def test_a_file_without_a_date_is_refused_unless_its_package_is_exempted() -> None:
    packages: Packages = {"a": {"2": (), "1": Release(uploaded="2024-01-01T00:00:00Z")}}
    assert solve_world(packages, "a", policy=Policy(exclude_newer=LIMIT)) == {"a": "1"}
    with pytest.raises(NoSolutionError, match="has no upload date on its index"):
        solve_world(packages, "a>1", policy=Policy(exclude_newer=LIMIT))
    for exempted in ("a", ":all:"):
        assert solve_world(packages, "a", policy=Policy(exclude_newer=LIMIT, undated=frozenset({exempted}))) == {
            "a": "2"
        }


def test_a_direct_package_that_needs_itself_with_an_extra_is_resolved() -> None:
    own = Metadata("a", "1.0", ('a[dev]; extra == "all"', 'b; extra == "dev"'), None, ("all", "dev"))
    request = request_for("a[all]", direct={"a": Direct("https://host.example/a.zip")})
    found = resolve(request, World({DEFAULT: {"b": {"1": ()}}}), metadata_of_sdist=lambda _source: own)
    assert versions_of(found) == {"a": "1.0", "b": "1"}
