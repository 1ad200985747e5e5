"""The example of Dask with the real distributed: each process is one that `run` became, and all have the one torch."""

from __future__ import annotations

import json
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from tests.acceptance.engines import Site, needs_published
from tests.acceptance.running import ROOT
from tests.replica import Replica

CLIENT = """
import json, sys
from distributed import Client, get_worker

def where(number):
    import torch
    return {"number": number, "prefix": sys.prefix, "torch": torch.__version__, "worker": get_worker().name}

with Client(scheduler_file="scheduler.json", timeout=60) as client:
    client.wait_for_workers(2, timeout=60)
    names = [each["name"] for each in client.scheduler_info()["workers"].values()]
    tasks = [client.submit(where, number, workers=[names[number % 2]]) for number in range(4)]
    print(json.dumps(client.gather(tasks)))
    client.shutdown()
"""


def test_scheduler_and_workers_are_what_run_became(tmp_path: Path, engines_cache: Path, replica: Replica) -> None:
    needs_published("distributed", "-py3-none-any.whl")
    folder = tmp_path / "project"
    folder.mkdir()
    shutil.copy(ROOT / "examples" / "dask" / "pyproject.toml", folder)
    site = Site(folder, engines_cache, replica.pytorch)
    site.lock()
    site.run("sync")
    with ExitStack() as started:
        scheduler = started.enter_context(running(site, "dask", "scheduler", *LOCAL, "--no-dashboard", *FILE))
        until_there(folder / "scheduler.json", scheduler)
        names = ("one", "two")
        workers = [
            started.enter_context(running(site, "dask", "worker", "--name", name, "--nthreads", "1", *FILE))
            for name in names
        ]
        (folder / "client.py").write_text(CLIENT)
        told = json.loads(site.run("run", "--", "python", "client.py"))
        assert [each["number"] for each in told] == [0, 1, 2, 3]
        assert {each["worker"] for each in told} == {"one", "two"}
        assert {Path(each["prefix"]).resolve() for each in told} == {(folder / ".venv").resolve()}
        assert {each["torch"].partition("+")[2] for each in told} == {"cpu"}
        assert [process.wait(timeout=60) for process in (scheduler, *workers)] == [0, 0, 0]


LOCAL = ("--host", "127.0.0.1", "--port", "0")
FILE = ("--scheduler-file", "scheduler.json")


@contextmanager
def running(site: Site, *command: str) -> Iterator[subprocess.Popen[bytes]]:
    """A process of the example, ended at the latest with the block."""
    log = site.folder / f"{'-'.join(command[1:4]).replace('/', '')}.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [*site.program, "run", "--", *command],
            cwd=site.folder,
            env=site.variables(),
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        yield process
    finally:
        process.terminate()
        process.wait(timeout=60)


def until_there(file: Path, process: subprocess.Popen[bytes]) -> None:
    """Wait for a file that a process writes."""
    until = time.monotonic() + 60
    while not file.exists():
        assert process.poll() is None, f"it ended with {process.returncode}"
        assert time.monotonic() < until, f"no {file}"
        time.sleep(0.1)
