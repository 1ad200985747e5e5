"""Projects that leave torch alone: the machine decides between builds of other packages, and clashes are said."""

from __future__ import annotations

import json

import pytest

from tests.acceptance.running import Workplace, pyproject
from tests.replica import Replica

DRIVERS = {"old": "535.129.03", "new": "580.95.05", "ancient": "470.256.02"}
JAX = """
[project.optional-dependencies]
cuda12 = ["jax[cuda12]"]
cuda13 = ["jax[cuda13]"]
cpu = ["jax"]

[tool.uv]
conflicts = [[{ extra = "cuda12" }, { extra = "cuda13" }, { extra = "cpu" }]]
"""
BOTH = """
[project.optional-dependencies]
cpu = ["torch==2.9.0"]
gpu = ["torch==2.9.0", "cupy-cuda12x"]

[tool.uv]
conflicts = [[{ extra = "cpu" }, { extra = "gpu" }]]

[tool.uv.sources]
torch = [{ index = "pytorch-cpu", extra = "cpu" }, { index = "pytorch-cu130", extra = "gpu" }]

[[tool.uv.index]]
name = "pytorch-cpu"
url = "https://download.pytorch.org/whl/cpu"
explicit = true

[[tool.uv.index]]
name = "pytorch-cu130"
url = "https://download.pytorch.org/whl/cu130"
explicit = true
"""
PLUGINS = {"cuda12": {"jax-cuda12-plugin"}, "cuda13": {"jax-cuda13-plugin"}, "cpu": set[str]()}


@pytest.fixture(scope="module", autouse=True)
def _packages(replica: Replica) -> None:
    for cuda in ("12", "13"):
        replica.add_wheel("default", f"jax-cuda{cuda}-plugin", "0.8.0")
        replica.add_wheel("default", f"cupy-cuda{cuda}x", "14.0.0", files={"cupy/__init__.py": b""})
    plugins = [f"jax-cuda{cuda}-plugin==0.8.0 ; extra == 'cuda{cuda}'" for cuda in ("12", "13")]
    replica.add_wheel("default", "jax", "0.8.0", requires=plugins, extras=("cuda12", "cuda13"))
    replica.add_wheel("default", "onnxruntime", "1.31.1")
    replica.add_wheel("default", "onnxruntime-gpu", "1.31.1", files={"onnxruntime/gpu.py": b""})


def with_h100(workplace: Workplace, driver: str) -> Workplace:
    return workplace.with_variables(TORCHSTRAP_CUDA_DRIVER=DRIVERS[driver], TORCHSTRAP_COMPUTE_CAPABILITY="9.0")


def without_gpu(workplace: Workplace) -> Workplace:
    return workplace.with_variables(TORCHSTRAP_CUDA_DRIVER="none")


def plugins_of(outcome: dict[str, list[dict[str, str]]]) -> set[str]:
    return {each["name"] for each in outcome["packages"]} - {"jax"}


def test_the_machine_decides_between_builds_of_jax(workplace: Workplace) -> None:
    workplace.write(pyproject(more=JAX))
    machines = {
        "cuda12": with_h100(workplace, "old"),
        "cuda13": with_h100(workplace, "new"),
        "cpu": without_gpu(workplace),
    }
    for offer, place in machines.items():
        outcome = place.sync()
        assert (outcome["choice"]["offer"], outcome["choice"]["variant"]) == (offer, offer)
        assert plugins_of(outcome) == PLUGINS[offer]
        assert {each["offer"] for each in outcome["choice"]["rejected"]} == PLUGINS.keys() - {offer}
        assert outcome["warnings"] == []


def test_the_explanation_names_packages_and_facts(workplace: Workplace) -> None:
    place = with_h100(workplace, "old")
    place.write(pyproject(more=JAX))
    choice = json.loads(place.run("choose", "--json").stdout)
    assert choice["torch"] is None
    assert choice["reason"].startswith("jax[cuda12] with cuda12 runs on ")
    reasons = {each["offer"]: each["reason"] for each in choice["rejected"]}
    assert "jax[cuda13] needs NVIDIA driver 580 or newer; this machine has 535.129.03" in reasons["cuda13"]
    done = place.run("sync")
    assert done.returncode == 0, done.stderr
    assert "cuda12: jax[cuda12] with cuda12 runs on " in done.stderr


def test_a_gpu_that_lies_idle_is_not_silently_left_idle(workplace: Workplace) -> None:
    place = with_h100(workplace, "ancient")
    place.write(pyproject(more=JAX))
    outcome = place.sync()
    (warning,) = outcome["warnings"]
    assert outcome["choice"]["offer"] == "cpu"
    assert "cpu will compute on the CPU" in warning
    assert "NVIDIA driver 525.60.13 or newer would allow cuda12 with jax[cuda12]" in warning
    assert "torch" not in warning
    assert warning in place.run("sync").stderr, "also when there is nothing to do"
    assert place.run("sync", "--require", "gpu").returncode == 1


