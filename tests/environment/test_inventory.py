"""The Pythons of a machine: real ones, and programs that answer as one would and count how often they are started."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from bootstrap.environment import inventory
from bootstrap.environment.facts import base_executable
from bootstrap.environment.inventory import pythons
from probes import Libc, Unknown
from probes.pythons import Python

SOURCE = Path(__file__).with_name("fake_python.c")


@pytest.fixture(scope="session")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The compiled fake."""
    compiler = shutil.which("cc")
    if compiler is None or not sys.platform.startswith("linux"):
        pytest.skip("needs a C compiler and Linux")
    path = tmp_path_factory.mktemp("program") / "fake"
    subprocess.run([compiler, "-o", path, SOURCE], check=True, timeout=120)
    return path


def answer(version: str, stdlib: Path | str = "/none", *, free: bool = False, implementation: str = "cpython") -> str:
    told = {"version": version, "implementation": implementation, "free_threaded": free}
    return json.dumps({**told, "stdlib": str(stdlib), "machine": "x86_64"})


def install(program: Path, path: Path, said: str) -> Path:
    """A fake of that name that says that."""
    path.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(program, path)
    path.with_name(f"{path.name}.answer").write_text(said)
    return path


def started(path: Path) -> int:
    note = path.with_name(f"{path.name}.started")
    return len(note.read_text()) if note.exists() else 0


def world(folder: Path) -> dict[str, str]:
    """A PATH and a home of its own."""
    return {"PATH": str(folder / "bin"), "HOME": str(folder / "home")}


def others(folder: Path, cache: Path | None = None) -> list[Python]:
    """What is found besides the running one."""
    return [each for each in pythons(cache, world(folder)) if each.source != "running"]


def test_tells_of_the_running_one_what_it_is(tmp_path: Path) -> None:
    (running,) = pythons(None, world(tmp_path))
    assert running.path == os.path.realpath(base_executable())
    assert running.version == ".".join(map(str, sys.version_info[:3]))
    assert (running.implementation, running.source) == (sys.implementation.name, "running")
    linked = os.confstr("CS_GNU_LIBC_VERSION") if sys.platform.startswith("linux") else None
    if linked:
        assert isinstance(running.libc, Libc)
        assert f"{running.libc.family} {running.libc.version}" == linked
        assert running.libc.source.startswith(f"{running.path}, whose loader is /")
        assert running.architecture == os.uname().machine


def test_names_each_once_however_many_links_lead_to_it(tmp_path: Path, program: Path) -> None:
    real = install(program, tmp_path / "home/.pyenv/versions/3.12.4/bin/python3.12", answer("3.12.4"))
    links = [real.with_name("python"), tmp_path / "bin/python3", tmp_path / "bin/python3.12", tmp_path / "bin/python"]
    (tmp_path / "bin").mkdir()
    for link in links:
        link.symlink_to(real)
    (tmp_path / "bin/python3.99").symlink_to(os.path.realpath(sys.executable))
    (found,) = others(tmp_path)
    assert (found.path, found.version, found.source) == (str(real), "3.12.4", "PATH")
    assert len(pythons(None, world(tmp_path))) == 2


def test_tells_what_is_unusual_about_one(tmp_path: Path, program: Path) -> None:
    stdlib = tmp_path / "lib/python3.13"
    stdlib.mkdir(parents=True)
    install(program, tmp_path / "bin/python3.13t", answer("3.13.0rc2", stdlib, free=True))
    install(program, tmp_path / "bin/pypy3", answer("3.10.14", implementation="pypy"))
    pypy, free = others(tmp_path)
    assert (pypy.implementation, pypy.free_threaded, pypy.externally_managed) == ("pypy", False, False)
    assert (free.version, free.free_threaded, free.externally_managed) == ("3.13.0rc2", True, False)
    assert isinstance(free.libc, Libc)


