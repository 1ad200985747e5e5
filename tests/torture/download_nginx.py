"""Downloads through a real nginx, set up in ways that break downloaders.

    python -m tests.torture.download_nginx [--megabytes 60]

Its own nginx, with a configuration, a port and files in a temporary folder (Debian's package `nginx-light`, installed
by this script where it is missing and root runs it; elsewhere it says that it was skipped). Each setting has to end
with the right bytes in the store; the log of the server says how they came.
"""

from __future__ import annotations

import argparse
import gzip
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from bootstrap.index.client import Client, NetworkSettings
from bootstrap.wheels.download import Download, fetch
from bootstrap.wheels.store import Store
from tests.torture.download_stack import Stack, made, wrong_in

__all__ = ["CASES", "Case", "Nginx", "nginx", "program", "tried"]

CONFIGURATION = """
daemon off; master_process off; worker_rlimit_nofile 1024;
pid {folder}/pid; error_log {folder}/error.log;
events {{ worker_connections 256; }}
http {{
  types {{ text/html html; application/octet-stream whl; }}
  log_format short '$status $body_bytes_sent $request_uri $http_range';
  access_log {folder}/access.log short;
  client_body_temp_path {folder}/t1; proxy_temp_path {folder}/t2; fastcgi_temp_path {folder}/t3;
  uwsgi_temp_path {folder}/t4; scgi_temp_path {folder}/t5;
  sendfile on; gzip_proxied any; limit_req_status 429; limit_conn_status 503;
  limit_req_zone $binary_remote_addr zone=few:1m rate=5r/s; limit_conn_zone $binary_remote_addr zone=two:1m;
  server {{
    listen 127.0.0.1:{port}; root {folder}/files;
    location / {{ }}
    location /slow/ {{ alias {folder}/files/; limit_rate 8m; }}
    location /busy/ {{ alias {folder}/files/; limit_req zone=few burst=1 nodelay; }}
    location /two/ {{ alias {folder}/files/; limit_conn two 2; limit_rate 16m; }}
    location /whole/ {{ alias {folder}/files/; max_ranges 0; }}
    location /tagless/ {{ alias {folder}/files/; etag off; }}
    location /nothing/ {{ alias {folder}/files/; etag off; if_modified_since off; add_header Last-Modified ""; }}
    location /hasty/ {{ alias {folder}/files/; keepalive_requests 1; }}
    location /moved/ {{ rewrite ^/moved/(.*)$ /$1 redirect; }}
    location /packed/ {{ alias {folder}/files/; gzip on; gzip_min_length 100; gzip_types *; }}
  }}
}}
"""


class Request(NamedTuple):
    """One line of the log: what was answered, with how many bytes, to which range ("-" for none)."""

    status: int
    sent: int
    path: str
    asked: str


@dataclass(frozen=True)
class Nginx:
    """A server at work: `files` is what it serves at every path."""

    address: str
    folder: Path

    @property
    def files(self) -> Path:
        return self.folder / "files"

    def log(self) -> list[Request]:
        lines = (line.split(" ", 3) for line in (self.folder / "access.log").read_text().splitlines())
        return [Request(int(status), int(sent), path, asked) for status, sent, path, asked in lines]


def program(*, install: bool = False) -> str | None:
    """The nginx of this machine; root may have it installed."""
    places = f"{os.environ.get('PATH', '')}{os.pathsep}/usr/sbin"
    found = shutil.which("nginx", path=places)
    if found is None and install and hasattr(os, "geteuid") and os.geteuid() == 0 and shutil.which("apt-get"):
        command = ["apt-get", "install", "-y", "--no-install-recommends", "nginx-light"]
        subprocess.run(command, env={**os.environ, "DEBIAN_FRONTEND": "noninteractive"}, stdout=sys.stderr, check=False)
        found = shutil.which("nginx", path=places)
    return found


@contextmanager
def nginx(command: str, folder: Path) -> Iterator[Nginx]:
    """Run it for the block. Raises RuntimeError with its own words if it does not start."""
    (folder / "files").mkdir(exist_ok=True)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    (folder / "conf").write_text(CONFIGURATION.format(folder=folder, port=port))
    words = [command, "-p", str(folder), "-c", str(folder / "conf"), "-e", str(folder / "error.log")]
    with subprocess.Popen(words, stderr=subprocess.DEVNULL) as running:
        try:
            _await(running, port, folder / "error.log")
            yield Nginx(f"http://127.0.0.1:{port}", folder)
        finally:
            running.terminate()


