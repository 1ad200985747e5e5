from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest
from packaging.version import Version

from bootstrap.environment.installation import Install, install
from bootstrap.environment.installed import installed
from bootstrap.environment.interpreter import describe
from bootstrap.environment.layout import Layout
from bootstrap.environment.proof import Proof, prove
from bootstrap.environment.verification import issues, verify
from bootstrap.environment.virtual import create
from bootstrap.errors import VerificationError
from bootstrap.wheels.store import Store
from tests.making import make_wheel

RUNNING = describe(Path(sys.executable))

TENSOR = """
class Tensor(list):
    def __matmul__(self, other):
        return sum(a * b for a, b in zip(self, other))
def ones(count):
    return Tensor([1.0] * count)
class version:
    cuda = "13.2"
    hip = None
"""


class Place:
    """An environment that wheels are made and installed for."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.root = folder, folder / "env"
        self.store = Store(folder / "store")
        create(self.root, RUNNING, self.root)
        self.site = self.root / RUNNING.purelib
        self.python = self.root / RUNNING.python

    def has(
        self,
        name: str,
        version: str = "1.0",
        *,
        requires: Sequence[str] = (),
        extras: Mapping[str, Sequence[str]] | None = None,
        files: Mapping[str, str] | None = None,
    ) -> None:
        archive = make_wheel(self.folder / "w", name, version, requires=requires, extras=extras, files=files)
        wheel = self.store.add(archive, archive.name)
        install([Install(wheel)], Layout.of(RUNNING, self.root, self.root))

    def issues(
        self,
        extras: Mapping[str, frozenset[str]] | None = None,
        overridden: frozenset[str] = frozenset(),
        **locked: str,
    ) -> tuple[str, ...]:
        expected = {name: Version(version) for name, version in locked.items()}
        markers = RUNNING.markers
        return issues(self.site, expected=expected, markers=markers, extras=extras or {}, overridden=overridden)


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


def test_is_content_with_what_was_asked_for(place: Place) -> None:
    place.has(
        "torch", "2.5.0+cu124", requires=["numpy>=1.0", "nothere; sys_platform == 'plan9'", "nothere; extra == 'x'"]
    )
    place.has("NumPy", "2.0")
    assert place.issues(torch="2.5.0+cu124", numpy="2.0") == ()
    expected = {"torch": Version("2.5.0+cu124"), "numpy": Version("2.0")}
    verify(place.site, expected=expected, markers=RUNNING.markers)


@pytest.mark.parametrize("locked", ["2.5.0", "2.5.0+cpu", "2.5.1+cu124"])
def test_another_build_is_another_version(place: Place, locked: str) -> None:
    place.has("torch", "2.5.0+cu124")
    assert place.issues(torch=locked) == (f"torch is installed in version 2.5.0+cu124, but {locked} is locked.",)


def test_says_everything_at_once(place: Place) -> None:
    place.has("a", requires=["b>=2", "gone<3"])
    place.has("b", "1.5")
    place.has("stray", files={"stray/x.py": "", "stray/y.py": ""})
    (place.site / "stray/x.py").unlink()
    found = place.issues(a="1.0", b="1.5", lost="4")
    assert set(found) == {
        "a 1.0 needs b>=2, but 1.5 is installed.",
        "a 1.0 needs gone<3, which is not installed.",
        "stray 1.0 is installed, but it is not in the lock.",
        "lost 4 is locked, but it is not installed.",
        "stray 1.0 lacks stray/x.py.",
    }
    with pytest.raises(VerificationError) as caught:
        verify(place.site, expected={}, markers=RUNNING.markers)
    assert len(caught.value.issues) >= 5


def test_two_torches_are_one_too_many(place: Place) -> None:
    place.has("torch", "2.5.0", files={"torch/a.py": ""})
    place.has("torch", "2.6.0", files={"torch/b.py": ""})
    assert "torch is installed 2 times (2.5.0, 2.6.0); there may be one." in place.issues(torch="2.5.0")


def test_follows_the_extras_that_are_in_play(place: Place) -> None:
    place.has("app", requires=["lib[Fast_Mode]"])
    place.has("lib", extras={"fast-mode": ["engine[turbo]"], "slow": ["nothere"]})
    place.has("engine", extras={"turbo": ["fuel>2"]})
    place.has("fuel", "1")
    assert place.issues(app="1.0", lib="1.0", engine="1.0", fuel="1") == (
        "engine 1.0 needs fuel>2, but 1 is installed.",
    )


def test_extras_that_the_project_asks_for_count(place: Place) -> None:
    place.has("lib", extras={"fast": ["engine"]})
    assert place.issues(lib="1.0") == ()
    found = place.issues(extras={"lib": frozenset({"fast"})}, lib="1.0")
    assert found == ("lib 1.0 needs engine, which is not installed.",)


def test_overridden_requirements_are_the_projects_affair(place: Place) -> None:
    place.has("a", requires=["b>=2", "c"])
    place.has("b", "1")
    assert place.issues(overridden=frozenset({"b", "c"}), a="1.0", b="1") == ()


def test_a_package_without_record_is_an_issue(place: Place) -> None:
    place.has("a")
    (place.site / "a-1.0.dist-info/RECORD").unlink()
    (found,) = place.issues(a="1.0")
    assert "has no RECORD" in found


TORCHES: dict[str, tuple[str, str, str]] = {
    "another version": (f"__version__ = '2.6.0'{TENSOR}", "2.5.0+cu124", "torch says that it is 2.6.0"),
    "another build": (f"__version__ = '2.5.0+cpu'{TENSOR}", "2.5.0+cu124", "the build cpu, but 2.5.0\\+cu124"),
    "no build": (f"__version__ = '2.5.0'{TENSOR}", "2.5.0+cu124", "without a local version"),
    "cannot be imported": ("raise ImportError('libcudart.so.13')", "2.5.0", "cannot be imported.*libcudart"),
    "kills the process": ("import os; os.abort()", "2.5.0", "signal 6"),
    "no version": ("x = 1", "2.5.0", "has no attribute '__version__'"),
    "wrong sums": (
        f"__version__ = '2.5.0'{TENSOR}".replace("sum(", "1 + sum("),
        "2.5.0",
        "computes 3.0",
    ),
}


@pytest.mark.parametrize(("source", "locked", "issue"), TORCHES.values(), ids=TORCHES)
def test_proof_fails_with_a_torch_that(place: Place, source: str, locked: str, issue: str) -> None:
    place.has("torch", locked, files={"torch/__init__.py": source})
    with pytest.raises(VerificationError, match=issue):
        prove(place.python, {"torch": Version(locked)})


@pytest.mark.parametrize("locked", ["2.15.0", "2.15.0+cu132"])
def test_torch_may_know_its_build_when_its_metadata_does_not(place: Place, locked: str) -> None:
    source = f"print('a greeting')\n__version__ = '2.15.0+cu132'{TENSOR}"
    place.has("torch", locked, files={"torch/__init__.py": source})
    proof = prove(place.python, {"Torch": Version(locked)})
    assert proof == Proof(RUNNING.version, "2.15.0+cu132", "13.2", None)


def test_without_torch_the_interpreter_has_to_start(place: Place, tmp_path: Path) -> None:
    assert prove(place.python, {}) == Proof(RUNNING.version)
    with pytest.raises(VerificationError, match="cannot be run"):
        prove(tmp_path / "no/bin/python", {})


def test_proof_has_a_time_limit(place: Place) -> None:
    place.has("torch", files={"torch/__init__.py": "import time\ntime.sleep(60)"})
    with pytest.raises(VerificationError, match=r"torch cannot be imported.*did not finish within 2 seconds"):
        prove(place.python, {"torch": Version("1.0")}, limit=1, device_limit=1)


def test_reads_what_is_installed(place: Place) -> None:
    archive = make_wheel(place.folder / "w", "Some.Thing", "1.0", requires=["a>1"], extras={"x": ["b"]})
    wheel = place.store.add(archive, archive.name)
    layout = Layout.of(RUNNING, place.root, place.root)
    install([Install(wheel, direct_url='{"url": "file:///x"}')], layout)
    (found,) = installed(place.site, place.site)
    assert (found.name, found.normalized, found.version) == ("Some.Thing", "some-thing", "1.0")
    assert found.requires == ("a>1", "b ; extra == 'x'")
    assert found.extras == ("x",)
    assert (found.record, found.installer, found.direct_url) == (True, "torchstrap", {"url": "file:///x"})


def test_reads_old_and_broken_metadata(tmp_path: Path) -> None:
    folded = tmp_path / "folded-1.dist-info"
    folded.mkdir()
    (folded / "METADATA").write_bytes(
        b"Name: folded\r\nVersion: 1\r\nRequires-Dist: a\r\n (>=1)\r\n\r\nRequires-Dist: not this\r\n"
    )
    (folded / "direct_url.json").write_text("{")
    (tmp_path / "empty-2.dist-info").mkdir()
    (tmp_path / "module.py").write_text("")
    first, second = installed(tmp_path, tmp_path / "missing")
    assert (first.name, first.version, first.record) == ("empty", "", False)
    assert (second.requires, second.direct_url) == (("a (>=1)",), None)
