"""Projects that only say `torch`: the machine decides, says why, and is never silently left on the CPU."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from tests.acceptance.running import Workplace, pyproject, recorded

H100 = "linux-x86_64-2xh100-driver535-cu126"
RTX5090 = "linux-x86_64-rtx5090-driver580-cu130"
WITHOUT_DRIVER = "linux-x86_64-rtx4090-without-driver-cpu"
WITHOUT_GPU = "linux-x86_64-laptop-intel-graphics-cpu"
UNREACHABLE = "http://127.0.0.1:9/simple"


def on(machine: str, workplace: Workplace, folder: Path) -> Workplace:
    return workplace.with_variables(TORCHSTRAP_MACHINE=str(recorded(machine, folder)))


def torch_of(workplace: Workplace) -> str:
    """What the installed torch says of itself."""
    done = subprocess.run(
        [workplace.python, "-I", "-c", "import torch; print(torch.__version__)"],
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.strip()


@pytest.mark.parametrize(
    ("machine", "variant"),
    [(WITHOUT_GPU, "cpu"), (H100, "cu126"), (RTX5090, "cu130"), (WITHOUT_DRIVER, "cpu")],
    ids=["no GPU", "H100", "RTX 5090", "no driver"],
)
def test_the_machine_decides(workplace: Workplace, tmp_path: Path, machine: str, variant: str) -> None:
    place = on(machine, workplace, tmp_path)
    place.write(pyproject("torch" if machine == H100 else "torch==2.9.0"))
    outcome = place.sync()
    assert outcome["choice"]["variant"] == variant
    assert outcome["choice"]["reason"]
    assert torch_of(place) == f"2.9.0+{variant}"
    index = next(each["index"] for each in outcome["packages"] if each["name"] == "torch")
    assert index == f"https://download.pytorch.org/whl/{variant}"
    assert bool(variant == "cpu") != any(each["name"].startswith("nvidia-") for each in outcome["packages"])


def test_the_choice_names_the_version_that_is_installed(workplace: Workplace, tmp_path: Path) -> None:
    """The tables know newer releases than the index has; what counts is what was locked."""
    place = on(H100, workplace, tmp_path)
    place.write(pyproject("torch"))
    outcome = place.sync()
    (installed,) = (each["version"] for each in outcome["packages"] if each["name"] == "torch")
    assert outcome["choice"]["torch"] in (installed, installed.partition("+")[0])
    assert installed.partition("+")[0] in outcome["choice"]["reason"]


def test_torch_that_only_others_ask_for_is_of_the_variant_too(workplace: Workplace, tmp_path: Path) -> None:
    place = on(H100, workplace, tmp_path)
    place.write(pyproject("accelerate"))
    outcome = place.sync()
    assert outcome["choice"]["variant"] == "cu126"
    assert torch_of(place).endswith("+cu126")


def test_a_variant_that_was_asked_for_wins_over_the_machine(workplace: Workplace, tmp_path: Path) -> None:
    place = on(H100, workplace, tmp_path)
    place.write(pyproject("torch"))
    assert place.sync("--variant", "cpu")["choice"]["reason"] == "it was asked for"
    assert torch_of(place) == "2.9.0+cpu"
    assert place.sync()["choice"]["variant"] == "cu126"
    assert torch_of(place) == "2.9.0+cu126"


def test_a_variant_that_this_machine_cannot_use_is_taken_with_a_warning(workplace: Workplace, tmp_path: Path) -> None:
    place = on(WITHOUT_GPU, workplace, tmp_path)
    place.write(pyproject("torch==2.9.0"))
    done = place.run("sync", "-q", "--variant", "cu130")
    assert done.returncode == 0, done.stderr
    assert "warning: taken because it was asked for, but cu130: no NVIDIA GPU was found" in done.stderr
    assert torch_of(place) == "2.9.0+cu130"


def test_a_gpu_that_is_not_used_is_said_loudly_with_what_would_change_it(workplace: Workplace, tmp_path: Path) -> None:
    place = on(WITHOUT_DRIVER, workplace, tmp_path)
    place.write(pyproject("torch==2.9.0"))
    done = place.run("sync", "-q", "--json")
    assert done.returncode == 0, done.stderr
    (warning,) = json.loads(done.stdout)["warnings"]
    for words in ("NVIDIA PCI device 10de:2684", "cpu will compute on the CPU", "no driver is loaded", "would allow"):
        assert words in warning
    assert done.stderr == f"warning: {warning}\n"


def test_a_project_without_torch_warns_of_nothing(workplace: Workplace, tmp_path: Path) -> None:
    place = on(WITHOUT_DRIVER, workplace, tmp_path)
    place.write(pyproject("typing-extensions"))
    outcome = place.sync()
    assert outcome["warnings"] == []


def test_require_gpu_where_there_is_one(workplace: Workplace, tmp_path: Path) -> None:
    place = on(RTX5090, workplace, tmp_path)
    place.write(pyproject("torch==2.9.0"))
    assert place.sync("--require", "gpu")["choice"]["variant"] == "cu130"


@pytest.mark.parametrize("more", [(), ("--variant", "cpu")], ids=["chosen", "asked for"])
def test_require_gpu_where_it_would_end_on_the_cpu(workplace: Workplace, tmp_path: Path, more: tuple[str, ...]) -> None:
    place = on(WITHOUT_DRIVER, workplace, tmp_path)
    place.write(pyproject("torch==2.9.0"))
    done = place.run("sync", "--require", "gpu", *more)
    assert done.returncode == 1
    assert "a gpu is required" in done.stderr
    assert [each.name for each in place.folder.iterdir()] == ["pyproject.toml"]


def test_require_gpu_refuses_a_cuda_build_that_no_gpu_here_can_use(workplace: Workplace, tmp_path: Path) -> None:
    place = on(WITHOUT_GPU, workplace, tmp_path)
    place.write(pyproject("torch==2.9.0"))
    assert place.run("sync", "--require", "gpu", "--variant", "cu130").returncode == 1


def test_a_pinned_local_version_settles_the_variant(workplace: Workplace, tmp_path: Path) -> None:
    place = on(RTX5090, workplace, tmp_path)
    place.write(pyproject("torch==2.9.0+cpu"))
    assert place.sync()["choice"]["variant"] == "cpu"
    assert torch_of(place) == "2.9.0+cpu"


def test_a_hidden_gpu_is_not_used(workplace: Workplace, tmp_path: Path) -> None:
    """CUDA_VISIBLE_DEVICES is what jobs on shared machines get."""
    place = on(H100, workplace, tmp_path)
    machine = tmp_path / f"{H100}.json"
    document = json.loads(machine.read_text())
    document["gpus"] = [{**gpu, "visible": False} for gpu in document["gpus"]]
    machine.write_text(json.dumps(document))
    place.write(pyproject("torch==2.9.0"))
    done = place.run("choose", "--json")
    choice = json.loads(done.stdout)
    assert choice["variant"] == "cpu" or "hidden" in done.stderr + choice["reason"]


# --- choose


def test_choose_needs_no_network_and_tells_every_reason(workplace: Workplace, tmp_path: Path) -> None:
    place = workplace.with_variables(TORCHSTRAP_INDEX_URL=UNREACHABLE, TORCHSTRAP_MIRRORS="")
    place.write(pyproject("torch"))
    machine = str(recorded(H100, tmp_path))
    before = len(workplace.replica.requests)
    said, document = place.run("choose", "--machine", machine), place.run("choose", "--machine", machine, "--json")
    assert (said.returncode, document.returncode, said.stderr) == (0, 0, "")
    choice = json.loads(document.stdout)
    assert choice["offer"] == choice["variant"] == "cu126"
    assert said.stdout.startswith(f"cu126 (cu126): {choice['reason']}\n")
    assert {each["offer"] for each in choice["rejected"]} > {"cpu", "cu130"}
    assert all(each["reason"] for each in choice["rejected"])
    lines = said.stdout.splitlines()[1:]
    assert [line for line in lines if line.startswith("  not ")] == [
        f"  not {each['offer']}: {each['reason']}" for each in choice["rejected"]
    ]
    assert [line for line in lines if line.startswith("  to change it: ")] == [
        f"  to change it: {each}" for each in choice["changes"]
    ]
    assert "NVIDIA driver 580 or newer would allow cu132" in choice["changes"][0]
    assert len(workplace.replica.requests) == before


def test_choose_and_sync_tell_the_same(workplace: Workplace, tmp_path: Path) -> None:
    place = on(RTX5090, workplace, tmp_path)
    place.write(pyproject("torch==2.9.0"))
    assert json.loads(place.run("choose", "--json").stdout) == place.sync()["choice"]


def test_choose_warns_of_a_gpu_that_is_not_used_also_as_json(workplace: Workplace, tmp_path: Path) -> None:
    place = on(WITHOUT_DRIVER, workplace, tmp_path)
    place.write(pyproject("torch==2.9.0"))
    done = place.run("choose", "--json")
    assert json.loads(done.stdout)["offer"] == "cpu"
    assert "warning: this machine has NVIDIA PCI device 10de:2684" in done.stderr


@pytest.mark.parametrize(
    ("name", "content", "code", "words"),
    [
        ("--machine", None, 65, "machine.json"),
        ("--machine", "{}", 65, "machine.json"),
        ("--machine", "no json", 65, "machine.json"),
        ("TORCHSTRAP_MACHINE", None, 78, "machine.json"),
        ("TORCHSTRAP_MACHINE", '{"schema": "another/1"}', 78, "machine.json"),
    ],
)
def test_a_machine_that_is_none(workplace: Workplace, name: str, content: str | None, code: int, words: str) -> None:
    machine = workplace.folder / "machine.json"
    if content is not None:
        machine.write_text(content)
    workplace.write(pyproject("torch"))
    place = workplace.with_variables(**({name: str(machine)} if name.isupper() else {}))
    done = place.run("choose", *(() if name.isupper() else (name, str(machine))))
    assert done.returncode == code, done.stderr
    assert words in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""
    if name.isupper():
        assert place.run("sync").returncode == code


def test_no_offer_at_all_names_why_not_for_each(workplace: Workplace, tmp_path: Path) -> None:
    place = on("linux-x86_64-alpine-none", workplace, tmp_path)
    place.write(pyproject("torch==2.9.0"))
    done = place.run("choose")
    assert done.returncode == 1
    assert "musl" in done.stderr
    assert "--variant" in done.stderr
