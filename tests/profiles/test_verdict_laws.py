"""What holds for every verdict: on each machine of the tables, and on machines that hypothesis makes up."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from packaging.specifiers import SpecifierSet
from packaging.version import Version

from probes import Gpu, Machine, NvidiaDriver, System, Unknown
from profiles import (
    ALL,
    Choice,
    NoOfferError,
    Offer,
    Wanted,
    accelerates,
    automatic_offers,
    choose,
    counted,
    index_of,
    read_wanted,
    why_not,
)
from tests.profiles.verdict_machines import machine, rows

OFFERS = (
    *automatic_offers(),
    Offer("gpu", "default"),
    Offer("mine", "cu126", index_of("cu126")),
    Offer("odd", "cu999"),
    Offer("none of ours", "vulkan"),
)
SOME = tuple(each for each in OFFERS if each.name in {"cpu", "cu118", "cu126", "cu128", "cu130", "rocm7.2", "gpu"})
MACHINES = tuple(dict.fromkeys(row.machine for row in rows()))
WITHOUT_DRIVER = tuple(dict.fromkeys(re.sub(r" (\d{3}[\d.]*|\S*compat\S*|libcuda\S+)", "", each) for each in MACHINES))
RANGES = (None, SpecifierSet("==2.5.1"), SpecifierSet("<2.11"), SpecifierSet("==2.15.*"), SpecifierSet(">=2.16"))
DRIVERS = (
    "390.157", "450.66", "450.80.02", "452.39", "525.60.11", "525.60.13", "527.41", "528.33", "535.129.03", "575.57.08",
    "580", "580.65.06", "590.44.01", "1000.1",
)  # fmt: skip
FLOORS = ("450.66", "452.39", "525.60.11", "528.33", "575.57.08", "580.65.06")
"""Below and above what Linux and Windows need for CUDA 11, 12 and 13."""
CAPABILITIES = (
    (3, 5),
    (3, 7),
    (5, 0),
    (6, 1),
    (7, 0),
    (7, 5),
    (8, 0),
    (8, 7),
    (8, 9),
    (9, 0),
    (10, 0),
    (11, 0),
    (12, 1),
)

every_driver = pytest.mark.parametrize("words", WITHOUT_DRIVER, ids=lambda words: words.replace(" ", "_"))
every_machine = pytest.mark.parametrize("words", MACHINES, ids=lambda words: words.replace(" ", "_"))


def answer(offers: Sequence[Offer], found: Machine, **asked: object) -> Choice | None:
    try:
        return choose(offers, found, **asked)  # type: ignore[arg-type]
    except NoOfferError:
        return None


def nvidia(*capabilities: tuple[int, int] | Unknown) -> tuple[Gpu, ...]:
    return tuple(
        Gpu("nvidia", f"NVIDIA GPU {number}", "NVML", compute_capability=capability)
        for number, capability in enumerate(capabilities)
    )


a_gpu = st.one_of(
    st.builds(lambda capability: nvidia(capability)[0], st.sampled_from((*CAPABILITIES, Unknown("not read")))),
    st.builds(
        lambda target, integrated: Gpu("amd", f"AMD {target}", "KFD", target=target, integrated=integrated),
        st.sampled_from(("gfx900", "gfx90a", "gfx1031", "gfx1036", "gfx1100", "gfx1151", Unknown("not read"))),
        st.booleans(),
    ),
    st.builds(lambda integrated: Gpu("intel", "Intel Arc", "PCI", integrated=integrated), st.booleans()),
)
hidden_or_not = st.builds(lambda gpu, seen: gpu._replace(visible=seen), a_gpu, st.booleans())
base = st.sampled_from(
    [
        machine(f"no-gpu {words}")
        for words in ("ubuntu-22.04", "rhel-7", "alpine", "windows-11", "wsl2", "linux_aarch64")
    ]
    + [machine("M2 macos-13"), machine("no-gpu")._replace(system=System("linux", "?", "6", Unknown("why"), "nowhere"))]
)
driver = st.one_of(
    st.none(),
    st.just(Unknown("not read")),
    st.builds(lambda number: NvidiaDriver(number, "NVML"), st.sampled_from((*DRIVERS, "", "beta", "570.x"))),
)
worlds = st.builds(
    lambda below, driver, gpus: below._replace(driver=driver, gpus=(*below.gpus, *gpus)),
    base,
    driver,
    st.lists(hidden_or_not, max_size=4),
)
ranges = st.sampled_from(RANGES)
pythons = st.sampled_from(["3.9", "3.12", "3.13t", "3.15", "2.7", "", "x"])
wishes = st.sampled_from(["all", "any", "0", "1,2", "7"]).map(read_wanted)
many = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def with_driver(found: Machine, version: str) -> Machine:
    return found._replace(driver=NvidiaDriver(version, "NVML"))


def minor(choice: Choice) -> int:
    """15 of torch 2.15; none of the tables' 1.x is ever the newest."""
    return Version(choice.torch or "0").minor


