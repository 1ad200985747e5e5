"""What is inside the replica's wheels: modules that can be imported and say who they are.

Three kinds:

    torch       knows its build (`__version__`, `version.cuda`) and can multiply: torch.ones(2) @ torch.ones(2)
    NAME        NAME.__version__; one that requires torch imports it
    nvidia-*    a library file, and an empty nvidia/__init__.py in every single one, as in the real ones
"""

from __future__ import annotations

from collections.abc import Mapping

__all__ = ["contents"]

# Where the module is not called like the project.
MODULES = {
    "opencv-python": "cv2",
    "pillow": "PIL",
    "py-cpuinfo": "cpuinfo",
    "python-dateutil": "dateutil",
    "pyyaml": "yaml",
    "scikit-learn": "sklearn",
}

TORCH = '''"""Stands for torch: it knows which build it is and can multiply vectors of ones."""

from torch import backends, cuda, version
from torch.version import __version__


class Tensor:
    def __init__(self, values, device):
        self.values, self.device, self.shape = tuple(values), device, (len(values),)

    def __matmul__(self, other):
        return Scalar(sum(a * b for a, b in zip(self.values, other.values)))

    def to(self, device):
        return ones(len(self.values), device=device)


class Scalar(float):
    def item(self):
        return float(self)


def ones(size, *, device="cpu", dtype=None):
    if str(device).startswith("cuda") and not cuda.is_available():
        raise RuntimeError("No CUDA GPUs are available")
    return Tensor([1.0] * size, device)
'''

CUDA = '''"""There is a GPU where the environment variable REPLICA_GPU is set and the build is one for CUDA."""

import os

from torch import version


def is_available():
    return version.cuda is not None and bool(os.environ.get("REPLICA_GPU"))


def device_count():
    return int(is_available())


def get_device_name(device=None):
    return os.environ["REPLICA_GPU"]
'''

BACKENDS = """class mps:
    @staticmethod
    def is_available():
        return False
"""

Files = tuple[tuple[str, bytes], ...]


def contents(
    project: str,
    version: str,
    *,
    scripts: Mapping[str, str] | None = None,
    imports_torch: bool = False,
    cuda: str | None = None,
) -> Files:
    """The files of a wheel. `version` is what the module itself says, with the local part that its name may hide."""
    if project == "torch":
        files = _torch(version, cuda)
    elif project.startswith("nvidia-"):
        library = project.removeprefix("nvidia-").rpartition("-cu1")[0] or project.removeprefix("nvidia-")
        folder = f"nvidia/{library.replace('-', '_')}"
        files = {"nvidia/__init__.py": "", f"{folder}/__init__.py": "", f"{folder}/lib/lib{library}.so": f"{version}\n"}
    else:
        first = "import torch\n\n" if imports_torch else ""
        module = MODULES.get(project, project.replace("-", "_"))
        files = {f"{module}/__init__.py": f'{first}__version__ = "{version}"\n'}
    for target in (scripts or {}).values():
        files.update(_script(target, project, version, files))
    return tuple((path, text.encode()) for path, text in files.items())


def _torch(version: str, cuda: str | None) -> dict[str, str]:
    facts = f'__version__ = "{version}"\ndebug = False\ncuda = {cuda!r}\nhip = None\nxpu = None\n'
    return {
        "torch/__init__.py": TORCH,
        "torch/backends/__init__.py": BACKENDS,
        "torch/cuda/__init__.py": CUDA,
        "torch/lib/libtorch_cuda.so" if cuda else "torch/lib/libtorch_cpu.so": f"torch {version}\n",
        "torch/version.py": facts,
    }


def _script(target: str, project: str, version: str, present: Mapping[str, str]) -> dict[str, str]:
    """The module that a console script calls, with the packages above it."""
    module, _, function = target.partition(":")
    parts = module.split(".")
    above = ["/".join(parts[: depth + 1]) + "/__init__.py" for depth in range(len(parts) - 1)]
    text = f'def {function}():\n    print("{project} {version}")\n'
    return {**{path: "" for path in above if path not in present}, f"{'/'.join(parts)}.py": text}
