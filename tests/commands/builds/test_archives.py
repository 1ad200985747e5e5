"""Archives that are not unpacked into the store: resumed and checked as wheels are, and kept by their hash."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from bootstrap.commands.builds.archives import Archives, sha256_in
from bootstrap.errors import HashMismatchError, UnreachableError
from bootstrap.index.client import Client, NetworkSettings
from bootstrap.index.files import File
from tests.wheels.misbehaving import Answer, Asked, Site, misbehaving

NAME = "tool-1.0.tar.gz"
CONTENT = random.Random(1).randbytes(300_000)
SHA256 = hashlib.sha256(CONTENT).hexdigest()


def offered(site: Site, hashes: Mapping[str, str]) -> File:
    return File(NAME, f"{site.address}/{NAME}", site.address, dict(hashes))


def cut(asked: Asked, answer: Answer) -> Answer:
    return replace(answer, stops=200_000) if asked.number == 1 else answer


@pytest.mark.parametrize("hashes", [{}, {"sha256": SHA256}], ids=["unpromised", "promised"])
def test_goes_on_where_a_connection_broke(hashes: Mapping[str, str], tmp_path: Path) -> None:
    with misbehaving(CONTENT) as site, Client(NetworkSettings(timeout=5)) as client:
        site.twist = cut
        found = Archives(tmp_path / "archives", client).fetch(offered(site, hashes))
        assert [each.start for each in site.asked[1:]][-1:] == [200_000]
    assert found.read_bytes() == CONTENT
    assert sha256_in(found) == SHA256
    assert not list((tmp_path / "incoming").iterdir())


def test_what_is_here_is_not_fetched_again(tmp_path: Path) -> None:
    with misbehaving(CONTENT) as site, Client() as client:
        archives = Archives(tmp_path / "archives", client)
        both = [archives.fetch(offered(site, {"sha256": SHA256})) for _ in range(2)]
        assert both[0] == both[1]
        assert len(site.asked) == 1


@pytest.mark.parametrize("algorithm", ["sha256", "sha384", "sha512"])
def test_keeps_nothing_that_has_another_hash_than_promised(algorithm: str, tmp_path: Path) -> None:
    with misbehaving(CONTENT) as site, Client() as client:
        wrong = hashlib.new(algorithm, b"other").hexdigest()
        with pytest.raises(HashMismatchError, match=wrong):
            Archives(tmp_path / "archives", client).fetch(offered(site, {"sha256": SHA256, algorithm: wrong}))
    assert not [each for each in tmp_path.rglob("*") if each.is_file()]


def test_says_what_the_server_says(tmp_path: Path) -> None:
    with misbehaving(CONTENT) as site, Client() as client:
        site.twist = lambda _asked, answer: Answer(404, answer.body[:0])
        with pytest.raises(UnreachableError, match=f"{NAME}: the server answered with status 404"):
            Archives(tmp_path / "archives", client).fetch(offered(site, {"sha256": SHA256}))