def _await(running: subprocess.Popen[bytes], port: int, log: Path) -> None:
    for _ in range(500):
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        if running.poll() is not None:
            break
        time.sleep(0.02)
    raise RuntimeError(f"nginx does not start: {log.read_text() if log.exists() else running.returncode}")


@dataclass(frozen=True)
class Case:
    """A setting: at which path, and what the log has to show of it."""

    name: str
    path: str
    shows: Callable[[Sequence[Request]], bool]


def _count(status: int) -> Callable[[Sequence[Request]], int]:
    return lambda log: sum(each.status == status for each in log)


CASES = (
    Case("ranges", "", lambda log: _count(206)(log) > 2),
    Case("limit_rate 8m for each connection", "slow/", lambda log: _count(206)(log) > 2),
    Case("limit_req: 429", "busy/", lambda log: _count(429)(log) > 0),
    Case("limit_conn 2: 503", "two/", lambda log: _count(503)(log) > 0),
    Case("no ranges", "whole/", lambda log: _count(206)(log) == 0),
    Case("no ETag", "tagless/", lambda log: _count(206)(log) > 2),
    Case("no ETag and no date", "nothing/", lambda log: _count(206)(log) > 2),
    Case("a connection for each request", "hasty/", lambda log: _count(206)(log) > 2),
    Case("moved", "moved/", lambda log: _count(302)(log) > 2),
    Case("packed on the way", "packed/", lambda log: len(log) > 2),
)


class Result(NamedTuple):
    """How it went: seconds, requests, how much was sent more than once, and what is wrong."""

    seconds: float
    requests: int
    again: float
    wrong: Sequence[str]


def tried(server: Nginx, stack: Stack, case: Case, store: Path) -> Result:
    """Fetch the stack once in one setting."""
    before, begin = len(server.log()), time.monotonic()
    wanted = [Download(f"{server.address}/{case.path}{name}", name, sha256, size) for name, sha256, size in stack.rows]
    with Client(NetworkSettings(timeout=10)) as client:
        fetch(wanted, client, Store(store), report=lambda _event: None, workers=16)
    seconds = time.monotonic() - begin
    time.sleep(0.1)  # a request is logged when it is over
    log = server.log()[before:]
    wrong = list(wrong_in(Store(store), stack))
    if not case.shows(log):
        wrong.append(f"{case.name}: the log shows {sorted({each.status for each in log})} in {len(log)} requests")
    sent = sum(each.sent for each in log if each.status in {200, 206})
    return Result(seconds, len(log), (sent - stack.size) / stack.size, wrong)


def page(server: Nginx) -> Mapping[str, bytes]:
    """A large page as it is read, packed by nginx or not."""
    body = "".join(f'<a href="torch-{number}.whl">torch-{number}.whl</a>\n' for number in range(10_000)).encode()
    (server.files / "page.html").write_bytes(body)
    with Client() as client:
        found = {path: client.get(f"{server.address}/{path}page.html").body for path in ("", "packed/")}
    return {**found, "expected": body, "least": gzip.compress(body)}


def main() -> int:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--megabytes", type=int, default=60)
    asked = options.parse_args()
    command = program(install=True)
    if command is None:
        print("skipped: there is no nginx, and it cannot be installed here (apt-get, as root)")
        return 0
    failed = 0
    with tempfile.TemporaryDirectory(prefix="nginx-") as name:
        folder = Path(name)
        (folder / "server").mkdir()
        with nginx(command, folder / "server") as server:
            stack = made(folder / "wheels", asked.megabytes)
            for each in stack.folder.iterdir():
                each.rename(server.files / each.name)
            print("| nginx | seconds | requests | sent again | wrong |\n|---|---|---|---|---|")
            for number, case in enumerate(CASES):
                done = tried(server, stack, case, folder / f"store{number}")
                failed += len(done.wrong)
                print(
                    f"| {case.name} | {done.seconds:.1f} | {done.requests} | {100 * done.again:.1f} % "
                    f"| {'; '.join(done.wrong) or 'nothing'} |",
                    flush=True,
                )
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
