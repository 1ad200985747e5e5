"""Proofs that reach people: what they propose is tried before it is promised, for a few seconds and without builds."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Literal

from bootstrap.errors import BootstrapError, NoSolutionError
from bootstrap.index.files import File
from bootstrap.index.metadata import Metadata
from bootstrap.resolver.resolution import Direct, Resolution

if TYPE_CHECKING:
    from bootstrap.commands.session import Session
    from bootstrap.resolver.memory import Memory
    from bootstrap.resolver.request import Event, Request

__all__ = ["UnsolvedError", "relieving"]

SECONDS = 6.0


class UnsolvedError(NoSolutionError):
    """A contradiction, with all that it takes to try a way around it."""

    def __init__(
        self,
        error: NoSolutionError,
        request: Request,
        metadata_of_sdist: Callable[[File | Direct], Metadata],
        memory: Memory | None,
    ) -> None:
        super().__init__(error.proof, error.proposals)
        self.request, self.metadata_of_sdist, self.memory = request, metadata_of_sdist, memory


class _ContradictionError(Exception):
    """An attempt came to an end; why is of no interest."""


class _TooLateError(Exception):
    """Nobody waits any longer."""


@contextmanager
def relieving(session: Session) -> Iterator[None]:
    """For the block: a contradiction that leaves it says which of its proposals work, and what they lead to."""
    try:
        yield
    except UnsolvedError as error:
        raise _tried(session, error) from error


def _tried(session: Session, error: UnsolvedError) -> NoSolutionError:
    from bootstrap.resolver.relief import tried  # noqa: PLC0415 - most projects have a solution

    session.activity.step("There is no solution; trying what would help")
    end = time.monotonic() + SECONDS
    with session.workshop.closed():
        return tried(error, error.request, lambda request: _attempt(session, error, request, end))


def _attempt(
    session: Session, error: UnsolvedError, request: Request, end: float
) -> Resolution | Literal["contradiction", "unknown"]:
    from bootstrap.resolver import targets  # noqa: PLC0415 - as above
    from bootstrap.resolver.resolve import resolve  # noqa: PLC0415

    if not targets.admits(session.project.requires_python, request.target.python_minor):
        return "contradiction"

    def report(event: Event) -> None:
        if event.kind == "contradiction":
            raise _ContradictionError
        if time.monotonic() > end:
            raise _TooLateError

    if time.monotonic() > end:
        return "unknown"
    read, memory = error.metadata_of_sdist, error.memory
    try:
        return resolve(request, session.catalogue, metadata_of_sdist=read, report=report, memory=memory)
    except (_ContradictionError, NoSolutionError):
        return "contradiction"
    except (_TooLateError, BootstrapError):  # a build would be needed, an index is silent
        return "unknown"
