"""Builds that need torch are made with the very torch of the environment that they are for, and with no other."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from tests.acceptance.running import Workplace, pyproject
from tests.sdists import BUILD, archive, build_table

WITH_TORCH = '[tool.torchstrap]\nbuild-with = ["torch"]\n'
EXTRAS = """
[project.optional-dependencies]
cpu = ["torch>=2.6"]
cu128 = ["torch>=2.7"]

[tool.uv]
conflicts = [[{ extra = "cpu" }, { extra = "cu128" }]]

[[tool.uv.index]]
name = "pytorch-cpu"
url = "https://download.pytorch.org/whl/cpu"
explicit = true

[[tool.uv.index]]
name = "pytorch-cu128"
url = "https://download.pytorch.org/whl/cu128"
explicit = true

[tool.uv.sources]
torch = [{ index = "pytorch-cpu", extra = "cpu" }, { index = "pytorch-cu128", extra = "cu128" }]
"""


def setup(name: str, version: str = "1", *, requires: str = "torch", first: str = "import torch\n") -> str:
    """A setup.py that imports torch, as flash-attn's does, and writes what it saw into the package."""
    return (
        f"{first}from pathlib import Path\nfrom setuptools import setup\n"
        f"seen = torch.__version__\nprint('building with torch', seen)\n"
        f"Path('{name}.py').write_text(f'BUILT_WITH = {{seen!r}}')\n"
        f"setup(name='{name}', version='{version}', py_modules=['{name}'], install_requires=[{requires!r}])\n"
    )


def offer(workplace: Workplace, name: str, table: str = BUILD, **more: str) -> None:
    """List a source distribution that imports torch to be built."""
    files = {"pyproject.toml": table, "setup.py": setup(name, **more)}
    workplace.replica.add_file("default", name, "1", f"{name}-1.tar.gz", archive(name, files))


def built_with(workplace: Workplace, name: str, venv: str = ".venv") -> str:
    """What the package in the environment was built with, and what torch is beside it."""
    code = f"import {name}, torch; print({name}.BUILT_WITH, torch.__version__)"
    python = workplace.folder / venv / "bin" / "python"
    return subprocess.run([python, "-I", "-c", code], capture_output=True, text=True, check=True).stdout.strip()


def versions(outcome: Mapping[str, object]) -> dict[str, str]:
    packages = outcome["packages"]
    assert isinstance(packages, list)
    return {each["name"]: each["version"] for each in packages}


def test_each_offer_gets_its_own_build(workplace: Workplace) -> None:
    offer(workplace, "kernels")
    workplace.write(pyproject("kernels", more=EXTRAS + WITH_TORCH))
    for extra in ("cpu", "cu128", "cpu"):
        found = versions(workplace.sync("--extra", extra))["torch"]
        assert found.endswith(f"+{extra}")
        assert built_with(workplace, "kernels") == f"{found} {found}"
    # Both lie side by side, too, each with its own build, although nothing is built any more.
    done = workplace.run("sync", "--extra", "cu128", "--venv", "another")
    assert done.returncode == 0, done.stderr
    assert "Building" not in done.stderr
    first, second = built_with(workplace, "kernels", "another").split()
    assert first == second
    assert first.endswith("+cu128")


def test_two_offers_in_one_lock_installed_without_a_network(workplace: Workplace) -> None:
    offer(workplace, "two_offers")
    workplace.write(pyproject("two_offers", more=EXTRAS + WITH_TORCH))
    own = f"{sys.version_info[0]}.{sys.version_info[1]}"
    here = workplace.with_variables(TORCHSTRAP_PYTHON_VERSION=own, TORCHSTRAP_PLATFORM="linux_x86_64")
    locked = here.run("lock")
    assert locked.returncode == 0, locked.stderr
    for extra in ("cpu", "cu128"):
        here.sync("--extra", extra, "--frozen", "--venv", f"first-{extra}")
    for extra in ("cpu", "cu128"):
        outcome = here.sync("--extra", extra, "--frozen", "--offline", "--venv", f"second-{extra}")
        torch = versions(outcome)["torch"]
        assert torch.endswith(f"+{extra}")
        assert built_with(here, "two_offers", f"second-{extra}") == f"{torch} {torch}"


def test_torch_is_in_the_environment_only_through_what_is_built_with_it(workplace: Workplace) -> None:
    offer(workplace, "alone", requires="torch<2.8")
    workplace.write(pyproject("alone", more=WITH_TORCH))
    torch = versions(workplace.sync("--variant", "cpu"))["torch"]
    assert torch == "2.7.1+cpu"
    assert built_with(workplace, "alone") == f"{torch} {torch}"


def test_the_date_that_counted_when_torch_was_chosen_does_not_count_again(workplace: Workplace) -> None:
    offer(workplace, "dated")
    workplace.write(pyproject("dated", "torch==2.7.1", more=WITH_TORCH))
    workplace.sync("--variant", "default", "--exclude-newer", "2026-01-01")
    assert built_with(workplace, "dated").split()[0].startswith("2.7.1")


