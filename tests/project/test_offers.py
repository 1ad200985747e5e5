"""Which extras and groups decide about torch, and which variant each means."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from bootstrap.project.model import Project
from bootstrap.project.offers import fixed_offer, offers, torch_specifiers
from bootstrap.project.pyproject import read_project
from profiles.offer import Offer

SEEDS = Path(__file__).parent.parent / "projects"
WHEELS = "https://download.pytorch.org/whl/"
LINUX = {"sys_platform": "linux", "platform_system": "Linux", "python_version": "3.12"}
MACOS = {"sys_platform": "darwin", "platform_system": "Darwin", "python_version": "3.12"}


def is_family(name: str) -> bool:
    return name in {"torch", "torchvision", "triton"}


def variant_of_index(url: str) -> str | None:
    found = re.match(WHEELS + "([a-z0-9.]+)", url)
    return found[1] if found else None


def found(project: Project, markers: dict[str, str] | None = None) -> tuple[Offer, ...]:
    return offers(project, markers or LINUX, is_family, variant_of_index)


def written(tmp_path: Path, text: str) -> Project:
    head = '[project]\nname = "this"\nversion = "1"\n'
    (tmp_path / "pyproject.toml").write_text(f"{head}{text}")
    return read_project(tmp_path)


def indexes(*variants: str) -> str:
    return "".join(
        f'[[tool.uv.index]]\nname = "pytorch-{variant}"\nurl = "{WHEELS}{variant}"\nexplicit = true\n'
        for variant in variants
    )


CPU, CU124, CU128 = (Offer(variant, variant, WHEELS + variant) for variant in ("cpu", "cu124", "cu128"))


@pytest.mark.parametrize(
    ("seed", "linux", "macos"),
    [
        ("accelerate-9734", (CPU, CU124), (CPU, CU124)),
        ("multiplatform-9310", (CPU, Offer("gpu", "default")), (Offer("cpu", "default"), Offer("gpu", "default"))),
        ("switching-16368", (CPU, CU128, Offer("pypi", "default")), (CPU, CU128, Offer("pypi", "default"))),
        ("torchmetrics-9640", (CPU, CU124), (Offer("cpu", "default"), CU124)),
        ("ultralytics-9306", (CPU, CU124), (Offer("cpu", "default"), CU124)),
    ],
)
def test_reads_the_offers_of_the_five_reports(seed: str, linux: tuple[Offer, ...], macos: tuple[Offer, ...]) -> None:
    project = read_project(SEEDS / seed)
    assert found(project) == linux
    assert found(project, MACOS) == macos


SOURCES = """[tool.uv.sources]
torch = [{ index = "pytorch-cpu", extra = "cpu" }, { index = "pytorch-cu124", extra = "cu124" }]
"""
BOTH = SOURCES + indexes("cpu", "cu124")


def test_an_alias_is_no_offer_of_its_own(tmp_path: Path) -> None:
    extras = '[project.optional-dependencies]\ncpu = ["torch"]\ncu124 = ["torch"]\ngpu = ["this[cu124]"]\n'
    conflict = '[tool.uv]\nconflicts = [[{ extra = "cpu" }, { extra = "gpu" }]]\n'
    assert found(written(tmp_path, extras + BOTH)) == (CPU, CU124)
    assert found(written(tmp_path, extras + conflict + BOTH)) == (CPU, CU124)


def test_extras_that_share_one_list_by_alias_are_offers(tmp_path: Path) -> None:
    extras = '[project.optional-dependencies]\nlearn = ["torch"]\ncpu = ["this[learn]"]\ncu124 = ["this[learn]"]\n'
    conflict = '[tool.uv]\nconflicts = [[{ extra = "cpu" }, { extra = "cu124" }]]\n'
    assert found(written(tmp_path, extras + conflict + BOTH)) == (CPU, CU124)


def test_members_of_the_conflict_without_torch_are_no_offers(tmp_path: Path) -> None:
    text = (
        '[project.optional-dependencies]\ncpu = ["torch"]\ncu124 = ["torch"]\ndocs = ["sphinx"]\n'
        '[tool.uv]\nconflicts = [[{ extra = "cpu" }, { extra = "cu124" }, { extra = "docs" }]]\n'
    )
    assert found(written(tmp_path, text + BOTH)) == (CPU, CU124)


def test_conflicts_about_something_else_make_no_offers(tmp_path: Path) -> None:
    text = (
        '[project.optional-dependencies]\nold = ["numpy<2"]\nnew = ["numpy>=2", "torch"]\n'
        '[tool.uv]\nconflicts = [[{ extra = "old" }, { extra = "new" }]]\n'
    )
    assert found(written(tmp_path, text)) == ()


def test_torch_may_be_wanted_by_others_only(tmp_path: Path) -> None:
    text = (
        '[project.optional-dependencies]\ncpu = ["ultralytics"]\ngpu = ["ultralytics"]\n'
        '[tool.uv]\nconflicts = [[{ extra = "cpu" }, { extra = "gpu" }]]\n'
        '[tool.uv.sources]\ntorch = { index = "pytorch-cpu", extra = "cpu" }\n'
    )
    assert found(written(tmp_path, text + indexes("cpu"))) == (CPU, Offer("gpu", "default"))


def test_torch_in_the_base_makes_every_member_an_offer(tmp_path: Path) -> None:
    text = (
        'dependencies = ["torch"]\n[project.optional-dependencies]\ncpu = []\nplain = []\n'
        '[tool.uv]\nconflicts = [[{ extra = "cpu" }, { extra = "plain" }]]\n'
        '[tool.uv.sources]\ntorch = { index = "pytorch-cpu", extra = "cpu" }\n'
    )
    assert found(written(tmp_path, text + indexes("cpu"))) == (CPU, Offer("plain", "default"))


def test_groups_can_be_offers(tmp_path: Path) -> None:
    text = (
        '[dependency-groups]\ncpu = ["torch"]\ncu124 = ["torch"]\n'
        '[tool.uv]\nconflicts = [[{ group = "cpu" }, { group = "cu124" }]]\n'
    ) + SOURCES.replace("extra", "group")
    expected = (Offer("cpu", "cpu", WHEELS + "cpu", "group"), Offer("cu124", "cu124", WHEELS + "cu124", "group"))
    assert found(written(tmp_path, text + indexes("cpu", "cu124"))) == expected


def test_without_conflicts_sources_and_names_make_offers(tmp_path: Path) -> None:
    text = (
        "[project.optional-dependencies]\n"
        'fast = ["torch"]\nrocm6-4 = ["torch"]\naccel = ["torchvision"]\ncuda = ["cupy"]\ndocs = ["torch"]\n'
        '[tool.uv.sources]\ntorch = { index = "pytorch-cu124", extra = "fast" }\n'
    )
    assert found(written(tmp_path, text + indexes("cu124"))) == (
        Offer("fast", "cu124", WHEELS + "cu124"),
        Offer("rocm6-4", "default"),
        Offer("accel", "default"),
    )


@pytest.mark.parametrize(
    ("extra", "index", "expected"),
    [("gpu", "lab-cu126", "cu126"), ("rocm6-4", "lab", "rocm6.4"), ("gpu", "lab", "default"), ("xpu", "lab", "xpu")],
)
def test_the_variant_of_an_unknown_index_is_what_its_names_say(
    tmp_path: Path, extra: str, index: str, expected: str
) -> None:
    text = (
        f'[project.optional-dependencies]\n{extra} = ["torch"]\n'
        f'[tool.uv.sources]\ntorch = {{ index = "{index}", extra = "{extra}" }}\n'
        f'[[tool.uv.index]]\nname = "{index}"\nurl = "https://lab.example/simple"\n'
    )
    assert found(written(tmp_path, text)) == (Offer(extra, expected, "https://lab.example/simple"),)


@pytest.mark.parametrize(
    ("requirement", "expected"),
    [
        ("torch==2.5.1+cu121", "cu121"),
        ("torch @ https://x.example/torch-2.5.1%2Bcpu-cp312-cp312-linux_x86_64.whl", "cpu"),
        ("torch==2.5.1", "default"),
    ],
    ids=["pin", "address", "plain"],
)
def test_the_variant_can_be_spelled_out_by_the_requirement(tmp_path: Path, requirement: str, expected: str) -> None:
    text = f'[project.optional-dependencies]\ngpu = ["{requirement}"]\n'
    assert found(written(tmp_path, text)) == (Offer("gpu", expected),)


@pytest.mark.parametrize("key", ["url", "path"])
def test_the_variant_of_a_single_file_is_its_label(tmp_path: Path, key: str) -> None:
    place = ("https://x.example/" if key == "url" else "") + "torch-2.5.1+cu121-cp312-cp312-linux_x86_64.whl"
    source = f'[tool.uv.sources]\ntorch = {{ {key} = "{place}", extra = "gpu" }}\n'
    text = f'[project.optional-dependencies]\ngpu = ["torch"]\n{source}'
    assert found(written(tmp_path, text)) == (Offer("gpu", "cu121"),)


def test_an_unlimited_source_settles_the_variant(tmp_path: Path) -> None:
    text = '[tool.uv.sources]\ntorch = {{ index = "pytorch-cu124"{marker} }}\n' + indexes("cu124")
    project = written(tmp_path, text.format(marker=""))
    assert found(project) == ()
    assert fixed_offer(project, LINUX, is_family, variant_of_index) == Offer(
        "cu124", "cu124", WHEELS + "cu124", "variant"
    )
    limited = written(tmp_path, text.format(marker=", marker = \"sys_platform == 'linux'\""))
    assert fixed_offer(limited, MACOS, is_family, variant_of_index) is None


def test_torch_specifiers_join_base_extra_and_constraints(tmp_path: Path) -> None:
    project = written(
        tmp_path,
        """dependencies = ["Torch>=2.2", "torchvision==1"]
