"""torchstrap.pyz does on any Python what torchstrap does, with nothing installed; it unpacks once, and whole."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest

from tests.acceptance.running import Workplace, pyproject, recorded
from tests.acceptance.test_no_op import LIGHT, OURS
from tests.one_file import pythons
from tests.replica import Replica

SYSTEM = Path("/usr/bin/python3")
ALONE = ("-I", "-S")  # neither site-packages nor variables: no pip, nothing that anybody has installed
SOMEBODY = 12345  # a user without a name or a home
LOADER = {"bootstrap.zipapp", "bootstrap.zipapp.loader"}
as_root = pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root can be somebody else")


def programs(cache: Path) -> list[str]:
    return sorted(each.name for each in (cache / "programs").glob("*"))


@pytest.fixture
def alone(workplace: Workplace, pyz: Path) -> Workplace:
    """The file as the program, run by the Python of the tests without its packages."""
    return replace(workplace, program=(sys.executable, *ALONE, str(pyz)))


@pytest.fixture
def cold(alone: Workplace, tmp_path: Path) -> Workplace:
    """The same with a cache of its own, in which nothing is yet."""
    return replace(alone, cache=tmp_path / "cold")


@pytest.mark.parametrize("python", pythons(10, 14), ids=lambda path: f"{path.parent.parent.name}-{path.name}")
def test_every_python_needs_nothing_but_the_file(workplace: Workplace, pyz: Path, python: Path) -> None:
    place = replace(workplace, program=(str(python), *ALONE, str(pyz)))
    assert subprocess.run([python, *ALONE, "-c", "import pip"], check=False, capture_output=True).returncode == 1
    place.write(pyproject("typing-extensions"))
    made = place.sync()
    assert [each["name"] for each in made["packages"]] == ["typing-extensions"]
    asked = place.run("run", "--", "python", "-c", "import typing_extensions, sys; print(sys.version_info[:2])")
    version = subprocess.run([python, "-c", "import sys; print(sys.version_info[:2])"], capture_output=True, check=True)
    assert (asked.returncode, asked.stdout) == (0, version.stdout.decode())
    assert place.sync()["changed"] is False


@pytest.mark.skipif(not SYSTEM.exists(), reason="the system has no Python of its own")
def test_the_python_of_the_system_will_do(workplace: Workplace, pyz: Path) -> None:
    """Debian's has neither pip nor ensurepip, and forbids (PEP 668) to install anything beside it."""
    told = subprocess.run([SYSTEM, "-c", "import sys; print(sys.version_info[1])"], capture_output=True, check=True)
    if int(told.stdout) < 10:
        pytest.skip("the system's Python is too old")
    place = replace(workplace, program=(str(SYSTEM), "-I", str(pyz)))
    place.write(pyproject("typing-extensions"))
    assert place.sync()["changed"] is True
    assert place.run("run", "--", "python", "-c", "import typing_extensions").returncode == 0


