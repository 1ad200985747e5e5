"""What an administrator decides holds for whoever uses the machine, at once, and is named where it is in the way."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.acceptance.running import Workplace, pyproject, recorded

NOT_PERMITTED, CONFIGURATION, FAILED = 77, 78, 1


@pytest.fixture
def place(workplace: Workplace, tmp_path: Path) -> Workplace:
    """A machine whose GPUs are good for cu126, and whose administrator's file the test writes."""
    machine = recorded("linux-x86_64-2xh100-driver535-cu126", tmp_path)
    return workplace.with_variables(TORCHSTRAP_MACHINE=str(machine), TORCHSTRAP_POLICY=str(tmp_path / "policy.toml"))


def decree(place: Workplace, text: str) -> Path:
    path = Path(place.environ["TORCHSTRAP_POLICY"])
    path.write_text(text)
    return path


def test_the_best_variant_that_is_allowed_is_taken_and_the_others_name_the_policy(place: Workplace) -> None:
    path = decree(place, '[enforced]\nvariants = ["cpu", "cu118"]\n')
    place.write(pyproject("torch"))
    chosen = json.loads(place.run("choose", "--json").stdout)
    assert chosen["variant"] == "cu118"
    assert {"offer": "cu126", "reason": f"{path} allows cpu, cu118 only"} in chosen["rejected"]


def test_another_machine_is_judged_without_this_ones_policy(place: Workplace) -> None:
    decree(place, '[enforced]\nvariants = ["cpu"]\n')
    place.write(pyproject("torch"))
    elsewhere = place.run("choose", "--json", "--machine", place.environ["TORCHSTRAP_MACHINE"])
    assert json.loads(elsewhere.stdout)["variant"] == "cu126"


def test_what_other_machines_allow_can_be_said(place: Workplace, tmp_path: Path) -> None:
    place.write(pyproject("torch"))
    here = place.environ["TORCHSTRAP_MACHINE"]
    words = ("choose", "--json", "--variants", "cpu,cu118", "--machine")
    one = json.loads(place.run(*words, here).stdout)
    assert one["variant"] == "cu118"
    assert {"offer": "cu126", "reason": "--variants allows cpu, cu118 only"} in one["rejected"]
    other = recorded("linux-x86_64-laptop-intel-graphics-cpu", tmp_path)
    several = json.loads(place.run(*words, here, "--machine", str(other)).stdout)
    assert {each["offer"] for each in several["offers"]} <= {"cpu", "cu118"}
    assert "cu118" in {each["offer"] for each in several["offers"]}
    unfit = place.run("choose", "--variants", "cpu")
    assert (unfit.returncode, "needs --machine" in unfit.stderr) == (2, True)


def test_a_variant_that_is_asked_for_against_the_policy_is_not_permitted(place: Workplace) -> None:
    path = decree(place, '[enforced]\nvariants = ["cpu"]\n')
    place.write(pyproject("torch"))
    done = place.run("sync", "--variant", "cu126")
    assert done.returncode == NOT_PERMITTED
    assert done.stderr.splitlines()[-1] == f"torchstrap: cu126 (cu126) is not for this machine: {path} allows cpu only"
    assert not (place.folder / ".venv").exists()


def test_a_gpu_that_is_required_against_the_policy_is_refused_with_its_name(place: Workplace) -> None:
    path = decree(place, '[enforced]\nvariants = ["cpu"]\n')
    place.write(pyproject("torch"))
    done = place.run("sync", "--require", "gpu")
    assert done.returncode == FAILED
    assert f"cu126: {path} allows cpu only" in done.stderr


def test_a_policy_that_comes_is_noticed_when_nothing_else_has_to_be_done(place: Workplace) -> None:
    path = decree(place, "[enforced]\noffline = false\n")
    place.write(pyproject("torch"))
    assert place.sync()["choice"]["variant"] == "cu126"
    path.write_text('[enforced]\nvariants = ["cpu"]\n')
    assert place.sync()["choice"]["variant"] == "cpu"


def test_no_network_means_none_whatever_is_asked(place: Workplace, tmp_path: Path) -> None:
    decree(place, "[enforced]\noffline = true\n")
    place.write(pyproject("torch"))
    place = place.with_variables(TORCHSTRAP_OFFLINE="no", TORCHSTRAP_CACHE_DIR=str(tmp_path / "cold"))
    place.replica.requests.clear()
    done = place.run("sync")
    assert done.returncode != 0
    assert not place.replica.requests
    assert "offline" in done.stderr


def test_a_policy_that_makes_no_sense_stops_everything(place: Workplace) -> None:
    path = decree(place, "[enforced]\ncolour = 1\n")
    place.write(pyproject("torch"))
    for words in (["sync"], ["lock"], ["run", "--", "true"]):
        done = place.run(*words)
        assert done.returncode == CONFIGURATION
        assert f"{path}: [enforced] colour is no setting" in done.stderr