[project.optional-dependencies]
cpu = ["torch<2.7", "torch!=2.4 ; sys_platform == 'darwin'"]
other = ["torch==1"]
[dependency-groups]
lab = ["torch<3"]
[tool.uv]
constraint-dependencies = ["torch!=2.3"]
""",
    )
    assert str(torch_specifiers(project, "CPU", LINUX)) == "!=2.3,<2.7,>=2.2"
    assert str(torch_specifiers(project, "cpu")) == "!=2.3,!=2.4,<2.7,>=2.2"
    assert str(torch_specifiers(project, "lab")) == "!=2.3,<3,>=2.2"
    assert str(torch_specifiers(project, None)) == "!=2.3,>=2.2"


def test_overrides_replace_what_is_asked_of_torch(tmp_path: Path) -> None:
    text = 'dependencies = ["torch>=2.2"]\n[tool.uv]\noverride-dependencies = ["torch==2.1"]\n'
    assert str(torch_specifiers(written(tmp_path, text), None)) == "==2.1"


# --- without torch

JAX = '[project.optional-dependencies]\ncuda12 = ["jax[cuda12]"]\ncuda13 = ["jax[cuda13]>=0.6"]\ncpu = ["jax"]\n'
JAX_OFFERS = (("cuda12", "cuda12", "extra"), ("cuda13", "cuda13", "extra"), ("cpu", "cpu", "extra"))
THE_PROJECT_ITSELF = ("cpu", "cpu", "variant")


def variants(found: tuple[Offer, ...]) -> tuple[tuple[str, str, str], ...]:
    assert {offer.index for offer in found} <= {None}
    assert all(offer.packages is not None for offer in found)
    return tuple((offer.name, offer.variant, offer.kind) for offer in found)


def conflicting(*names: str) -> str:
    members = ", ".join(f'{{ extra = "{name}" }}' for name in names)
    return f"[tool.uv]\nconflicts = [[{members}]]\n"


@pytest.mark.parametrize("conflict", ["", conflicting("cuda12", "cuda13", "cpu")], ids=["by name", "in conflict"])
def test_extras_for_accelerators_are_offers_without_torch(tmp_path: Path, conflict: str) -> None:
    offered = found(written(tmp_path, JAX + conflict))
    assert variants(offered) == JAX_OFFERS
    assert [offer.packages for offer in offered] == [("jax[cuda12]",), ("jax[cuda13]>=0.6",), ("jax",)]


@pytest.mark.parametrize(
    ("extra", "requirements", "variant"),
    [
        ("gpu12", ["cupy-cuda12x"], "cuda12"),
        ("gpu", ["numpy", "Faiss_GPU"], "cuda12"),
        ("rapids-cuda", ["cudf-cu13", "cuml-cu13"], "cuda13"),
        ("rocm7", ["jax[rocm7-local]"], "rocm"),
        ("tpu", ["jax[tpu]"], "tpu"),
        ("gpu", ["jax", "onnxruntime-gpu<1.31"], "cuda12"),
        ("accel", ["tensorflow[and-cuda]"], "cuda12"),
        ("cu12", ["vllm<=0.21"], "cuda12"),
        ("gpu", ["jax[cuda12]", "flash-attn"], "cuda12"),
    ],
)
def test_an_extra_for_an_accelerator_stands_beside_the_project_itself(
    tmp_path: Path, extra: str, requirements: list[str], variant: str
) -> None:
    project = written(tmp_path, f"[project.optional-dependencies]\n{extra} = {requirements}\n")
    assert variants(found(project)) == (THE_PROJECT_ITSELF, (extra, variant, "extra"))


@pytest.mark.parametrize(
    "extras",
    [
        'cuda = ["numpy"]',
        'gpu = ["bitsandbytes"]',
        'cpu = ["onnxruntime"]',
        'learning = ["jax[cuda12]"]',
        'cuda12 = ["nvidia-cublas-cu12"]',
        'gpu = ["onnxruntime-gpu"]\njax-cuda = ["jax[cuda12]"]',
    ],
    ids=["other packages", "follows torch", "only for the CPU", "another name", "libraries", "not alternatives"],
)
def test_extras_that_decide_nothing_are_no_offers(tmp_path: Path, extras: str) -> None:
    assert found(written(tmp_path, f"[project.optional-dependencies]\n{extras}\n")) == ()


def test_any_name_will_do_in_a_conflict(tmp_path: Path) -> None:
    text = (
        '[project.optional-dependencies]\nnew = ["jax[cuda13]"]\nold = ["jax[cuda12]"]\ndocs = ["sphinx"]\n'
        + conflicting("new", "old", "docs")
    )
    expected = (THE_PROJECT_ITSELF, ("new", "cuda13", "extra"), ("old", "cuda12", "extra"))
    assert variants(found(written(tmp_path, text))) == expected


def test_a_conflict_about_something_else_makes_no_offers_without_torch(tmp_path: Path) -> None:
    text = '[project.optional-dependencies]\nold = ["numpy<2"]\nnew = ["numpy>=2", "jax[cuda12]"]\n'
    assert found(written(tmp_path, text + conflicting("old", "new"))) == ()


def test_extras_that_are_offers_may_be_about_different_packages_in_a_conflict(tmp_path: Path) -> None:
    text = '[project.optional-dependencies]\ngpu = ["onnxruntime-gpu"]\njax-cuda = ["jax[cuda12]"]\n'
    offered = variants(found(written(tmp_path, text + conflicting("gpu", "jax-cuda"))))
    assert offered == (THE_PROJECT_ITSELF, ("gpu", "cuda13", "extra"), ("jax-cuda", "cuda12", "extra"))


def test_an_extra_named_like_the_cpu_needs_no_packages(tmp_path: Path) -> None:
    text = 'dependencies = ["jax"]\n[project.optional-dependencies]\ncpu = []\ncuda12 = ["jax[cuda12]"]\n'
    assert variants(found(written(tmp_path, text))) == (JAX_OFFERS[2], JAX_OFFERS[0])


def test_groups_can_be_offers_without_torch(tmp_path: Path) -> None:
    text = '[dependency-groups]\ncuda12 = ["cupy-cuda12x"]\ncuda13 = ["cupy-cuda13x"]\n'
    expected = (THE_PROJECT_ITSELF, ("cuda12", "cuda12", "group"), ("cuda13", "cuda13", "group"))
    assert variants(found(written(tmp_path, text))) == expected


def test_an_alias_is_no_offer_of_its_own_without_torch(tmp_path: Path) -> None:
    assert variants(found(written(tmp_path, JAX + 'gpu = ["this[cuda13]"]\n'))) == JAX_OFFERS


def test_a_marker_decides_on_the_variant_only(tmp_path: Path) -> None:
    text = '[project.optional-dependencies]\ncuda12 = ["jax[cuda12] ; sys_platform == \'linux\'", "jax"]\n'
    project = written(tmp_path, text)
    assert variants(found(project)) == (THE_PROJECT_ITSELF, JAX_OFFERS[0])
    assert variants(found(project, MACOS)) == (THE_PROJECT_ITSELF, ("cuda12", "cpu", "extra"))


def test_torch_decides_where_extras_ask_for_both(tmp_path: Path) -> None:
    text = '[project.optional-dependencies]\ncpu = ["torch"]\ngpu = ["torch", "cupy-cuda12x"]\ncuda = ["jax[cuda12]"]\n'
    assert found(written(tmp_path, text)) == (Offer("cpu", "default"), Offer("gpu", "default"))
    assert {offer.packages for offer in found(written(tmp_path, text))} == {None}


@pytest.mark.parametrize(
    "torch",
    ['dependencies = ["torch"]\n', indexes("cu124") + '[tool.uv.sources]\ntorch = { index = "pytorch-cu124" }\n'],
    ids=["in the base", "by a source"],
)
def test_torch_decides_where_the_project_speaks_of_it(tmp_path: Path, torch: str) -> None:
    text = torch + JAX if torch.startswith("dep") else JAX + torch
    assert found(written(tmp_path, text)) == ()
