"""What the CPU can do, and which level of its family that makes.

Order, first answer wins: /proc/cpuinfo; sysctl on macOS; py-cpuinfo elsewhere (it needs a second, so it comes last).
A machine is as able as its least able core: hybrid CPUs differ from core to core.
"""

from __future__ import annotations

import math
import re
import sys
from collections.abc import Iterable, Mapping

from probes.cpu_arm import APPLE_NAMES, IMPLEMENTERS, arm_step_of, core_name
from probes.documents import parse_document
from probes.host import Host
from probes.machine import Cpu, Limits, System, Unknown

__all__ = [
    "LEVELS",
    "ask_py_cpuinfo",
    "level_of",
    "parse_cpuinfo",
    "parse_fallback",
    "parse_sysctl",
    "read_cpu",
    "usable_cores",
]

LEVELS: tuple[tuple[str, frozenset[str]], ...] = (
    # Level, what it adds to the one before, by the names of /proc/cpuinfo: pni is SSE3, abm is LZCNT.
    # https://gitlab.com/x86-psABIs/x86-64-ABI, "micro-architecture levels"
    ("x86-64-v1", frozenset({"lm", "cmov", "cx8", "fpu", "fxsr", "mmx", "sse", "sse2"})),
    ("x86-64-v2", frozenset({"cx16", "lahf_lm", "popcnt", "pni", "ssse3", "sse4_1", "sse4_2"})),
    ("x86-64-v3", frozenset({"avx", "avx2", "bmi1", "bmi2", "f16c", "fma", "abm", "movbe", "xsave"})),
    ("x86-64-v4", frozenset({"avx512f", "avx512bw", "avx512cd", "avx512dq", "avx512vl"})),
)

ALIASES = {
    # What sysctl on macOS and py-cpuinfo call a feature -> what /proc/cpuinfo calls it.
    "sse3": "pni", "sse4.1": "sse4_1", "sse4.2": "sse4_2", "lzcnt": "abm", "lahf": "lahf_lm", "avx1.0": "avx",
    "em64t": "lm", "x86_64": "lm", "osxsave": "xsave", "cmpxchg16b": "cx16",
}  # fmt: skip

_SYSCTL = ("/usr/sbin/sysctl", "machdep.cpu", "hw.optional")
_SYSCTL_SECONDS = 2.0
_FALLBACK_SECONDS = 10.0
_CPUINFO_LIMIT = 4 << 20
"""Bytes of /proc/cpuinfo: 1,500 bytes for each of as many cores as any machine has."""


def read_cpu(host: Host, system: System, limits: Limits | Unknown | None = None) -> Cpu | Unknown:
    """The CPU of the running machine, or of the folder."""
    found = _described(host, system)
    return found if isinstance(found, Unknown) else found._replace(cores=usable_cores(host, found.cores, limits))


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


def usable_cores(host: Host, listed: int | Unknown | None, limits: Limits | Unknown | None) -> int | Unknown | None:
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
        first.get("model name") or _kinds(core for _, core in described),
        features,
        level_of(features) if "lm" in features else ("armv8" if arm else None),
        "/proc/cpuinfo",
        cores=sum(core.get("processor", "").isdigit() for core in cores) or Unknown("/proc/cpuinfo numbers no core"),
        step=arm_step_of(features) if arm else None,
    )


def _fields(block: str) -> dict[str, str]:
    pairs = (line.partition(":") for line in block.splitlines())
    return {name.strip(): value.strip() for name, colon, value in pairs if colon}


def _kinds(cores: Iterable[Mapping[str, str]]) -> str | Unknown:
    """The kinds of core that there are, as `Cortex-X925 and Cortex-A725`: chips for laptops mix them."""
    kinds = dict.fromkeys(
        (core["CPU implementer"], core["CPU part"]) for core in cores if {"CPU implementer", "CPU part"} <= core.keys()
    )
    if not kinds:
        return Unknown("/proc/cpuinfo names no model")
    named = [core_name(*kind) or f"CPU part {kind[1]} of implementer {kind[0]}" for kind in kinds]
    if not any(core_name(*kind) for kind in kinds):
        return Unknown(f"no table knows {' or '.join(named)}")
    return " and ".join(named)


def parse_sysctl(text: str, system: System) -> Cpu:
    """The CPU that `sysctl machdep.cpu hw.optional` describes."""
    fields = _fields(text)
    model = fields.get("machdep.cpu.brand_string") or Unknown("sysctl names no machdep.cpu.brand_string")
    if system.architecture in ("arm64", "aarch64"):
        switched_on = (name.rpartition(".")[2] for name, value in fields.items() if value == "1")
        able = frozenset(APPLE_NAMES.get(name.lower(), name.lower()) for name in switched_on)
        return Cpu("Apple", model, able, "armv8", "sysctl", step=arm_step_of(able))
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
    from probes.modules import folders_of, program  # noqa: PLC0415 - Linux and macOS answer without a child

    command = (sys.executable, "-I", "-c", program("cpu_fallback.py"), *folders_of("cpuinfo"))
    output = host.run(command, _FALLBACK_SECONDS, name="cpuinfo")
    if isinstance(output, Unknown):
        return Unknown(f"py-cpuinfo: {output.reason}")
    return parse_fallback(output)


def parse_fallback(text: str) -> Cpu | Unknown:
    """The CPU that py-cpuinfo describes, as JSON."""
    document = parse_document(text)
    if not isinstance(document, dict):
        return Unknown("py-cpuinfo gave no JSON object")
    flags = document.get("flags")
    vendor, model, family = (document.get(key) for key in ("vendor_id_raw", "brand_raw", "arch"))
    features = _named_as_in_linux(flag for flag in (flags if isinstance(flags, list) else ()) if isinstance(flag, str))
    return Cpu(
        vendor if vendor and isinstance(vendor, str) else Unknown("py-cpuinfo names no vendor"),
        model if model and isinstance(model, str) else Unknown("py-cpuinfo names no model"),
        features,
        level_of(features | LEVELS[0][1]) if family == "X86_64" else ("armv8" if family == "ARM_8" else None),
        "py-cpuinfo",
    )
