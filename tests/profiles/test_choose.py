"""The choice for a grid of machines, and the laws that hold for every machine and every set of offers."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from packaging.specifiers import SpecifierSet

from probes import Cpu, CudaLibrary, Gpu, Libc, Machine, NvidiaDriver, System, Unknown
from profiles import Choice, NoOfferError, Offer, accelerates, automatic_offers, choose, index_of, why_not
from profiles.wanted import read_wanted

CPU = Cpu("GenuineIntel", "i7", frozenset(), "x86-64-v3", "/proc/cpuinfo")
NOWHERE = "the test"


def machine(
    driver: str | Unknown | None = None,
    *capabilities: str,
    os: str = "linux",
    architecture: str = "x86_64",
    glibc: str = "2.36",
) -> Machine:
    gpus = tuple(
        Gpu("nvidia", f"GPU {number}", "NVML", compute_capability=_capability(text))
        for number, text in enumerate(capabilities)
    )
    version = {"linux": "debian 12", "macos": "14.5", "windows": "10.0.22631"}[os]
    return Machine(
        System(os, version, "6.1", architecture, NOWHERE),
        Libc("glibc", glibc, "confstr") if os == "linux" else None,
        CPU,
        NvidiaDriver(driver, "/proc/driver/nvidia/version") if isinstance(driver, str) else driver,
        gpus,
    )


def _capability(text: str) -> tuple[int, int] | Unknown:
    major, _, minor = text.partition(".")
    return (int(major), int(minor)) if minor else Unknown(text)


def offers(*names: str) -> tuple[Offer, ...]:
    return tuple(Offer("gpu", "default") if name == "default" else Offer(name, name, index_of(name)) for name in names)


USUAL = offers("cpu", "cu126", "cu130")
MAC = machine(os="macos", architecture="arm64")._replace(gpus=(Gpu("apple", "Apple M2", "arm64"),))

GRID: Mapping[str, tuple[Machine, tuple[Offer, ...], str, str]] = {
    # name: machine, offers, taken, torch
    "no gpu": (machine(), USUAL, "cpu", "2.15.0"),
    "driver 470": (machine("470.256.02", "8.0"), USUAL, "cpu", "2.15.0"),
    "driver one below the floor": (machine("525.60.12", "8.0"), USUAL, "cpu", "2.15.0"),
    "driver at the floor": (machine("525.60.13", "8.0"), USUAL, "cu126", "2.14.1"),
    "driver 535": (machine("535.129.03", "9.0"), USUAL, "cu126", "2.14.1"),
    "driver 580": (machine("580.65.06", "9.0"), USUAL, "cu130", "2.15.0"),
    "driver of one number": (machine("580", "9.0"), USUAL, "cu130", "2.15.0"),
    "driver compared as numbers": (machine("1000.1", "9.0"), USUAL, "cu130", "2.15.0"),
    "pascal on a new driver": (machine("580.95.05", "6.1"), USUAL, "cu126", "2.14.1"),
    "volta on a new driver": (machine("580.95.05", "7.0"), automatic_offers(), "cu126", "2.14.1"),
    "blackwell on 570": (machine("570.195.03", "12.0"), automatic_offers(), "cu128", "2.11.0"),
    "kepler on 470": (machine("470.256.02", "3.7"), automatic_offers(), "cu118", "2.7.1"),
    "old and new card": (machine("580.95.05", "6.1", "8.9"), USUAL, "cu126", "2.14.1"),
    "hopeless and new card": (machine("580.95.05", "3.5", "8.9"), USUAL, "cu130", "2.15.0"),
    "newest torch before highest cuda": (machine("580.95.05", "8.9"), offers("cu129", "cu126"), "cu126", "2.14.1"),
    "highest cuda of one torch": (machine("580.95.05", "8.9"), offers("cu130", "cu132"), "cu132", "2.15.0"),
    "unknown capability": (machine("580.95.05", "not read"), USUAL, "cu130", "2.15.0"),
    "unknown driver": (machine(Unknown("broken"), "9.0"), USUAL, "cpu", "2.15.0"),
    "default on linux with gpu": (machine("580.95.05", "9.0"), offers("cpu", "default"), "gpu", "2.15.0"),
    "default on linux without gpu": (machine(), offers("cu126", "default"), "gpu", "2.15.0"),
    "default on windows with gpu": (
        machine("580.88", "9.0", os="windows"),
        offers("default", "cu126"),
        "cu126",
        "2.14.1",
    ),
    "no gpu and no cpu build": (machine(), offers("cu126", "cu130"), "cu130", "2.15.0"),
    "windows floor": (machine("527.41", "8.0", os="windows"), USUAL, "cpu", "2.15.0"),
    "orin": (machine("580.95.05", "8.7", architecture="aarch64"), USUAL, "cpu", "2.15.0"),
    "thor": (machine("580.95.05", "11.0", architecture="aarch64"), USUAL, "cu130", "2.15.0"),
    "gh200": (machine("580.95.05", "9.0", architecture="aarch64"), offers("cpu", "default"), "gpu", "2.15.0"),
    "mac": (MAC, offers("cpu", "cu126"), "cpu", "2.15.0"),
    "mac with the default": (MAC, offers("cu126", "default"), "gpu", "2.15.0"),
    "old mac": (machine(os="macos", architecture="x86_64"), USUAL, "cpu", "2.2.2"),
    "old glibc": (machine("580.95.05", "8.0", glibc="2.17"), automatic_offers(), "cu124", "2.6.0"),
}


@pytest.mark.parametrize(("found", "offered", "taken", "torch"), GRID.values(), ids=GRID)
def test_takes(found: Machine, offered: tuple[Offer, ...], taken: str, torch: str) -> None:
    python = "3.11" if torch == "2.2.2" else "3.12"
    choice = choose(offered, found, python=python)
    assert (choice.offer.name, choice.torch) == (taken, torch)
    assert {each.offer for each in choice.rejected} == {offer.name for offer in offered} - {taken}


@pytest.mark.parametrize(
    ("torch", "taken", "version"),
    [
        ("==2.5.1", "cu124", "2.5.1"),
        (">=2.5,<2.10", "cu128", "2.9.1"),
        ("==2.9.0+cu128", "cu128", "2.9.0"),
        ("==2.15.*", "cpu", "2.15.0"),
        ("==2.9.7", "cu128", "2.9.7"),
    ],
)
def test_takes_what_the_project_asks_of_torch(torch: str, taken: str, version: str) -> None:
    choice = choose(offers("cpu", "cu124", "cu128"), machine("550.54.14", "8.0"), torch=SpecifierSet(torch))
    assert (choice.offer.name, choice.torch) == (taken, version)


def test_asks_of_each_offer_what_was_locked_for_it() -> None:
    locked = {"cu126": SpecifierSet("==2.9.1"), "cu130": SpecifierSet("==2.10.0")}
    assert choose(USUAL, machine("580.95.05", "8.0"), torch=locked).torch == "2.10.0"
    assert choose(USUAL, machine("535.129.03", "8.0"), torch=locked).torch == "2.9.1"


def test_a_pin_beyond_the_tables_is_judged_like_the_newest_release() -> None:
    choice = choose(USUAL, machine("580.95.05", "8.0"), torch=SpecifierSet("==2.16.0"))
    assert (choice.offer.name, choice.torch) == ("cu130", "2.16.0")
    assert choose(USUAL, machine("580.95.05", "6.1"), torch=SpecifierSet("==2.16.0")).offer.name == "cpu"


def test_python_counts() -> None:
    assert choose(USUAL, machine(), python="3.10").torch == "2.14.1"
    assert choose(USUAL, machine(), python="3.13t").torch == "2.11.0"
    assert choose(USUAL, machine(), python="3.14t").torch == "2.15.0"
    with pytest.raises(NoOfferError, match=r"built for Python 3\.8 to 3\.12, not for 3\.14"):
        choose(USUAL, machine(), python="3.14", torch=SpecifierSet("==2.2.2"))


def test_wsl_needs_the_windows_driver() -> None:
    inside = machine("527.41", "8.0")
    windows = inside._replace(system=inside.system._replace(kernel="5.15.167.4-microsoft-standard-WSL2"))
    assert choose(USUAL, inside).offer.name == "cu126"
    assert choose(USUAL, windows).offer.name == "cpu"


def test_hidden_gpus_do_not_count() -> None:
    found = machine("580.95.05", "6.1", "8.9")
    hidden = found._replace(gpus=(found.gpus[0]._replace(visible=False), found.gpus[1]))
    assert choose(USUAL, hidden).offer.name == "cu130"


def test_says_why_not_with_the_fact_and_its_source() -> None:
    assert why_not(USUAL[2], machine("535.129.03", "9.0")) == (
        "cu130: needs NVIDIA driver 580 or newer; this machine has 535.129.03 (read from /proc/driver/nvidia/version)"
    )
    assert "holds no code for GPU 0 (compute capability 6.1, read from NVML)" in why_not(
        USUAL[2], machine("580", "6.1")
    )
    assert why_not(Offer("x", "cu999x"), machine()) == "x: cu999x is no variant that is known here"


def test_says_what_would_change_a_gpu_that_lies_idle() -> None:
    (warning,) = choose(offers("cpu", "cu130"), machine("535.129.03", "9.0")).warnings
    assert "GPU 0 (compute capability 9.0, read from NVML), but cpu will compute on the CPU" in warning
    assert "NVIDIA driver 580 or newer would allow cu130" in warning
    assert "an offer of cu126 (https://download.pytorch.org/whl/cu126) would use it" in warning


def test_says_that_torch_must_stay_old_where_a_newer_one_would_not_run() -> None:
    choice = choose(offers("cpu", "default"), machine("535.129.03", "9.0"))
    assert (choice.offer.name, choice.torch) == ("gpu", "2.10.0")
    assert "torch must not be newer than 2.10.0" in choice.warnings[0]


def test_says_that_a_card_is_left_out() -> None:
    (warning,) = choose(USUAL, machine("580", "3.5", "8.9")).warnings
    assert warning == (
        "cu130 cannot use GPU 0 (compute capability 3.5, read from NVML): "
        "give programs CUDA_DEVICE_ORDER=PCI_BUS_ID CUDA_VISIBLE_DEVICES=1"
    )


def test_says_which_build_serves_which_gpu_where_none_serves_all() -> None:
    found = machine("580.95.05", "7.0", "12.0")
    mixed = found._replace(gpus=tuple(gpu._replace(uuid=f"GPU-{place}") for place, gpu in enumerate(found.gpus)))
    choice = choose(USUAL, mixed)
    assert (choice.offer.name, choice.torch) == ("cu130", "2.15.0")
    (warning,) = choice.warnings
    assert warning == (
        "cu130 cannot use GPU 0 (compute capability 7.0, read from NVML): give programs CUDA_VISIBLE_DEVICES=GPU-1; "
        "cu126 with torch 2.14.1, in an environment of its own, would with CUDA_VISIBLE_DEVICES=GPU-0"
    )
    assert choice.changes == ("an offer of cu128 (https://download.pytorch.org/whl/cu128) would use them all",)


def test_takes_the_build_for_the_gpus_that_are_wanted() -> None:
    found = machine("580.95.05", "7.0", "12.0", "12.0")
    assert choose(USUAL, found, wanted=read_wanted("0")).offer.name == "cu126"
    assert choose(USUAL, found, wanted=read_wanted("1,2")).offer.name == "cu130"
    everything = offers("cpu", "cu126", "cu128", "cu130")
    assert choose(everything, found).torch == "2.10.0"
    assert choose(everything, found, wanted=read_wanted("any")).torch == "2.15.0"


@pytest.mark.parametrize("text", ["", "some", "0,", "-1", "0 1", "1000"])
def test_refuses_words_for_gpus_that_are_none(text: str) -> None:
    with pytest.raises(ValueError, match="must be all, any, or places"):
        read_wanted(text)


def test_an_integrated_gpu_does_not_decide_beside_a_discrete_one() -> None:
    card = Gpu("amd", "RX 7900", "KFD", target="gfx1100", integrated=False)
    inside = Gpu("amd", "Raphael", "KFD", target="gfx1036", integrated=True)
    both = machine()._replace(gpus=(inside, card))
    choice = choose(offers("cpu", "rocm6.4"), both)
    assert (choice.offer.name, choice.warnings) == ("rocm6.4", ())
    alone = choose(offers("cpu", "rocm6.4"), both._replace(gpus=(inside,)))
    assert alone.offer.name == "cpu"
    assert "HSA_OVERRIDE_GFX_VERSION=10.3.0, which AMD does not support" in alone.warnings[0]


def test_cuda_compat_counts_where_it_has_started() -> None:
    found = machine("535.129.03", "9.0")
    assert isinstance(found.driver, NvidiaDriver)
    library = CudaLibrary("/usr/local/cuda-13.0/compat/libcuda.so.1", "13.0", 1)
    assert choose(USUAL, found._replace(driver=found.driver._replace(library=library))).offer.name == "cu130"
    refused = library._replace(devices=Unknown("CUDA_ERROR_COMPAT_NOT_SUPPORTED_ON_DEVICE (804)"))
    choice = choose(USUAL, found._replace(driver=found.driver._replace(library=refused)))
    assert choice.offer.name == "cpu"
    assert "CUDA cannot start on this machine: CUDA_ERROR_COMPAT_NOT_SUPPORTED_ON_DEVICE (804)" in choice.warnings[0]


def test_says_what_a_newer_driver_would_bring_though_the_gpu_is_used() -> None:
    choice = choose(USUAL, machine("535.129.03", "9.0"))
    assert choice.changes == ("NVIDIA driver 580 or newer would allow cu130 with torch 2.15.0",)
    assert choice.warnings == ()


def test_says_that_another_torch_would_use_the_gpu() -> None:
    choice = choose(USUAL, machine("580.95.05", "6.1"), torch=SpecifierSet("==2.15.*"))
    assert choice.offer.name == "cpu"
    assert "a project that admits torch 2.14.1 could take cu126, which would use it" in choice.changes


def test_says_that_an_assumption_is_one() -> None:
    assert "assumed" in choose(USUAL, machine("580", "not read")).reason


def test_warns_of_a_cpu_that_is_too_old() -> None:
    old = machine()._replace(cpu=CPU._replace(level="x86-64-v1"))
    assert "below x86-64-v2" in choose(USUAL, old).warnings[0]
    assert choose(USUAL, machine()).warnings == ()


def test_musl_is_refused_with_the_reason_of_every_offer() -> None:
    alpine = machine()._replace(libc=Libc("musl", "1.2.5", "/lib/ld-musl-x86_64.so.1"))
    with pytest.raises(NoOfferError) as caught:
        choose(USUAL, alpine)
    assert [each.offer for each in caught.value.rejected] == ["cpu", "cu126", "cu130"]
    assert "this machine has musl (read from /lib/ld-musl-x86_64.so.1)" in str(caught.value)


def test_no_offer_is_refused() -> None:
    with pytest.raises(NoOfferError, match="nothing is offered"):
        choose((), machine())


variants = st.sampled_from([offer.variant for offer in automatic_offers()] + ["default", "cu999", "nonsense"])
versions = st.sampled_from(["450.80.02", "470.1", "525.60.13", "535.129.03", "570.1", "580.65.06", "", "x"])
devices = st.sampled_from(["3.5", "5.2", "6.1", "7.0", "7.5", "8.7", "8.9", "9.0", "10.3", "11.0", "12.1", "not read"])
systems = st.sampled_from(
    [("linux", "x86_64"), ("linux", "aarch64"), ("windows", "x86_64"), ("macos", "arm64"), ("linux", "riscv64")]
)
found_machines = st.builds(
    lambda driver, capabilities, system: machine(driver, *capabilities, os=system[0], architecture=system[1]),
    st.none() | versions | st.builds(Unknown, st.just("broken")),
    st.lists(devices, max_size=3),
    systems,
)
offered = st.lists(variants, unique=True, max_size=5).map(lambda names: offers(*names))


def chosen(some: tuple[Offer, ...], found: Machine, python: str) -> Choice | None:
    try:
        return choose(some, found, python=python)
    except NoOfferError as problem:
        assert [each.offer for each in problem.rejected] == [offer.name for offer in some]  # noqa: PT017 - refusing is right as well
        return None


@settings(max_examples=150, deadline=None)
@given(some=offered, found=found_machines, python=st.sampled_from(["3.8", "3.10", "3.12", "3.14", "4", "x", ""]))
def test_laws_of_every_choice(some: tuple[Offer, ...], found: Machine, python: str) -> None:
    choice = chosen(some, found, python)
    sentences = [why_not(offer, found, python=python) for offer in some]
    assert all(sentence.startswith(offer.name + ": ") for sentence, offer in zip(sentences, some, strict=True))
    if choice is None:
        assert not any(accelerates(offer, found, python=python) for offer in some)
        return
    used = accelerates(choice.offer, found, python=python)
    assert used == any(accelerates(offer, found, python=python) for offer in some)
    assert {each.offer for each in choice.rejected} | {choice.offer.name} == {offer.name for offer in some}
    assert choice.reason
    assert all(each.reason for each in choice.rejected)
    if not used and (found.gpus or found.driver is not None):
        assert any("compute on the CPU" in warning for warning in choice.warnings)
    reordered = chosen(tuple(reversed(some)), found, python)
    assert reordered is not None
    assert (reordered.offer, reordered.torch) == (choice.offer, choice.torch)
