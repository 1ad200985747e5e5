"""A torch that sees none of the GPUs that are there: that is said, or refused where one is required."""

from __future__ import annotations

from pathlib import Path

import pytest

from bootstrap.commands.activity import Activity
from bootstrap.commands.asked import Asked
from bootstrap.commands.proving import shown
from bootstrap.commands.session import Session
from bootstrap.errors import VerificationError
from bootstrap.project.model import Project
from bootstrap.project.pip_configuration import PipConfiguration
from bootstrap.project.settings import Settings
from probes import LocalHost, probe
from tests.environment.test_proof import RUNNING, Place, torch
from tests.machines.unpack import unpack

A10G, MI300X, ARC = (
    "linux-x86_64-a10g-driver580-cu130",
    "linux-x86_64-2xmi300x-rocm7.2",
    "linux-x86_64-arc-b580-xpu",
)
ROCM, XPU, NONE = "None, '6.4', None", "None, None, '20250101'", "None, None, None"


def session(tmp_path: Path, machine: str, **asked: str) -> Session:
    made = Session(
        Asked(**asked),  # type: ignore[arg-type]
        Activity(),
        Project(tmp_path),
        Settings(),
        PipConfiguration(),
        tmp_path / "cache",
    )
    made.machine = probe(LocalHost(unpack(f"{machine}.txt", tmp_path / "machine"), {}))
    return made


def environment(tmp_path: Path, *, builds: str, cuda: int = 0) -> Place:
    place = Place(tmp_path)
    place.has("torch", "2.9.0+cu128", torch(builds=builds, cuda=cuda))
    return place


def prove(session: Session, place: Place) -> bool:
    return shown(session, place.root / RUNNING.python, place.locked, ["these files"])


@pytest.mark.parametrize(
    ("machine", "builds", "name"),
    [(A10G, "'12.8', None, None", "NVIDIA A10G"), (MI300X, ROCM, "AMD"), (ARC, XPU, "Intel")],
    ids=["nvidia", "amd", "intel"],
)
def test_a_build_for_gpus_that_sees_none_of_those_there_is_said(
    tmp_path: Path, machine: str, builds: str, name: str
) -> None:
    place, first = environment(tmp_path, builds=builds), session(tmp_path, machine)
    assert prove(first, place)
    (warning,) = first.warnings
    assert name in warning
    assert "sees none of this machine's GPUs" in warning
    assert "torchstrap doctor" in warning
    again = session(tmp_path / "again", machine)
    again.cache = first.cache
    assert prove(again, place)
    assert again.warnings == [warning], "the proof is remembered, and so is that it saw nothing"


def test_require_gpu_makes_it_an_error(tmp_path: Path) -> None:
    place, asked = environment(tmp_path, builds="'12.8', None, None"), session(tmp_path, A10G, require="gpu")
    for _ in ("proven now", "remembered"):
        with pytest.raises(VerificationError, match=r"sees none .* and --require gpu asks for one"):
            prove(asked, place)
    assert asked.warnings == []


@pytest.mark.parametrize(
    ("machine", "builds", "cuda"),
    [(A10G, "'12.8', None, None", 1), (A10G, NONE, 0), (MI300X, "'12.8', None, None", 0)],
    ids=["it sees one", "a build for the CPU", "a build for others"],
)
def test_nothing_is_said_where_there_is_nothing_to_see(tmp_path: Path, machine: str, builds: str, cuda: int) -> None:
    place, asked = environment(tmp_path, builds=builds, cuda=cuda), session(tmp_path, machine, require="gpu")
    assert prove(asked, place)
    assert asked.warnings == []


def test_gpus_that_are_hidden_are_not_missed(tmp_path: Path) -> None:
    place, asked = environment(tmp_path, builds="'12.8', None, None"), session(tmp_path, A10G)
    asked.machine = asked.machine._replace(gpus=tuple(each._replace(visible=False) for each in asked.machine.gpus))
    assert prove(asked, place)
    assert asked.warnings == []


def test_gpus_that_are_only_named_are_not_missed(tmp_path: Path) -> None:
    """TORCHSTRAP_CUDA_DRIVER and its like: the environment is for another machine than the one that builds it."""
    place, asked = environment(tmp_path, builds="'12.8', None, None"), session(tmp_path, A10G)
    named = {"TORCHSTRAP_CUDA_DRIVER": "535.129.03", "TORCHSTRAP_CUDA_ARCH": "8.6"}
    asked.machine = probe(LocalHost(tmp_path / "empty", named))
    assert asked.machine.gpus, "or nothing is tried here"
    assert prove(asked, place)
    assert asked.warnings == []
