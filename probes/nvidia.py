"""The NVIDIA driver and the GPUs that it gives to programs.

Driver, first answer wins: TORCHSTRAP_CUDA_DRIVER (`none` for a machine without); /sys/module/nvidia/version;
/proc/driver/nvidia/version; NVML. GPUs: NVML; else /proc/driver/nvidia/gpus; else the PCI bus; else device nodes.
A driver in /sys or /proc proves nothing inside a container: they show the host's. A GPU counts if it can be opened.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from importlib.resources import files

from probes.host import Host
from probes.machine import Container, Gpu, NvidiaDriver, System, Unknown
from probes.modules import folders_of
from probes.nvidia_names import capability_of_name
from probes.nvml_answer import NvmlAnswer, parse_answer
from probes.pci import FOLDER, display_adapters
from probes.visible import with_visibility

__all__ = [
    "DRIVER_OVERRIDE",
    "GPU_OVERRIDE",
    "NVML_SECONDS",
    "Nvidia",
    "ask_nvml",
    "parse_driver_version",
    "read_nvidia",
]

DRIVER_OVERRIDE = "TORCHSTRAP_CUDA_DRIVER"
GPU_OVERRIDE = "TORCHSTRAP_COMPUTE_CAPABILITY"
NVML_SECONDS = 5.0

_VENDOR = 0x10DE
_MODULE = "/sys/module/nvidia/version"
_PROC = "/proc/driver/nvidia/version"
_GPUS = "/proc/driver/nvidia/gpus"
_WSL = "/dev/dxg"
_WSL_NVML = "/usr/lib/wsl/lib/libnvidia-ml.so.1"
_SIGNS = ("/dev/nvidiactl", _WSL, "/proc/driver/nvidia", "/sys/module/nvidia")
_LIBRARY_FOLDERS = ("/usr/lib/wsl/lib", "/usr/local/nvidia/lib64", "/usr/lib64/nvidia", "/run/opengl-driver/lib")
_NUMBER = r"\d{2,4}\.\d{1,4}(?:\.\d{1,4})?"


@dataclass(frozen=True, slots=True)
class Nvidia:
    """What is known of NVIDIA on a machine."""

    driver: NvidiaDriver | Unknown | None = None
    gpus: tuple[Gpu, ...] = ()
    notes: tuple[str, ...] = ()


def read_nvidia(
    host: Host, system: System, container: Container | None = None, nvml: Sequence[str] | None = None
) -> Nvidia:
    """Driver and GPUs. `nvml` is the command that answers for NVML, if not our own."""
    found = _overridden(host) or _detected(host, system, container, nvml)
    gpus, notes = with_visibility(found.gpus, host.environ)
    return replace(found, gpus=gpus, notes=(*found.notes, *notes))


def _overridden(host: Host) -> Nvidia | None:
    value = host.environ.get(DRIVER_OVERRIDE, "").strip()
    if value.lower() == "none":
        return Nvidia(notes=(f"{DRIVER_OVERRIDE}=none: taken to have no NVIDIA driver",))
    if not re.fullmatch(r"\d{2,4}(\.\d{1,4}){0,2}", value, re.ASCII):
        return None
    named = re.findall(r"(\d{1,2})\.(\d)", host.environ.get(GPU_OVERRIDE, ""), re.ASCII)
    capabilities: list[tuple[int, int] | Unknown] = [(int(major), int(minor)) for major, minor in named]
    gpus = tuple(
        Gpu("nvidia", Unknown(f"assumed from {DRIVER_OVERRIDE}"), DRIVER_OVERRIDE, compute_capability=capability)
        for capability in capabilities or [Unknown(f"{GPU_OVERRIDE} does not name it")]
    )
    return Nvidia(
        NvidiaDriver(value, DRIVER_OVERRIDE), gpus, (f"{DRIVER_OVERRIDE}={value}: driver and GPU are assumed",)
    )


def _detected(host: Host, system: System, container: Container | None, nvml: Sequence[str] | None) -> Nvidia:
    complaint = _complaint(host)
    if not _has_signs(host, system):
        return _without_driver(host, container, complaint)
    answer = ask_nvml(host, nvml)
    driver = _driver(host, system, answer)
    if isinstance(answer, NvmlAnswer) and (answer.gpus or answer.driver):
        nothing = () if answer.gpus else ("NVML lists no GPU that this program may use",)
        return Nvidia(driver, answer.gpus, (*complaint, *answer.notes, *nothing))
    if driver is None:
        return _without_driver(host, container, complaint)
    notes = (*complaint, *((f"NVML: {answer.reason}",) if isinstance(answer, Unknown) and host.running else ()))
    if system.os != "linux" or host.exists(_WSL):
        return Nvidia(driver, (), (*notes, "which NVIDIA GPUs there are could not be read"))
    nodes = tuple(name for name in host.names("/dev") if re.fullmatch(r"nvidia\d+", name, re.ASCII))
    if nodes:
        return Nvidia(driver, _listed(host) or _adapters(host) or _numbered(nodes), notes)
    return Nvidia(driver, (), (*notes, _no_nodes(driver, container)))


def _complaint(host: Host) -> tuple[str, ...]:
    value = host.environ.get(DRIVER_OVERRIDE, "").strip()
    return (f"{DRIVER_OVERRIDE} is passed over: {value!r} is no driver version",) if value else ()


def _has_signs(host: Host, system: System) -> bool:
    if system.os == "windows":
        return host.exists(host.environ.get("SYSTEMROOT", "/Windows").rstrip("\\/") + "/System32/nvml.dll")
    return system.os == "linux" and any(host.exists(path) for path in _SIGNS)


def _without_driver(host: Host, container: Container | None, notes: tuple[str, ...]) -> Nvidia:
    """No driver: a GPU on the bus is still a fact, unless we look at the bus of a container's host."""
    adapters = _adapters(host)
    if not adapters:
        return Nvidia(notes=notes)
    if container is not None:
        return Nvidia(
            notes=(*notes, f"an NVIDIA GPU is on the bus of this {container.kind} container's host, without a driver")
        )
    return Nvidia(gpus=adapters, notes=(*notes, "an NVIDIA GPU is on the bus, but no NVIDIA driver is loaded"))