def test_an_old_torch_is_not_replaced_by_a_newer_one_to_build(workplace: Workplace) -> None:
    offer(workplace, "held_down")
    workplace.write(pyproject("held_down", "torch==2.6.0", more=WITH_TORCH))
    workplace.sync("--variant", "cpu")
    assert built_with(workplace, "held_down") == "2.6.0+cpu 2.6.0+cpu"


@pytest.mark.parametrize(
    "table",
    [
        pytest.param('[tool.torchstrap.build-with]\nfor-one = ["torch"]\n', id="ours"),
        pytest.param(
            '[tool.uv.extra-build-dependencies]\nfor_one = [{ requirement = "torch", match-runtime = true }]\n', id="uv"
        ),
    ],
)
def test_one_package_may_be_named(workplace: Workplace, table: str) -> None:
    offer(workplace, "for_one")
    workplace.write(pyproject("for_one", "torch==2.7.1", more=table))
    workplace.sync("--variant", "cpu")
    assert built_with(workplace, "for_one") == "2.7.1+cpu 2.7.1+cpu"
    offer(workplace, "for_another")
    workplace.write(pyproject("for_another", "torch==2.7.1", more=table))
    done = workplace.run("sync", "--variant", "cpu")
    assert done.returncode == 1
    assert "No module named 'torch'" in done.stderr


def test_a_build_that_declares_torch_gets_that_of_the_environment(workplace: Workplace) -> None:
    offer(workplace, "declared", build_table("torch>=2.5"))
    workplace.write(pyproject("declared", "torch<2.8", more=EXTRAS))
    for extra in ("cpu", "cu128"):
        torch = versions(workplace.sync("--extra", extra))["torch"]
        assert torch == f"2.7.1+{extra}"
        assert built_with(workplace, "declared") == f"{torch} {torch}"


def test_a_build_that_declares_another_torch_is_a_sentence(workplace: Workplace) -> None:
    offer(workplace, "stubborn", build_table("torch==2.7.1"))
    workplace.write(pyproject("stubborn", "torch==2.6.0"))
    done = workplace.run("sync", "--variant", "cpu")
    assert done.returncode == 1
    assert "stubborn" in done.stderr
    assert "torch 2.7.1" in done.stderr
    assert "2.6.0+cpu" in done.stderr
    assert "The build needs torch 2.7.1" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_build_without_torch_says_what_to_write(workplace: Workplace) -> None:
    offer(workplace, "silent")
    workplace.write(pyproject("silent", "torch"))
    done = workplace.run("sync", "--variant", "cpu")
    assert done.returncode == 1
    assert "ModuleNotFoundError: No module named 'torch'" in done.stderr
    assert 'build-with = ["torch"]' in done.stderr
    assert "silent" in done.stderr
    assert not (workplace.folder / ".venv").exists()


def test_what_nobody_installs_is_not_built_with(workplace: Workplace) -> None:
    offer(workplace, "torchless", requires="typing-extensions")
    workplace.write(pyproject("torchless", more=WITH_TORCH))
    done = workplace.run("sync", "--variant", "cpu")
    assert done.returncode == 1
    assert "build-with names torch" in done.stderr
    assert "torchless" in done.stderr
    assert "dependencies" in done.stderr


def test_static_metadata_needs_no_build_to_lock(workplace: Workplace) -> None:
    files = {"pyproject.toml": BUILD, "setup.py": setup("unhurried")}
    content = archive("unhurried", files, metadata="2.2", more="Requires-Dist: torch\n")
    workplace.replica.add_file("default", "unhurried", "1", "unhurried-1.tar.gz", content)
    workplace.write(pyproject("unhurried", more=EXTRAS + WITH_TORCH))
    here = workplace.with_variables(TORCHSTRAP_PYTHON_VERSION="3.11", TORCHSTRAP_PLATFORM="linux_x86_64")
    done = here.run("lock")
    assert done.returncode == 0, done.stderr
    assert "Building" not in done.stderr
    torch = versions(workplace.sync("--extra", "cpu"))["torch"]
    assert built_with(workplace, "unhurried") == f"{torch} {torch}"


def test_what_a_build_requires_is_known_for_other_machines_too(workplace: Workplace) -> None:
    offer(workplace, "far_away")
    workplace.write(pyproject("far_away", more=EXTRAS + WITH_TORCH))
    there = workplace.with_variables(
        TORCHSTRAP_PYTHON_VERSION="3.10 3.12", TORCHSTRAP_PLATFORM="windows_x86_64 linux_x86_64"
    )
    done = there.run("lock")
    assert done.returncode == 0, done.stderr
    text = (workplace.folder / "pylock.toml").read_text()
    assert "win_amd64" in text
    assert "far_away-1.tar.gz" in text


