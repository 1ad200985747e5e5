from __future__ import annotations

from collections.abc import Iterator

import pytest

from bootstrap.index.client import Client, NetworkSettings
from tests.index.certificates import Authority
from tests.index.serving import Connect, Server, serving


@pytest.fixture
def server() -> Iterator[Server]:
    with serving() as running:
        yield running


@pytest.fixture
def connect() -> Iterator[Connect]:
    """Makes clients with settings of their own, and closes them in the end."""
    made: list[Client] = []

    def connect(settings: NetworkSettings) -> Client:
        made.append(Client(settings))
        return made[-1]

    yield connect
    for client in made:
        client.close()


@pytest.fixture
def client(connect: Connect) -> Client:
    return connect(NetworkSettings(timeout=5, retries=1, backoff=0.01))


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    try:
        return Authority.made(tmp_path_factory.mktemp("authority"))
    except OSError as error:
        pytest.skip(f"openssl makes no certificate here: {error}")
