"""Every wheel that means harm, or that two programs would read in two ways: refused with a sentence, nothing kept.

The table is name: (how it is made, words of the sentence). recipes.py has the recipes.
"""

from __future__ import annotations

import stat
import struct
import zlib
from pathlib import Path

import pytest

from bootstrap.errors import BadDistributionError
from bootstrap.wheels import inspection
from bootstrap.wheels.store import Store
from tests.making import make_wheel, metadata_text, record_hash
from tests.wheels.recipes import (
    END,
    FILENAME,
    INFORMATION,
    WHEEL,
    Piece,
    Recipe,
    archive,
    damaged,
    entry_points,
    pieces,
    raw,
    recorded,
    replaced,
    spoiled,
    twice,
    usual,
    with_entry,
    with_member,
    with_zip64,
    without,
    zip64,
)

CODE = b"x = 1\n"
CRC = zlib.crc32(CODE)
DATA = "tool-1.0.data"
LONG = b"y = 2\n" * 1000


def code(**changes: object) -> Piece:
    """The usual tool.py, about which something is not true."""
    return Piece("tool.py", CODE, **changes)  # type: ignore[arg-type]


def described(*numbers: int) -> Piece:
    """tool.py from a tool that writes its numbers behind it: checksum, packed size, size."""
    return code(
        flags=8, behind=struct.pack("<4s3L", b"PK\x07\x08", *numbers), local={"crc32": 0, "compressed": 0, "size": 0}
    )


def second_name(name: bytes) -> bytes:
    """The extra field that gives an entry another name for those programs that know it."""
    content = struct.pack("<BL", 1, zlib.crc32(b"tool.py")) + name
    return struct.pack("<2H", 0x7075, len(content)) + content


def wide_field(*numbers: int) -> bytes:
    return struct.pack(f"<2H{len(numbers)}Q", 1, 8 * len(numbers), *numbers)


PACKED = code().data()
EMPTY_END = END.pack(b"PK\x05\x06", 0, 0, 0, 0, 0, 0, 0)
BEHIND = (
    sum(46 + len(each.name) for each in pieces()[1:]) + END.size
)  # from the first entry of the directory to the end
COVERING = END.pack(b"PK\x05\x06", 0, 0, 0, 0, 0, 0, BEHIND)

NAMES: dict[str, tuple[Recipe, str]] = {
    "absolute path": (with_member("/etc/cron.d/tool"), "is an absolute path"),
    "network path": (with_member("//server/share/tool.py"), "is an absolute path"),
    "network path of Windows": (with_member("\\\\server\\share\\tool.py"), "backslash"),
    "parent folder": (with_member("../../outside.py"), "leaves the folder"),
    "parent folder in the middle": (with_member("a/../../outside.py"), "leaves the folder"),
    "parent folder of Windows": (with_member("..\\outside.py"), "backslash"),
    "drive": (with_member("C:/Windows/tool.py"), "names a drive"),
    "drive without a root": (with_member("C:tool.py"), "names a drive"),
    "drive in a folder": (with_member("tool/D:/x.py"), "names a drive"),
    "newline": (with_member("a\nb.py"), "control character"),
    "escape sequence": (with_member("a\x1b[2Jb.py"), "control character"),
    "nul": (archive(pieces(Piece("tool2.py\0.txt", b""))), "control character"),
    "control character of Latin-1": (with_member("a\x85b.py"), "control character"),
    "turned around": (with_member("a\u202eyp.b"), "control character"),
    "dot component": (with_member("./other.py"), "is not a plain path"),
    "empty component": (with_member("a//b.py"), "is not a plain path"),
    "trailing dot": (with_member("tool.py."), "ends in a dot or a space"),
    "trailing space": (with_member("folder /x.py"), "ends in a dot or a space"),
    "device": (with_member("tool/NUL"), "is a device on Windows"),
    "device with a suffix": (with_member("tool/com1.txt"), "is a device on Windows"),
    "overlong name": (with_member("a" * 300 + ".py"), "longer than 255 bytes"),
    "overlong path": (with_member("/".join(["a" * 100] * 11)), "longer than 1000 bytes"),
    "not UTF-8": (
        archive(pieces(code(local={"name": b"t\xff.py"}, central={"name": b"t\xff.py"}))),
        "not marked as UTF-8",
    ),
    "one name twice": (twice, "is in it twice"),
    "names that differ by case": (with_member("Tool.py"), "differ only by case or Unicode form"),
    "names that fold to one": (with_member("stra\u00dfe.py", "STRASSE.py"), "differ only by case or Unicode form"),
    "composed and decomposed": (with_member("caf\u00e9.py", "cafe\u0301.py"), "differ only by case or Unicode form"),
    "full width": (with_member("\uff54ool.py"), "differ only by case or Unicode form"),
    "file and folder": (with_member("tool.py/inner.py"), "both a file and a folder"),
    "file and folder by case": (with_member("TOOL.py/inner.py"), "both a file and a folder"),
}

