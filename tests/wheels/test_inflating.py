from __future__ import annotations

import importlib.util
import random
import zlib

import pytest

from bootstrap.wheels import inflating

WORDS = b"".join(random.Random(1).choices([b"torch", b"strap", bytes(9)], k=90_000))


def packed(content: bytes) -> bytes:
    stream = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return stream.compress(content) + stream.flush()


@pytest.mark.parametrize("step", [1000, 1 << 20])
def test_gives_the_bytes_and_the_checksum_of_zlib(step: int) -> None:
    stream, found, waiting = inflating.inflater(), b"", packed(WORDS)
    while waiting and not stream.eof:
        found += stream.decompress(waiting, step)
        waiting = stream.unconsumed_tail
    while not stream.eof:
        found += stream.decompress(b"", step)
    assert found == WORDS
    assert inflating.crc32(WORDS) == zlib.crc32(WORDS)


def test_says_what_lies_behind_a_stream_and_what_is_none() -> None:
    stream = inflating.inflater()
    assert stream.decompress(packed(b"x") + b"more", 100) == b"x"
    assert (stream.eof, stream.unused_data) == (True, b"more")
    with pytest.raises(inflating.BrokenStreamError):
        inflating.inflater().decompress(b"\xff" * 100, 100)


def test_takes_the_fastest_library_that_is_installed() -> None:
    installed = [each for each in inflating.CANDIDATES if importlib.util.find_spec(each.partition(".")[0])]
    assert [*installed, "zlib"][0] == inflating.LIBRARY
