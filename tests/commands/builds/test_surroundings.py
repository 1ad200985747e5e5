"""What builds get of the environment that they are for, and what they do not."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.version import Version

from bootstrap.commands.builds.made import Made
from bootstrap.commands.builds.surroundings import Surroundings, UnsettledError, is_same_file
from bootstrap.errors import BuildError
from bootstrap.index.files import File
from bootstrap.project.setting_kinds import Addition
from bootstrap.resolver.resolution import Pin
from profiles import Offer

CPU = Offer("cpu", "cpu", "https://download.pytorch.org/whl/cpu", "variant")


def pin(name: str, version: str = "1", *requires: str, sha256: str = "a") -> Pin:
    filename = f"{name}-{version}-py3-none-any.whl"
    file = File(filename, f"https://files.example/{filename}", "https://index.example", {"sha256": sha256})
    return Pin(name, Version(version), (file,), requires=requires)


ENVIRONMENT = {
    each.name: each
    for each in (
        pin("torch", "2.7.1+cpu", "sympy", "filelock"),
        pin("torchvision", "0.22.1+cpu", "torch"),
        pin("sympy", "1.14", "mpmath"),
        pin("mpmath"),
        pin("filelock"),
        pin("numpy", "2.3.4"),
    )
}


def surroundings(*additions: Addition) -> Surroundings:
    return Surroundings(lambda _name: None, CPU, ENVIRONMENT, additions)


@pytest.mark.parametrize(
    ("requires", "additions", "fixed"),
    [
        pytest.param((), (), {"torch", "torchvision"}, id="the family, if it is asked for"),
        pytest.param(("numpy", "sympy"), (), {"torch", "torchvision"}, id="nothing else"),
        pytest.param(
            ("torch>=2",), (), {"torch", "torchvision", "sympy", "mpmath", "filelock"}, id="all that torch needs"
        ),
        pytest.param((), (Addition("", "numpy"),), {"torch", "torchvision", "numpy"}, id="what is added"),
        pytest.param((), (Addition("", "numpy", False),), {"torch", "torchvision"}, id="what need not match"),
    ],
)
def test_what_a_build_gets_of_the_environment(
    requires: tuple[str, ...], additions: tuple[Addition, ...], fixed: set[str]
) -> None:
    assert set(surroundings().fixed([Requirement(each) for each in requires], additions)) == fixed


def test_what_the_list_itself_needs_is_built_without_it() -> None:
    everywhere = surroundings(Addition("", "torch"))
    assert everywhere.additions_for("flash-attn") == (Addition("", "torch"),)
    assert everywhere.additions_for("sympy") == ()
    assert everywhere.additions_for("torch") == ()


def test_a_table_that_goes_round_in_a_circle_is_a_sentence() -> None:
    with pytest.raises(BuildError, match="sympy is built with torch, which itself needs sympy"):
        surroundings(Addition("sympy", "torch")).additions_for("sympy")


def test_what_is_not_in_the_environment_cannot_be_built_with() -> None:
    with pytest.raises(BuildError, match="build-with names triton, but nothing in this environment needs triton"):
        surroundings(Addition("", "triton")).additions_for("flash-attn")


def test_before_the_environment_is_known_a_build_has_to_wait() -> None:
    with pytest.raises(UnsettledError, match="flash-attn says what it requires only once it is built, with torch"):
        replace(surroundings(Addition("", "torch")), pins=None).additions_for("flash-attn")
    assert replace(surroundings(), pins=None).additions_for("flash-attn") == ()


@pytest.mark.parametrize(
    ("other", "same"),
    [
        pytest.param(pin("torch", "2.7.1+cpu"), True, id="the same"),
        pytest.param(pin("torch", "2.7.1+cu128"), False, id="another build"),
        pytest.param(pin("torch", "2.7.1+cpu", sha256="b"), False, id="another file of the same name"),
        pytest.param(replace(pin("torch", "2.7.1+cpu"), files=()), False, id="no file"),
    ],
)
def test_a_file_is_the_same_by_its_hash(other: Pin, same: bool) -> None:
    assert is_same_file(pin("torch", "2.7.1+cpu"), other) is same


TORCH = {"torch": ENVIRONMENT["torch"]}


@pytest.mark.parametrize(
    ("now", "found"),
    [
        pytest.param(surroundings(), True, id="the same"),
        pytest.param(replace(surroundings(), pins=None), False, id="not known yet"),
        pytest.param(
            replace(surroundings(), pins={"torch": pin("torch", "2.7.1+cu128")}), False, id="another variant's"
        ),
        pytest.param(
            replace(surroundings(), pins={"torch": pin("torch", "2.7.1+cpu", sha256="b")}), False, id="another file"
        ),
        pytest.param(replace(surroundings(), pins={}), True, id="from the same variant's index"),
        pytest.param(
            replace(surroundings(), pins={}, offer=replace(CPU, variant="cu128")), False, id="from another index"
        ),
    ],
)
def test_a_wheel_is_found_again_where_it_was_built_with_the_same(
    tmp_path: Path, now: Surroundings, found: bool
) -> None:
    made = Made(tmp_path / "note.json")
    made.add("wheel", TORCH, surroundings(), ())
    assert list(made.find(now, ())) == ([("wheel", ("torch",))] if found else [])


def test_a_wheel_of_a_build_with_less_is_not_found_where_more_is_given(tmp_path: Path) -> None:
    made = Made(tmp_path / "note.json")
    made.add("without", {}, surroundings(), ())
    made.add("with", TORCH, surroundings(), [Addition("", "torch")])
    assert [wheel for wheel, _ in made.find(surroundings(), [Addition("", "torch")])] == ["with"]
    assert [wheel for wheel, _ in made.find(surroundings(), ())] == ["without"]


def test_what_was_built_with_a_folder_is_forgotten(tmp_path: Path) -> None:
    made = Made(tmp_path / "note.json")
    made.add("wheel", {"torch": replace(ENVIRONMENT["torch"], files=())}, surroundings(), ())
    assert not (tmp_path / "note.json").exists()


@pytest.mark.parametrize(
    "text", ["", "[", "{}", "[7]", '[{"against": 7}]', '[{"additions": [], "against": {"torch": 7}}]']
)
def test_notes_that_make_no_sense_are_none(tmp_path: Path, text: str) -> None:
    (tmp_path / "note.json").write_text(text)
    made = Made(tmp_path / "note.json")
    assert list(made.find(surroundings(), ())) == []
    made.add("wheel", {}, surroundings(), ())
    assert [wheel for wheel, _ in made.find(surroundings(), ())] == ["wheel"]
