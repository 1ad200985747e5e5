"""The NVIDIA driver and the GPUs that it gives to programs.

Driver, first answer wins: TORCHSTRAP_CUDA_DRIVER (`none` for a machine without); /sys/module/nvidia/version;
/proc/driver/nvidia/version; NVML. GPUs: NVML; libcuda; else /proc/driver/nvidia/gpus; else the PCI bus; else device
nodes; on board computers the board. A driver in /sys or /proc proves nothing inside a container: they show the
host's. A GPU counts if it can be opened. NVML and libcuda are asked in a child: see nvml.py and libcuda.py.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace

from probes.host import Host
from probes.machine import Container, Gpu, NvidiaDriver, System, Unknown
from probes.modules import folders_of, program
from probes.nvidia_chips import capability_of_device
from probes.nvidia_libraries import LIBRARY_FOLDERS, find_compat, user_space_version
from probes.nvidia_names import capability_of_name
from probes.nvidia_notes import disagreements
from probes.nvml_answer import CudaAnswer, DriverAnswer, NvmlAnswer, parse_output
from probes.pci import FOLDER, display_adapters
from probes.tegra import read_tegra
from probes.visible import with_visibility

__all__ = [
    "DRIVER_OVERRIDE",
    "DRIVER_SECONDS",
    "GPU_OVERRIDE",
    "Nvidia",
    "ask_driver",
    "parse_driver_version",
    "read_nvidia",
]

DRIVER_OVERRIDE = "TORCHSTRAP_CUDA_DRIVER"
GPU_OVERRIDE = "TORCHSTRAP_COMPUTE_CAPABILITY"
DRIVER_SECONDS = 5.0

_PROGRAM = ("nvml.py", "libcuda.py")
_CHILD = "nvidia"
_VENDOR = 0x10DE
_MODULE = "/sys/module/nvidia/version"
_PROC = "/proc/driver/nvidia/version"
_GPUS = "/proc/driver/nvidia/gpus"
_INFORMATION_LIMIT = 1 << 14
_WSL = "/dev/dxg"
_WSL_NVML = "/usr/lib/wsl/lib/libnvidia-ml.so.1"
_SIGNS = ("/dev/nvidiactl", _WSL, "/proc/driver/nvidia", "/sys/module/nvidia")
_WINDOWS = (  # variable that names the folder, its usual value, file
    ("SYSTEMROOT", "/Windows", "System32/nvml.dll"),
    ("SYSTEMROOT", "/Windows", "System32/nvcuda.dll"),
    ("PROGRAMFILES", "/Program Files", "NVIDIA Corporation/NVSMI/nvml.dll"),
)
_ASKED = "NVIDIA_VISIBLE_DEVICES"
_NUMBER = r"\d{2,4}\.\d{1,4}(?:\.\d{1,4})?"


@dataclass(frozen=True, slots=True)
class Nvidia:
    """What is known of NVIDIA on a machine."""

    driver: NvidiaDriver | Unknown | None = None
    gpus: tuple[Gpu, ...] = ()
    notes: tuple[str, ...] = ()


def read_nvidia(
    host: Host, system: System, container: Container | None = None, child: Sequence[str] | None = None
) -> Nvidia:
    """Driver and GPUs. `child` is the command that answers for NVML and libcuda, if not our own."""
    assumed = _overridden(host)
    if assumed is not None:
        gpus, hidden = with_visibility(assumed.gpus, host.environ)
        return replace(assumed, gpus=gpus, notes=(*assumed.notes, *hidden))
    return _detected(host, system, container, child)


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


def _detected(host: Host, system: System, container: Container | None, child: Sequence[str] | None) -> Nvidia:
    complaint = _complaint(host)
    if not _has_signs(host, system):
        return _without_driver(host, container, complaint)
    answer = ask_driver(host, child)
    found = _answered(host, system, container, answer)
    gpus, hidden = with_visibility(found.gpus, host.environ, answer.cuda)
    if isinstance(found.driver, NvidiaDriver):
        found = replace(found, driver=_with_libraries(host, found.driver, answer))
    notes = (*complaint, *found.notes, *hidden, *disagreements(host, container, found.driver, found.gpus, answer))
    return replace(found, gpus=gpus, notes=notes)


def _answered(host: Host, system: System, container: Container | None, answer: DriverAnswer) -> Nvidia:
    nvml, driver = answer.nvml, _driver(host, system, answer)
    if isinstance(nvml, NvmlAnswer) and (nvml.gpus or (nvml.driver and not system.is_tegra)):
        nothing = () if nvml.gpus else ("NVML lists no GPU that this program may use",)
        return Nvidia(driver, nvml.gpus, (*nvml.notes, *nothing))
    if driver is None:
        return _without_driver(host, container, ())
    notes = (f"NVML: {nvml.reason}",) if isinstance(nvml, Unknown) and _was_asked(nvml) else ()
    gpus, said = _unanswered(host, system, container, driver, answer.cuda)
    return Nvidia(driver, gpus, (*notes, *said))


def _unanswered(
    host: Host,
    system: System,
    container: Container | None,
    driver: NvidiaDriver | Unknown,
    cuda: CudaAnswer | Unknown | None,
) -> tuple[tuple[Gpu, ...], tuple[str, ...]]:
    """GPUs, and notes, where NVML does not list them."""
    if isinstance(cuda, CudaAnswer) and cuda.gpus:
        return tuple(map(_with_prefix, cuda.gpus)), ()
    if system.is_tegra:
        return read_tegra(host, system, container)
    if system.os != "linux" or host.exists(_WSL):
        return (), ("which NVIDIA GPUs there are could not be read",)
    nodes = tuple(name for name in host.names("/dev") if re.fullmatch(r"nvidia\d+", name, re.ASCII))
    if nodes:
        return _listed(host, nodes) or _adapters(host) or _numbered(nodes), ()
    return (), (_no_nodes(host, driver, container),)


def _was_asked(answer: Unknown) -> bool:
    return "only a folder" not in answer.reason


def _with_prefix(gpu: Gpu) -> Gpu:
    digits = gpu.uuid or ""
    if len(digits) != 32:  # noqa: PLR2004 - 16 bytes
        return gpu
    return replace(gpu, uuid=f"GPU-{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}")


def _with_libraries(host: Host, driver: NvidiaDriver, answer: DriverAnswer) -> NvidiaDriver:
    """The driver, with what is known of its user-mode half."""
    cuda = answer.cuda
    speaks = cuda.library.cuda if isinstance(cuda, CudaAnswer) else Unknown("libcuda was not asked")
    return replace(
        driver,
        cuda=speaks if isinstance(driver.cuda, Unknown) and isinstance(speaks, str) else driver.cuda,
        user_space=user_space_version(host, cuda.files if isinstance(cuda, CudaAnswer) else ()),
        library=cuda.library if isinstance(cuda, CudaAnswer) else cuda,
        compat=find_compat(host),
    )


def _complaint(host: Host) -> tuple[str, ...]:
    value = host.environ.get(DRIVER_OVERRIDE, "").strip()
    return (f"{DRIVER_OVERRIDE} is passed over: {value!r} is no driver version",) if value else ()


def _has_signs(host: Host, system: System) -> bool:
    if system.os == "windows":
        return any(
            host.exists(f"{host.environ.get(variable, usual)}/{name}".replace("\\", "/"))
            for variable, usual, name in _WINDOWS
        )
    return system.os == "linux" and (system.is_tegra or any(host.exists(path) for path in _SIGNS))


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


def _no_nodes(host: Host, driver: NvidiaDriver | Unknown, container: Container | None) -> str:
    seen = "an NVIDIA driver" if isinstance(driver, Unknown) else f"NVIDIA driver {driver.version} ({driver.source})"
    if container is None:
        return f"{seen} is loaded, but there is no device node /dev/nvidia0, so no program can use a GPU"
    asked = host.environ.get(_ASKED)
    why = "" if asked is None else f", {_ASKED} being {asked!r}"
    if asked is not None and asked not in ("", "none", "void"):
        why += ", which only NVIDIA's container runtime heeds"
    return (
        f"{seen} belongs to the host of this {container.kind} container, which was given no GPU{why}: "
        "there is no device node /dev/nvidia0 (start the container with its GPUs, for example `docker run --gpus all`)"
    )


def _driver(host: Host, system: System, answer: DriverAnswer) -> NvidiaDriver | Unknown | None:
    nvml = answer.nvml
    cuda = nvml.cuda if isinstance(nvml, NvmlAnswer) else nvml
    for path in (_MODULE, _PROC):
        text = host.read_text(path)
        version = parse_driver_version(text) if isinstance(text, str) else None
        if version is not None:
            return NvidiaDriver(version, path, cuda)
    if isinstance(nvml, NvmlAnswer):
        return NvidiaDriver(nvml.driver, "NVML", cuda) if nvml.driver else Unknown("NVML does not name the driver")
    if system.is_tegra:
        return Unknown(f"the driver is part of L4T {system.l4t or 'of an unknown release'} and carries no number there")
    if system.os != "linux" or any(host.exists(path) for path in (*_SIGNS, _WSL_NVML) if path != _WSL):
        return Unknown(f"neither {_MODULE} nor {_PROC} tells its version; NVML: {nvml.reason}")
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


def ask_driver(host: Host, command: Sequence[str] | None = None, timeout: float = DRIVER_SECONDS) -> DriverAnswer:
    """What NVML and libcuda say, asked in a child so that a driver that hangs or crashes is a fact and not our end."""
    if command is None:
        command = (sys.executable, "-I", "-c", program(*_PROGRAM), *folders_of("pynvml"))
    present = [folder for folder in LIBRARY_FOLDERS if host.exists(folder)]
    search = ":".join(filter(None, (host.environ.get("LD_LIBRARY_PATH"), *present)))
    environ = {"LD_LIBRARY_PATH": search} if present else None
    return parse_output(host.run(command, timeout, environ, name=_CHILD))


def _listed(host: Host, nodes: Sequence[str]) -> tuple[Gpu, ...]:
    """GPUs by /proc/driver/nvidia/gpus, where the driver names their model, as far as they have a device node."""
    gpus = []
    for address in host.names(_GPUS):
        path = f"{_GPUS}/{address}/information"
        text = host.read_text(path, _INFORMATION_LIMIT)
        pairs = (line.partition(":") for line in text.splitlines()) if isinstance(text, str) else ()
        fields = {name.strip(): value.strip() for name, _, value in pairs if value.strip()}
        model, minor = fields.get("Model"), fields.get("Device Minor")
        if model is None or (minor is not None and f"nvidia{minor}" not in nodes):
            continue
        capability = capability_of_name(model)
        gpus.append(Gpu("nvidia", model, path, uuid=fields.get("GPU UUID"), compute_capability=capability))
    return tuple(gpus)


def _adapters(host: Host) -> tuple[Gpu, ...]:
    return tuple(
        Gpu(
            "nvidia",
            f"NVIDIA PCI device 10de:{device:04x}",
            f"{FOLDER}/{address}",
            compute_capability=capability_of_device(device),
        )
        for address, device in display_adapters(host, _VENDOR)
    )


def _numbered(nodes: Sequence[str]) -> tuple[Gpu, ...]:
    unknown = Unknown("a device node does not tell it")
    return tuple(Gpu("nvidia", unknown, f"/dev/{node}", compute_capability=unknown) for node in nodes)
