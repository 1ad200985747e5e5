"""What the CPU can do, and which level of its family that makes.

Order, first answer wins: /proc/cpuinfo; sysctl on macOS; py-cpuinfo elsewhere (it needs a second, so it comes last).
A machine is as able as its least able core: hybrid CPUs differ from core to core.
"""

from __future__ import annotations

import json
import math
import re
import sys
from collections.abc import Iterable
from dataclasses import replace

from probes.host import Host
from probes.machine import Cpu, Limits, System, Unknown
from probes.modules import folders_of, program

__all__ = [
    "ARM_STEPS",
    "LEVELS",
    "arm_step_of",
    "ask_py_cpuinfo",
    "level_of",
    "parse_cpuinfo",
    "parse_fallback",
    "parse_sysctl",
    "read_cpu",
]

LEVELS: tuple[tuple[str, frozenset[str]], ...] = (
    # Level, what it adds to the one before, by the names of /proc/cpuinfo: pni is SSE3, abm is LZCNT.
    # https://gitlab.com/x86-psABIs/x86-64-ABI, "micro-architecture levels"
    ("x86-64-v1", frozenset({"lm", "cmov", "cx8", "fpu", "fxsr", "mmx", "sse", "sse2"})),
    ("x86-64-v2", frozenset({"cx16", "lahf_lm", "popcnt", "pni", "ssse3", "sse4_1", "sse4_2"})),
    ("x86-64-v3", frozenset({"avx", "avx2", "bmi1", "bmi2", "f16c", "fma", "abm", "movbe", "xsave"})),
    ("x86-64-v4", frozenset({"avx512f", "avx512bw", "avx512cd", "avx512dq", "avx512vl"})),
)

ARM_STEPS: tuple[tuple[str, frozenset[str]], ...] = (
    # Step, what it makes mandatory and /proc/cpuinfo shows. https://docs.kernel.org/arch/arm64/elf_hwcaps.html for the
    # names, https://developer.arm.com/documentation/109697, "Feature descriptions" for the steps.
    ("armv8.1", frozenset({"atomics", "asimdrdm"})),
    ("armv8.2", frozenset({"dcpop"})),
    ("armv8.3", frozenset({"fcma", "jscvt", "lrcpc"})),
    ("armv8.4", frozenset({"asimddp", "dit", "flagm", "ilrcpc", "uscat"})),
    ("armv8.5", frozenset({"flagm2", "frint", "sb"})),
    ("armv9.0", frozenset({"sve", "sve2"})),
)

PARTS = {  # implementer and part -> core, from Linux arch/arm64/include/asm/cputype.h
    ("0x41", "0xd03"): "Cortex-A53", ("0x41", "0xd07"): "Cortex-A57", ("0x41", "0xd08"): "Cortex-A72",
    ("0x41", "0xd09"): "Cortex-A73", ("0x41", "0xd0b"): "Cortex-A76", ("0x41", "0xd0c"): "Neoverse N1",
    ("0x41", "0xd40"): "Neoverse V1", ("0x41", "0xd42"): "Cortex-A78AE", ("0x41", "0xd49"): "Neoverse N2",
    ("0x41", "0xd4f"): "Neoverse V2", ("0x41", "0xd84"): "Neoverse V3", ("0x4e", "0x003"): "Denver 2",
    ("0x4e", "0x004"): "Carmel",
}  # fmt: skip

ALIASES = {
    # What sysctl on macOS and py-cpuinfo call a feature -> what /proc/cpuinfo calls it.
    "sse3": "pni", "sse4.1": "sse4_1", "sse4.2": "sse4_2", "lzcnt": "abm", "lahf": "lahf_lm", "avx1.0": "avx",
    "em64t": "lm", "x86_64": "lm", "osxsave": "xsave", "cmpxchg16b": "cx16",
}  # fmt: skip

IMPLEMENTERS = {
    "0x41": "ARM", "0x42": "Broadcom", "0x43": "Cavium", "0x46": "Fujitsu", "0x48": "HiSilicon", "0x4e": "NVIDIA",
    "0x51": "Qualcomm", "0x61": "Apple", "0x6d": "Microsoft", "0xc0": "Ampere",
}  # fmt: skip
"""`CPU implementer` of /proc/cpuinfo, from Linux arch/arm64/include/asm/cputype.h."""

_SYSCTL = ("/usr/sbin/sysctl", "machdep.cpu", "hw.optional")
_SYSCTL_SECONDS = 2.0
_FALLBACK_SECONDS = 10.0
_CPUINFO_LIMIT = 4 << 20
"""Bytes of /proc/cpuinfo: 1,500 bytes for each of as many cores as any machine has."""


def read_cpu(host: Host, system: System, limits: Limits | Unknown | None = None) -> Cpu | Unknown:
    """The CPU of the running machine, or of the folder."""
    found = _described(host, system)
    return found if isinstance(found, Unknown) else replace(found, cores=_cores(host, found.cores, limits))


def _described(host: Host, system: System) -> Cpu | Unknown:
    text = host.read_text("/proc/cpuinfo", _CPUINFO_LIMIT)
    if isinstance(text, str) and text.strip():
        return parse_cpuinfo(text)
    if system.os == "macos":
        output = host.run(_SYSCTL, _SYSCTL_SECONDS)
        return Unknown(output.reason) if isinstance(output, Unknown) else parse_sysctl(output, system)
    if system.os == "linux":
        return text if isinstance(text, Unknown) else Unknown("there is no /proc/cpuinfo")
    return ask_py_cpuinfo(host)


