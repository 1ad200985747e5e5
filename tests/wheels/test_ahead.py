"""Wheels that are unpacked while they arrive: the same result as afterwards, or none."""

from __future__ import annotations

import contextlib
import random
import threading
import time
from pathlib import Path

import pytest

from bootstrap.errors import BootstrapError
from bootstrap.index.client import Client, NetworkSettings
from bootstrap.wheels.ahead import Ahead
from bootstrap.wheels.board import Board
from bootstrap.wheels.download import Download, fetch
from bootstrap.wheels.halfway import Nothing
from bootstrap.wheels.store import Store, sha256_of
from bootstrap.wheels.unpack import unpack
from tests.making import make_wheel, write_wheel
from tests.wheels.misbehaving import Answer, Asked, misbehaving
from tests.wheels.recipes import recorded, usual

MEGABYTE = 1024 * 1024
LARGE = 18 * MEGABYTE  # fetched in pieces


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two large files, one of them shrinking, and many small ones around them."""
    generator = random.Random(5)
    files: dict[str, str | bytes] = {f"tool/a{number}.txt": f"{number}\n" * number for number in range(300)}
    files["tool/large.bin"] = generator.randbytes(3 * MEGABYTE)
    files |= {f"tool/b{number}/c.txt": f"{number}\n" for number in range(50)}
    files["tool/words.bin"] = b"".join(generator.choices([b"one ", b"two ", b"three "], k=2_000_000))
    files["tool/z.txt"] = generator.randbytes(LARGE).hex()[:1000]
    return make_wheel(tmp_path_factory.mktemp("wheels"), "tool", "1.0", files=files, executable=["tool/z.txt"])


class Arrival:
    """A file that comes piece by piece, in any order."""

    def __init__(self, archive: Path, part: Path) -> None:
        self.content, self.part = archive.read_bytes(), part
        part.write_bytes(b"")
        self.board = Board((), len(self.content))

    def come(self, amount: int) -> bool:
        lane = self.board.claim(amount)
        if lane is None:
            return False
        with self.part.open("r+b") as file:
            file.seek(lane.position)
            file.write(self.content[lane.position : lane.end])
        lane.position = lane.end
        self.board.give_back(lane)
        return True


def refused(error: BaseException) -> None:
    raise AssertionError from error


def tree_of(folder: Path) -> dict[str, tuple[bytes, int]]:
    return {
        each.relative_to(folder).as_posix(): (each.read_bytes(), each.stat().st_mode)
        for each in folder.rglob("*")
        if each.is_file()
    }


@pytest.mark.parametrize("amount", [100_000, 700_000, 1 << 30], ids=["drops", "pieces", "all at once"])
def test_comes_to_the_same_as_unpacking_afterwards(amount: int, archive: Path, tmp_path: Path) -> None:
    arrival = Arrival(archive, tmp_path / "part")
    with contextlib.closing(Ahead(archive.name, tmp_path / "tree", Nothing())) as ahead:
        ahead.follow(arrival.part, arrival.board, refused)
        while arrival.come(amount):
            time.sleep(0.0005)
        found = ahead.contents()
        assert found == unpack(archive, archive.name, tmp_path / "after")
        assert tree_of(tmp_path / "tree") == tree_of(tmp_path / "after")


def test_begins_before_the_last_byte_has_come(archive: Path, tmp_path: Path) -> None:
    arrival = Arrival(archive, tmp_path / "part")
    with contextlib.closing(Ahead(archive.name, tmp_path / "tree", Nothing())) as ahead:
        ahead.follow(arrival.part, arrival.board, refused)
        held = arrival.board.claim(100_000)
        while arrival.come(200_000):
            pass
        assert held is not None
        early = tmp_path / "tree" / "tool" / "words.bin"
        while not early.exists() or early.stat().st_size < 8_000_000:
            time.sleep(0.01)
        arrival.board.give_back(held)
        assert not (tmp_path / "tree" / "tool" / "a0.txt").exists()
        while arrival.come(200_000):
            pass
        assert ahead.contents() is not None


def test_what_is_dropped_is_nothing_and_leaves_nothing(archive: Path, tmp_path: Path) -> None:
    arrival = Arrival(archive, tmp_path / "part")
    with contextlib.closing(Ahead(archive.name, tmp_path / "tree", Nothing())) as ahead:
        ahead.follow(arrival.part, arrival.board, refused)
        arrival.come(100_000)
        ahead.drop()
        while arrival.come(1 << 30):
            pass
        assert ahead.contents() is None
        ahead.follow(arrival.part, arrival.board, refused)
        assert ahead.contents() is None, "of a second run nobody knows what it leaves as it was"


def wrong_in_one_bit(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[MEGABYTE] ^= 1
    path.write_bytes(content)


def wrong_in_record(path: Path) -> None:
    members = usual(**{"tool.bin": random.Random(1).randbytes(LARGE)})
    recorded(lambda text: text.replace("tool.py,sha256=", "tool.py,sha256=AA").replace("A,6", ",6"), members)(path)


def with_a_bad_name(path: Path) -> None:
    members = {**usual(), "tool.bin": random.Random(1).randbytes(LARGE), "../out": b"x"}
    write_wheel(path, members, record="tool-1.0.dist-info/RECORD")


def cut_off(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1000])


@pytest.mark.parametrize("spoil", [wrong_in_one_bit, wrong_in_record, with_a_bad_name, cut_off])
def test_a_bad_wheel_is_told_in_the_words_that_it_gets_when_it_is_whole(spoil: object, tmp_path: Path) -> None:
    path = make_wheel(tmp_path, "tool", "1.0", files={"tool.bin": random.Random(1).randbytes(LARGE)})
    assert callable(spoil)
    spoil(path)
    store, other = Store(tmp_path / "store"), Store(tmp_path / "other")
    with misbehaving(path.read_bytes()) as site, Client() as client:
        wanted = Download(f"{site.address}/{path.name}", path.name, sha256_of(path), path.stat().st_size)
        with pytest.raises(BootstrapError) as streamed:
            fetch([wanted], client, store, report=lambda _event: None, workers=1, pause=0)
    with pytest.raises(BootstrapError) as whole:
        other.add(path, path.name)
    assert str(streamed.value) == str(whole.value)
    assert not list(store)
    assert not list(store.incoming.iterdir())


def test_a_file_that_is_replaced_on_its_way_is_not_mixed_with_what_was_unpacked(tmp_path: Path) -> None:
    """The new edition has the promised hash, and what was unpacked of the old one is not taken for it."""
    old = make_wheel(tmp_path / "old", "tool", "1.0", files={"tool.bin": random.Random(1).randbytes(LARGE)})
    new = make_wheel(tmp_path / "new", "tool", "1.0", files={"tool.bin": random.Random(2).randbytes(LARGE)})
    with misbehaving(old.read_bytes()) as site, Client(NetworkSettings(timeout=5)) as client:

        def replaced(asked: Asked, answer: Answer) -> Answer:
            if asked.number == 3:
                site.content, site.validators = new.read_bytes(), {"ETag": '"two"'}
                return site.right(asked)
            return answer

        site.twist = replaced
        store = Store(tmp_path / "store")
        wanted = Download(f"{site.address}/{new.name}", new.name, sha256_of(new), None)
        found = fetch([wanted], client, store, report=lambda _event: None, workers=1, pause=0)
    assert (found[wanted.url].tree / "tool.bin").read_bytes() == random.Random(2).randbytes(LARGE)


def test_a_good_wheel_is_in_the_store_without_being_unpacked_twice(archive: Path, tmp_path: Path) -> None:
    """While it arrives there is one folder in the making, and it is the one that is kept."""
    large = make_wheel(tmp_path, "tool", "1.0", files={"tool.bin": random.Random(1).randbytes(LARGE), "t.py": "x = 1"})
    store, seen, over = Store(tmp_path / "store"), set[int](), threading.Event()

    def watch() -> None:
        while not over.wait(0.001):
            with contextlib.suppress(OSError):
                seen.update(each.stat().st_ino for each in store.incoming.glob("*.tree"))

    watching = threading.Thread(target=watch)
    watching.start()
    with misbehaving(large.read_bytes()) as site, Client() as client:
        site.cap = 20 * MEGABYTE
        wanted = Download(f"{site.address}/{large.name}", large.name, sha256_of(large), large.stat().st_size)
        found = fetch([wanted], client, store, report=lambda _event: None, workers=1)[wanted.url]
    over.set()
    watching.join()
    assert seen == {found.folder.stat().st_ino}
    assert archive.exists()
