"""A machine as a short table for people: what it is, and where that was read."""

from __future__ import annotations

from collections.abc import Iterator

from probes import Cpu, Gpu, Machine, NvidiaDriver, Unknown

__all__ = ["machine_lines"]

_GIBIBYTE = 1 << 30


def machine_lines(machine: Machine) -> Iterator[str]:
    """One line per fact, with its source in brackets, and the notes last."""
    yield from _system(machine)
    yield from _cpu(machine.cpu)
    yield from _driver(machine.driver)
    for gpu in machine.gpus:
        yield _line("gpu", _gpu(gpu), gpu.source)
    if not machine.gpus:
        yield _line("gpu", "none that programs here can use")
    for note in machine.notes:
        yield _line("note", note)


def _system(machine: Machine) -> Iterator[str]:
    system = machine.system
    yield _line("system", f"{system.os} {_or(system.version)}, {_or(system.architecture)}", system.source)
    yield _line("kernel", _or(system.kernel), system.source)
    if system.board is not None:
        yield _line("board", f"{system.board}{f', L4T {system.l4t}' if system.l4t else ''}", system.source)
    if machine.container is not None:
        yield _line("container", machine.container.kind, machine.container.source)
    libc = machine.libc
    if isinstance(libc, Unknown):
        yield _line("libc", _or(libc))
    elif libc is not None:
        yield _line("libc", f"{libc.family} {_or(libc.version)}", libc.source)


def _cpu(cpu: Cpu | Unknown) -> Iterator[str]:
    if isinstance(cpu, Unknown):
        yield _line("cpu", _or(cpu))
        return
    parts = [_or(cpu.model), *([_or(cpu.level)] if cpu.level else []), *([cpu.step] if cpu.step else [])]
    cores = [f"{cpu.cores} cores for this process"] if isinstance(cpu.cores, int) else []
    yield _line("cpu", ", ".join([*parts, *cores]), cpu.source)


def _driver(driver: NvidiaDriver | Unknown | None) -> Iterator[str]:
    if isinstance(driver, Unknown):
        yield _line("driver", _or(driver))
    elif driver is not None:
        cuda = f", CUDA {_or(driver.cuda)}" if driver.cuda else ""
        yield _line("driver", f"NVIDIA {driver.version}{cuda}", driver.source)


def _gpu(gpu: Gpu) -> str:
    details = []
    if isinstance(gpu.compute_capability, tuple):
        details.append("compute capability {}.{}".format(*gpu.compute_capability))
    if isinstance(gpu.target, str):
        details.append(gpu.target)
    if isinstance(gpu.memory, int):
        details.append(f"{gpu.memory / _GIBIBYTE:.0f} GiB")
    if gpu.integrated:
        details.append("integrated")
    if not gpu.visible:
        details.append(gpu.closed or "hidden from this process")
    details += [f"slice {_or(each.name)}" for each in gpu.slices]
    return ", ".join([f"{gpu.vendor} {_or(gpu.name)}", *details])


def _line(what: str, value: str, source: str = "") -> str:
    return f"{what:<10} {value}{f'  ({source})' if source else ''}"


def _or(fact: str | Unknown) -> str:
    return f"unknown ({fact.reason})" if isinstance(fact, Unknown) else fact
