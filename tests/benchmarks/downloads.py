"""Our download engine beside `uv pip install`: one large wheel, whole processes, cold caches, the same server.

    python -m tests.benchmarks.downloads [--runs 5] [--made] [--megabytes 200] [--uv COMMAND] [--cap 10]

Two servers on 127.0.0.1, each in a process of its own: one gives what it can, one gives each connection `--cap` MB/s.
Ours is a fresh Python that fetches the wheel, checks its hash and unpacks it into a new store; uv's is
`uv pip install --no-deps --target` of the same address with the hash in it, with a new cache. The wheel is
torch's for the CPU where the find-links of pip's configuration offer one (`pip download --no-index torch` finds it),
otherwise, or with `--made`, one that is half noise and half what deflate can shorten. Also timed: a second run after a
kill at half of the file, and uv's second run is the whole of it again. Prints a Markdown table of medians, the ratios,
what each took of the processors (user and system together: on a machine that others use too, that is what can be
compared), and where our time goes. Ours and uv's runs take turns.

`uv` comes from the default index (`pip install uv`); it is no dependency of ours.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import random
import re
import shlex
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote

from bootstrap.wheels.inflating import LIBRARY
from bootstrap.wheels.journal import read
from tests.making import make_wheel

ROOT = Path(__file__).parent.parent.parent
MEGABYTE = 1_000_000
BURST = 256 * 1024


def serve(file: Path, cap: float) -> None:
    """Serve one file, whole or in ranges; `cap` is bytes per second and connection, 0 for none. Prints its port."""
    with socket.create_server(("127.0.0.1", 0), backlog=64) as listening:
        print(listening.getsockname()[1], flush=True)
        while True:
            connection, _ = listening.accept()
            threading.Thread(target=_answer_all, args=(connection, file, cap), daemon=True).start()


def _answer_all(connection: socket.socket, file: Path, cap: float) -> None:
    size = file.stat().st_size
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    if cap:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, BURST)
    with suppress(OSError), connection, file.open("rb") as source, connection.makefile("rb") as asking:
        while first := asking.readline():
            head = first + b"".join(iter(asking.readline, b"\r\n"))
            asked = re.search(rb"(?i)\nrange: bytes=(\d+)-(\d*)", head)
            start = int(asked[1]) if asked else 0
            end = min(int(asked[2]) + 1, size) if asked and asked[2] else size
            lines = ["HTTP/1.1 206 Partial Content" if asked else "HTTP/1.1 200 OK", 'ETag: "one"']
            lines += [f"Content-Range: bytes {start}-{end - 1}/{size}"] if asked else ["Accept-Ranges: bytes"]
            connection.sendall("\r\n".join([*lines, f"Content-Length: {end - start}", "", ""]).encode())
            if first.startswith(b"GET"):
                _send(connection, source.fileno(), start, end, cap)


def _send(connection: socket.socket, source: int, start: int, end: int, cap: float) -> None:
    begin, here = time.monotonic(), start
    while here < end:
        here += os.sendfile(connection.fileno(), source, here, min(end - here, BURST if cap else 4 * BURST))
        if cap:
            time.sleep(max(0.0, (here - start) / cap - (time.monotonic() - begin)))


def fetch(url: str, sha256: str, size: int, store: str) -> None:
    """What our process does. Prints when it was where, in seconds since the process began."""
    from bootstrap.index.client import Client, NetworkSettings  # noqa: PLC0415 - the servers need none of it
    from bootstrap.wheels.download import Download, Event  # noqa: PLC0415
    from bootstrap.wheels.download import fetch as fetched  # noqa: PLC0415
    from bootstrap.wheels.store import Store  # noqa: PLC0415

    ready, last = time.time(), [0.0]

    def report(event: Event) -> None:
        if event.kind in {"advanced", "resumed"}:
            last[0] = time.time()

    with Client(NetworkSettings()) as client:
        download = Download(url, url.rpartition("/")[2], sha256, size)
        fetched([download], client, Store(Path(store)), report=report, workers=16)
    peak = re.search(r"VmHWM:\s*(\d+) kB", Path("/proc/self/status").read_text(encoding="ascii"))
    print(json.dumps([last[0] - ready, time.time() - last[0], int(peak[1]) / 1024 if peak else 0]))


@dataclass(frozen=True)
class Job:
    """The wheel, and how to fetch it with each of the two."""

    wheel: Path
    sha256: str
    uv: tuple[str, ...]
    place: Path

    def fresh(self, name: str) -> str:
        """A folder that does not exist yet. None is removed before the end: mass removals slow file systems down."""
        return str(self.place / f"{name}-{time.monotonic_ns()}")

    def ours(self, address: str, store: str) -> Sequence[str]:
        arguments = [f"{address}/{self.wheel.name}", self.sha256, str(self.wheel.stat().st_size), store]
        return [sys.executable, "-m", "tests.benchmarks.downloads", "--fetch", *arguments]

    def theirs(self, address: str) -> Sequence[str]:
        wanted = f"{address}/{quote(self.wheel.name)}#sha256={self.sha256}"
        places = ["--cache-dir", self.fresh("uv-cache"), "--target", self.fresh("uv-target")]
        return [
            *self.uv,
            "pip",
            "install",
            "--quiet",
            "--no-config",
            "--no-deps",
            *places,
            f"{self.wheel.name.partition('-')[0]} @ {wanted}",
        ]


class Took(NamedTuple):
    """Seconds on the wall and of the processors, and what was printed."""

    seconds: float
    processors: float
    said: str


def timed(command: Sequence[str]) -> Took:
    """One run, which has to succeed."""
    environ = {name: each for name, each in os.environ.items() if not name.startswith(("PIP_", "UV_"))}
    environ |= {"UV_PYTHON": sys.executable, "PYTHONPATH": str(ROOT)}
    before, begin = os.times(), time.perf_counter()
    done = subprocess.run(command, cwd=ROOT, env=environ, capture_output=True, text=True, check=False)
    seconds, after = time.perf_counter() - begin, os.times()
    if done.returncode:
        sys.exit(f"{shlex.join(command)} failed:\n{done.stderr}")
    used = (after.children_user - before.children_user) + (after.children_system - before.children_system)
    return Took(seconds, used, done.stdout)


def killed_at_half(job: Job, address: str, store: str) -> None:
    """Start ours and kill it when half of the wheel is noted as having arrived."""
    running = subprocess.Popen(job.ours(address, store), cwd=ROOT, stdout=subprocess.DEVNULL)
    journal = Path(store) / "incoming" / f"{job.sha256}.journal"
    while running.poll() is None:
        with suppress(OSError):
            found = read(journal)
            if found and sum(end - start for start, end in found.spans) > job.wheel.stat().st_size / 2:
                break
        time.sleep(0.01)
    running.send_signal(signal.SIGKILL)
    running.wait()


@contextmanager
def serving(wheel: Path, cap: float) -> Iterator[str]:
    command = [sys.executable, "-m", "tests.benchmarks.downloads", "--serve", str(wheel), str(cap)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        try:
            yield f"http://127.0.0.1:{server.stdout.readline().strip()}"
        finally:
            server.kill()


def big_wheel(folder: Path, megabytes: int) -> Path:
    """About so many megabytes, with libraries of 40 MB in it, as torch's wheels have."""
    generator = random.Random(7)
    words = [generator.randbytes(8) for _ in range(3000)]
    files: dict[str, str | bytes] = {}
    for number in range(max(1, round(megabytes / 29))):
        block = b"".join(b"".join(generator.choices(words, k=2000)) + generator.randbytes(14_000) for _ in range(1333))
        files[f"big/library{number}.so"] = block
    return make_wheel(folder, "big", "1.0", files=files)


