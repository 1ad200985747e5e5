from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from packaging.markers import Marker
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

from bootstrap.lock.digest import inputs_digest
from bootstrap.project.model import Index, Item, Project, Source

ROOT = Path("/somewhere")


def requirements(*texts: str) -> tuple[Requirement, ...]:
    return tuple(map(Requirement, texts))


PROJECT = Project(
    root=ROOT,
    name="example",
    requires_python=SpecifierSet(">=3.10,<3.14"),
    dependencies=requirements("torch>=2", "Accelerate[Testing]"),
    extras={"cpu": requirements("torch"), "cu126": requirements("torch")},
    groups={"test": requirements("pytest")},
    sources={"torch": (Source(index="pytorch-cpu", extra="cpu"), Source(path=ROOT / "torch", group="test"))},
    indexes=(Index("https://user:word@index.example/simple", "main"), Index("https://other.example", "second")),
    conflicts=(frozenset({Item("extra", "cpu"), Item("extra", "cu126")}),),
    constraints=requirements("numpy<3"),
)


@pytest.mark.parametrize(
    "same",
    [
        pytest.param({"dependencies": requirements("accelerate[testing]", "torch >= 2")}, id="order and spelling"),
        pytest.param({"requires_python": SpecifierSet("<3.14, >=3.10")}, id="order of specifiers"),
        pytest.param({"extras": dict(reversed(list(PROJECT.extras.items())))}, id="order of extras"),
        pytest.param({"files": (ROOT / "pyproject.toml",)}, id="files that were read"),
        pytest.param({"version": "2.0"}, id="version"),
        pytest.param(
            {"indexes": (replace(PROJECT.indexes[0], url="https://user:new@index.example/simple"), PROJECT.indexes[1])},
            id="password",
        ),
    ],
)
def test_what_means_the_same_has_the_same_digest(same: dict[str, Any]) -> None:
    assert inputs_digest(replace(PROJECT, **same)) == inputs_digest(PROJECT)


def test_the_place_of_the_project_does_not_count() -> None:
    torch = (PROJECT.sources["torch"][0], Source(path=Path("/elsewhere/torch"), group="test"))
    moved = replace(PROJECT, root=Path("/elsewhere"), sources={"torch": torch})
    assert inputs_digest(moved) == inputs_digest(PROJECT)


@pytest.mark.parametrize(
    "other",
    [
        pytest.param({"name": "other"}, id="name"),
        pytest.param({"requires_python": SpecifierSet(">=3.11")}, id="requires-python"),
        pytest.param({"dependencies": requirements("torch>=2")}, id="dependency gone"),
        pytest.param(
            {"dependencies": requirements("torch>=2; python_version<'3.12'", "accelerate[testing]")}, id="marker"
        ),
        pytest.param({"extras": {"cpu": requirements("torch")}}, id="extra gone"),
        pytest.param({"groups": {}}, id="group gone"),
        pytest.param({"default_groups": ("test",)}, id="default groups"),
        pytest.param({"aliases": {"gpu": frozenset({"cu126"})}}, id="alias"),
        pytest.param({"indexes": PROJECT.indexes[::-1]}, id="order of indexes"),
        pytest.param({"indexes": (replace(PROJECT.indexes[0], explicit=True), PROJECT.indexes[1])}, id="explicit"),
        pytest.param({"sources": {"torch": PROJECT.sources["torch"][::-1]}}, id="order of sources"),
        pytest.param({"sources": {"torch": (Source(index="x", marker=Marker("os_name == 'nt'")),)}}, id="source"),
        pytest.param({"conflicts": ()}, id="conflicts"),
        pytest.param({"constraints": ()}, id="constraints"),
        pytest.param({"constraints": (), "overrides": PROJECT.constraints}, id="override for constraint"),
        pytest.param({"hashes": {"torch>=2": frozenset({"sha256:00"})}}, id="hashes"),
        pytest.param({"has_build_system": True}, id="build system"),
    ],
)
def test_what_means_something_else_has_another_digest(other: dict[str, Any]) -> None:
    assert inputs_digest(replace(PROJECT, **other)) != inputs_digest(PROJECT)


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        pytest.param({"a": 1, "b": {3, 4}}, {"b": {4, 3}, "a": 1}, True, id="order"),
        pytest.param({"index": "https://u:p@h.example"}, {"index": "https://h.example"}, True, id="credentials"),
        pytest.param({"pre": True}, {"pre": False}, False, id="boolean"),
        pytest.param({"links": ["a", "b"]}, {"links": ["b", "a"]}, False, id="order of a list"),
        pytest.param({}, {"pre": True}, False, id="one more"),
    ],
)
def test_settings_count(one: Mapping[str, Any], other: Mapping[str, Any], same: bool) -> None:
    assert (inputs_digest(PROJECT, one) == inputs_digest(PROJECT, other)) is same


PROGRAM = """
from pathlib import Path
from packaging.requirements import Requirement
from bootstrap.lock.digest import inputs_digest
from bootstrap.project.model import Item, Project
conflict = frozenset({Item("extra", "cpu"), Item("extra", "cu126"), Item("group", "rocm")})
aliases = {"gpu": frozenset({"cu124", "cu126", "cu128"})}
asked = Requirement("fastapi[standard,all]")
project = Project(Path("/p"), dependencies=(asked,), conflicts=(conflict,), aliases=aliases)
print(inputs_digest(project, {"x": {"a", "b"}}))
"""


def test_the_digest_is_the_same_in_every_process() -> None:
    digests = {
        subprocess.run(
            [sys.executable, "-c", PROGRAM],
            env={**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": os.pathsep.join(sys.path)},
            check=True,
            capture_output=True,
            text=True,
        ).stdout
        for seed in ("1", "2", "3")
    }
    assert len(digests) == 1
    assert digests.pop().startswith("sha256:")
