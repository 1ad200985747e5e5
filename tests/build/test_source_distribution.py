from __future__ import annotations

import io
import stat
import tarfile
import zipfile
from collections.abc import Mapping
from pathlib import Path

import pytest

from bootstrap.build.source_distribution import static_metadata, unpack
from bootstrap.errors import BadDistributionError

FILES = {"example-1.0/PKG-INFO": "Metadata-Version: 2.2\n", "example-1.0/src/example.py": "ANSWER = 42\n"}


def entry(name: str, kind: bytes = tarfile.REGTYPE, target: str = "", mode: int = 0o644) -> tarfile.TarInfo:
    made = tarfile.TarInfo(name)
    made.type, made.linkname, made.mode = kind, target, mode
    return made


def tar(path: Path, *entries: tarfile.TarInfo, files: Mapping[str, str] = FILES, mode: str = "w:gz") -> Path:
    with tarfile.open(path, mode) as archive:  # type: ignore[call-overload]
        for name, text in files.items():
            member = entry(name)
            member.size = len(text.encode())
            archive.addfile(member, io.BytesIO(text.encode()))
        for member in entries:
            archive.addfile(member)
    return path


def zipped(path: Path, files: Mapping[str, str] = FILES, modes: Mapping[str, int] | None = None) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name, text in files.items():
            member = zipfile.ZipInfo(name)
            member.external_attr = (modes or {}).get(name, 0) << 16
            archive.writestr(member, text)
    return path


