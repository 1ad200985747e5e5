"""`probe` as people and programs see it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from bootstrap.environment.facts import base_executable
from tests.acceptance.running import Workplace, recorded
from tests.machines.unpack import unpack


def test_a_recording_is_read_back_as_the_same_machine(workplace: Workplace) -> None:
    first = json.loads(workplace.run("probe", "--json", "--record", "capture").stdout)
    again = json.loads(workplace.run("probe", "--json", "--sysroot", "capture").stdout)
    assert first["schema"] == "torchstrap.machine/1"
    assert again == first


def test_a_recording_overwrites_nothing(workplace: Workplace) -> None:
    kept = workplace.folder / "capture" / "kept.txt"
    kept.parent.mkdir()
    kept.write_text("kept")
    done = workplace.run("probe", "--record", "capture")
    assert done.returncode == 73
    assert "capture" in done.stderr
    assert kept.read_text() == "kept"


def test_the_table_names_the_card_and_where_it_was_read(workplace: Workplace, tmp_path: Path) -> None:
    unpack("linux-x86_64-rtx5090-driver580-cu130.txt", tmp_path / "machine")
    table = workplace.run("probe", "--sysroot", str(tmp_path / "machine")).stdout
    assert "RTX 5090" in table
    assert "NVIDIA 580" in table
    assert "/proc/driver/nvidia/gpus/" in table


def probed(workplace: Workplace, *arguments: str) -> dict[str, Any]:
    """What `probe --json` prints."""
    done = workplace.run("probe", "--json", *arguments)
    assert done.returncode == 0, done.stderr
    document: dict[str, Any] = json.loads(done.stdout)
    return document


def test_interpreters_and_folders_are_part_of_this_machine(workplace: Workplace) -> None:
    found = probed(workplace)
    (running,) = [each for each in found["pythons"] if each["source"] == "running"]
    assert running["path"] == os.path.realpath(base_executable())
    assert running["version"] == ".".join(map(str, sys.version_info[:3]))
    folders = {each["purpose"]: each["path"] for each in found["storage"]["folders"]}
    assert folders["cache"] == str(workplace.cache)
    assert folders["environment"] == str(workplace.folder / ".venv")
    assert {(each["origin"], each["target"]) for each in found["storage"]["sharing"]} >= {("cache", "environment")}
    table = workplace.run("probe").stdout
    assert running["path"] in table
    assert f"environment {workplace.folder}/.venv, " in table


@pytest.mark.parametrize(
    ("arguments", "environ", "table", "cache"),
    [
        (("--cache-dir", "named"), {"TORCHSTRAP_CACHE_DIR": "other"}, "", "named"),
        ((), {"TORCHSTRAP_CACHE_DIR": "other"}, 'cache-dir = "third"', "other"),
        ((), {"TORCHSTRAP_CACHE_DIR": ""}, 'cache-dir = "third"', "third"),
        (("--no-cache",), {}, "", None),
        ((), {}, "no-cache = true", None),
    ],
    ids=["command line", "environment", "project", "none", "none of the project"],
)
def test_the_cache_is_the_one_that_a_sync_would_use(
    workplace: Workplace, arguments: tuple[str, ...], environ: dict[str, str], table: str, cache: str | None
) -> None:
    workplace.write(f"[tool.torchstrap]\n{table}\n")
    found = probed(workplace.with_variables(**environ), *arguments)
    folders = {each["purpose"]: each["path"] for each in found["storage"]["folders"]}
    assert folders.get("cache") == (None if cache is None else str(workplace.folder / cache))


def test_a_broken_project_spoils_no_fact_of_the_machine(workplace: Workplace) -> None:
    workplace.write("[tool.torchstrap\n")
    found = probed(workplace)
    assert "pyproject.toml" in found["storage"]["unknown"]
    assert found["pythons"]


def test_the_second_probe_starts_no_interpreter(workplace: Workplace, tmp_path: Path) -> None:
    """As one of them, which notes each start, can tell."""
    compiler = shutil.which("cc")
    if compiler is None:
        pytest.skip("needs a C compiler")
    (tmp_path / "bin").mkdir()
    source = Path(__file__).parents[1] / "environment/fake_python.c"
    subprocess.run([compiler, "-o", tmp_path / "bin/python3.99", source], check=True, timeout=120)
    told = {"version": "3.99.0", "implementation": "cpython", "free_threaded": False, "stdlib": "/", "machine": "x"}
    (tmp_path / "bin/python3.99.answer").write_text(json.dumps(told))
    noted = tmp_path / "bin/python3.99.started"
    here = workplace.with_variables(PATH=f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}")
    first, second = probed(here), probed(here)
    assert "3.99.0" in [each["version"] for each in first["pythons"]]
    assert second["pythons"] == first["pythons"]
    assert noted.read_text() == "x"


def test_another_machine_has_nothing_of_this_one(workplace: Workplace, tmp_path: Path) -> None:
    unpack("linux-x86_64-2xh100-driver535-cu126.txt", tmp_path / "machine")
    override = recorded("linux-x86_64-2xh100-driver535-cu126", tmp_path)
    for found in (
        probed(workplace, "--sysroot", str(tmp_path / "machine")),
        probed(workplace.with_variables(TORCHSTRAP_MACHINE=str(override))),
    ):
        assert [gpu["name"] for gpu in found["gpus"]] == ["NVIDIA H100 80GB HBM3"] * 2
        assert (found["pythons"], found["storage"]) == ([], None)


def test_a_document_keeps_the_interpreters_of_its_machine(workplace: Workplace, tmp_path: Path) -> None:
    first = workplace.run("probe", "--json").stdout
    (tmp_path / "machine.json").write_text(first)
    again = workplace.with_variables(TORCHSTRAP_MACHINE=str(tmp_path / "machine.json")).run("probe", "--json").stdout
    assert again == first


@pytest.mark.parametrize("arguments", [(), ("--sysroot", ".")], ids=["here", "sysroot"])
def test_an_override_that_is_no_machine_is_refused_with_a_sentence(
    workplace: Workplace, arguments: tuple[str, ...]
) -> None:
    done = workplace.with_variables(TORCHSTRAP_MACHINE="nowhere.json").run("probe", *arguments)
    assert done.returncode == 78
    assert "nowhere.json" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_sysroot_that_is_none_is_refused(workplace: Workplace) -> None:
    done = workplace.run("probe", "--sysroot", "nowhere")
    assert done.returncode == 2
    assert "nowhere" in done.stderr
