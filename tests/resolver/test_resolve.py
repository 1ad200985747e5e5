from __future__ import annotations

from collections.abc import Mapping

import pytest
from packaging.version import Version

from bootstrap.errors import BadDistributionError, NoSolutionError
from bootstrap.index.files import File
from bootstrap.index.metadata import Metadata
from bootstrap.resolver.candidates import Policy
from bootstrap.resolver.request import Event
from bootstrap.resolver.resolution import Direct
from bootstrap.resolver.resolve import resolve
from tests.resolver.torch_world import CPU_INDEX, CU128_INDEX, torch_world
from tests.resolver.worlds import (
    DEFAULT,
    Packages,
    Release,
    World,
    no_source,
    request_for,
    requirements,
    solve_world,
    versions_of,
)

EXTRAS: Packages = {
    "app": {
        "2.0": Release(
            ("base", 'app[fast,pretty]; extra == "all"', 'engine>=2; extra == "fast"', 'rich; extra == "pretty"'),
            extras=("all", "fast", "pretty"),
        ),
        "1.0": Release(("base", 'engine; extra == "fast"'), extras=("fast",)),
    },
    "base": {"1.0": ()},
    "engine": {"1.0": (), "2.0": ()},
    "rich": {"13": ()},
}


def test_extras_of_extras_are_followed() -> None:
    assert solve_world(EXTRAS, "app[all]") == {"app": "2.0", "base": "1.0", "engine": "2.0", "rich": "13"}


def test_an_extra_shares_the_version_of_its_package() -> None:
    assert solve_world(EXTRAS, "app[fast]", "app<2") == {"app": "1.0", "base": "1.0", "engine": "2.0"}
    assert solve_world(EXTRAS, "app[fast]", "engine<2")["app"] == "1.0"


def test_an_extra_that_nobody_offers_is_left_out_with_a_warning() -> None:
    events: list[Event] = []
    resolve(request_for("app[nothing]"), World({DEFAULT: EXTRAS}), metadata_of_sdist=no_source, report=events.append)
    assert [event.detail for event in events if event.kind == "warning"] == [
        "app 2.0 has no extra `nothing`; it is left out."
    ]


def test_packages_that_need_each_other_are_resolved() -> None:
    packages: Packages = {
        "a": {"1": ("b",)},
        "b": {"1": ("c[x]",)},
        "c": {"1": Release(('a; extra == "x"',), extras=("x",))},
    }
    assert solve_world(packages, "a") == {"a": "1", "b": "1", "c": "1"}


def test_constraints_narrow_without_asking_for_the_package() -> None:
    packages: Packages = {"a": {"1": ("b",)}, "b": {"1": (), "2": ()}, "c": {"1": ()}}
    constraints = requirements("b<2", "c==1", 'b<1; sys_platform == "win32"')
    assert solve_world(packages, "a", constraints=constraints) == {"a": "1", "b": "1"}


def test_overrides_replace_what_packages_require() -> None:
    packages: Packages = {
        "a": {"1": ("b<2", "c", "d[x]<1")},
        "b": {"1": (), "2": ()},
        "c": {"1": ()},
        "d": EXTRAS["app"],
    }
    overrides = requirements("b>=2", 'c; sys_platform == "never"', "d>=2")
    found = solve_world({**packages, **EXTRAS}, "a", overrides=overrides)
    assert found == {"a": "1", "b": "2", "d": "2.0", "base": "1.0"}


@pytest.mark.parametrize(
    ("preference", "expected"),
    [("1.1", "1.1"), ("9.9", "1.2"), ("1.0+cu124", "1.0+cpu")],
    ids=["kept", "gone", "other build"],
)
def test_locked_versions_are_tried_first(preference: str, expected: str) -> None:
    packages: Packages = {"a": dict.fromkeys(("1.0+cpu", "1.1", "1.2"), ())}
    assert solve_world(packages, "a", preferences={"a": Version(preference)}) == {"a": expected}


def test_a_locked_version_that_was_yanked_is_kept() -> None:
    packages: Packages = {"a": {"1.0": Release(yanked="wrong"), "0.9": ()}}
    assert solve_world(packages, "a", preferences={"a": Version("1.0")}) == {"a": "1.0"}
    assert solve_world(packages, "a") == {"a": "0.9"}


