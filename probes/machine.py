"""The facts about one machine, as values. Each says where it was read.

    Machine ── system      operating system, its kernel and architecture
            ├─ libc        which C library programs are linked to
            ├─ cpu         vendor, model, features, level
            ├─ driver      the NVIDIA kernel driver
            ├─ gpus        every GPU that programs on this machine can open
            ├─ container   what this machine is wrapped in
            └─ notes       sentences for people: what is odd, what was overridden

None is knowledge: the thing is absent. `Unknown` is the lack of it: the thing could not be read, for this reason.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

__all__ = ["SCHEMA", "Container", "Cpu", "Gpu", "Libc", "Machine", "NvidiaDriver", "System", "Unknown"]

SCHEMA = "torchstrap.machine/1"


@dataclass(frozen=True, slots=True)
class Unknown:
    """A fact that could not be read, and why."""

    reason: str


@dataclass(frozen=True, slots=True)
class System:
    """`os` is `linux`, `macos`, `windows` or its own word; `architecture` is as in wheel tags (`x86_64`)."""

    os: str
    version: str | Unknown
    kernel: str | Unknown
    architecture: str | Unknown
    source: str

    @property
    def is_wsl(self) -> bool:
        """A Linux that Windows hosts: its NVIDIA driver carries the number of the Windows driver."""
        return self.os == "linux" and isinstance(self.kernel, str) and "microsoft" in self.kernel.lower()


@dataclass(frozen=True, slots=True)
class Libc:
    """The C library: `glibc` or `musl`."""

    family: str
    version: str | Unknown
    source: str


@dataclass(frozen=True, slots=True)
class Cpu:
    """What every core can do. `level` is `x86-64-v1` to `x86-64-v4` or `armv8`, None where no levels are defined."""

    vendor: str | Unknown
    model: str | Unknown
    features: frozenset[str]
    level: str | Unknown | None
    source: str


@dataclass(frozen=True, slots=True)
class Gpu:
    """One GPU. `memory` is in bytes.

    `compute_capability` is NVIDIA's (major, minor), None for other vendors; `target` is AMD's, such as `gfx90a`.
    `visible` is False where the environment hides the device from programs (CUDA_VISIBLE_DEVICES).
    """

    vendor: Literal["nvidia", "amd", "intel", "apple"]
    name: str | Unknown
    source: str
    uuid: str | None = None
    memory: int | Unknown | None = None
    compute_capability: tuple[int, int] | Unknown | None = None
    target: str | Unknown | None = None
    visible: bool = True


@dataclass(frozen=True, slots=True)
class NvidiaDriver:
    """The NVIDIA kernel driver. `cuda` is the CUDA version that the user-mode driver speaks, as `13.0`."""

    version: str
    source: str
    cuda: str | Unknown | None = None


@dataclass(frozen=True, slots=True)
class Container:
    """What the machine is wrapped in: `docker`, `podman`, `apptainer`, `kubernetes`, …"""

    kind: str
    source: str


@dataclass(frozen=True, slots=True)
class Machine:
    """All facts together."""

    system: System
    libc: Libc | Unknown | None
    cpu: Cpu | Unknown
    driver: NvidiaDriver | Unknown | None = None
    gpus: tuple[Gpu, ...] = ()
    container: Container | None = None
    notes: tuple[str, ...] = ()

    def to_json(self) -> Mapping[str, Any]:
        """The document of `probe --json`: only objects, arrays, strings, numbers, booleans and null."""
        from probes.recorded import encode  # noqa: PLC0415 - recorded.py knows these classes, not the other way round

        return encode(self)

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> Machine:
        """The machine that `to_json` described. Raises MachineFormatError naming the first thing that is wrong."""
        from probes.recorded import decode  # noqa: PLC0415

        return decode(document)
