"""A wheel out of the store again: it installs the same, and is the same to the byte each time."""

from __future__ import annotations

import zipfile
from pathlib import Path

from bootstrap.bundle.repacking import repacked
from bootstrap.wheels.store import Store, sha256_of
from tests.making import make_wheel


def test_the_same_files_go_into_the_store_again(tmp_path: Path) -> None:
    files = {
        "odd/__init__.py": "X = 1\n",
        'odd/with,comma "and" quotes.txt': "text\n",
        "odd-1.data/scripts/tool": "#!python\nprint(1)\n",
        "odd-1.data/data/share/odd.txt": "data\n",
    }
    made = make_wheel(
        tmp_path / "made", "odd", "1", files=files, entry_points="[console_scripts]\nodd = odd:main\n",
        executable=("odd-1.data/scripts/tool",),
    )  # fmt: skip
    first = Store(tmp_path / "first").add(made, made.name)
    (tmp_path / "again").mkdir()
    archive = repacked(first, tmp_path / "again")
    second = Store(tmp_path / "second").add(archive, archive.name)
    assert archive.name == made.name
    assert sorted(second.contents.paths) == sorted(first.contents.paths)
    assert second.contents.executables == first.contents.executables
    assert set(second.contents.data) == set(first.contents.data)
    assert second.contents.entry_points == first.contents.entry_points
    assert sorted(second.contents.record.splitlines()) == sorted(first.contents.record.splitlines())
    with zipfile.ZipFile(archive) as found:
        assert found.testzip() is None


def test_it_is_the_same_to_the_byte(tmp_path: Path) -> None:
    made = make_wheel(tmp_path / "made", "plain", "1")
    hashes = set()
    for name in ("one", "two"):
        (tmp_path / name / "out").mkdir(parents=True)
        wheel = Store(tmp_path / name).add(made, made.name)
        hashes.add(sha256_of(repacked(wheel, tmp_path / name / "out")))
    assert len(hashes) == 1
