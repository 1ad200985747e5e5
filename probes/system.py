"""Operating system, kernel, architecture, and the board that it runs on.

Order, first answer wins: architecture from the running kernel, as narrow as our own process; of a folder from
/proc/sys/kernel/arch, the dynamic loader that it holds, /proc/cpuinfo.
"""

from __future__ import annotations

import re

from probes.host import Host
from probes.libc import LOADERS
from probes.machine import System, Unknown

__all__ = ["l4t_release", "read_system", "system_notes"]

ARCHITECTURES = {"amd64": "x86_64", "x64": "x86_64", "arm64": "aarch64", "i386": "i686", "armv8l": "armv7l"}
"""What systems call an architecture -> what wheel tags on Linux call it. macOS keeps `arm64` (see `_macos`)."""
NARROW = {"x86_64": "i686", "aarch64": "armv7l"}
"""What a 32-bit process on such a kernel is."""

_MODEL = "/proc/device-tree/model"
_L4T = "/etc/nv_tegra_release"
_SYSCTL = ("/usr/sbin/sysctl", "-n", "sysctl.proc_translated")
_SYSCTL_SECONDS = 2.0

_PLIST = "/System/Library/CoreServices/SystemVersion.plist"


def read_system(host: Host) -> System:
    """Operating system and architecture of the running machine, or of the folder."""
    platform = host.told("platform")
    if platform == "win32":
        return _windows(host)
    if host.exists(_PLIST):
        return _macos(host)
    kernel, source = _kernel(host)
    machine = _machine(host)
    architecture = NARROW.get(str(machine), machine) if host.told("bits") == "32" else machine
    return System(
        "linux" if platform is None or platform.startswith("linux") else platform,
        _distribution(host),
        kernel,
        architecture,
        source,
        machine=None if machine == architecture or isinstance(machine, Unknown) else machine,
        board=_board(host),
        l4t=_l4t(host),
    )


def system_notes(system: System) -> tuple[str, ...]:
    """What is odd about a system: a process that is not what the machine underneath is."""
    if system.os == "macos" and system.machine is not None:
        return ("this interpreter is for Intel and runs under Rosetta: one for arm64 can use the GPU and newer builds",)
    if system.machine is not None:
        return (f"this interpreter is for {system.architecture}, though the machine is {system.machine}",)
    if system.wsl == 1:
        return ("this is WSL 1, where no program can use a GPU: `wsl --set-version` makes it WSL 2",)
    return ()


def _windows(host: Host) -> System:
    version = host.told("windows") or Unknown("Windows does not tell its version")
    native = host.environ.get("PROCESSOR_ARCHITEW6432", "").lower()
    named = host.environ.get("PROCESSOR_ARCHITECTURE", "").lower()
    architecture = {"x86": "i686", **ARCHITECTURES}.get(named, named) or Unknown("PROCESSOR_ARCHITECTURE is not set")
    machine = ARCHITECTURES.get(native, native) or None
    source = "the version that Windows tells programs"
    return System("windows", version, version, architecture, source, None if machine == architecture else machine)


def _macos(host: Host) -> System:
    text = host.read_text(_PLIST)
    match = re.search(r"<key>ProductVersion</key>\s*<string>([\d.]+)</string>", text) if isinstance(text, str) else None
    version = match[1] if match else Unknown(f"{_PLIST} names no ProductVersion")
    kernel, _ = _kernel(host)
    machine = _machine(host)
    architecture = "arm64" if machine == "aarch64" else machine
    translated = architecture == "x86_64" and str(host.run(_SYSCTL, _SYSCTL_SECONDS, name="translated")).strip() == "1"
    return System("macos", version, kernel, architecture, _PLIST, "arm64" if translated else None)


def _kernel(host: Host) -> tuple[str | Unknown, str]:
    told = host.told("kernel")
    if told is not None:
        return told, "uname"
    for path, pattern in (("/proc/sys/kernel/osrelease", r"(\S+)"), ("/proc/version", r"Linux version (\S+)")):
        text = host.read_text(path)
        match = re.search(pattern, text) if isinstance(text, str) else None
        if match:
            return match[1], path
    return Unknown("neither /proc/sys/kernel/osrelease nor /proc/version tells it"), "/etc/os-release"


def _board(host: Host) -> str | None:
    text = host.read_text(_MODEL, 256)
    return text.rstrip("\0\n") or None if isinstance(text, str) else None


def _l4t(host: Host) -> str | None:
    text = host.read_text(_L4T, 4096)
    return l4t_release(text) if isinstance(text, str) else None


def l4t_release(text: str) -> str | None:
    """`36.4.0` from `# R36 (release), REVISION: 4.0, GCID: …`, the first line of /etc/nv_tegra_release."""
    match = re.match(r"# R(\d{1,3}) \(release\), REVISION: (\d{1,3}(?:\.\d{1,3})?)", text, re.ASCII)
    return f"{match[1]}.{match[2]}" if match else None


def _distribution(host: Host) -> str | Unknown:
    for path in ("/etc/os-release", "/usr/lib/os-release"):
        text = host.read_text(path)
        if isinstance(text, str):
            pairs = dict(re.findall(r"^([A-Z_]+)=[\"']?(.*?)[\"']?$", text, re.MULTILINE))
            return " ".join(filter(None, (pairs.get("ID", "linux"), pairs.get("VERSION_ID"))))
    return Unknown("there is no /etc/os-release")


def _machine(host: Host) -> str | Unknown:
    told = host.told("machine")
    if told is not None:
        return ARCHITECTURES.get(told, told)
    text = host.read_text("/proc/sys/kernel/arch")
    if isinstance(text, str) and text.strip():
        return ARCHITECTURES.get(text.strip(), text.strip())
    for path, architecture, _ in LOADERS:
        if host.exists(path):
            return architecture
    cores = host.read_text("/proc/cpuinfo")
    if isinstance(cores, str) and re.search(r"^flags\s*:.*\blm\b", cores, re.MULTILINE):
        return "x86_64"
    if isinstance(cores, str) and re.search(r"^CPU architecture\s*: 8", cores, re.MULTILINE):
        return "aarch64"
    return Unknown("neither /proc/sys/kernel/arch nor a dynamic loader nor /proc/cpuinfo tells it")
