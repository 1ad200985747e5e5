"""Arm's cores: who makes them, what they are called, and which step of the architecture their features make.

A step is what a kernel shows of it: one that is older than a feature hides it, and the step stays lower.
"""

from __future__ import annotations

from collections.abc import Iterable

__all__ = ["APPLE_NAMES", "ARM_STEPS", "IMPLEMENTERS", "PARTS", "arm_step_of", "core_name"]

ARM_STEPS: tuple[frozenset[str], ...] = (
    # What the steps armv8.1, armv8.2, … make mandatory and /proc/cpuinfo shows.
    # https://docs.kernel.org/arch/arm64/elf_hwcaps.html for the names,
    # https://developer.arm.com/documentation/109697, "Feature descriptions" for the steps.
    frozenset({"atomics", "asimdrdm"}),
    frozenset({"dcpop"}),
    frozenset({"fcma", "jscvt", "lrcpc"}),
    frozenset({"asimddp", "dit", "flagm", "ilrcpc", "uscat"}),
    frozenset({"flagm2", "frint", "sb"}),
    frozenset({"bf16", "ecv", "i8mm"}),
    frozenset({"afp", "wfxt"}),
)
_NINTH = 5
"""Armv9.0 is Armv8.5 with SVE2, Armv9.1 is Armv8.6 with it, and so on."""

IMPLEMENTERS = {
    "0x41": "ARM", "0x42": "Broadcom", "0x43": "Cavium", "0x46": "Fujitsu", "0x48": "HiSilicon", "0x4e": "NVIDIA",
    "0x50": "APM", "0x51": "Qualcomm", "0x61": "Apple", "0x6d": "Microsoft", "0xc0": "Ampere",
}  # fmt: skip
"""`CPU implementer` of /proc/cpuinfo. Linux, arch/arm64/include/asm/cputype.h"""

PARTS = {  # implementer and part -> core. Linux, arch/arm64/include/asm/cputype.h
    ("0x41", "0xd03"): "Cortex-A53", ("0x41", "0xd04"): "Cortex-A35", ("0x41", "0xd05"): "Cortex-A55",
    ("0x41", "0xd07"): "Cortex-A57", ("0x41", "0xd08"): "Cortex-A72", ("0x41", "0xd09"): "Cortex-A73",
    ("0x41", "0xd0a"): "Cortex-A75", ("0x41", "0xd0b"): "Cortex-A76", ("0x41", "0xd0c"): "Neoverse N1",
    ("0x41", "0xd0d"): "Cortex-A77", ("0x41", "0xd0e"): "Cortex-A76AE", ("0x41", "0xd40"): "Neoverse V1",
    ("0x41", "0xd41"): "Cortex-A78", ("0x41", "0xd42"): "Cortex-A78AE", ("0x41", "0xd44"): "Cortex-X1",
    ("0x41", "0xd46"): "Cortex-A510", ("0x41", "0xd47"): "Cortex-A710", ("0x41", "0xd48"): "Cortex-X2",
    ("0x41", "0xd49"): "Neoverse N2", ("0x41", "0xd4b"): "Cortex-A78C", ("0x41", "0xd4c"): "Cortex-X1C",
    ("0x41", "0xd4d"): "Cortex-A715", ("0x41", "0xd4e"): "Cortex-X3", ("0x41", "0xd4f"): "Neoverse V2",
    ("0x41", "0xd80"): "Cortex-A520", ("0x41", "0xd81"): "Cortex-A720", ("0x41", "0xd82"): "Cortex-X4",
    ("0x41", "0xd83"): "Neoverse V3AE", ("0x41", "0xd84"): "Neoverse V3", ("0x41", "0xd85"): "Cortex-X925",
    ("0x41", "0xd87"): "Cortex-A725", ("0x41", "0xd89"): "Cortex-A720AE", ("0x41", "0xd8c"): "C1-Ultra",
    ("0x41", "0xd8e"): "Neoverse N3", ("0x41", "0xd90"): "C1-Premium",
    ("0x43", "0x0a1"): "ThunderX", ("0x43", "0x0af"): "ThunderX2", ("0x42", "0x516"): "Vulcan",
    ("0x46", "0x001"): "A64FX", ("0x48", "0xd01"): "TSV110", ("0x48", "0xd02"): "HIP09", ("0x48", "0xd06"): "HIP12",
    ("0x4e", "0x003"): "Denver 2", ("0x4e", "0x004"): "Carmel", ("0x4e", "0x010"): "Olympus",
    ("0x51", "0x001"): "Oryon", ("0x6d", "0xd49"): "Azure Cobalt 100",
    ("0xc0", "0xac3"): "Ampere-1", ("0xc0", "0xac4"): "Ampere-1A",
}  # fmt: skip

APPLE_NAMES = {
    # What sysctl on macOS calls a feature (hw.optional.arm), in small letters -> what /proc/cpuinfo calls it.
    # https://developer.apple.com/documentation/kernel/1387446-sysctlbyname/determining_instruction_set_characteristics
    "feat_afp": "afp", "feat_aes": "aes", "feat_bf16": "bf16", "feat_bti": "bti", "feat_crc32": "crc32",
    "armv8_crc32": "crc32", "feat_dit": "dit", "feat_dotprod": "asimddp", "feat_dpb": "dcpop", "feat_dpb2": "dcpodp",
    "feat_ecv": "ecv", "feat_fcma": "fcma", "feat_fhm": "asimdfhm", "feat_flagm": "flagm", "feat_flagm2": "flagm2",
    "feat_fp16": "fphp", "feat_frintts": "frint", "feat_i8mm": "i8mm", "feat_jscvt": "jscvt", "feat_lrcpc": "lrcpc",
    "feat_lrcpc2": "ilrcpc", "feat_lse": "atomics", "feat_lse2": "uscat", "feat_pauth": "paca", "feat_pmull": "pmull",
    "feat_rdm": "asimdrdm", "feat_rpres": "rpres", "feat_sb": "sb", "feat_sha1": "sha1", "feat_sha256": "sha2",
    "feat_sha3": "sha3", "feat_sha512": "sha512", "feat_sme": "sme", "feat_sme2": "sme2", "feat_ssbs": "ssbs",
    "feat_wfxt": "wfxt", "floatingpoint": "fp", "neon": "asimd",
    # The same before macOS 12.
    "armv8_1_atomics": "atomics", "armv8_2_fhm": "asimdfhm", "armv8_2_sha3": "sha3", "armv8_2_sha512": "sha512",
    "neon_fp16": "fphp",
}  # fmt: skip


def core_name(implementer: str, part: str) -> str | None:
    """`Cortex-X925` for what /proc/cpuinfo writes as `0x41` and `0xd85`; None where no table knows it."""
    return PARTS.get((implementer, part))


def arm_step_of(features: Iterable[str]) -> str:
    """The highest step whose features are all there, such as `armv8.2`, `armv8.4+sve` or `armv9.0`."""
    present = frozenset(features)
    reached = next((minor for minor, added in enumerate(ARM_STEPS) if not added <= present), len(ARM_STEPS))
    if "sve2" in present and reached >= _NINTH:
        return f"armv9.{reached - _NINTH}"
    vectors = "+sve2" if "sve2" in present else "+sve" if "sve" in present else ""
    return f"armv8.{reached}{vectors}"