@every_driver
def test_a_newer_driver_loses_no_offer(words: str) -> None:
    found = machine(words)
    used: set[str] = set()
    for version in DRIVERS:
        using = {each.name for each in SOME if accelerates(each, with_driver(found, version))}
        assert used <= using, f"{version} loses {used - using}"
        used = using


@every_driver
def test_a_newer_driver_never_means_an_older_torch(words: str) -> None:
    """On a machine of one vendor: a graphics card that begins to work goes before newer torch on what else there is."""
    found = machine(words)
    if len({gpu.vendor for gpu in found.gpus if gpu.visible}) > 1:
        return
    choices = [answer(SOME, with_driver(found, version)) for version in FLOORS]
    assert len({choice is None for choice in choices}) == 1
    using = [minor(choice) for choice in choices if choice and choice.offer.variant != "cpu"]
    assert using == sorted(using)


def serves_all(offer: Offer, found: Machine, torch: SpecifierSet) -> bool:
    """Whether it works on every GPU that counts; asked of one release, as others may serve others."""
    places = [place for place, gpu in enumerate(found.gpus) if gpu in counted(found, ALL)]
    return bool(places) and all(
        accelerates(offer, found, torch=torch, wanted=Wanted(places=frozenset({place}))) for place in places
    )


@many
@given(worlds, a_gpu, st.sampled_from(("==2.5.*", "==2.9.*", "==2.14.*", "==2.15.*")).map(SpecifierSet))
def test_another_gpu_adds_no_offer_that_serves_all(found: Machine, further: Gpu, torch: SpecifierSet) -> None:
    more = found._replace(gpus=(*found.gpus, further))
    if not counted(found, ALL) or not set(counted(found, ALL)) <= set(counted(more, ALL)):
        return  # the first makes its vendor's builds possible; a card takes what is built in out of count
    for offer in SOME:
        assert serves_all(offer, found, torch) or not serves_all(offer, more, torch), offer.name


@many
@given(worlds, a_gpu)
def test_another_gpu_never_means_a_newer_torch_that_serves_all(found: Machine, further: Gpu) -> None:
    more = found._replace(gpus=(*found.gpus, further))
    before, after = answer(automatic_offers(), found), answer(automatic_offers(), more)
    if before is None or after is None or not set(counted(found, ALL)) <= set(counted(more, ALL)):
        return
    if counted(found, ALL) and serves_all(after.offer, more, SpecifierSet(f"=={after.torch}")):
        assert minor(before) >= minor(after)


@many
@given(worlds, a_gpu, ranges)
def test_a_gpu_that_programs_cannot_see_changes_nothing(
    found: Machine, further: Gpu, torch: SpecifierSet | None
) -> None:
    more = found._replace(gpus=(*found.gpus, further._replace(visible=False)))
    for offer in SOME:
        assert accelerates(offer, found, torch=torch) == accelerates(offer, more, torch=torch)
    before, after = answer(SOME, found, torch=torch), answer(SOME, more, torch=torch)
    assert (before and before.offer) == (after and after.offer)


