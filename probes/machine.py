"""The facts about one machine, as values. Each says where it was read.

    Machine ── system      operating system, its kernel and architecture
            ├─ libc        which C library programs are linked to
            ├─ cpu         vendor, model, features, level
            ├─ driver      the NVIDIA driver: its kernel half, its user-mode half, and whether they agree
            ├─ drivers     the kernel's drivers for GPUs of other vendors
            ├─ gpus        every GPU; those that this process cannot open, or may not see, are marked
            ├─ container   what this machine is wrapped in
            ├─ limits      how much of it this process may use
            ├─ notes       sentences for people: what is odd, what was overridden
            ├─ pythons     the interpreters on it (probes/pythons.py)
            └─ storage     room, and what folders can share (probes/storage.py)

None is knowledge: the thing is absent, or there is nothing to say. `Unknown` is the lack of it: the thing could not be
read, for this reason. This is also the schema of `probe --json`, `torchstrap.machine/1`: every class is an object with
its fields as keys, None is null, Unknown is `{"unknown": "reason"}`, frozensets are sorted arrays. Fields with a
default may be missing from a document; a reader passes over keys that it does not know. A `?` behind a type says that
the field may be null; where a class says `| Unknown`, it may be unknown.

Facts are named tuples and not dataclasses, whose module and classes take longer to make than the whole probe does.
Interpreters are started and files are tried for `pythons` and `storage`, so only `torchstrap probe` fills them in.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

if TYPE_CHECKING:  # few programs need these classes, and each costs a millisecond to make
    from probes.pythons import Python
    from probes.storage import Storage

__all__ = [
    "SCHEMA",
    "Container",
    "Cpu",
    "CudaLibrary",
    "Gpu",
    "GpuDriver",
    "Libc",
    "Limits",
    "Machine",
    "MigSlice",
    "NvidiaDriver",
    "System",
    "Unknown",
]

SCHEMA = "torchstrap.machine/1"


class Unknown:
    """A fact that could not be read, and why. No tuple, unlike the facts: it is found by `isinstance` among values."""

    __slots__ = ("reason",)
    __match_args__ = ("reason",)
    reason: str

    def __init__(self, reason: str) -> None:
        object.__setattr__(self, "reason", reason)

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"{name} of a fact cannot be set")

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.reason!r})"

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and other._key() == self._key()

    def __hash__(self) -> int:
        return hash(self._key())

    def __reduce__(self) -> tuple[type[Unknown], tuple[str, ...]]:
        return type(self), self._key()

    def _key(self) -> tuple[str, ...]:
        return (self.reason,)


class System(NamedTuple):
    """Operating system and architecture.

    field          type    what                                                      source
    os             text    `linux`, `macos`, `windows` or its own word                the interpreter; files
    version        text    `ubuntu 24.04`, `14.5`, `10.0.22631`                       os-release, SystemVersion.plist
    kernel         text    release of the kernel                                      uname, /proc/sys/kernel/osrelease
    architecture   text    as the process sees it, as in wheel tags: `x86_64`         uname and the size of a pointer
    source         text    where os and kernel were read
    machine        text?   the architecture underneath, where it is another one       uname, sysctl.proc_translated
    board          text?   a board computer's own name: `NVIDIA Jetson AGX Orin …`    /proc/device-tree/model
    l4t            text?   release of NVIDIA's Linux for such boards: `36.4.0`        /etc/nv_tegra_release
    """

    os: str
    version: str | Unknown
    kernel: str | Unknown
    architecture: str | Unknown
    source: str
    machine: str | None = None
    board: str | None = None
    l4t: str | None = None

    @property
    def is_wsl(self) -> bool:
        """A Linux that Windows hosts: its NVIDIA driver carries the number of the Windows driver."""
        return self.wsl is not None

    @property
    def wsl(self) -> Literal[1, 2] | None:
        """1 where Windows imitates Linux's calls, with no GPU ever; 2 where it hosts a real Linux kernel.

        The first names itself `4.4.0-19041-Microsoft`, the second `5.15.167.4-microsoft-standard-WSL2`.
        """
        if self.os != "linux" or not isinstance(self.kernel, str) or "microsoft" not in self.kernel.lower():
            return None
        return 1 if re.fullmatch(r"[34]\.\d+\.\d+-\d+-Microsoft", self.kernel, re.ASCII) else 2

    @property
    def is_tegra(self) -> bool:
        """A board computer with NVIDIA's own chip, whose driver is part of its Linux."""
        kernel = self.kernel if isinstance(self.kernel, str) else ""
        return self.l4t is not None or "-tegra" in kernel or "Jetson" in (self.board or "")


class Libc(NamedTuple):
    """The C library: family `glibc` or `musl`, version as `2.35`, the file or call that told it."""

    family: str
    version: str | Unknown
    source: str


class Cpu(NamedTuple):
    """What every core can do: one that can less than the others lowers it for all.

    field      type         what                                                   source
    vendor     text         `GenuineIntel`, `AuthenticAMD`, `ARM`, `Apple`          /proc/cpuinfo, sysctl, py-cpuinfo
    model      text         the product's name                                      the same
    features   texts        by the names of /proc/cpuinfo                           the same
    level      text?        `x86-64-v1` to `x86-64-v4`, `armv8`; null elsewhere     derived from the features
    source     text         which of the sources answered
    cores      number?      cores that this process may use at once, at least 1     affinity, then the cgroup's quota
    step       text?        of Arm: `armv8.2`, `armv8.4+sve`, `armv9.0`             derived from the features
    """

    vendor: str | Unknown
    model: str | Unknown
    features: frozenset[str]
    level: str | Unknown | None
    source: str
    cores: int | Unknown | None = None
    step: str | None = None


