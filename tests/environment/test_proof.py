"""Torch on machines that this one is not: wheels with a torch in them that behaves as such a machine would make it."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from packaging.version import Version

from bootstrap.environment.installation import Install, install
from bootstrap.environment.interpreter import describe
from bootstrap.environment.layout import Layout
from bootstrap.environment.proof import Proof, prove
from bootstrap.environment.virtual import create
from bootstrap.errors import VerificationError
from bootstrap.wheels.store import Store
from tests.making import make_wheel

RUNNING = describe(Path(sys.executable))

TORCH = """
import time

__version__ = "2.9.0+{variant}"


class version:
    cuda, hip, xpu = {builds}


class Tensor:
    def __init__(self, rows, device="cpu"):
        self.rows, self.device = rows, device

    def __matmul__(self, other):
        columns = list(zip(*other.rows))
        rows = [[sum(a * b for a, b in zip(row, column)) for column in columns] for row in self.rows]
        return behave(self.device, Tensor(rows, self.device))

    def to(self, device):
        return Tensor(self.rows, device)

    def tolist(self):
        return self.rows


def tensor(rows):
    return Tensor(rows)


def behave(device, product):
    {behave}
    return product


class Kind:
    def __init__(self, count):
        self.count = count

    def is_available(self):
        return self.count > 0

    def device_count(self):
        return self.count

    def get_device_name(self, number):
        return f"Card {{number}}"


cuda, xpu = Kind({cuda}), Kind({xpu})


class backends:
    class mps:
        is_available = staticmethod(lambda: {mps})
"""
NMS = """
class Kept:
    def __init__(self, numbers): self.numbers = numbers
    def tolist(self): return self.numbers
def nms(boxes, scores, threshold):
    {body}
"""
VISION = {
    "torchvision/__init__.py": "__version__ = '0.24.0+cu128'",
    "torchvision/ops.py": NMS.format(body="return Kept([0, 2])"),
}
CUDA = "'12.8', None, None"
NO_IMAGE = "if device == 'cuda:1': raise RuntimeError('CUDA error: no kernel image is available for execution\\nmore')"


def torch(
    behave: str = "pass", *, cuda: int = 0, xpu: int = 0, mps: bool = False, variant: str = "cu128", builds: str = CUDA
) -> dict[str, str]:
    source = TORCH.format(behave=behave, cuda=cuda, xpu=xpu, mps=mps, variant=variant, builds=builds)
    return {"torch/__init__.py": source}


class Place:
    """An environment with wheels in it."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.root = folder, folder / "env"
        create(self.root, RUNNING, self.root)
        self.locked: dict[str, Version] = {}

    def has(self, name: str, version: str, files: dict[str, str]) -> None:
        archive = make_wheel(self.folder / "w", name, version, files=files)
        wheel = Store(self.folder / "store").add(archive, archive.name)
        install([Install(wheel)], Layout.of(RUNNING, self.root, self.root))
        self.locked[name] = Version(version)

    def prove(self, device_limit: float = 60.0) -> Proof:
        return prove(self.root / RUNNING.python, self.locked, device_limit=device_limit)

    def issues(self, device_limit: float = 60.0) -> tuple[str, ...]:
        with pytest.raises(VerificationError) as caught:
            self.prove(device_limit)
        return caught.value.issues


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


@pytest.mark.parametrize(
    ("files", "devices"),
    [
        (torch(), ()),
        (torch(cuda=2), ("cuda:0 Card 0", "cuda:1 Card 1")),
        (torch(cuda=1, builds="None, '6.4.2', None"), ("cuda:0 Card 0",)),
        (torch(xpu=1, builds="None, None, '20250302'"), ("xpu:0 Card 0",)),
        (torch(mps=True, builds="None, None, None"), ("mps",)),
    ],
    ids=["none", "two of NVIDIA", "one of AMD", "one of Intel", "Apple's"],
)
def test_every_device_that_torch_sees_is_tried(place: Place, files: dict[str, str], devices: tuple[str, ...]) -> None:
    place.has("torch", "2.9.0+cu128", files)
    proof = place.prove()
    assert proof.devices == devices
    assert (proof.torch, proof.python) == ("2.9.0+cu128", RUNNING.version)


