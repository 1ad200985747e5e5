from __future__ import annotations

import os
import subprocess
import tarfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from bootstrap.commands.pythons.installing import PROGRAM, Installed, Supply, install, standing
from bootstrap.environment.standalone import Build
from bootstrap.errors import BadDistributionError, CannotWriteError, UnreachableError
from bootstrap.index.client import Client, NetworkSettings
from tests.index.serving import Reply, Server, serving, with_ranges
from tests.standalones import made, pretender, tar
from tests.torture import mounts


@dataclass(frozen=True)
class Mirror:
    """A server with archives, and a folder for the Pythons that are made of them."""

    server: Server
    client: Client
    folder: Path

    def offer(self, content: bytes, version: str = "3.13.1") -> Build:
        """A build that is there."""
        build = made(version, content)
        self.server.routes[f"/{build.path}"] = with_ranges(content)
        return build

    def install(self, build: Build, folder: Path | None = None) -> Installed:
        return install(build, Supply(self.server.url, self.client, folder or self.folder, pause=0.01))


@pytest.fixture
def mirror(tmp_path: Path) -> Iterator[Mirror]:
    client = Client(NetworkSettings(timeout=5, retries=0))
    with serving() as running:
        yield Mirror(running, client, tmp_path / "pythons")
    client.close()


def left(folder: Path) -> list[str]:
    """All files below a folder."""
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if not path.is_dir())


def test_a_python_comes_into_a_folder_of_its_own(mirror: Mirror) -> None:
    build = mirror.offer(pretender("3.13.1"))
    done = mirror.install(build)
    assert done.is_new
    assert done.path == mirror.folder / build.folder / PROGRAM
    assert standing(build, mirror.folder) == done.path
    inside = [f"{build.folder}/{name}" for name in ("bin/python", "bin/python3", "lib/more")]
    assert left(mirror.folder) == inside


def test_what_is_there_is_not_fetched_again(mirror: Mirror) -> None:
    build = mirror.offer(pretender("3.13.1"))
    mirror.install(build)
    mirror.server.asked.clear()
    assert not mirror.install(build).is_new
    assert mirror.server.asked == []


def test_one_that_no_longer_works_is_made_again(mirror: Mirror) -> None:
    build = mirror.offer(pretender("3.13.1"))
    broken = mirror.install(build).path
    broken.with_name("python3").write_text("#!/bin/sh\nexit 1\n")
    assert mirror.install(build).is_new
    assert standing(build, mirror.folder) == broken


def test_several_at_once_make_it_once(mirror: Mirror) -> None:
    build = mirror.offer(pretender("3.13.1", more=os.urandom(1 << 20)))
    with ThreadPoolExecutor(8) as pool:
        done = list(pool.map(lambda _: mirror.install(build), range(8)))
    assert sorted(each.is_new for each in done) == [False] * 7 + [True]
    assert len(mirror.server.asked) == 1
    assert standing(build, mirror.folder) is not None


def test_a_download_that_broke_off_goes_on_where_it_was(mirror: Mirror) -> None:
    content = pretender("3.13.1", more=os.urandom(1 << 16))
    build = mirror.offer(content)
    mirror.server.routes[f"/{build.path}"] = Reply(200, content, cut_after=1 << 15)
    with pytest.raises(UnreachableError):
        mirror.install(build)
    mirror.offer(content)
    mirror.server.asked.clear()
    assert mirror.install(build).is_new
    ranges = [headers["range"] for _, headers in mirror.server.asked]
    assert [each.partition("-")[0] for each in ranges] == [f"bytes={1 << 15}"]


def test_names_the_mirror_setting_where_there_is_no_such_archive(mirror: Mirror) -> None:
    build = made("3.13.1", b"")
    with pytest.raises(UnreachableError, match=r"404.*Python 3\.13\.1 could not be fetched; --python-mirror") as caught:
        mirror.install(build)
    assert caught.value.exit_code == 69
    assert left(mirror.folder) == []