class MigSlice(NamedTuple):
    """A part of a GPU that works as a GPU of its own. `name` is its profile (`1g.10gb`), `memory` in bytes."""

    name: str | Unknown
    uuid: str | None
    memory: int | Unknown
    visible: bool = True


class Gpu(NamedTuple):
    """One GPU.

    field                type      what                                                    source
    vendor               text      `nvidia`, `amd`, `intel`, `apple`
    name                 text      the product's name                                      NVML, /proc, KFD, PCI bus
    source               text      who listed this GPU
    uuid                 text?     NVIDIA's `GPU-…`                                        NVML, /proc
    memory               number?   bytes                                                   NVML, KFD
    compute_capability   text?     NVIDIA's, `9.0` ((9, 0) here); null of other vendors    NVML, libcuda, tables
    target               text?     AMD's, such as `gfx90a`                                 KFD
    visible              bool      false where the environment hides it from programs      libcuda, CUDA_VISIBLE_DEVICES
    mig                  bool?     whether it is cut into slices; null where it cannot be  NVML
    slices               objects   the slices, each as MigSlice                            NVML
    integrated           bool?     whether it shares the memory of the CPU                 target, PCI id
    closed               text?     why this process cannot open it; it is not visible then  the attempt
    """

    vendor: Literal["nvidia", "amd", "intel", "apple"]
    name: str | Unknown
    source: str
    uuid: str | None = None
    memory: int | Unknown | None = None
    compute_capability: tuple[int, int] | Unknown | None = None
    target: str | Unknown | None = None
    visible: bool = True
    mig: bool | Unknown | None = None
    slices: tuple[MigSlice, ...] = ()
    integrated: bool | None = None
    closed: str | None = None


class GpuDriver(NamedTuple):
    """The kernel's driver for GPUs of a vendor other than NVIDIA, and what its vendor adds for programs.

    field        type    what                                                          source
    name         text    `amdgpu`, `i915`, `xe`                                        /sys/module, /sys/bus/pci/drivers
    version      text?   of a driver that did not come with the kernel: `6.12.12`      /sys/module/amdgpu/version
    source       text    where the driver was seen
    user_space   text?   ROCm's release `6.4.0-47`; Level Zero's driver `1.6.33578`    .info/version, libze_intel_gpu.so
    """

    name: str
    version: str | None
    source: str
    user_space: str | None = None


class CudaLibrary(NamedTuple):
    """What libcuda itself says, in an environment like ours.

    field      type     what                                                         source
    source     text     the file that was loaded, or the name that was asked for     /proc/self/maps of the child
    cuda       text     the CUDA version that it speaks: `13.0`                      cuDriverGetVersion
    devices    number   devices that a program finds (0 if all are hidden);          cuInit, cuDeviceGetCount
                        unknown with CUDA's own words if it cannot start
    """

    source: str
    cuda: str | Unknown
    devices: int | Unknown


NOT_ASKED = Unknown("libcuda was not asked")


class NvidiaDriver(NamedTuple):
    """The NVIDIA driver: a module of the kernel and libraries for programs, which must be of one version.

    field        type      what                                                  source
    version      text      of the kernel's module: `580.95.05`                   /sys/module/nvidia, /proc/driver, NVML
    source       text      where that was read
    cuda         text?     the CUDA version that it speaks: `13.0`               NVML, else libcuda
    user_space   text?     of the libraries; null where none was found           file name: libcuda.so.580.95.05
    library      object?   CudaLibrary; null where programs find no libcuda      libcuda, in a child
    compat       text?     a libcuda of cuda-compat that lies on this machine    /usr/local/cuda*/compat
    """

    version: str
    source: str
    cuda: str | Unknown | None = None
    user_space: str | Unknown | None = None
    library: CudaLibrary | Unknown | None = NOT_ASKED
    compat: str | None = None


class Container(NamedTuple):
    """What the machine is wrapped in: `docker`, `podman`, `kubernetes`, `lxc`, `apptainer`, `systemd-nspawn`, …"""

    kind: str
    source: str


class Limits(NamedTuple):
    """How much of the machine this process may use.

    field       type      what                                             source
    cpus        number?   CPUs' worth of time, 2.5 is two and a half        cpu.max, cpu.cfs_quota_us of the cgroup
    memory      number?   bytes                                             memory.max, memory.limit_in_bytes
    read_only   bool      whether the root file system cannot be written    /proc/self/mountinfo
    source      text      the cgroup's folder, or why none was found
    """

    cpus: float | Unknown | None
    memory: int | Unknown | None
    read_only: bool | Unknown
    source: str


class Machine(NamedTuple):
    """All facts together. `pythons` is empty and `storage` null where nobody looked for them."""

    system: System
    libc: Libc | Unknown | None
    cpu: Cpu | Unknown
    driver: NvidiaDriver | Unknown | None = None
    gpus: tuple[Gpu, ...] = ()
    container: Container | None = None
    notes: tuple[str, ...] = ()
    limits: Limits | Unknown | None = None
    drivers: tuple[GpuDriver, ...] = ()
    pythons: tuple[Python, ...] = ()
    storage: Storage | Unknown | None = None

    def to_json(self) -> Mapping[str, Any]:
        """The document of `probe --json`: only objects, arrays, strings, numbers, booleans and null."""
        from probes.recorded import encode  # noqa: PLC0415 - recorded.py knows these classes, not the other way round

        return encode(self)

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> Machine:
        """The machine that `to_json` described. Raises MachineFormatError naming the first thing that is wrong."""
        from probes.recorded import decode  # noqa: PLC0415

        return decode(document)
