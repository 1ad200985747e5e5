"""The manifest: what is written is read again, and whatever is wrong is a sentence before anything is touched."""

from __future__ import annotations

import json
from typing import Any

import pytest

from bootstrap.bundle.manifest import SCHEMA, Build, Cell, Manifest, Member, bad_name, read, text
from bootstrap.errors import InputError
from profiles.offer import Offer
from tests.bundle.workshop import CELL, CPU, manifest_of, member

WHOLE = Manifest(
    project="minimal",
    offers=(CPU, Offer("gpu", "cu130", None, "extra")),
    cells=(CELL, Cell("gpu", "3.9", "linux_x86_64"), Cell("gpu", "3.12", "linux_aarch64")),
    members=(
        member("project/pylock.toml", b"lock", "lock"),
        Member("wheels/a-1+cpu-py3-none-any.whl", 3, "0" * 64, "wheel", 512, (Build("a", CELL),), is_tool=True),
    ),
    extras=("plot",),
    groups=("dev",),
)


def document(**changes: Any) -> bytes:
    return json.dumps({**json.loads(text(WHOLE)), **changes}).encode()


def with_file(**changes: Any) -> bytes:
    first, *others = json.loads(text(WHOLE))["files"]
    return document(files=[{**first, **changes}, *others])


def test_what_is_written_is_read_again() -> None:
    assert read(text(WHOLE), "lab.bundle") == WHOLE


def test_says_what_can_be_installed_where() -> None:
    assert WHOLE.pythons == ("3.12", "3.9")
    assert WHOLE.platforms == ("linux_x86_64", "linux_aarch64")
    assert WHOLE.variants == ("cpu", "cu130")
    assert [each.name for each in WHOLE.offered("3.12", "linux_x86_64")] == ["cpu"]
    assert [each.name for each in WHOLE.offered("3.9", "linux_x86_64")] == ["gpu"]
    assert WHOLE.words() == "cpu, gpu for Python 3.12, 3.9 on linux_x86_64, linux_aarch64"


def test_has_nothing_in_it_that_another_run_would_change() -> None:
    assert text(WHOLE) == text(read(text(WHOLE), "lab.bundle"))
    assert SCHEMA in text(WHOLE).decode()


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"no json", "cannot be read"),
        (b"\xff\xfe", "cannot be read"),
        (b"[" * 100_000, "cannot be read"),
        (b"[]", "is not as torchstrap writes it"),
        (b"{}", "'schema'"),
        (document(schema="another/1"), "another program"),
        (document(schema="torchstrap.bundle/2", **{"created-by": "torchstrap 9.0"}), "torchstrap 9.0"),
        (document(schema="torchstrap.bundle/2"), "update torchstrap"),
        (document(files="none"), "'files'"),
        (document(files=[1]), "files of"),
        (document(cells=[{"offer": "cpu", "python": "2.7", "platform": "linux_x86_64"}]), "'python'"),
        (document(offers=[{"name": "cpu", "variant": "cpu", "kind": "gift"}]), "'kind'"),
        (document(extras=[1]), "'extras'"),
        (with_file(size=-1), "'size'"),
        (with_file(size=True), "'size'"),
        (with_file(size=1 << 60), "'size'"),
        (with_file(offset="0"), "'offset'"),
        (with_file(sha256="0" * 63), "'sha256'"),
        (with_file(path="/etc/passwd"), "is an absolute path"),
        (with_file(path="../escape.whl"), "leads out of the bundle"),
        (with_file(path="wheels/../../escape.whl"), "leads out of the bundle"),
        (with_file(path="wheels/A-1+CPU-py3-none-any.whl"), "twice"),
        (with_file(path="torchstrap-bundle.json"), "twice"),
    ],
)
def test_what_is_wrong_is_said(content: bytes, words: str) -> None:
    with pytest.raises(InputError) as caught:
        read(content, "lab.bundle")
    assert words in str(caught.value)
    assert str(caught.value).startswith("lab.bundle")


@pytest.mark.parametrize(
    ("path", "problem"),
    [
        ("wheels/torch-2.9.0+cu130-cp312-cp312-manylinux_2_28_x86_64.whl", None),
        ("variants/cu130/simple/torch/index.html", None),
        ("torchstrap.pyz", None),
        ("/wheels/a.whl", "is an absolute path"),
        ("C:/wheels/a.whl", "is an absolute path"),
        ("..", "leads out of the bundle"),
        ("wheels/./a.whl", "is no plain name"),
        ("wheels//a.whl", "is no plain name"),
        ("", "is no plain name"),
        ("wheels\\..\\a.whl", "is no plain name"),
        ("wheels/a\n.whl", "is no plain name"),
        ("wheels/a\x1b[2J.whl", "is no plain name"),
        ("wheels/ünë.whl", "is no plain name"),
        ("wheels/" + "a" * 256, "is no plain name"),
    ],
)
def test_only_plain_names_inside_are_good(path: str, problem: str | None) -> None:
    assert bad_name(path) == problem


def test_of_gives_the_files_of_a_kind() -> None:
    manifest = manifest_of({"wheels/a.whl": b"a"}, member("project/pylock.toml", b"", "lock"))
    assert [each.path for each in manifest.of("lock")] == ["project/pylock.toml"]
    assert manifest.members[0].filename == "a.whl"