def test_refuses_other_bytes_than_were_promised(mirror: Mirror) -> None:
    build = replace(mirror.offer(pretender("3.13.1")), sha256="a" * 64)
    with pytest.raises(BadDistributionError, match=f"its sha256 is .*, but {'a' * 64} was promised") as caught:
        mirror.install(build)
    assert caught.value.exit_code == 1
    assert "lock" not in str(caught.value)
    assert left(mirror.folder) == []


def device() -> tarfile.TarInfo:
    member = tarfile.TarInfo("python/lib/null")
    member.type, member.devmajor, member.devminor = tarfile.CHRTYPE, 1, 3
    return member


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (tar({"python/bin/python": b"", "python/../../evil": b""}), "leads out of the archive"),
        (tar({"/evil": b""}), "leads out of the archive"),
        (tar({"python/bin/python": "/bin/sh"}), "leads out of the archive, to '/bin/sh'"),
        (tar({"python/lib": "../..", "python/lib/evil": b""}), "leads out of the archive"),
        (tar({"python/bin/python": b""}, device()), "neither a file nor a folder nor a link"),
        (tar({"python/bin/python": b"", "other/file": b""}), "it should hold one folder"),
        (b"no archive at all", "it cannot be read as an archive"),
        (pretender("3.13.1")[:-40], "it cannot be read as an archive"),
        (tar({"python/lib/file": b""}), "it does not start here"),
        (tar({"python/bin/python": b"#!/bin/sh\necho hello\n"}), "it does not start here"),
        (pretender("3.13.2"), r"it is cpython 3\.13\.2 for \S+, and should be cpython 3\.13\.1 for"),
        (pretender("3.13.1", libc="musl"), r"it is cpython 3\.13\.1 for \S+-musl, and should be .*-gnu"),
    ],
    ids=[
        *("parent", "absolute", "link", "through-link", "device", "two-tops", "rubbish", "truncated"),
        *("no-program", "no-python", "another-version", "another-libc"),
    ],
)
def test_refuses_an_archive_that_is_no_such_python(mirror: Mirror, content: bytes, problem: str) -> None:
    build = mirror.offer(content)
    with pytest.raises(BadDistributionError, match=problem) as caught:
        mirror.install(build)
    assert build.filename in str(caught.value)
    assert "--python PATH" in str(caught.value)
    assert left(mirror.folder) == []


def test_says_who_may_not_write_there(tmp_path: Path, mirror: Mirror) -> None:
    build = mirror.offer(pretender("3.13.1"))
    (tmp_path / "file").touch()
    with pytest.raises(CannotWriteError, match="TORCHSTRAP_PYTHON_DIR names another folder") as caught:
        mirror.install(build, tmp_path / "file")
    assert str(tmp_path / "file") in str(caught.value)
    assert mirror.server.asked == []


@pytest.mark.skipif("tmpfs" not in mounts.kinds(), reason="no file systems can be made here")
def test_a_full_disk_is_said_and_left_as_it_was(tmp_path: Path, mirror: Mirror) -> None:
    build = mirror.offer(pretender("3.13.1", more=bytes(8 << 20)))
    with mounts.mounted(tmp_path, "tmpfs", 4) as small:
        with pytest.raises(CannotWriteError, match=r"is full.*TORCHSTRAP_PYTHON_DIR") as caught:
            mirror.install(build, small / "pythons")
        assert left(small) == []
    assert caught.value.exit_code == 73


@pytest.mark.skipif("tmpfs" not in mounts.kinds(), reason="no file systems can be made here")
def test_a_file_system_without_programs_is_refused_before_anything_is_fetched(tmp_path: Path, mirror: Mirror) -> None:
    build = mirror.offer(pretender("3.13.1"))
    with mounts.mounted(tmp_path, "tmpfs", 4) as closed:
        subprocess.run(["mount", "-o", "remount,noexec", str(closed)], check=True)
        with pytest.raises(CannotWriteError, match=r"noexec.*TORCHSTRAP_PYTHON_DIR"):
            mirror.install(build, closed / "pythons")
    assert mirror.server.asked == []
