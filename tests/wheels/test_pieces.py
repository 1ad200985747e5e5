"""The pure parts of downloads in pieces: spans, claims, the number of connections, what answers mean."""

from __future__ import annotations

import itertools
import random
from pathlib import Path

import pytest

from bootstrap.errors import RefusedError, UnreachableError
from bootstrap.wheels.answers import AstrayError, ChangedError, Given, LaterError, given, if_range
from bootstrap.wheels.board import LEAST, Board
from bootstrap.wheels.journal import Edition, Journal, gaps, merged, read
from bootstrap.wheels.pace import REST, Pace
from bootstrap.wheels.transfer import Connections, Trickle

URL = "https://files.test/tool.whl"
EDITION = Edition(URL, 1000, '"one"')


class TestSpans:
    def test_with_their_gaps_are_everything_once(self) -> None:
        generator = random.Random(3)
        for _ in range(300):
            size = generator.randint(1, 60)
            pairs = [sorted(generator.choices(range(size + 1), k=2)) for _ in range(generator.randint(0, 6))]
            spans = merged((start, end) for start, end in pairs)
            bytes_of = [byte for start, end in sorted([*spans, *gaps(spans, size)]) for byte in range(start, end)]
            assert bytes_of == list(range(size))

    def test_that_touch_are_one(self) -> None:
        assert merged([(5, 9), (0, 5), (12, 12), (20, 22)]) == ((0, 9), (20, 22))


class TestJournal:
    def test_says_what_was_noted(self, tmp_path: Path) -> None:
        writing = Journal(tmp_path / "a.journal", EDITION, [(0, 10)])
        writing.note(500, 600)
        writing.use(3)
        writing.note(10, 20)
        writing.use(8)
        writing.close()
        assert read(tmp_path / "a.journal") == (EDITION, ((0, 20), (500, 600)), 8)

    @pytest.mark.parametrize("cut", range(1, 12))
    def test_that_was_cut_says_no_more_than_it_holds(self, cut: int, tmp_path: Path) -> None:
        path = tmp_path / "a.journal"
        Journal(path, EDITION, [(0, 10), (500, 600)]).close()
        path.write_bytes(path.read_bytes()[:-cut])
        found = read(path)
        assert found is not None
        assert found[1] == (((0, 10),) if cut <= len("500 600\n") else ())

    @pytest.mark.parametrize("line", [b"0 1001", b"9 3", b"a b", b"-1 5", b"1 2 3", b"* *", b"*", b"\xff"])
    def test_is_read_up_to_what_makes_no_sense(self, line: bytes, tmp_path: Path) -> None:
        path = tmp_path / "a.journal"
        Journal(path, EDITION, [(0, 10)]).close()
        path.write_bytes(path.read_bytes() + line + b"\n20 30\n")
        assert read(path) == (EDITION, ((0, 10),), 1)

    def test_replaces_the_one_before_with_what_is_known(self, tmp_path: Path) -> None:
        Journal(tmp_path / "a.journal", EDITION, [(0, 10)]).close()
        Journal(tmp_path / "a.journal", Edition(URL, 50, ""), [(3, 4)]).close()
        assert read(tmp_path / "a.journal") == (Edition(URL, 50, ""), ((3, 4),), 1)
        assert [each.name for each in tmp_path.iterdir()] == ["a.journal"]

    def test_that_is_not_there_says_nothing(self, tmp_path: Path) -> None:
        assert read(tmp_path / "a.journal") is None


