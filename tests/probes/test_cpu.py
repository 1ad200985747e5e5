"""Levels are what the least able core reaches; no text makes the readers fail."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from probes import Cpu, LocalHost, System, Unknown
from probes.cpu import (
    LEVELS,
    ask_py_cpuinfo,
    level_of,
    parse_cpuinfo,
    parse_fallback,
    parse_sysctl,
    read_cpu,
)
from probes.cpu_arm import APPLE_NAMES, ARM_STEPS, IMPLEMENTERS, PARTS, arm_step_of, core_name
from probes.system import read_system

V1, V2, V3, V4 = (frozenset().union(*(added for _, added in LEVELS[: number + 1])) for number in range(4))
MAC = System("macos", "14.5", "23.5.0", "x86_64", "test")
ARM_MAC = System("macos", "14.5", "23.5.0", "arm64", "test")


def core(features: frozenset[str]) -> str:
    return f"processor\t: 0\nvendor_id\t: GenuineIntel\nmodel name\t: A: B\nflags\t\t: {' '.join(sorted(features))}\n"


def test_levels_add_to_each_other_and_never_repeat() -> None:
    seen: set[str] = set()
    for _, added in LEVELS:
        assert added
        assert not seen & added
        seen |= added
    assert [name for name, _ in LEVELS] == sorted(name for name, _ in LEVELS)


@pytest.mark.parametrize("number", range(4), ids=[name for name, _ in LEVELS])
def test_a_level_needs_all_of_its_features(number: int) -> None:
    features = (V1, V2, V3, V4)[number]
    assert level_of(features) == LEVELS[number][0]
    for missing in LEVELS[number][1]:
        assert level_of(features - {missing}) == LEVELS[max(number - 1, 0)][0]


def test_avx512_without_avx2_is_no_fourth_level() -> None:
    assert level_of(V4 - {"avx2"}) == "x86-64-v2"


def test_a_hybrid_cpu_is_as_able_as_its_least_able_core() -> None:
    cpu = parse_cpuinfo(core(V4) + "\n" + core(V3))
    assert isinstance(cpu, Cpu)
    assert (cpu.level, cpu.features) == ("x86-64-v3", V3)
    assert cpu.model == "A: B"


def test_a_cpuinfo_without_features_is_unknown() -> None:
    assert isinstance(parse_cpuinfo("processor: 0\n"), Unknown)


def test_a_risc_cpu_has_no_level_of_another_family() -> None:
    cpu = parse_cpuinfo("processor: 0\nFeatures: fp asimd\nCPU implementer: 0x41\nCPU architecture: 8\n")
    assert isinstance(cpu, Cpu)
    assert (cpu.vendor, cpu.level) == ("ARM", "armv8")


def test_reads_what_sysctl_says_of_an_intel_mac() -> None:
    text = (
        "machdep.cpu.brand_string: Intel(R) Core(TM) i7-8750H CPU @ 2.20GHz\n"
        "machdep.cpu.vendor: GenuineIntel\n"
        "machdep.cpu.features: FPU VME SSE SSE2 SSE3 SSSE3 FMA CX16 SSE4.1 SSE4.2 MOVBE POPCNT OSXSAVE AVX1.0 F16C\n"
        "machdep.cpu.leaf7_features: BMI1 AVX2 BMI2\n"
        "machdep.cpu.extfeatures: SYSCALL LAHF LZCNT EM64T\n"
    )
    cpu = parse_sysctl(text, MAC)
    assert (cpu.level, cpu.vendor) == ("x86-64-v3", "GenuineIntel")


def test_reads_what_sysctl_says_of_an_apple_chip() -> None:
    text = (
        "machdep.cpu.brand_string: Apple M2 Pro\nhw.optional.arm.FEAT_LSE: 1\nhw.optional.arm.FEAT_RDM: 1\n"
        "hw.optional.arm.FEAT_DPB: 0\nhw.optional.arm.FEAT_CSV2: 1\n"
    )
    cpu = parse_sysctl(text, ARM_MAC)
    assert (cpu.model, cpu.level, cpu.step) == ("Apple M2 Pro", "armv8", "armv8.1")
    assert cpu.features == {"atomics", "asimdrdm", "feat_csv2"}


def test_reads_what_py_cpuinfo_says() -> None:
    flags = [*(V3 - {"abm", "pni"}), "lzcnt", "sse3"]
    cpu = parse_fallback(json.dumps({"arch": "X86_64", "vendor_id_raw": "AuthenticAMD", "flags": flags}))
    assert isinstance(cpu, Cpu)
    assert (cpu.level, cpu.vendor) == ("x86-64-v3", "AuthenticAMD")
    assert isinstance(cpu.model, Unknown)


def test_a_folder_without_cpuinfo_is_unknown(tmp_path: Path) -> None:
    assert isinstance(read_cpu(LocalHost(tmp_path, {}), System("linux", "x", "y", "x86_64", "test")), Unknown)


@given(st.text() | st.text(alphabet="flagsFeatures: \n\t1xCPUarchitecture8"))
def test_no_text_makes_a_reader_fail(text: str) -> None:
    assert isinstance(parse_cpuinfo(text), (Cpu, Unknown))
    assert isinstance(parse_sysctl(text, MAC), Cpu)
    assert isinstance(parse_fallback(text), (Cpu, Unknown))


@pytest.mark.parametrize("text", ["[]", "{", "null", "7", '{"flags": 3}', '{"flags": null}'])
def test_json_of_another_form_is_unknown(text: str) -> None:
    assert isinstance(parse_fallback(text), (Cpu, Unknown))


def test_py_cpuinfo_agrees_with_the_kernel_where_both_can_be_asked() -> None:
    here = LocalHost()
    system = read_system(here)
    if system.os != "linux" or system.architecture != "x86_64":
        pytest.skip("needs Linux on x86_64")
    kernel, library = read_cpu(here, system), ask_py_cpuinfo(here)
    assert isinstance(kernel, Cpu)
    assert isinstance(library, Cpu)
    assert (library.vendor, library.model, library.level) == (kernel.vendor, kernel.model, kernel.level)


@pytest.mark.parametrize("number", range(len(ARM_STEPS)), ids=[f"armv8.{step + 1}" for step in range(len(ARM_STEPS))])
def test_a_step_of_arm_needs_all_of_its_features(number: int) -> None:
    features = frozenset().union(*ARM_STEPS[: number + 1])
    assert arm_step_of(features) == f"armv8.{number + 1}"
    for missing in ARM_STEPS[number]:
        assert arm_step_of(features - {missing}) == f"armv8.{number}"


@pytest.mark.parametrize(
    ("count", "more", "step"),
    [
        (0, {"sve"}, "armv8.0+sve"),
        (4, {"sve"}, "armv8.4+sve"),
        (4, {"sve", "sve2"}, "armv8.4+sve2"),
        (5, {"sve"}, "armv8.5+sve"),
        (5, {"sve", "sve2"}, "armv9.0"),
        (7, {"sve", "sve2"}, "armv9.2"),
    ],
)
def test_a_step_tells_of_scalable_vectors(count: int, more: set[str], step: str) -> None:
    assert arm_step_of(frozenset().union(more, *ARM_STEPS[:count])) == step


def test_steps_of_arm_never_repeat() -> None:
    assert sum(map(len, ARM_STEPS)) == len(frozenset().union(*ARM_STEPS))


def test_every_core_is_of_a_known_maker_and_has_a_name_of_its_own() -> None:
    assert {implementer for implementer, _ in PARTS} <= IMPLEMENTERS.keys()
    assert len(set(PARTS.values())) == len(PARTS)
    assert core_name("0x41", "0xd83") == "Neoverse V3AE"


def test_apples_names_cover_every_feature_that_a_step_needs() -> None:
    assert frozenset().union(*ARM_STEPS) <= set(APPLE_NAMES.values())


def arm_core(number: int, part: str, features: str) -> str:
    return (
        f"processor\t: {number}\nBogoMIPS\t: 2000.00\nFeatures\t: {features}\n"
        f"CPU implementer\t: 0x41\nCPU architecture: 8\nCPU variant\t: 0x0\nCPU part\t: {part}\n"
    )


def test_cores_of_arm_that_differ_are_as_able_as_the_least() -> None:
    cpu = parse_cpuinfo(
        arm_core(0, "0xd0c", "fp asimd atomics asimdrdm dcpop") + "\n" + arm_core(1, "0xd08", "fp asimd")
    )
    assert isinstance(cpu, Cpu)
    assert (cpu.level, cpu.step, cpu.model, cpu.cores) == ("armv8", "armv8.0", "Neoverse N1 and Cortex-A72", 2)


def test_a_core_that_no_table_knows_is_unknown() -> None:
    cpu = parse_cpuinfo(arm_core(0, "0xfff", "fp asimd"))
    assert isinstance(cpu, Cpu)
    assert cpu.model == Unknown("no table knows CPU part 0xfff of implementer 0x41")


def test_a_core_that_no_table_knows_hides_no_other() -> None:
    cpu = parse_cpuinfo(
        arm_core(0, "0xd85", "fp") + "\n" + arm_core(1, "0xfff", "fp") + "\n" + arm_core(2, "0xd85", "fp")
    )
    assert isinstance(cpu, Cpu)
    assert cpu.model == "Cortex-X925 and CPU part 0xfff of implementer 0x41"


def test_this_process_may_use_some_cores() -> None:
    here = LocalHost()
    cpu = read_cpu(here, read_system(here))
    if isinstance(cpu, Cpu):
        assert isinstance(cpu.cores, int)
        assert cpu.cores >= 1
