"""Ending when told to, and being the first process of a container until the program takes our place.

    SIGINT, SIGTERM       the work is left as it is, what is half-done removed, exit code 130 or 143, within a second:
                          threads may be deep in waiting for a server, and everything we write can be left at any time

The first process of a pid namespace is special: a signal that it does not handle never reaches it, and processes whose
parents are gone become its children, which stay as zombies until it asks for them. So there a child does the work;

    first process         waits, reaps whoever ends, hands signals on, and then becomes the program
    └── child             syncs, and ends

A signal that a terminal sends (Ctrl-C) reaches the child by itself.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
from collections.abc import Callable
from types import FrameType

__all__ = ["Stopped", "in_a_child", "is_first", "stop_within_a_second"]

_LIMIT = 0.8  # seconds for cleaning up
_SAID = b"torchstrap: stopped; the environment is whole, and the same command goes on with the files that arrived\n"
_SHELL = 128  # what shells add to a signal's number


class Stopped(KeyboardInterrupt):
    """A signal asked us to end."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.exit_code = _SHELL + number


def stop_within_a_second() -> None:
    """From now on SIGINT and SIGTERM raise Stopped, and end the process soon whatever becomes of that."""

    def stop(number: int, _frame: FrameType | None) -> None:
        for each in (signal.SIGINT, signal.SIGTERM):
            signal.signal(each, signal.SIG_DFL)
        last = threading.Timer(_LIMIT, os._exit, (_SHELL + number,))
        last.daemon = True
        last.start()
        os.write(2, _SAID)  # not through a file object, which may be in use at this very moment
        raise Stopped(number)

    with contextlib.suppress(ValueError):  # not the main thread: somebody calls us as a library
        for each in (signal.SIGINT, signal.SIGTERM):
            signal.signal(each, stop)


def is_first() -> bool:
    """Whether we are the first process of a pid namespace."""
    return os.getpid() == 1 and sys.platform == "linux"


def in_a_child(work: Callable[[], int]) -> int:
    """The exit code of `work`, which is done by a child, while this process does what a first process has to.

    To be called without other threads running.
    """
    if sys.platform != "linux":
        return work()
    handed_on = {signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGTERM, signal.SIGUSR1, signal.SIGUSR2}
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {*handed_on, signal.SIGCHLD})
    child = os.fork()
    if child == 0:
        code = 1
        try:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
            code = work()
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(code)
    try:
        while True:
            told = signal.sigwaitinfo({*handed_on, signal.SIGCHLD})
            if told.si_signo in handed_on and told.si_code <= 0:  # from a process, not from the terminal
                os.kill(child, told.si_signo)
            ended = _reaped(child)
            if ended is not None:
                return ended
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _reaped(child: int) -> int | None:
    """Ask for everybody who has ended; the exit code of the child if it is among them."""
    code = None
    while True:
        try:
            process, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return code
        if process == 0:
            return code
        if process == child:
            ended = os.waitstatus_to_exitcode(status)
            code = ended if ended >= 0 else _SHELL - ended
