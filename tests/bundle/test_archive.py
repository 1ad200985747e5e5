"""The archive: the same to the byte each time, readable by any tar, and refused unless it is what it says."""

from __future__ import annotations

import hashlib
import io
import shutil
import subprocess
import tarfile
from dataclasses import replace
from pathlib import Path

import pytest

from bootstrap.bundle import archive
from bootstrap.bundle.manifest import FILE, Manifest
from bootstrap.bundle.places import Bundle, opened
from bootstrap.errors import InputError
from bootstrap.index.client import Client, NetworkSettings
from tests.bundle.workshop import manifest_of, packed, plain, written

LONG = f"wheels/{'long_name_' * 14}-1-py3-none-any.whl"
CONTENTS = {"project/pylock.toml": b"a lock", "wheels/a-1-py3-none-any.whl": b"a" * 1024, LONG: b"z" * 3, "empty": b""}


def looked_at(path: Path) -> Bundle:
    return opened(str(path), Client(NetworkSettings(offline=True)))


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    path = tmp_path / "lab.bundle"
    written(path, CONTENTS)
    return path


def test_every_file_comes_out_as_it_went_in(bundle: Path) -> None:
    found = looked_at(bundle)
    assert {each.path: found.content(each) for each in found.manifest.members} == CONTENTS


def test_the_length_is_known_before_it_is_written(bundle: Path) -> None:
    assert archive.length(manifest_of(CONTENTS)) == bundle.stat().st_size


def test_the_same_content_gives_the_same_bytes_and_their_hash(bundle: Path) -> None:
    again = io.BytesIO()
    said = archive.write(again, manifest_of(CONTENTS), lambda each: io.BytesIO(CONTENTS[each.path]))
    assert again.getvalue() == bundle.read_bytes()
    assert said == hashlib.sha256(again.getvalue()).hexdigest()


def test_tells_of_the_bytes_as_they_are_written() -> None:
    told: list[int] = []
    archive.write(io.BytesIO(), manifest_of(CONTENTS), lambda each: io.BytesIO(CONTENTS[each.path]), told.append)
    assert sum(told) == sum(map(len, CONTENTS.values()))


def test_the_manifest_is_the_first_thing_in_the_stream(bundle: Path) -> None:
    with tarfile.open(bundle, "r|") as stream:
        first = stream.next()
        assert first is not None
        assert first.name == FILE


@pytest.mark.skipif(shutil.which("tar") is None, reason="there is no tar here")
def test_any_tar_unpacks_it(bundle: Path, tmp_path: Path) -> None:
    folder = tmp_path / "unpacked"
    folder.mkdir()
    subprocess.run(["tar", "-xf", bundle, "-C", folder], check=True)
    assert {name: (folder / name).read_bytes() for name in CONTENTS} == CONTENTS
    found = looked_at(folder)
    assert {each.path: found.content(each) for each in found.manifest.members} == CONTENTS
    said = subprocess.run(["tar", "-xOf", bundle, "project/pylock.toml"], check=True, capture_output=True)
    assert said.stdout == CONTENTS["project/pylock.toml"]


@pytest.mark.parametrize("content", [b"b" * 1024, b"a" * 1023, b""], ids=["another", "shorter", "nothing"])
def test_a_file_that_changes_on_its_way_in_is_not_bundled(content: bytes) -> None:
    with pytest.raises(InputError, match="was changed while"):
        archive.write(
            io.BytesIO(),
            manifest_of({"wheels/a-1-py3-none-any.whl": b"a" * 1024}),
            lambda _: io.BytesIO(content),
        )


def test_every_copy_that_broke_off_is_noticed(bundle: Path) -> None:
    whole = bundle.read_bytes()
    used = len(whole) - 2 * tarfile.BLOCKSIZE - tarfile.BLOCKSIZE  # without the end, and the header of an empty file
    for length in range(0, used, 97):
        bundle.write_bytes(whole[:length])
        with pytest.raises(InputError):
            looked_at(bundle)