def test_sees_at_once_that_another_program_manages_one(tmp_path: Path, program: Path) -> None:
    """The mark may come and go with the distribution's packages: it is not remembered."""
    stdlib = tmp_path / "lib"
    stdlib.mkdir()
    path = install(program, tmp_path / "bin/python3.12", answer("3.12.1", stdlib))
    cache = tmp_path / "cache"
    before = [each.externally_managed for each in others(tmp_path, cache)]
    (stdlib / "EXTERNALLY-MANAGED").touch()
    during = [each.externally_managed for each in others(tmp_path, cache)]
    (stdlib / "EXTERNALLY-MANAGED").unlink()
    after = [each.externally_managed for each in others(tmp_path, cache)]
    assert (before, during, after) == ([False], [True], [False])
    assert started(path) == 1


@pytest.mark.parametrize("manager", ["pyenv", "uv", "asdf", "mise"])
def test_knows_where_version_managers_keep_theirs(tmp_path: Path, program: Path, manager: str) -> None:
    folder = {
        "pyenv": ".pyenv/versions/pypy3.10-7.3.16",
        "uv": ".local/share/uv/python/cpython-3.12.4-linux-x86_64-gnu",
        "asdf": ".asdf/installs/python/3.12.4",
        "mise": ".local/share/mise/installs/python/3.12.4",
    }[manager]
    path = install(program, tmp_path / "home" / folder / "bin/python", answer("3.12.4"))
    assert [(each.path, each.source) for each in others(tmp_path)] == [(str(path), manager)]


def test_the_second_time_nothing_is_started(tmp_path: Path, program: Path) -> None:
    paths = [install(program, tmp_path / f"bin/python3.{minor}", answer(f"3.{minor}.0")) for minor in (11, 12)]
    first = pythons(tmp_path / "cache", world(tmp_path))
    assert pythons(tmp_path / "cache", world(tmp_path)) == first
    assert list(map(started, paths)) == [1, 1]


def test_asks_again_when_the_executable_is_another(tmp_path: Path, program: Path) -> None:
    path = install(program, tmp_path / "bin/python3.12", answer("3.12.1"))
    assert [each.version for each in others(tmp_path, tmp_path / "cache")] == ["3.12.1"]
    install(program, path, answer("3.12.2"))
    os.utime(path, ns=(1, 1))
    assert [each.version for each in others(tmp_path, tmp_path / "cache")] == ["3.12.2"]


def test_what_was_found_from_elsewhere_stays_known(tmp_path: Path, program: Path) -> None:
    """An environment that is activated or not changes PATH, and no Python with it."""
    path = install(program, tmp_path / "bin/python3.12", answer("3.12.1"))
    cache = tmp_path / "cache"
    for environ in (world(tmp_path), world(tmp_path / "elsewhere"), world(tmp_path)):
        pythons(cache, environ)
    assert started(path) == 1


@pytest.mark.parametrize(
    "content", ["", "{", "[]", '{"format": 1}', '{"format": 0, "answers": {}}', '{"format": 1, "answers": {"a": 1}}']
)
def test_a_damaged_memory_is_none(tmp_path: Path, program: Path, content: str) -> None:
    install(program, tmp_path / "bin/python3.12", answer("3.12.1"))
    place = tmp_path / "cache/interpreters/inventory.json"
    place.parent.mkdir(parents=True)
    place.write_text(content)
    assert [each.version for each in others(tmp_path, tmp_path / "cache")] == ["3.12.1"]
    assert json.loads(place.read_text())["format"] == inventory.FORMAT


