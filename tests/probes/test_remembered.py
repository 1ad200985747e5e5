"""What a driver said is kept exactly as long as nothing changed that could change it."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import pytest

from probes import LocalHost, Unknown, probe_cached
from probes.remembered import Remembering
from tests.probes.driven import Driven, write

FILES = {
    "/proc/sys/kernel/random/boot_id": "8f6c1c0e-0000-4000-8000-000000000001\n",
    "/proc/self/cgroup": "0::/\n",
    "/proc/self/mountinfo": "22 1 0:21 / / rw - overlay overlay rw,upperdir=/a\n",
    "/sys/module/nvidia/version": "580.95.05\n",
    "/proc/driver/nvidia/gpus/0000:1b:00.0/information": "Model: NVIDIA H100\n",
    "/usr/lib/x86_64-linux-gnu/libcuda.so.580.95.05": "library",
    "/dev/nvidiactl": "",
    "/dev/nvidia0": "",
}
COMMAND = ("python", "-c", "program")


class Counting(Driven):
    """A machine whose programs print how often one was started."""

    answer: str | Unknown | None = None

    def run(
        self,
        command: Sequence[str],  # noqa: ARG002 - this is how hosts are asked
        timeout: float,  # noqa: ARG002
        environ: Mapping[str, str] | None = None,  # noqa: ARG002
        name: str = "",  # noqa: ARG002
    ) -> str | Unknown:
        self.started += 1
        return f"answer {self.started}" if self.answer is None else self.answer


@pytest.fixture
def root(tmp_path: Path) -> Path:
    write(tmp_path / "machine", FILES)
    return tmp_path / "machine"


def asked(root: Path, cache: Path, environ: Mapping[str, str] | None = None, command: Sequence[str] = COMMAND) -> int:
    """How many programs were started for one question."""
    host = Counting(root, {}, environ)
    assert isinstance(Remembering(host, cache).run(command, 5), str)
    return host.started


def test_the_same_question_is_asked_once(root: Path, tmp_path: Path) -> None:
    assert asked(root, tmp_path / "cache", {"HOME": "/a"}) == 1
    assert asked(root, tmp_path / "cache", {"HOME": "/b"}) == 0


def changed(name: str, text: str) -> Callable[[Path], None]:
    return lambda root: write(root, {name: text})


@pytest.mark.parametrize(
    "change",
    [
        changed("/proc/sys/kernel/random/boot_id", "8f6c1c0e-0000-4000-8000-000000000002\n"),
        changed("/sys/module/nvidia/version", "580.105.08\n"),
        changed("/usr/lib/x86_64-linux-gnu/libcuda.so.580.95.05", "a library of another size"),
        changed("/usr/lib/x86_64-linux-gnu/libcuda.so.580.105.08", "library"),
        changed("/usr/local/cuda-13.0/compat/libcuda.so.580.105.08", "library"),
        changed("/proc/self/cgroup", "0::/docker/1\n"),
        changed("/proc/self/mountinfo", "22 1 0:21 / / rw - overlay overlay rw,upperdir=/b\n"),
        changed("/dev/nvidia1", ""),
        changed("/proc/driver/nvidia/gpus/0000:1c:00.0/information", "Model: NVIDIA H100\n"),
        changed("/proc/driver/nvidia/capabilities/gpu0/mig/gi1/access", "DeviceFileMinor: 3\n"),
        lambda root: (root / "dev/nvidia0").chmod(0o600),
        lambda root: (root / "dev/nvidia0").unlink(),
    ],
    ids=[
        "boot",
        "module",
        "library-replaced",
        "library-added",
        "compat",
        "cgroup",
        "container",
        "node",
        "gpu",
        "slice",
        "rights",
        "node-gone",
    ],
)
def test_a_change_of_the_machine_is_asked_again(root: Path, tmp_path: Path, change: Callable[[Path], None]) -> None:
    assert asked(root, tmp_path / "cache") == 1
    change(root)
    assert asked(root, tmp_path / "cache") == 1
    assert asked(root, tmp_path / "cache") == 0


@pytest.mark.parametrize(
    "environ",
    [
        {"CUDA_VISIBLE_DEVICES": ""},
        {"CUDA_VISIBLE_DEVICES": "1"},
        {"CUDA_DEVICE_ORDER": "PCI_BUS_ID"},
        {"NVIDIA_VISIBLE_DEVICES": "void"},
        {"LD_LIBRARY_PATH": "/opt"},
    ],
    ids=["hidden", "second", "order", "runtime", "libraries"],
)
def test_a_change_of_what_is_visible_is_asked_again(root: Path, tmp_path: Path, environ: Mapping[str, str]) -> None:
    assert asked(root, tmp_path / "cache") == 1
    assert asked(root, tmp_path / "cache", environ) == 1


def test_another_program_is_asked(root: Path, tmp_path: Path) -> None:
    assert asked(root, tmp_path / "cache") == 1
    assert asked(root, tmp_path / "cache", command=(*COMMAND, "folder")) == 1


@pytest.mark.parametrize(
    "answer",
    [Unknown("it hung"), '{"error": "mismatch"}', '{"gpus": [{"mig": true}]}'],
    ids=["hung", "error", "slices"],
)
def test_failures_and_slices_are_not_kept(root: Path, tmp_path: Path, answer: str | Unknown) -> None:
    host = Counting(root, {})
    host.answer = answer
    for _ in range(2):
        assert Remembering(host, tmp_path / "cache").run(COMMAND, 5) == answer
    assert host.started == 2


def test_a_machine_without_a_boot_id_keeps_nothing(root: Path, tmp_path: Path) -> None:
    (root / "proc/sys/kernel/random/boot_id").unlink()
    assert [asked(root, tmp_path / "cache") for _ in range(2)] == [1, 1]
    assert not (tmp_path / "cache").exists()


@pytest.mark.parametrize("content", [b"", b"[]", b"\xff", b'{"output": "lie"}'], ids=["empty", "array", "bytes", "lie"])
def test_a_spoilt_cache_is_asked_again(root: Path, tmp_path: Path, content: bytes) -> None:
    assert asked(root, tmp_path / "cache") == 1
    for path in (tmp_path / "cache").iterdir():
        path.write_bytes(content)
    assert asked(root, tmp_path / "cache") == 1


def test_a_cache_that_cannot_be_written_changes_nothing(root: Path, tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("a file")
    assert [asked(root, tmp_path / "cache") for _ in range(2)] == [1, 1]


def test_files_are_read_anew_each_time(root: Path, tmp_path: Path) -> None:
    host = Driven(root, {"/etc/os-release": "ID=debian\n"}, {**os.environ, "TORCHSTRAP_CUDA_DRIVER": "none"})
    assert probe_cached(tmp_path / "cache", host).system.version == "debian"
    write(root, {"/etc/os-release": "ID=ubuntu\n"})
    assert probe_cached(tmp_path / "cache", host).system.version == "ubuntu"


def test_this_machine_is_the_same_with_and_without(tmp_path: Path) -> None:
    assert probe_cached(tmp_path) == probe_cached(tmp_path, LocalHost())
