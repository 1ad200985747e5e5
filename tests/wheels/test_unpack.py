from __future__ import annotations

import stat
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from bootstrap.errors import BadDistributionError
from bootstrap.wheels import inspection
from bootstrap.wheels.unpack import unpack
from tests.making import make_wheel, metadata_text, record_hash, write_wheel

INFORMATION = "tool-1.0.dist-info"
FILENAME = "tool-1.0-py3-none-any.whl"
WHEEL = b"Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: py3-none-any\n"

Members = dict[str, bytes]


def usual(**more: bytes) -> Members:
    return {
        "tool.py": b"x = 1\n",
        f"{INFORMATION}/METADATA": metadata_text("tool", "1.0").encode(),
        f"{INFORMATION}/WHEEL": WHEEL,
        **more,
    }


def with_member(name: str, content: bytes = b"bad\n") -> Callable[[Path], None]:
    def make(archive: Path) -> None:
        write_wheel(archive, {**usual(), name: content}, record=f"{INFORMATION}/RECORD")

    return make


def without(name: str) -> Callable[[Path], None]:
    def make(archive: Path) -> None:
        members = usual()
        del members[name]
        write_wheel(archive, members, record=f"{INFORMATION}/RECORD")

    return make


def replaced(name: str, content: bytes) -> Callable[[Path], None]:
    def make(archive: Path) -> None:
        write_wheel(archive, {**usual(), name: content}, record=f"{INFORMATION}/RECORD")

    return make


def recorded(change: Callable[[str], str], members: Mapping[str, bytes] | None = None) -> Callable[[Path], None]:
    """A wheel whose RECORD was changed."""

    def make(archive: Path) -> None:
        contents = dict(members or usual())
        rows = [f"{name},{record_hash(content)},{len(content)}" for name, content in contents.items()]
        text = change("\n".join([*rows, f"{INFORMATION}/RECORD,,"]) + "\n")
        with zipfile.ZipFile(archive, "w") as target:
            for name, content in contents.items():
                target.writestr(name, content)
            target.writestr(f"{INFORMATION}/RECORD", text)

    return make


def raw(content: bytes) -> Callable[[Path], None]:
    def make(archive: Path) -> None:
        archive.write_bytes(content)

    return make


def with_entry(name: str, mode: int) -> Callable[[Path], None]:
    """A wheel with a member of a special kind."""

    def make(archive: Path) -> None:
        write_wheel(archive, usual(), record=f"{INFORMATION}/RECORD")
        info = zipfile.ZipInfo(name)
        info.external_attr = mode << 16
        with zipfile.ZipFile(archive, "a") as target:
            target.writestr(info, b"/etc/passwd")

    return make


def twice(archive: Path) -> None:
    write_wheel(archive, usual(), record=f"{INFORMATION}/RECORD")
    with zipfile.ZipFile(archive, "a") as target, pytest.warns(UserWarning, match="Duplicate"):
        target.writestr("tool.py", b"x = 2\n")


def damaged(archive: Path) -> None:
    write_wheel(archive, usual(**{"big.bin": bytes(range(256)) * 4096}), record=f"{INFORMATION}/RECORD")
    content = bytearray(archive.read_bytes())
    place = content.index(b"big.bin") + 1000
    content[place : place + 64] = b"\0" * 64
    archive.write_bytes(content)


def bomb(archive: Path) -> None:
    write_wheel(archive, usual(zeros=b"\0" * (inspection.ROOM + 1)), record=f"{INFORMATION}/RECORD")


def encrypted(archive: Path) -> None:
    write_wheel(archive, usual(), record=f"{INFORMATION}/RECORD")
    content = bytearray(archive.read_bytes())
    place = content.index(b"PK\x01\x02")
    content[place + 8] |= 1
    archive.write_bytes(content)


def naked(archive: Path) -> None:
    write_wheel(archive, {"tool.py": b""}, record="RECORD")