KINDS: dict[str, tuple[Recipe, str]] = {
    "symbolic link": (with_entry("link", stat.S_IFLNK | 0o777), "is a symbolic link"),
    "fifo": (with_entry("pipe", stat.S_IFIFO | 0o644), "is no plain file"),
    "device node": (with_entry("null", stat.S_IFCHR | 0o666), "is no plain file"),
    "socket": (with_entry("socket", stat.S_IFSOCK | 0o666), "is no plain file"),
    "folder named as a file": (with_entry("folder", stat.S_IFDIR | 0o755), "is no plain file"),
    "folder with content": (with_entry("folder/", stat.S_IFDIR | 0o755), "is a folder with 11 bytes of content"),
}

ARCHIVES: dict[str, tuple[Recipe, str]] = {
    "not a zip": (raw(b"<html>404</html>"), "not a zip archive"),
    "empty file": (raw(b""), "not a zip archive"),
    "end only": (raw(EMPTY_END), "it is empty"),
    "cut off": (spoiled(lambda content: content[:-30]), "not a zip archive"),
    "damaged in the middle": (damaged, "damaged"),
    "something before it": (spoiled(lambda content: b"#!/bin/sh\n" + content), "directory is not where its end says"),
    "something behind it": (spoiled(lambda content: content + b"#!/bin/sh\n"), "put behind it"),
    "another archive behind it": (spoiled(lambda content: content + content), "directory is not where its end says"),
    "many zeros behind it": (spoiled(lambda content: content + bytes(1000)), "not its end"),
    "end in a comment": (archive(pieces(), comment=b"note " + EMPTY_END), "it has two end records"),
    "end in front of a comment": (
        archive(pieces(), comment=b"note " + EMPTY_END + b"more"),
        "put behind it or cut off",
    ),
    "end in a comment of a file": (archive(pieces(code(central={"comment": COVERING}))), "it has two end records"),
    "hidden before the first": (archive(pieces(code(before=b"hidden"))), "6 bytes before the first file"),
    "hidden between two": (archive(pieces(code(behind=b"hidden"))), "6 bytes behind 'tool.py' belong to nothing"),
    "hidden before the directory": (archive(pieces(), between=b"hidden"), "6 bytes behind .* belong to nothing"),
    "hidden before the end": (archive(pieces(), tail=b"hidden"), "directory is not where its end says"),
    "hidden behind packed data": (archive(pieces(code(packed=PACKED + b"hidden"))), "lies behind its packed data"),
    "hidden entry": (
        archive(pieces(), between=b"PK\x03\x04" + bytes(26)),
        "30 bytes behind .* belong to nothing",
    ),
    "two entries of one place": (
        archive(pieces(Piece("copy.py", CODE, central={"offset": 0}))),
        "'tool.py' overlaps|belong to nothing",
    ),
    "overlapping": (archive(pieces(code(central={"compressed": 400}))), "'tool.py' overlaps what comes after it"),
    "beyond the end": (archive(pieces(code(central={"offset": 1 << 31}))), "overlaps|is not where"),
    "not where it should be": (archive(pieces(code(central={"offset": 3}))), "'tool.py' is not where|before the first"),
    "fewer entries than claimed": (archive(pieces(), end={"count": 99}), "it has 4 entries and claims 99"),
    "another name in front": (archive(pieces(code(local={"name": b"evil.py"}))), "disagree about its name"),
    "another size in front": (archive(pieces(code(local={"size": 99}))), "disagree about its size"),
    "another packed size in front": (archive(pieces(code(local={"compressed": 5}))), "disagree about its packed size"),
    "another checksum in front": (archive(pieces(code(local={"crc32": 5}))), "disagree about its checksum"),
    "another method in front": (archive(pieces(code(local={"method": 0}))), "disagree about its method"),
    "encrypted in front only": (archive(pieces(code(local={"flags": 1}))), "disagree about its flags"),
    "a descriptor in front only": (archive(pieces(code(local={"flags": 8}))), "disagree about its flags"),
    "wrong checksum": (archive(pieces(code(local={"crc32": 5}, central={"crc32": 5}))), "checksum is wrong"),
    "longer than declared": (
        archive(pieces(Piece("a.py", LONG, local={"size": 10}, central={"size": 10}))),
        "longer than declared",
    ),
    "shorter than declared": (
        archive(pieces(code(local={"size": 99}, central={"size": 99}))),
        "shorter than declared",
    ),
    "stored with two sizes": (
        archive(pieces(code(method=0, local={"size": 9}, central={"size": 9}))),
        "claims two sizes",
    ),
    "packed data cut off": (archive(pieces(Piece("a.py", LONG, packed=b"\x4b"))), "cut off|cannot be unpacked"),
    "packed data is noise": (archive(pieces(code(packed=b"\xff" * 8))), "cannot be unpacked"),
    "descriptor of another checksum": (archive(pieces(described(5, len(PACKED), 6))), "descriptor and the directory"),
    "descriptor of another size": (archive(pieces(described(CRC, len(PACKED), 99))), "descriptor and the directory"),
    "descriptor announced and absent": (archive(pieces(code(flags=8))), "has no descriptor"),
    "descriptor of a strange length": (
        archive(pieces(code(flags=8, behind=bytes(17)))),
        "has no descriptor, which it announces",
    ),
    "unusual compression": (archive(pieces(code(method=12))), "packed in an unusual way"),
    "unknown compression": (archive(pieces(code(method=99))), "packed in an unusual way"),
    "encrypted": (archive(pieces(code(flags=1))), "'tool.py' is encrypted"),
    "strongly encrypted": (archive(pieces(code(flags=0x40))), "'tool.py' is encrypted"),
    "second name": (archive(pieces(code(central={"extra": second_name(b"../x.py")}))), "has a second name"),
    "second name in front": (archive(pieces(code(local={"extra": second_name(b"x.py")}))), "has a second name"),
    "damaged extra fields": (archive(pieces(code(central={"extra": b"\1\0\xff\0"}))), "damaged extra fields"),
    "two zip64 fields": (
        archive(pieces(code(central={"extra": wide_field(6) + wide_field(7), "size": 0xFFFFFFFF}))),
        "two zip64 fields",
    ),
    "zip64 field missing": (archive(pieces(code(central={"size": 0xFFFFFFFF}))), "no zip64 field for its sizes"),
    "zip64 field too short": (
        archive(pieces(code(central={"size": 0xFFFFFFFF, "compressed": 0xFFFFFFFF, "extra": wide_field(6)}))),
        "no zip64 field for its sizes",
    ),
    "zip64 field of another size": (
        archive(pieces(code(central={"size": 0xFFFFFFFF, "extra": wide_field(7)}))),
        "disagree about its size",
    ),
    "zip64 record missing": (archive(pieces(), end={"start": 0xFFFFFFFF}), "zip64 record is missing"),
    "zip64 record of another count": (with_zip64(pieces(), count=1), "has 4 entries and claims 5"),
    "zip64 record elsewhere": (with_zip64(pieces(), moved=1), "zip64 record is not where"),
    "zip64 record beside another truth": (with_zip64(pieces(), count=1, full=False), "its two end records disagree"),
    "zip64 record beyond the end": (
        archive(pieces(), tail=zip64(count=4, size=1, start=1, record_at=1 << 60)),
        "zip64 record is not where",
    ),
    "part of several": (spoiled(lambda content: content.replace(b"PK\5\6\0\0", b"PK\5\6\1\0")), "part of several"),
    "decompression bomb": (
        archive(pieces(Piece("zeros", b"", central={"size": inspection.ROOM}, local={"size": inspection.ROOM}))),
        "more than any real wheel",
    ),
    "bomb of many files": (
        archive(pieces(*(Piece(f"{each}", CODE, central={"size": inspection.ROOM // 4}) for each in range(8)))),
        "more than any real wheel",
    ),
    "bomb beyond all disks": (
        archive(pieces(code(central={"size": 0xFFFFFFFF, "extra": wide_field(1 << 63)}))),
        "more than any real wheel",
    ),
}

CONTENTS: dict[str, tuple[Recipe, str]] = {
    "no dist-info": (archive([Piece("tool.py", b"")]), "no dist-info folders"),
    "two dist-infos": (with_member("other-2.0.dist-info/METADATA"), "2 dist-info folders"),
    "one dist-info in two spellings": (with_member("TOOL-1.0.DIST-INFO/licence"), "2 dist-info folders"),
    "no METADATA": (without(f"{INFORMATION}/METADATA"), "METADATA is missing"),
    "no WHEEL": (without(f"{INFORMATION}/WHEEL"), "WHEEL is missing"),
    "no RECORD": (without(f"{INFORMATION}/RECORD"), "RECORD is missing"),
    "another name": (
        replaced(f"{INFORMATION}/METADATA", metadata_text("torch", "1.0").encode()),
        "METADATA is about 'torch'",
    ),
    "another version": (
        replaced(f"{INFORMATION}/METADATA", metadata_text("tool", "1.0+cpu").encode()),
        r"METADATA has version 1.0\+cpu",
    ),
    "two names": (
        replaced(f"{INFORMATION}/METADATA", b"Name: tool\nName: torch\nVersion: 1.0\n"),
        "METADATA has two fields 'Name'",
    ),
    "dist-info of another version": (
        lambda path: make_wheel(path.parent / "made", "tool", "2.0").rename(path).touch(),
        "tool-2.0.dist-info has version 2.0, the file name 1.0",
    ),
    "dist-info of another name": (
        lambda path: make_wheel(path.parent / "made", "torch", "1.0").rename(path).touch(),
        "torch-1.0.dist-info is about 'torch', the file name about 'tool'",
    ),
    "wheel of the future": (replaced(f"{INFORMATION}/WHEEL", b"Wheel-Version: 2.0\n"), "Wheel-Version is 2.0"),
    "wheel of no version": (replaced(f"{INFORMATION}/WHEEL", b"Root-Is-Purelib: true\n"), "Wheel-Version is missing"),
    "two wheel versions": (
        replaced(f"{INFORMATION}/WHEEL", b"Wheel-Version: 2.0\n" + WHEEL),
        "WHEEL has two fields 'Wheel-Version'",
    ),
    "neither pure nor not": (
        replaced(f"{INFORMATION}/WHEEL", b"Wheel-Version: 1.0\nRoot-Is-Purelib: ../lib\n"),
        "Root-Is-Purelib is '../lib'",
    ),
    "WHEEL is not text": (replaced(f"{INFORMATION}/WHEEL", b"\xff\xfe"), "WHEEL is not UTF-8"),
    "unlisted file": (recorded(lambda text: text.replace("tool.py", "toot.py")), "RECORD does not list 'tool.py'"),
    "wrong hash": (
        recorded(lambda text: text.replace(record_hash(CODE), record_hash(b"x = 2\n"))),
        "'tool.py' is not what RECORD says",
    ),
    "wrong size": (
        recorded(lambda text: text.replace(record_hash(CODE) + ",6", record_hash(CODE) + ",7")),
        "'tool.py' is not what RECORD says",
    ),
    "no hash": (
        recorded(lambda text: text.replace(record_hash(CODE) + ",6", ",")),
        "RECORD has no hash for 'tool.py'",
    ),
    "weak hash": (
        recorded(lambda text: text.replace(record_hash(CODE), "md5=abc")),
        "no usable hash for 'tool.py'",
    ),
    "size that is none": (
        recorded(lambda text: text.replace(record_hash(CODE) + ",6", record_hash(CODE) + ",-6")),
        "RECORD has no number as the size of 'tool.py'",
    ),
    "listed twice": (recorded(lambda text: text + "tool.py,,\n"), "lists 'tool.py' twice"),
    "listed outside": (recorded(lambda text: text + "../../../../etc/passwd,,\n"), "passwd', which leaves the folder"),
    "listed at the root": (recorded(lambda text: text + "/etc/passwd,,\n"), "'/etc/passwd', which is an absolute path"),
    "listed with a comma": (recorded(lambda text: text + "a,b.py,,\n"), "no usable hash|columns"),
    "RECORD hashes itself": (
        recorded(lambda text: text.replace("RECORD,,", f"RECORD,{record_hash(b'')},0")),
        "claims to hash itself",
    ),
    "RECORD is binary": (recorded(lambda _: "\0,\0,\0\n"), "RECORD"),
    "unknown scheme": (with_member(f"{DATA}/system/tool"), "no known install scheme"),
    "data without a scheme": (with_member(f"{DATA}/tool"), "no known install scheme"),
    "data folder of another": (with_member("other-1.0.data/scripts/tool"), "data folder of something else"),
    "data folder in another spelling": (with_member("TOOL-1.0.DATA/scripts/python"), "data folder of something else"),
    "replaces the interpreter": (with_member(f"{DATA}/scripts/python3.12"), "file of the environment itself"),
    "replaces the interpreter by way of data": (with_member(f"{DATA}/data/bin/Python"), "of the environment itself"),
    "replaces another interpreter": (with_member(f"{DATA}/scripts/pypy3"), "file of the environment itself"),
    "replaces the settings": (with_member(f"{DATA}/data/pyvenv.cfg"), "file of the environment itself"),
    "replaces activation": (with_member(f"{DATA}/scripts/activate.fish"), "file of the environment itself"),
    "replaces deactivation": (with_member(f"{DATA}/data/bin/deactivate.csh"), "file of the environment itself"),
    "replaces our marker": (with_member(f"{DATA}/data/generation.json"), "file of the environment itself"),
    "replaces our stamp": (with_member(f"{DATA}/data/torchstrap.stamp"), "file of the environment itself"),
    "replaces our outcome": (with_member(f"{DATA}/data/torchstrap.json"), "file of the environment itself"),
    "replaces the library folder": (with_member(f"{DATA}/data/lib"), "file of the environment itself"),
    "replaces what runs at every start": (with_member("_virtualenv.pth"), "file of the environment itself"),
    "forged records": (
        with_member(f"{DATA}/purelib/torch-2.0.dist-info/METADATA"),
        "forge the records of another package",
    ),
    "forged records by way of data": (
        with_member(f"{DATA}/data/lib/python3.12/site-packages/torch-2.0.dist-info/RECORD"),
        "forge the records of another package",
    ),
    "program in a folder": (entry_points("../../evil = a:b"), "has a path in its name"),
    "program in a folder of Windows": (entry_points("..\\evil = a:b"), "has a path in its name"),
    "program of shell syntax": (entry_points("$(reboot) = a:b"), "no plain word"),
    "program of two commands": (entry_points("ls;reboot = a:b"), "no plain word"),
    "program that is an option": (entry_points("-rf = a:b"), "no plain word"),
    "program with an escape sequence": (entry_points("ls\x1b[2J = a:b"), "no plain word"),
    "program that is the interpreter": (entry_points("python3 = a:b"), "would replace a program"),
    "program that is activation": (entry_points("activate = a:b"), "would replace a program"),
    "program of code": (entry_points("tool = os:system('reboot')"), "no module:function"),
    "program of two lines": (entry_points("tool = a:b\n  import os"), "no module:function"),
    "programs that cannot be read": (
        replaced(f"{INFORMATION}/entry_points.txt", b"console_scripts\n[console_scripts"),
        "entry_points.txt cannot be read",
    ),
    "programs that are not text": (
        replaced(f"{INFORMATION}/entry_points.txt", b"\xff[console_scripts]"),
        "entry_points.txt is not UTF-8",
    ),
}

HOSTILE = {**NAMES, **KINDS, **ARCHIVES, **CONTENTS}


def left_in(folder: Path) -> list[str]:
    return sorted(str(each.relative_to(folder)) for each in folder.rglob("*") if not each.is_dir())


@pytest.mark.parametrize(("make", "words"), HOSTILE.values(), ids=HOSTILE)
def test_is_refused_with_a_sentence_and_leaves_nothing(tmp_path: Path, make: Recipe, words: str) -> None:
    given = tmp_path / "given"
    given.mkdir()
    make(given / FILENAME)
    before = (given / FILENAME).read_bytes()
    store = Store(tmp_path / "store")
    with pytest.raises(BadDistributionError, match=words) as caught:
        store.add(given / FILENAME, FILENAME)
    assert caught.value.exit_code == 1
    said = str(caught.value)
    assert said.startswith(f"{FILENAME} is refused: ")
    assert "\n" not in said
    assert said.isprintable()
    assert list(store) == []
    assert left_in(store.root) == []
    assert left_in(tmp_path) == [f"given/{FILENAME}"], "nothing is written outside"
    assert (given / FILENAME).read_bytes() == before


def test_there_are_enough_of_them() -> None:
    assert len(HOSTILE) == sum(map(len, (NAMES, KINDS, ARCHIVES, CONTENTS))), "no name is there twice"
    assert len(HOSTILE) >= 40


HARMLESS: dict[str, Recipe] = {
    "put together by hand": archive(pieces()),
    "stored": archive(pieces(code(method=0))),
    "with a comment": archive(pieces(), comment=b"made by hand"),
    "with a few zeros behind it": spoiled(lambda content: content + bytes(9)),
    "with a zip64 record": with_zip64(pieces()),
    "with a zip64 record and plain numbers": with_zip64(pieces(), full=False),
    "with a zip64 field": archive(pieces(code(central={"size": 0xFFFFFFFF, "extra": wide_field(len(CODE))}))),
    "with zip64 fields in front": archive(
        pieces(code(local={"size": 0xFFFFFFFF, "compressed": 0xFFFFFFFF, "extra": wide_field(len(CODE), len(PACKED))}))
    ),
    "with a name said twice": archive(pieces(code(central={"extra": second_name(b"tool.py")}))),
    "with a descriptor": archive(pieces(described(CRC, len(PACKED), len(CODE)))),
    "with a descriptor and the truth in front": archive(
        pieces(code(flags=8, behind=struct.pack("<4s3L", b"PK\x07\x08", CRC, len(PACKED), len(CODE))))
    ),
    "with a bare descriptor": archive(
        pieces(code(flags=8, behind=struct.pack("<3L", CRC, len(PACKED), len(CODE)), local={"crc32": 0}))
    ),
    "with a wide descriptor": archive(
        pieces(code(flags=8, behind=struct.pack("<4sL2Q", b"PK\x07\x08", CRC, len(PACKED), len(CODE))))
    ),
    "with an archive inside": archive(pieces(Piece("inner.zip", b"PK\x03\x04" + EMPTY_END, method=0))),
    "with folders": with_member("folder/", content=b""),
    "with a module that is a device": with_member("tool/aux.py"),
    "with names in other alphabets": with_member("\u6587.py", "\u00e9t\u00e9.py", "a b.py", "{{ x }}.py"),
    "with a program of a window": entry_points("Tool 2.0 = tool:main"),
    "with a signature": recorded(lambda text: text + f"{INFORMATION}/RECORD.jws,,\n"),
}


@pytest.mark.parametrize("make", HARMLESS.values(), ids=HARMLESS)
def test_takes_what_is_only_unusual(tmp_path: Path, make: Recipe) -> None:
    """The same bytes as in the table above, told truly."""
    make(tmp_path / FILENAME)
    entry = Store(tmp_path / "store").add(tmp_path / FILENAME, FILENAME)
    assert (entry.tree / "tool.py").read_bytes() == CODE
    assert entry.contents.notes == []


def test_names_that_differ_by_case_are_two_files_where_only_linux_takes_the_wheel(tmp_path: Path) -> None:
    """As in real wheels that carry terminfo or the headers of the kernel."""
    filename = "tool-1.0-py3-none-manylinux_2_28_x86_64.musllinux_1_2_x86_64.whl"
    with_member("Tool.py")(tmp_path / filename)
    assert {"tool.py", "Tool.py"} <= set(Store(tmp_path / "store").add(tmp_path / filename, filename).contents.paths)


@pytest.mark.parametrize(
    ("make", "note"),
    [
        (
            replaced(f"{INFORMATION}/WHEEL", WHEEL.replace(b"1.0", b"1.7")),
            "its Wheel-Version is 1.7, newer than 1.0, and what is new in it is not done",
        ),
        (
            recorded(lambda text: text + "a.py,,\nb.py,,\nc.py,,\nd.py,,\ne.pyc,,\n"),
            "RECORD lists what is not in it: 'a.py', 'b.py', 'c.py' and 1 more",
        ),
    ],
    ids=["newer minor version", "lost files"],
)
def test_lets_a_mistake_pass_with_a_note(tmp_path: Path, make: Recipe, note: str) -> None:
    make(tmp_path / FILENAME)
    entry = Store(tmp_path / "store").add(tmp_path / FILENAME, FILENAME)
    assert list(entry.contents.notes) == [note]


def test_a_wheel_that_is_all_wrong_is_not_described_in_full(tmp_path: Path) -> None:
    with_member(*(f"/{number}" for number in range(100)))(tmp_path / FILENAME)
    with pytest.raises(BadDistributionError) as caught:
        Store(tmp_path / "store").add(tmp_path / FILENAME, FILENAME)
    assert len(caught.value.issues) == inspection.SHOWN + 1
    assert caught.value.issues[-1] == f"and {100 - inspection.SHOWN} more like these"


def test_every_byte_counts(tmp_path: Path) -> None:
    """Whatever single byte is changed: the wheel is refused, or what is installed is the same."""
    make = archive(pieces(members=usual()))
    make(tmp_path / FILENAME)
    true = (tmp_path / FILENAME).read_bytes()
    store = Store(tmp_path / "store")
    good = store.add(tmp_path / FILENAME, FILENAME)
    for place in range(len(true)):
        changed = bytearray(true)
        changed[place] ^= 0x15
        (tmp_path / FILENAME).write_bytes(changed)
        try:
            found = store.add(tmp_path / FILENAME, FILENAME)
        except BadDistributionError:
            continue
        assert (found.contents.paths, found.contents.sizes) == (good.contents.paths, good.contents.sizes), place
        for path in found.contents.paths:
            assert (found.tree / path).read_bytes() == (good.tree / path).read_bytes(), (place, path)