def test_a_yanked_version_is_taken_where_somebody_pins_it() -> None:
    packages: Packages = {
        "a": {"1.0": Release(yanked="wrong"), "0.9": ()},
        "b": {"1": ("a==1.0",)},
        "c": {"1": ("a>=0.5",)},
    }
    assert solve_world(packages, "b", "c")["a"] == "1.0"
    assert solve_world(packages, "c")["a"] == "0.9"


def test_a_pre_release_that_the_project_asks_for_serves_everybody() -> None:
    packages: Packages = {"a": {"5.0rc1": (), "4.9": ()}, "b": {"1": ("a>=4",)}}
    assert solve_world(packages, "b", "a>=5.0rc1")["a"] == "5.0rc1"
    assert solve_world(packages, "b", "a>=4.0b1")["a"] == "5.0rc1"
    assert solve_world(packages, "b")["a"] == "4.9"


def test_a_pre_release_that_a_package_needs_serves_everybody() -> None:
    packages: Packages = {"a": {"5.0rc1": (), "4.9": ()}, "b": {"1": ("a>=4",)}, "c": {"1": ("a>=5.0rc1",)}}
    assert solve_world(packages, "b", "c")["a"] == "5.0rc1"


def test_pre_releases_are_taken_by_policy() -> None:
    packages: Packages = {"a": {"5.0rc1": (), "4.9": ()}}
    assert solve_world(packages, "a", policy=Policy(prereleases=True)) == {"a": "5.0rc1"}


@pytest.mark.parametrize(
    ("roots", "torch"),
    [
        (["ultralytics"], "2.8.0+cpu"),
        (["ultralytics", "torch==2.5.1"], "2.5.1+cpu"),
        (["torch<2.8", "ultralytics"], "2.6.0+cpu"),
    ],
    ids=["transitive", "pinned", "bounded"],
)
def test_whoever_asks_the_variant_answers(roots: list[str], torch: str) -> None:
    request = request_for(*roots, index_for=lambda name: CPU_INDEX if name in {"torch", "torchvision"} else None)
    found = resolve(request, torch_world(), metadata_of_sdist=no_source)
    pins = {pin.name: pin for pin in found.pins}
    assert str(pins["torch"].version) == torch
    assert pins["torch"].index == pins["torchvision"].index == CPU_INDEX
    assert pins["numpy"].index == DEFAULT
    assert "triton" not in pins


def test_a_package_with_an_index_never_comes_from_another() -> None:
    request = request_for("torch>=2.9", index_for=lambda name: CU128_INDEX if name == "torch" else None)
    with pytest.raises(NoSolutionError, match=r"has only 2\.7\.1"):
        resolve(request, torch_world(), metadata_of_sdist=no_source)


def test_the_variant_is_passed_on_only_where_it_counts() -> None:
    world = torch_world()
    request = request_for(
        "ultralytics",
        "xformers",
        index_for=lambda name: CPU_INDEX if name == "torch" else None,
        in_family=lambda name: name == "xformers",
        variant="cpu",
    )
    resolve(request, world, metadata_of_sdist=no_source)
    assert (world.variants["torch"], world.variants["xformers"], world.variants["numpy"]) == ("cpu", "cpu", None)


def test_pins_know_what_they_need_and_who_wanted_them() -> None:
    extras = {"gpu": ["engine"], "docs": ["rich"]}
    request = request_for("app[fast]", extras=extras, offer="gpu")
    found = resolve(request, World({DEFAULT: EXTRAS}), metadata_of_sdist=no_source)
    pins = {pin.name: pin for pin in found.pins}
    assert found.offer == "gpu"
    assert list(pins) == ["app", "base", "engine", "rich"]
    assert pins["app"].requires == ("base", "engine")
    assert pins["app"].wanted_by == {""}
    assert pins["engine"].wanted_by == {"", "extra:gpu"}
    assert pins["rich"].wanted_by == {"extra:docs"}
    assert pins["base"].files[0].filename == "base-1.0-py3-none-any.whl"


def test_markers_of_the_project_are_evaluated_for_the_target() -> None:
    packages: Packages = {"a": {"1": ()}, "b": {"1": ()}}
    assert solve_world(packages, 'a; sys_platform == "linux"', 'b; sys_platform == "win32"') == {"a": "1"}


def test_a_version_whose_metadata_is_for_another_python_is_passed_over() -> None:
    packages: Packages = {"a": {"2.0": Release(python=">=3.12"), "1.0": Release(python=">=3.9")}}
    assert solve_world(packages, "a") == {"a": "1.0"}


