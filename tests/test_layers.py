"""Imports point down only, and each outside library has one owner: read from the source, not trusted."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent

# From the ground up; a module may import from its own layer and from those before it. Adapters come first, as engines
# copy single files of them: nothing of ours may be missing there.
LAYERS = (
    "bootstrap.adapters",
    "probes",
    "profiles",
    "bootstrap.errors",
    "bootstrap.cache_place",
    "bootstrap.environment.activation",
    "bootstrap.stamp",
    "bootstrap.toml",
    "bootstrap.project",
    "bootstrap.index",
    "bootstrap.resolver",
    "bootstrap.lock",
    "bootstrap.wheels",
    "bootstrap.bundle",
    "bootstrap.environment",
    "bootstrap.build",
    "bootstrap.report",
    "bootstrap.commands",
    "bootstrap.console",
    "bootstrap.options",
    "bootstrap.cli_switch",
    "bootstrap.cli_upkeep",
    "bootstrap.cli_bundle",
    "bootstrap.cli_pythons",
    "bootstrap.cli",
    "bootstrap.checkout",
    "bootstrap.__main__",
    "bootstrap.zipapp",
)

OWNERS = {
    "httpx": "bootstrap.index.transport",
    "certifi": "bootstrap.index.tls",
    "rich": "bootstrap.console",
    "virtualenv": "bootstrap.environment.virtual",
    "installer": "bootstrap.environment.scripts",
    "pynvml": "probes.nvml",
    "cpuinfo": "probes.cpu_fallback",
    "tomli_w": "bootstrap.lock.pylock_write",
    "pyproject_hooks": "bootstrap.build.backend",
    "platformdirs": "bootstrap.project.settings",
    "pip": "bootstrap.checkout",
    "distlib": "bootstrap.project.settings",
    "ray": "bootstrap.adapters.ray",
}

# Engines whose plugs are several files in a folder of their own.
ENGINES = dict.fromkeys(("ansible", "ansible_collections"), "bootstrap.adapters.ansible.")

# Imported by name, where they are there at all.
OPTIONAL = {"isal": "bootstrap.wheels.inflating", "zlib_ng": "bootstrap.wheels.inflating"}

# Every layer of ours may use these, but for `probes`, which is usable on its own with the standard library alone.
SHARED = frozenset({"packaging"})
TOML_READERS = {"bootstrap.toml", "profiles.loading", "bootstrap.checkout"}


def modules() -> Iterator[tuple[str, ast.Module]]:
    for package in ("probes", "profiles", "bootstrap"):
        for path in sorted((ROOT / package).rglob("*.py")):
            parts = path.relative_to(ROOT).with_suffix("").parts
            name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
            yield name, ast.parse(path.read_text(encoding="utf-8"), filename=str(path))


def imports(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute here"
            assert node.module is not None
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def layer(name: str) -> int | None:
    """The rank of the longest prefix: `bootstrap.environment.activation` stands below the rest of its package."""
    matches = [prefix for prefix in LAYERS if name == prefix or name.startswith(f"{prefix}.")]
    return LAYERS.index(max(matches, key=len)) if matches else None


SOURCES = dict(modules())


def test_every_module_belongs_to_a_layer() -> None:
    assert SOURCES
    homeless = [name for name in SOURCES if layer(name) is None and name != "bootstrap"]
    assert not homeless


@pytest.mark.parametrize("name", [name for name in SOURCES if name != "bootstrap"])
def test_imports_point_down(name: str) -> None:
    own = layer(name)
    assert own is not None
    upward = [
        target
        for target in imports(SOURCES[name])
        if target.split(".")[0] in {"probes", "profiles", "bootstrap"} and (layer(target) or 0) > own
    ]
    assert not upward, f"{name} imports from a layer above its own: {upward}"


@pytest.mark.parametrize("name", SOURCES)
def test_outside_libraries_have_one_owner(name: str) -> None:
    for target in imports(SOURCES[name]):
        top = target.split(".")[0]
        if top in {*sys.stdlib_module_names, "tomllib"} or top in {"probes", "profiles", "bootstrap", "__future__"}:
            assert top != "tomllib" or name in TOML_READERS, f"{name}: TOML is read in {TOML_READERS}"
            continue
        if top == "tomli":
            assert name in TOML_READERS, f"{name}: TOML is read in {TOML_READERS}"
        elif top in ENGINES:
            assert name.startswith(ENGINES[top]), f"{name} imports {top}, which belongs to {ENGINES[top]}*"
        elif top in SHARED:
            assert not name.startswith("probes"), f"{name} must do with the standard library"
        else:
            assert OWNERS.get(top) == name, f"{name} imports {top}, which belongs to {OWNERS.get(top)}"


def test_every_owner_still_owns() -> None:
    for library, owner in OWNERS.items():
        assert owner in SOURCES, f"{owner} is gone; who owns {library} now?"
        assert any(target.split(".")[0] == library for target in imports(SOURCES[owner]))


@pytest.mark.parametrize(("library", "owner"), OPTIONAL.items())
def test_what_is_imported_by_name_has_one_owner_too(library: str, owner: str) -> None:
    naming = {
        name
        for name, tree in SOURCES.items()
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and str(node.value).startswith(f"{library}.")
    }
    assert naming == {owner}
