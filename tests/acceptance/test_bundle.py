"""One file for machines without internet: made where there is a network, installed where there is none."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from bootstrap.bundle.manifest import FILE
from bootstrap.project.settings import default_index
from tests import standalones
from tests.acceptance.running import Workplace, pyproject, recorded
from tests.bundle.serving import served
from tests.replica import Replica
from tests.repositories import Repo, project_files
from tests.sdists import plain
from tests.torture.mounts import kinds, mounted

GPU = "linux-x86_64-rtx5090-driver580-cu130"
NO_GPU = "linux-x86_64-laptop-intel-graphics-cpu"
OLD_DRIVER = "linux-x86_64-2xh100-driver535-cu126"
MINOR = f"3.{sys.version_info[1]}"
NAMESPACE = ("unshare", "--net")
NOWHERE = f"https://download.pytorch.org/whl=http://127.0.0.1:9/whl {default_index()}=http://127.0.0.1:9/simple"


def _can_be_alone() -> bool:
    try:
        return subprocess.run([*NAMESPACE, "true"], capture_output=True, check=False).returncode == 0
    except OSError:
        return False


needs_namespace = pytest.mark.skipif(not _can_be_alone(), reason="a network namespace cannot be made here")


@dataclass(frozen=True)
class Lab:
    """What an administrator has made: two bundles, and the folder that the first unpacks to; the indexes are gone."""

    folder: Path
    place: Workplace
    made: Mapping[str, Any]
    requests: int

    @property
    def bundle(self) -> Path:
        return self.folder / "lab.bundle"

    @property
    def unpacked(self) -> Path:
        return self.folder / "unpacked"


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Lab:
    """A project that says `torch`, bundled for cpu and cu130, twice and from two caches."""
    folder = tmp_path_factory.mktemp("lab")
    (folder / "project").mkdir()
    with Replica() as replica:
        replica.add_wheel("default", "hefty", "1", files={"hefty.bin": os.urandom(3_000_000)})
        place = Workplace(folder / "project", folder / "cache", replica)
        place.write(pyproject("torch==2.9.0", "hefty", more='[project.optional-dependencies]\nplot = ["numpy"]\n'))
        program = folder / "program.zip"
        with zipfile.ZipFile(program, "w") as archive:
            archive.writestr("__main__.py", "print('here')\n")
        words = ("bundle", "--json", "--variants", "cpu,cu130", "--program", str(program), "-o")
        done = place.run(*words, "../lab.bundle")
        assert done.returncode == 0, done.stderr
        (folder / "other").mkdir()
        shutil.copy(place.folder / "pylock.toml", folder / "other")
        shutil.copy(place.folder / "pyproject.toml", folder / "other")
        again = replace(place, folder=folder / "other", cache=folder / "other-cache").run(*words, "../again.bundle")
        assert again.returncode == 0, again.stderr
        before = len(replica.requests)
        third = place.run(*words, "../third.bundle")
        assert third.returncode == 0, third.stderr
        requests = len(replica.requests) - before
    (folder / "unpacked").mkdir()
    subprocess.run(["tar", "-xf", folder / "lab.bundle", "-C", folder / "unpacked"], check=True)
    return Lab(folder, place.with_variables(TORCHSTRAP_MIRRORS=NOWHERE), json.loads(done.stdout), requests)


def host(lab: Lab, folder: Path, machine: str) -> Workplace:
    """Another machine: a folder and a cache of its own, and nothing to be reached."""
    (folder / "here").mkdir(parents=True)
    environ = {"TORCHSTRAP_MIRRORS": NOWHERE, "TORCHSTRAP_MACHINE": str(recorded(machine, folder))}
    return Workplace(folder / "here", folder / "cache", lab.place.replica, environ)


def alone(place: Workplace, *words: str) -> subprocess.CompletedProcess[str]:
    """A command of ours in a network namespace that has nothing, not even a loopback."""
    return subprocess.run(
        [*NAMESPACE, sys.executable, "-m", "bootstrap", *words],
        cwd=place.folder,
        env=place.variables(),
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )


def torch_of(place: Workplace) -> str:
    """What the installed torch says of itself."""
    done = subprocess.run(
        [place.python, "-I", "-c", "import torch; print(torch.__version__)"], capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


def offset_of(bundle: Path, path: str) -> int:
    """Where a file begins in the archive."""
    with tarfile.open(bundle) as archive:
        return archive.getmember(path).offset_data


def left_in(place: Workplace) -> list[str]:
    """What is in the folder of a host, and the wheels in its store."""
    return [
        each.name
        for each in (*place.folder.iterdir(), *place.cache.glob("wheels/*/*"), *place.cache.glob("incoming/*"))
    ]


# --- made


def test_says_what_it_made(lab: Lab) -> None:
    import hashlib  # noqa: PLC0415

    made = lab.made
    assert made["schema"] == "torchstrap.bundle-made/1"
    assert made["sha256"] == hashlib.sha256(lab.bundle.read_bytes()).hexdigest()
    assert made["size"] == lab.bundle.stat().st_size
    assert made["variants"] == ["cpu", "cu130"]
    assert made["cells"] == [{"offer": each, "python": MINOR, "platform": "linux_x86_64"} for each in ("cpu", "cu130")]
    assert made["program"] is True
    assert sorted(each.name for each in lab.folder.glob("*.bundle")) == ["again.bundle", "lab.bundle", "third.bundle"]
    assert not list(lab.folder.glob(".*")), "nothing half-done is left beside it"


def test_is_the_same_to_the_byte_whoever_makes_it(lab: Lab) -> None:
    assert (lab.folder / "again.bundle").read_bytes() == lab.bundle.read_bytes()


def test_a_second_one_fetches_nothing(lab: Lab) -> None:
    assert (lab.folder / "third.bundle").read_bytes() == lab.bundle.read_bytes()
    assert lab.requests == 0


def test_every_wheel_is_in_it_once_and_the_program_can_be_taken_out(lab: Lab) -> None:
    names = [each.name for each in lab.unpacked.rglob("*.whl")]
    assert len(names) == len(set(names))
    assert {name.split("-")[1] for name in names if name.startswith("torch-")} == {"2.9.0+cpu", "2.9.0+cu130"}
    done = subprocess.run(["tar", "-xOf", lab.bundle, "torchstrap.pyz"], capture_output=True, check=True)
    assert done.stdout == (lab.folder / "program.zip").read_bytes()
    assert (lab.unpacked / "project" / "pylock.toml").read_bytes() == (lab.place.folder / "pylock.toml").read_bytes()


# --- installed


@needs_namespace
@pytest.mark.parametrize(
    ("machine", "form", "variant"),
    [(GPU, "bundle", "cu130"), (NO_GPU, "unpacked", "cpu")],
    ids=["file, GPU", "folder, no GPU"],
)
def test_each_machine_takes_what_it_can_run_without_any_network(
    lab: Lab, tmp_path: Path, machine: str, form: str, variant: str
) -> None:
    place = host(lab, tmp_path, machine)
    words = ("sync", "--json", "--bundle", str(getattr(lab, form)))
    done = alone(place, *words)
    assert done.returncode == 0, done.stderr
    outcome = json.loads(done.stdout)
    assert outcome["choice"]["variant"] == variant
    assert outcome["warnings"] == []
    assert torch_of(place) == f"2.9.0+{variant}"
    (torch,) = (each for each in outcome["packages"] if each["name"] == "torch")
    assert torch["index"] == f"https://download.pytorch.org/whl/{variant}"
    assert [each.name for each in place.folder.iterdir() if "venv" not in each.name] == []
    again = alone(place, "sync", "--bundle", str(getattr(lab, form)))
    assert (again.returncode, again.stderr.startswith("Nothing to do. ")) == (0, True)
    verified = alone(place, "verify")
    assert verified.returncode == 0, verified.stderr


@pytest.mark.parametrize("path", ["lab.bundle", "unpacked/", "unpacked"])
def test_a_server_in_the_lab_will_do(lab: Lab, tmp_path: Path, path: str) -> None:
    place = host(lab, tmp_path, NO_GPU)
    with served(lab.folder) as server:
        first = place.sync("--bundle", f"{server.url}{path}")
        count = len(server.asked)
        second = place.sync("--bundle", f"{server.url}{path}")
        again = [each.path for each in server.asked[count:]]
    assert (first["changed"], first["choice"]["variant"], second["changed"]) == (True, "cpu", False)
    assert not any(each.endswith(".whl") for each in again)
    assert torch_of(place) == "2.9.0+cpu"


def test_what_broke_off_is_gone_on_with(lab: Lab, tmp_path: Path) -> None:
    place = host(lab, tmp_path, NO_GPU)
    document = json.loads((lab.unpacked / FILE).read_bytes())
    (hefty,) = (each for each in document["files"] if each["path"].endswith("hefty-1-py3-none-any.whl"))
    with served(lab.folder, lasts=2_000_000) as server:
        command = [sys.executable, "-m", "bootstrap", "sync", "--bundle", f"{server.url}lab.bundle"]
        running = subprocess.Popen(command, cwd=place.folder, env=place.variables(), stderr=subprocess.DEVNULL)
        assert server.silent.wait(60)
        part = place.cache / "incoming" / f"{hefty['sha256']}.part"
        arrived = 0
        while arrived < 500_000:
            arrived = part.stat().st_size if part.exists() else 0
            assert running.poll() is None
        running.send_signal(signal.SIGKILL)
        running.wait()
        arrived = part.stat().st_size
    with served(lab.folder) as server:
        place.sync("--bundle", f"{server.url}lab.bundle")
        starts = [each.start for each in server.asked if each.start is not None]
    offset = offset_of(lab.bundle, hefty["path"])
    assert offset + arrived in starts
    assert offset not in starts


def test_the_store_and_other_environments_share_what_came_from_a_bundle(lab: Lab, tmp_path: Path) -> None:
    place = host(lab, tmp_path, NO_GPU)
    place.with_variables(TORCHSTRAP_BUNDLE=str(lab.bundle)).sync()
    with served(lab.folder) as server:
        place.sync("--bundle", f"{server.url}unpacked/", "--venv", "other")
        assert not any(each.path.endswith(".whl") for each in server.asked)


# --- what it lacks


def test_a_bundle_without_the_variant_that_is_needed_says_which_and_what_it_has(lab: Lab, tmp_path: Path) -> None:
    place = host(lab, tmp_path, OLD_DRIVER)
    done = place.run("sync", "--bundle", str(lab.bundle))
    assert done.returncode == 1
    for words in (
        "has no cu128",
        "2 x NVIDIA H100",
        f"It has cpu, cu130 for Python {MINOR}",
        "--variants cpu,cu130,cu128",
    ):
        assert words in done.stderr
    assert left_in(place) == []
    asked = json.loads(place.run("sync", "--dry-run", "--json", "--variant", "cpu", "--bundle", str(lab.bundle)).stdout)
    assert asked["choice"]["variant"] == "cpu"
    assert any("will have nothing to do" in each for each in asked["warnings"])


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("--variant", "cu128"), ("has no cu128", "it has cpu, cu130")),
        (("--extra", "plot"), ("has no wheel of numpy", "make one that has it, or ask for less")),
        (("--extra", "nothing"), ("nothing",)),
        (("--require", "gpu"), ("a gpu is required",)),
    ],
    ids=["variant", "extra", "unknown extra", "gpu"],
)
def test_what_is_not_in_it_is_named(lab: Lab, tmp_path: Path, words: tuple[str, ...], says: tuple[str, ...]) -> None:
    place = host(lab, tmp_path, NO_GPU)
    done = place.run("sync", "--bundle", str(lab.bundle), *words)
    assert done.returncode in {1, 2}
    for each in says:
        assert each in done.stderr
    assert left_in(place) == []


def test_what_runs_but_is_not_meant_for_a_machine_is_taken_with_a_warning(lab: Lab, tmp_path: Path) -> None:
    place = host(lab, tmp_path, NO_GPU)
    document = json.loads((lab.unpacked / FILE).read_bytes())
    document["cells"] = [each for each in document["cells"] if each["offer"] == "cu130"]
    document["offers"] = [each for each in document["offers"] if each["name"] == "cu130"]
    shutil.copytree(lab.unpacked, tmp_path / "gpus", symlinks=True)
    (tmp_path / "gpus" / FILE).write_text(json.dumps(document))
    outcome = place.sync("--dry-run", "--bundle", str(tmp_path / "gpus"))
    assert outcome["choice"]["variant"] == "cu130", "it computes on the CPU, too"
    (warning,) = outcome["warnings"]
    assert "has no cpu, which would be first here" in warning


@pytest.mark.parametrize(
    ("change", "says"),
    [({"platform": "macos_arm64"}, ("is for macos_arm64", "--platform linux_x86_64")), ({"python": "3.9"}, ("3.9",))],
    ids=["platform", "Python"],
)
def test_a_bundle_for_other_machines_says_for_which(
    lab: Lab, tmp_path: Path, change: dict[str, str], says: tuple[str, ...]
) -> None:
    place = host(lab, tmp_path, NO_GPU)
    document = json.loads((lab.unpacked / FILE).read_bytes())
    document["cells"] = [{**each, **change} for each in document["cells"]]
    shutil.copytree(lab.unpacked, tmp_path / "others")
    (tmp_path / "others" / FILE).write_text(json.dumps(document))
    done = place.run("sync", "--python", sys.executable, "--bundle", str(tmp_path / "others"))
    assert done.returncode == 1
    for each in says:
        assert each in done.stderr


# --- damaged


def _bit(bundle: Path, document: Mapping[str, Any]) -> None:
    (torch,) = (each for each in document["files"] if "torch-2.9.0+cpu" in each["path"] and each["kind"] == "wheel")
    content = bytearray(bundle.read_bytes())
    content[offset_of(bundle, torch["path"]) + 100] ^= 1
    bundle.write_bytes(content)


def _cut(bundle: Path, _: Mapping[str, Any]) -> None:
    bundle.write_bytes(bundle.read_bytes()[:2_000_000])


def _newer(bundle: Path, _: Mapping[str, Any]) -> None:
    bundle.write_bytes(bundle.read_bytes().replace(b"torchstrap.bundle/1", b"torchstrap.bundle/2", 1))


def _escaping(bundle: Path, _: Mapping[str, Any]) -> None:
    bundle.write_bytes(bundle.read_bytes().replace(b'"wheels/hefty-1-', b'"../eels/hefty-1-', 1))


def _page(bundle: Path, _: Mapping[str, Any]) -> None:
    bundle.write_text("<!DOCTYPE html>\n<title>Log in</title>\n")


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (_bit, ("torch-2.9.0+cpu", "is damaged", "copy the bundle again")),
        (_cut, ("is cut off", "go on with the copy")),
        (_newer, ("format 2", "update torchstrap")),
        (_escaping, ("leads out of the bundle",)),
        (_page, ("is no bundle",)),
    ],
)
def test_a_damaged_bundle_is_refused_and_nothing_is_left(
    lab: Lab, tmp_path: Path, spoil: Any, says: tuple[str, ...]
) -> None:
    place = host(lab, tmp_path, NO_GPU)
    copy = tmp_path / "copy.bundle"
    shutil.copy(lab.bundle, copy)
    spoil(copy, json.loads((lab.unpacked / FILE).read_bytes()))
    done = place.run("sync", "--bundle", str(copy))
    assert done.returncode == 65, done.stderr
    for each in (*says, str(copy)):
        assert each in done.stderr
    assert "Traceback" not in done.stderr
    assert not (place.folder / ".venv").exists()
    assert not list(place.folder.glob(".venv.generations/[!.]*/"))
    assert not any("torch" in path.read_text() for path in place.cache.glob("wheels/*/*/wheel.json"))
    assert place.run("sync", "--bundle", str(tmp_path / "nothing")).returncode == 65


# --- beside a project


def _clone(lab: Lab, place: Workplace, **changes: tuple[str, str]) -> None:
    for name in ("pyproject.toml", "pylock.toml"):
        text = (lab.place.folder / name).read_text()
        before, after = changes.get(name.partition(".")[0], ("", ""))
        (place.folder / name).write_text(text.replace(before, after) if before else text)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"pylock": ("2.9.0+cpu", "2.8.0+cpu")}, ("does not agree", "torch 2.8.0+cpu", "torch 2.9.0+cpu")),
        ({"pyproject": ('name = "minimal"', 'name = "other"')}, ("is the bundle of minimal", "other")),
    ],
    ids=["another lock", "another project"],
)
def test_a_project_that_does_not_agree_is_told(
    lab: Lab, tmp_path: Path, changes: dict[str, tuple[str, str]], says: tuple[str, ...]
) -> None:
    place = host(lab, tmp_path, NO_GPU)
    _clone(lab, place, **changes)
    done = place.run("sync", "--bundle", str(lab.bundle))
    assert done.returncode == 65
    for each in says:
        assert each in done.stderr
    assert sorted(each.name for each in place.folder.iterdir()) == ["pylock.toml", "pyproject.toml"]


# --- what has to be built


@needs_namespace
def test_what_has_to_be_built_was_built_before(tmp_path: Path) -> None:
    repo = Repo.made(tmp_path / "repo", project_files("gitty", "1"))
    (tmp_path / "beside").mkdir()
    for name, text in project_files("beside", "3").items():
        (tmp_path / "beside" / name).write_text(text)
    wants = f'dependencies = ["torch==2.9.0", "plainly", "beside", "bird", "gitty @ git+{repo.folder.as_uri()}"]'
    files = project_files("mine", "0.1", wants)
    files["pyproject.toml"] += (
        '\n[tool.uv.workspace]\nmembers = ["packages/*"]\n[tool.uv.sources]\nbird = {workspace = true}\n'
        'beside = {path = "../beside", editable = true}\n'
    )
    files |= {f"packages/bird/{name}": text for name, text in project_files("bird", "2").items()}
    with Replica() as replica:
        replica.add_file("default", "plainly", "1", "plainly-1.tar.gz", plain("plainly"))
        made = Workplace(tmp_path / "project", tmp_path / "cache", replica)
        (made.folder / "packages" / "bird").mkdir(parents=True)
        for name, text in files.items():
            (made.folder / name).write_text(text)
        done = made.run("bundle", "--variants", "cpu", "-o", str(tmp_path / "lab.bundle"))
        assert done.returncode == 0, done.stderr
        elsewhere = ("--platform", "macos_arm64", "-o", str(tmp_path / "mac.bundle"))
        refused = made.run("bundle", "--variants", "cpu", *elsewhere)
        assert refused.returncode == 1
        assert "would have to be built" in refused.stderr
        assert "macos_arm64" in refused.stderr
        assert not (tmp_path / "mac.bundle").exists()
    lab = Lab(tmp_path, made, {}, 0)
    for name in ("alone", "clone"):
        place = host(lab, tmp_path / name, NO_GPU).with_variables(PATH="/nonexistent")
        for file in (*files, "pylock.toml") if name == "clone" else ():
            (place.folder / file).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(made.folder / file, place.folder / file)
        done = subprocess.run(
            [shutil.which("unshare") or "", "--net", sys.executable, "-m", "bootstrap", "sync", "--bundle", lab.bundle],
            cwd=place.folder,
            env=place.variables(),
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        assert "was made for another" not in done.stderr
        code = "import gitty, plainly, beside, bird, mine, torch; print(mine.__file__, bird.__file__)"
        said = subprocess.run([place.python, "-I", "-c", code], capture_output=True, text=True, check=True)
        files_of_them = said.stdout.split()
        assert all(each.startswith(str(place.folder)) for each in files_of_them)
        assert all(("site-packages" in each) == (name == "alone") for each in files_of_them)


# --- other tools


def test_pip_finds_each_build_on_its_own_index(lab: Lab, tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-m", "virtualenv", "-q", tmp_path / "venv"], check=True)
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PIP_")}
    environ = {**kept, "PIP_CONFIG_FILE": os.devnull, "PIP_NO_CACHE_DIR": "1", "PIP_DISABLE_PIP_VERSION_CHECK": "1"}

    def pip(index: str, *words: str) -> subprocess.CompletedProcess[str]:
        command = [str(tmp_path / "venv" / "bin" / "python"), "-m", "pip", "install", "--index-url", index, *words]
        return subprocess.run(command, env=environ, capture_output=True, text=True, check=False)

    with served(lab.unpacked) as server:
        for variant in ("cpu", "cu130"):
            target = tmp_path / variant
            more = ("--no-deps",) if variant == "cu130" else ()
            done = pip(f"{server.url}variants/{variant}/simple/", "torch", "--target", str(target), *more)
            assert done.returncode == 0, done.stderr
            assert [each.name for each in target.glob("torch-*")] == [f"torch-2.9.0+{variant}.dist-info"]
        assert any(each.path.endswith(".metadata") for each in server.asked), "it read the metadata beside the wheels"
        assert pip(f"{server.url}simple/", "torch", "--target", str(tmp_path / "none")).returncode != 0


@pytest.mark.skipif(shutil.which("uv") is None, reason="there is no uv here")
def test_uv_finds_each_build_on_its_own_index(lab: Lab, tmp_path: Path) -> None:
    environ = {**os.environ, "UV_NO_CONFIG": "1", "UV_NO_CACHE": "1"}
    with served(lab.unpacked) as server:
        index = f"{server.url}variants/cpu/simple/"
        command = ["uv", "pip", "install", "--index-url", index, "torch", "--target", str(tmp_path / "cpu")]
        subprocess.run(command, env=environ, check=True, capture_output=True)
    assert [each.name for each in (tmp_path / "cpu").glob("torch-*")] == ["torch-2.9.0+cpu.dist-info"]


# --- what goes wrong while it is made


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (("-o", "x.bundle", "--variants", "gpu4"), 2, ("--variants gpu4", "it has cpu")),
        (("-o", "."), 2, ("is a folder",)),
        ((), 2, ("-o FILE",)),
        (("-o", "x.bundle", "--program", "pyproject.toml"), 65, ("torchstrap.pyz", "pyproject.toml")),
        (("-o", "x.bundle", "--with-python", "nothing.tar.gz"), 65, ("nothing.tar.gz",)),
        (("-o", "x.bundle", "--frozen", "--python-version", "3.13", "--platform", "windows_x86_64"), 1, ("3.13",)),
    ],
    ids=["variant", "folder", "nowhere", "program", "interpreter", "frozen"],
)
def test_words_that_do_not_fit(lab: Lab, words: tuple[str, ...], code: int, says: tuple[str, ...]) -> None:
    before = sorted(lab.place.folder.iterdir())
    done = lab.place.run("bundle", *words)
    assert done.returncode == code, done.stderr
    for each in says:
        assert each in done.stderr
    assert sorted(lab.place.folder.iterdir()) == before


@pytest.mark.skipif("tmpfs" not in kinds(), reason="no file system can be made here")
def test_a_full_disk_is_noticed_before_and_leaves_nothing(lab: Lab, tmp_path: Path) -> None:
    with mounted(tmp_path, "tmpfs", 2) as small:
        done = lab.place.run("bundle", "--variants", "cpu", "-o", str(small / "lab.bundle"))
        assert done.returncode == 73
        assert "name a place on another disk with -o" in done.stderr
        assert list(small.iterdir()) == []
        subprocess.run(["mount", "-o", "remount,size=64m,nr_inodes=2", small], check=True)
        done = lab.place.run("bundle", "--variants", "cpu", "-o", str(small / "lab.bundle"))
        assert done.returncode == 73, "there is room, but no file can be made any more"
        assert "is full" in done.stderr
        assert list(small.iterdir()) == []


def test_interpreters_are_carried_along(lab: Lab, tmp_path: Path) -> None:
    archive = tmp_path / "cpython-3.13.0-x86_64-unknown-linux-gnu.tar.gz"
    archive.write_bytes(b"an interpreter")
    output = tmp_path / "lab.bundle"
    done = lab.place.run("bundle", "--variants", "cpu", "--with-python", str(archive), "-o", str(output))
    assert done.returncode == 0, done.stderr
    said = subprocess.run(["tar", "-xOf", output, f"pythons/{archive.name}"], capture_output=True, check=True)
    assert said.stdout == b"an interpreter"


@needs_namespace
def test_an_interpreter_comes_along_and_is_installed_where_none_fits(lab: Lab, tmp_path: Path) -> None:
    archive = standalones.python()
    build = standalones.made(standalones.ANOTHER, archive)
    mirror = tmp_path / "mirror" / build.release
    mirror.mkdir(parents=True)
    (mirror / build.filename).write_bytes(archive)
    table = str(standalones.table(tmp_path, build))
    maker = lab.place.with_variables(
        TORCHSTRAP_PYTHON_TABLE=table, TORCHSTRAP_PYTHON_MIRROR=mirror.parent.as_uri(), TORCHSTRAP_NO_VERIFY="1"
    )
    done = maker.run("bundle", "--variants", "cpu", "--with-python", "-o", str(tmp_path / "lab.bundle"))
    assert done.returncode == 0, done.stderr
    place = host(lab, tmp_path / "host", NO_GPU).with_variables(
        TORCHSTRAP_PYTHON_TABLE=table, TORCHSTRAP_PYTHON_DIR=str(tmp_path / "pythons")
    )
    words = ("sync", "--python", standalones.ANOTHER, "--bundle", str(tmp_path / "lab.bundle"))
    done = alone(place, *words, "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["python"] == standalones.ANOTHER
    assert [each.name for each in (tmp_path / "pythons").glob("cpython*")] == [build.folder]
    assert alone(place, *words).stderr.startswith("Nothing to do. ")