@pytest.mark.parametrize("python", pythons(6, 9), ids=lambda path: path.name)
def test_an_older_python_says_one_sentence(pyz: Path, python: Path) -> None:
    done = subprocess.run([python, pyz, "sync"], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert "needs 3.10 or newer; start it with another python3" in done.stderr


def test_what_even_python_2_reads_has_nothing_newer(pyz: Path) -> None:
    with zipfile.ZipFile(pyz) as archive:
        text = archive.read("__main__.py").decode("ascii")
    before = text.partition("if __name__")[0]
    assert not any(mark in before for mark in ("->", 'f"', "annotations", "def ", " := "))


@pytest.fixture
def elsewhere(pyz: Path) -> Iterator[Path]:
    """A folder that everybody may enter, with the file and a folder to work in; tmp_path is for its owner alone."""
    folder = Path(tempfile.mkdtemp(prefix="pyz-"))
    folder.chmod(0o755)
    shutil.copy(pyz, folder / "torchstrap.pyz")
    (folder / "home").mkdir()
    (folder / "temporary").mkdir()
    (folder / "temporary").chmod(0o777)
    yield folder
    shutil.rmtree(folder)


def as_somebody(folder: Path, *words: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run the file as a user who owns nothing, in a folder that cannot be written."""
    found = [each for each in (Path(sys.executable), SYSTEM, *pythons(10, 14)) if _may_run(each)]
    if not found:
        pytest.skip("every Python here is in a folder of root's")
    return subprocess.run(
        [str(found[0]), "-I", str(folder / "torchstrap.pyz"), *words],
        cwd=folder / "home",
        env={"PATH": os.defpath, "TMPDIR": str(folder / "temporary"), **variables},
        user=SOMEBODY,
        group=SOMEBODY,
        extra_groups=[],
        capture_output=True,
        text=True,
        check=False,
    )


def _may_run(python: Path) -> bool:
    with suppress(OSError):
        check = [str(python), "-c", "import sys; sys.exit(sys.version_info < (3, 10))"]
        return subprocess.run(check, user=SOMEBODY, check=False, capture_output=True).returncode == 0
    return False


@as_root
@pytest.mark.parametrize("home", ["read-only", "none"])
def test_a_user_who_can_write_nowhere_is_served(elsewhere: Path, home: str) -> None:
    variables = {} if home == "none" else {"HOME": str(elsewhere / "home")}
    done = as_somebody(elsewhere, "probe", "--json", **variables)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["schema"].startswith("torchstrap.machine/")
    assert list((elsewhere / "home").iterdir()) == []
    assert list((elsewhere / "temporary").iterdir()) == []


@as_root
@pytest.mark.parametrize("home", ["read-only", "none"])
def test_a_user_without_a_cache_has_an_environment_made(elsewhere: Path, replica: Replica, home: str) -> None:
    project = elsewhere / "project"
    place = Workplace(project, elsewhere / "unused", replica)
    project.mkdir()
    place.write(pyproject("typing-extensions"))
    os.chown(project, SOMEBODY, SOMEBODY)
    told = {name: value for name, value in place.variables().items() if name.startswith(("PIP_", "TORCHSTRAP_"))}
    variables = {**told, "TORCHSTRAP_CACHE_DIR": "", "TORCHSTRAP_PROJECT": str(project)}
    variables |= {} if home == "none" else {"HOME": str(elsewhere / "home")}
    done = as_somebody(elsewhere, "sync", "--json", **variables)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["changed"] is True
    assert json.loads(as_somebody(elsewhere, "sync", "--json", **variables).stdout)["changed"] is False
    assert list((elsewhere / "home").iterdir()) == []
    assert list((elsewhere / "temporary").iterdir()) == []
    assert sorted(each.name for each in project.iterdir()) == [
        ".venv",
        ".venv.generations",
        "pylock.toml",
        "pyproject.toml",
    ]


@as_root
def test_what_somebody_else_unpacked_is_not_run(elsewhere: Path) -> None:
    cache = elsewhere / "temporary" / "cache"
    done = as_somebody(elsewhere, "--version", TORCHSTRAP_CACHE_DIR=str(cache))
    assert done.returncode == 0, done.stderr
    (theirs,) = programs(cache)
    (cache / "programs" / theirs / "bootstrap" / "__init__.py").write_text('__version__ = "evil"\n')
    command = [sys.executable, "-I", str(elsewhere / "torchstrap.pyz"), "--version"]
    ours = subprocess.run(command, env={"TORCHSTRAP_CACHE_DIR": str(cache)}, capture_output=True, text=True, check=True)
    assert "evil" not in ours.stdout
    assert programs(cache) == [theirs, f"{theirs}-0"]


@as_root
def test_what_root_unpacked_serves_everybody_and_what_others_may_change_nobody(elsewhere: Path) -> None:
    cache = elsewhere / "shared"
    command = [sys.executable, "-I", str(elsewhere / "torchstrap.pyz"), "--version"]
    subprocess.run(command, env={"TORCHSTRAP_CACHE_DIR": str(cache)}, check=True, capture_output=True, umask=0o002)
    (name,) = programs(cache)
    place = cache / "programs" / name
    assert place.stat().st_mode & 0o777 == 0o755
    (place / "bootstrap" / "__init__.py").write_text('__version__ = "of the folder"\n')
    assert "of the folder" in as_somebody(elsewhere, "--version", TORCHSTRAP_CACHE_DIR=str(cache)).stdout
    place.chmod(0o777)
    assert "of the folder" not in as_somebody(elsewhere, "--version", TORCHSTRAP_CACHE_DIR=str(cache)).stdout


def test_nothing_is_kept_where_nothing_is_to_be_kept(cold: Workplace, tmp_path: Path) -> None:
    """All of it works out of memory, children that need our modules and virtualenv included."""
    (tmp_path / "temporary").mkdir()
    place = cold.with_variables(TORCHSTRAP_NO_CACHE="1", TMPDIR=str(tmp_path / "temporary"))
    place.write(pyproject("typing-extensions"))
    assert place.sync()["changed"] is True
    assert place.run("run", "--", "python", "-c", "import typing_extensions").returncode == 0
    assert not cold.cache.exists()
    assert list((tmp_path / "temporary").iterdir()) == []


def test_many_at_once_from_cold_unpack_one_whole_program(cold: Workplace) -> None:
    command = [*cold.program, "--version"]
    started = [
        subprocess.Popen(command, env=cold.variables(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for _ in range(8)
    ]
    answers = [each.communicate() for each in started]
    assert {each[0].split()[0] for each in answers} == {"torchstrap"}, answers
    assert [each[1] for each in answers] == [""] * 8
    assert len(programs(cold.cache)) == 1
    assert list((cold.cache / "building").iterdir()) == []


def test_a_kill_while_it_unpacks_leaves_nothing_that_is_run(cold: Workplace) -> None:
    building = cold.cache / "building"
    with subprocess.Popen([*cold.program, "--version"], env=cold.variables(), stdout=subprocess.PIPE) as unpacking:
        while not list(building.glob("*/*")) and unpacking.poll() is None:
            time.sleep(0.001)
        unpacking.send_signal(signal.SIGKILL)
    assert unpacking.returncode == -signal.SIGKILL
    assert programs(cold.cache) == []
    (left,) = (each for each in building.iterdir() if each.is_dir())
    assert cold.run("--version").stdout.startswith("torchstrap ")
    assert len(programs(cold.cache)) == 1
    assert left.exists()
    assert cold.run("cache", "gc").returncode == 0
    assert not left.exists()


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)], ids=["TERM", "INT"])
def test_a_signal_while_it_unpacks_ends_it_and_leaves_nothing(cold: Workplace, number: int, code: int) -> None:
    building = cold.cache / "building"
    started = subprocess.Popen([*cold.program, "--version"], env=cold.variables(), stderr=subprocess.PIPE, text=True)
    with started as unpacking:
        while not list(building.glob("*/*")) and unpacking.poll() is None:
            time.sleep(0.001)
        unpacking.send_signal(number)
        _, said = unpacking.communicate()
    assert unpacking.returncode == code
    assert said.startswith("torchstrap: stopped")
    assert "Traceback" not in said
    assert list(building.iterdir()) == []


def test_what_was_not_used_for_a_month_is_collected(cold: Workplace) -> None:
    assert cold.run("--version").returncode == 0
    (mine,) = programs(cold.cache)
    place, month = cold.cache / "programs", time.time() - 31 * 86400
    for name in ("0123456789abcdef", f"0123456789abcdef-{SOMEBODY}", mine):
        (place / name).mkdir(exist_ok=True)
        os.utime(place / name, (month, month))
    assert cold.run("cache", "gc").returncode == 0  # by using it, this very run has made its own young
    assert programs(cold.cache) == [mine]


@pytest.mark.parametrize("left", [0.001, 0.5, 0.99, 0.9999], ids=["a little", "half", "most", "all but the end"])
def test_a_file_that_did_not_arrive_whole_says_so(pyz: Path, tmp_path: Path, left: float) -> None:
    whole, part = pyz.read_bytes(), tmp_path / "torchstrap.pyz"
    part.write_bytes(whole[: int(len(whole) * left)])
    done = subprocess.run([sys.executable, "-I", part, "sync"], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert re.search("torchstrap.pyz.is.not.complete.*download.it.again", done.stderr)
    assert "Traceback" not in done.stderr


def test_a_damaged_file_is_not_unpacked(cold: Workplace, pyz: Path, tmp_path: Path) -> None:
    spoiled = bytearray(pyz.read_bytes())
    spoiled[len(spoiled) // 2] ^= 1
    (tmp_path / "torchstrap.pyz").write_bytes(spoiled)
    done = replace(cold, program=(sys.executable, "-I", str(tmp_path / "torchstrap.pyz"))).run("--version")
    assert done.returncode == 1
    assert done.stderr.endswith("is damaged (its hash is another than it should be); download it again\n")
    assert not cold.cache.exists()


def imported(place: Workplace, *words: str) -> set[str]:
    done = place.run(*words)
    assert done.returncode == 0, done.stderr
    told = (line.rpartition("|")[2].strip() for line in done.stderr.splitlines() if line.startswith("import time:"))
    return set(told)


@pytest.mark.parametrize("place", ["unpacked", "never unpacked"])
def test_with_nothing_to_do_it_loads_next_to_nothing(cold: Workplace, tmp_path: Path, place: str) -> None:
    cold.write(pyproject("typing-extensions"))
    cold.sync()
    if place == "never unpacked":
        (cold.cache / "programs").rename(tmp_path / "aside")
    nothing = tmp_path / "nothing.pyz"
    with zipfile.ZipFile(nothing, "w") as archive:
        archive.writestr("__main__.py", "")
    timed = (sys.executable, *ALONE, "-X", "importtime")
    bare = imported(replace(cold, program=(*timed, str(nothing))))
    for words in (["sync"], ["run", "--", "true"]):
        ours = imported(replace(cold, program=(*timed, cold.program[-1])), *words)
        assert ours >= LOADER
        assert {name for name in ours - bare if "warnings" not in name} <= LIGHT | OURS | LOADER
    assert (cold.cache / "programs").exists() == (place == "unpacked")


def test_one_stamp_serves_the_file_and_what_is_installed(alone: Workplace) -> None:
    installed = replace(alone, program=(sys.executable, "-m", "bootstrap"))
    alone.write(pyproject("typing-extensions"))
    alone.sync()
    assert installed.run("sync").stderr.startswith("Nothing to do.")
    installed.write(pyproject("typing-extensions", "six"))
    assert installed.sync()["changed"] is True
    assert alone.run("sync").stderr.startswith("Nothing to do.")


@pytest.fixture(scope="module")
def isolated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What `pip install .` puts into an environment of its own, as pipx would."""
    root, venv = Path(__file__).parent.parent.parent, tmp_path_factory.mktemp("isolated") / "venv"
    subprocess.run([sys.executable, "-m", "virtualenv", "--quiet", "--no-seed", str(venv)], check=True)
    pip = [sys.executable, "-m", "pip", "--python", str(venv / "bin" / "python"), "install", "--quiet", str(root)]
    subprocess.run(pip, env={**os.environ, "PIP_DISABLE_PIP_VERSION_CHECK": "1"}, check=True)
    return venv / "bin" / "torchstrap"


def test_however_it_came_it_says_the_same(alone: Workplace, isolated: Path, tmp_path: Path) -> None:
    machine = recorded("linux-x86_64-rtx5090-driver580-cu130", tmp_path)
    ways = {"source": (sys.executable, "-m", "bootstrap"), "pip": (str(isolated),), "pyz": alone.program}
    said = {}
    for way, program in ways.items():
        place = replace(alone, program=program).with_variables(TORCHSTRAP_MACHINE=str(machine))
        place.write(pyproject("torch==2.9.0", "typing-extensions"))
        commands = (["probe"], ["choose"], ["sync", "--no-verify"], ["sync", "--no-verify"], ["verify"], ["doctor"])
        said[way] = [_told(place, each) for each in commands]
        for path in place.folder.iterdir():
            shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
    for source_said, pip_said, pyz_said in zip(said["source"], said["pip"], said["pyz"], strict=True):
        assert pip_said == source_said
        assert pyz_said == source_said
    assert [code for code, _ in said["pyz"]][:4] == [0, 0, 0, 0]


def _told(place: Workplace, words: list[str]) -> tuple[int, object]:
    """The exit code and the document; how long it took is another thing every time."""
    done = place.run(*words, "--json")
    document = json.loads(done.stdout) if done.stdout else {"error": done.stderr}
    return done.returncode, {key: value for key, value in document.items() if key != "phases"}
