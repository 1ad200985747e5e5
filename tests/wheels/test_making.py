from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from bootstrap.wheels.making import is_abandoned, made_beside, remove, sweep

if sys.platform != "win32":
    import fcntl

ROOT = Path(__file__).parents[2]
MAKER = """
import sys
from pathlib import Path
from bootstrap.wheels.making import made_beside
with made_beside(Path(sys.argv[1]), "thing") as folder:
    (folder / "half").write_text("half")
    print(folder, flush=True)
    sys.stdin.read()
"""

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="folders cannot be locked there")


def test_what_is_in_the_making_is_left_alone_until_its_maker_is_killed(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", MAKER, str(tmp_path)], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as maker:
        assert maker.stdout is not None
        folder = Path(maker.stdout.readline().rstrip("\n"))
        assert not is_abandoned(folder)
        sweep(tmp_path)
        assert (folder / "half").exists()
        assert sorted(each.name for each in tmp_path.iterdir()) == [folder.name, f"{folder.name}.held"]
        maker.kill()
        maker.wait()
    assert is_abandoned(folder)
    sweep(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_what_was_renamed_stays_and_what_was_not_goes(tmp_path: Path) -> None:
    with made_beside(tmp_path / "new", "thing") as folder:
        folder.rename(tmp_path / "final")
    with made_beside(tmp_path / "new", "other") as folder:
        (folder / "file").write_text("x")
    assert (tmp_path / "final").is_dir()
    assert list((tmp_path / "new").iterdir()) == []


def test_nobody_loses_a_folder_to_the_sweepers(tmp_path: Path) -> None:
    imports = "import sys; from pathlib import Path; from bootstrap.wheels.making import sweep"
    script = f"{imports}\nwhile True: sweep(Path(sys.argv[1]))"
    with subprocess.Popen([sys.executable, "-c", script, str(tmp_path)], cwd=ROOT) as sweeper:
        try:
            for number in range(300):
                with made_beside(tmp_path, "thing") as folder:
                    (folder / "tree").mkdir()
                    (folder / "tree" / str(number)).write_text("x")
        finally:
            sweeper.kill()


def test_a_folder_that_nothing_holds_goes_after_a_day(tmp_path: Path) -> None:
    folder = tmp_path / "thing-7-01234567"
    (folder / "tree").mkdir(parents=True)
    assert is_abandoned(folder)
    sweep(tmp_path)
    assert folder.exists(), "what another machine holds may not show at once"
    os.utime(folder, (1, 1))
    sweep(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_what_is_on_its_way_out_is_anybodys_to_remove(tmp_path: Path) -> None:
    folder = tmp_path / "thing.removing-7-01234567"
    (folder / "tree").mkdir(parents=True)
    assert is_abandoned(folder)
    sweep(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_maker_that_is_done_leaves_nothing_to_claim(tmp_path: Path) -> None:
    with made_beside(tmp_path, "thing") as folder:
        note = tmp_path / f"{folder.name}.held"
        kept = os.open(note, os.O_RDWR)
        folder.rename(tmp_path / "final")
    fcntl.flock(kept, fcntl.LOCK_EX | fcntl.LOCK_NB)
    assert not note.exists(), "it went before the lock did"
    os.close(kept)
    assert [each.name for each in tmp_path.iterdir()] == ["final"]


def test_what_held_a_folder_that_never_was_goes(tmp_path: Path) -> None:
    (tmp_path / "thing-7-01234567.held").touch()
    assert is_abandoned(tmp_path / "thing-7-01234567.held")
    sweep(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_name_that_is_no_folder_is_not_abandoned(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    (tmp_path / "link").symlink_to(tmp_path)
    assert not is_abandoned(tmp_path / "file")
    assert not is_abandoned(tmp_path / "link")
    sweep(tmp_path)
    assert (tmp_path / "file").exists()


def test_what_is_gone_is_removed_already(tmp_path: Path) -> None:
    remove(tmp_path / "gone")
    (tmp_path / "there" / "in").mkdir(parents=True)
    remove(tmp_path / "there")
    assert not (tmp_path / "there").exists()
