from __future__ import annotations

from pathlib import Path

import pytest

from bootstrap.environment import known, proofs
from bootstrap.environment.proof import Proof
from bootstrap.environment.proofs import Proofs, key_of
from probes import Gpu, Machine, NvidiaDriver, System, Unknown

GPU = Gpu("nvidia", "NVIDIA H100", "NVML", uuid="GPU-1", compute_capability=(9, 0))
MACHINE = Machine(
    System("linux", "debian 12", "6.1", "x86_64", "uname"),
    None,
    Unknown("not asked"),
    driver=NvidiaDriver("580.95.05", "/sys/module/nvidia/version"),
    gpus=(GPU,),
)
FILES = (["torch", "2.6.0", "torch.whl", "ab"],)


def test_remembers_what_was_proven(tmp_path: Path) -> None:
    some = Proofs(tmp_path / "proofs")
    assert some.recall("key") is None
    proof = Proof("3.11.7", "2.6.0+cu128", "12.8", devices=("cuda:0 NVIDIA L4",))
    some.remember("key", proof)
    assert some.recall("key") == proof
    assert some.recall("other") is None


def test_what_is_damaged_proves_nothing(tmp_path: Path) -> None:
    some = Proofs(tmp_path)
    for text in ("", "{", "[]", '{"nothing": 1}'):
        (tmp_path / "key.json").write_text(text)
        assert some.recall("key") is None, text


def test_a_folder_that_cannot_be_written_is_no_obstacle(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    some = Proofs(tmp_path / "file" / "proofs")
    some.remember("key", Proof("3.11.7"))
    assert some.recall("key") is None


@pytest.mark.parametrize(
    "machine",
    [
        MACHINE._replace(driver=NvidiaDriver("595.10", "/sys/module/nvidia/version")),
        MACHINE._replace(gpus=(GPU, GPU._replace(uuid="GPU-2"))),
        MACHINE._replace(gpus=(GPU._replace(visible=False),)),
    ],
    ids=["another driver", "one more GPU", "a hidden GPU"],
)
def test_another_machine_is_another_question(machine: Machine) -> None:
    assert key_of(FILES, "cpython", machine) != key_of(FILES, "cpython", MACHINE)


def test_other_files_and_another_python_are_other_questions() -> None:
    asked = key_of(FILES, "cpython", MACHINE)
    assert asked != key_of((*FILES, ["numpy", "2"]), "cpython", MACHINE)
    assert asked != key_of(FILES, "pypy", MACHINE)


def test_what_torch_does_not_talk_to_changes_nothing() -> None:
    hidden = GPU._replace(uuid="GPU-2", visible=False)
    assert key_of(FILES, "cpython", MACHINE) == key_of(FILES, "cpython", MACHINE._replace(gpus=(GPU, hidden)))
    assert key_of(FILES, "cpython", MACHINE) == key_of(FILES, "cpython", MACHINE._replace(notes=("odd",)))
    assert proofs.key_of(FILES, "cpython", MACHINE).isalnum()


def test_environments_are_known_while_they_have_generations(tmp_path: Path) -> None:
    venv, gone = tmp_path / ".venv", tmp_path / "gone"
    generation = tmp_path / ".venv.generations" / "key"
    generation.mkdir(parents=True)
    (generation / "generation.json").write_text("{}")
    cache = tmp_path / "cache"
    assert known.known(cache) == ()
    for each in (venv, gone, venv):
        known.remember(cache, each)
    assert known.known(cache) == (venv,)
    assert len(list((cache / "environments").iterdir())) == 2
    known.forget(cache)
    assert len(list((cache / "environments").iterdir())) == 1
    assert known.known(cache) == (venv,)