HOSTILE: dict[str, tuple[Callable[[Path], None], str]] = {
    "not a zip": (raw(b"<html>404</html>"), "not a zip archive"),
    "empty file": (raw(b""), "not a zip archive"),
    "damaged in the middle": (damaged, "damaged"),
    "absolute path": (with_member("/etc/cron.d/tool"), "is an absolute path"),
    "parent folder": (with_member("../../outside.py"), "leaves the folder"),
    "parent folder in the middle": (with_member("a/../../outside.py"), "leaves the folder"),
    "windows drive": (with_member("C:/Windows/tool.py"), "names a drive"),
    "backslash": (with_member("..\\outside.py"), "backslash"),
    "newline": (with_member("a\nb.py"), "control character"),
    "nul": (with_entry("tool2.py\0.txt", stat.S_IFREG | 0o644), "RECORD does not list"),
    "dot component": (with_member("./other.py"), "is not a plain path"),
    "empty component": (with_member("a//b.py"), "is not a plain path"),
    "overlong name": (with_member("a" * 300 + ".py"), "longer than 255 bytes"),
    "symbolic link": (with_entry("link", stat.S_IFLNK | 0o777), "is a symbolic link"),
    "fifo": (with_entry("pipe", stat.S_IFIFO | 0o644), "is no plain file"),
    "one name twice": (twice, "is in it twice"),
    "file and folder": (with_member("tool.py/inner.py"), "both a file and a folder"),
    "encrypted": (encrypted, "is encrypted"),
    "decompression bomb": (bomb, "more than any real wheel"),
    "no dist-info": (naked, "no dist-info folders"),
    "two dist-infos": (with_member("other-2.0.dist-info/METADATA"), "2 dist-info folders"),
    "no METADATA": (without(f"{INFORMATION}/METADATA"), "METADATA is missing"),
    "no WHEEL": (without(f"{INFORMATION}/WHEEL"), "WHEEL is missing"),
    "another name": (
        replaced(f"{INFORMATION}/METADATA", metadata_text("torch", "1.0").encode()),
        "METADATA is about 'torch'",
    ),
    "another version": (
        replaced(f"{INFORMATION}/METADATA", metadata_text("tool", "1.0+cpu").encode()),
        r"METADATA has version 1.0\+cpu",
    ),
    "wheel of the future": (replaced(f"{INFORMATION}/WHEEL", b"Wheel-Version: 2.0\n"), "Wheel-Version is 2.0"),
    "unlisted file": (recorded(lambda text: text.replace("tool.py", "toot.py")), "RECORD does not list 'tool.py'"),
    "wrong hash": (
        recorded(lambda text: text.replace(record_hash(b"x = 1\n"), record_hash(b"x = 2\n"))),
        "'tool.py' is not what RECORD says",
    ),
    "wrong size": (
        recorded(lambda text: text.replace(record_hash(b"x = 1\n") + ",6", record_hash(b"x = 1\n") + ",7")),
        "'tool.py' is not what RECORD says",
    ),
    "no hash": (
        recorded(lambda text: text.replace(record_hash(b"x = 1\n") + ",6", ",")),
        "RECORD has no hash for 'tool.py'",
    ),
    "weak hash": (
        recorded(lambda text: text.replace(record_hash(b"x = 1\n"), "md5=abc")),
        "no usable hash for 'tool.py'",
    ),
    "listed twice": (recorded(lambda text: text + "tool.py,,\n"), "lists 'tool.py' twice"),
    "RECORD hashes itself": (
        recorded(lambda text: text.replace("RECORD,,", f"RECORD,{record_hash(b'')},0")),
        "claims to hash itself",
    ),
    "WHEEL is not text": (replaced(f"{INFORMATION}/WHEEL", b"\xff\xfe"), "WHEEL is not UTF-8"),
    "unknown scheme": (with_member("tool-1.0.data/system/tool"), "no known install scheme"),
    "data folder of another": (with_member("other-1.0.data/scripts/tool"), "data folder of something else"),
    "replaces the interpreter": (with_member("tool-1.0.data/scripts/python3.12"), "file of the environment itself"),
    "replaces the settings": (with_member("tool-1.0.data/data/pyvenv.cfg"), "file of the environment itself"),
    "forged records": (
        with_member("tool-1.0.data/purelib/torch-2.0.dist-info/METADATA"),
        "forge the records of another package",
    ),
    "forged records by way of data": (
        with_member("tool-1.0.data/data/lib/python3.12/site-packages/torch-2.0.dist-info/RECORD"),
        "forge the records of another package",
    ),
}


