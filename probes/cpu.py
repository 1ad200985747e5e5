"""What the CPU can do, and which level of its family that makes.

Order, first answer wins: /proc/cpuinfo; sysctl on macOS; py-cpuinfo elsewhere (it needs a second, so it comes last).
A machine is as able as its least able core: hybrid CPUs differ from core to core.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterable, Mapping
from importlib.resources import files

from probes.host import Host
from probes.machine import Cpu, System, Unknown
from probes.modules import folders_of

__all__ = ["LEVELS", "ask_py_cpuinfo", "level_of", "parse_cpuinfo", "parse_fallback", "parse_sysctl", "read_cpu"]

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

IMPLEMENTERS = {
    "0x41": "ARM", "0x42": "Broadcom", "0x43": "Cavium", "0x46": "Fujitsu", "0x48": "HiSilicon", "0x4e": "NVIDIA",
    "0x51": "Qualcomm", "0x61": "Apple", "0x6d": "Microsoft", "0xc0": "Ampere",
}  # fmt: skip
"""`CPU implementer` of /proc/cpuinfo, from Linux arch/arm64/include/asm/cputype.h."""

_SYSCTL = ("/usr/sbin/sysctl", "machdep.cpu", "hw.optional")
_SYSCTL_SECONDS = 2.0
_FALLBACK_SECONDS = 10.0


def read_cpu(host: Host, system: System) -> Cpu | Unknown:
    """The CPU of the running machine, or of the folder."""
    text = host.read_text("/proc/cpuinfo")
    if isinstance(text, str) and text.strip():
        return parse_cpuinfo(text)
    if system.os == "macos":
        output = host.run(_SYSCTL, _SYSCTL_SECONDS)
        return output if isinstance(output, Unknown) else parse_sysctl(output, system)
    if system.os == "linux" or not host.running:
        return text if isinstance(text, Unknown) else Unknown("there is no /proc/cpuinfo")
    return ask_py_cpuinfo(host)


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
    """The CPU that /proc/cpuinfo describes: features that every core has."""
    cores = [core for core in map(_fields, re.split(r"\n[ \t]*\n", text)) if core]
    feature_sets = [frozenset(line.split()) for core in cores if (line := core.get("flags", core.get("Features")))]
    if not feature_sets:
        return Unknown("/proc/cpuinfo names no features")
    features = frozenset.intersection(*feature_sets)
    first = {name: value for core in reversed(cores) for name, value in core.items()}
    implementer = first.get("CPU implementer")
    vendor = first.get("vendor_id") or (implementer and IMPLEMENTERS.get(implementer, implementer))
    return Cpu(
        vendor or Unknown("/proc/cpuinfo names no vendor"),
        first.get("model name") or Unknown("/proc/cpuinfo names no model"),
        features,
        _level(features, first),
        "/proc/cpuinfo",
    )


def _fields(block: str) -> dict[str, str]:
    pairs = (line.partition(":") for line in block.splitlines())
    return {name.strip(): value.strip() for name, colon, value in pairs if colon}


def _level(features: frozenset[str], fields: Mapping[str, str]) -> str | None:
    if "lm" in features:
        return level_of(features)
    architecture = fields.get("CPU architecture", "")
    return f"armv{architecture}" if re.fullmatch(r"[89]|1\d", architecture, re.ASCII) else None


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
    program = files(__package__).joinpath("cpu_fallback.py").read_text(encoding="utf-8")
    output = host.run((sys.executable, "-I", "-c", program, *folders_of("cpuinfo")), _FALLBACK_SECONDS)
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