def test_the_build_is_told(place: Place) -> None:
    place.has("torch", "2.9.0+rocm6.4", torch(variant="rocm6.4", builds="None, '6.4.2', None"))
    assert (place.prove().cuda, place.prove().hip) == (None, "6.4.2")


@pytest.mark.parametrize(
    ("behave", "kind", "words"),
    [
        (NO_IMAGE, {"cuda": 2}, ("cuda:1 (Card 1) does not work", "no kernel image", "torchstrap choose", "CUDA_VIS")),
        ("if device == 'cuda:0': product.rows[0][0] += 1", {"cuda": 1}, ("cuda:0 (Card 0)", "1 of 256 numbers")),
        (
            "if device == 'xpu:0': raise RuntimeError('lost')",
            {"xpu": 1},
            ("xpu:0 (Card 0)", "lost", "ZE_AFFINITY_MASK"),
        ),
        ("if device == 'mps': raise RuntimeError()", {"mps": 1}, ("mps does not work", "it gives no reason")),
        ("if device == 'cuda:1': time.sleep(60)", {"cuda": 2}, ("cuda:1 (Card 1)", "did not answer within 1 seconds")),
        ("if device == 'cuda:0': import os; os.abort()", {"cuda": 1}, ("cuda:0 (Card 0)", "signal 6")),
    ],
    ids=["no code for it", "wrong numbers", "Intel's fails", "Apple's fails", "hangs", "kills the process"],
)
def test_a_device_that_fails_is_named(place: Place, behave: str, kind: dict[str, int], words: tuple[str, ...]) -> None:
    place.has("torch", "2.9.0+cu128", torch(behave, **kind))  # type: ignore[arg-type]
    (issue,) = place.issues(1.0 if "sleep" in behave else 60.0)
    assert all(word in issue for word in words), issue
    assert "\n" not in issue


def test_all_devices_that_fail_are_named(place: Place) -> None:
    place.has("torch", "2.9.0+cu128", torch("if device != 'cpu': raise RuntimeError(device)", cuda=3))
    assert [each.partition(" ")[0] for each in sorted(place.issues())] == ["cuda:0", "cuda:1", "cuda:2"]


def test_a_list_of_devices_that_cannot_be_had_is_an_issue(place: Place) -> None:
    files = torch(cuda=1)
    broken = files["torch/__init__.py"].replace("return self.count > 0", "import os; os.abort()")
    place.has("torch", "2.9.0+cu128", {"torch/__init__.py": broken})
    (issue,) = place.issues()
    assert "the list of devices" in issue
    assert "signal 6" in issue


def test_the_operators_of_torchvision_load(place: Place) -> None:
    place.has("torch", "2.9.0+cu128", torch())
    place.has("torchvision", "0.24.0+cu128", VISION)
    place.has("torchaudio", "2.9.0+cu128", {"torchaudio/__init__.py": "__version__ = '2.9.0+cu128'"})
    assert place.prove().torch == "2.9.0+cu128"


@pytest.mark.parametrize(
    ("name", "version", "files", "words"),
    [
        (
            "torchvision",
            "0.24.0+cu128",
            {**VISION, "torchvision/ops.py": "raise RuntimeError('operator torchvision::nms does not exist')"},
            "torchvision cannot be imported.*operator torchvision::nms does not exist",
        ),
        (
            "torchvision",
            "0.24.0+cu128",
            {**VISION, "torchvision/ops.py": NMS.format(body="return Kept([0, 1, 2])")},
            r"its nms keeps \[0, 1, 2\]",
        ),
        ("torchvision", "0.24.0+cu126", VISION, r"torchvision says that it is the build cu128, but 0.24.0\+cu126"),
        ("torchvision", "0.25.0", VISION, "torchvision says that it is 0.24.0"),
        ("torchaudio", "2.9.0", {"torchaudio.py": "import libtorchaudio"}, "torchaudio cannot be imported"),
    ],
    ids=["operators do not load", "operators are wrong", "another build", "another version", "no torchaudio"],
)
def test_the_family_is_tried_too(place: Place, name: str, version: str, files: dict[str, str], words: str) -> None:
    place.has("torch", "2.9.0+cu128", torch())
    place.has(name, version, files)
    with pytest.raises(VerificationError, match=words):
        place.prove()
