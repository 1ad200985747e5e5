"""Whatever is wrong in a table is refused with file, line, key, and what would be right."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from profiles.doubts import FILES
from profiles.forms import KINDS
from profiles.loading import Sheet, TableError, rows_of
from profiles.tables import read_tables, sheet

RELEASE = """\
# A comment, so that lines and rows are not the same.

[[release]]
torch = "9.1"
versions = ["9.1.1", "9.1.0"]
python = ["3.11", "3.14"]
linux_x86_64 = ["cpu", "cu130"]
default = { linux_x86_64 = "cu130" }
glibc = { all = "2.28" }
macos = { all = "14.0" }
"""

OVERLAP = '[[architectures]]\nvariants = [FIRST]\ntorch = ">2"\nplatforms = ["linux_x86_64"]\n'


def refused(text: str) -> str:
    with pytest.raises(TableError) as caught:
        read_tables(Sheet("lab.toml", text))
    return str(caught.value)


def test_a_right_release_is_read() -> None:
    (release,) = read_tables(Sheet("lab.toml", RELEASE)).releases
    assert release.flavour("default", "linux_x86_64") == "cu130"


@pytest.mark.parametrize("name", [name for name in FILES if name != "splits.toml"])
def test_our_own_files_are_right(name: str) -> None:
    page = rows_of(sheet(name), KINDS)
    lines = sheet(name).text.splitlines()
    for kind, rows in page.items():
        assert all(lines[(row.line or 0) - 1] == f"[[{kind}]]" for row in rows)


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ("torch = ", "tourch = ", "[[release]] has no key 'tourch'; is it 'torch'?"),
        ('torch = "9.1"\n', "", "[[release]] needs the key 'torch': a release in quotes, such as \"2.15\""),
        ('torch = "9.1"', "torch = 9.1", '[[release]] torch is 9.1, but must be a release in quotes, such as "2.15"'),
        ('torch = "9.1"', 'torch = "9.1.0"', "[[release]] torch is '9.1.0', but must be a release in quotes"),
        ('torch = "9.1"', 'torch = ["9.1"]', "[[release]] torch is ['9.1'], but must be a release in quotes"),
        ('python = ["3.11", "3.14"]\n', "", "[[release]] needs the key 'python': the oldest and the newest Python"),
        ('["3.11", "3.14"]', '"3.11"', "[[release]] python is '3.11', but must be the oldest and the newest Python"),
        ('["3.11", "3.14"]', '["3.14", "3.11"]', "[[release]] python is ['3.14', '3.11'], but must be the oldest and"),
        ('["3.11", "3.14"]', '["3.11", "3.14t"]', "[[release]] python is ['3.11', '3.14t'], but must be the oldest"),
        (
            '["9.1.1", "9.1.0"]',
            '["9.1.0", "9.1.1"]',
            "versions is ['9.1.0', '9.1.1'], but must be versions, the newest",
        ),
        (
            '["9.1.1", "9.1.0"]',
            '["9.1.1", "9.1.1"]',
            "versions is ['9.1.1', '9.1.1'], but must be versions, the newest",
        ),
        ('["9.1.1", "9.1.0"]', "[]", "[[release]] versions is [], but must be versions, the newest first"),
        ('["9.1.1", "9.1.0"]', '"9.1.1"', "[[release]] versions is '9.1.1', but must be versions, the newest first"),
        ('["9.1.1", "9.1.0"]', '["9.2.0"]', "[[release]] versions has 9.2.0, which is no version of torch 9.1"),
        ('"cu130"]', '"cuda130"]', "[[release]] linux_x86_64 is ['cpu', 'cuda130'], but must be a list of variants"),
        ('"cu130"]', '"cpu"]', "[[release]] linux_x86_64 is ['cpu', 'cpu'], but must be a list of variants, each once"),
        ('"cu130"]', "130]", "[[release]] linux_x86_64 is ['cpu', 130], but must be a list of variants, each once"),
        ("linux_x86_64 = [", "linux_x64 = [", "[[release]] has no key 'linux_x64'; is it 'linux_x86_64'?"),
        ('linux_x86_64 = ["cpu", "cu130"]\n', "", "[[release]] names no variant; say which there are for a platform"),
        ('= "cu130" }', '= "cu132" }', "[[release]] default is cu132 for linux_x86_64, but linux_x86_64 does not list"),
        ("{ linux_x86_64 =", "{ linux =", "[[release]] default is {'linux': 'cu130'}, but must be a variant or"),
        (
            'glibc = { all = "2.28" }',
            'glibc = { cpu = "2.28" }',
            "glibc is {'cpu': '2.28'}, but must be versions for all",
        ),
        (
            'glibc = { all = "2.28" }',
            'glibc = "2.28"',
            "[[release]] glibc is '2.28', but must be versions for all, and",
        ),
        (
            'macos = { all = "14.0" }',
            "macos = { all = 14 }",
            "[[release]] macos is {'all': 14}, but must be versions for",
        ),
        ("[[release]]", "[[relaese]]", "'relaese' is no table that is known here; is it 'release'?"),
        ("[[release]]", "[release]", "'release' must be written as blocks, [[release]]"),
    ],
)
def test_a_wrong_release_is_refused(old: str, new: str, sentence: str) -> None:
    assert old in RELEASE
    said = refused(RELEASE.replace(old, new, 1))
    assert said.startswith("lab.toml, line 3: ")
    assert sentence in said


@pytest.mark.parametrize(
    ("block", "sentence"),
    [
        ('[[driver]]\ncuda = "13"', "cuda is '13', but must be a major version of CUDA, such as 13"),
        ("[[driver]]\ncuda = true", "cuda is True, but must be a major version of CUDA, such as 13"),
        ('[[driver]]\ncuda = 14\nlinux = "700"', "needs the key 'windows': a version of the driver in quotes"),
        ("[[driver]]\ncuda = 13\nlinux = 580", "linux is 580, but must be a version of the driver in quotes"),
        ('[[architectures]]\ntorch = ">=2"', "needs the key 'variants': a list of variants"),
        ('[[architectures]]\nvariants = ["cu130"]\ntorch = "2.9"', "torch is '2.9', but must be a range of releases"),
        ('[[architectures]]\nvariants = ["cu130"]\ntorch = []', "torch is [], but must be a range of releases"),
        (
            '[[architectures]]\nvariants = ["cu130"]\ncapabilities = ["8.0", "7.5"]',
            "capabilities is ['8.0', '7.5'], but must be compute capabilities, the lowest first",
        ),
        (
            '[[architectures]]\nvariants = ["cu130"]\nplatforms = ["linux"]',
            "platforms is ['linux'], but must be a list of platforms, each once: linux_x86_64, ",
        ),
        ('[[targets]]\nvariants = ["rocm7"]', "variants is ['rocm7'], but must be a list of variants"),
        (
            '[[targets]]\nvariants = ["rocm7.0"]\nnames = ["gfx9o0"]',
            "names is ['gfx9o0'], but must be a list of targets",
        ),
        ('[[targets]]\nvariants = ["rocm7.0"]', "needs the key 'names': a list of targets of ROCm, each once"),
        ('[[family]]\nnames = ["Torch_Extra"]', "names is ['Torch_Extra'], but must be a list of normalized names"),
        ('[[family]]\nnames = ["x"]\nsource = ""', "source is '', but must be a text in quotes"),
        ('[[family]]\nnames = ["x"]\nsource = 3', "source is 3, but must be a text in quotes"),
        ('[[companions]]\ntorch = "9.1"\ntriton = "3.9.1"', "triton is '3.9.1', but must be a release"),
        ('[[companions]]\ntorch = "9.1"\nwithout = ["x"]', "without is ['x'], but must be packages by variant"),
        ('[[amd]]\nnames = ["gfx1"]\noverride = "10.3"', "override is '10.3', but must be a value of HSA_OVERRIDE"),
        ('[[toolkit]]\ncuda = "14"', "cuda is '14', but must be a release in quotes"),
    ],
)
def test_a_wrong_row_of_another_kind_is_refused(block: str, sentence: str) -> None:
    said = refused(f"\n\n{block}\n")
    kind = block.partition("\n")[0]
    assert said.startswith(f"lab.toml, line 3: {kind} ")
    assert sentence in said


@pytest.mark.parametrize(
    ("blocks", "thing"),
    [
        (RELEASE + RELEASE, "torch 9.1"),
        ('[[driver]]\ncuda = 13\nlinux = "1"\n[[driver]]\ncuda = 13', "CUDA 13"),
        ('[[targets]]\nvariants = ["rocm7.0"]\n[[targets]]\nvariants = ["rocm6.4", "rocm7.0"]', "rocm7.0"),
        ('[[family]]\nnames = ["x"]\n[[family]]\nnames = ["x"]', "x"),
        (
            OVERLAP.replace("FIRST", '"cu130"') + OVERLAP.replace("FIRST", '"cu132", "cu130"'),
            "cu130 of torch >2 for linux_x86_64",
        ),
    ],
    ids=["release", "driver", "targets", "family", "architectures"],
)
def test_what_is_described_twice_is_refused(blocks: str, thing: str) -> None:
    headers = [number for number, line in enumerate(blocks.splitlines(), 1) if line.startswith("[[")]
    said = refused(blocks)
    assert said.startswith(f"lab.toml, line {headers[1]}: ")
    assert f"describes {thing} again, which another row in line {headers[0]} does" in said


def test_the_line_is_that_of_the_right_row() -> None:
    said = refused(RELEASE + RELEASE.replace("9.1", "9.2").replace('"cu130"]', '"cuda"]'))
    header = len(RELEASE.splitlines()) + 3
    assert said.startswith(f"lab.toml, line {header}: [[release]] linux_x86_64 is ['cpu', 'cuda'], but must")


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("\n[[release]\n", "lab.toml, line 2: is not valid TOML"),
        ("x = ", "lab.toml, line 1: is not valid TOML"),
        ('x = "\n', "is not valid TOML"),
        ("x = " + "[" * 3000, "is nested too deeply"),
        ("[[release]]\ntorch = '9.1'\ntorch = '9.2'\n", "lab.toml, line 3: is not valid TOML"),
        ("release = 3", "lab.toml, line 1: 'release' must be written as blocks"),
        ("release = [1]", "lab.toml, line 1: 'release' must be written as blocks"),
        ("release = [{ }]", "lab.toml: [[release]] needs the key 'torch'"),
        ("zzz = 1", "lab.toml, line 1: 'zzz' is no table that is known here; known are amd, architectures, "),
    ],
)
def test_what_is_no_document_of_tables_is_refused(text: str, sentence: str) -> None:
    assert sentence in refused(text)


def test_the_error_can_be_taken_apart(tmp_path: Path) -> None:
    error = TableError(tmp_path / "lab.toml", "is wrong", 7)
    assert (error.file, error.line, error.problem) == (str(tmp_path / "lab.toml"), 7, "is wrong")
    assert re.search(r"lab\.toml, line 7: is wrong$", str(error))
