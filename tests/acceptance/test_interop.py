"""Locks across tools: ours installed by uv and pip, theirs by us.

The real tools, the newest that the configured index has; where there are none the tests are skipped and say so. They
are only ever sent to the replica.
"""

from __future__ import annotations

import functools
import hashlib
import importlib
import importlib.util
import io
import os
import re
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from bootstrap.environment.interpreter import describe, target
from bootstrap.lock.pylock_read import pins
from tests.acceptance.running import Workplace, pyproject, recorded
from tests.replica import Replica

PROJECTS = Path(__file__).parent.parent / "projects"
OWN_PLATFORM = describe(Path(sys.executable)).platform
OWN_PYTHON = f"{sys.version_info[0]}.{sys.version_info[1]}"
OWN_FILES = re.compile(r"(INSTALLER|RECORD|REQUESTED|direct_url\.json|uv_cache\.json|sboms/.*)$|\.pyc$|^_virtualenv\.")
"""What every installer writes in its own words."""

SETUP = '[build-system]\nrequires = ["setuptools"]\nbuild-backend = "setuptools.build_meta"\n'

Contents = Mapping[str, str]


@functools.cache
def source_distribution(name: str, version: str) -> bytes:
    """One that setuptools builds; the same bytes whenever it is asked for."""
    buffer = io.BytesIO()
    members = {
        "PKG-INFO": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n",
        "pyproject.toml": f'{SETUP}[project]\nname = "{name}"\nversion = "{version}"\n',
        f"{name}.py": "",
    }
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for path, text in members.items():
            member = tarfile.TarInfo(f"{name}-{version}/{path}")
            member.size = len(text)
            archive.addfile(member, io.BytesIO(text.encode()))
    return buffer.getvalue()


@dataclass(frozen=True)
class Tool:
    """Another installer: how it is called, and how it is told which extras and groups of a lock to take."""

    name: str
    command: tuple[str, ...]
    folder: Path
    replica: Replica

    def run(self, *arguments: str | Path, cwd: Path) -> subprocess.CompletedProcess[str]:
        """One command, with nothing of this machine's setup and no index but the replica."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("PIP_", "UV_", "VIRTUAL_"))}
        index = self.replica.default_index
        own = {
            "PIP_CONFIG_FILE": os.devnull,
            "PIP_INDEX_URL": index,
            "PIP_CACHE_DIR": str(self.folder / "pip"),
            "PIP_DISABLE_PIP_VERSION_CHECK": "1",
            "UV_NO_CONFIG": "1",
            "UV_DEFAULT_INDEX": index,
            "UV_CACHE_DIR": str(self.folder / "uv"),
            "UV_PYTHON_DOWNLOADS": "never",
        }
        command = [*self.command, *map(str, arguments)]
        return subprocess.run(
            command, cwd=cwd, env=kept | own, capture_output=True, text=True, timeout=180, check=False
        )

    def install(self, lock: Path, venv: Path, *names: str) -> subprocess.CompletedProcess[str]:
        """Install a lock into an environment; names are extras, or groups if they start with a colon."""
        extras = [name for name in names if not name.startswith(":")]
        groups = [name[1:] for name in names if name.startswith(":")]
        if self.name == "uv":
            chosen = [word for name in extras for word in ("--extra", name)]
            chosen += [word for name in groups for word in ("--group", name)]
            return self.run("pip", "install", "--python", venv, "-r", lock.name, *chosen, cwd=lock.parent)
        chosen = [word for name in groups for word in ("--group", f"{lock.name}:{name}")]
        named = f"{lock.name}[{','.join(extras)}]" if extras else lock.name
        return self.run("--python", venv, "install", "-r", named, *chosen, cwd=lock.parent)


@pytest.fixture(scope="module")
def replica() -> Iterator[Replica]:
    with Replica() as running:
        yield running


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="session")
def tools(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment for the tools, on this machine's own configuration."""
    folder = tmp_path_factory.mktemp("tools") / "venv"
    subprocess.run([sys.executable, "-m", "venv", folder], check=True)
    return folder