@pytest.mark.parametrize("editable", [True, False], ids=["editable", "copied"])
def test_a_folder_is_built_with_the_torch_of_its_environment(
    workplace: Workplace, tmp_path: Path, editable: bool
) -> None:
    name = f"beside_{'editable' if editable else 'copied'}_torch"
    folder = tmp_path / "beside"
    folder.mkdir()
    (folder / "pyproject.toml").write_text(BUILD)
    (folder / "setup.py").write_text(setup(name))
    source = f'[tool.uv.sources.{name}]\npath = "../beside"\neditable = {str(editable).lower()}\n'
    workplace.write(pyproject(name, "torch==2.7.1", more=source + WITH_TORCH))
    workplace.sync("--variant", "cpu")
    assert built_with(workplace, name) == "2.7.1+cpu 2.7.1+cpu"


def test_the_project_itself_is_built_with_its_torch(workplace: Workplace) -> None:
    table = pyproject("torch==2.7.1", more=f"{EXTRAS.replace('>=2.7', '').replace('>=2.6', '')}{WITH_TORCH}{BUILD}")
    workplace.write(table.replace('version = "1"', 'dynamic = ["version"]'))
    (workplace.folder / "setup.py").write_text(setup("minimal", requires="torch==2.7.1"))
    for extra in ("cpu", "cu128"):
        workplace.sync("--extra", extra)
        assert built_with(workplace, "minimal") == f"2.7.1+{extra} 2.7.1+{extra}"
    outcome = workplace.sync("--extra", "cu128", "--offline", "--venv", "another")
    assert outcome["changed"] is True
    assert built_with(workplace, "minimal", "another") == "2.7.1+cu128 2.7.1+cu128"


def test_the_setting_that_comes_later_builds_anew(workplace: Workplace) -> None:
    tolerant = "try:\n    import torch\nexcept ImportError:\n    class torch: __version__ = 'none'\n"
    offer(workplace, "tolerant", first=tolerant)
    workplace.write(pyproject("tolerant", "torch==2.7.1"))
    workplace.sync("--variant", "cpu")
    assert built_with(workplace, "tolerant") == "none 2.7.1+cpu"
    workplace.write(pyproject("tolerant", "torch==2.7.1", more=WITH_TORCH))
    workplace.sync("--variant", "cpu")
    assert built_with(workplace, "tolerant") == "2.7.1+cpu 2.7.1+cpu"


def test_a_dead_end_is_a_sentence(workplace: Workplace) -> None:
    """Built with one torch it asks for the other."""
    contrary = "import torch\nother = '2.6.0' if torch.__version__.startswith('2.7') else '2.7.1'\n"
    text = setup("contrary", first=contrary).replace("install_requires=['torch']", "install_requires=['torch=='+other]")
    content = archive("contrary", {"pyproject.toml": BUILD, "setup.py": text})
    workplace.replica.add_file("default", "contrary", "1", "contrary-1.tar.gz", content)
    workplace.write(pyproject("contrary", more=WITH_TORCH))
    done = workplace.run("sync", "--variant", "cpu")
    assert done.returncode == 1
    assert "contrary" in done.stderr
    assert "pin" in done.stderr
    assert "Traceback" not in done.stderr


def test_no_build_names_the_package(workplace: Workplace) -> None:
    offer(workplace, "forbidden")
    workplace.write(pyproject("forbidden", more=WITH_TORCH))
    done = workplace.run("sync", "--variant", "cpu", "--no-build")
    assert done.returncode == 1
    assert "forbidden" in done.stderr
    assert "building is not allowed" in done.stderr


@pytest.mark.parametrize(
    ("table", "sentence"),
    [
        pytest.param("build-with = 7\n", "a list of names", id="a number"),
        pytest.param('build-with = ["torch torch"]\n', "a list of names", id="no name"),
        pytest.param("build-with = { flash-attn = true }\n", "a list of names", id="a table of no lists"),
    ],
)
def test_a_setting_that_makes_no_sense_is_named(workplace: Workplace, table: str, sentence: str) -> None:
    workplace.write(pyproject("torch", more=f"[tool.torchstrap]\n{table}"))
    done = workplace.run("sync")
    assert done.returncode == 78
    assert "[tool.torchstrap] build-with" in done.stderr
    assert sentence in done.stderr


def test_a_cache_of_its_own_shows_what_was_fetched(workplace: Workplace, tmp_path: Path) -> None:
    """The build takes torch's file once, from the variant's index, and no other torch."""
    offer(workplace, "fetching")
    own = replace(workplace, cache=tmp_path / "cache")
    own.write(pyproject("fetching", "torch==2.7.1", more=WITH_TORCH))
    before = len(own.replica.requests)
    own.sync("--variant", "cpu")
    asked = [str(each) for each in own.replica.requests[before:]]
    files = {each.rsplit("/", 1)[-1] for each in asked if "/torch-2" in each and each.endswith(".whl")}
    assert len(files) == 1
    assert files.pop().startswith("torch-2.7.1+cpu-")