class TestBoard:
    def test_gives_every_byte_to_somebody_once(self) -> None:
        generator = random.Random(5)
        for _ in range(200):
            size = generator.randint(1, 20) * LEAST + generator.randint(0, 99)
            middle = generator.randint(0, size)
            board = Board([(0, middle // 3), (middle, middle + size // 9)], size)
            lanes = []
            fetched = [(0, middle // 3), (middle, min(size, middle + size // 9))]
            while board.left:
                lane = board.claim(generator.randint(1, 3) * LEAST)
                if lane is not None:
                    lanes.append((lane, lane.position))
                if lanes and generator.random() < 0.7:
                    lane, start = lanes.pop(generator.randrange(len(lanes)))
                    lane.position = generator.choice([lane.end, (lane.position + lane.end) // 2])
                    fetched.append((start, lane.position))
                    board.give_back(lane)
            ordered = [span for span in sorted(fetched) if span[0] < span[1]]
            assert all(one[1] <= other[0] for one, other in itertools.pairwise(ordered))
            assert merged(ordered) == ((0, size),)
            assert board.front == size

    def test_takes_half_from_the_one_with_most_to_do(self) -> None:
        board = Board([], 10 * LEAST)
        first = board.claim(20 * LEAST)
        assert first is not None
        second = board.claim(20 * LEAST)
        assert second is not None
        assert (first.end, second.position, second.end) == (5 * LEAST, 5 * LEAST, 10 * LEAST)

    def test_leaves_alone_who_is_nearly_done(self) -> None:
        board = Board([], LEAST)
        assert board.claim(LEAST) is not None
        assert board.claim(LEAST) is None


def judged(pace: Pace, rate_of: dict[int, float], windows: int, left: int = 10**12) -> list[int]:
    """The number of connections after each window, where so many bring such a rate."""
    lanes, seen = 1, []
    for _ in range(windows):
        lanes = pace.judge(lanes, rate_of[lanes], left)
        seen.append(lanes)
    return seen


class TestPace:
    def test_rises_while_more_bring_more(self) -> None:
        assert judged(Pace(), {1: 1e7, 3: 3e7, 8: 8e7}, 8) == [3, 3, 8, 8, 8, 8, 8, 8]

    def test_goes_back_where_more_bring_nothing(self) -> None:
        assert judged(Pace(), {1: 1e7, 3: 1.1e7}, 6) == [3, 3, 1, 1, 1, 1]

    def test_stops_where_more_bring_nothing_more(self) -> None:
        assert judged(Pace(), {1: 1e7, 3: 3e7, 8: 3e7}, 7) == [3, 3, 8, 8, 3, 3, 3]

    def test_tries_again_after_a_while(self) -> None:
        seen = judged(Pace(), {1: 1e7, 3: 1.1e7}, 2 * REST)
        assert seen.count(3) == 4

    def test_changes_nothing_for_the_last_second(self) -> None:
        assert judged(Pace(), {1: 1e7}, 3, left=9_000_000) == [1, 1, 1]

    def test_rests_when_told(self) -> None:
        pace = Pace()
        pace.rest()
        assert judged(pace, {1: 1e7, 3: 3e7}, REST + 1) == [1] * REST + [3]


class TestAnswers:
    def test_say_what_they_hold(self) -> None:
        part = {"content-range": "bytes 100-199/1000", "etag": '"one"'}
        assert given(URL, 206, part) == Given(100, 200, 1000, '"one"')
        assert given(URL, 206, {"content-range": "bytes 0-4/*"}) == Given(0, 5, None)
        assert given(URL, 200, {"content-length": "7", "last-modified": "a day"}) == Given(0, 7, 7, "a day")
        assert given(URL, 200, {"content-length": "7", "content-encoding": "gzip"}) == Given(0, None, None)
        assert given(URL, 200, {}) == Given(0, None, None)

    @pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503, 504])
    def test_ask_for_patience(self, status: int) -> None:
        with pytest.raises(LaterError) as caught:
            given(URL, status, {"retry-after": "17"})
        assert caught.value.wait == 17

    @pytest.mark.parametrize("status", [301, 304, 400, 401, 403, 404, 405, 410, 451, 501])
    def test_refuse(self, status: int) -> None:
        with pytest.raises(RefusedError, match=str(status)):
            given(URL, status, {})

    def test_show_that_the_file_is_another(self) -> None:
        with pytest.raises(ChangedError):
            given(URL, 416, {})

    @pytest.mark.parametrize(
        "headers",
        [
            {},
            {"content-range": "bytes 5-4/10"},
            {"content-range": "bytes */10"},
            {"content-range": "items 0-4/10"},
            {"content-type": "multipart/byteranges"},
            {"content-range": "bytes 0-4/10", "content-encoding": "gzip"},
        ],
        ids=["no range", "backwards", "none", "of items", "several", "encoded"],
    )
    def test_that_do_not_say_which_part_are_no_use(self, headers: dict[str, str]) -> None:
        with pytest.raises(AstrayError):
            given(URL, 206, headers)

    def test_have_validators_of_which_weak_ones_prove_nothing(self) -> None:
        assert [if_range(each) for each in ('"a"', 'W/"a"', "")] == ['"a"', None, None]


class TestConnections:
    def test_are_bounded_for_each_host_and_in_all(self) -> None:
        connections = Connections(per_host=3, most=4)
        connections.first("https://a.test/1")
        assert [connections.further("https://a.test/2") for _ in range(3)] == [True, True, False]
        assert [connections.further("https://b.test/") for _ in range(2)] == [True, False]
        connections.less("https://a.test/1")
        assert connections.further("https://a.test/3")


class TestTrickle:
    def test_is_noticed(self) -> None:
        trickle = Trickle(URL, since=100, seconds=10, least=50)
        trickle.watch(20, 109)
        with pytest.raises(UnreachableError, match="only 40 bytes came in 11 seconds"):
            trickle.watch(20, 111)

    def test_is_not_what_was_slow_once(self) -> None:
        trickle = Trickle(URL, since=100, seconds=10, least=50)
        for moment in range(101, 160):
            trickle.watch(6, moment)