def _no_nodes(driver: NvidiaDriver | Unknown, container: Container | None) -> str:
    seen = "an NVIDIA driver" if isinstance(driver, Unknown) else f"NVIDIA driver {driver.version} ({driver.source})"
    if container is None:
        return f"{seen} is loaded, but there is no device node /dev/nvidia0, so no program can use a GPU"
    return (
        f"{seen} belongs to the host of this {container.kind} container, which was given no GPU: "
        "there is no device node /dev/nvidia0 (start the container with its GPUs, for example `docker run --gpus all`)"
    )


def _driver(host: Host, system: System, answer: NvmlAnswer | Unknown) -> NvidiaDriver | Unknown | None:
    cuda = answer.cuda if isinstance(answer, NvmlAnswer) else answer
    for path in (_MODULE, _PROC):
        text = host.read_text(path)
        version = parse_driver_version(text) if isinstance(text, str) else None
        if version is not None:
            return NvidiaDriver(version, path, cuda)
    if isinstance(answer, NvmlAnswer):
        return NvidiaDriver(answer.driver, "NVML", cuda) if answer.driver else Unknown("NVML does not name the driver")
    if system.os != "linux" or any(host.exists(path) for path in (*_SIGNS, _WSL_NVML) if path != _WSL):
        return Unknown(f"neither {_MODULE} nor {_PROC} tells its version; NVML: {answer.reason}")
    return None  # Windows lends its GPU to this Linux, but not an NVIDIA one


def parse_driver_version(text: str) -> str | None:
    """The driver version in /sys/module/nvidia/version or either form of /proc/driver/nvidia/version.

    The open modules and the closed ones word the NVRM line differently; the number after `Module` is the version.
    """
    line = next((line for line in text.splitlines() if line.startswith("NVRM version:")), None)
    if line is None:
        match = re.fullmatch(rf"\s*({_NUMBER})\s*", text, re.ASCII)
    else:
        match = re.search(rf"\bModule\b(?: for \S+)?\s+({_NUMBER})\b", line, re.ASCII)
    return match[1] if match else None


def ask_nvml(host: Host, command: Sequence[str] | None = None, timeout: float = NVML_SECONDS) -> NvmlAnswer | Unknown:
    """What NVML says, asked in a child so that a driver that hangs or crashes is a fact and not our end."""
    if not host.running:
        return Unknown("not asked, as this machine is only a folder")
    if command is None:
        program = files(__package__).joinpath("nvml.py").read_text(encoding="utf-8")
        command = (sys.executable, "-I", "-c", program, *folders_of("pynvml"))
    present = [folder for folder in _LIBRARY_FOLDERS if host.exists(folder)]
    search = ":".join(filter(None, (host.environ.get("LD_LIBRARY_PATH"), *present)))
    output = host.run(command, timeout, {"LD_LIBRARY_PATH": search} if present else None)
    return output if isinstance(output, Unknown) else parse_answer(output)


def _listed(host: Host) -> tuple[Gpu, ...]:
    """GPUs by /proc/driver/nvidia/gpus, where the driver names their model."""
    gpus = []
    for address in host.names(_GPUS):
        path = f"{_GPUS}/{address}/information"
        text = host.read_text(path)
        fields = (
            dict(re.findall(r"^([\w ]+?)\s*:[ \t]*(\S.*?)\s*$", text, re.MULTILINE)) if isinstance(text, str) else {}
        )
        model = fields.get("Model")
        if model is None:
            continue
        capability = capability_of_name(model)
        gpus.append(Gpu("nvidia", model, path, uuid=fields.get("GPU UUID"), compute_capability=capability))
    return tuple(gpus)


def _adapters(host: Host) -> tuple[Gpu, ...]:
    unknown = Unknown("the PCI bus does not tell it")
    return tuple(
        Gpu("nvidia", f"NVIDIA PCI device 10de:{device:04x}", f"{FOLDER}/{address}", compute_capability=unknown)
        for address, device in display_adapters(host, _VENDOR)
    )


def _numbered(nodes: Sequence[str]) -> tuple[Gpu, ...]:
    unknown = Unknown("a device node does not tell it")
    return tuple(Gpu("nvidia", unknown, f"/dev/{node}", compute_capability=unknown) for node in nodes)