@many
@given(worlds, ranges, wishes, st.permutations(SOME))
def test_the_order_of_offers_does_not_matter(
    found: Machine, torch: SpecifierSet | None, wanted: Wanted, offers: Sequence[Offer]
) -> None:
    one = answer(SOME, found, torch=torch, wanted=wanted)
    other = answer(offers, found, torch=torch, wanted=wanted)
    assert (one and (one.offer, one.torch, one.reason)) == (other and (other.offer, other.torch, other.reason))


@every_machine
def test_the_first_of_equals_is_taken(words: str) -> None:
    one = answer(automatic_offers(), machine(words))
    if one is None:
        return
    twins = [replace(one.offer, name=name) for name in ("b", "a")]
    for offers in (twins, twins[::-1]):
        choice = choose(offers, machine(words))
        assert choice.offer is offers[0]
        assert [each.offer for each in choice.rejected] == [each.name for each in offers[1:]]


@many
@given(worlds, ranges, wishes, st.sampled_from(SOME))
def test_an_offer_that_is_not_taken_may_as_well_be_missing(
    found: Machine, torch: SpecifierSet | None, wanted: Wanted, missing: Offer
) -> None:
    whole = answer(SOME, found, torch=torch, wanted=wanted)
    rest = answer([each for each in SOME if each is not missing], found, torch=torch, wanted=wanted)
    if whole is not None and whole.offer is not missing:
        assert rest is not None
        assert (rest.offer, rest.torch) == (whole.offer, whole.torch)


@many
@given(worlds, ranges)
def test_one_gpu_being_enough_never_means_an_older_torch(found: Machine, torch: SpecifierSet | None) -> None:
    every = answer(SOME, found, torch=torch)
    one = answer(SOME, found, torch=torch, wanted=read_wanted("any"))
    if len({gpu.vendor for gpu in found.gpus if gpu.visible}) == 1 and every and one:
        assert minor(one) >= minor(every)


@many
@given(worlds, pythons, ranges, wishes, st.lists(st.sampled_from(OFFERS), unique=True))
def test_nothing_but_the_lack_of_an_offer_is_raised_and_every_offer_gets_its_sentence(
    found: Machine, python: str, torch: SpecifierSet | None, wanted: Wanted, offers: Sequence[Offer]
) -> None:
    try:
        choice = choose(offers, found, python=python, torch=torch, wanted=wanted)
    except NoOfferError as error:
        rejected, said = error.rejected, [str(error)]
        assert {each.offer for each in rejected} == {each.name for each in offers}
    else:
        rejected, said = choice.rejected, [choice.reason, *choice.warnings]
        assert {each.offer for each in rejected} == {each.name for each in offers} - {choice.offer.name}
        assert choice.torch is not None
        json.dumps(choice.to_json())
    for sentence in (*said, *(each.reason for each in rejected)):
        assert sentence.strip() == sentence != ""
        assert len(sentence.splitlines()) == 1


@settings(many, max_examples=200)
@given(worlds, pythons, ranges, wishes, st.sampled_from(OFFERS))
def test_why_not_is_a_sentence_that_names_the_offer(
    found: Machine, python: str, torch: SpecifierSet | None, wanted: Wanted, offer: Offer
) -> None:
    sentence = why_not(offer, found, python=python, torch=torch, wanted=wanted)
    name, _, reason = sentence.partition(": ")
    assert name == offer.name
    assert reason.strip() == reason != ""
    assert len(sentence.splitlines()) == 1
    uses = accelerates(offer, found, python=python, torch=torch, wanted=wanted)
    assert uses == reason.startswith("nothing is in the way")


@every_machine
def test_why_not_names_what_is_there(words: str) -> None:
    """A sentence on a driver that is too old holds both numbers, and where one was read."""
    found = machine(words)
    for offer in automatic_offers():
        sentence = why_not(offer, found)
        if "needs NVIDIA driver" in sentence and isinstance(found.driver, NvidiaDriver):
            assert found.driver.version in sentence
            assert found.driver.source in sentence
