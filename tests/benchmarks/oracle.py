"""Does this build of torch run on that machine? A second opinion with its own tables; it imports nothing of profiles.

    Build (torch 2.14, cu126) ──> can it be installed?  published, Python, C library, macOS
                              └─> which GPUs work?      driver, code in the wheel, vendor

It answers for one build at a time and knows nothing of offers or preferences.
Written from the collected facts about the wheels (letters in comments are their sections): release table B, tags B2,
architectures read from the wheels C0 and from build scripts C1, torch's rule of coverage C2, driver floors A2 and A3,
ROCm targets E2, XPU F1, macOS F2. Where those say that something is not confirmed, the comment says `unconfirmed`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from probes import CudaLibrary, Gpu, Libc, Machine, NvidiaDriver, Unknown

__all__ = ["NEWEST", "RELEASES", "Build", "Merit", "Ruling", "builds", "deciding", "default_variant", "merit", "rule"]

Number = tuple[int, ...]

# B. Pythons; CUDA on Linux x86_64 and Windows; CUDA on Linux aarch64; ROCm; XPU; the default index's build on Linux
# x86_64. ROCm of 2.15 and 2.14's others than 7.2 are unconfirmed and left out, as is the partial cu129 of 2.9.
RELEASES_TEXT = """
1.13  3.7-3.10        116 117      -            5.2        -    117
2.0   3.8-3.11        117 118      -            5.3 5.4.2  -    117
2.1   3.8-3.11        118 121      -            5.5 5.6    -    121
2.2   3.8-3.12        118 121      -            5.6 5.7    -    121
2.3   3.8-3.12        118 121      -            5.7 6.0    -    121
2.4   3.8-3.12        118 121 124  -            6.0 6.1    -    121
2.5   3.9-3.12        118 121 124  124          6.1 6.2    -    124
2.6   3.9-3.13        118 124 126  126          6.1 6.2.4  xpu  124
2.7   3.9-3.13        118 126 128  128          6.2.4 6.3  xpu  126
2.8   3.9-3.13        126 128 129  129          6.3 6.4    xpu  128
2.9   3.10-3.14       126 128 130  126 128 130  6.3 6.4    xpu  128
2.10  3.10-3.14       126 128 130  126 128 130  7.0 7.1    xpu  128
2.11  3.10-3.14       126 128 130  126 128 130  7.1 7.2    xpu  130
2.12  3.10-3.14       126 130 132  126 130 132  7.1 7.2    xpu  130
2.13  3.10-3.14       126 130 132  126 130 132  7.1 7.2    xpu  130
2.14  3.10-3.14       126 130 132  126 130 132  7.2        xpu  130
2.15  3.11-3.14       130 132      130 132      -          xpu  132
"""
# B. 3.13t from 2.6 to 2.11, 3.14t from 2.9 on.
FREE_THREADED: Mapping[Number, tuple[Number, Number]] = {(3, 13): ((2, 6), (2, 11)), (3, 14): ((2, 9), (9, 9))}
TEGRA = frozenset({(5, 3), (6, 2), (7, 2), (8, 7)})  # C2: these run their own code only
FLOORS: Mapping[tuple[int, bool], str] = {  # A2: CUDA major, whether the number is Windows' own
    (11, False): "450.80.02", (12, False): "525.60.13", (13, False): "580",
    (11, True): "452.39", (12, True): "528.33", (13, True): "580",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Build:
    """A minor release of torch and a variant such as `cu126`; both as texts."""

    torch: str
    variant: str


@dataclass(frozen=True, slots=True)
class Ruling:
    """Whether a build can be installed, the places of the machine's visible GPUs that it works on, and why not more."""

    installs: bool
    gpus: frozenset[int]
    why: str


@dataclass(frozen=True, slots=True)
class _Release:
    pythons: tuple[Number, Number]
    variants: Mapping[str, frozenset[str]]
    default: str


def _number(text: str) -> Number:
    return tuple(map(int, re.findall(r"\d+", text)))


def _read() -> Iterator[tuple[str, _Release]]:
    for line in RELEASES_TEXT.strip().splitlines():
        torch, pythons, cuda, arm, rocm, xpu, default = re.split(r"\s{2,}", line.strip())
        oldest, newest = map(_number, pythons.split("-"))
        on_x86 = {"cpu", *(f"cu{each}" for each in cuda.split())}
        xpus = {"xpu"} if xpu == "xpu" and _number(torch) >= (2, 7) else set()  # 2.6 only under test/, F1
        variants = {
            "linux_x86_64": frozenset(on_x86 | xpus | {f"rocm{each}" for each in rocm.split() if each != "-"}),
            "linux_aarch64": frozenset({"cpu", *(f"cu{each}" for each in arm.split() if each != "-")}),
            "windows_x86_64": frozenset(on_x86 | xpus),
            "macos_arm64": frozenset({"cpu"}),
            # B2: the last for Intel's Macs is 2.2
            "macos_x86_64": frozenset({"cpu"} if _number(torch) <= (2, 2) else ()),
        }
        yield torch, _Release((oldest, newest), variants, f"cu{default}")


