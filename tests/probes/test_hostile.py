"""Trees that no machine has: probing them ends, in bounded time and memory, with a machine.

Every path that probes ask for on any recorded machine is made into something that it never is. The probe runs in a
child with limits on its memory and its time, so that one that hangs, or reads without end, fails its test.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from probes import Machine
from tests.probes.hosts import asked_of_machines

MEMORY = 768 << 20
SECONDS = 60
CHILD = """
import json, os, resource, sys
sys.path.insert(0, sys.argv[1])
from probes import LocalHost, probe
from probes.modules import program
program("nvml.py", "libcuda.py", "opening.py", "cpu_fallback.py")  # imported and read before rights are given up
probe(LocalHost("/", {}))
resource.setrlimit(resource.RLIMIT_AS, (int(sys.argv[3]),) * 2)
resource.setrlimit(resource.RLIMIT_CPU, (int(sys.argv[4]),) * 2)
if sys.argv[5] == "nobody" and os.getuid() == 0:
    os.setgroups([]); os.setgid(65534); os.setuid(65534)
host = LocalHost(sys.argv[2], {})
answers = [host.read_text("/etc/os-release"), host.exists("/etc/os-release"), host.names("/sys/bus/pci/devices")]
print(json.dumps({"machine": probe(host).to_json(), "answers": [str(answer)[:200] for answer in answers]}))
"""


@pytest.fixture
def root() -> Iterator[Path]:
    """A folder that every user may enter, as the one of pytest is closed to others."""
    folder = Path(tempfile.mkdtemp(prefix="hostile-"))
    folder.chmod(0o755)
    yield folder
    for path in (each for each in folder.rglob("*") if each.is_dir() and not each.is_symlink()):
        path.chmod(0o755)
    shutil.rmtree(folder)


def asked_paths() -> list[str]:
    """Paths that are asked for, but for those below another: one path cannot be a file and a folder."""
    asked = asked_of_machines()
    paths = sorted({*asked.paths, *(f"{folder}/0000:01:00.0" for folder in asked.folders), "/.torchstrap/answers.json"})
    return [path for path in paths if not any(other.startswith(f"{path}/") for other in paths)]


def probed(root: Path, user: str = "me") -> tuple[Machine, list[str]]:
    command = [sys.executable, "-I", "-c", CHILD, str(Path(__file__).parents[2]), str(root), str(MEMORY), str(SECONDS)]
    done = subprocess.run([*command, user], capture_output=True, text=True, timeout=SECONDS * 3, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    document = json.loads(done.stdout)
    return Machine.from_json(document["machine"]), document["answers"]


def pipe(path: Path) -> None:
    os.mkfifo(path)


def ring(path: Path) -> None:
    path.symlink_to(f"{path.name}~")
    path.with_name(f"{path.name}~").symlink_to(path.name)


def long_chain(path: Path) -> None:
    path.symlink_to("/".join([".."] * 500 + ["a"] * 500))


def hole(path: Path) -> None:
    with path.open("wb") as stream:
        stream.truncate(100 << 20)


def rubbish(path: Path) -> None:
    path.write_bytes(random.Random(path.name).randbytes(1 << 16))


def newlines(path: Path) -> None:
    path.write_bytes(b"\n" * (1 << 18))


def one_line(path: Path) -> None:
    path.write_bytes(b"a: 9, " * (1 << 15))


def deep_group(path: Path) -> None:
    path.write_bytes(b"0::" + b"/a" * (1 << 17))


def closed(path: Path) -> None:
    path.write_text("ID=debian\n")
    path.chmod(0)


def crowd(path: Path) -> None:
    path.mkdir()
    for number in range(100):
        (path / f"{number:04x}").touch()


EXPECTED = {
    "pipe": "is no regular file",
    "ring": "too many links",
    "mkdir": "is no regular file",
    "crowd": "is no regular file",
    "closed": "cannot be read (Permission denied)",
}


@pytest.mark.parametrize(
    "make",
    [Path.mkdir, pipe, ring, long_chain, hole, rubbish, newlines, one_line, deep_group, closed, crowd, Path.touch],
    ids=lambda make: make.__name__,
)
def test_a_tree_that_no_machine_has_is_probed_to_the_end(root: Path, make: Callable[[Path], None]) -> None:
    for name in asked_paths():
        path = root / name.lstrip("/")
        path.parent.mkdir(parents=True, exist_ok=True)
        make(path)
    machine, (read, _, _) = probed(root, "nobody")
    assert machine.gpus is not None
    assert EXPECTED.get(make.__name__, "") in read


def test_folders_that_are_closed_are_empty(root: Path) -> None:
    for name in asked_paths():
        path = root / name.lstrip("/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    for top in root.iterdir():
        top.chmod(0)
    machine, (read, exists, names) = probed(root, "nobody")
    assert "Permission denied" in read
    assert (exists, names, machine.gpus) == ("False", "()", ())


def test_paths_are_collected() -> None:
    assert {"/proc/cpuinfo", "/etc/os-release", "/dev/dxg", "/proc/self/cgroup"} <= set(asked_paths())
    assert len(asked_paths()) > 60
