"""A stack of made-up wheels, a server that counts what it sends of them, and a process that fetches them all.

Nothing in them can be shortened, so they are quickly made. One is nearly half of everything, as torch is, the others
are smaller and smaller.
"""

from __future__ import annotations

import json
import os
import random
import re
import socket
import subprocess
import sys
import threading
import time
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from bootstrap.wheels.store import Store, sha256_of
from tests.acceptance.running import ROOT
from tests.making import write_wheel

__all__ = ["Sending", "Stack", "made", "sending", "started", "wrong_in"]

MEGABYTE = 1_000_000
SHARES = (45, 22, 13, 9, 5, 3, 2, 1)  # hundredths of everything, in one wheel each
BURST = 64 * 1024
FETCH = """
import json, sys
from pathlib import Path
from bootstrap.index.client import Client
from bootstrap.wheels.download import Download, fetch
from bootstrap.wheels.store import Store
store, address, *rows = json.loads(sys.argv[1])
wanted = [Download(f"{address}/{name}", name, sha256, size) for name, sha256, size in rows]
with Client() as client:
    fetch(wanted, client, Store(Path(store)), report=lambda event: None, workers=16)
"""


@dataclass(frozen=True)
class Stack:
    """Wheels in a folder: file name, hash and size in bytes of each."""

    folder: Path
    rows: tuple[tuple[str, str, int], ...]

    @property
    def size(self) -> int:
        return sum(size for _, _, size in self.rows)


def made(folder: Path, megabytes: int) -> Stack:
    """Make the wheels of a stack of so many megabytes."""
    folder.mkdir()
    generator = random.Random(megabytes)
    rows = []
    for number, share in enumerate(SHARES):
        name = f"part{number}"
        content = generator.randbytes(megabytes * MEGABYTE * share // 100)
        info = f"{name}-1.0.dist-info"
        members = {
            **{
                f"{name}/data{at}.bin": content[at : at + 20 * MEGABYTE] for at in range(0, len(content), 20 * MEGABYTE)
            },
            f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n".encode(),
            f"{info}/WHEEL": b"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        }
        path = folder / f"{name}-1.0-py3-none-any.whl"
        write_wheel(path, members, record=f"{info}/RECORD", packed=zipfile.ZIP_STORED)
        rows.append((path.name, sha256_of(path), path.stat().st_size))
    return Stack(folder, tuple(rows))


@dataclass
class Sending:
    """A server at work; `sent` is in bytes, of bodies, as handed to the operating system."""

    address: str
    sent: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)


@contextmanager
def sending(folder: Path, cap: float) -> Iterator[Sending]:
    """Serve the files of a folder, whole or in ranges, each connection at most `cap` bytes per second."""
    with socket.create_server(("127.0.0.1", 0), backlog=64) as listening:
        state = Sending(f"http://127.0.0.1:{listening.getsockname()[1]}")

        def accept() -> None:
            while True:
                try:
                    connection, _ = listening.accept()
                except OSError:
                    return
                threading.Thread(target=_answer_all, args=(connection, folder, cap, state), daemon=True).start()

        threading.Thread(target=accept, daemon=True).start()
        yield state
        listening.shutdown(socket.SHUT_RDWR)


def _answer_all(connection: socket.socket, folder: Path, cap: float, state: Sending) -> None:
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, BURST)  # what is on its way to a killed process counts
    with suppress(OSError), connection, connection.makefile("rb") as asking:
        while first := asking.readline():
            head = first + b"".join(iter(asking.readline, b"\r\n"))
            with (folder / first.split()[1].decode().rpartition("/")[2]).open("rb") as source:
                size = source.seek(0, 2)
                asked = re.search(rb"(?i)\nrange: bytes=(\d+)-(\d*)", head)
                start = int(asked[1]) if asked else 0
                end = min(int(asked[2]) + 1, size) if asked and asked[2] else size
                lines = ["HTTP/1.1 206 Partial Content" if asked else "HTTP/1.1 200 OK", 'ETag: "one"']
                lines += [f"Content-Range: bytes {start}-{end - 1}/{size}"] if asked else []
                connection.sendall("\r\n".join([*lines, f"Content-Length: {end - start}", "", ""]).encode())
                _send(connection, source.fileno(), (start, end), cap, state)


def _send(connection: socket.socket, source: int, span: tuple[int, int], cap: float, state: Sending) -> None:
    (start, end), begin = span, time.monotonic()
    here = start
    while here < end:
        count = os.sendfile(connection.fileno(), source, here, min(end - here, BURST))
        here += count
        with state.lock:
            state.sent += count
        time.sleep(max(0.0, (here - start) / cap - (time.monotonic() - begin)))


def started(stack: Stack, address: str, store: Path) -> subprocess.Popen[bytes]:
    """A process that fetches the stack into a store."""
    said = json.dumps([str(store), address, *stack.rows])
    environ = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.Popen([sys.executable, "-c", FETCH, said], cwd=ROOT, env=environ)


def wrong_in(store: Store, stack: Stack) -> Sequence[str]:
    """What of the stack is not in the store as it should be, and what else lies there."""
    found: list[str] = []
    for name, sha256, _ in stack.rows:
        entry = store.find(sha256)
        if entry is None:
            found.append(f"{name} is not in the store")
        else:
            found += [f"{name}: {path} is not what it should be" for path in store.altered(entry)]
    found += [f"{sha256} is nobody's" for sha256 in set(store) - {row[1] for row in stack.rows}]
    found += [f"{each.name} is left over" for each in (*store.incoming.iterdir(), *store.workplace.glob("*"))]
    return found
