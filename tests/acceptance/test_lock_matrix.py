"""One lock for every machine: the five reports locked for all Pythons and platforms, and what `sync` makes of it."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from packaging.specifiers import SpecifierSet

from bootstrap.commands.locks.environments import USUAL
from bootstrap.environment.discovery import find
from bootstrap.environment.interpreter import describe
from bootstrap.errors import BootstrapError
from bootstrap.lock.model import Lock
from bootstrap.lock.pylock_read import document as read_document
from bootstrap.lock.pylock_read import lock_of, pins, read, select
from bootstrap.project.settings import default_index
from bootstrap.resolver import targets
from bootstrap.resolver.resolution import Resolution, Target
from tests.acceptance.running import Workplace, pyproject, recorded
from tests.replica import Replica

PROJECTS = Path(__file__).parent.parent / "projects"
SEEDS = ("accelerate-9734", "multiplatform-9310", "switching-16368", "torchmetrics-9640", "ultralytics-9306")
OWN_PYTHON = f"{sys.version_info[0]}.{sys.version_info[1]}"
OWN_PLATFORM = describe(Path(sys.executable)).platform
NOBODY = "http://127.0.0.1:9"
FILES_OF = {"linux": "linux", "macos": "macosx_", "windows": "win_"}
THREE = """requires-python = ">=3.10"
[project.optional-dependencies]
cpu = ["torch"]
cu126 = ["torch"]
new = ["six==1.17.0"]
old = ["six==1.16.0"]
[tool.uv]
conflicts = [[{ extra = "cpu" }, { extra = "cu126" }], [{ extra = "new" }, { extra = "old" }]]
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


