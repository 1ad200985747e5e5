"""Bundles where they may lie: in a folder, on a server, as a file there; read in place."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from bootstrap.bundle.archive import head
from bootstrap.bundle.manifest import FILE
from bootstrap.bundle.places import opened
from bootstrap.errors import InputError, RefusedError, UnreachableError
from bootstrap.index.client import Client, NetworkSettings
from bootstrap.wheels.answers import ChangedError
from tests.bundle.serving import Served, served
from tests.bundle.workshop import written

BIG = os.urandom(300_000)
CONTENTS = {"project/pylock.toml": b"a lock", "wheels/a-1+cpu-py3-none-any.whl": BIG, "wheels/b.whl": b"b" * 10}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("served")
    written(place / "lab.bundle", CONTENTS)
    (place / "unpacked").mkdir()
    subprocess.run(["tar", "-xf", place / "lab.bundle", "-C", place / "unpacked"], check=True)
    return place


@pytest.fixture
def server(folder: Path) -> Iterator[Served]:
    with served(folder) as running:
        yield running


@pytest.fixture
def client() -> Iterator[Client]:
    with Client(NetworkSettings(retries=0, backoff=0.01)) as made:
        yield made


def place_of(kind: str, folder: Path, server: Served) -> str:
    return {
        "file": str(folder / "lab.bundle"),
        "file address": (folder / "lab.bundle").as_uri(),
        "folder": str(folder / "unpacked"),
        "manifest": str(folder / "unpacked" / FILE),
        "served file": f"{server.url}lab.bundle",
        "served folder": f"{server.url}unpacked",
        "served folder/": f"{server.url}unpacked/",
        "served manifest": f"{server.url}unpacked/{FILE}",
    }[kind]


EVERY = ("file", "file address", "folder", "manifest", "served file", "served folder", "served folder/")


@pytest.mark.parametrize("kind", [*EVERY, "served manifest"])
def test_each_form_gives_the_same_files(kind: str, folder: Path, server: Served, client: Client) -> None:
    bundle = opened(place_of(kind, folder, server), client)
    assert {each.path: bundle.content(each) for each in bundle.manifest.members} == CONTENTS
    assert bundle.is_local == (not kind.startswith("served"))


@pytest.mark.parametrize("kind", EVERY)
@pytest.mark.parametrize("part", [(0, None), (0, 5), (100_000, None), (100_000, 100_001), (299_999, None)], ids=str)
def test_parts_of_a_file_come_as_from_a_server_of_its_own(
    kind: str, part: tuple[int, int | None], folder: Path, server: Served, client: Client
) -> None:
    start, end = part
    bundle = opened(place_of(kind, folder, server), client)
    (wheel,) = (each for each in bundle.manifest.members if each.size == len(BIG))
    with bundle.source(client).piece(bundle.address(wheel), start, end) as answer:
        found = b"".join(answer.chunks)
        headers = answer.headers
    assert found.startswith(BIG[start:end])
    if bundle.start is not None:
        last = len(BIG) if end is None else end
        assert headers["content-range"] == f"bytes {start}-{last - 1}/{len(BIG)}"
        assert found == BIG[start:end], "nothing of the next member"


def test_a_served_file_is_read_by_ranges_only(server: Served, client: Client) -> None:
    bundle = opened(f"{server.url}lab.bundle", client)
    bundle.content(bundle.manifest.members[0])
    assert all(each.start is not None for each in server.asked)


def test_other_addresses_are_left_to_others(folder: Path, client: Client) -> None:
    bundle = opened(str(folder / "lab.bundle"), client)
    other = (folder / "unpacked" / "wheels" / "b.whl").as_uri()
    with bundle.source(client).piece(other) as answer:
        assert b"".join(answer.chunks) == b"b" * 10


def test_a_server_without_ranges_is_told_apart(folder: Path, client: Client) -> None:
    with served(folder, has_ranges=False) as plain:
        with pytest.raises(RefusedError, match="ranges"):
            opened(f"{plain.url}lab.bundle", client)
        bundle = opened(f"{plain.url}unpacked/", client)
        assert bundle.content(bundle.manifest.members[0]) == b"a lock"


def test_ranges_that_end_after_it_was_opened_are_noticed(server: Served, client: Client) -> None:
    bundle = opened(f"{server.url}lab.bundle", client)
    server.has_ranges = False
    address = bundle.address(bundle.manifest.members[1])
    with pytest.raises(RefusedError), bundle.source(client).piece(address):
        pass
    with pytest.raises(ChangedError), bundle.source(client).piece(address, 5, None, '"old"'):
        pass


@pytest.mark.parametrize(
    ("path", "error", "words"),
    [
        ("nothing.bundle", RefusedError, "404"),
        ("nothing/", RefusedError, "no bundle is there"),
        ("unpacked/wheels/b.whl", InputError, "is no bundle"),
    ],
)
def test_an_address_without_a_bundle(
    path: str, error: type[Exception], words: str, server: Served, client: Client
) -> None:
    with pytest.raises(error) as caught:
        opened(server.url + path, client)
    assert words in str(caught.value)


def test_a_server_that_is_not_there(client: Client) -> None:
    with pytest.raises(UnreachableError):
        opened("http://127.0.0.1:9/lab.bundle", client)


def test_a_served_file_that_is_cut_off_is_noticed_at_once(folder: Path, tmp_path: Path, client: Client) -> None:
    whole = (folder / "lab.bundle").read_bytes()
    (tmp_path / "lab.bundle").write_bytes(whole[: len(whole) // 2])
    with served(tmp_path) as running, pytest.raises(InputError, match="is cut off"):
        opened(f"{running.url}lab.bundle", client)


def _without(folder: Path, path: str) -> None:
    (folder / path).unlink()


def _cut(folder: Path, path: str) -> None:
    (folder / path).write_bytes(b"b" * 9)


def _linked(folder: Path, path: str) -> None:
    (folder / path).unlink()
    (folder / path).symlink_to("/dev/zero")


@pytest.mark.parametrize(("spoil", "words"), [(_without, "lacks"), (_cut, "cut off"), (_linked, "lacks")])
def test_a_folder_that_is_not_whole(spoil: object, words: str, folder: Path, tmp_path: Path, client: Client) -> None:
    subprocess.run(["tar", "-xf", folder / "lab.bundle", "-C", tmp_path], check=True)
    assert callable(spoil)
    spoil(tmp_path, "wheels/b.whl")
    with pytest.raises(InputError) as caught:
        opened(str(tmp_path), client)
    assert words in str(caught.value)
    assert "wheels/b.whl" in str(caught.value)


@pytest.mark.parametrize("place", ["nothing.bundle", "empty", "empty/nothing.bundle"])
def test_a_path_without_a_bundle(place: str, tmp_path: Path, client: Client) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError) as caught:
        opened(str(tmp_path / place), client)
    assert str(tmp_path / place) in str(caught.value)


def test_watches_what_would_change_with_the_bundle(folder: Path, server: Served, client: Client) -> None:
    assert opened(str(folder / "lab.bundle"), client).watched == (folder / "lab.bundle",)
    assert opened(str(folder / "unpacked"), client).watched == (folder / "unpacked" / FILE,)
    assert opened(f"{server.url}lab.bundle", client).watched == ()


def test_both_forms_are_the_same_bundle(folder: Path, client: Client) -> None:
    file, unpacked = (opened(str(folder / name), client) for name in ("lab.bundle", "unpacked"))
    assert file.identity == unpacked.identity
    content = (folder / "lab.bundle").read_bytes()
    assert head(lambda start, end: content[start:end], "x")[0] == file.manifest
