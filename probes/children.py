"""Programs that answer for a machine, with a limit on their time and on what they may print.

A sick driver makes its libraries hang, crash, or print without end: each becomes an answer, and the program is ended
with everything that it started. One that hangs inside a driver cannot be killed: it is left.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from threading import Thread

from probes.host import Interrupted
from probes.machine import Unknown

__all__ = ["MOST", "ask_program"]

MOST = 4 << 20
"""Bytes that a program may print."""
_PATIENCE = 0.5
"""Seconds that a killed program has for going."""


def ask_program(
    command: Sequence[str], program: str, timeout: float, environ: Mapping[str, str], folder: str
) -> str | Unknown:
    """What a program prints, run in a folder; Interrupted, with what it had printed, if it does not end well."""
    try:
        process = subprocess.Popen(
            list(command),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=environ,
            cwd=folder,
            start_new_session=True,
        )
    except (OSError, ValueError) as problem:
        return Unknown(f"{program} cannot be started ({problem})")
    printed = bytearray()
    reader = Thread(target=_read, args=(process, printed), daemon=True)
    end = time.monotonic() + timeout
    reader.start()
    reader.join(timeout)
    wrong = None if reader.is_alive() else _ending(process, printed, program, end)
    if reader.is_alive() or process.returncode is None:
        _end(process)
        reader.join(_PATIENCE)
        wrong = wrong or f"{program} gave no answer within {timeout:g} s"
    text = bytes(printed).decode(errors="replace")
    return text if wrong is None else Interrupted(wrong, text)


def _read(process: subprocess.Popen[bytes], printed: bytearray) -> None:
    """Everything that a program prints, as far as it may; the pipe is closed by who reads from it."""
    if process.stdout is None:
        return
    with process.stdout as stream:
        while len(printed) < MOST and (chunk := os.read(stream.fileno(), MOST - len(printed))):
            printed += chunk


def _ending(process: subprocess.Popen[bytes], printed: bytearray, program: str, end: float) -> str | None:
    """What is wrong with how a program ended that prints no more; None for one that did well, or goes on."""
    if len(printed) >= MOST:
        return f"{program} printed more than {MOST >> 20} MB"
    try:
        code = process.wait(max(0.0, end - time.monotonic()))
    except subprocess.TimeoutExpired:
        return None
    return f"{program} ended with {code}" if code else None


def _end(process: subprocess.Popen[bytes]) -> None:
    try:
        if sys.platform == "win32":
            process.kill()
        else:
            os.killpg(process.pid, signal.SIGKILL)
    except OSError:
        process.kill()
    try:
        process.wait(_PATIENCE)
    except subprocess.TimeoutExpired:
        return
