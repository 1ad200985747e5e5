from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from bootstrap.environment import standalone
from bootstrap.environment.standalone import PLATFORMS, Build, builds_in, platform_of, read_table, shell_rows, written
from bootstrap.errors import InputError

TABLE = read_table()
OURS = Path(standalone.__file__).with_name("standalone.toml")


def build(
    version: str = "3.13.1", release: str = "20250101", platform: str = "linux-x86_64-gnu", of: str = "0"
) -> Build:
    return Build(version, release, platform, of * 64)


def test_there_is_one_build_of_each_python_for_each_platform() -> None:
    found = [(each.version.rpartition(".")[0], each.platform) for each in TABLE.builds]
    assert sorted(found) == sorted((minor, platform) for minor in standalone.MINORS for platform in PLATFORMS)


def test_no_two_builds_have_one_hash() -> None:
    assert len({each.sha256 for each in TABLE.builds}) == len(TABLE.builds)


def test_builds_of_a_platform_come_newest_first() -> None:
    for platform in PLATFORMS:
        minors = [int(each.version.split(".")[1]) for each in TABLE.of(platform)]
        assert minors == sorted(minors, reverse=True)


def test_the_table_is_written_as_it_stands() -> None:
    assert written(TABLE.builds) == OURS.read_text(encoding="utf-8")


def test_an_address_is_below_the_day_of_the_release() -> None:
    one = build("3.12.9", "20250317", "linux-aarch64-musl")
    name = "cpython-3.12.9+20250317-aarch64-unknown-linux-musl-install_only_stripped.tar.gz"
    assert (one.filename, one.path) == (name, f"20250317/{name.replace('+', '%2B')}")
    assert one.folder == "cpython-3.12.9-linux-aarch64-musl"


@pytest.mark.parametrize(
    ("system", "libc", "name"),
    [
        ("linux_x86_64", "glibc", "linux-x86_64-gnu"),
        ("linux_aarch64", "musl", "linux-aarch64-musl"),
        ("macos_arm64", None, "macos-arm64"),
        ("windows_x86_64", None, "windows-x86_64"),
    ],
)
def test_a_platform_is_named_with_its_c_library(system: str, libc: str | None, name: str) -> None:
    assert platform_of(system, libc) == name
    assert name in PLATFORMS


def test_a_site_has_a_table_of_its_own(tmp_path: Path) -> None:
    path = tmp_path / "pythons.toml"
    rows = [["3.13.1", "20250101", "macos-arm64", "a" * 64], ["3.13.12", "20250101", "macos-arm64", "b" * 64]]
    path.write_text(f"builds = {json.dumps(rows)}\n")
    assert [each.version for each in read_table(path).of("macos-arm64")] == ["3.13.12", "3.13.1"]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "must have a list `builds`"),
        ("builds = 3", "must have a list `builds`"),
        ('builds = ["3.13.1"]', r"row 1 of `builds` must be \["),
        ('builds = [["3.13.1", "20250101", "macos-arm64"]]', r"row 1 of `builds` must be \["),
        ('builds = [["3.13", "20250101", "macos-arm64", "SUM"]]', "'3.13' is no version"),
        ('builds = [["3.13.1", "../..", "macos-arm64", "SUM"]]', "'../..' is no release"),
        ('builds = [["3.13.1", "20250101", "amiga", "SUM"]]', "'amiga' is no platform; there are linux-x86_64-gnu"),
        ('builds = [["3.13.1", "20250101", "macos-arm64", "abc"]]', "'abc' is no sha256"),
        ("builds = [", "is not valid TOML"),
    ],
)
def test_refuses_a_table_that_makes_no_sense(tmp_path: Path, text: str, problem: str) -> None:
    path = tmp_path / "pythons.toml"
    path.write_text(text.replace("SUM", "a" * 64))
    with pytest.raises(InputError, match=problem) as caught:
        read_table(path)
    assert str(path) in str(caught.value)


def test_reads_what_others_publish_of_the_builds() -> None:
    ours, theirs = build(of="a"), "cpython-3.13.1+20250101-i686-pc-windows-msvc-install_only_stripped.tar.gz"
    others = (theirs, "cpython-3.9.1+20250101-x86_64-unknown-linux-gnu-install_only_stripped.tar.gz", "pypy.tar.gz")
    sums = "".join(f"{'a' * 64}  {name}\n" for name in (ours.filename, *others))
    assert list(builds_in("SHA256SUMS", sums)) == [ours]
    files = [{"filename": name, "sha256": "a" * 64} for name in (ours.filename, *others)]
    unsummed = {"filename": build("3.13.2").filename, "sha256": None}
    assert list(builds_in("versions.json", json.dumps([{"files": [*files, unsummed]}]))) == [ours]


def test_keeps_the_newest_build_of_each_minor_release() -> None:
    older, newer, again = build("3.13.9", of="1"), build("3.13.10", of="2"), build("3.13.10", "20250202", of="3")
    other, musl = build("3.12.1", of="4"), build("3.13.9", platform="linux-x86_64-musl", of="5")
    text = written([again, older, newer, other, musl])
    assert re.findall(r'\["(\S+)", "(\d+)", "(\S+)"', text) == [
        ("3.13.10", "20250202", "linux-x86_64-gnu"),
        ("3.13.9", "20250101", "linux-x86_64-musl"),
        ("3.12.1", "20250101", "linux-x86_64-gnu"),
    ]


def test_two_hashes_of_one_archive_are_no_table() -> None:
    with pytest.raises(ValueError, match=r"two hashes were given for cpython-3.13.1"):
        written([build(of="a"), build(of="b")])


def test_a_shell_has_four_words_for_each_platform_of_its_own() -> None:
    rows = [line.split(" ") for line in shell_rows("3.12").splitlines()]
    assert [row[0] for row in rows] == [platform for platform in PLATFORMS if not platform.startswith("windows")]
    by_platform = {each.platform: each for each in TABLE.builds if each.version.startswith("3.12.")}
    for platform, version, sha256, path in rows:
        assert (version, sha256, path) == (
            by_platform[platform].version,
            by_platform[platform].sha256,
            by_platform[platform].path,
        )
