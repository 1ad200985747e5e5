"""What is this machine? Facts with their sources; nothing here decides anything, prints anything or raises.

`probe()` looks at the machine that we run on, `probe(LocalHost("/srv/image"))` at one that lies in a folder or was
recorded there. Not part of that, as they try things or are about one program: probes.storage.probe_storage, what
folders can share; probes.libc.libc_of, what one interpreter is linked to. `torchstrap probe` adds the first, and the
interpreters that it finds (probes.pythons).
TORCHSTRAP_MACHINE=FILE (a document of `probe --json`) stands in for all of it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from probes.amd import read_amd
from probes.apple import read_apple
from probes.container import read_container, read_limits
from probes.cpu import read_cpu
from probes.host import Host, LocalHost
from probes.intel import read_intel
from probes.libc import read_libc
from probes.machine import (
    Container,
    Cpu,
    CudaLibrary,
    Gpu,
    GpuDriver,
    Libc,
    Limits,
    Machine,
    MigSlice,
    NvidiaDriver,
    System,
    Unknown,
)
from probes.nvidia import read_nvidia
from probes.others import name_others
from probes.recorded import MachineFormatError, read_machine
from probes.system import read_system, system_notes

__all__ = [
    "MACHINE_OVERRIDE",
    "Container",
    "Cpu",
    "CudaLibrary",
    "Gpu",
    "GpuDriver",
    "Host",
    "Libc",
    "Limits",
    "LocalHost",
    "Machine",
    "MachineFormatError",
    "MigSlice",
    "NvidiaDriver",
    "System",
    "Unknown",
    "probe",
    "probe_cached",
    "read_machine",
    "record",
]

if TYPE_CHECKING:  # pathlib takes longer to import than a probe takes to look
    from pathlib import Path

MACHINE_OVERRIDE = "TORCHSTRAP_MACHINE"


def probe(host: Host | None = None) -> Machine:
    """Everything that can be known of a machine.

    Raises MachineFormatError for a TORCHSTRAP_MACHINE that cannot be read: that is a mistake, not a fact.
    """
    host = LocalHost() if host is None else host
    recorded = host.environ.get(MACHINE_OVERRIDE)
    if recorded:
        return read_machine(recorded)
    system = read_system(host)
    container = read_container(host)
    limits = read_limits(host, system)
    cpu = read_cpu(host, system, limits)
    nvidia = read_nvidia(host, system, container)
    amd, intel = read_amd(host, container), read_intel(host, system, container)
    apple = read_apple(host, system, cpu)
    return Machine(
        system,
        read_libc(host, system),
        cpu,
        driver=nvidia.driver,
        gpus=(*nvidia.gpus, *amd.gpus, *intel.gpus, *apple.gpus),
        container=container,
        notes=(
            *(*system_notes(system), *nvidia.notes, *amd.notes),
            *(*intel.notes, *apple.notes, *name_others(host, system, container)),
        ),
        limits=limits,
        drivers=(*((amd.driver,) if amd.driver else ()), *intel.drivers),
    )


def probe_cached(folder: Path, host: Host | None = None) -> Machine:
    """The same, with the answers of driver libraries kept in a folder: see probes/remembered.py. Raises as `probe`."""
    from probes.remembered import Remembering  # noqa: PLC0415 - hashes and temporary files are not for every probe

    return probe(Remembering(LocalHost() if host is None else host, folder))


def record(host: Host, folder: Path) -> Machine:
    """Probe a machine, and write what was asked of it as a folder that LocalHost reads, without what is personal.

    Raises FileExistsError for a folder that holds something, OSError for one that cannot be written, and as `probe`.
    """
    from probes.masks import Mask  # noqa: PLC0415 - few programs record
    from probes.recorder import Recorder, personal_names, write_recording  # noqa: PLC0415

    recorder = Recorder(host)
    machine = probe(recorder)
    write_recording(recorder, folder, Mask(personal_names(host)))
    return machine