def test_an_extra_for_a_gpu_is_for_machines_with_one_only(workplace: Workplace) -> None:
    workplace.write(pyproject(more='[project.optional-dependencies]\ngpu13 = ["cupy-cuda13x"]\n'))
    bare, fitted = without_gpu(workplace), with_h100(workplace, "new")
    assert plugins_of(bare.sync()) == set()
    outcome = fitted.sync()
    assert (outcome["choice"]["offer"], outcome["choice"]["variant"]) == ("gpu13", "cuda13")
    assert plugins_of(outcome) == {"cupy-cuda13x"}
    assert plugins_of(bare.sync()) == set()
    assert plugins_of(bare.sync("--extra", "gpu13")) == plugins_of(bare.sync("--variant", "cuda13")) == {"cupy-cuda13x"}


def test_a_lock_holds_all_builds_and_serves_every_machine(workplace: Workplace) -> None:
    bare, fitted = without_gpu(workplace), with_h100(workplace, "new")
    bare.write(pyproject(more=JAX))
    done = bare.run("lock")
    assert done.returncode == 0, done.stderr
    text = (bare.folder / "pylock.toml").read_text()
    assert plugins_of(fitted.sync("--frozen")) == PLUGINS["cuda13"]
    assert plugins_of(bare.sync("--frozen")) == PLUGINS["cpu"]
    assert (bare.folder / "pylock.toml").read_text() == text


def test_two_versions_of_cuda_in_one_environment_are_said(workplace: Workplace) -> None:
    place = with_h100(workplace, "new")
    place.write(pyproject("torch==2.9.0", "cupy-cuda12x"))
    outcome = place.sync()
    (warning,) = outcome["warnings"]
    for words in (
        "torch 2.9.0+cu130 is for CUDA 13",
        "cupy-cuda12x 14.0.0 is for CUDA 12",
        "cupy-cuda13x is for CUDA 13",
    ):
        assert words in warning
    assert f"warning: {warning}" in place.run("sync").stderr, "also when there is nothing to do"


def test_torch_decides_where_an_extra_asks_for_both(workplace: Workplace) -> None:
    place = with_h100(workplace, "new")
    place.write(pyproject(more=BOTH))
    locked = place.run("lock")
    assert locked.returncode == 0, locked.stderr
    assert locked.stderr.count("cupy-cuda12x 14.0.0 is for CUDA 12") == 1
    assert "gpu: torch 2.9.0+cu130 is for CUDA 13" in locked.stderr
    outcome = place.sync()
    assert (outcome["choice"]["offer"], outcome["choice"]["variant"]) == ("gpu", "cu130")
    (warning,) = outcome["warnings"]
    assert warning.startswith("torch 2.9.0+cu130 is for CUDA 13, but cupy-cuda12x 14.0.0 is for CUDA 12")
    assert without_gpu(place).sync()["warnings"] == []


def test_the_same_packages_of_one_cuda_are_fine(workplace: Workplace) -> None:
    place = with_h100(workplace, "new")
    place.write(pyproject("torch==2.9.0", "cupy-cuda13x"))
    assert place.sync()["warnings"] == []


def test_two_packages_with_the_same_files_are_said(workplace: Workplace) -> None:
    place = without_gpu(workplace)
    place.write(pyproject("onnxruntime", "onnxruntime-gpu"))
    (warning,) = place.sync()["warnings"]
    assert "onnxruntime 1.31.1 and onnxruntime-gpu 1.31.1 install the same files (onnxruntime)" in warning


def test_a_torch_that_nobody_thought_of_is_said_where_it_could_use_the_gpu(workplace: Workplace) -> None:
    extras = '[project.optional-dependencies]\ncpu = ["onnxruntime"]\ngpu = ["onnxruntime-gpu"]\n'
    place = with_h100(workplace, "old")
    place.write(pyproject("accelerate", more=extras))
    outcome = place.sync()
    assert outcome["choice"]["offer"] == "cpu"
    idle, torch = outcome["warnings"]
    assert "NVIDIA driver 580 or newer would allow gpu with onnxruntime-gpu" in idle
    assert "which another package asks for, does not use the GPU" in torch
    assert "name torch among its dependencies" in torch
    place.write(pyproject("accelerate", "torch", more=extras))
    outcome = place.sync()
    assert (outcome["choice"]["variant"], outcome["warnings"]) == ("cu126", [])
    assert len(without_gpu(place).sync()["warnings"]) == 0
