"""The server that locking is measured with: it must answer as the index does that it was recorded from."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from bootstrap.index.client import Client
from bootstrap.index.files import File
from bootstrap.index.response import Response
from bootstrap.index.simple import read_page
from tests.benchmarks.recorded_index import Server, served
from tests.replica import Replica


def files(index: str, name: str) -> dict[str, File]:
    """What an index lists of a project, without where."""
    with Client() as client:
        answer = client.get(f"{index}/{name}/", {"accept": "application/vnd.pypi.simple.v1+json, text/html;q=0.1"})
    found = read_page(answer.body, answer.content_type, answer.url, "").files()
    return {each.filename: each for each in found}


def got(url: str) -> Response:
    with Client() as client:
        return client.get(url)


def wheel_of(server: Server, name: str) -> File:
    return next(each for each in files(f"{server.url}/simple", name).values() if each.is_wheel)


@pytest.mark.parametrize("as_json", [False, True], ids=["html", "json"])
def test_lists_what_the_index_lists_and_offers_the_metadata_of_every_wheel(tmp_path: Path, as_json: bool) -> None:
    with (
        Replica(pep658=False) as replica,
        served(tmp_path, {"simple": replica.default_index}, as_json=as_json) as server,
    ):
        theirs, ours = files(replica.default_index, "numpy"), files(f"{server.url}/simple", "numpy")
        assert ours.keys() == theirs.keys()
        for name, file in theirs.items():
            metadata: dict[str, str] | None = {} if file.is_wheel else None
            told = replace(ours[name], metadata=None, url="", size=None)
            assert told == replace(file, metadata=None, url="", size=None)
            assert ours[name].metadata == metadata
        assert got(f"{server.url}/simple/nobody-has-this/").status == 404


def test_what_was_recorded_once_is_not_fetched_again(tmp_path: Path) -> None:
    with Replica() as replica:
        with served(tmp_path, {"simple": replica.default_index}, as_json=False) as server:
            server.begin(0)
            url = f"{wheel_of(server, 'numpy').url}.metadata"
            first = got(url).body
            assert server.counts()["recorded"] == 2
        with served(tmp_path, {"simple": replica.default_index}, as_json=False) as server:
            asked = len(replica.requests)
            server.begin(0)
            wheel = wheel_of(server, "numpy")
            assert wheel.metadata
            assert got(f"{wheel.url}.metadata").body == first
            counts = server.counts()
        assert (counts["pages"], counts["metadata"], counts["recorded"]) == (1, 1, 0)
        assert len(replica.requests) == asked


def test_waits_before_each_answer_and_gives_parts_of_files(tmp_path: Path) -> None:
    with Replica() as replica, served(tmp_path, {"simple": replica.default_index}, as_json=False) as server:
        wheel = wheel_of(server, "numpy")
        whole = got(wheel.url).body
        server.begin(0.2)
        with ThreadPoolExecutor(4) as several, Client() as client:
            parts = list(several.map(lambda _: client.get_range(wheel.url, suffix=10), range(4)))
        assert server.counts()["peak"] == 4, "all of them were waiting at once"
        part = parts[0]
        assert (part.status, part.body) == (206, whole[-10:])
        assert part.headers["content-range"] == f"bytes {len(whole) - 10}-{len(whole) - 1}/{len(whole)}"
