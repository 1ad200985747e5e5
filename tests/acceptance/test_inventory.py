"""What administrators' tools ask for: facts, readiness, modules and kernels, and what a sync would change."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.acceptance.running import Workplace, pyproject, recorded

NO, USAGE, BAD_INPUT = 1, 2, 65
LMOD = Path("/usr/share/lmod/lmod/libexec/lmod")
H100 = "linux-x86_64-2xh100-driver535-cu126"


@pytest.fixture
def place(workplace: Workplace, tmp_path: Path) -> Workplace:
    """A machine with two H100."""
    return workplace.with_variables(TORCHSTRAP_MACHINE=str(recorded(H100, tmp_path)))


def facts(place: Workplace) -> dict[str, object]:
    done = place.run("facts")
    assert done.returncode == 0, done.stderr
    found: dict[str, object] = json.loads(done.stdout)
    return found


def site_packages(place: Workplace) -> Path:
    return next((place.folder / ".venv").glob("lib/python*/site-packages"))


def test_facts_are_flat_and_follow_the_environment(place: Workplace) -> None:
    place.write(pyproject("torch"))
    before = facts(place)
    assert all(not isinstance(value, dict) for value in before.values())
    assert (before["state"], before["torch"], before["packages"]) == ("none", None, 0)
    assert before["gpus"] == ["NVIDIA H100 80GB HBM3"] * 2
    assert (before["gpu_vendors"], before["driver"], before["libc"]) == (["nvidia"], "535.129.03", "glibc 2.35")
    outcome = place.sync()
    after = facts(place)
    assert (after["state"], after["variant"], after["offer"]) == ("sound", "cu126", outcome["choice"]["offer"])
    assert after["torch"] == next(each["version"] for each in outcome["packages"] if each["name"] == "torch")
    assert after["packages"] == len(outcome["packages"])
    assert before.keys() == after.keys()


def test_facts_name_what_a_hand_has_done_and_what_is_not_ours(place: Workplace) -> None:
    place.write(pyproject("typing-extensions"))
    place.sync()
    stray = site_packages(place) / "stray-1.dist-info"
    stray.mkdir()
    (stray / "METADATA").write_text("Metadata-Version: 2.1\nName: stray\nVersion: 1\n")
    (stray / "RECORD").write_text("")
    found = facts(place)
    assert (found["state"], found["changes"]) == ("changed", "added stray 1")
    (place.folder / "foreign").mkdir()
    (place.folder / "foreign" / "pyvenv.cfg").write_text("home = /usr/bin\n")
    assert facts(place.with_variables(TORCHSTRAP_VENV=str(place.folder / "foreign")))["state"] == "foreign"


def test_an_environment_is_ready_once_it_is_built_and_until_something_else_is_asked_for(place: Workplace) -> None:
    place.write(pyproject("typing-extensions"))
    early = place.run("ready")
    assert (early.returncode, "there is no environment" in early.stderr) == (NO, True)
    place.sync()
    now = place.run("ready")
    assert (now.returncode, now.stderr) == (0, "")
    place.write(pyproject("typing-extensions", "torch"))
    late = place.run("ready")
    assert late.returncode == NO
    assert f"{place.folder}/pyproject.toml changed since it was built" in late.stderr
    place.sync()
    assert place.run("ready").returncode == 0
    (place.folder / ".venv" / "bin" / "python").unlink()
    assert "its interpreter is gone" in place.run("ready").stderr


def test_sync_and_choose_say_what_would_change_and_then_nothing(place: Workplace) -> None:
    place.write(pyproject("typing-extensions", "torch"))
    choice = place.run("choose", "--check", "--diff")
    assert (choice.returncode, choice.stdout) == (NO, "-no environment\n+cu126 (cu126)\n")
    pending = place.run("sync", "--check", "--diff")
    assert pending.returncode == NO
    assert any(line.startswith("+torch ") and line.endswith(".whl") for line in pending.stdout.splitlines())
    assert not (place.folder / ".venv").exists()
    place.sync()
    for words in (["choose", "--check", "--diff"], ["sync", "--check", "--diff"]):
        done = place.run(*words)
        assert (done.returncode, done.stdout) == (0, "")
    other = place.run("sync", "--variant", "cpu", "--check", "--diff")
    assert other.returncode == NO
    assert sorted(line[:6] for line in other.stdout.splitlines() if line[1:6] == "torch") == ["+torch", "-torch"]
    assert place.run("choose", "--variant", "cpu", "--check", "--diff").stdout == "-cu126 (cu126)\n+cpu (cpu)\n"


def test_a_kernel_is_written_to_its_folder_and_names_the_stable_path(place: Workplace, tmp_path: Path) -> None:
    place.write(pyproject("typing-extensions"))
    place.sync()
    folder = tmp_path / "kernels" / "lab"
    done = place.run("env", "export", "--kernelspec", "-o", str(folder))
    assert done.returncode == 0
    assert "ipykernel is not in" in done.stderr
    kernel = json.loads((folder / "kernel.json").read_text())
    assert kernel["argv"][0] == str(place.folder / ".venv" / "bin" / "python")
    assert kernel["argv"][1:3] == ["-m", "ipykernel_launcher"]


def test_a_module_is_lua_that_names_the_stable_path_whatever_characters_are_in_it(
    place: Workplace, tmp_path: Path
) -> None:
    place.write(pyproject("typing-extensions"))
    odd = place.folder / 'a "b" \\ c'
    place = place.with_variables(TORCHSTRAP_VENV=str(odd))
    place.sync()
    text = place.run("env", "export", "--modulefile").stdout
    escaped = str(odd).replace("\\", "\\\\").replace('"', '\\"')
    assert f'setenv("VIRTUAL_ENV", "{escaped}")' in text.splitlines()
    assert f'prepend_path("PATH", "{escaped}/bin")' in text.splitlines()
    written = tmp_path / "modules" / "lab.lua"
    assert place.run("env", "export", "--modulefile", "-o", str(written)).returncode == 0
    assert written.read_text() == text


@pytest.mark.skipif(not LMOD.exists(), reason="Lmod (Debian's package lmod) is not installed")
def test_lmod_loads_and_unloads_the_module(place: Workplace, tmp_path: Path) -> None:
    place.write(pyproject("typing-extensions"))
    place.sync()
    modules = tmp_path / "modules"
    assert place.run("env", "export", "--modulefile", "-o", str(modules / "lab" / "1.lua")).returncode == 0
    shell = "; ".join(
        [
            f'module() {{ eval "$({LMOD} bash "$@")"; }}',
            "module load lab; command -v python",
            'module unload lab; command -v python; echo "${VIRTUAL_ENV-unset}"',
        ]
    )
    environ = {"PATH": "/usr/bin:/bin", "MODULEPATH": str(modules), "HOME": str(tmp_path)}
    done = subprocess.run(["bash", "-c", shell], env=environ, capture_output=True, text=True, check=False)
    lines = done.stdout.split()
    assert lines[0] == str(place.folder / ".venv" / "bin" / "python"), done.stderr
    assert lines[-1] == "unset"
    assert lines[1:-1] in ([], [shutil.which("python", path=os.defpath)])


@pytest.mark.parametrize(
    ("words", "code", "sentence"),
    [
        (["--modulefile"], BAD_INPUT, "is no environment of torchstrap's"),
        ([], USAGE, "--modulefile or --kernelspec"),
        (["--modulefile", "--kernelspec"], USAGE, "--modulefile or --kernelspec"),
    ],
    ids=["no environment", "no kind", "both kinds"],
)
def test_what_cannot_be_exported_is_said(place: Workplace, words: list[str], code: int, sentence: str) -> None:
    place.write(pyproject("typing-extensions"))
    done = place.run("env", "export", *words)
    assert (done.returncode, sentence in done.stderr) == (code, True)


def test_a_module_that_lmod_would_take_for_tcl_is_refused(place: Workplace, tmp_path: Path) -> None:
    place.write(pyproject("typing-extensions"))
    place.sync()
    done = place.run("env", "export", "--modulefile", "-o", str(tmp_path / "lab"))
    assert done.returncode == USAGE
    assert "must end with .lua" in done.stderr
