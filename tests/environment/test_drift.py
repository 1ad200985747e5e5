from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import pytest
from packaging.version import Version

from bootstrap.environment.drift import drift
from bootstrap.environment.guests import carry
from bootstrap.environment.installation import Install, install
from bootstrap.environment.installed import installed
from bootstrap.environment.interpreter import describe
from bootstrap.environment.layout import Layout
from bootstrap.wheels.store import Store
from tests.making import make_wheel

RUNNING = describe(Path(sys.executable))
EXPECTED = {"tool": Version("1.0"), "Other_One": Version("2.0")}


class Place:
    """A folder with an environment's layout: `tool` and `other-one` as we install them."""

    def __init__(self, folder: Path, root: str = "env") -> None:
        self.folder = folder
        self.layout = Layout.of(RUNNING, folder / root, folder / "env")
        self.site = self.layout.root / RUNNING.purelib
        self.store = Store(folder / "store")
        self.has("tool", "1.0")
        self.has("other-one", "2.0")

    def has(self, name: str, version: str, **files: str) -> None:
        inside = {f"{module}.py": text for module, text in files.items()} or None
        archive = make_wheel(self.folder / "wheels", name, version, files=inside)
        install([Install(self.store.add(archive, archive.name))], self.layout)

    def by_hand(self, name: str, version: str, installer: str = "pip", **files: str) -> None:
        self.has(name, version, **(files or {f"{name}_by_hand": "x = 1\n"}))
        note = self.site / f"{name.replace('-', '_')}-{version}.dist-info" / "INSTALLER"
        note.unlink()
        if installer:
            note.write_text(f"{installer}\n")

    def drift(self) -> str:
        found = drift(self.site, expected=EXPECTED)
        assert bool(found) == bool(str(found))
        return str(found)


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


def test_nothing_has_changed(place: Place) -> None:
    assert place.drift() == ""


def test_names_what_was_added(place: Place) -> None:
    place.by_hand("stowaway", "3")
    assert place.drift() == "added stowaway 3"


def test_names_what_is_gone(place: Place) -> None:
    for each in (place.site / "tool-1.0.dist-info").iterdir():
        each.unlink()
    (place.site / "tool-1.0.dist-info").rmdir()
    assert place.drift() == "removed tool 1.0"


@pytest.mark.parametrize(
    ("installer", "said"), [("pip", "by pip"), ("uv", "by uv"), ("", "by hand")], ids=["pip", "uv", "nobody"]
)
def test_names_who_installed_the_same_version_again(place: Place, installer: str, said: str) -> None:
    note = place.site / "tool-1.0.dist-info" / "INSTALLER"
    note.unlink()
    note.write_text(installer)
    assert place.drift() == f"changed tool 1.0 ({said})"


def test_one_that_is_there_twice_is_one_that_was_added(place: Place) -> None:
    place.by_hand("tool", "9")
    assert place.drift() == "added tool 9"


def test_notices_files_that_are_gone_or_of_another_size(place: Place) -> None:
    (place.site / "tool.py").unlink()
    assert place.drift() == "changed tool 1.0 (its files)"
    (place.site / "tool.py").write_text("something else")
    assert place.drift() == "changed tool 1.0 (its files)"


def test_notices_another_version_in_our_own_metadata(place: Place) -> None:
    metadata = place.site / "tool-1.0.dist-info" / "METADATA"
    text = metadata.read_text()
    metadata.unlink()
    metadata.write_text(text.replace("Version: 1.0", "Version: 1.1"))
    assert place.drift() == "changed tool 1.0 -> 1.1"


def moved(place: Place, **files: str) -> tuple[Place, tuple[str, ...], tuple[str, ...]]:
    """What a guest becomes in the next environment: that, who came, and the warnings."""
    place.by_hand("stowaway", "1", **files)
    after = Place(place.folder, "next")
    guests = [each for each in installed(place.site) if each.name == "stowaway"]
    carried = carry(guests, place.layout, after.layout, lambda name: name.startswith("torch"))
    return after, tuple(each.name for each in carried.packages), carried.warnings


def test_a_guest_comes_with_all_its_files(place: Place) -> None:
    after, came, warnings = moved(place, stowaway="x = 1\n")
    assert (came, warnings) == (("stowaway",), ())
    assert (after.site / "stowaway.py").read_text() == "x = 1\n"
    found = drift(after.site, expected=EXPECTED)
    assert str(found) == "added stowaway 1"


def test_a_guest_never_writes_over_what_is_there(place: Place) -> None:
    (place.site / "tool.py").unlink()
    after, came, (warning,) = moved(place, tool="mine\n", stowaway="x = 1\n")
    assert came == ("stowaway",)
    assert "came without tool.py" in warning
    assert (after.site / "tool.py").read_text() == "__version__ = '1.0'\n"


def test_a_record_that_points_elsewhere_brings_nothing_from_there(place: Place) -> None:
    place.by_hand("stowaway", "1")
    secret = place.folder / "secret"
    secret.write_text("secret")
    record = place.site / "stowaway-1.dist-info" / "RECORD"
    up = "../" * (len(Path(RUNNING.purelib).parts) + 1)
    text = record.read_text()
    record.unlink()
    record.write_text(f"{text}{up}secret,,\n{secret},,\n")
    after = Place(place.folder / "below", "next")
    guests = [each for each in installed(place.site) if each.name == "stowaway"]
    carry(guests, place.layout, after.layout, lambda _: False)
    assert (after.site / "stowaway_by_hand.py").exists()
    assert not list((place.folder / "below").rglob("secret*"))


def test_some_guests_cannot_come(place: Place) -> None:
    place.by_hand("torchthing", "1")
    place.by_hand("unlisted", "1", other="")
    (place.site / "unlisted-1.dist-info" / "RECORD").unlink()
    place.by_hand("fine", "1", fine="")
    after = Place(place.folder, "next")
    guests = [each for each in installed(place.site) if each.installer == "pip"]
    carried = carry(guests, place.layout, after.layout, lambda name: name.startswith("torch"))
    elsewhere = replace(place.layout, purelib="lib/python2.7/site-packages", platlib="lib/python2.7/site-packages")
    others = carry(guests[:1], elsewhere, after.layout, lambda _: False)
    assert others.packages == ()
    assert "another Python" in others.warnings[0]
    assert [each.name for each in carried.packages] == ["fine"]
    assert "of the torch family" in carried.warnings[0]
    assert "no RECORD" in carried.warnings[1]
