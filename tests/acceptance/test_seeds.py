"""The five reports that this project exists for: each as it was filed, against a replica of the indexes.

Every check looks at the environment with that environment's own interpreter, not at what we say of it.
"""

from __future__ import annotations

import itertools
import json
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from packaging.specifiers import SpecifierSet

from bootstrap.environment.discovery import find
from bootstrap.errors import BootstrapError
from tests.acceptance.running import Workplace
from tests.replica import Replica

PROJECTS = Path(__file__).parent.parent / "projects"

# What an environment holds, told by itself: name to version, and torch's own word.
LOOK = """
import json, importlib.metadata as m
found = {}
for d in m.distributions():
    found.setdefault(d.metadata["Name"].lower().replace("_", "-"), []).append(d.version)
try:
    import torch
    says = torch.__version__
except ModuleNotFoundError:
    says = None
print(json.dumps([found, says]))
"""


@dataclass(frozen=True)
class Case:
    """One seed project, and the Python that it is tried with."""

    workplace: Workplace
    python: str

    @property
    def folder(self) -> Path:
        return self.workplace.folder

    def sync(self, *arguments: str) -> Mapping[str, Any]:
        return self.workplace.sync("--python", self.python, *arguments)

    def look(self) -> tuple[dict[str, list[str]], str | None]:
        done = subprocess.run([self.workplace.python, "-I", "-c", LOOK], capture_output=True, text=True, check=True)
        found, says = json.loads(done.stdout)
        return found, says


@pytest.fixture(scope="module")
def replica() -> Iterator[Replica]:
    with Replica() as running:
        yield running


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


def interpreter(minimum: str) -> str:
    """The oldest Python here that the project admits, newest 3.13; skips visibly where there is none."""
    for minor in range(int(minimum.split(".")[1]), 14):
        version = f"3.{minor}"
        if sys.version_info[:2] == (3, minor) or _discover(version):
            return version
    pytest.skip(f"no Python {minimum} or newer on this machine")


def _discover(version: str) -> bool:
    try:
        find(version, SpecifierSet())
    except BootstrapError:
        return False
    return True


@pytest.fixture
def case(request: pytest.FixtureRequest, tmp_path: Path, cache: Path, replica: Replica) -> Case:
    name, minimum = request.param
    folder = tmp_path / name
    shutil.copytree(PROJECTS / name, folder)
    if name.startswith("ultralytics"):
        (folder / "seed_9306.py").write_text("def main() -> None:\n    print('seed')\n")
    return Case(Workplace(folder, cache, replica), interpreter(minimum))


ULTRALYTICS = ("ultralytics-9306", "3.10")
TORCHMETRICS = ("torchmetrics-9640", "3.12")
MULTIPLATFORM = ("multiplatform-9310", "3.11")
ACCELERATE = ("accelerate-9734", "3.12")
SWITCHING = ("switching-16368", "3.13")
on = pytest.mark.parametrize


def assert_one_build(case: Case, local: str | None, outcome: Mapping[str, Any]) -> None:
    """One torch, of the right build, in the words of the environment, of torch, and of our report."""
    found, says = case.look()
    assert all(len(versions) == 1 for versions in found.values()), found
    (version,) = found["torch"]
    reported = {each["name"]: each for each in outcome["packages"]}
    assert reported["torch"]["version"] == version
    assert version.partition("+")[2] == (local or "")
    assert says is not None
    assert says.startswith(version.partition("+")[0])
    if local:
        assert says == version
    if local == "cpu":
        assert not [name for name in found if name.startswith("nvidia-") or name == "triton"]
    assert set(reported) <= set(found)


