"""Apple's GPUs: every Mac with an Apple chip has one, and the macOS build of torch carries what it needs (MPS)."""

from __future__ import annotations

import re
from typing import NamedTuple

from probes.host import Host
from probes.machine import Cpu, Gpu, System, Unknown

__all__ = ["Apple", "parse_mac", "read_apple"]

OLDEST_MACOS = (12, 3)
"""Where Metal got what torch needs. https://developer.apple.com/metal/pytorch/"""
_SYSCTL = ("/usr/sbin/sysctl", "hw.memsize", "hw.model", "kern.hv_vmm_present")
_SYSCTL_SECONDS = 2.0
_NAME = "mac"
_SOURCE = "architecture arm64 of macOS"


class Apple(NamedTuple):
    """What is known of Apple's GPU on a machine."""

    gpus: tuple[Gpu, ...] = ()
    notes: tuple[str, ...] = ()


def read_apple(host: Host, system: System, cpu: Cpu | Unknown) -> Apple:
    """The GPU inside an Apple chip, and whether torch can use it."""
    if system.os != "macos":
        return Apple()
    if system.architecture != "arm64":
        if system.machine == "arm64":  # Rosetta: read_system says so
            return Apple()
        return Apple(notes=("this Mac has no Apple chip: torch 2.2 is the last release for it",))
    output = host.run(_SYSCTL, _SYSCTL_SECONDS, name=_NAME)
    told = parse_mac(output) if isinstance(output, str) else {}
    memory = told.get("hw.memsize", "")
    version = tuple(map(int, re.findall(r"\d{1,4}", system.version))) if isinstance(system.version, str) else ()
    closed = f"Metal serves torch from macOS {'.'.join(map(str, OLDEST_MACOS))} on; this is {system.version}"
    old = bool(version) and version < OLDEST_MACOS
    gpu = Gpu(
        "apple",
        cpu.model if isinstance(cpu, Cpu) else Unknown(cpu.reason),
        _SOURCE,
        memory=int(memory)
        if re.fullmatch(r"\d{1,18}", memory, re.ASCII)
        else Unknown("sysctl does not tell hw.memsize"),
        visible=not old,
        integrated=True,
        closed=closed if old else None,
    )
    return Apple((gpu,), (*((f"the GPU cannot be used: {closed}",) if old else ()), *_virtual(told)))


def _virtual(told: dict[str, str]) -> tuple[str, ...]:
    if told.get("kern.hv_vmm_present") != "1":
        return ()
    return (
        f"this Mac is a virtual machine ({told.get('hw.model', 'of no known model')}), where Metal may find no GPU",
    )


def parse_mac(text: str) -> dict[str, str]:
    """What sysctl printed, `name: value` a line."""
    return dict(re.findall(r"^([\w.]{1,64}): (\S{1,64})$", text, re.MULTILINE | re.ASCII))
