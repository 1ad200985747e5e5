"""A machine as a short table for people: what it is, where that was read, and in what it differs from expectations.

    what it computes with    system, CPU, GPUs by the numbers that `--gpus` takes, their drivers
    what surrounds that      board, C library, container, limits
    what is on it            interpreters, folders
    what to know             notes

Of what agrees with the rest nothing is said: a table of all facts is `probe --json`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from itertools import groupby

from bootstrap.commands.belongings import python_rows, storage_rows
from bootstrap.commands.table_row import Row, amount, or_unknown
from probes import Cpu, CudaLibrary, Gpu, GpuDriver, Limits, Machine, NvidiaDriver, System, Unknown

__all__ = ["machine_lines", "machine_rows"]

_VENDORS = {"nvidia": "NVIDIA", "amd": "AMD", "intel": "Intel", "apple": "Apple"}
_USER_SPACE = {"amdgpu": "ROCm", "i915": "Level Zero", "xe": "Level Zero"}


def machine_lines(machine: Machine, width: int | None = None) -> Iterator[str]:
    """The lines of the table, of at most `width` characters where they can be broken; None for one line per fact."""
    for number, group in enumerate(machine_rows(machine)):
        if number:
            yield ""
        for row in group:
            yield from row.lines(width)


def machine_rows(machine: Machine) -> Iterator[tuple[Row, ...]]:
    """The rows in groups; none is empty."""
    groups = (
        (_system(machine.system), *_cpu(machine.cpu), *_gpus(machine), *_drivers(machine)),
        tuple(_surroundings(machine)),
        tuple(python_rows(machine)),
        tuple(storage_rows(machine.storage)),
        tuple(Row("note", note) for note in machine.notes),
    )
    yield from filter(None, groups)


def _system(system: System) -> Row:
    parts = [f"{system.os} {or_unknown(system.version)}", or_unknown(system.architecture)]
    if system.machine is not None:
        parts[1] += f" on a machine that is {system.machine}"
    if system.kernel != system.version:
        parts.append(f"kernel {or_unknown(system.kernel)}")
    return Row("system", ", ".join(parts), system.source)


def _cpu(cpu: Cpu | Unknown) -> Iterator[Row]:
    if isinstance(cpu, Unknown):
        yield Row("cpu", or_unknown(cpu))
        return
    parts = [or_unknown(each) for each in (cpu.model, cpu.level, cpu.step) if each is not None]
    if isinstance(cpu.cores, int):
        parts.append(f"{cpu.cores} {'core' if cpu.cores == 1 else 'cores'} for this process")
    yield Row("cpu", ", ".join(parts), cpu.source)


def _gpus(machine: Machine) -> Iterator[Row]:
    """Each by its place in the list; neighbours that are the same share a row."""
    if not machine.gpus:
        yield Row("gpu", "none that programs here can use")
    for value, same in groupby(enumerate(machine.gpus), key=lambda pair: _gpu(pair[1], machine.notes)):
        places = list(same)
        (first, gpu), (last, _) = places[0], places[-1]
        if first == last:
            yield Row(f"gpu {first}", value, gpu.source)
        else:
            more = ", …" if any(each.source != gpu.source for _, each in places) else ""
            yield Row(f"gpu {first}-{last}", f"{len(places)} x {value}", f"{gpu.source}{more}")


def _gpu(gpu: Gpu, notes: tuple[str, ...]) -> str:
    name, vendor = or_unknown(gpu.name), _VENDORS[gpu.vendor]
    parts = [name if name.lower().startswith(gpu.vendor) else f"{vendor} {name}"]
    if isinstance(gpu.compute_capability, tuple):
        parts.append("compute capability {}.{}".format(*gpu.compute_capability))
    if isinstance(gpu.target, str):
        parts.append(gpu.target)
    if isinstance(gpu.memory, int):
        parts.append(amount(gpu.memory))
    if gpu.integrated:
        parts.append("integrated")
    slices = Counter(f"{or_unknown(each.name)}{'' if each.visible else ' (hidden)'}" for each in gpu.slices)
    if slices:
        parts.append("cut into " + " + ".join(f"{count} x {name}" for name, count in slices.items()))
    elif gpu.mig is True:
        parts.append("cut into slices, of which there are none")
    if gpu.closed is not None and any(gpu.closed in note for note in notes):
        parts.append("closed to this process (see the notes)")
    elif not gpu.visible:
        parts.append(gpu.closed or "hidden from this process")
    return ", ".join(parts)


def _drivers(machine: Machine) -> Iterator[Row]:
    driver = machine.driver
    if isinstance(driver, Unknown):
        yield Row("driver", or_unknown(driver))
    elif driver is not None:
        visible = sum(gpu.vendor == "nvidia" and gpu.visible for gpu in machine.gpus)
        yield Row("driver", ", ".join(_nvidia(driver, visible)), driver.source)
    for other in machine.drivers:
        yield Row("driver", _other(other), other.source)


def _nvidia(driver: NvidiaDriver, devices: int) -> Iterator[str]:
    """The driver, and in what its halves do not agree. `devices` is how many programs should find."""
    yield f"NVIDIA {driver.version}"
    if driver.cuda is not None:
        yield f"CUDA {or_unknown(driver.cuda)}"
    if driver.user_space not in {None, driver.version}:
        yield f"libraries {or_unknown(driver.user_space)}"
    if driver.compat is not None:
        yield f"cuda-compat in {driver.compat}"
    library = driver.library
    if isinstance(library, Unknown) and library != driver.cuda:
        yield f"libcuda {or_unknown(library)}"
    if isinstance(library, CudaLibrary):
        if library.cuda != driver.cuda:
            yield f"libcuda speaks CUDA {or_unknown(library.cuda)}"
        if library.devices != devices:
            yield f"libcuda finds {_devices(library.devices)}  ({library.source})"


def _devices(count: int | Unknown) -> str:
    if isinstance(count, Unknown):
        return f"no device ({count.reason})"
    return f"{count} {'device' if count == 1 else 'devices'}"


def _other(driver: GpuDriver) -> str:
    text = f"{driver.name} {driver.version or 'of the kernel'}"
    return f"{text}, {_USER_SPACE.get(driver.name, 'with')} {driver.user_space}" if driver.user_space else text


def _surroundings(machine: Machine) -> Iterator[Row]:
    system, libc = machine.system, machine.libc
    if system.board is not None:
        yield Row("board", f"{system.board}{f', L4T {system.l4t}' if system.l4t else ''}")
    if isinstance(libc, Unknown):
        yield Row("libc", or_unknown(libc))
    elif libc is not None:
        yield Row("libc", f"{libc.family} {or_unknown(libc.version)}", libc.source)
    if machine.container is not None:
        yield Row("container", machine.container.kind, machine.container.source)
    if isinstance(machine.limits, Unknown):
        yield Row("limits", or_unknown(machine.limits))
    elif machine.limits is not None and (limited := list(_limits(machine.limits))):
        yield Row("limits", ", ".join(limited), machine.limits.source)


def _limits(limits: Limits) -> Iterator[str]:
    """What is limited, or cannot be known to be unlimited."""
    if limits.cpus is not None:
        yield f"CPUs {or_unknown(limits.cpus)}" if isinstance(limits.cpus, Unknown) else f"{limits.cpus:g} CPUs"
    if limits.memory is not None:
        yield f"memory {or_unknown(limits.memory) if isinstance(limits.memory, Unknown) else amount(limits.memory)}"
    if limits.read_only is not False:
        yield "read-only root" if limits.read_only is True else f"read-only root {or_unknown(limits.read_only)}"