@pytest.mark.parametrize("suffix", [".tar.gz", ".tar.bz2", ".tar.xz", ".tar", ".zip"])
def test_unpacks_every_kind_of_archive(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"example-1.0{suffix}"
    made = zipped(path) if suffix == ".zip" else tar(path, mode=f"w:{suffix.removeprefix('.tar').removeprefix('.')}")
    root = unpack(made, tmp_path / "into")
    assert root == tmp_path / "into" / "example-1.0"
    assert (root / "src" / "example.py").read_text() == "ANSWER = 42\n"


def test_keeps_what_may_be_run_and_drops_all_other_powers(tmp_path: Path) -> None:
    made = tar(
        tmp_path / "example-1.0.tar.gz",
        entry("example-1.0/configure", mode=0o4777),
        entry("example-1.0/plain", mode=0o666),
    )
    root = unpack(made, tmp_path / "into")
    assert stat.S_IMODE((root / "configure").stat().st_mode) == 0o755
    assert stat.S_IMODE((root / "plain").stat().st_mode) == 0o644


def test_links_that_stay_inside_are_kept(tmp_path: Path) -> None:
    made = tar(
        tmp_path / "example-1.0.tar.gz",
        entry("example-1.0/src/up", tarfile.SYMTYPE, "../PKG-INFO"),
        entry("example-1.0/folder", tarfile.SYMTYPE, "src"),
        entry("example-1.0/again", tarfile.LNKTYPE, "example-1.0/PKG-INFO"),
    )
    root = unpack(made, tmp_path / "into")
    assert (root / "src" / "up").read_text() == (root / "again").read_text() == FILES["example-1.0/PKG-INFO"]
    assert (root / "folder" / "example.py").exists()
    assert not (root / "again").is_symlink()


def test_the_last_of_two_entries_of_one_name_counts(tmp_path: Path) -> None:
    path = tmp_path / "example-1.0.tar"
    tar(path, mode="w:", files={"example-1.0/a": "first"})
    tar(path, mode="a:", files={"example-1.0/a": "second"})
    assert (unpack(path, tmp_path / "into") / "a").read_text() == "second"


LINK, HARD = tarfile.SYMTYPE, tarfile.LNKTYPE

HOSTILE = [
    pytest.param([entry("/etc/evil")], "leads out", id="absolute name"),
    pytest.param([entry("../evil")], "leads out", id="name above"),
    pytest.param([entry("example-1.0/../../evil")], "leads out", id="name above, from below"),
    pytest.param([entry("C:/evil")], "leads out", id="drive"),
    pytest.param([entry("example-1.0\\..\\evil")], "leads out", id="backslashes"),
    pytest.param([entry("example-1.0/a", LINK, "/etc/passwd")], "leads out", id="absolute link"),
    pytest.param([entry("example-1.0/a", LINK, "../../evil")], "leads out", id="link above"),
    pytest.param([entry("example-1.0/a", LINK, "..")], "leads out", id="link to where it is unpacked"),
    pytest.param([entry("example-1.0/a", LINK, "src/../../evil")], "leads out", id="link down and up"),
    pytest.param([entry("example-1.0/a", HARD, "/etc/passwd")], "leads out", id="absolute hard link"),
    pytest.param([entry("example-1.0/a", HARD, "../evil")], "leads out", id="hard link above"),
    pytest.param([entry("example-1.0/a", HARD, "example-1.0/b")], "not a file before it", id="hard link to nothing"),
    pytest.param(
        [entry("example-1.0/l", LINK, "PKG-INFO"), entry("example-1.0/a", HARD, "example-1.0/l")],
        "not a file before it",
        id="hard link to a link",
    ),
    pytest.param(
        [entry("example-1.0/d", LINK, "src"), entry("example-1.0/d/evil")],
        "a link and something else",
        id="file through a link",
    ),
    pytest.param(
        [entry("example-1.0/x/y", LINK, ".."), entry("example-1.0/x/y/z", LINK, "../../evil")],
        "a link and something else",
        id="link through a link",
    ),
    pytest.param(
        [entry("example-1.0/p/q/s", LINK, "../.."), entry("example-1.0/t", LINK, "p/q/s/../../evil")],
        "leads out",
        id="link that climbs through a link",
    ),
    pytest.param(
        [entry("example-1.0/a", LINK, "b"), entry("example-1.0/b", LINK, "a")], "leads out", id="links in a circle"
    ),
    pytest.param([entry("example-1.0/tty", tarfile.CHRTYPE)], "neither a file", id="device"),
    pytest.param([entry("example-1.0/pipe", tarfile.FIFOTYPE)], "neither a file", id="pipe"),
    pytest.param([entry("other/file")], "one folder, and holds example-1.0, other", id="two folders"),
    pytest.param([entry("example-1.0/PKG-INFO/a")], "a file and a folder", id="file below a file"),
    pytest.param([entry("example-1.0/src")], "a file and a folder", id="file in place of a folder"),
]


@pytest.mark.parametrize(("entries", "sentence"), HOSTILE)
def test_refuses_what_cannot_be_trusted(tmp_path: Path, entries: list[tarfile.TarInfo], sentence: str) -> None:
    folder = tmp_path / "deep" / "into"
    made = tar(tmp_path / "example-1.0.tar.gz", *entries)
    with pytest.raises(BadDistributionError, match=sentence) as caught:
        unpack(made, folder)
    assert caught.value.file == "example-1.0.tar.gz"
    outside = [each for each in tmp_path.rglob("*evil*") if not each.is_relative_to(folder)]
    assert outside == []
    links = [each for each in folder.rglob("*") if each.is_symlink() and each.exists()]
    assert all(each.resolve().is_relative_to(folder.resolve()) for each in links)


@pytest.mark.parametrize(
    ("files", "modes", "sentence"),
    [
        pytest.param({"../evil": ""}, {}, "leads out", id="name above"),
        pytest.param({"/evil": ""}, {}, "leads out", id="absolute name"),
        pytest.param({"e/a": "../../evil"}, {"e/a": stat.S_IFLNK | 0o777}, "leads out", id="link above"),
        pytest.param({"e/a": ""}, {"e/a": stat.S_IFCHR | 0o666}, "neither a file", id="device"),
        pytest.param({"a.py": ""}, {}, "holds no folder", id="no folder"),
        pytest.param({}, {}, "holds nothing", id="empty"),
    ],
)
def test_refuses_hostile_zips(tmp_path: Path, files: dict[str, str], modes: dict[str, int], sentence: str) -> None:
    with pytest.raises(BadDistributionError, match=sentence):
        unpack(zipped(tmp_path / "e.zip", files, modes), tmp_path / "into")


@pytest.mark.parametrize("cut", [0, 20, 200, -9], ids=["empty", "header", "middle", "checksum"])
@pytest.mark.parametrize("suffix", [".tar.gz", ".zip"])
def test_refuses_archives_that_are_cut_off(tmp_path: Path, suffix: str, cut: int) -> None:
    path = tmp_path / f"example-1.0{suffix}"
    files = {**FILES, "example-1.0/noise": "".join(map(str, range(9999)))}
    made = zipped(path, files) if suffix == ".zip" else tar(path, files=files)
    made.write_bytes(made.read_bytes()[:cut])
    with pytest.raises(BadDistributionError, match="cannot be read as an archive"):
        unpack(made, tmp_path / "into")


def test_refuses_a_flipped_bit(tmp_path: Path) -> None:
    made = tar(tmp_path / "example-1.0.tar.gz", files={"example-1.0/a": "x" * 100_000})
    content = bytearray(made.read_bytes())
    content[-6] ^= 1
    made.write_bytes(content)
    with pytest.raises(BadDistributionError, match="cannot be read as an archive"):
        unpack(made, tmp_path / "into")


def test_refuses_an_archive_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(BadDistributionError, match="is not there"):
        static_metadata(tmp_path / "example-1.0.tar.gz")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("Metadata-Version: 2.2\nName: e\n", True, id="2.2"),
        pytest.param("Metadata-Version: 2.10\nName: e\nRequires-Dist: torch\n", True, id="newer"),
        pytest.param("Metadata-Version: 2.1\nName: e\n", False, id="too old to say"),
        pytest.param("Name: e\n", False, id="no version"),
        pytest.param("Metadata-Version: x\n", False, id="nonsense"),
        pytest.param("Metadata-Version: 2.2\nDynamic: Requires-Dist\n", False, id="dynamic requirements"),
        pytest.param("Metadata-Version: 2.2\nDynamic: requires-python\n", False, id="in any case"),
        pytest.param("Metadata-Version: 2.2\nDynamic: License-File\nDynamic: Provides-Extra\n", False, id="extras"),
        pytest.param("Metadata-Version: 2.2\nDynamic: License-File\n", True, id="what does not matter"),
        pytest.param("Metadata-Version: 2.2\n\nDynamic: Requires-Dist\n", True, id="in the description"),
    ],
)
@pytest.mark.parametrize("suffix", [".tar.gz", ".zip"])
def test_knows_when_the_archive_tells_all(tmp_path: Path, suffix: str, text: str, expected: bool) -> None:
    files = {"e-1/e.egg-info/PKG-INFO": "Metadata-Version: 2.2\n", "e-1/PKG-INFO": text}
    path = tmp_path / f"e-1{suffix}"
    made = zipped(path, files) if suffix == ".zip" else tar(path, files=files)
    assert static_metadata(made) == (text.encode() if expected else None)


def test_without_pkg_info_only_a_build_can_tell(tmp_path: Path) -> None:
    assert static_metadata(tar(tmp_path / "e-1.tar.gz", files={"e-1/setup.py": ""})) is None
