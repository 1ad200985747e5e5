"""Machines and verdicts in one line of words each: the reader of the tables in tests/profiles/verdicts/.

A row is `machine | python | torch | offers | gpus | takes | says`, `-` stands for nothing:

    machine   words in any order, see below
    python    `3.12`, `3.13t` (free-threaded)
    torch     what the project asks: `>=2.7,<2.9`, or by offer: `cu126:==2.9.1 cu130:==2.10.0`
    offers    `cpu cu126 gpu`, `mine=cu126` for another name, `automatic`; `gpu` and `default` are the default index
    gpus      `all`, `any` or places among the machine's GPUs: `0,2`
    takes     the offer and the minor release of torch, `cu126 2.14`, or `none`
    says      what the reason, a warning or a rejection has to hold; `;` separates several

The words of a machine:

    V100, 2xH100, V100+RTX-5090    its GPUs (GPUS below): CUDA_VISIBLE_DEVICES hides `hidden:V100`, `closed:gfx1100`
                                   cannot be opened, `unread:RTX-4090` keeps its compute capability to itself
    580.95.05                      the NVIDIA driver; `no-driver`: the GPU is on the bus, no driver is loaded;
                                   `unread-driver`: there is one, its number could not be read
    libcuda-12.2                   the libcuda that programs find is the driver's, and speaks this CUDA
    compat-13.0, broken-compat-13.0, compat-lies-about
                                   it is that of cuda-compat, which starts, or does not; or one lies on the disk and no
                                   program finds it
    linux_aarch64, windows_x86_64  the platform, linux_x86_64 if not said and no GPU tells
    ubuntu-22.04, macos-13         the system (SYSTEMS below), the first of its platform if not said
    wsl2, wsl1, docker             what Linux runs in; `docker-without-gpus` shows the host's driver, and no device node
    cpu-v1, cpu-v2, cpu-v4         level of the CPU; x86-64-v3 if not said
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from packaging.specifiers import SpecifierSet

from probes import Container, Cpu, CudaLibrary, Gpu, GpuDriver, Libc, Machine, NvidiaDriver, System, Unknown
from profiles import Offer, index_of

__all__ = ["FOLDER", "Row", "machine", "offers_of", "rows", "torch_of"]

FOLDER = Path(__file__).parent / "verdicts"

GPUS: Mapping[str, tuple[str, str]] = {
    # word: product's name, compute capability. https://developer.nvidia.com/cuda-gpus and cuda-legacy-gpus
    "K40": ("Tesla K40c", "3.5"),
    "K80": ("Tesla K80", "3.7"),
    "GTX-750-Ti": ("NVIDIA GeForce GTX 750 Ti", "5.0"),
    "GTX-980": ("NVIDIA GeForce GTX 980", "5.2"),
    "M60": ("Tesla M60", "5.2"),
    "P100": ("Tesla P100-PCIE-16GB", "6.0"),
    "P40": ("Tesla P40", "6.1"),
    "GTX-1050": ("NVIDIA GeForce GTX 1050", "6.1"),
    "GTX-1080-Ti": ("NVIDIA GeForce GTX 1080 Ti", "6.1"),
    "V100": ("Tesla V100-SXM2-32GB", "7.0"),
    "Titan-V": ("NVIDIA TITAN V", "7.0"),
    "T4": ("Tesla T4", "7.5"),
    "T4G": ("NVIDIA T4G", "7.5"),
    "GTX-1650": ("NVIDIA GeForce GTX 1650", "7.5"),
    "RTX-2080-Ti": ("NVIDIA GeForce RTX 2080 Ti", "7.5"),
    "A100": ("NVIDIA A100-SXM4-80GB", "8.0"),
    "A10": ("NVIDIA A10", "8.6"),
    "RTX-A6000": ("NVIDIA RTX A6000", "8.6"),
    "RTX-3060": ("NVIDIA GeForce RTX 3060", "8.6"),
    "RTX-3090": ("NVIDIA GeForce RTX 3090", "8.6"),
    "L4": ("NVIDIA L4", "8.9"),
    "RTX-4060": ("NVIDIA GeForce RTX 4060 Laptop GPU", "8.9"),
    "RTX-4090": ("NVIDIA GeForce RTX 4090", "8.9"),
    "H100": ("NVIDIA H100 80GB HBM3", "9.0"),
    "GH200": ("NVIDIA GH200 480GB", "9.0"),
    "B200": ("NVIDIA B200", "10.0"),
    "GB200": ("NVIDIA GB200", "10.0"),
    "B300": ("NVIDIA B300 SXM6 AC", "10.3"),
    "RTX-5060": ("NVIDIA GeForce RTX 5060", "12.0"),
    "RTX-5090": ("NVIDIA GeForce RTX 5090", "12.0"),
    "GB10": ("NVIDIA GB10", "12.1"),
    "Jetson-Nano": ("NVIDIA Jetson Nano Developer Kit", "5.3"),
    "TX2": ("NVIDIA Jetson TX2 Developer Kit", "6.2"),
    "Xavier": ("NVIDIA Jetson AGX Xavier Developer Kit", "7.2"),
    "Orin": ("NVIDIA Jetson AGX Orin Developer Kit", "8.7"),
    "Thor": ("NVIDIA Thor", "11.0"),
    # AMD: product's name, LLVM target
    "MI50": ("AMD Instinct MI50", "gfx906"),
    "MI250X": ("AMD Instinct MI250X", "gfx90a"),
    "MI300X": ("AMD Instinct MI300X", "gfx942"),
    "MI355X": ("AMD Instinct MI355X", "gfx950"),
    # Intel: supported by the XPU build; UHD-630 and others that are not are no GPUs for a probe, see `_gpu`
    "Arc-A770": ("Intel Arc A770", "xpu"),
    "Arc-B580": ("Intel Arc B580", "xpu"),
    "GPU-Max-1550": ("Intel Data Center GPU Max 1550", "xpu"),
    "Meteor-Lake": ("Intel Arc Graphics (Meteor Lake-H)", "xpu integrated"),
    "Lunar-Lake": ("Intel Arc Graphics (Lunar Lake)", "xpu integrated"),
    "M1": ("Apple M1", "apple"),
    "M2": ("Apple M2", "apple"),
    "M4": ("Apple M4 Pro", "apple"),
}
UNSUPPORTED = {"UHD-630": "Intel UHD Graphics 630", "Iris-Xe": "Intel Iris Xe Graphics (Raptor Lake)"}
"""Graphics that a probe names in a note and does not list."""
INTEGRATED_AMD = frozenset({"gfx902", "gfx90c", "gfx1035", "gfx1036", "gfx1103", "gfx1150", "gfx1151"})
ON_ARM = frozenset({"T4G", "GH200", "GB200", "GB10", "Jetson-Nano", "TX2", "Xavier", "Orin", "Thor"})
BOARDS = frozenset({"Jetson-Nano", "TX2", "Xavier", "Orin", "Thor"})
L4T = {"Jetson-Nano": "32.7.1", "TX2": "32.7.1", "Xavier": "35.5.0", "Orin": "36.4.3", "Thor": "38.2.0"}

SYSTEMS: Mapping[str, tuple[str, str, str]] = {
    # word: os, its version, what its C library is
    "ubuntu-22.04": ("linux", "ubuntu 22.04", "glibc 2.35"),
    "ubuntu-18.04": ("linux", "ubuntu 18.04", "glibc 2.27"),
    "ubuntu-20.04": ("linux", "ubuntu 20.04", "glibc 2.31"),
    "ubuntu-24.04": ("linux", "ubuntu 24.04", "glibc 2.39"),
    "debian-12": ("linux", "debian 12", "glibc 2.36"),
    "rhel-7": ("linux", "rhel 7.9", "glibc 2.17"),
    "rhel-8": ("linux", "rhel 8.9", "glibc 2.28"),
    "rhel-9": ("linux", "rhel 9.4", "glibc 2.34"),
    "amazon-2": ("linux", "amzn 2", "glibc 2.26"),
    "alpine": ("linux", "alpine 3.22.1", "musl 1.2.5"),
    "windows-11": ("windows", "10.0.26100", ""),
    "windows-10": ("windows", "10.0.19045", ""),
    "macos-15": ("macos", "15.6", ""),
    "macos-11": ("macos", "11.7", ""),
    "macos-13": ("macos", "13.7", ""),
    "macos-14": ("macos", "14.5", ""),
    "macos-26": ("macos", "26.1", ""),
}
KERNELS = {"wsl1": "4.4.0-19041-Microsoft", "wsl2": "5.15.167.4-microsoft-standard-WSL2"}
PLATFORM = re.compile(r"(linux|windows|macos)_\w+", re.ASCII)
LIBRARY = re.compile(r"(libcuda|compat|broken-compat)-(\d+\.\d)", re.ASCII)
COMPAT = "/usr/local/cuda/compat/libcuda.so.1"
CHOSEN = "the table"


@dataclass(frozen=True, slots=True)
class Row:
    """One row of a table. `place` is its file and line."""

    place: str
    machine: str
    python: str
    torch: str
    offers: str
    gpus: str
    takes: str
    says: tuple[str, ...]


@cache
def rows() -> tuple[Row, ...]:
    """Every row of every table."""
    return tuple(row for path in sorted(FOLDER.glob("*.txt")) for row in _rows(path))


def _rows(path: Path) -> Iterator[Row]:
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        cells = [cell.strip() for cell in line.split("|")]
        assert len(cells) == 7, f"{path.name}:{number} has {len(cells)} cells"
        says = tuple(part.strip() for part in cells[6].split(";") if part.strip() != "-")
        found, python, torch, offers, gpus, takes, _ = cells
        yield Row(f"{path.stem}:{number}", found, python, torch, offers, gpus, takes, says)


def offers_of(text: str) -> tuple[Offer, ...] | None:
    """The offers of a row; None for automatic mode."""
    return None if text == "automatic" else tuple(map(_offer, text.split()))


def _offer(word: str) -> Offer:
    name, _, variant = word.partition("=")
    variant = variant or name
    if variant in {"gpu", "default"}:
        return Offer(name, "default")
    return Offer(name, variant, index_of(variant))


def torch_of(text: str) -> SpecifierSet | Mapping[str, SpecifierSet] | None:
    """What a row says that the project asks of torch."""
    if text == "-":
        return None
    if ":" not in text:
        return SpecifierSet(text)
    pairs = (part.partition(":") for part in text.split())
    return {name: SpecifierSet(specifier) for name, _, specifier in pairs}


def machine(text: str) -> Machine:
    """The machine that a row describes. Raises ValueError for a word that means nothing."""
    words = text.split()
    gpu_words = next((word.split("+") for word in words if _is_gpus(word)), [])
    names = [
        name.rpartition(":")[2].rpartition("x")[2] if name[0].isdigit() else name.rpartition(":")[2]
        for name in gpu_words
    ]
    system = _system(words, names)
    driver = _driver(words, names)
    without_nodes = "docker-without-gpus" in words
    gpus = () if without_nodes else tuple(gpu for word in gpu_words for gpu in _gpus(word, "no-driver" in words))
    found = Machine(system, _libc(words, system), _cpu(words, system), driver, gpus)
    notes = [
        f"{UNSUPPORTED[name]} is not supported by PyTorch's XPU build, which is for newer Intel GPUs and Arc cards"
        for name in names
        if name in UNSUPPORTED
    ]
    if without_nodes and isinstance(driver, NvidiaDriver):
        notes.append(
            f"NVIDIA driver {driver.version} ({driver.source}) belongs to the host of this docker container, which was "
            "given no GPU: there is no device node /dev/nvidia0 (start the container with its GPUs, for example "
            "`docker run --gpus all`)"
        )
    _refuse_unknown(words)
    return found._replace(
        notes=tuple(notes),
        container=Container("docker", "/.dockerenv") if {"docker", "docker-without-gpus"} & set(words) else None,
        drivers=tuple(_other_drivers(gpus)),
    )


PLAIN = frozenset(
    {"no-driver", "unread-driver", "compat-lies-about", "wsl1", "wsl2", "docker", "docker-without-gpus", "no-gpu"}
)
OTHER = re.compile(r"\d{3,4}(\.\d+)*|cpu-v[124]|libcuda-\d+\.\d|(broken-)?compat-\d+\.\d", re.ASCII)


def _refuse_unknown(words: list[str]) -> None:
    for word in words:
        if not (
            word in PLAIN or word in SYSTEMS or PLATFORM.fullmatch(word) or OTHER.fullmatch(word) or _is_gpus(word)
        ):
            raise ValueError(f"{word!r} in {' '.join(words)!r} means nothing")


def _is_gpus(word: str) -> bool:
    name = re.sub(r"^\d+x", "", word.split("+", maxsplit=1)[0].rpartition(":")[2])
    return name in GPUS or name in UNSUPPORTED or re.fullmatch(r"gfx[0-9a-f]{3,4}", name) is not None


def _gpus(word: str, unloaded: bool) -> Iterator[Gpu]:
    state, _, counted = word.rpartition(":")
    number, _, name = counted.partition("x") if counted[0].isdigit() else ("1", "", counted)
    if name in UNSUPPORTED:
        return
    gpu = _gpu(name)
    if unloaded:
        gpu = gpu._replace(source="/sys/bus/pci/devices/0000:01:00.0")
    if state == "unread":
        gpu = gpu._replace(compute_capability=Unknown("no table knows the compute capability of it"))
    if state == "hidden":
        gpu = gpu._replace(visible=False)
    if state == "closed":
        gpu = gpu._replace(visible=False, closed=f"this process may not open {_node(gpu)}")
    yield from (gpu for _ in range(int(number)))


def _node(gpu: Gpu) -> str:
    return "/dev/nvidia0" if gpu.vendor == "nvidia" else "/dev/kfd"


def _gpu(name: str) -> Gpu:
    product, can = GPUS.get(name, (f"AMD Radeon ({name})", name))
    if can == "apple":
        return Gpu("apple", product, "architecture arm64 of macOS", integrated=True)
    if can.startswith("xpu"):
        return Gpu("intel", product, "/sys/bus/pci/devices/0000:03:00.0", integrated="integrated" in can)
    if can.startswith("gfx"):
        node = "/sys/class/kfd/kfd/topology/nodes/1/properties"
        return Gpu("amd", product, node, target=can, integrated=can in INTEGRATED_AMD)
    major, _, minor = can.partition(".")
    return Gpu("nvidia", product, "NVML", compute_capability=(int(major), int(minor)))


def _system(words: list[str], names: list[str]) -> System:
    board = next((name for name in names if name in BOARDS), None)
    platform = next((word for word in words if PLATFORM.fullmatch(word)), None)
    named = next((word for word in words if word in SYSTEMS), None)
    if platform is None:
        platform = _usual_platform(named, names)
    os, _, architecture = platform.partition("_")
    version = SYSTEMS[named or next(word for word, facts in SYSTEMS.items() if facts[0] == os)][1]
    wrapped = next((KERNELS[word] for word in words if word in KERNELS), None)
    kernel = wrapped or ("5.15.148-tegra" if board else {"linux": "6.8.0-60-generic"}.get(os, version))
    return System(
        os,
        version,
        kernel,
        architecture,
        CHOSEN,
        board=GPUS[board][0] if board else None,
        l4t=L4T[board] if board else None,
    )


def _usual_platform(system: str | None, names: list[str]) -> str:
    os = SYSTEMS[system][0] if system else "linux"
    if os == "macos" or any(GPUS.get(name, ("", ""))[1] == "apple" for name in names):
        return "macos_arm64"
    return f"{os}_{'aarch64' if ON_ARM & set(names) else 'x86_64'}"


def _libc(words: list[str], system: System) -> Libc | None:
    if system.os != "linux":
        return None
    named = next((SYSTEMS[word][2] for word in words if word in SYSTEMS), SYSTEMS["ubuntu-22.04"][2])
    family, _, version = named.partition(" ")
    return Libc(family, version, f"/lib/ld-{'musl' if family == 'musl' else 'linux'}-{system.architecture}.so")


def _cpu(words: list[str], system: System) -> Cpu:
    level = next((f"x86-64-{word[4:]}" for word in words if re.fullmatch(r"cpu-v[124]", word)), "x86-64-v3")
    arm = system.architecture in {"aarch64", "arm64"}
    return Cpu("a vendor", "a model", frozenset(), "armv8" if arm else level, "/proc/cpuinfo")


def _driver(words: list[str], names: list[str]) -> NvidiaDriver | Unknown | None:
    number = next((word for word in words if re.fullmatch(r"\d{3,4}(\.\d+)*", word)), None)
    if "unread-driver" in words:
        return Unknown("NVML could not be asked")
    if number is None:
        if set(names) & BOARDS:
            return Unknown("the driver is part of L4T and carries no number there")
        return None
    on_windows = any(word.startswith("windows") for word in words)
    source = "NVML" if on_windows or "wsl2" in words else "/proc/driver/nvidia/version"
    driver = NvidiaDriver(number, source)
    if "compat-lies-about" in words:
        driver = driver._replace(compat=COMPAT)
    library = next((match for word in words if (match := LIBRARY.fullmatch(word))), None)
    if library is None:
        return driver
    kind, cuda = library.groups()
    if kind == "libcuda":
        own = CudaLibrary("/usr/lib/x86_64-linux-gnu/libcuda.so.1", cuda, 1)
        return driver._replace(cuda=cuda, library=own)
    broken = Unknown("CUDA_ERROR_COMPAT_NOT_SUPPORTED_ON_DEVICE (804)")
    return driver._replace(
        cuda=cuda, compat=COMPAT, library=CudaLibrary(COMPAT, cuda, 1 if kind == "compat" else broken)
    )


def _other_drivers(gpus: tuple[Gpu, ...]) -> Iterator[GpuDriver]:
    vendors = {gpu.vendor for gpu in gpus}
    if "amd" in vendors:
        yield GpuDriver("amdgpu", None, "/sys/module/amdgpu")
    if "intel" in vendors:
        yield GpuDriver("xe", None, "/sys/bus/pci/drivers/xe", "1.6.33578")