RELEASES: Mapping[str, _Release] = dict(_read())
NEWEST = list(RELEASES)[-1]


def builds(platform: str) -> tuple[Build, ...]:
    """Every build for a platform, newest torch first."""
    return tuple(
        Build(torch, variant)
        for torch, release in sorted(RELEASES.items(), key=lambda row: _number(row[0]), reverse=True)
        for variant in sorted(release.variants.get(platform, ()))
    )


def default_variant(torch: str, platform: str) -> str:
    """What the default index has: CUDA on Linux x86_64, on Arm since 2.11, the CPU's elsewhere (B, B2)."""
    release = RELEASES.get(torch, RELEASES[NEWEST])
    if platform == "linux_x86_64" or (platform == "linux_aarch64" and _number(torch) >= (2, 11)):
        return release.default
    return "cpu"


def rule(build: Build, machine: Machine, python: str = "3.12") -> Ruling:
    """What becomes of a build on a machine. A torch newer than the newest known is taken to be like that."""
    platform = f"{machine.system.os}_{machine.system.architecture}"
    torch = _number(build.torch)
    release = RELEASES.get(build.torch) or (RELEASES[NEWEST] if torch > _number(NEWEST) else None)
    if release is None or build.variant not in release.variants.get(platform, ()):
        return Ruling(False, frozenset(), "not published")
    trouble = _python(release, torch, python) or _system(build.variant, torch, machine)
    if trouble:
        return Ruling(False, frozenset(), trouble)
    reasons = {place: _gpu(build.variant, torch, gpu, machine) for place, gpu in enumerate(machine.gpus) if gpu.visible}
    works = frozenset(place for place, why in reasons.items() if why is None)
    return Ruling(True, works, "; ".join(why for why in reasons.values() if why))


def _python(release: _Release, torch: Number, python: str) -> str | None:
    asked = _number(python)
    if python.endswith("t"):
        oldest, newest = FREE_THREADED.get(asked, ((9, 9), (0,)))
        return None if oldest <= torch <= newest else f"no wheels for {python}"
    return None if release.pythons[0] <= asked <= release.pythons[1] else f"no wheels for {python}"


def _system(variant: str, torch: Number, machine: Machine) -> str | None:
    if machine.system.os == "macos":  # B2: macosx_14_0 from 2.12 on, macosx_11_0 before
        version = machine.system.version
        needs = (14,) if torch >= (2, 12) and machine.system.architecture == "arm64" else (11,)
        return f"needs macOS {needs[0]}" if isinstance(version, str) and _number(version) < needs else None
    if not isinstance(machine.libc, Libc):
        return None
    if machine.libc.family != "glibc":
        return "needs glibc"
    needed = (2, 28) if torch >= (2, 7) else (2, 17)
    if torch == (2, 6) and (machine.system.architecture == "aarch64" or variant in {"cu126", "rocm6.2.4", "xpu"}):
        needed = (2, 28)
    version = machine.libc.version
    return f"needs glibc {needed[1]}" if isinstance(version, str) and _number(version) < needed else None


def _gpu(variant: str, torch: Number, gpu: Gpu, machine: Machine) -> str | None:
    """Why a GPU would not work; None if it does."""
    if variant == "cpu":
        return None if gpu.vendor == "apple" else "a build for the CPU"
    vendor = {"c": "nvidia", "r": "amd", "x": "intel"}[variant[0]]
    if gpu.vendor != vendor:
        return f"not for {gpu.vendor}"
    if vendor == "amd":
        known = isinstance(gpu.target, str)
        return None if not known or gpu.target in _targets(variant, torch) else f"no code for {gpu.target}"
    return _nvidia(variant, torch, gpu, machine) if vendor == "nvidia" else None