def fetched(tools: Path, name: str) -> str:
    """The newest of a tool from the configured index, as a path; skips visibly if it cannot be had."""
    command = [str(tools / "bin" / "python"), "-m", "pip", "install", "-q", "--upgrade", name]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    if done.returncode:
        pytest.skip(f"the configured index gives no {name}: {done.stderr.strip().splitlines()[-1]}")
    return str(tools / "bin" / name)


@pytest.fixture(scope="session")
def uv_command(tools: Path) -> str:
    if importlib.util.find_spec("uv") is not None:  # a person may have it, and nobody has to
        return str(importlib.import_module("uv").find_uv_bin())
    return shutil.which("uv") or fetched(tools, "uv")


@pytest.fixture(scope="session")
def pip_command(tools: Path) -> str:
    command = fetched(tools, "pip")
    said = subprocess.run([command, "install", "--help"], capture_output=True, text=True, check=True).stdout
    if "pylock" not in said:
        pytest.skip(f"the newest pip that there is cannot install from a pylock.toml: {command}")
    return command


@pytest.fixture(params=["uv", "pip"])
def tool(request: pytest.FixtureRequest, cache: Path, replica: Replica) -> Tool:
    return Tool(request.param, (request.getfixturevalue(f"{request.param}_command"),), cache, replica)


def venv(folder: Path) -> Path:
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True)
    return folder


def contents(venv: Path) -> Contents:
    """Every file that packages brought, with its hash."""
    (packages,) = venv.resolve().glob("lib/python*/site-packages")
    found = {str(path.relative_to(packages)): path for path in packages.rglob("*") if path.is_file()}
    return {
        name: hashlib.sha256(path.read_bytes()).hexdigest()
        for name, path in found.items()
        if not OWN_FILES.search(name)
    }


def installed(contents: Contents) -> dict[str, str]:
    """Name to full version, as the folders of the packages say it."""
    found = (re.match(r"([^/]+)-([^/-]+)\.dist-info/METADATA$", name) for name in contents)
    return {match[1].lower().replace("_", "-").replace(".", "-"): match[2] for match in found if match}


@pytest.fixture(scope="module")
def seeds(
    tmp_path_factory: pytest.TempPathFactory, cache: Path, replica: Replica
) -> Callable[[str], tuple[Workplace, dict[str, Contents]]]:
    """A seed, locked once for this Python on all platforms, and what our own sync makes of it for each extra."""
    root = tmp_path_factory.mktemp("seeds")
    made: dict[str, tuple[Workplace, dict[str, Contents]]] = {}

    def seed(name: str) -> tuple[Workplace, dict[str, Contents]]:
        if name not in made:
            text = (PROJECTS / name / "pyproject.toml").read_text()
            (root / name).mkdir()
            place = Workplace(root / name, cache, replica)
            place.write(re.sub(r'requires-python = ".*"', 'requires-python = ">=3.10"', text))
            # Not every platform has builds of these old torches for every Python.
            done = place.run("lock", "--python-version", OWN_PYTHON, "--platform", OWN_PLATFORM)
            assert done.returncode == 0, done.stderr
            made[name] = place, {}
        return made[name]

    return seed


Seeds = Callable[[str], tuple[Workplace, dict[str, Contents]]]
SEEDS = [
    ("torchmetrics-9640", "cpu"),
    ("torchmetrics-9640", "cu124"),
    ("switching-16368", "cpu"),
    ("switching-16368", "cu128"),
    ("switching-16368", "pypi"),
    ("accelerate-9734", "cu124"),
]


@pytest.mark.parametrize(("name", "extra"), SEEDS)
def test_every_extra_of_our_lock_gives_the_files_that_we_install(
    seeds: Seeds, tool: Tool, tmp_path: Path, name: str, extra: str
) -> None:
    place, ours = seeds(name)
    if extra not in ours:
        place.sync("--frozen", "--extra", extra)
        ours[extra] = contents(place.folder / ".venv")
    done = tool.install(place.folder / "pylock.toml", venv(tmp_path / "theirs"), extra)
    assert done.returncode == 0, done.stderr
    theirs = contents(tmp_path / "theirs")
    assert theirs == ours[extra]
    assert "torch" in installed(theirs)