def test_a_cache_that_cannot_be_written_is_no_obstacle(tmp_path: Path, program: Path) -> None:
    install(program, tmp_path / "bin/python3.12", answer("3.12.1"))
    (tmp_path / "cache").touch()
    assert [each.version for each in others(tmp_path, tmp_path / "cache")] == ["3.12.1"]


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ("fail libpython3.12.so: no such file", r"ended with 127: libpython3\.12\.so: no such file"),
        ("hello", "does not answer as a Python does"),
        ("{}", "does not answer as a Python does"),
        (answer("latest"), "does not answer as a Python does"),
        (answer("3.12.1").replace("false", "0"), "does not answer as a Python does"),
    ],
    ids=["fails", "talks", "empty", "version", "type"],
)
def test_one_that_cannot_be_run_is_a_fact_and_is_tried_again(
    tmp_path: Path, program: Path, said: str, words: str
) -> None:
    path = install(program, tmp_path / "bin/python3.12", said)
    for _ in range(2):
        (found,) = others(tmp_path, tmp_path / "cache")
        assert isinstance(found.version, Unknown)
        assert found.version == found.implementation == found.free_threaded == found.externally_managed
        assert re.search(words, found.version.reason)
        assert isinstance(found.libc, Libc)  # read, not asked
    assert started(path) == 2


def test_a_path_that_is_no_text_can_be_written_down(tmp_path: Path, program: Path) -> None:
    folder = Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9"))
    try:
        install(program, folder / "bin/python3.12", answer("3.12.1"))
    except OSError:
        pytest.skip("this file system takes only text")
    for _ in range(2):
        (found,) = others(folder, tmp_path / "cache")
        assert found.path.encode().endswith(b"/caf?/bin/python3.12")
        assert found.version == "3.12.1"


def test_a_program_for_another_machine_is_a_fact(tmp_path: Path) -> None:
    """The header of an ELF file for riscv64, and nothing behind it."""
    path = tmp_path / "bin/python3.12"
    path.parent.mkdir()
    header = b"\x7fELF\2\1\1" + bytes(9) + (2).to_bytes(2, "little") + (243).to_bytes(2, "little") + bytes(44)
    path.write_bytes(header)
    path.chmod(0o755)
    (found,) = others(tmp_path)
    assert isinstance(found.version, Unknown)
    assert (found.architecture, found.libc) == ("riscv64", None)


def test_one_that_hangs_does_not_hold_up_a_probe(tmp_path: Path, program: Path) -> None:
    install(program, tmp_path / "bin/python3.12", "hang")
    path = install(program, tmp_path / "bin/python3.13", answer("3.13.0"))
    pythons(tmp_path / "cache", world(tmp_path / "elsewhere"))  # the running one need not be asked any more
    _, hung, late = pythons(tmp_path / "cache", world(tmp_path), seconds=0.5)
    assert isinstance(hung.version, Unknown)
    assert "gave no answer within" in hung.version.reason
    assert late.version == Unknown("it was not asked, as others took too long")
    assert started(path) == 0


def test_scripts_environments_and_what_is_no_program_are_left_out(tmp_path: Path, program: Path) -> None:
    script = tmp_path / "bin/python3.10"
    script.parent.mkdir()
    script.write_text("#!/bin/sh\nexit 0\n")
    script.chmod(0o755)
    install(program, tmp_path / "bin/python3.11", answer("3.11.0")).chmod(0o644)
    (tmp_path / "bin/python3.12").mkdir()
    (tmp_path / "bin/python3.13").symlink_to(tmp_path / "gone")
    install(program, tmp_path / "bin/python3-config", answer("3.14.0"))
    install(program, tmp_path / "env/bin/python3.11", answer("3.11.0"))
    (tmp_path / "env/pyvenv.cfg").touch()
    found = pythons(None, {**world(tmp_path), "PATH": f"{tmp_path}/bin{os.pathsep}{tmp_path}/env/bin{os.pathsep}bin"})
    assert [each.source for each in found] == ["running"]


def test_an_environment_with_copies_is_its_base(tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-m", "venv", "--copies", "--without-pip", tmp_path / "env"], check=True)
    program = (
        "import json, sys; sys.path.insert(0, sys.argv[1])\n"
        "from bootstrap.environment.inventory import pythons\n"
        "print(json.dumps([each.path for each in pythons(None, {})]))"
    )
    command = [str(tmp_path / "env/bin/python"), "-c", program, str(Path(inventory.__file__).parents[2])]
    (path,) = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
    assert not Path(path).is_relative_to(tmp_path)
    assert Path(path).exists()