def test_a_version_without_a_wheel_for_the_platform_is_passed_over() -> None:
    packages: Packages = {"a": {"2.0": Release(files=("cp311-cp311-win_amd64",)), "1.0": ()}}
    assert solve_world(packages, "a") == {"a": "1.0"}


@pytest.mark.parametrize(
    ("says", "issue"),
    [
        (("other", "1.0"), "its metadata is for other"),
        (("a", "1.1"), "says version 1.1"),
        (("a", "one"), "'one', which is none"),
    ],
)
def test_metadata_that_speaks_of_another_package_is_refused(says: tuple[str, str], issue: str) -> None:
    with pytest.raises(BadDistributionError, match=issue):
        solve_world({"a": {"1.0": Release(says=says)}}, "a")


def test_metadata_may_spell_name_and_version_differently() -> None:
    packages: Packages = {"some-name": {"1.0": Release(says=("Some_Name", "1.0.0"))}}
    assert solve_world(packages, "Some.Name") == {"some-name": "1.0"}


SOURCE = "https://host.example/tool.zip"


def built(source: File | Direct) -> Metadata:
    """What building would tell: the direct package is tool 3.0, source distributions need base."""
    if isinstance(source, Direct):
        return Metadata("tool", "3.0", ("base",))
    return Metadata("engine", "3.0", ("base",))


@pytest.mark.parametrize("policy", [Policy(), Policy(no_binary=frozenset({"engine"}))])
def test_a_source_distribution_is_read_where_there_is_no_wheel(policy: Policy) -> None:
    packages = {**EXTRAS, "engine": {"3.0": Release(("never-read",), files=("sdist",))}}
    found = resolve(request_for("engine", policy=policy), World({DEFAULT: packages}), metadata_of_sdist=built)
    assert versions_of(found) == {"engine": "3.0", "base": "1.0"}
    assert found.pins[1].files[0].filename == "engine-3.0.tar.gz"


TOOLS: Packages = {
    **EXTRAS,
    "tool": {"1.0": (), "2.0": ()},
    "linker": {"1.0": ("tool",), "2.0": (f"tool @ {SOURCE}#sha256=00ff",)},
    "other": {"1.0": ("tool @ https://elsewhere.example/tool.zip",)},
    "strict": {"1.0": ("tool<2", "linker")},
}


def direct_world(*roots: str, **more: object) -> Mapping[str, str]:
    return versions_of(resolve(request_for(*roots, **more), World({DEFAULT: TOOLS}), metadata_of_sdist=built))


def test_a_direct_package_is_the_only_candidate() -> None:
    assert direct_world("tool>=2", direct={"tool": Direct(SOURCE)}) == {"tool": "3.0", "base": "1.0"}
    with pytest.raises(NoSolutionError, match=r"tool\.zip is version 3\.0"):
        direct_world("tool<2", direct={"tool": Direct(SOURCE)})


def test_a_requirement_with_an_address_becomes_a_direct_package() -> None:
    request = request_for("linker", f"tool @ {SOURCE}#subdirectory=python")
    found = resolve(request, World({DEFAULT: TOOLS}), metadata_of_sdist=built)
    tool = next(pin for pin in found.pins if pin.name == "tool")
    assert tool.direct == Direct(SOURCE, subdirectory="python")
    assert tool.files == ()


def test_an_address_deep_in_the_graph_counts_for_everybody() -> None:
    assert direct_world("tool", "linker") == {"tool": "3.0", "linker": "2.0", "base": "1.0"}


def test_an_address_that_only_a_refused_version_names_does_not_count() -> None:
    assert direct_world("strict", "tool") == {"strict": "1.0", "tool": "1.0", "linker": "1.0"}


def test_two_addresses_of_one_package_contradict_each_other() -> None:
    with pytest.raises(NoSolutionError, match=r"other 1\.0 needs tool from https://elsewhere\.example/tool\.zip"):
        direct_world("linker>=2", "other")


def test_pages_and_metadata_are_asked_for_once() -> None:
    world = World({DEFAULT: EXTRAS})
    resolve(request_for("app[all]"), world, metadata_of_sdist=no_source)
    assert sorted(world.pages) == ["app", "base", "engine", "rich"]
    assert len(set(world.metadata_read)) == len(world.metadata_read)


def test_what_the_catalogue_raises_is_passed_on() -> None:
    with pytest.raises(KeyError, match="nowhere"):
        resolve(request_for("a", index_for=lambda _: "nowhere"), World({}), metadata_of_sdist=no_source)