def _nvidia(variant: str, torch: Number, gpu: Gpu, machine: Machine) -> str | None:
    major = int(variant[2:4])
    by_windows = machine.system.os == "windows" or machine.system.wsl == 2  # F4
    floor = FLOORS[major, by_windows]
    if not isinstance(machine.driver, NvidiaDriver):
        return "no driver that is known"
    if isinstance(machine.driver.library, CudaLibrary) and isinstance(machine.driver.library.devices, Unknown):
        return f"libcuda does not start: {machine.driver.library.devices.reason}"
    if _number(machine.driver.version) < _number(floor) and not _forward(major, gpu, machine.driver):
        return f"needs driver {floor}"
    device = gpu.compute_capability
    if not isinstance(device, tuple):
        return None
    codes = _codes(variant, torch, machine.system.os, str(machine.system.architecture))
    covered = any(
        code == device if {code, device} & TEGRA else code[0] == device[0] and code[1] <= device[1] for code in codes
    )
    return None if covered else f"no code for {device[0]}.{device[1]}"


def _forward(major: int, gpu: Gpu, driver: NvidiaDriver) -> bool:
    """A3: cuda-compat carries a newer CUDA over an older driver, on data-center GPUs."""
    library = driver.library
    if isinstance(gpu.name, Unknown) or re.search(r"GeForce|TITAN|Quadro|\bRTX\b", gpu.name):
        return False
    if (
        not isinstance(library, CudaLibrary)
        or not isinstance(library.cuda, str)
        or not isinstance(library.devices, int)
    ):
        return False
    return library.devices > 0 and _number(library.cuda)[0] >= major


def _codes(variant: str, torch: Number, os: str, architecture: str) -> set[tuple[int, int]]:
    """C0, C1: the architectures that a wheel holds machine code for; it holds no PTX."""
    if architecture == "aarch64":
        return _arm_codes(variant, torch)
    cuda = int(variant[2:])
    if cuda <= 118:
        codes = {(3, 7), (5, 0), (6, 0), (7, 0), (7, 5), (8, 0), (8, 6)} | ({(9, 0)} if cuda == 118 else set())
    elif cuda <= 126:
        codes = {(5, 0), (6, 0), (7, 0), (7, 5), (8, 0), (8, 6), (9, 0)}
    else:
        codes = {(7, 5), (8, 0), (8, 6), (9, 0), (10, 0), (12, 0)}
        volta = cuda in {128, 129} and (2, 8) <= torch <= (2, 10) and os == "linux"  # Windows: unconfirmed
        codes |= {(7, 0)} if volta else set()
    return codes | ({(6, 1)} if os == "windows" and cuda in {118, 126} else set())


def _arm_codes(variant: str, torch: Number) -> set[tuple[int, int]]:
    cuda = int(variant[2:])
    if cuda >= 130:
        return {(8, 0), (9, 0), (10, 0), (11, 0), (12, 0)}
    if cuda in {128, 129}:
        return {(9, 0), (10, 0), (12, 0)}  # unconfirmed: the scripts' x86_64 list, what servers with Arm have of it
    return {(9, 0)} if cuda == 124 or torch < (2, 7) else {(8, 0), (9, 0)}  # "9.0 early, then 8.0 9.0"


def _targets(variant: str, torch: Number) -> set[str]:
    """E2."""
    version = _number(variant)
    targets = {"gfx900", "gfx906", "gfx908", "gfx90a", "gfx1030"}
    since = (
        ((5, 5), "gfx1100"), ((6, 0), "gfx942"), ((6, 2, 4), "gfx1101 gfx1102 gfx1200 gfx1201"), ((7, 0), "gfx950"),
        ((7, 2), "gfx1150 gfx1151"),
    )  # fmt: skip
    for first, names in since:
        if version >= first:
            targets |= set(names.split())
    if version == (6, 1):
        targets.add("gfx1101")
    if version >= (7, 1) and torch >= (2, 12):  # as built since the middle of 2026
        targets |= {"gfx1103", "gfx1150", "gfx1151"}
    return targets


Merit = tuple[int, int, Number]
"""How much a build does: discrete GPUs that work, GPUs that work, torch; the greatest is wanted."""


def deciding(machine: Machine) -> frozenset[int]:
    """Places of the GPUs that count: visible, and not integrated beside a discrete one of the same vendor."""
    seen = {place: gpu for place, gpu in enumerate(machine.gpus) if gpu.visible}
    discrete = {gpu.vendor for gpu in seen.values() if not gpu.integrated}
    return frozenset(place for place, gpu in seen.items() if not (gpu.integrated and gpu.vendor in discrete))


def merit(build: Build, machine: Machine, python: str, counted: frozenset[int]) -> Merit | None:
    """How much a build does on a machine; None if it cannot be installed there."""
    ruling = rule(build, machine, python)
    if not ruling.installs:
        return None
    works = ruling.gpus & counted
    return sum(not machine.gpus[place].integrated for place in works), len(works), _number(build.torch)
