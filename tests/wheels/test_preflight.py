from __future__ import annotations

from pathlib import Path

import pytest

from bootstrap.errors import CannotWriteError
from bootstrap.index.client import Client
from bootstrap.wheels.download import Download, fetch
from bootstrap.wheels.preflight import ensure_room, needs_of
from bootstrap.wheels.store import Store
from tests.wheels.misbehaving import misbehaving

PETABYTE = 10**15


def test_a_store_needs_all_files_and_the_largest_once_more(tmp_path: Path) -> None:
    assert needs_of([5, 30, 7], tmp_path, tmp_path / ".venv") == ((tmp_path, 72),)
    assert needs_of([], tmp_path, None) == ((tmp_path, 0),)


def test_an_environment_on_another_file_system_needs_the_files_again(tmp_path: Path) -> None:
    assert needs_of([5, 30], tmp_path, Path("/proc")) == ((tmp_path, 65), (Path("/proc"), 35))


def test_says_where_how_much_is_missing_and_what_to_do(tmp_path: Path) -> None:
    ensure_room([(tmp_path, 1000)], "fetching", lambda _folder: 1000)
    with pytest.raises(CannotWriteError) as caught:
        ensure_room([(tmp_path, 3_000_000)], "fetching 2 files", lambda _folder: 1_000_000)
    for words in ("fetching 2 files", str(tmp_path), "1.0 MB free", "3.0 MB are needed", "cache gc", "--cache-dir"):
        assert words in str(caught.value)
    assert caught.value.exit_code == 73


def test_asks_no_server_for_what_there_is_no_room_for(tmp_path: Path) -> None:
    with misbehaving(b"x") as site, Client() as client:
        wanted = Download(f"{site.address}/a-1-py3-none-any.whl", "a-1-py3-none-any.whl", "0" * 64, PETABYTE)
        with pytest.raises(CannotWriteError, match=r"2000\.0 TB are needed"):
            fetch([wanted], client, Store(tmp_path / "store"), report=lambda _event: None, workers=1)
        assert site.asked == []
    assert not (tmp_path / "store").exists()
