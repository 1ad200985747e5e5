"""What a program can be imported from where nothing may be kept, and that nothing of it stays."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from bootstrap.zipapp.archive import EARLIEST, archive, plain
from bootstrap.zipapp.loader import is_ours, kept, names

ROOT = Path(__file__).parent.parent.parent
CHILD = """
import subprocess, sys
from bootstrap.zipapp import unpacking
place = unpacking.{way}(open(sys.argv[1], "rb").read())
print(place, flush=True)
sys.path.insert(0, place)
import carried
look = "import sys; sys.path.insert(0, sys.argv[1]); import carried"
subprocess.run([sys.executable, "-I", "-c", look, place], check=True)
{end}
"""
ENDS = {
    "returns": "",
    "becomes a program": "from bootstrap.environment import activation; activation.become('/nowhere', ['true'])",
}


@pytest.mark.parametrize("end", ENDS.values(), ids=ENDS)
@pytest.mark.parametrize("way", ["_memory", "_private_file"])
def test_a_program_in_no_folder_is_there_for_our_children_and_goes_with_us(tmp_path: Path, way: str, end: str) -> None:
    program = tmp_path / "program.zip"
    program.write_bytes(archive([plain("carried.py", b"here = 1\n")], EARLIEST))
    (tmp_path / "temporary").mkdir()
    done = subprocess.run(
        [sys.executable, "-c", CHILD.format(way=way, end=end), str(program)],
        env={"PYTHONPATH": str(ROOT), "TMPDIR": str(tmp_path / "temporary"), "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert not Path(done.stdout.strip()).exists()
    assert list((tmp_path / "temporary").iterdir()) == []
    assert done.stdout.startswith(str(tmp_path)) == (way == "_private_file" or sys.platform != "linux")


def test_a_folder_is_found_by_the_hash_and_a_file_or_a_link_is_none(tmp_path: Path) -> None:
    digest = "0123456789abcdef" * 4
    first, *_ = names(digest)
    place = tmp_path / "programs" / first
    assert kept(str(tmp_path), digest) is None
    place.mkdir(parents=True)
    place.chmod(0o755)
    assert kept(str(tmp_path), digest) == str(place)
    assert kept(str(tmp_path), "f" * 64) is None
    place.rename(tmp_path / "elsewhere")
    place.symlink_to(tmp_path / "elsewhere")
    assert kept(str(tmp_path), digest) is None
    place.unlink()
    place.write_text("")
    assert kept(str(tmp_path), digest) is None


@pytest.mark.parametrize("mode", [0o775, 0o757, 0o1777], ids=oct)
def test_a_folder_that_others_may_change_is_none(tmp_path: Path, mode: int) -> None:
    digest = "0123456789abcdef" * 4
    place = tmp_path / "programs" / names(digest)[0]
    place.mkdir(parents=True)
    place.chmod(mode)
    assert kept(str(tmp_path), digest) is None


@pytest.mark.skipif(not hasattr(os, "geteuid"), reason="folders have no modes here")
@pytest.mark.parametrize("mode", [0o040755, 0o040700, 0o042755], ids=oct)
def test_only_a_closed_folder_of_ours_or_of_roots_is_ours(mode: int) -> None:
    def folder(owner: int) -> os.stat_result:
        return os.stat_result((mode, 0, 0, 1, owner, 0, 0, 0, 0, 0))

    assert is_ours(folder(os.geteuid()))
    assert is_ours(folder(0))
    assert not is_ours(folder(os.geteuid() + 1))
