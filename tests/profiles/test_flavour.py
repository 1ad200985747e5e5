"""What a build of the default index is, by the requirements of real ones."""

from __future__ import annotations

import pytest

from profiles.flavour import flavour_of

LINUX = {"platform_system": "Linux", "platform_machine": "x86_64", "python_version": "3.12"}
ARM = {**LINUX, "platform_machine": "aarch64"}
MACOS = {"platform_system": "Darwin", "platform_machine": "arm64", "python_version": "3.12"}

ON_LINUX = 'platform_system == "Linux"'
ON_X86 = f'{ON_LINUX} and platform_machine == "x86_64"'

# Requirements of wheels on the default index; those that say nothing of accelerators are left out but for one.
TORCH = {
    "1.13.1": (
        "typing-extensions",
        f"nvidia-cuda-runtime-cu11 (==11.7.99) ; {ON_LINUX}",
        f"nvidia-cudnn-cu11 (==8.5.0.96) ; {ON_LINUX}",
        f"nvidia-cublas-cu11 (==11.10.3.66) ; {ON_LINUX}",
        f"nvidia-cuda-nvrtc-cu11 (==11.7.99) ; {ON_LINUX}",
    ),
    "2.5.1": (
        "filelock",
        f"nvidia-cudnn-cu12 (==9.1.0.70) ; {ON_X86}",
        f"nvidia-cublas-cu12 (==12.4.5.8) ; {ON_X86}",
        f"nvidia-cuda-nvrtc-cu12 (==12.4.127) ; {ON_X86}",
        f"nvidia-cuda-runtime-cu12 (==12.4.127) ; {ON_X86}",
        f'triton (==3.1.0) ; {ON_X86} and python_version < "3.13"',
        "opt-einsum (>=3.3) ; extra == 'opt-einsum'",
    ),
    "2.7.1": (
        "typing-extensions>=4.10.0",
        f"nvidia-cuda-nvrtc-cu12==12.6.77; {ON_X86}",
        f"nvidia-cuda-runtime-cu12==12.6.77; {ON_X86}",
        f"nvidia-cuda-cupti-cu12==12.6.80; {ON_X86}",
        f"nvidia-cublas-cu12==12.6.4.1; {ON_X86}",
        f"nvidia-nvjitlink-cu12==12.6.85; {ON_X86}",
        f"triton==3.3.1; {ON_X86}",
    ),
    "2.8.0": (f"nvidia-cuda-runtime-cu12==12.8.90; {ON_X86}", f"nvidia-nccl-cu12==2.27.3; {ON_X86}"),
    "2.11.0": (
        f"cuda-toolkit[cublas,cudart]==13.0.2; {ON_LINUX}",
        f"cuda-bindings<14,>=13.0.3; {ON_LINUX}",
        f"nvidia-cudnn-cu13==9.19.0.56; {ON_LINUX}",
        "setuptools<82",
    ),
    "2.15.0": (
        f"cuda-toolkit[cublas,cudart,cufft,cufile,cupti,cusolver,cusparse,nvjitlink,nvrtc,nvtx]==13.2.2; {ON_LINUX}",
        f'cuda-bindings<14,>=13.0.3; {ON_LINUX} and python_version < "3.15"',
        f"nvidia-cudnn-cu13==9.26.0.51; {ON_LINUX}",
        f"nvidia-nvshmem-cu13==3.7.2; {ON_LINUX}",
        f'triton~=3.9.0; {ON_LINUX} and python_version < "3.16"',
        "setuptools>=77.0.3",
    ),
}


@pytest.mark.parametrize(
    ("torch", "flavour", "on_arm"),
    [
        ("1.13.1", "cu117", "cu117"),
        ("2.5.1", "cu124", "cpu"),
        ("2.7.1", "cu126", "cpu"),
        ("2.8.0", "cu128", "cpu"),
        ("2.11.0", "cu130", "cu130"),
        ("2.15.0", "cu132", "cu132"),
    ],
)
def test_a_default_build_is_known_by_its_cuda(torch: str, flavour: str, on_arm: str) -> None:
    requirements = TORCH[torch]
    assert flavour_of(requirements) == flavour
    assert flavour_of(reversed(requirements)) == flavour
    assert flavour_of(requirements, LINUX) == flavour
    assert flavour_of(requirements, ARM) == on_arm
    assert flavour_of(requirements, MACOS) == "cpu"


@pytest.mark.parametrize(
    ("requirements", "flavour"),
    [
        ([], "cpu"),
        (["filelock", "numpy>=1.26", "sympy==1.13.1"], "cpu"),
        (["cuda-toolkit==13.4.1"], "cu134"),
        (["cuda-toolkit==13.2.*"], "cu132"),
        (["CUDA_Toolkit[cudart]==13.2.2"], "cu132"),
        (["nvidia-cuda-runtime==13.0.48"], "cu130"),
        (["nvidia-cuda-runtime-cu12==12.6.77", "cuda-toolkit==13.2.2"], "cu132"),
        (["nvidia-cuda-nvrtc-cu12~=12.8.61"], "cu128"),
        (["nvidia-cublas-cu12==12.6.4.1"], None),
        (["nvidia-cudnn-cu13==9.26.0.51", "nvidia-cuda-runtime-cu13>=13"], None),
        (["cuda-toolkit>=13"], None),
        (["rocm[libraries,device-all]==7.14.*", "triton-rocm==3.8.0"], "rocm7.14"),
        (["pytorch-triton-rocm==3.5.0"], None),
        (["triton-xpu==3.6.0"], "xpu"),
        (["intel-sycl-rt==2025.3.1", "pytorch_triton_xpu==3.5.0"], "xpu"),
        (["triton==3.6.0"], "cpu"),
        (["nvidia-ml-py; extra == 'monitor'"], "cpu"),
        (["cuda-toolkit==13.2.2; extra == 'all'"], "cpu"),
        (["!!!", "cuda-toolkit==13.2.2"], "cu132"),
    ],
)
def test_flavours(requirements: list[str], flavour: str | None) -> None:
    assert flavour_of(requirements) == flavour


def test_a_marker_that_nobody_understands_does_not_hide_a_requirement() -> None:
    assert flavour_of(["cuda-toolkit==13.2.2; platform_sistem == 'Linux'"], LINUX) == "cu132"
