"""One replica and one cache for all tests of a process: what they share is only ever added to."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.acceptance.running import Workplace
from tests.replica import Replica


@pytest.fixture(scope="session")
def replica() -> Iterator[Replica]:
    with Replica() as running:
        yield running


@pytest.fixture(scope="session")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="session")
def engines_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache for those to whom the default index is the real one, as pages are kept by the address asked for."""
    return tmp_path_factory.mktemp("engines-cache")


@pytest.fixture
def workplace(tmp_path: Path, cache: Path, replica: Replica) -> Workplace:
    folder = tmp_path / "project"
    folder.mkdir()
    return Workplace(folder, cache, replica)
