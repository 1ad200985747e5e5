"""The small form of `python -m tests.torture.download_nginx`: a real nginx, where there is one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.torture.download_nginx import CASES, Case, Nginx, nginx, page, program, tried
from tests.torture.download_stack import Stack, made

COMMAND = program()
pytestmark = pytest.mark.skipif(COMMAND is None, reason="no nginx here (Debian: apt-get install nginx-light)")


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Nginx, Stack]]:
    folder = tmp_path_factory.mktemp("nginx")
    stack = made(folder / "wheels", 45)
    assert COMMAND is not None
    with nginx(COMMAND, folder) as server:
        for each in stack.folder.iterdir():
            each.rename(server.files / each.name)
        yield server, stack


@pytest.mark.parametrize("case", CASES, ids=[each.name for each in CASES])
def test_everything_arrives_through(case: Case, served: tuple[Nginx, Stack], tmp_path: Path) -> None:
    done = tried(*served, case, tmp_path / "store")
    assert list(done.wrong) == []


def test_pages_are_read_whether_they_are_packed_or_not(served: tuple[Nginx, Stack]) -> None:
    found = page(served[0])
    assert found[""] == found["packed/"] == found["expected"]
    packed = [each for each in served[0].log() if each.path == "/packed/page.html"]
    assert [each.sent < len(found["expected"]) / 2 for each in packed] == [True]