def torch_wheel(folder: Path) -> Path | None:
    """Torch's wheel for the CPU, where pip's configuration knows a place for it."""
    place = folder / "torch"
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-index", "--no-deps", "--dest", str(place)]
    subprocess.run([*command, "torch"], capture_output=True, check=False)
    return next(iter(place.glob("torch-*+cpu-*.whl")), None)


def measure(job: Job, title: str, address: str, runs: int) -> str:
    ours: list[Took] = []
    theirs: list[Took] = []
    for _ in range(runs):
        ours.append(timed(job.ours(address, job.fresh("store"))))
        theirs.append(timed(job.theirs(address)))
    mine, others = (statistics.median(each.seconds for each in several) for several in (ours, theirs))
    used, theirs_used = (statistics.median(each.processors for each in several) for several in (ours, theirs))
    parts = [json.loads(each.said) for each in ours]
    transfer, unpacking, peak = (statistics.median(each[index] for each in parts) for index in (0, 1, 2))
    return (
        f"| {title} | {mine:.2f} s | {others:.2f} s | {mine / others:.2f} | {used:.2f} s, {theirs_used:.2f} s "
        f"| {mine - transfer - unpacking:.2f} s, {transfer:.2f} s, {unpacking:.2f} s, {peak:.0f} MiB |"
    )


