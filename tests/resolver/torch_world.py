"""The torch family as its indexes had it in 2024 and 2025: real requirements, reduced to what can conflict."""

from __future__ import annotations

from tests.resolver.worlds import DEFAULT, Packages, Release, World

CPU_INDEX = "https://download.pytorch.org/whl/cpu"
CU128_INDEX = "https://download.pytorch.org/whl/cu128"

LINUX_WHEELS = ("cp311-cp311-manylinux_2_28_x86_64",)
LINUX_MARKER = 'platform_system == "Linux" and platform_machine == "x86_64"'
TRITON_OF = {"2.5.1": "3.1.0", "2.6.0": "3.2.0", "2.7.1": "3.3.1", "2.8.0": "3.4.0", "2.9.0": "3.5.0"}
TORCHVISION_OF = {"2.5.1": "0.20.1", "2.6.0": "0.21.0", "2.7.1": "0.22.1", "2.8.0": "0.23.0", "2.9.0": "0.24.0"}
CUBLAS_OF = {"2.5.1": "12.4.5.8", "2.6.0": "12.4.5.8", "2.7.1": "12.6.4.1", "2.8.0": "12.8.4.1", "2.9.0": "12.8.4.1"}


def _torch(version: str) -> Release:
    sympy = "sympy==1.13.1" if version < "2.7" else "sympy>=1.13.3"
    return Release(
        (
            "filelock",
            sympy,
            f"nvidia-cublas-cu12 (=={CUBLAS_OF[version]}) ; {LINUX_MARKER}",
            f"triton=={TRITON_OF[version]}; {LINUX_MARKER}",
        ),
        LINUX_WHEELS,
    )


FAMILY: Packages = {
    "torch": {version: _torch(version) for version in TRITON_OF},
    "torchvision": {
        vision: Release(("numpy", f"torch (=={torch})", "pillow (!=8.3.*,>=5.3.0)"), LINUX_WHEELS)
        for torch, vision in TORCHVISION_OF.items()
    },
    "torchaudio": {torch: Release((f"torch=={torch}",), LINUX_WHEELS) for torch in TRITON_OF},
    "triton": {triton: Release((), LINUX_WHEELS) for triton in TRITON_OF.values()},
    "xformers": {
        "0.0.29": Release(("numpy", "torch==2.5.1"), LINUX_WHEELS),
        "0.0.32.post2": Release(("numpy", "torch==2.8.0"), ("cp39-abi3-manylinux_2_28_x86_64",)),
    },
}

OTHERS: Packages = {
    "nvidia-cublas-cu12": dict.fromkeys(dict.fromkeys(CUBLAS_OF.values()), ()),
    "sympy": {"1.13.1": (), "1.13.3": (), "1.14.0": ()},
    "numpy": {
        "1.26.4": (),
        "2.1.3": Release((), python=">=3.10"),
        "2.2.3": Release((), python=">=3.10"),
        "2.3.4": Release((), python=">=3.11"),
    },
    "pillow": {"11.3.0": (), "12.0.0": ()},
    "filelock": {"3.20.0": ()},
    "ultralytics": {
        "8.3.217": (
            "numpy>=1.23.0",
            "pillow>=7.1.2",
            "torch>=1.8.0",
            'torch!=2.4.0,>=1.8.0; sys_platform == "win32"',
            "torchvision>=0.9.0",
        )
    },
    "langchain": {"0.1.20": ("numpy (>=1,<2)",)},
    "accelerate": {"0.26.1": ("torch >=1.10.0",), "1.10.1": ("numpy<3.0.0,>=1.17", "torch>=2.0.0")},
    "transformers": {
        "4.46.3": ("tokenizers <0.21,>=0.20", "numpy >=1.17"),
        "4.57.1": Release(
            (
                "tokenizers<=0.23.0,>=0.22.0",
                "numpy>=1.17",
                'torch>=2.2; extra == "torch"',
                'accelerate>=0.26.0; extra == "torch"',
            ),
            extras=("torch",),
        ),
    },
    "tokenizers": {"0.20.3": (), "0.21.0": (), "0.22.1": ()},
    "torchmetrics": {"1.6.0": ("numpy>1.20.0", "torch>=2.0.0"), "1.8.2": ("numpy>1.20.0", "torch>=2.0.0")},
}


def built_for(variant: str, versions: tuple[str, ...]) -> Packages:
    """The index of one variant: torch and torchvision with its local version, for Linux only; plain ones for macOS."""
    torch = {
        f"{version}+{variant}": Release(("sympy>=1.13.1",), ("cp311-cp311-manylinux_2_28_x86_64",))
        for version in versions
    }
    macos = {version: Release((), ("cp311-none-macosx_11_0_arm64",)) for version in versions}
    vision = {
        f"{TORCHVISION_OF[version]}+{variant}": Release((f"torch=={version}",), LINUX_WHEELS) for version in versions
    }
    return {"torch": {**torch, **macos}, "torchvision": vision}


def torch_world() -> World:
    """The default index, and those of two variants that have different releases of torch."""
    return World(
        {
            DEFAULT: {**FAMILY, **OTHERS},
            CPU_INDEX: built_for("cpu", ("2.5.1", "2.6.0", "2.8.0")),
            CU128_INDEX: built_for("cu128", ("2.7.1", "2.8.0")),
        }
    )