def _cores(host: Host, listed: int | Unknown | None, limits: Limits | Unknown | None) -> int | Unknown | None:
    """Cores that this process may run on, or as many as its share of time fills; of a folder those that it lists."""
    told = host.told("cores") or ""
    cores = int(told) if re.fullmatch(r"\d{1,6}", told, re.ASCII) else listed
    quota = limits.cpus if isinstance(limits, Limits) else None
    if isinstance(cores, int) and isinstance(quota, (int, float)):
        return max(1, min(cores, math.ceil(quota)))
    return cores


def level_of(features: Iterable[str]) -> str:
    """The highest x86-64 level that a set of /proc/cpuinfo flags reaches; the first one for a 64-bit CPU with less."""
    present = frozenset(features)
    reached = LEVELS[0][0]
    for name, added in LEVELS:
        if not added <= present:
            break
        reached = name
    return reached


def parse_cpuinfo(text: str) -> Cpu | Unknown:
    """The CPU that /proc/cpuinfo describes: features and level that every core has."""
    cores = [core for core in map(_fields, re.split(r"\n[ \t]*\n", text)) if core]
    described = [(frozenset(line.split()), core) for core in cores if (line := core.get("flags", core.get("Features")))]
    if not described:
        return Unknown("/proc/cpuinfo names no features")
    features = frozenset.intersection(*{flags for flags, _ in described})
    first = {name: value for core in reversed(cores) for name, value in core.items()}
    implementer = first.get("CPU implementer")
    arm = all(re.fullmatch(r"[89]|1\d", core.get("CPU architecture", ""), re.ASCII) for _, core in described)
    vendor = first.get("vendor_id") or (implementer and IMPLEMENTERS.get(implementer, implementer))
    return Cpu(
        vendor or Unknown("/proc/cpuinfo names no vendor"),
        first.get("model name") or _part(implementer, first.get("CPU part")),
        features,
        level_of(features) if "lm" in features else ("armv8" if arm else None),
        "/proc/cpuinfo",
        cores=sum(core.get("processor", "").isdigit() for core in cores) or Unknown("/proc/cpuinfo numbers no core"),
        step=arm_step_of(features) if arm else None,
    )


def _fields(block: str) -> dict[str, str]:
    pairs = (line.partition(":") for line in block.splitlines())
    return {name.strip(): value.strip() for name, colon, value in pairs if colon}


def _part(implementer: str | None, part: str | None) -> str | Unknown:
    if implementer is None or part is None:
        return Unknown("/proc/cpuinfo names no model")
    return PARTS.get((implementer, part)) or Unknown(f"no table knows CPU part {part} of implementer {implementer}")


def arm_step_of(features: Iterable[str]) -> str:
    """The highest step of the Arm architecture whose features are all there; `armv8.0` for a core with none."""
    present = frozenset(features)
    reached = "armv8.0"
    for name, added in ARM_STEPS:
        if not added <= present:
            break
        reached = name
    return reached


def parse_sysctl(text: str, system: System) -> Cpu:
    """The CPU that `sysctl machdep.cpu hw.optional` describes."""
    fields = _fields(text)
    model = fields.get("machdep.cpu.brand_string") or Unknown("sysctl names no machdep.cpu.brand_string")
    if system.architecture in ("arm64", "aarch64"):
        switched_on = (name.rpartition(".")[2] for name, value in fields.items() if value == "1")
        return Cpu("Apple", model, frozenset(name.lower() for name in switched_on), "armv8", "sysctl")
    words = " ".join(
        fields.get(f"machdep.cpu.{name}", "") for name in ("features", "leaf7_features", "extfeatures")
    ).lower()
    features = _named_as_in_linux(words.split())
    vendor = fields.get("machdep.cpu.vendor") or Unknown("sysctl names no machdep.cpu.vendor")
    # A Mac never was anything but 64-bit, and sysctl does not list what that implies.
    return Cpu(vendor, model, features, level_of(features | LEVELS[0][1]), "sysctl")


def _named_as_in_linux(names: Iterable[str]) -> frozenset[str]:
    return frozenset(ALIASES.get(name.lower(), name.lower()) for name in names)


def ask_py_cpuinfo(host: Host) -> Cpu | Unknown:
    """The CPU by py-cpuinfo, in a child, as it sleeps for a second and starts further programs."""
    command = (sys.executable, "-I", "-c", program("cpu_fallback.py"), *folders_of("cpuinfo"))
    output = host.run(command, _FALLBACK_SECONDS, name="cpuinfo")
    if isinstance(output, Unknown):
        return Unknown(f"py-cpuinfo: {output.reason}")
    return parse_fallback(output)


def parse_fallback(text: str) -> Cpu | Unknown:
    """The CPU that py-cpuinfo describes, as JSON."""
    try:
        document = json.loads(text)
        flags = [str(flag) for flag in document.get("flags", ())]
        vendor, model, family = (document.get(key) for key in ("vendor_id_raw", "brand_raw", "arch"))
    except (ValueError, AttributeError, TypeError, RecursionError):
        return Unknown("py-cpuinfo gave no JSON object")
    features = _named_as_in_linux(flags)
    return Cpu(
        str(vendor) if vendor else Unknown("py-cpuinfo names no vendor"),
        str(model) if model else Unknown("py-cpuinfo names no model"),
        features,
        level_of(features | LEVELS[0][1]) if family == "X86_64" else ("armv8" if family == "ARM_8" else None),
        "py-cpuinfo",
    )