@pytest.fixture(scope="module")
def replica() -> Iterator[Replica]:
    with Replica() as running:
        running.add_wheel("default", "six", "1.16.0")
        running.add_wheel("default", "six", "1.17.0")
        yield running


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Pages name the port of the replica that they come from, so another replica needs another cache."""
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="module")
def seeds(tmp_path_factory: pytest.TempPathFactory, replica: Replica) -> dict[str, Workplace]:
    """All five, locked for everything."""
    root = tmp_path_factory.mktemp("seeds")
    found = {}
    for name in SEEDS:
        shutil.copytree(PROJECTS / name, root / name)
        found[name] = Workplace(root / name, root / "cache", replica)
        (root / name / "seed_9306.py").write_text("def main() -> None: ...\n")
        done = found[name].run("lock")
        assert done.returncode == 0, done.stderr
    return found


def target_of(resolution: Resolution, lock: Lock) -> Target:
    where = targets.platform(resolution.target.platform)
    return targets.target(resolution.target.python, where, lock.requires_python)


def selection_of(resolution: Resolution) -> list[str]:
    return [name for name in (resolution.offer, *(each.partition(":")[2] for each in resolution.also)) if name]


def torch_in(lock: Lock, offer: str, python: str, platform: str) -> str:
    """The torch of one resolution; "" where it has none or there is none."""
    for each in lock.resolutions:
        if (each.offer, each.target.python, each.target.platform) == (offer, python, platform):
            return next((str(pin.version) for pin in each.pins if pin.name == "torch"), "")
    return ""


@pytest.mark.parametrize("name", SEEDS)
def test_every_environment_gets_its_own_resolution_with_files_for_it(seeds: dict[str, Workplace], name: str) -> None:
    """Once as the standard says, by markers, and once as we look it up: both give files that fit, and the same."""
    path = seeds[name].folder / "pylock.toml"
    document = read_document(path)
    lock = lock_of(document, path)
    assert {each.target.platform for each in lock.resolutions} >= set(USUAL)
    for resolution in lock.resolutions:
        target, extras = target_of(resolution, lock), selection_of(resolution)
        looked_up, by_markers = (select(source, extras, [], target, path.parent) for source in (lock, document))
        assert [(pin.name, pin.version, pin.files) for pin in looked_up] == [
            (pin.name, pin.version, pin.files) for pin in by_markers
        ]
        expected = {pin.name for pin in resolution.pins if pin.wanted_by & {"", *(f"extra:{each}" for each in extras)}}
        assert {pin.name for pin in looked_up} == expected
        for pin in resolution.pins:
            tags = [file.filename.rpartition("-")[2] for file in pin.files if file.is_wheel]
            own = FILES_OF[resolution.target.platform.partition("_")[0]]
            assert all(tag == "any.whl" or own in tag for tag in tags), pin


@pytest.mark.parametrize("name", SEEDS)
def test_a_second_lock_asks_for_nothing_that_is_locked_and_changes_nothing(
    seeds: dict[str, Workplace], name: str
) -> None:
    place = seeds[name]
    before = (place.folder / "pylock.toml").read_bytes()
    done = place.run("lock")
    assert "unchanged" in done.stderr
    assert (place.folder / "pylock.toml").read_bytes() == before
    assert place.run("lock", "--check", "-q").returncode == 0


def test_the_lock_is_the_same_in_another_place(seeds: dict[str, Workplace], tmp_path: Path) -> None:
    place = seeds["torchmetrics-9640"]
    shutil.copy(place.folder / "pyproject.toml", tmp_path)
    assert Workplace(tmp_path, tmp_path / "cache", place.replica).run("lock", "-q").returncode == 0
    assert (tmp_path / "pylock.toml").read_bytes() == (place.folder / "pylock.toml").read_bytes()


def test_offers_differ_by_their_build_alone_where_that_can_be(seeds: dict[str, Workplace]) -> None:
    lock = read(seeds["torchmetrics-9640"].folder / "pylock.toml")
    both = [torch_in(lock, offer, "3.12", "linux_x86_64") for offer in ("cpu", "cu124")]
    assert [each.partition("+")[2] for each in both] == ["cpu", "cu124"]
    assert len({each.partition("+")[0] for each in both}) == 1
    assert torch_in(lock, "cpu", "3.14", "linux_x86_64").startswith("2.9")


def test_an_offer_is_another_build_where_the_project_says_so(seeds: dict[str, Workplace]) -> None:
    lock = read(seeds["multiplatform-9310"].folder / "pylock.toml")
    assert torch_in(lock, "cpu", "3.12", "linux_x86_64") == "2.5.1+cpu"
    assert torch_in(lock, "gpu", "3.12", "linux_x86_64") == "2.5.1"
    assert torch_in(lock, "cpu", "3.12", "macos_arm64") == torch_in(lock, "gpu", "3.12", "macos_arm64") == "2.5.1"
    (cpu,) = (each for each in lock.offers if each.name == "cpu")
    assert cpu.variant == "cpu"


def interpreter(requires_python: SpecifierSet, lock: Lock, offer: str) -> str:
    """A Python of this machine that the lock has the offer for; skips visibly where there is none."""
    here = {
        each.target.python for each in lock.resolutions if each.offer == offer and each.target.platform == OWN_PLATFORM
    }
    for minor in sorted(here, key=lambda each: (each != OWN_PYTHON, each)):
        try:
            return find(minor, requires_python).version.rpartition(".")[0]
        except BootstrapError:
            continue
    pytest.skip(f"this machine has no Python among {', '.join(sorted(here))}")


@pytest.mark.parametrize(
    ("name", "offer"),
    [
        ("accelerate-9734", "cpu"),
        ("accelerate-9734", "cu124"),
        ("multiplatform-9310", "gpu"),
        ("switching-16368", "cu128"),
        ("switching-16368", "pypi"),
        ("torchmetrics-9640", "cu124"),
        ("ultralytics-9306", "cpu"),
    ],
)
def test_a_sync_uses_the_lock_of_everybody(seeds: dict[str, Workplace], name: str, offer: str) -> None:
    place = seeds[name]
    path = place.folder / "pylock.toml"
    lock, before = read(path), path.read_bytes()
    python = interpreter(lock.requires_python, lock, offer)
    asked = len(place.replica.requests)
    outcome = place.sync("--frozen", "--extra", offer, "--python", python)
    pages = [str(each) for each in place.replica.requests[asked:] if str(each).endswith(("/", ".metadata"))]
    if not (place.folder / "setup.py").exists() and "build-system" not in (place.folder / "pyproject.toml").read_text():
        assert pages == []
    (torch,) = (each for each in outcome["packages"] if each["name"] == "torch")
    assert torch["version"] == torch_in(lock, offer, python, OWN_PLATFORM)
    assert place.sync("--extra", offer, "--python", python)["changed"] is False
    assert place.sync("--frozen", "--extra", offer, "--python", python)["changed"] is False
    assert path.read_bytes() == before


# --- what may be asked for


def test_pythons_and_platforms_can_be_named(workplace: Workplace) -> None:
    workplace.write(pyproject("numpy", more='requires-python = ">=3.10"\n'))
    done = workplace.run(
        "lock", "--python-version", "3.12", "--platform", "windows_x86_64", "--platform", "linux_x86_64:glibc2.28"
    )
    assert done.returncode == 0, done.stderr
    lock = read(workplace.folder / "pylock.toml")
    assert {(each.target.python, each.target.platform) for each in lock.resolutions} == {
        ("3.12", "windows_x86_64"),
        ("3.12", "linux_x86_64"),
    }
    added = workplace.run("lock", "--python-version", "3.13", "--platform", "macos_arm64")
    assert "new: without an offer on macos_arm64" in added.stderr
    assert len(read(workplace.folder / "pylock.toml").resolutions) == 3


def test_the_project_can_name_them(workplace: Workplace) -> None:
    more = 'requires-python = ">=3.10"\n[tool.torchstrap]\nplatforms = ["macos_arm64"]\npython-versions = ["3.11"]\n'
    workplace.write(pyproject("numpy", more=more))
    assert workplace.run("lock", "-q").returncode == 0
    (only,) = read(workplace.folder / "pylock.toml").resolutions
    assert (only.target.python, only.target.platform) == ("3.11", "macos_arm64")


def test_without_requires_python_it_is_for_this_one(workplace: Workplace) -> None:
    workplace.write(pyproject("numpy"))
    assert workplace.run("lock", "-q").returncode == 0
    lock = read(workplace.folder / "pylock.toml")
    assert {each.target.python for each in lock.resolutions} == {OWN_PYTHON}
    assert {each.target.platform for each in lock.resolutions} >= {*USUAL, OWN_PLATFORM}


def test_a_lock_needs_no_python_that_fits(workplace: Workplace) -> None:
    other = "3.14" if OWN_PYTHON != "3.14" else "3.13"
    workplace.write(pyproject("numpy", more=f'requires-python = "=={other}.*"\n'))
    done = workplace.with_variables(PATH="/nowhere").run("lock", "-q")
    assert done.returncode == 0, done.stderr
    lock = read(workplace.folder / "pylock.toml")
    assert {each.target.python for each in lock.resolutions} == {other}
    assert workplace.run("lock", "--python", sys.executable).returncode == 1


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (["--python-version", "3"], 2, "--python-version is '3', but must be a minor version of Python such as 3.12"),
        (["--python-version", "3.12.1"], 2, "minor version"),
        (["--python-version", "3.42"], 2, "3.42 is not known here; there are 3.9, 3.10"),
        (["--python-version", "3.9"], 2, "3.9 is outside of the project's requires-python >=3.10"),
        (["--platform", "amiga"], 2, "--platform is 'amiga', but must be one of linux_x86_64"),
        (["--platform", "linux_x86_64:glibc9"], 2, ":glibc2.28"),
        (["--platform", "linux_x86_64", "--platform", "linux_x86_64:glibc2.17"], 2, "two C libraries"),
        (["--upgrade-package"], 2, "--upgrade-package"),
    ],
)
def test_refuses_what_is_no_environment(workplace: Workplace, words: list[str], code: int, says: str) -> None:
    workplace.write(pyproject("numpy", more='requires-python = ">=3.10"\n'))
    done = workplace.run("lock", *words)
    assert (done.returncode, done.stdout) == (code, "")
    assert says in done.stderr
    assert done.stderr.count("\n") == 1
    assert not (workplace.folder / "pylock.toml").exists()


def test_a_setting_that_is_no_platform_is_a_mistake_of_the_configuration(workplace: Workplace) -> None:
    workplace.write(pyproject("numpy", more='[tool.torchstrap]\nplatforms = ["amiga"]\n'))
    done = workplace.run("lock")
    assert done.returncode == 78
    assert "[tool.torchstrap] platforms is 'amiga'" in done.stderr


def test_members_of_other_conflicts_are_locked_apart(workplace: Workplace, replica: Replica) -> None:
    place = Workplace(workplace.folder, workplace.cache, replica)
    place.write(pyproject("typing-extensions", more=THREE))
    done = place.run("lock", "--python-version", OWN_PYTHON, "--platform", OWN_PLATFORM)
    assert done.returncode == 0, done.stderr
    path = place.folder / "pylock.toml"
    lock = read(path)
    assert len(lock.resolutions) == 9
    for resolution in lock.resolutions:
        selected = pins(path, selection_of(resolution), [], target_of(resolution, lock))
        versions = {pin.name: str(pin.version) for pin in selected}
        six = {"extra:new": "1.17.0", "extra:old": "1.16.0"}.get("".join(resolution.also))
        assert versions.get("six") == six
        assert versions.get("torch", "+").partition("+")[2] == resolution.offer
    for extras, six in ((("cpu", "new"), "1.17.0"), (("cpu", "old"), "1.16.0"), (("cpu",), None)):
        outcome = place.sync("--frozen", *(word for extra in extras for word in ("--extra", extra)))
        assert {each["name"]: each["version"] for each in outcome["packages"]}.get("six") == six
    assert place.run("sync", "--extra", "new", "--extra", "old").returncode == 2


def test_variants_are_extras_where_the_project_names_none(workplace: Workplace) -> None:
    workplace.write(pyproject("torch"))
    done = workplace.run("lock", "--platform", "linux_x86_64", "--platform", "macos_arm64")
    assert done.returncode == 0, done.stderr
    path = workplace.folder / "pylock.toml"
    lock = read(path)
    assert {"cpu", "cu126", "cu130"} <= {each.offer for each in lock.resolutions}
    assert torch_in(lock, "cu130", OWN_PYTHON, "linux_x86_64").endswith("+cu130")
    assert {torch_in(lock, each, OWN_PYTHON, "linux_x86_64").partition("+")[0] for each in ("", "cpu", "cu126")} == {
        torch_in(lock, "cpu", OWN_PYTHON, "linux_x86_64").partition("+")[0]
    }
    assert {each.offer for each in lock.resolutions if each.target.platform == "macos_arm64"} == {"", "cpu"}
    assert "rocm" in done.stderr  # the replica has none of it
    if OWN_PLATFORM == "linux_x86_64":
        before = path.read_bytes()
        outcome = workplace.sync("--variant", "cu126")
        (torch,) = (each["version"] for each in outcome["packages"] if each["name"] == "torch")
        assert torch == torch_in(lock, "cu126", OWN_PYTHON, "linux_x86_64")
        assert path.read_bytes() == before


@pytest.mark.skipif(OWN_PLATFORM != "linux_x86_64", reason="the recorded machines are Linux ones")
@pytest.mark.parametrize(
    ("machine", "best", "taken"),
    [("linux-x86_64-a10g-driver580-cu130", "cu130", "cu126"), ("linux-x86_64-rtx5090-driver580-cu130", "cu130", "cpu")],
    ids=["another serves it", "none but the CPU's serves it"],
)
def test_a_frozen_sync_chooses_among_the_variants_that_are_locked(
    workplace: Workplace, tmp_path: Path, machine: str, best: str, taken: str
) -> None:
    workplace.write(pyproject("torch==2.9.0"))
    for variant in ("cpu", "cu126"):
        workplace.sync("--variant", variant)
    place = workplace.with_variables(TORCHSTRAP_MACHINE=str(recorded(machine, tmp_path)))
    outcome = place.sync("--frozen")
    assert outcome["choice"]["variant"] == taken
    assert f"pylock.toml has no {best}, which would be first here" in outcome["warnings"]
    assert place.run("sync", "--frozen", "--require", "gpu").returncode == (1 if taken == "cpu" else 0)
    assert place.sync()["choice"]["variant"] == best
    assert place.sync("--frozen")["choice"]["variant"] == best


def test_a_project_without_torch_has_no_variants_and_serves_them_all(workplace: Workplace) -> None:
    workplace.write(pyproject("typing-extensions"))
    assert workplace.run("lock", "-q").returncode == 0
    path = workplace.folder / "pylock.toml"
    before = path.read_bytes()
    assert {each.offer for each in read(path).resolutions} == {""}
    outcome = workplace.sync("--frozen")
    assert [each["name"] for each in outcome["packages"]] == ["typing-extensions"]
    assert workplace.sync()["changed"] is False
    assert path.read_bytes() == before


# --- what cannot be locked


def test_what_has_no_solution_elsewhere_is_left_out_with_a_warning(workplace: Workplace, replica: Replica) -> None:
    place = Workplace(workplace.folder, workplace.cache, replica)
    place.write(pyproject("typing-extensions", "absent-anywhere ; sys_platform == 'win32'"))
    done = place.run("lock")
    if OWN_PLATFORM.startswith("windows"):
        assert done.returncode == 1
        return
    assert done.returncode == 0, done.stderr
    assert "warning: without an offer is not in the lock on windows_x86_64" in done.stderr
    assert "absent-anywhere" in done.stderr
    named = place.run("lock", "--platform", "windows_x86_64")
    assert named.returncode == 1
    assert "absent-anywhere" in named.stderr


def test_what_has_no_solution_here_is_an_error_with_the_proof(workplace: Workplace) -> None:
    workplace.write(pyproject("typing-extensions", f"absent-anywhere ; sys_platform == '{sys.platform}'"))
    done = workplace.run("lock")
    assert done.returncode == 1
    assert "absent-anywhere" in done.stderr
    assert not (workplace.folder / "pylock.toml").exists()


def test_a_platform_that_no_offer_has_a_build_for_is_an_error_if_it_was_named(workplace: Workplace) -> None:
    text = (PROJECTS / "accelerate-9734" / "pyproject.toml").read_text().replace(">=3.12", ">=3.10")
    workplace.write(text.replace("cpu", "cu126"))
    done = workplace.run("lock", "--platform", "macos_arm64", "--python-version", OWN_PYTHON)
    assert done.returncode == 1, done.stderr
    assert "macos_arm64" in done.stderr


def without_pytorch(workplace: Workplace) -> Workplace:
    """Where only the default index answers."""
    mirrors = f"https://download.pytorch.org/whl={NOBODY} {default_index()}={workplace.replica.default_index}"
    return workplace.with_variables(TORCHSTRAP_MIRRORS=mirrors, TORCHSTRAP_RETRIES="0")


def test_a_variant_whose_index_does_not_answer_is_left_out(workplace: Workplace) -> None:
    place = without_pytorch(workplace)
    place.write(pyproject("torch"))
    done = place.run("lock", "--platform", "linux_x86_64")
    assert done.returncode == 0, done.stderr
    assert "warning: cu126 is not in the lock: https://download.pytorch.org/whl/cu126" in done.stderr
    assert {each.offer for each in read(place.folder / "pylock.toml").resolutions} == {""}


def test_offers_whose_indexes_do_not_answer_are_an_error(workplace: Workplace) -> None:
    place = without_pytorch(workplace)
    place.write((PROJECTS / "torchmetrics-9640" / "pyproject.toml").read_text().replace(">=3.12", f"=={OWN_PYTHON}.*"))
    done = place.run("lock")
    assert done.returncode == (0 if OWN_PLATFORM.startswith("macos") else 69), done.stderr
    assert "https://download.pytorch.org/whl/" in done.stderr


# --- again


def test_only_the_package_that_is_named_is_upgraded(workplace: Workplace, replica: Replica) -> None:
    place = Workplace(workplace.folder, workplace.cache, replica).with_variables(TORCHSTRAP_NO_CACHE="1")
    for name in ("first", "second"):
        replica.add_wheel("default", name, "1")
    place.write(pyproject("first", "second"))
    assert place.run("lock").returncode == 0
    for name in ("first", "second"):
        replica.add_wheel("default", name, "2")
    done = place.run("lock", "--upgrade-package", "Second", "--check")
    assert done.returncode == 1
    assert "second 1 → 2" in done.stderr
    assert "first" not in done.stderr
    assert place.run("lock", "--upgrade-package", "second").returncode == 0
    versions = {
        (pin.name, str(pin.version)) for each in read(place.folder / "pylock.toml").resolutions for pin in each.pins
    }
    assert versions == {("first", "1"), ("second", "2")}
    unknown = place.run("lock", "--upgrade-package", "third")
    assert unknown.returncode == 2
    assert "third" in unknown.stderr


def test_what_a_sync_adds_stays_beside_the_others(workplace: Workplace) -> None:
    workplace.write(pyproject("numpy", more='requires-python = ">=3.10"\n'))
    other = next(each for each in USUAL if each != OWN_PLATFORM)
    assert workplace.run("lock", "-q", "--platform", other, "--python-version", "3.12").returncode == 0
    workplace.sync()
    lock = read(workplace.folder / "pylock.toml")
    assert {each.target.platform for each in lock.resolutions} == {other, OWN_PLATFORM}
    assert json.loads(workplace.run("sync", "--json").stdout)["changed"] is False
