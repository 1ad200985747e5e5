"""A site adds rows and overrides ours, key by key, and what it says wrongly names its file."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from packaging.version import Version

from profiles.loading import TableError
from profiles.site import folders, sheets, watched
from profiles.tables import Tables, read_tables, sheet

OWN = tuple(map(sheet, ("releases.toml", "cuda.toml", "rocm.toml")))
OURS = read_tables(*OWN)
NEWER = """\
[[release]]
torch = "2.16"
versions = ["2.16.0"]
python = ["3.11", "3.15"]
linux_x86_64 = ["cpu", "cu134"]
default = {}
glibc = { all = "2.28" }
macos = { all = "14.0" }

[[architectures]]
variants = ["cu134"]
torch = ">=2.16"
platforms = ["linux_x86_64"]
capabilities = ["8.0", "9.0"]
"""


def with_site(folder: Path, *texts: str) -> Tables:
    """Our tables with files of a site, in this order."""
    for number, text in enumerate(texts):
        (folder / f"{number}.toml").write_text(text)
    return read_tables(*OWN, *sheets([folder]))


def test_no_site_changes_nothing(tmp_path: Path) -> None:
    assert with_site(tmp_path) == OURS
    assert sheets([tmp_path / "missing", tmp_path / "missing" / "deeper"]) == ()


def test_a_release_is_added(tmp_path: Path) -> None:
    newer = with_site(tmp_path, NEWER)
    assert newer.releases[1:] == OURS.releases
    assert newer.releases[0].version == Version("2.16")
    assert newer.releases[0].assumed is None
    assert newer.capabilities("cu134", newer.releases[0], "linux_x86_64") == ((8, 0), (9, 0))


def test_a_release_of_ours_gets_the_keys_that_are_given(tmp_path: Path) -> None:
    found = with_site(tmp_path, '[[release]]\ntorch = "2.14"\nlinux_x86_64 = ["cpu", "cu126", "cu130"]\n')
    changed, before = found.releases[1], OURS.releases[1]
    assert changed.variants["linux_x86_64"] == ("cpu", "cu126", "cu130")
    assert changed.variants["windows_x86_64"] == before.variants["windows_x86_64"]
    assert (changed.versions, changed.pythons) == (before.versions, before.pythons)
    assert found.releases[0] == OURS.releases[0]


def test_a_change_that_contradicts_the_rest_of_our_row_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TableError, match=r"0\.toml, line 1: \[\[release\]\] default is cu130 for linux_x86_64, but"):
        with_site(tmp_path, '[[release]]\ntorch = "2.14"\nlinux_x86_64 = ["cpu", "cu126"]\n')


def test_a_new_release_must_be_complete(tmp_path: Path) -> None:
    with pytest.raises(TableError, match=r"0\.toml, line 2: \[\[release\]\] needs the key 'versions'"):
        with_site(tmp_path, '\n[[release]]\ntorch = "2.16"\n')


def test_a_driver_is_overridden_for_one_system(tmp_path: Path) -> None:
    found = with_site(tmp_path, '[[driver]]\ncuda = 13\nwindows = "580.88"\n')
    assert found.oldest_driver(13, "windows") == "580.88"
    assert found.oldest_driver(13, "linux") == OURS.oldest_driver(13, "linux")


def test_architectures_of_the_site_come_first(tmp_path: Path) -> None:
    row = '[[architectures]]\nvariants = ["cu130"]\ntorch = "==2.14"\nplatforms = ["linux_x86_64"]\n'
    found = with_site(tmp_path, f'{row}capabilities = ["9.0"]\n')
    newest, older = found.releases[:2]
    assert found.capabilities("cu130", older, "linux_x86_64") == ((9, 0),)
    assert found.capabilities("cu130", newest, "linux_x86_64") == OURS.capabilities("cu130", newest, "linux_x86_64")


def test_targets_are_overridden_by_variant(tmp_path: Path) -> None:
    found = with_site(tmp_path, '[[targets]]\nvariants = ["rocm7.2"]\nnames = ["gfx942"]\n')
    assert found.targets["rocm7.2"] == {"gfx942"}
    assert found.targets["rocm7.1"] == OURS.targets["rocm7.1"]


def test_the_last_file_has_the_last_word(tmp_path: Path) -> None:
    texts = [f'[[driver]]\ncuda = 13\nlinux = "{number}"\n' for number in (600, 601)]
    assert with_site(tmp_path, *texts).oldest_driver(13, "linux") == "601"
    row = '[[architectures]]\nvariants = ["cu130"]\ntorch = ">=2.9"\nplatforms = ["linux_x86_64"]\ncapabilities = '
    found = with_site(tmp_path, f'{row}["8.0"]\n', f'{row}["9.0"]\n')
    assert found.capabilities("cu130", found.releases[0], "linux_x86_64") == ((9, 0),)


def test_files_are_read_by_folder_and_name(tmp_path: Path) -> None:
    for name in ("etc/b.toml", "etc/a.toml", "home/0.toml", "home/.hidden.toml", "home/notes.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("")
    places = (tmp_path / "etc", tmp_path / "home")
    read = [each.name for each in sheets(places)]
    assert read == [str(tmp_path / name) for name in ("etc/a.toml", "etc/b.toml", "home/0.toml")]
    assert watched(places) == (*places, *map(Path, read))


def test_missing_folders_are_watched_too(tmp_path: Path) -> None:
    assert watched([tmp_path / "missing"]) == (tmp_path / "missing",)


def test_where_a_site_may_write(tmp_path: Path) -> None:
    etc, ours = tmp_path / "etc", Path("torchstrap", "profiles")
    machine = [] if os.name == "nt" else [etc / ours]
    assert list(folders({}, tmp_path, root=etc)) == [*machine, tmp_path / ".config" / ours]
    assert list(folders({"XDG_CONFIG_HOME": "/xdg"}, tmp_path, root=etc)) == [*machine, Path("/xdg") / ours]
    assert list(folders({"XDG_CONFIG_HOME": ""}, tmp_path, root=None)) == [tmp_path / ".config" / ours]


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"\xff\xfe", r"lab\.toml: is not UTF-8 text \(byte 0\)"),
        (None, r"lab\.toml: cannot be read \(Is a directory\)"),
    ],
    ids=["bytes", "folder"],
)
@pytest.mark.skipif(os.name == "nt", reason="Windows has other words for it")
def test_what_cannot_be_read_is_refused(tmp_path: Path, content: bytes | None, sentence: str) -> None:
    path = tmp_path / "lab.toml"
    if content is None:
        path.mkdir()
    else:
        path.write_bytes(content)
    with pytest.raises(TableError, match=sentence):
        sheets([tmp_path])


def test_a_link_to_nothing_is_refused(tmp_path: Path) -> None:
    (tmp_path / "lab.toml").symlink_to(tmp_path / "nowhere")
    with pytest.raises(TableError, match=r"lab\.toml: cannot be read"):
        sheets([tmp_path])


def test_a_folder_that_is_there_and_cannot_be_listed_is_refused(tmp_path: Path) -> None:
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    with pytest.raises(TableError, match=r"loop: cannot be read"):
        sheets([tmp_path / "loop"])


def test_a_folder_that_cannot_even_be_looked_for_holds_no_tables(tmp_path: Path) -> None:
    assert sheets([tmp_path / ("long" * 100)]) == ()


def test_a_file_in_the_place_of_the_folder_holds_no_tables(tmp_path: Path) -> None:
    (tmp_path / "profiles").write_text("")
    assert sheets([tmp_path / "profiles", tmp_path / "profiles" / "deeper"]) == ()
