"""The container files of examples/containers, as they are, in containers made of namespaces: no engine, no network."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from bootstrap.errors import UsageError
from bootstrap.options import parser
from tests.acceptance.running import ROOT, Workplace, pyproject, recorded
from tests.containers import Image, are_possible, command, read, version
from tests.one_file import pyz
from tests.replica import Replica
from tests.replica.faults import hang

__all__ = ["pyz"]
EXAMPLES = ROOT / "examples" / "containers"
TERMINATED = 128 + signal.SIGTERM
SAYING = ("python", "-c", "import os, torch; print(os.getpid(), os.getuid(), torch.__version__)")
SAID = "1 12345 2.6.0+cpu\n"
PROBE = ("torchstrap", "ready")
HEARD = 7
HEARING = f"""
import signal, sys, time
signal.signal(signal.SIGTERM, lambda *_: sys.exit({HEARD}))
print("up", flush=True)
time.sleep(60)
"""
needs_containers = pytest.mark.skipif(not are_possible(), reason="no containers can be made of namespaces here")


@dataclass(frozen=True)
class Host:
    """A machine with a replica of the indexes, and an application's folder that images are built from."""

    folder: Path
    context: Path
    replica: Replica

    def variables(self) -> dict[str, str]:
        """What the lab's mirror is, for containers."""
        place = Workplace(self.context, self.folder / "none", self.replica)
        return {name: place.variables()[name] for name in ("PIP_CONFIG_FILE", "TORCHSTRAP_MIRRORS")}

    def volume(self, name: str) -> Path:
        """A folder that a container's user may write."""
        folder = self.folder / name
        if not folder.exists():
            folder.mkdir()
            folder.chmod(0o777)
        return folder

    def slim(self) -> Image:
        """The image with a shared store."""
        return read(EXAMPLES / "slim.Containerfile", self.context)

    def started(self, image: Image, **more: object) -> subprocess.Popen[str]:
        """A container of an image, its volumes kept from one to the next."""
        root = self.folder / f"root-{os.urandom(4).hex()}"
        root.mkdir()
        volumes = {target: self.volume(target.strip("/").replace("/", "-")) for target in image.volumes}
        environ = self.variables() | dict(more.pop("environ", {}))  # type: ignore[call-overload]
        whole = command(image, root, volumes=volumes, environ=environ, **more)  # type: ignore[arg-type]
        return subprocess.Popen(whole, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def run(self, image: Image, **more: object) -> subprocess.CompletedProcess[str]:
        """A container that ends by itself."""
        process = self.started(image, **more)
        output, said = process.communicate(timeout=180)
        return subprocess.CompletedProcess(process.args, process.returncode, output, said)


@pytest.fixture(scope="module")
def warm(tmp_path_factory: pytest.TempPathFactory, pyz: Path) -> Iterator[Host]:
    """A machine on which a container has been before."""
    folder = tmp_path_factory.mktemp("warm")
    _let_strangers_through(folder)
    context = folder / "context"
    (context / "app").mkdir(parents=True)
    shutil.copy(pyz, context / "torchstrap.pyz")
    (context / "torchstrap.pyz").chmod(0o755)
    with Replica() as replica:
        place = Workplace(context / "app", folder / "cache", replica)
        place.write(pyproject("torch==2.6.0"))
        locked = place.run("lock", "--platform", "linux_x86_64", "--python-version", version())
        assert locked.returncode == 0, locked.stderr
        host = Host(folder, context, replica)
        first = host.run(host.slim(), words=SAYING)
        assert (first.returncode, first.stdout) == (0, SAID), first.stderr
        yield host


@pytest.fixture
def cold(warm: Host, tmp_path: Path) -> Host:
    """A machine that builds the same images and has no store yet."""
    _let_strangers_through(tmp_path)
    warm.replica.faults = {}
    warm.replica.requests.clear()
    return replace(warm, folder=tmp_path)


def _let_strangers_through(folder: Path) -> None:
    for each in (folder, *folder.parents):
        if not each.stat().st_mode & 0o001:
            each.chmod(each.stat().st_mode | 0o011)


def until(true: Callable[[], object], seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.02)


@needs_containers
def test_a_container_finds_what_the_one_before_has_made_and_says_nothing(warm: Host) -> None:
    warm.replica.requests.clear()
    second = warm.run(warm.slim(), words=SAYING)
    assert (second.returncode, second.stdout, second.stderr) == (0, SAID, "")
    assert warm.replica.requests == []


@needs_containers
def test_another_user_of_the_same_store_is_served_by_it(warm: Host) -> None:
    other = warm.run(warm.slim(), words=SAYING, user=23456)
    assert (other.returncode, other.stdout) == (0, "1 23456 2.6.0+cpu\n"), other.stderr


@needs_containers
def test_a_startup_probe_waits_until_the_environment_is_there(warm: Host, cold: Host) -> None:
    early = cold.run(cold.slim(), entrypoint=(), words=PROBE)
    assert (early.returncode, "there is no environment" in early.stderr) == (1, True)
    late = warm.run(warm.slim(), entrypoint=(), words=PROBE)
    assert (late.returncode, late.stderr) == (0, "")


@needs_containers
def test_an_image_with_a_bundle_needs_no_network_and_decides_by_the_machine(cold: Host, tmp_path: Path) -> None:
    here = ("--platform", "linux_x86_64", "--python-version", version())
    made = Workplace(cold.context / "app", tmp_path / "cache", cold.replica).run(
        "bundle", "--variants", "cpu,cu126", *here, "-o", str(cold.context / "lab.bundle")
    )
    assert made.returncode == 0, made.stderr
    image = read(EXAMPLES / "bundle.Containerfile", cold.context)
    environ = {"TORCHSTRAP_MIRRORS": ""}
    plain = cold.run(image, words=SAYING, network=False, environ=environ)
    assert (plain.returncode, plain.stdout) == (0, SAID), plain.stderr
    shutil.copy(recorded("linux-x86_64-2xh100-driver535-cu126", tmp_path), cold.volume("var-lib-torchstrap"))
    machine = {"TORCHSTRAP_MACHINE": "/var/lib/torchstrap/linux-x86_64-2xh100-driver535-cu126.json"}
    gpus = cold.run(image, words=SAYING, network=False, environ=environ | machine)
    assert (gpus.returncode, gpus.stdout) == (0, SAID.replace("cpu", "cu126")), gpus.stderr


@needs_containers
def test_a_signal_while_it_prepares_ends_the_container(cold: Host) -> None:
    cold.replica.faults = {r"\.whl$": hang()}
    process = cold.started(cold.slim(), words=SAYING)
    until(lambda: cold.replica.fetched(r"\.whl$"))
    os.kill(_first_of(process), signal.SIGTERM)
    output, said = process.communicate(timeout=60)
    assert (process.returncode, output) == (TERMINATED, ""), said


@needs_containers
@pytest.mark.parametrize("in_front", [(), ("tini", "--")], ids=["first process itself", "tini in front"])
def test_a_signal_after_it_has_become_the_program_reaches_the_program(warm: Host, in_front: tuple[str, ...]) -> None:
    if in_front and shutil.which("tini") is None:
        pytest.skip("tini (Debian's package tini) is not installed")
    with warm.started(warm.slim(), words=("python", "-c", HEARING), in_front=in_front) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "up\n"
        os.kill(_first_of(process), signal.SIGTERM)
    assert process.returncode == HEARD


@needs_containers
def test_a_container_that_cannot_write_its_store_says_so(cold: Host) -> None:
    cold.volume("store").chmod(0o755)
    done = cold.run(cold.slim(), words=SAYING)
    assert done.returncode in {73, 77}
    assert "/store" in done.stderr


def test_every_command_in_the_examples_is_one_that_the_program_knows() -> None:
    listed = [
        re.findall(r'"([^"]*)"', found)
        for file in sorted(EXAMPLES.iterdir())
        for found in re.findall(r'\[(?:"CMD", )?"torchstrap"([^]]*)\]', file.read_text())
    ]
    assert len(listed) >= 5
    for words in listed:
        options = words[: words.index("--")] if "--" in words else words
        assert parser().parse_args(options).name == words[0]
    with pytest.raises(UsageError):
        parser().parse_args(["sync", "--no-such-option"])


def _first_of(around: subprocess.Popen[str]) -> int:
    """The first process of a container, as it is called out here."""
    children = Path(f"/proc/{around.pid}/task/{around.pid}/children")
    until(lambda: children.read_text().split())
    return int(children.read_text().split()[0])