@pytest.mark.parametrize("name", ["torchmetrics-9640", "switching-16368"])
def test_without_an_extra_our_lock_gives_what_is_locked_without_an_offer(
    seeds: Seeds, tool: Tool, tmp_path: Path, name: str
) -> None:
    """No machine is looked at then: what needs torch gets the build of the default index."""
    place, _ = seeds(name)
    lock = place.folder / "pylock.toml"
    done = tool.install(lock, venv(tmp_path / "theirs"))
    assert done.returncode == 0, done.stderr
    expected = {pin.name: str(pin.version) for pin in pins(lock, [], [], target(describe(Path(sys.executable))))}
    assert installed(contents(tmp_path / "theirs")) == expected
    assert "+" not in expected.get("torch", "")


TWICE = {"uv": "Multiple active package entries found for `torch`", "pip": "Multiple packages with the name 'torch'"}


def test_two_extras_that_exclude_each_other_are_refused_by_everybody(seeds: Seeds, tool: Tool, tmp_path: Path) -> None:
    """The standard has no word for "at most one of these": both builds of torch are selected, and that is an error."""
    place, _ = seeds("torchmetrics-9640")
    done = tool.install(place.folder / "pylock.toml", venv(tmp_path / "theirs"), "cpu", "cu124")
    assert done.returncode != 0
    assert TWICE[tool.name] in done.stderr
    assert not contents(tmp_path / "theirs")
    ours = place.run("sync", "--frozen", "--extra", "cpu", "--extra", "cu124")
    assert ours.returncode == 2
    assert "cpu" in ours.stderr
    assert "cu124" in ours.stderr


THREE = """[project.optional-dependencies]
cpu = ["torch"]
cu126 = ["torch"]
pypi = ["torch"]
[tool.uv]
conflicts = [[{ extra = "cpu" }, { extra = "cu126" }, { extra = "pypi" }]]
[tool.uv.sources]
torch = [{ index = "cpu", extra = "cpu" }, { index = "cu126", extra = "cu126" }]
[[tool.uv.index]]
name = "cpu"
url = "https://download.pytorch.org/whl/cpu"
explicit = true
[[tool.uv.index]]
name = "cu126"
url = "https://download.pytorch.org/whl/cu126"
explicit = true
"""


def test_an_offer_of_the_default_index_beside_another_gives_the_other_alone(
    workplace: Workplace, tool: Tool, tmp_path: Path
) -> None:
    """`pypi` is what is locked without an offer too, so its packages are there unless another offer is taken.

    A plain installer that is told both therefore takes the other one, whole, and never two builds of torch.
    """
    workplace.write(pyproject("torch", more=THREE))
    assert workplace.run("lock", "--python-version", OWN_PYTHON).returncode == 0
    for folder, names in (("both", ("cpu", "pypi")), ("one", ("cpu",))):
        done = tool.install(workplace.folder / "pylock.toml", venv(tmp_path / folder), *names)
        assert done.returncode == 0, done.stderr
    assert contents(tmp_path / "both") == contents(tmp_path / "one")
    assert installed(contents(tmp_path / "one"))["torch"].endswith("+cpu")


@pytest.mark.parametrize("unknown", ["cu999", "Cpu"])
def test_an_extra_that_the_lock_does_not_have_is_overlooked_by_the_others(
    seeds: Seeds, tool: Tool, tmp_path: Path, unknown: str
) -> None:
    """Neither tool says so, and a spelling that is not normalized counts as the normalized one; ours is an error."""
    place, _ = seeds("torchmetrics-9640")
    lock = place.folder / "pylock.toml"
    done = tool.install(lock, venv(tmp_path / "theirs"), unknown)
    assert done.returncode == 0, done.stderr
    assert ("+cpu" in installed(contents(tmp_path / "theirs"))["torch"]) is (unknown == "Cpu")
    assert place.run("sync", "--frozen", "--extra", "cu999").returncode == 2


GROUPS = """[dependency-groups]
dev = ["six"]
lint = ["growing"]
"""


