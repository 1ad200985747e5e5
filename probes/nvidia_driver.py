"""The NVIDIA driver, and the GPUs that it gives to programs.

Driver, first answer wins: /sys/module/nvidia/version; /proc/driver/nvidia/version; NVML. GPUs: NVML; libcuda; else
/proc/driver/nvidia/gpus; else the PCI bus; else device nodes; on board computers the board. A driver in /sys or /proc
proves nothing inside a container: they show the host's. A GPU counts if it can be opened. NVML and libcuda are asked in
a child: see nvml.py and libcuda.py.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence

from probes.host import Host
from probes.machine import Container, Gpu, NvidiaDriver, System, Unknown
from probes.modules import folders_of, program
from probes.nvidia import SIGNS, WSL, Nvidia, without_driver
from probes.nvidia_bus import adapters_on_bus, number_of
from probes.nvidia_chips import capability_of_device
from probes.nvidia_libraries import LIBRARY_FOLDERS, find_compat, user_space_version
from probes.nvidia_names import capability_of_name
from probes.nvidia_notes import disagreements
from probes.nvml_answer import CudaAnswer, DriverAnswer, NvmlAnswer, parse_output
from probes.pci import device_at
from probes.tegra import read_tegra
from probes.visible import with_visibility

__all__ = ["DRIVER_SECONDS", "ask_driver", "parse_driver_version", "read_answer"]

DRIVER_SECONDS = 5.0

_PROGRAM = ("nvml.py", "libcuda.py")
_CHILD = "nvidia"
_MODULE = "/sys/module/nvidia/version"
_PROC = "/proc/driver/nvidia/version"
_GPUS = "/proc/driver/nvidia/gpus"
_INFORMATION_LIMIT = 1 << 14
_WSL_NVML = "/usr/lib/wsl/lib/libnvidia-ml.so.1"
_ASKED = "NVIDIA_VISIBLE_DEVICES"
_NUMBER = r"\d{2,4}\.\d{1,4}(?:\.\d{1,4})?"


def read_answer(host: Host, system: System, container: Container | None, answer: DriverAnswer) -> Nvidia:
    """Driver, GPUs and notes, by what the driver's libraries say and by the files that the driver makes."""
    found = _answered(host, system, container, answer)
    gpus, hidden = with_visibility(found.gpus, host.environ, answer.cuda)
    driver = found.driver
    if isinstance(driver, NvidiaDriver):
        driver = _with_libraries(host, driver, answer)
    odd = disagreements(host, container, driver, found.gpus, answer)
    return Nvidia(driver, gpus, (*found.notes, *hidden, *odd))


def _answered(host: Host, system: System, container: Container | None, answer: DriverAnswer) -> Nvidia:
    nvml, driver = answer.nvml, _driver(host, system, answer)
    if isinstance(nvml, NvmlAnswer) and (nvml.gpus or (nvml.driver and not system.is_tegra)):
        nothing = () if nvml.gpus else ("NVML lists no GPU that this program may use",)
        return Nvidia(driver, nvml.gpus, (*nvml.notes, *nothing))
    if driver is None:
        return without_driver(host, container, ())
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
    if system.os != "linux" or host.exists(WSL):
        return (), ("which NVIDIA GPUs there are could not be read",)
    nodes = tuple(name for name in host.names("/dev") if re.fullmatch(r"nvidia\d+", name, re.ASCII))
    if nodes:
        return _listed(host, nodes) or adapters_on_bus(host) or _numbered(nodes), ()
    return (), (_no_nodes(host, driver, container),)


def _was_asked(answer: Unknown) -> bool:
    return "only a folder" not in answer.reason


def _with_prefix(gpu: Gpu) -> Gpu:
    digits = gpu.uuid or ""
    if len(digits) != 32:  # noqa: PLR2004 - 16 bytes
        return gpu
    return gpu._replace(uuid=f"GPU-{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}")


def _with_libraries(host: Host, driver: NvidiaDriver, answer: DriverAnswer) -> NvidiaDriver:
    """The driver, with what is known of its user-mode half."""
    cuda = answer.cuda
    speaks = cuda.library.cuda if isinstance(cuda, CudaAnswer) else Unknown("libcuda was not asked")
    return driver._replace(
        cuda=speaks if isinstance(driver.cuda, Unknown) and isinstance(speaks, str) else driver.cuda,
        user_space=user_space_version(host, cuda.files if isinstance(cuda, CudaAnswer) else ()),
        library=cuda.library if isinstance(cuda, CudaAnswer) else cuda,
        compat=find_compat(host),
    )


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
    if system.os != "linux" or any(host.exists(path) for path in (*SIGNS, _WSL_NVML) if path != WSL):
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
    """GPUs by /proc/driver/nvidia/gpus, as far as the driver or the bus names them and they have a device node."""
    gpus = []
    for address in host.names(_GPUS):
        path = f"{_GPUS}/{address}/information"
        text = host.read_text(path, _INFORMATION_LIMIT)
        pairs = (line.partition(":") for line in text.splitlines()) if isinstance(text, str) else ()
        fields = {name.strip(): value.strip() for name, _, value in pairs if value.strip()}
        minor, device = fields.get("Device Minor"), device_at(host, address)
        model = fields.get("Model") or (None if device is None else number_of(device))
        if model is None or (minor is not None and f"nvidia{minor}" not in nodes):
            continue
        capability = capability_of_name(model)
        if isinstance(capability, Unknown) and device is not None:
            by_chip = capability_of_device(device)
            capability = capability if isinstance(by_chip, Unknown) else by_chip
        gpus.append(Gpu("nvidia", model, path, uuid=fields.get("GPU UUID"), compute_capability=capability))
    return tuple(gpus)


def _numbered(nodes: Sequence[str]) -> tuple[Gpu, ...]:
    unknown = Unknown("a device node does not tell it")
    return tuple(Gpu("nvidia", unknown, f"/dev/{node}", compute_capability=unknown) for node in nodes)
