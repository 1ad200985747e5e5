"""Several mirrors of one address, tried in order: `--mirror FROM=TO` given more than once for the same FROM.

    address ── longest FROM that fits ── its targets, in the order in which they were given,
                                         those that gave no answer in this run last

A mirror that has not this file (404, 410) is passed over for it alone; one that is silent, broken or overloaded is
remembered. The last one is the one whose trouble is told. Where there is one target, or none, nothing is special.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager

from bootstrap.errors import UnreachableError
from bootstrap.index.addresses import origin, rewrites
from bootstrap.index.patience import PASSING
from bootstrap.index.response import Response, Stream

__all__ = ["Mirrors"]

ABSENT = frozenset({404, 410})
_HASTY = 2  # attempts at a mirror behind which there is another


class Mirrors:
    """The mirrors of one run; safe to share between threads."""

    def __init__(self, pairs: Sequence[tuple[str, str]]) -> None:
        self._pairs = tuple(pairs)
        self._failed: set[str] = set()
        targets: dict[str, list[str]] = {}
        for source, target in self._pairs:
            targets.setdefault(source.rstrip("/"), []).append(target)
        self._spare = {origin(each) for several in targets.values() for each in several[:-1]}

    def choices(self, url: str) -> tuple[str, ...]:
        """The addresses to ask, in order; at least one."""
        found = rewrites(url, self._pairs)
        return tuple(sorted(found, key=lambda each: origin(each) in self._failed))

    def failed(self, asked: str) -> None:
        """Who was asked there gave no answer that is of use."""
        self._failed.add(origin(asked))

    def attempts(self, asked: str, usual: int) -> int:
        """How often to ask there before somebody else is asked."""
        return min(usual, _HASTY) if origin(asked) in self._spare else usual

    def answer(self, url: str, ask: Callable[[str], Response]) -> Response:
        """What the first one answers that has it, or the last one whatever it says."""
        *others, last = self.choices(url)
        for asked in others:
            try:
                found = ask(asked)
            except UnreachableError:
                self.failed(asked)
                continue
            if found.status not in ABSENT:
                return found
        return ask(last)

    @contextmanager
    def piece(
        self, url: str, unchanged: str | None, ask: Callable[[str, str | None], AbstractContextManager[Stream]]
    ) -> Iterator[Stream]:
        """The same for a part of a file that is `unchanged`; also an overloaded one is passed over.

        Each of several has tags of its own, so none is sent or shown.
        """
        *others, last = self.choices(url)
        with ExitStack() as stack:
            for asked in others:
                try:
                    found = stack.enter_context(ask(asked, None))
                except UnreachableError:
                    self.failed(asked)
                    continue
                if found.status not in ABSENT | PASSING:
                    yield self._untagged(found, asked)
                    return
                if found.status in PASSING:
                    self.failed(asked)
            found = stack.enter_context(ask(last, None if others else unchanged))
            yield self._untagged(found, last) if others else found

    def _untagged(self, found: Stream, asked: str) -> Stream:
        headers = {name: each for name, each in found.headers.items() if name not in {"etag", "last-modified"}}
        return Stream(found.status, headers, self._noticed(found.chunks, asked))

    def _noticed(self, chunks: Iterator[bytes], asked: str) -> Iterator[bytes]:
        try:
            yield from chunks
        except UnreachableError:
            self.failed(asked)
            raise
