"""Apple's GPUs: every Mac with an Apple chip has one, and the macOS build of torch carries what it needs (MPS)."""

from __future__ import annotations

from probes.machine import Cpu, Gpu, System, Unknown

__all__ = ["read_apple"]


def read_apple(system: System, cpu: Cpu | Unknown) -> tuple[Gpu, ...]:
    """The GPU inside an Apple chip."""
    if system.os != "macos" or system.architecture != "arm64":
        return ()
    name = cpu.model if isinstance(cpu, Cpu) else Unknown(cpu.reason)
    return (Gpu("apple", name, "architecture arm64 of macOS"),)