@on(
    ("case", "extra", "local"),
    [
        (ULTRALYTICS, "cpu", "cpu"),
        (ULTRALYTICS, "cu124", "cu124"),
        (TORCHMETRICS, "cpu", "cpu"),
        (TORCHMETRICS, "cu124", "cu124"),
        (MULTIPLATFORM, "cpu", "cpu"),
        (MULTIPLATFORM, "gpu", None),
        (ACCELERATE, "cpu", "cpu"),
        (ACCELERATE, "cu124", "cu124"),
        (SWITCHING, "cpu", "cpu"),
        (SWITCHING, "cu128", "cu128"),
        (SWITCHING, "pypi", None),
    ],
    indirect=["case"],
)
def test_one_run_gives_the_one_right_build_and_a_second_changes_nothing(
    case: Case, extra: str, local: str | None
) -> None:
    first = case.sync("--extra", extra)
    assert first["changed"] is True
    assert_one_build(case, local, first)
    checked = subprocess.run(
        [sys.executable, "-m", "pip", "--python", str(case.workplace.python), "check"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert checked.returncode == 0, checked.stdout
    before = (case.folder / ".venv").resolve()
    second = case.sync("--extra", extra)
    assert second["changed"] is False
    assert second["packages"] == first["packages"]
    assert (case.folder / ".venv").resolve() == before


@on("case", [SWITCHING], indirect=True)
@on("order", list(itertools.permutations(("cpu", "cu128", "pypi"))), ids="-".join)
def test_after_every_switch_the_installed_torch_is_the_locked_file(case: Case, order: tuple[str, ...]) -> None:
    local = {"cpu": "cpu", "cu128": "cu128", "pypi": None}
    files: dict[str, tuple[str, str, str]] = {}
    for extra in (*order, order[0], order[2]):
        outcome = case.sync("--extra", extra)
        assert_one_build(case, local[extra], outcome)
        torch = next(each for each in outcome["packages"] if each["name"] == "torch")
        assert files.setdefault(extra, (torch["file"], torch["index"], torch["sha256"])) == (
            torch["file"],
            torch["index"],
            torch["sha256"],
        )
    assert len(set(files.values())) == len(files)


@on("case", [TORCHMETRICS], indirect=True)
def test_without_an_extra_the_machine_decides(case: Case) -> None:
    outcome = case.sync()
    assert outcome["choice"]["offer"] in {"cpu", "cu124"}
    assert outcome["choice"]["reason"]
    assert {each["offer"] for each in outcome["choice"]["rejected"]} == {"cpu", "cu124"} - {outcome["choice"]["offer"]}
    assert_one_build(case, outcome["choice"]["offer"], outcome)


@on("case", [ULTRALYTICS], indirect=True)
def test_a_project_with_a_build_system_is_installed_editable(case: Case) -> None:
    case.sync("--extra", "cpu")
    script = case.folder / ".venv" / "bin" / "seed-9306"
    (case.folder / "seed_9306.py").write_text("def main() -> None:\n    print('edited')\n")
    assert subprocess.run([script], capture_output=True, text=True, check=True).stdout == "edited\n"


@on("case", [ACCELERATE], indirect=True)
@on("extra", ["cpu", "cu124"])
def test_the_tree_shows_one_torch_below_accelerate(case: Case, extra: str) -> None:
    case.sync("--extra", extra)
    tree = case.workplace.run("tree").stdout.splitlines()
    below = tree[next(at for at, line in enumerate(tree) if "accelerate" in line) :]
    assert any("torch" in line and f"+{extra}" in line for line in below), tree


@on("case", [TORCHMETRICS], indirect=True)
def test_extras_may_have_any_name_and_an_alias(case: Case) -> None:
    pyproject = case.folder / "pyproject.toml"
    text = pyproject.read_text().replace("cu124 =", "accel =").replace('"cu124"', '"accel"')
    pyproject.write_text(text.replace("accel = [", 'gpu = ["seed-9640[accel]"]\naccel = [', 1))
    assert_one_build(case, "cu124", case.sync("--extra", "gpu"))


@on("case", [TORCHMETRICS], indirect=True)
def test_dependency_groups_are_offers_like_extras(case: Case) -> None:
    pyproject = case.folder / "pyproject.toml"
    text = pyproject.read_text().replace("[project.optional-dependencies]", "[dependency-groups]")
    pyproject.write_text(text.replace("extra =", "group ="))
    assert_one_build(case, "cu124", case.sync("--group", "cu124"))
    assert_one_build(case, "cpu", case.sync("--group", "cpu"))
