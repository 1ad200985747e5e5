"""What is this machine? Facts with their sources; nothing here decides anything, prints anything or raises.

`probe()` looks at the machine that we run on, `probe(LocalHost("/srv/image"))` at one that lies in a folder.
TORCHSTRAP_MACHINE=FILE (a document of `probe --json`) stands in for all of it.
"""

from __future__ import annotations

from probes.amd import read_amd
from probes.apple import read_apple
from probes.cpu import read_cpu
from probes.host import Host, LocalHost
from probes.machine import Container, Cpu, Gpu, Libc, Machine, NvidiaDriver, System, Unknown
from probes.nvidia import read_nvidia
from probes.recorded import MachineFormatError, read_machine
from probes.system import read_container, read_libc, read_system

__all__ = [
    "MACHINE_OVERRIDE",
    "Container",
    "Cpu",
    "Gpu",
    "Host",
    "Libc",
    "LocalHost",
    "Machine",
    "MachineFormatError",
    "NvidiaDriver",
    "System",
    "Unknown",
    "probe",
    "read_machine",
]

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
    cpu = read_cpu(host, system)
    nvidia = read_nvidia(host, system, container)
    amd, amd_notes = read_amd(host)
    return Machine(
        system,
        read_libc(host, system),
        cpu,
        driver=nvidia.driver,
        gpus=(*nvidia.gpus, *amd, *read_apple(system, cpu)),
        container=container,
        notes=(*nvidia.notes, *amd_notes),
    )