@pytest.mark.parametrize(("make", "issue"), HOSTILE.values(), ids=HOSTILE)
def test_refuses_a_hostile_wheel(tmp_path: Path, make: Callable[[Path], None], issue: str) -> None:
    archive = tmp_path / FILENAME
    make(archive)
    around = tmp_path / "around"
    around.mkdir()
    with pytest.raises(BadDistributionError, match=issue):
        unpack(archive, FILENAME, around / "tree")
    assert {each.name for each in around.iterdir()} <= {"tree"}, "nothing is written outside"
    assert {each.name for each in tmp_path.iterdir()} == {FILENAME, "around"}


def test_unpacks_a_good_wheel_with_the_facts_to_install_it(tmp_path: Path) -> None:
    archive = make_wheel(
        tmp_path,
        "tool",
        "1.0",
        files={
            "tool/__init__.py": "x = 1\n",
            "tool/run": "#!/bin/sh\n",
            "tool-1.0.data/scripts/tool": "#!python\nprint(1)\n",
        },
        entry_points="[console_scripts]\ntool2 = tool:main\n",
        executable=["tool/run"],
    )
    contents = unpack(archive, archive.name, tmp_path / "tree")
    assert (contents.name, contents.version, contents.information, contents.pure) == ("tool", "1.0", INFORMATION, True)
    assert {each.path: (each.size, each.executable) for each in contents.files if each.path.startswith("tool/")} == {
        "tool/__init__.py": (6, False),
        "tool/run": (10, True),
    }
    assert list(contents.directories) == ["tool", INFORMATION]
    assert [(each.scheme, each.path, each.source) for each in contents.data] == [
        ("scripts", "tool", "tool-1.0.data/scripts/tool")
    ]
    assert contents.entry_points == "[console_scripts]\ntool2 = tool:main\n"
    assert f"tool/__init__.py,{record_hash(b'x = 1' + bytes([10]))},6\n" in contents.record
    assert "scripts" not in contents.record, "data files get rows where they are installed"
    assert (tmp_path / "tree/tool/__init__.py").read_text() == "x = 1\n"
    assert (tmp_path / "tree/tool/run").stat().st_mode & 0o100
    assert not (tmp_path / "tree/tool/__init__.py").stat().st_mode & 0o100


def test_lets_a_wrong_hash_of_metadata_pass_with_a_note_and_keeps_the_true_row(tmp_path: Path) -> None:
    """As in the torch wheels 1.7 to 1.12."""
    archive = tmp_path / FILENAME
    truth = record_hash(usual()[f"{INFORMATION}/METADATA"])
    recorded(lambda text: text.replace(truth, record_hash(b"before it was edited")))(archive)
    contents = unpack(archive, FILENAME, tmp_path / "tree")
    assert list(contents.notes) == [f"'{INFORMATION}/METADATA' is not what RECORD says"]
    assert truth in contents.record


@pytest.mark.parametrize("extra", ["RECORD.jws", "RECORD.p7s"])
def test_needs_no_row_for_signatures(tmp_path: Path, extra: str) -> None:
    archive = tmp_path / FILENAME
    members = usual(**{f"{INFORMATION}/{extra}": b"signature"})
    recorded(lambda text: "".join(line for line in text.splitlines(True) if extra not in line), members)(archive)
    contents = unpack(archive, FILENAME, tmp_path / "tree")
    assert extra not in contents.record


def test_leaves_out_what_an_installer_writes_itself(tmp_path: Path) -> None:
    archive = make_wheel(
        tmp_path, "tool", "1.0", files={f"{INFORMATION}/INSTALLER": "somebody", f"{INFORMATION}/direct_url.json": "{}"}
    )
    contents = unpack(archive, archive.name, tmp_path / "tree")
    assert {each.path for each in contents.files} == {f"{INFORMATION}/METADATA", f"{INFORMATION}/WHEEL"}


def test_reports_all_issues_at_once(tmp_path: Path) -> None:
    archive = tmp_path / FILENAME
    write_wheel(archive, usual(**{"/a": b"", "../b": b""}), record=f"{INFORMATION}/RECORD")
    with pytest.raises(BadDistributionError) as caught:
        unpack(archive, FILENAME, tmp_path / "tree")
    assert len(caught.value.issues) == 2


def test_refuses_a_file_name_that_is_no_wheels(tmp_path: Path) -> None:
    archive = make_wheel(tmp_path, "tool", "1.0")
    with pytest.raises(BadDistributionError, match="its file name is no wheel's name"):
        unpack(archive, "tool.whl", tmp_path / "tree")