def test_groups(workplace: Workplace, tool: Tool, tmp_path: Path) -> None:
    """Default groups come by themselves, with uv only if no other is named."""
    workplace.replica.add_wheel("default", "six", "1.17.0")
    workplace.replica.add_wheel("default", "growing", "1")
    workplace.write(pyproject("typing-extensions", more=GROUPS))
    assert workplace.run("lock", "--python-version", OWN_PYTHON).returncode == 0
    found = []
    for folder, names in (("plain", ()), ("lint", (":lint",)), ("both", (":lint", ":dev"))):
        done = tool.install(workplace.folder / "pylock.toml", venv(tmp_path / folder), *names)
        assert done.returncode == 0, done.stderr
        found.append(set(installed(contents(tmp_path / folder))) - {"typing-extensions"})
    ours = workplace.sync("--frozen", "--group", "lint")["packages"]
    assert {each["name"] for each in ours} - {"typing-extensions"} == {"six", "growing"}
    assert found == [{"six"}, {"growing"} if tool.name == "uv" else {"six", "growing"}, {"six", "growing"}]


def test_uv_pip_sync_takes_our_lock_too(
    seeds: Seeds, cache: Path, replica: Replica, uv_command: str, tmp_path: Path
) -> None:
    place, _ = seeds("torchmetrics-9640")
    tool = Tool("uv", (uv_command,), cache, replica)
    theirs = venv(tmp_path / "theirs")
    for extra in ("cpu", "cu124"):
        words = ("pip", "sync", "--python", theirs, "pylock.toml", "--extra", extra)
        done = tool.run(*words, cwd=place.folder)
        assert done.returncode == 0, done.stderr
        place.sync("--frozen", "--extra", extra)
        assert contents(theirs) == contents(place.folder / ".venv")


LOCAL = """[project.optional-dependencies]
cpu = ["torch"]
[tool.uv.sources]
beside = { path = "../beside" }
linked = { path = "linked", editable = true }
straight = { url = "%s" }
torch = { index = "cpu", extra = "cpu" }
[[tool.uv.index]]
name = "cpu"
url = "https://download.pytorch.org/whl/cpu"
explicit = true
"""


FOLDERS = "Can't verify hashes for these file:// requirements because they point to directories"


def folders(workplace: Workplace) -> None:
    for folder in (workplace.folder.parent / "beside", workplace.folder / "linked"):
        folder.mkdir()
        text = f'[project]\nname = "{folder.name}"\nversion = "3"\n[tool.setuptools]\npy-modules = ["{folder.name}"]\n'
        (folder / "pyproject.toml").write_text(SETUP + text)
        (folder / f"{folder.name}.py").write_text("")


def test_folders_archives_and_source_distributions(workplace: Workplace, tool: Tool, tmp_path: Path) -> None:
    """Relative paths are meant from the lock's folder. pip takes no folder beside what has hashes."""
    folders(workplace)
    address = workplace.replica.add_wheel("default", "straight", "2.0")
    content = source_distribution("sourced", "1.0")
    workplace.replica.add_file("default", "sourced", "1.0", "sourced-1.0.tar.gz", content)
    for asked in (("straight", "sourced"), ("straight", "sourced", "beside", "linked")):
        workplace.write(pyproject(*asked, more=LOCAL % address))
        ours = {each["name"]: each["version"] for each in workplace.sync("--extra", "cpu")["packages"]}
        theirs = venv(tmp_path / f"theirs-{len(asked)}")
        done = tool.install(workplace.folder / "pylock.toml", theirs, "cpu")
        if tool.name == "pip" and "linked" in asked:
            assert FOLDERS in done.stderr
            continue
        assert done.returncode == 0, done.stderr
        assert installed(contents(theirs)) == ours


_WRITTEN = ("--python", sys.executable, "--format", "pylock.toml", "-o", "pylock.toml")