@pytest.mark.parametrize("path", list(CONTENTS)[:3])
def test_one_wrong_bit_is_noticed_when_the_file_is_read(bundle: Path, path: str) -> None:
    spoiled = bytearray(bundle.read_bytes())
    found = looked_at(bundle)
    (member,) = (each for each in found.manifest.members if each.path == path)
    assert found.start is not None
    spoiled[found.start + member.offset] ^= 1
    bundle.write_bytes(spoiled)
    with pytest.raises(InputError, match="is damaged"):
        looked_at(bundle).content(member)


@pytest.mark.parametrize(
    ("name", "kind", "words"),
    [
        ("/etc/passwd", tarfile.REGTYPE, "is an absolute path"),
        ("../outside", tarfile.REGTYPE, "leads out of the bundle"),
        ("wheels/../../outside", tarfile.REGTYPE, "leads out of the bundle"),
        ("wheels/link", tarfile.SYMTYPE, "a link to 'target'"),
        ("wheels/hard", tarfile.LNKTYPE, "a link to 'target'"),
        ("wheels/folder", tarfile.DIRTYPE, "a folder"),
        ("wheels/device", tarfile.CHRTYPE, "a device or a pipe"),
        ("wheels/disk", tarfile.BLKTYPE, "a device or a pipe"),
        ("wheels/pipe", tarfile.FIFOTYPE, "a device or a pipe"),
        ("wheels/unlisted.whl", tarfile.REGTYPE, "does not list"),
        ("wheels/a.whl", tarfile.REGTYPE, "lists once"),
        (FILE, tarfile.REGTYPE, "lists once"),
    ],
)
def test_what_would_harm_who_unpacks_it_is_refused(tmp_path: Path, name: str, kind: bytes, words: str) -> None:
    contents = {"wheels/a.whl": b"good"}
    members = [(plain("wheels/a.whl"), b"good"), (plain(name, kind, "target"), b"bad!")]
    path = packed(tmp_path / "lab.bundle", manifest_of(contents), members)
    with pytest.raises(InputError) as caught:
        looked_at(path)
    assert words in str(caught.value)
    assert sorted(each.name for each in tmp_path.iterdir()) == ["lab.bundle"]


def _shifted(manifest: Manifest) -> Manifest:
    return replace(manifest, members=tuple(replace(each, offset=each.offset + 512) for each in manifest.members))


@pytest.mark.parametrize(
    ("manifest", "words"),
    [
        (manifest_of({"wheels/a.whl": b"good", "wheels/b.whl": b""}), "lacks wheels/b.whl"),
        (manifest_of({"wheels/b.whl": b"good"}), "does not list"),
        (_shifted(manifest_of({"wheels/a.whl": b"g"})), "does not say"),
        (manifest_of({"wheels/a.whl": b"goods"}), "does not say"),
    ],
    ids=["missing", "renamed", "elsewhere", "longer"],
)
def test_an_archive_that_is_not_what_its_manifest_says_is_refused(
    tmp_path: Path, manifest: Manifest, words: str
) -> None:
    with pytest.raises(InputError) as caught:
        looked_at(packed(tmp_path / "lab.bundle", manifest, [(plain("wheels/a.whl"), b"good")]))
    assert words in str(caught.value)


@pytest.mark.parametrize(
    "content",
    [b"", b"no tar at all", b"\0" * 4096, b"PK\x03\x04" + b"\0" * 2000, b"<!DOCTYPE html>" * 100],
    ids=["empty", "text", "zeros", "zip", "page"],
)
def test_what_is_no_bundle_is_called_that(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "lab.bundle"
    path.write_bytes(content)
    with pytest.raises(InputError, match="is no bundle"):
        looked_at(path)


def test_a_tar_of_something_else_is_no_bundle(tmp_path: Path) -> None:
    path = tmp_path / "other.tar"
    with tarfile.open(path, "w") as target:
        target.addfile(plain("README"), io.BytesIO())
    with pytest.raises(InputError, match="is no bundle"):
        looked_at(path)


def test_a_manifest_that_claims_to_be_endless_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "lab.bundle"
    first = plain(FILE)
    first.size = 1 << 32
    path.write_bytes(first.tobuf(tarfile.PAX_FORMAT))
    with pytest.raises(InputError, match="no bundle of ours needs"):
        looked_at(path)
