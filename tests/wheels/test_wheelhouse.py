from __future__ import annotations

from pathlib import Path

import pytest

from bootstrap.errors import BootstrapError
from bootstrap.index.client import Client
from bootstrap.wheels.download import Download, fetch
from bootstrap.wheels.store import Store, sha256_of
from bootstrap.wheels.wheelhouse import Wheelhouse
from tests.making import make_wheel
from tests.wheels.misbehaving import Site, misbehaving


@pytest.fixture
def wheel(tmp_path: Path) -> Path:
    return make_wheel(tmp_path, "tool", "1.0", files={"tool.py": "x = 1\n"})


def kept(site: Site, wheel: Path, tmp_path: Path, sha256: str | None = None) -> Path:
    folder = tmp_path / "kept"
    wanted = Download(f"{site.address}/{wheel.name}", wheel.name, sha256, wheel.stat().st_size)
    with Client() as client:
        house, store = Wheelhouse(folder), Store(tmp_path / "store")
        fetch([wanted], client, store, report=lambda _event: None, workers=1, wheelhouse=house)
    assert [each.suffix for each in store.incoming.iterdir()] in ([], [".note"])
    return folder / wheel.name


@pytest.mark.parametrize("promised", [True, False], ids=["with a hash", "without"])
def test_keeps_what_is_fetched(promised: bool, wheel: Path, tmp_path: Path) -> None:
    with misbehaving(wheel.read_bytes()) as site:
        found = kept(site, wheel, tmp_path, sha256_of(wheel) if promised else None)
    assert found.read_bytes() == wheel.read_bytes()


def test_fetches_what_the_store_has_for_it_and_nothing_twice(wheel: Path, tmp_path: Path) -> None:
    Store(tmp_path / "store").add(wheel, wheel.name)
    with misbehaving(wheel.read_bytes()) as site:
        for _ in range(2):
            assert kept(site, wheel, tmp_path, sha256_of(wheel)).read_bytes() == wheel.read_bytes()
        assert len(site.asked) == 1


def test_replaces_what_only_has_the_name(wheel: Path, tmp_path: Path) -> None:
    (tmp_path / "kept").mkdir()
    (tmp_path / "kept" / wheel.name).write_bytes(b"something else")
    with misbehaving(wheel.read_bytes()) as site:
        assert kept(site, wheel, tmp_path, sha256_of(wheel)).read_bytes() == wheel.read_bytes()


def test_keeps_nothing_that_is_wrong(wheel: Path, tmp_path: Path) -> None:
    with misbehaving(b"x" * wheel.stat().st_size) as site, pytest.raises(BootstrapError):
        kept(site, wheel, tmp_path, sha256_of(wheel))
    assert not (tmp_path / "kept").exists()