@pytest.fixture
def theirs(request: pytest.FixtureRequest, workplace: Workplace) -> tuple[str, Workplace]:
    """A project with a lock that another tool wrote, and the tool's name."""
    way: str = request.param
    name, replica = way.partition(" ")[0], workplace.replica
    tool = Tool(name, (request.getfixturevalue(f"{name}_command"),), workplace.cache, replica)
    text = (PROJECTS / "torchmetrics-9640" / "pyproject.toml").read_text()
    text = re.sub(r'requires-python = ".*"', 'requires-python = ">=3.10"', text)
    if way == "uv package":
        text = f"{SETUP}{text}[tool.setuptools]\npy-modules = []\n"
    workplace.write(text.replace("https://download.pytorch.org/whl", replica.pytorch))
    (workplace.folder / "torch.in").write_text("torch<2.10\n")
    words: Mapping[str, tuple[str, ...]] = {
        "uv compile": ("pip", "compile", "torch.in", "--default-index", f"{replica.pytorch}/cpu", *_WRITTEN),
        "uv default": ("pip", "compile", "torch.in", *_WRITTEN),
        "uv export": ("export", "--extra", "cu124", *_WRITTEN),
        "uv package": ("export", "--extra", "cu124", *_WRITTEN),
        "pip lock": ("lock", "torch", "--index-url", f"{replica.pytorch}/cpu", "-o", "pylock.toml"),
    }
    python = ("--python", sys.executable) if name == "pip" else ()
    done = tool.run(*python, *words[way], cwd=workplace.folder)
    assert done.returncode == 0, done.stderr
    workplace.write(text)
    return name, workplace


@pytest.mark.parametrize(
    ("theirs", "variant"),
    [("uv compile", "cpu"), ("uv default", None), ("uv export", "cu124"), ("uv package", "cu124"), ("pip lock", "cpu")],
    indirect=["theirs"],
)
def test_a_lock_of_another_tool_is_installed_as_it_is(theirs: tuple[str, Workplace], variant: str | None) -> None:
    author, place = theirs
    lock = place.folder / "pylock.toml"
    before = lock.read_bytes()
    outcome = place.sync("--frozen")
    ours = {each["name"]: each["version"] for each in outcome["packages"]}
    assert f"locked by {author}" in outcome["choice"]["reason"]
    if variant is not None:
        assert outcome["choice"]["variant"] == variant
    else:  # the default index's build, which only its neighbours tell
        assert outcome["choice"]["variant"].startswith("cu") is any(name.startswith("nvidia-") for name in ours)
    expected = {pin.name: str(pin.version) for pin in pins(lock, [], None, target(describe(Path(sys.executable))))}
    assert {**ours, "seed-9640": ""} == {**expected, "seed-9640": ""}
    assert installed(contents(place.folder / ".venv")) == ours
    assert ours.get("seed-9640", "0.1.0") == "0.1.0"
    assert place.sync("--frozen")["changed"] is False
    assert lock.read_bytes() == before


@pytest.mark.parametrize("theirs", ["uv export"], indirect=True)
def test_a_choice_does_not_heed_the_versions_of_another_tool(theirs: tuple[str, Workplace]) -> None:
    _, place = theirs
    done = place.run("choose")
    assert done.returncode == 0, done.stderr
    assert "pylock.toml was not written by torchstrap" in done.stdout + done.stderr


@pytest.mark.parametrize("theirs", ["uv export"], indirect=True)
@pytest.mark.parametrize("command", ["sync", "lock"])
def test_a_lock_of_another_tool_is_not_overwritten(theirs: tuple[str, Workplace], command: str) -> None:
    _, place = theirs
    lock = place.folder / "pylock.toml"
    before = lock.read_bytes()
    done = place.run(command)
    assert done.returncode == 65
    assert "written by uv" in done.stderr
    assert "sync --frozen" in done.stderr
    assert "torchstrap lock" in done.stderr
    assert lock.read_bytes() == before
    assert not (place.folder / ".venv").exists()


