"""Resolutions that share a memory end as they would without one, and ask less."""

from __future__ import annotations

from dataclasses import replace

import pytest
from packaging.specifiers import SpecifierSet

from bootstrap.index.files import File
from bootstrap.index.metadata import Metadata
from bootstrap.resolver.candidates import Policy
from bootstrap.resolver.memory import Memory
from bootstrap.resolver.resolution import Direct, Target
from bootstrap.resolver.resolve import resolve
from bootstrap.resolver.targets import platform, target
from tests.resolver.worlds import DEFAULT, Packages, Release, World, no_source, request_for, versions_of

OTHER = "https://other.example/simple"
LINUX = target("3.11", platform("linux_x86_64"), SpecifierSet())
WINDOWS = target("3.11", platform("windows_x86_64"), SpecifierSet())
NEWER = target("3.12", platform("linux_x86_64"), SpecifierSet())
PACKAGES: Packages = {
    "app": {"2": ("fast", "pure", "colours ; sys_platform == 'win32'"), "1": ("pure",)},
    "fast": {
        "3": Release(files=("cp312-cp312-manylinux_2_28_x86_64", "cp312-cp312-win_amd64")),
        "2": Release(files=("cp311-cp311-manylinux_2_28_x86_64",)),
        "1": Release(files=("cp311-cp311-win_amd64",)),
    },
    "pure": {"2": Release(page_python=">=3.12", python=">=3.12"), "1": ()},
    "colours": {"1": ()},
}
EVERY = [LINUX, WINDOWS, NEWER]


@pytest.mark.parametrize("order", [EVERY, EVERY[::-1], [WINDOWS, *EVERY, LINUX]], ids=["to", "fro", "again"])
def test_every_target_gets_what_it_would_get_alone(order: list[Target]) -> None:
    memory, world = Memory(), World({DEFAULT: PACKAGES})
    for each in order:
        request = replace(request_for("app"), target=each)
        together = resolve(request, world, metadata_of_sdist=no_source, memory=memory)
        alone = resolve(request, World({DEFAULT: PACKAGES}), metadata_of_sdist=no_source)
        assert together == alone
    assert versions_of(together)["pure"] == ("2" if each is NEWER else "1")


def test_the_same_target_asks_no_page_twice() -> None:
    memory, world = Memory(), World({DEFAULT: PACKAGES})
    for _ in range(3):
        resolve(replace(request_for("app"), target=LINUX), world, metadata_of_sdist=no_source, memory=memory)
    assert sorted(world.pages) == ["app", "fast", "pure"]
    assert len(world.metadata_read) == len(set(world.metadata_read))


def test_another_index_is_another_page() -> None:
    memory = Memory()
    world = World({DEFAULT: PACKAGES, OTHER: {"pure": {"1.5": ()}}})
    request = replace(request_for("pure"), target=LINUX)
    assert versions_of(resolve(request, world, metadata_of_sdist=no_source, memory=memory)) == {"pure": "1"}
    elsewhere = replace(request, index_for=lambda _name: OTHER)
    assert versions_of(resolve(elsewhere, world, metadata_of_sdist=no_source, memory=memory)) == {"pure": "1.5"}


def test_another_policy_is_another_answer() -> None:
    memory, world = Memory(), World({DEFAULT: {"pure": {"2a1": (), "1": ()}}})
    request = replace(request_for("pure"), target=LINUX)
    assert versions_of(resolve(request, world, metadata_of_sdist=no_source, memory=memory)) == {"pure": "1"}
    eager = replace(request, policy=Policy(prereleases=True))
    assert versions_of(resolve(eager, world, metadata_of_sdist=no_source, memory=memory)) == {"pure": "2a1"}


def test_what_a_source_distribution_says_is_asked_each_time() -> None:
    asked: list[str] = []

    def build(what: File | Direct) -> Metadata:
        asked.append(what.url)
        return Metadata("pure", "1")

    memory, world = Memory(), World({DEFAULT: {"pure": {"1": Release(files=("sdist",))}}})
    for _ in range(2):
        resolve(replace(request_for("pure"), target=LINUX), world, metadata_of_sdist=build, memory=memory)
    assert len(asked) == 2
