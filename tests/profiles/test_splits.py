"""Packages other than torch that come once per accelerator: the table, the verdicts, and what does not go together."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pytest
from packaging.requirements import Requirement
from packaging.version import Version

from probes import Cpu, Gpu, Libc, Machine, NvidiaDriver, System, Unknown
from profiles import Offer, accelerates, choose, why_not
from profiles.clashes import clashes
from profiles.loading import Sheet, TableError
from profiles.question import Question
from profiles.split_verdicts import judge_split, split_verdict
from profiles.splits import Split, instead_of, read_splits, split_of, splits
from profiles.tables import tables
from profiles.wanted import ALL

VERSIONS = {"linux": "ubuntu 24.04", "windows": "10.0.22631", "macos": "15.1"}


def gpu(word: str) -> Gpu | None:
    """`9.0` is one of NVIDIA, `gfx942` one of AMD."""
    if word.startswith("gfx"):
        return Gpu("amd", "Instinct", "KFD", target=word)
    if word == "arc":
        return Gpu("intel", "Arc B580", "the PCI bus")
    if word == "unread":
        return Gpu("nvidia", "GPU", "NVML", compute_capability=Unknown("no answer"))
    major, dot, minor = word.partition(".")
    if not dot or "." in minor or not major.isdecimal():
        return None
    return Gpu("nvidia", f"GPU {word}", "NVML", compute_capability=(int(major), int(minor)))


def machine(described: str) -> Machine:
    """A machine in a few words: `580.95.05 9.0 12.0`, `windows 581.29 8.9`, `aarch64 580.95.05 8.7`, `gfx942`, `tpu`.

    The first number is the driver's, those with one digit before the dot and after it are GPUs.
    """
    words = described.split()
    os = next((word for word in words if word in VERSIONS), "linux")
    numbered = [word for word in words if word[0].isdecimal()]
    driver = numbered[0] if numbered and len(numbered[0].partition(".")[0]) == 3 else None
    gpus = (gpu(word) for word in words if word != driver)
    glibc = next((word.removeprefix("glibc") for word in words if word.startswith("glibc")), "2.39")
    libc = Libc("musl", "1.2.5", "the test") if "musl" in words else Libc("glibc", glibc, "the test")
    return Machine(
        System(
            os,
            VERSIONS[os],
            "5.15.167.4-microsoft-standard-WSL2" if "wsl" in words else "6.8.0",
            next((word for word in words if word in {"aarch64", "arm64"}), "x86_64"),
            "the test",
        ),
        libc if os == "linux" else None,
        Cpu("GenuineIntel", "i7", frozenset(), "x86-64-v3", "/proc/cpuinfo"),
        NvidiaDriver(driver, "/proc/driver/nvidia/version") if driver else None,
        tuple(each for each in gpus if each is not None),
        notes=("4 x Google TPU v5e on the bus: served by torch-xla",) if "tpu" in words else (),
    )


def split(requirement: str) -> Split:
    parsed = Requirement(requirement)
    found = split_of(parsed.name, parsed.extras, parsed.specifier)
    assert found is not None, f"no row is about {requirement}"
    return found


USES = ""
H100_535, H100_580 = "535.129.03 9.0", "580.95.05 9.0"

CASES: tuple[tuple[str, str, str], ...] = (
    # machine, requirement, what the sentence says (nothing: it uses the GPU)
    (H100_535, "jax[cuda12]", USES),
    ("525.60.13 8.0", "jax[cuda12]", USES),
    ("525.60.12 8.0", "jax[cuda12]", "jax[cuda12] needs NVIDIA driver 525.60.13 or newer; this machine has 525.60.12"),
    (H100_535, "jax[cuda13]", "needs NVIDIA driver 580 or newer; this machine has 535.129.03 (read from /proc/driver"),
    (H100_580, "jax[cuda13]", USES),
    (H100_580, "jax[cuda12]", USES),
    ("580.95.05 6.1", "jax[cuda12]", USES),
    ("580.95.05 5.2", "jax[cuda12]", USES),
    ("580.95.05 5.0", "jax[cuda12]", "needs compute capability 5.2 or higher; this machine has GPU 5.0"),
    ("580.95.05 6.1", "jax[cuda13]", "jax[cuda13] needs compute capability 7.5 or higher; this machine has GPU 6.1"),
    ("580.95.05 7.0", "jax[cuda13]", "needs compute capability 7.5"),
    ("580.95.05 7.5", "jax[cuda13]", USES),
    ("580.95.05 6.1 8.9", "jax[cuda13]", USES),
    ("580.95.05 unread", "jax[cuda13]", USES),
    ("", "jax[cuda13]", "no NVIDIA GPU was found"),
    ("580.95.05", "jax[cuda13]", "no NVIDIA GPU can be opened, though there is driver 580.95.05"),
    ("9.0", "jax[cuda13]", "no driver is loaded for GPU 9.0"),
    (
        "windows 581.29 8.9",
        "jax[cuda12]",
        "jax[cuda12] is published for linux_aarch64 and linux_x86_64, not for windows",
    ),
    ("wsl 581.29 8.9", "jax[cuda13]", USES),
    ("wsl 528.02 8.6", "jax[cuda12]", "needs NVIDIA driver 528.33 or newer; this machine has 528.02"),
    ("aarch64 580.95.05 9.0", "jax[cuda13]", USES),
    ("aarch64 580.95.05 8.7", "jax[cuda12]", "boards of this kind need builds of their own"),
    ("aarch64 580.95.05 11.0", "jax[cuda13]", USES),
    ("macos arm64", "jax[cuda12]", "not for macos_arm64"),
    ("musl 580.95.05 9.0", "jax[cuda12]", "published for glibc only; this machine has musl (read from the test)"),
    (H100_580, "jax", "it is for the CPU"),
    ("gfx942", "jax[rocm7-local]", USES),
    (H100_580, "jax[rocm7-local]", "no AMD GPU was found"),
    ("tpu", "jax[tpu]", USES),
    (H100_580, "jax[tpu]", "no TPU was found on the bus"),
    (H100_535, "jax-cuda13-plugin", "needs NVIDIA driver 580"),
    (H100_535, "jax-cuda12-pjrt", USES),
    (H100_580, "onnxruntime-gpu", USES),
    (H100_535, "onnxruntime-gpu", "onnxruntime-gpu needs NVIDIA driver 580 or newer"),
    (H100_535, "onnxruntime-gpu<1.31", USES),
    (H100_535, "onnxruntime-gpu==1.31.1", "needs NVIDIA driver 580"),
    ("470.256.02 8.0", "onnxruntime-gpu==1.18.1", USES),
    ("470.256.02 8.0", "onnxruntime-gpu==1.20.0", "needs NVIDIA driver 525.60.13"),
    ("windows 581.29 8.9", "onnxruntime-gpu", USES),
    ("windows 551.86 8.9", "onnxruntime-gpu", "needs NVIDIA driver 580"),
    ("macos arm64", "onnxruntime-gpu", "is published for linux_x86_64 and windows_x86_64, not for macos_arm64"),
    ("windows 551.86 8.9", "onnxruntime-directml", USES),
    ("windows", "onnxruntime-directml", "no GPU was found"),
    (H100_580, "onnxruntime-directml", "published for windows_x86_64, not for linux_x86_64"),
    ("arc", "onnxruntime-openvino", USES),
    (H100_580, "onnxruntime-openvino", "no Intel GPU was found"),
    (H100_580, "onnxruntime", "it is for the CPU"),
    ("450.80.02 8.0", "cupy-cuda11x", USES),
    ("450.80.01 8.0", "cupy-cuda11x", "needs NVIDIA driver 450.80.02"),
    (H100_535, "cupy-cuda12x", USES),
    ("470.256.02 8.0", "cupy-cuda12x", "needs NVIDIA driver 525.60.13"),
    (H100_535, "cupy-cuda13x", "needs NVIDIA driver 580"),
    ("windows 528.33 8.6", "cupy-cuda12x", USES),
    ("gfx1030", "cupy-rocm-5-0", USES),
    ("gfx1030", "cupy-cuda12x", "no NVIDIA GPU was found"),
    (H100_535, "faiss-gpu", USES),
    ("470.256.02 8.0", "faiss-gpu", "needs NVIDIA driver 525.60.13"),
    ("470.256.02 8.0", "faiss-gpu-cu11", USES),
    ("windows 581.29 8.9", "faiss-gpu-cu12", "not for windows_x86_64"),
    (H100_580, "faiss-cpu", "it is for the CPU"),
    (H100_535, "cudf-cu12", USES),
    ("530.30.02 8.0", "cudf-cu12", "cudf-cu12 needs NVIDIA driver 535 or newer; this machine has 530.30.02"),
    ("530.30.02 8.0", "jax[cuda12]", USES),
    ("580.95.05 6.1", "cuml-cu12", "needs compute capability 7.0"),
    ("580.95.05 7.0", "cuml-cu12", USES),
    ("580.95.05 7.0", "cuml-cu13", "needs compute capability 7.5"),
    ("575.51.03 8.9", "rmm-cu13", "needs NVIDIA driver 580"),
    ("580.95.05 12.0", "nx-cugraph-cu13", USES),
    ("glibc2.27 580.95.05 9.0", "cudf-cu13", "needs glibc 2.28 or newer; this machine has 2.27 (read from the test)"),
    ("windows 581.29 8.9", "cudf-cu12", "not for windows_x86_64"),
    ("wsl 581.29 8.9", "cudf-cu12", USES),
    (H100_535, "tensorflow[and-cuda]", USES),
    ("520.61.05 8.0", "tensorflow[and-cuda]", "tensorflow[and-cuda] needs NVIDIA driver 525.60.13"),
    (H100_580, "tensorflow", "it is for the CPU"),
    ("windows 581.29 8.9", "tensorflow[and-cuda]", "not for windows_x86_64"),
    (H100_580, "vllm", USES),
    (H100_535, "vllm", "vllm needs NVIDIA driver 580"),
    (H100_535, "vllm<=0.21", USES),
    (H100_535, "vllm==0.33.0+cu129", USES),
    ("580.95.05 7.0", "vllm", "needs compute capability 7.5"),
    (H100_535, "paddlepaddle-gpu==2.6.2.post120", USES),
    ("470.256.02 8.0", "paddlepaddle-gpu==2.6.2.post120", "needs NVIDIA driver 525.60.13"),
    ("470.256.02 8.0", "paddlepaddle-gpu==2.6.2.post116", USES),
    (H100_580, "paddlepaddle-gpu", "the driver that this version of paddlepaddle-gpu needs is not known here"),
    (H100_535, "flash-attn", USES),
    ("580.95.05 7.5", "flash-attn", "flash-attn needs compute capability 8.0 or higher; this machine has GPU 7.5"),
    ("580.95.05 7.5 8.0", "flash-attn", USES),
    (H100_535, "bitsandbytes", USES),
    ("580.95.05 5.2", "bitsandbytes", "needs compute capability 6.0"),
    ("", "bitsandbytes", USES),
    ("", "xformers", USES),
)


@pytest.mark.parametrize(
    ("found", "requirement", "fragment"),
    CASES,
    ids=[f"{requirement} on {found or 'no GPU'}" for found, requirement, _ in CASES],
)
def test_verdict(found: str, requirement: str, fragment: str) -> None:
    sentence = judge_split(split(requirement), machine(found), "3.12", tables())
    if fragment:
        assert fragment in (sentence or "")
    else:
        assert sentence is None


def test_the_oldest_python_counts() -> None:
    onnxruntime = split("onnxruntime-gpu")
    assert judge_split(onnxruntime, machine(H100_580), "3.11", tables()) is None
    sentence = judge_split(onnxruntime, machine(H100_580), "3.10", tables())
    assert sentence == "onnxruntime-gpu is built for Python 3.11 and newer, not for 3.10"
    assert judge_split(onnxruntime, machine(H100_580), "newest", tables()) == "'newest' is no Python version"


@pytest.mark.parametrize(
    ("requirement", "variant"),
    [
        ("jax[cuda12]", "cuda12"),
        ("JAX[CUDA13]>=0.6", "cuda13"),
        ("jax[k8s,cuda12_local]", "cuda12"),
        ("jax[k8s]", "cpu"),
        ("jax[rocm7-local]", "rocm"),
        ("jax[tpu]", "tpu"),
        ("onnxruntime_gpu", "cuda13"),
        ("onnxruntime-gpu>=1.20", "cuda13"),
        ("onnxruntime-gpu~=1.30.0", "cuda12"),
        ("onnxruntime-gpu>1.20,<1.25", "cuda12"),
        ("onnxruntime-gpu==1.18.*", "cuda11"),
        ("onnxruntime-gpu===1.31.1", "cuda13"),
        ("cupy-cuda13x==14.*", "cuda13"),
        ("cudf-cu12~=25.10", "cuda12"),
        ("vllm==0.33.0", "cuda13"),
        ("vllm==0.20.0+cu118", "cuda11"),
        ("paddlepaddle-gpu", "cuda"),
        ("paddlepaddle-gpu==2.6.2.post117", "cuda11"),
        ("paddlepaddle-gpu==3.0.0.post1", "cuda"),
        ("flash-attn", "torch"),
        ("xformers==0.0.35", "torch"),
        ("nvidia-cudnn-cu12", "libraries"),
    ],
)
def test_what_a_requirement_stands_for(requirement: str, variant: str) -> None:
    assert split(requirement).variant == variant


@pytest.mark.parametrize("requirement", ["torch", "numpy", "cupy", "jaxlib", "faiss-gpu<1.8", "nvidia-ml-py", "cudf"])
def test_what_is_not_split(requirement: str) -> None:
    parsed = Requirement(requirement)
    assert split_of(parsed.name, parsed.extras, parsed.specifier) is None


def test_a_file_for_one_torch_says_so() -> None:
    found = split("flash-attn==2.8.3+cu12torch2.8cxx11abiTRUE")
    assert (found.cuda, found.torch) == (12, "2.8")
    assert split_of("flash-attn", version=Version("2.8.3")) == split("flash-attn==2.8.3")


# --- offers


def verdict(found: str, *packages: str) -> tuple[str | None, str | None, int]:
    question = Question(machine(found), "3.12", None, tables(), ALL)
    answer = split_verdict(Offer("some", "cuda12", packages=packages), question)
    return answer.obstacle, answer.use.idle, len(answer.use.covered)


def test_every_package_of_an_offer_has_to_run() -> None:
    assert verdict("530.30.02 8.0", "jax[cuda12]", "cupy-cuda12x") == (None, None, 1)
    _, idle, _ = verdict("530.30.02 8.0", "jax[cuda12]", "cudf-cu12")
    assert idle is not None
    assert idle.startswith("cudf-cu12 needs NVIDIA driver 535")


def test_a_gpu_works_if_it_works_for_all_packages() -> None:
    assert verdict("580.95.05 6.1 8.9", "jax[cuda12]", "cuml-cu12") == (None, None, 1)


def test_what_would_end_the_idleness_is_the_newest_driver_that_is_needed() -> None:
    question = Question(machine("520.61.05 8.0"), "3.12", None, tables(), ALL)
    answer = split_verdict(Offer("some", "cuda12", packages=("jax[cuda12]", "cudf-cu12")), question)
    assert answer.use.driver == "535"


def test_packages_for_the_cpu_do_not_keep_others_from_the_gpu() -> None:
    assert verdict(H100_580, "jax", "cupy-cuda13x") == (None, None, 1)
    assert verdict(H100_580, "jax") == verdict(H100_580) == (None, "it is for the CPU", 0)


def test_an_offer_that_cannot_be_installed_says_so() -> None:
    obstacle, _, _ = verdict("windows 581.29 8.9", "cupy-cuda12x", "jax[cuda12]")
    assert obstacle is not None
    assert obstacle.startswith("jax[cuda12] is published for")


def test_what_is_assumed_is_said() -> None:
    question = Question(machine(H100_580), "3.12", None, tables(), ALL)
    answer = split_verdict(Offer("some", "cuda13", packages=("vllm",)), question)
    assert (answer.assumed or "").startswith("vllm: ")
    assert split_verdict(Offer("some", "cuda13", packages=("jax[cuda13]",)), question).assumed is None


JAX = tuple(
    Offer(extra, variant, packages=packages)
    for extra, variant, packages in (
        ("cuda12", "cuda12", ("jax[cuda12]",)),
        ("cuda13", "cuda13", ("jax[cuda13]",)),
        ("cloud", "tpu", ("jax[tpu]",)),
        ("amd", "rocm", ("jax[rocm7-local]",)),
        ("cpu", "cpu", ("jax",)),
    )
)


@pytest.mark.parametrize(
    ("found", "taken"),
    [
        (H100_535, "cuda12"),
        (H100_580, "cuda13"),
        ("580.95.05 6.1", "cuda12"),
        ("580.95.05 6.1 8.9", "cuda12"),
        ("470.256.02 8.0", "cpu"),
        ("windows 581.29 8.9", "cpu"),
        ("musl 580.95.05 9.0", "cpu"),
        ("gfx942", "amd"),
        ("tpu", "cloud"),
        ("macos arm64", "cpu"),
        ("", "cpu"),
    ],
)
def test_takes_the_build_that_uses_the_machine(found: str, taken: str) -> None:
    choice = choose(JAX, machine(found))
    assert (choice.offer.name, choice.torch) == (taken, None)
    assert accelerates(choice.offer, machine(found)) == (taken != "cpu")
    assert {each.offer for each in choice.rejected} == {offer.name for offer in JAX} - {taken}
    assert "torch" not in " ".join((choice.reason, *(each.reason for each in choice.rejected), *choice.warnings))
    assert choose(tuple(reversed(JAX)), machine(found)).offer == choice.offer


def test_the_reason_names_packages_and_the_machine() -> None:
    assert choose(JAX, machine(H100_535)).reason == (
        "jax[cuda12] with cuda12 runs on GPU 9.0 (compute capability 9.0, read from NVML) "
        "with NVIDIA driver 535.129.03 (read from /proc/driver/nvidia/version)"
    )
    assert choose(JAX, machine("tpu")).reason == "jax[tpu] runs on the TPU of this machine"
    assert why_not(JAX[1], machine(H100_535)).startswith("cuda13: jax[cuda13] needs NVIDIA driver 580 or newer")


def test_says_what_would_end_the_idleness() -> None:
    (warning,) = choose(JAX, machine("470.256.02 8.0")).warnings
    assert "cpu will compute on the CPU" in warning
    assert "NVIDIA driver 525.60.13 or newer would allow cuda12 with jax[cuda12]" in warning
    (hopeless,) = choose(JAX, machine("windows 581.29 8.9")).warnings
    assert hopeless.endswith("no offer supports it")


def test_the_project_itself_is_for_the_cpu() -> None:
    plain = Offer("cpu", "cpu", kind="variant", packages=())
    gpu = Offer("gpu", "cuda12", packages=("cupy-cuda12x",))
    assert choose((plain, gpu), machine("")).offer == plain
    assert choose((plain, gpu), machine(H100_535)).offer == gpu


# --- what does not go together

CU130 = ("torch", "2.9.0+cu130")

CLASHES: Mapping[str, tuple[str, tuple[tuple[str, str], ...], tuple[str, ...]]] = {
    # name: variant, packages, what the one sentence says
    "torch cu130 and cupy for 12": (
        "cu130",
        (CU130, ("cupy-cuda12x", "13.6.0")),
        ("torch 2.9.0+cu130 is for CUDA 13", "cupy-cuda12x 13.6.0 is for CUDA 12", "; cupy-cuda13x is for CUDA 13"),
    ),
    "jax for 12 and torch cu130": (
        "cu130",
        (("jax", "0.8.0"), ("jax-cuda12-plugin", "0.8.0"), ("jax-cuda12-pjrt", "0.8.0"), CU130),
        (
            "torch 2.9.0+cu130",
            "jax-cuda12-pjrt 0.8.0 and jax-cuda12-plugin 0.8.0 are for CUDA 12",
            "jax[cuda13] is for",
        ),
    ),
    "onnxruntime and torch cu126": (
        "cu126",
        (("torch", "2.14.1+cu126"), ("onnxruntime-gpu", "1.31.1")),
        ("torch 2.14.1+cu126 is for CUDA 12", "onnxruntime-gpu 1.31.1 is for CUDA 13", "<1.31,>=1.19 is for CUDA 12"),
    ),
    "the variant tells torch's build": (
        "cu130",
        (("torch", "2.9.0"), ("cupy-cuda12x", "13.6.0")),
        ("torch 2.9.0 is for CUDA 13",),
    ),
    "the default index's torch": (
        "default",
        (("torch", "2.15.0"), ("nvidia-cublas", "13.2"), ("cupy-cuda12x", "13.6.0")),
        ("torch 2.15.0 is for CUDA 13", "cupy-cuda12x"),
    ),
    "a torch beyond the tables": (
        "default",
        (("torch", "99.0"), ("cuda-toolkit", "13.2.2"), ("cupy-cuda12x", "13.6.0")),
        ("torch 99.0 is for CUDA 13",),
    ),
    "an older torch from the default index": (
        "cuda13",
        (("torch", "2.10.0"), ("nvidia-cublas-cu12", "12.8"), ("cupy-cuda13x", "14.0")),
        ("torch 2.10.0 is for CUDA 12", "cupy-cuda13x 14.0 is for CUDA 13"),
    ),
    "rocm and cuda": (
        "rocm6.4",
        (("torch", "2.9.0+rocm6.4"), ("cupy-cuda12x", "13.6.0")),
        ("torch 2.9.0+rocm6.4 is for ROCm", "cupy-cuda12x 13.6.0 is for CUDA 12", "an environment for each"),
    ),
    "cuda and rocm": (
        "cu130",
        (CU130, ("jax-rocm7-plugin", "0.8.0")),
        ("torch 2.9.0+cu130 is for CUDA 13", "jax-rocm7-plugin 0.8.0 is for ROCm"),
    ),
    "without torch": (
        "cuda12",
        (("jax-cuda12-plugin", "0.8.0"), ("cupy-cuda13x", "14.0")),
        ("cupy-cuda13x 14.0 is for CUDA 13", "jax-cuda12-plugin 0.8.0 is for CUDA 12"),
    ),
    "libraries that tensorflow[and-cuda] asks for": (
        "cu130",
        (CU130, ("tensorflow", "2.21.0"), ("nvidia-cublas-cu12", "12.5"), ("nvidia-cudnn-cu12", "9.3")),
        ("torch 2.9.0+cu130 is for CUDA 13", "nvidia-cublas-cu12 12.5 and nvidia-cudnn-cu12 9.3 are for CUDA 12"),
    ),
    "many packages of one kind": (
        "cu130",
        (CU130, *((f"{name}-cu12", "25.10") for name in ("cudf", "cuml", "rmm", "pylibraft", "cugraph"))),
        ("cudf-cu12 25.10, cugraph-cu12 25.10, cuml-cu12 25.10 and 2 more are for CUDA 12", "; cudf-cu13 is for"),
    ),
    "flash-attn of another CUDA": (
        "cu130",
        (CU130, ("flash-attn", "2.8.3+cu12torch2.9cxx11abiTRUE")),
        ("flash-attn 2.8.3+cu12torch2.9cxx11abitrue is for CUDA 12",),
    ),
    "flash-attn for another torch": (
        "cu126",
        (("torch", "2.9.0+cu126"), ("flash-attn", "2.8.3+cu12torch2.8cxx11abiTRUE")),
        ("was compiled for torch 2.8, but torch 2.9.0+cu126 is installed",),
    ),
    "two onnxruntimes": (
        "cpu",
        (("onnxruntime", "1.31.1"), ("onnxruntime-gpu", "1.31.1")),
        ("onnxruntime 1.31.1 and onnxruntime-gpu 1.31.1 install the same files (onnxruntime)", "keep only one"),
    ),
    "two faiss": ("cpu", (("faiss-cpu", "1.15.1"), ("faiss-gpu", "1.15.1")), ("install the same files (faiss)",)),
    "any spelling": ("cu130", (CU130, ("CuPy_CUDA12x", "13.6.0")), ("cupy-cuda12x 13.6.0 is for CUDA 12",)),
}


@pytest.mark.parametrize(("variant", "packages", "fragments"), CLASHES.values(), ids=CLASHES)
def test_clash(variant: str, packages: tuple[tuple[str, str], ...], fragments: tuple[str, ...]) -> None:
    (sentence,) = clashes(variant, packages)
    assert all(fragment in sentence for fragment in fragments), sentence
    assert clashes(variant, reversed(packages)) == (sentence,)


def test_two_cupys_clash_twice() -> None:
    files, majors = sorted(clashes("cpu", [("cupy-cuda11x", "13.6.0"), ("cupy-cuda12x", "13.6.0")]))
    assert "install the same files (cupy, cupyx)" in majors + files
    assert "cupy-cuda11x 13.6.0 is for CUDA 11, but cupy-cuda12x 13.6.0 is for CUDA 12" in majors + files


@pytest.mark.parametrize(
    ("variant", "packages"),
    [
        ("cu130", (CU130, ("cupy-cuda13x", "14.0"), ("jax-cuda13-plugin", "0.8.0"), ("nvidia-cublas", "13.0"))),
        ("cu126", (("torch", "2.9.0+cu126"), ("cudf-cu12", "25.10"), ("nvidia-cublas-cu12", "12.6"))),
        ("cpu", (("torch", "2.9.0+cpu"), ("cupy-cuda12x", "13.6.0"))),
        ("xpu", (("torch", "2.9.0+xpu"), ("onnxruntime", "1.31.1"))),
        ("default", (("torch", "2.15.0"), ("cupy-cuda12x", "13.6.0"))),
        ("cuda12", (("jax", "0.8.0"), ("jax-cuda12-plugin", "0.8.0"), ("nvidia-cublas-cu12", "12.9"))),
        ("cu130", (CU130, ("bitsandbytes", "0.49.0"), ("xformers", "0.0.35"), ("tensorflow", "2.21.0"))),
        ("cu130", (CU130, ("flash-attn", "2.8.3"), ("numpy", "no version"))),
        ("cu130", ()),
    ],
    ids=["all 13", "all 12", "torch for CPU", "xpu", "default on Windows", "jax", "as torch", "plain", "nothing"],
)
def test_what_goes_together(variant: str, packages: tuple[tuple[str, str], ...]) -> None:
    assert clashes(variant, packages) == ()


# --- the table


def test_every_cuda_of_a_row_has_a_driver() -> None:
    for row in splits():
        if row.cuda is not None and row.accelerator == "cuda":
            assert {tables().oldest_driver(row.cuda, system) for system in ("linux", "windows")}.isdisjoint({None})


def test_no_row_for_cuda_13_admits_what_cuda_13_gave_up() -> None:
    for row in splits():
        if row.accelerator == "cuda" and row.cuda == 13:
            assert row.capability is not None, row.name
            assert row.capability >= (7, 5), row.name


def test_every_row_is_reached() -> None:
    for row in splits():
        extras = () if row.extra is None else (row.extra,)
        found = split_of(row.name.replace("*", "9"), extras, row.versions)
        assert found is not None
        assert replace(found, name=row.name) == row


def test_rows_of_one_package_have_the_newest_versions_first() -> None:
    for row in splits():
        if str(row.versions):
            newest = split_of(row.name)
            assert newest is not None
            assert newest.versions.contains("999999")


def test_only_builds_of_one_product_share_their_files() -> None:
    owners: dict[str, set[str]] = {}
    for row in splits():
        for name in row.imports:
            owners.setdefault(name, set()).add(row.product)
    assert {name: products for name, products in owners.items() if len(products) > 1} == {}


def test_names_the_build_for_another_cuda() -> None:
    assert instead_of(split("cupy-cuda12x"), 13) == "cupy-cuda13x"
    assert instead_of(split("jax-cuda12-plugin"), 13) == "jax[cuda13]"
    assert instead_of(split("rmm-cu13"), 12) == "rmm-cu12"
    assert instead_of(split("cuspatial-cu12"), 13) is None


ROW = """
[[split]]
product = "x"
names = ["x-gpu"]
accelerator = "cuda"
cuda = 12
source = "the test"
"""


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ('"cuda"', '"cuda12"', "accelerator is 'cuda12', but must be one of cpu, cuda, rocm"),
        ('source = "the test"', "", "needs the key 'source'"),
        ('product = "x"', "", "needs the key 'product', or 'suffix'"),
        ("cuda = 12", "", "needs the key 'cuda', or 'label'"),
        ("cuda = 12", 'cuda = "12"', "cuda is '12', but must be a major version of CUDA"),
        ('["x-gpu"]', "[]", "names is [], but must be a list of normalized names"),
        ('["x-gpu"]', '["X_gpu"]', "names is ['X_gpu'], but must be a list of normalized names"),
        ("cuda = 12", 'cuda = 12\nplatform = ["linux_x86_64"]', "has no key 'platform'; is it 'platforms'?"),
        ("cuda = 12", 'cuda = 12\nplatforms = ["linux"]', "but must be a list of platforms"),
        ("cuda = 12", 'cuda = 12\nversions = "newest"', "but must be a range of releases"),
        ("cuda = 12", 'cuda = 12\npython = "three"', "but must be the oldest Python"),
        ("cuda = 12", 'cuda = 12\ncapability = "high"', "but must be a compute capability"),
        ("cuda = 12", 'cuda = 12\nlabel = "epoch"', "but must be local or post"),
        ("cuda = 12", 'cuda = 12\ndriver = { macos = "1" }', "but must be versions of the driver by system"),
    ],
)
def test_a_wrong_row_is_refused_naming_file_and_row(old: str, new: str, words: str) -> None:
    with pytest.raises(TableError) as caught:
        read_splits(Sheet("site/splits.toml", ROW.replace("x-gpu", "y-gpu") + ROW.replace(old, new)))
    assert str(caught.value).startswith("site/splits.toml, line 9: [[split]] ")
    assert words in str(caught.value)


def test_the_same_build_twice_is_refused() -> None:
    with pytest.raises(TableError, match=r"line 9: \[\[split\]\] describes x-gpu\[\] again"):
        read_splits(Sheet("site/splits.toml", ROW + ROW))


def test_a_site_has_the_first_word() -> None:
    ours, theirs = Sheet("splits.toml", ROW), Sheet("lab.toml", ROW.replace("cuda = 12", "cuda = 13"))
    assert [each.cuda for each in read_splits(ours, theirs)] == [13, 12]