@pytest.mark.parametrize("theirs", ["uv export"], indirect=True)
@pytest.mark.parametrize(
    ("words", "code", "sentence"),
    [
        (("--extra", "cpu"), 2, "has no extra 'cpu'"),
        (("--group", "dev"), 2, "has no group 'dev'"),
        (("--variant", "cpu"), 2, "not the variant cpu"),
        (("--require", "gpu"), 1, "a gpu is required"),
    ],
    ids=["extra", "group", "variant", "gpu"],
)
def test_a_lock_of_another_tool_has_one_choice_only(
    theirs: tuple[str, Workplace], tmp_path: Path, words: tuple[str, ...], code: int, sentence: str
) -> None:
    _, place = theirs
    machine = recorded("linux-x86_64-pod-without-gpu-cpu", tmp_path)
    done = place.with_variables(TORCHSTRAP_MACHINE=str(machine)).run("sync", "--frozen", *words)
    assert done.returncode == code, done.stderr
    assert sentence in done.stderr
    assert "uv" in done.stderr
    assert not (place.folder / ".venv").exists()


@pytest.mark.parametrize(
    ("theirs", "machine", "words"),
    [
        ("uv compile", "linux-x86_64-rtx4090-driver595-cu130", "will have nothing to do"),
        ("uv export", "linux-x86_64-pod-without-gpu-cpu", "taken because pylock.toml, locked by uv"),
    ],
    indirect=["theirs"],
    ids=["a CPU build on a GPU", "a CUDA build without a GPU"],
)
def test_a_lock_of_another_tool_is_judged(
    theirs: tuple[str, Workplace], tmp_path: Path, machine: str, words: str
) -> None:
    _, place = theirs
    found = recorded(machine, tmp_path)
    outcome = place.with_variables(TORCHSTRAP_MACHINE=str(found)).sync("--frozen", "--no-verify")
    assert any(words in warning for warning in outcome["warnings"]), outcome["warnings"]


@pytest.mark.parametrize("theirs", ["uv export", "pip lock"], indirect=True)
def test_a_lock_of_another_tool_may_be_named(theirs: tuple[str, Workplace]) -> None:
    """As pip's `-r`: no project is needed, and none is installed."""
    author, place = theirs
    (place.folder / "pylock.toml").rename(place.folder / "pylock.theirs.toml")
    (place.folder / "pyproject.toml").unlink()
    outcome = place.sync("-r", "pylock.theirs.toml")
    assert f"pylock.theirs.toml, locked by {author}" in outcome["choice"]["reason"]
    assert place.sync("-r", "pylock.theirs.toml")["changed"] is False
    assert place.run("lock", "-r", "pylock.theirs.toml").returncode == 2
    assert place.run("sync", "-r", "pylock.theirs.toml", "-r", "torch.in").returncode == 2
    assert not (place.folder / "pylock.toml").exists()


def test_a_lock_of_ours_that_is_named_needs_no_project(seeds: Seeds, tmp_path: Path) -> None:
    """Its offers are chosen from for the machine, as those of the project would be."""
    place, _ = seeds("torchmetrics-9640")
    alone = Workplace(tmp_path / "alone", place.cache, place.replica)
    alone.folder.mkdir()
    shutil.copy(place.folder / "pylock.toml", alone.folder)
    for extra in ("cpu", "cu124"):
        outcome = alone.sync("-r", "pylock.toml", "--extra", extra)
        assert outcome["choice"]["reason"] == "it was asked for"
        assert outcome["packages"] == place.sync("--frozen", "--extra", extra)["packages"]
    machine = str(recorded("linux-x86_64-pod-without-gpu-cpu", tmp_path))
    chosen = alone.with_variables(TORCHSTRAP_MACHINE=machine).sync("-r", "pylock.toml")["choice"]
    assert chosen["offer"] == "cpu"
    assert [each["offer"] for each in chosen["rejected"]] == ["cu124"]
    for words, sentence in (
        (("--extra", "cpu", "--extra", "cu124"), "exclude each other"),
        (("--extra", "cu999"), "cu999"),
        (("--variant", "xpu"), "has no variant xpu"),
    ):
        done = alone.run("sync", "-r", "pylock.toml", *words)
        assert done.returncode == 2
        assert sentence in done.stderr


def test_a_named_lock_that_is_not_there(workplace: Workplace) -> None:
    done = workplace.run("sync", "-r", "pylock.none.toml")
    assert done.returncode == 65
    assert "pylock.none.toml" in done.stderr
