"""A lab of many: what environments of one store cost on the disk, and many clients that fetch one bundle.

    python -m tests.benchmarks.lab [--environments 50] [--clients 100]

Environments of three real packages from the default index, each of another project, over one cache; beside that what
as many separate ones would take. Clients are processes that install from one bundle behind a real nginx (Debian's
package), a third of them killed on the way and started again: counted is what nginx sent beside what was needed.
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.torture.download_nginx import Nginx, nginx, program

PROJECT = """\
[project]
name = "lab"
version = "1"
requires-python = "=={}"
dependencies = ["numpy", "scipy", "pandas"]
"""
GIGA = 10**9
AT_ONCE = 10


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.lab", description="A lab of many.")
    parser.add_argument("--environments", type=int, default=50)
    parser.add_argument("--clients", type=int, default=100)
    asked = parser.parse_args()
    command = program(install=True)
    if command is None:
        print("there is no nginx here", file=sys.stderr)
        return 1
    with tempfile.TemporaryDirectory(prefix="torchstrap-lab-", ignore_cleanup_errors=True) as name:
        root = Path(name)
        first = place(root / "first")
        ended(first, root / "cache", "sync", "-q")
        shared(root, first, asked.environments)
        (root / "nginx").mkdir()
        with nginx(command, root / "nginx") as server:
            bundle = server.files / "lab.bundle"
            here = "{}.{}".format(*sys.version_info)
            ended(first, root / "cache", "bundle", "-q", "--python-version", here, "-o", str(bundle))
            fetched(root, server, bundle, asked.clients)
    return 0


def place(folder: Path) -> Path:
    """A project of its own."""
    folder.mkdir(parents=True)
    (folder / "pyproject.toml").write_text(PROJECT.format("{}.{}.*".format(*sys.version_info)))
    return folder


def shared(root: Path, first: Path, environments: int) -> None:
    """Make the environments, and print what they take together."""
    begin = time.perf_counter()
    for number in range(1, environments):
        folder = place(root / f"user-{number}")
        shutil.copy(first / "pylock.toml", folder)
        ended(folder, root / "cache", "sync", "-q", "--frozen")
    seconds = time.perf_counter() - begin
    own, everything = taken(root / "user-1")
    print(f"| {environments} environments of {everything / GIGA:.2f} GB | {environments * everything / GIGA:.2f} GB |")
    print(f"| of one store | {(everything + own * (environments - 1)) / GIGA:.2f} GB |")
    print(f"| each further one | {own / 1e6:.1f} MB, {seconds / (environments - 1):.1f} s |")


def taken(project: Path) -> tuple[int, int]:
    """The bytes on the disk of a project with its environment: those that nobody shares, and all."""
    own = everything = 0
    for folder, _, files in os.walk(project):
        for path in (folder, *(os.path.join(folder, each) for each in files)):  # noqa: PTH118 - thousands
            status = os.lstat(path)
            everything += status.st_blocks * 512
            own += status.st_blocks * 512 if os.path.isdir(path) or status.st_nlink == 1 else 0  # noqa: PTH112
    return own, everything


def fetched(root: Path, server: Nginx, bundle: Path, clients: int) -> None:
    """Let all clients install, and print what was sent."""
    begin = time.perf_counter()
    waiting = [place(root / f"client-{number}") for number in range(clients)]
    running: dict[Path, subprocess.Popen[bytes]] = {}
    to_be_killed, failed, whole = set(random.sample(waiting, clients // 3)), 0, waiting[:]
    while waiting or running:
        while waiting and len(running) < AT_ONCE:
            folder = waiting.pop(0)
            running[folder] = started(
                folder, folder / "cache", "sync", "-q", "--bundle", f"{server.address}/lab.bundle"
            )
        for folder, process in list(running.items()):
            if folder in to_be_killed and any((folder / "cache" / "incoming").glob("*.part")):
                process.kill()
                process.wait()
                to_be_killed.discard(folder)
                waiting.append(folder)
                del running[folder]
            elif process.poll() is not None:
                failed += process.returncode != 0
                del running[folder]
                if folder in whole[1:]:
                    shutil.rmtree(folder, ignore_errors=True)
        time.sleep(0.05)
    sent = sum(each.sent for each in server.log())
    seconds = time.perf_counter() - begin
    needed = bundle.stat().st_size * clients
    kills = clients // 3 - len(to_be_killed)
    print(f"| {clients} clients, {kills} of them killed once, {seconds:.0f} s | {failed} failed |")
    print(f"| sent {sent / GIGA:.2f} GB | as many bundles have {needed / GIGA:.2f} GB |")


def started(folder: Path, cache: Path, *words: str) -> subprocess.Popen[bytes]:
    """One command of ours in a project."""
    environ = {**os.environ, "TORCHSTRAP_CACHE_DIR": str(cache), "PYTHONPATH": str(Path(__file__).parents[2])}
    return subprocess.Popen([sys.executable, "-m", "bootstrap", *words], cwd=folder, env=environ)


def ended(folder: Path, cache: Path, *words: str) -> None:
    """One command that has to succeed."""
    code = started(folder, cache, *words).wait()
    if code:
        raise RuntimeError(f"{' '.join(words)} ended with {code}")


if __name__ == "__main__":
    sys.exit(main())