def measure_resumed(job: Job, title: str, address: str, runs: int) -> str:
    ours: list[float] = []
    for _ in range(runs):
        store = job.fresh("store")
        killed_at_half(job, address, store)
        ours.append(timed(job.ours(address, store)).seconds)
    again = statistics.median(timed(job.ours(address, job.fresh("store"))).seconds for _ in range(runs))
    second = statistics.median(ours)
    return f"| {title} | {second:.2f} s | {again:.2f} s (ours, fresh) | {second / again:.2f} | | |"


def main() -> int:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--runs", type=int, default=5)
    options.add_argument("--made", action="store_true", help="a made-up wheel even where there is one of torch")
    options.add_argument("--megabytes", type=int, default=200)
    options.add_argument("--cap", type=float, default=10.0, help="MB/s for each connection of the second server")
    options.add_argument("--uv", default=shutil.which("uv") or "uv")
    options.add_argument("--serve", nargs=2, metavar=("FILE", "CAP"), help=argparse.SUPPRESS)
    options.add_argument("--fetch", nargs=4, metavar=("URL", "SHA256", "SIZE", "STORE"), help=argparse.SUPPRESS)
    asked = options.parse_args()
    if asked.serve:
        serve(Path(asked.serve[0]), float(asked.serve[1]))
    if asked.fetch:
        url, sha256, size, store = asked.fetch
        fetch(url, sha256, int(size), store)
        return 0
    with tempfile.TemporaryDirectory(prefix="downloads-") as name:
        place = Path(name)
        wheel = (None if asked.made else torch_wheel(place)) or big_wheel(place, asked.megabytes)
        job = Job(wheel, hashlib.sha256(wheel.read_bytes()).hexdigest(), tuple(shlex.split(asked.uv)), place)
        size = wheel.stat().st_size / MEGABYTE
        print(f"{wheel.name}, {size:.0f} MB, unpacked by {LIBRARY}; {asked.runs} runs each, medians.\n")
        print(
            "| server | torchstrap | uv | ratio | processors: ours, uv's "
            "| of ours: start, transfer, unpacking after it, memory |\n|---|---|---|---|---|---|"
        )
        with serving(wheel, 0.0) as address:
            print(measure(job, "unlimited", address, asked.runs), flush=True)
        with serving(wheel, asked.cap * MEGABYTE) as address:
            print(measure(job, f"{asked.cap:g} MB/s for each connection", address, asked.runs), flush=True)
            print(measure_resumed(job, "the same, after a kill at half", address, asked.runs), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
