"""The list of what is carried: enough for every Python and platform that we support, and for all of them alike."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator, Mapping
from email import message_from_string
from pathlib import Path

import pytest
from packaging.markers import default_environment
from packaging.pylock import Package, PackageWheel
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import Version

from bootstrap import toml
from bootstrap.commands.activity import Activity
from bootstrap.errors import BootstrapError, InputError, NoCompatibleFileError
from bootstrap.wheels.store import sha256_of
from bootstrap.zipapp.gathering import gathered
from bootstrap.zipapp.loader import PROGRAM
from bootstrap.zipapp.vendored import PYTHONS, UNUSED, VENDORED, lines
from tests.making import make_wheel
from tests.one_file import ROOT

Carried = tuple[Version, SpecifierSet, tuple[Requirement, ...]]
HERE = {name: str(value) for name, value in default_environment().items()}
SYSTEMS = {"linux": ("Linux", "posix"), "darwin": ("Darwin", "posix"), "win32": ("Windows", "nt")}


@pytest.fixture(scope="module")
def carried(pyz: Path) -> Mapping[str, Carried]:
    """Of everything in the file: its version, the Pythons that it runs on, and what it needs."""
    with zipfile.ZipFile(pyz) as outer, zipfile.ZipFile(io.BytesIO(outer.read(PROGRAM))) as program:
        texts = [program.read(name).decode() for name in program.namelist() if name.endswith(".dist-info/METADATA")]
    found: dict[str, Carried] = {}
    for each in map(message_from_string, texts):
        needs = tuple(map(Requirement, each.get_all("Requires-Dist", ())))
        python = SpecifierSet(str(each["Requires-Python"] or ""))
        found[canonicalize_name(each["Name"])] = (Version(each["Version"]), python, needs)
    return found


def test_the_list_is_what_is_carried(
    carried: Mapping[str, Carried],
) -> None:
    listed = [Requirement(line.partition(" ")[0]) for line in VENDORED.read_text().splitlines()]
    assert {each.name: str(each.specifier) for each in listed} == {
        name: f"=={version}" for name, (version, _, _) in carried.items()
    }
    assert "://" not in VENDORED.read_text()


@pytest.mark.parametrize("system", SYSTEMS)
@pytest.mark.parametrize("python", PYTHONS)
def test_all_that_is_needed_is_carried(carried: Mapping[str, Carried], python: str, system: str) -> None:
    """By pyproject.toml as it is: after a change there `python -m bootstrap.zipapp --update` makes it true again."""
    platform, name = SYSTEMS[system]
    environment = {
        **HERE,
        "python_version": python,
        "python_full_version": f"{python}.0",
        "sys_platform": system,
        "platform_system": platform,
        "os_name": name,
    }
    waiting = [Requirement(each) for each in toml.load(ROOT / "pyproject.toml")["project"]["dependencies"]]
    seen = set()
    while waiting:
        each = waiting.pop()
        if each in seen or not _counts(each, environment):
            continue
        seen.add(each)
        if canonicalize_name(each.name) in UNUSED:
            continue
        version, pythons, needs = carried[canonicalize_name(each.name)]
        assert each.specifier.contains(version, prereleases=True), f"{each} is needed, {version} is carried"
        assert pythons.contains(f"{python}.0"), f"{each.name} {version} does not run on {python}"
        waiting += _of_extras(needs, each.extras)


def _counts(requirement: Requirement, environment: Mapping[str, str]) -> bool:
    return requirement.marker is None or requirement.marker.evaluate({**environment, "extra": ""})


def _of_extras(needs: tuple[Requirement, ...], extras: set[str]) -> Iterator[Requirement]:
    """What a distribution needs, what its extras need included, without a word of extras."""
    for each in needs:
        if each.marker is None or "extra" not in str(each.marker):
            yield each
        elif any(each.marker.evaluate({**HERE, "extra": extra}) for extra in extras):
            yield Requirement(str(each).partition(";")[0])


def package(name: str, version: str, *filenames: str) -> Package:
    wheels = [
        PackageWheel(name=each, url=f"https://x.example/{each}", hashes={"sha256": "0" * 64}) for each in filenames
    ]
    return Package(name=canonicalize_name(name), version=Version(version), wheels=wheels)


def test_one_line_for_each_by_name() -> None:
    packages = (package("b", "2", "b-2-py2.py3-none-any.whl"), package("a", "1", "a-1-py3-none-any.whl"))
    assert list(lines(packages)) == [f"a==1 --hash=sha256:{'0' * 64}", f"b==2 --hash=sha256:{'0' * 64}"]


def test_what_is_asked_for_and_not_used_is_left_out() -> None:
    assert list(lines([package("pygments", "2", "pygments-2-py3-none-any.whl")])) == []


@pytest.mark.parametrize("filename", ["a-1-cp312-cp312-manylinux_2_28_x86_64.whl", "a-1-cp312-none-any.whl"])
def test_a_wheel_for_some_is_refused(filename: str) -> None:
    with pytest.raises(NoCompatibleFileError, match="a 1 has no wheel for every Python 3 on every platform"):
        list(lines([package("a", "1", filename)]))


def test_two_versions_of_one_thing_are_refused() -> None:
    several = (package("a", "1", "a-1-py3-none-any.whl"), package("a", "2", "a-2-py3-none-any.whl"))
    with pytest.raises(BootstrapError, match="a would be 1 on one Python and 2 on another"):
        list(lines(several))


def test_a_wheel_that_is_here_is_taken_from_here(tmp_path: Path) -> None:
    wheel = make_wheel(tmp_path / "wheels", "nowhere-else", "1")
    vendored = tmp_path / "vendored.txt"
    vendored.write_text(f"nowhere-else==1 --hash=sha256:{sha256_of(wheel)}\n")
    assert list(gathered(vendored, wheel.parent, Activity())) == [wheel]


@pytest.mark.parametrize("line", ["six", "six>=1 --hash=sha256:{0}", "six==1 --hash=sha256:{0} --hash=sha256:{1}"])
def test_a_line_that_leaves_a_choice_is_refused(tmp_path: Path, line: str) -> None:
    vendored = tmp_path / "vendored.txt"
    vendored.write_text(line.format("0" * 64, "1" * 64) + "\n")
    with pytest.raises(InputError, match="is no `name==version --hash=sha256:…`"):
        list(gathered(vendored, None, Activity()))
