"""Proofs as a reader reads them, over the real requirements of the torch world, and their laws over random worlds."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import pytest
from packaging.version import Version

from bootstrap.errors import NoSolutionError
from bootstrap.resolver.clauses import ROOT, Domain, Unsatisfiable
from bootstrap.resolver.necessity import necessary_facts, refutation
from bootstrap.resolver.proof import Shelf, tell
from bootstrap.resolver.resolve import resolve
from tests.resolver.graphs import Graph, random_graph
from tests.resolver.torch_world import CPU_INDEX, CU128_INDEX, torch_world
from tests.resolver.worlds import DEFAULT, Packages, Release, World, no_source, request_for, requirements


@dataclass(frozen=True)
class Conflict:
    """What is asked for, and the proof word by word."""

    roots: Sequence[str]
    proof: Sequence[str]
    extras: Mapping[str, Sequence[str]] = field(default_factory=dict)
    index: str | None = None
    constraints: Sequence[str] = ()
    overrides: Sequence[str] = ()


CONFLICTS = {
    "torchvision pins an older torch than the extra asks for": Conflict(
        ["torchvision==0.20.1"],
        [
            (
                "1. torchvision 0.20.1 needs torch 2.5.1, and the project needs torch 2.6 or newer (extra `cpu`) "
                "and torchvision 0.20.1, so this cannot be met."
            ),
            "To go on, relax or drop one of these: `torch>=2.6` (extra `cpu`); `torchvision==0.20.1`.",
        ],
        extras={"cpu": ["torch>=2.6"]},
    ),
    "xformers lags behind torchvision": Conflict(
        ["xformers", "torchvision>=0.24"],
        [
            (
                "1. torchvision 0.24.0 needs torch 2.9.0, every xformers needs torch 2.5.1 or 2.8.0 (each its own), "
                "and the project needs torchvision 0.24 or newer and xformers, so this cannot be met."
            ),
            "To go on, relax or drop one of these: `torchvision>=0.24`; `xformers`.",
        ],
    ),
    "torchaudio and torchvision of different releases": Conflict(
        ["torchaudio==2.8.0", "torchvision==0.22.1"],
        [
            (
                "1. torchvision 0.22.1 needs torch 2.7.1, torchaudio 2.8.0 needs torch 2.8.0, "
                "and the project needs torchvision 0.22.1 and torchaudio 2.8.0, so this cannot be met."
            ),
            "To go on, relax or drop one of these: `torchvision==0.22.1`; `torchaudio==2.8.0`.",
        ],
    ),
    "triton meets torch two steps down": Conflict(
        ["xformers", "triton==3.3.1"],
        [
            (
                "1. Every xformers needs torch 2.5.1 or 2.8.0 (each its own), "
                "torch 2.5.1 or 2.8.0 need triton 3.1.0 or 3.4.0 (each its own), "
                "and the project needs triton 3.3.1 and xformers, so this cannot be met."
            ),
            "To go on, relax or drop one of these: `triton==3.3.1`; `xformers`.",
        ],
    ),
    "a constraint excludes what langchain needs": Conflict(
        ["langchain", "torchmetrics"],
        [
            (
                "1. langchain 0.1.20 needs numpy 1 or newer and older than 2, "
                "numpy 1.26.4 is excluded by the constraint `numpy>=2`, and the project needs langchain, so "
                "this cannot be met."
            ),
            "To go on, relax or drop one of these: `langchain`; the constraint `numpy>=2`.",
        ],
        constraints=["numpy>=2"],
    ),
    "the variant's index lacks the release": Conflict(
        ["ultralytics", "torch==2.7.1"],
        [
            (
                "1. The project needs torch 2.7.1, but https://download.pytorch.org/whl/cpu has only "
                "2.5.1+cpu, 2.6.0+cpu and 2.8.0+cpu."
            ),
            "To go on, change or drop `torch==2.7.1`.",
        ],
        index=CPU_INDEX,
    ),
    "what needs torch needs a newer one than the variant's index has": Conflict(
        ["ultralytics", "torchaudio>=2.9"],
        [
            (
                "1. torchaudio 2.9.0 needs torch 2.9.0, but https://download.pytorch.org/whl/cu128 has only "
                "2.7.1+cu128 "
                "and 2.8.0+cu128, and the project needs torchaudio 2.9 or newer, so this cannot be met."
            ),
            "To go on, change or drop `torchaudio>=2.9`.",
        ],
        index=CU128_INDEX,
    ),
    "transformers needs newer tokenizers than are asked for": Conflict(
        ["transformers[torch]>=4.57", "tokenizers<0.22"],
        [
            (
                "1. transformers 4.57.1 needs tokenizers 0.22.0 or newer and 0.23.0 or older, "
                "and the project needs tokenizers older than 0.22 and transformers 4.57 or newer, so this "
                "cannot be met."
            ),
            "To go on, relax or drop one of these: `tokenizers<0.22`; `transformers[torch]>=4.57`.",
        ],
    ),
    "several releases of torch that all want a newer sympy": Conflict(
        ["sympy<1.13.3", "torch>=2.7"],
        [
            (
                "1. torch 2.7.1 or newer need sympy 1.13.3 or newer, "
                "and the project needs torch 2.7 or newer and sympy older than 1.13.3, so this cannot be met."
            ),
            "To go on, relax or drop one of these: `torch>=2.7`; `sympy<1.13.3`.",
        ],
    ),
    "an override is what is in the way": Conflict(
        ["langchain", "numpy>=2"],
        [
            (
                "1. The project needs numpy 3 or newer (an override), but https://index.example/simple has only "
                "1.26.4, 2.1.3, 2.2.3 and 2.3.4."
            ),
            "To go on, change or drop `numpy>=3` (an override).",
        ],
        overrides=["numpy>=3"],
    ),
}


@pytest.mark.parametrize("conflict", CONFLICTS.values(), ids=CONFLICTS)
def test_a_conflict_of_the_torch_world_reads_like_this(conflict: Conflict) -> None:
    request = request_for(
        *conflict.roots,
        extras=conflict.extras,
        index_for=lambda name: conflict.index if name in {"torch", "torchvision"} else None,
        constraints=requirements(*conflict.constraints),
        overrides=requirements(*conflict.overrides),
    )
    assert proof_of(torch_world(), request) == tuple(conflict.proof)


def proof_of(world: World, request: object) -> tuple[str, ...]:
    with pytest.raises(NoSolutionError) as failure:
        resolve(request, world, metadata_of_sdist=no_source)  # type: ignore[arg-type]
    return failure.value.proof


MISSING: Packages = {
    "windows-only": {"1.0": Release(files=("cp311-cp311-win_amd64",)), "0.9": Release(files=("cp311-cp311-win32",))},
    "other-python": {"1.0": Release(files=("cp312-cp312-manylinux_2_28_x86_64", "cp313-cp313-manylinux_2_28_x86_64"))},
    "newer-python": {"2.0": Release(page_python=">=3.12"), "1.9": Release(page_python=">=3.12"), "1.0": ()},
    "says-so-itself": {"1.0": Release(python=">=3.12")},
    "yanked": {"1.0": Release(yanked="broken"), "0.9": ()},
    "orphan": {"1.0": ("nobody-has-this>=2",)},
    "unreadable": {"1.0": ("this is no requirement !!",)},
    "helper": {"1.0": ("newer-python>=1",)},
}


@pytest.mark.parametrize(
    ("root", "sentence"),
    [
        (
            "windows-only>=1",
            (
                "1. The project needs windows-only 1 or newer, but windows-only 1.0 has no wheel for linux_x86_64 "
                "(only for win_amd64); https://index.example/simple has no other windows-only."
            ),
        ),
        (
            "other-python",
            (
                "1. The project needs other-python, but other-python 1.0 has no wheel for Python 3.11 (only "
                "for cp312, cp313); "
                "https://index.example/simple has no other other-python."
            ),
        ),
        (
            "newer-python>1.0",
            (
                "1. The project needs newer-python newer than 1.0, but newer-python 1.9 to 2.0 are for Python >=3.12; "
                "https://index.example/simple has only 1.0."
            ),
        ),
        (
            "says-so-itself",
            "1. says-so-itself 1.0 is for Python >=3.12, and the project needs says-so-itself, so this cannot be met.",
        ),
        (
            "yanked>=1",
            (
                "1. The project needs yanked 1 or newer, but yanked 1.0 was yanked, and only a pin with == "
                "asks for it; "
                "https://index.example/simple has only 0.9 and 1.0."
            ),
        ),
        (
            "orphan",
            (
                "1. orphan 1.0 needs nobody-has-this 2 or newer, but no index that was asked has "
                "nobody-has-this, "
                "and the project needs orphan, so this cannot be met."
            ),
        ),
        (
            "unreadable",
            (
                "1. unreadable 1.0 has broken metadata, the requirement 'this is no requirement !!' cannot be read, "
                "and the project needs unreadable, so this cannot be met."
            ),
        ),
    ],
)
def test_a_version_that_is_missing_says_what_there_is_instead(root: str, sentence: str) -> None:
    assert proof_of(World({DEFAULT: MISSING}), request_for(root))[0] == sentence


def test_names_the_index_that_alone_was_asked() -> None:
    request = request_for("torchcodec", index_for=lambda _name: CPU_INDEX)
    assert proof_of(torch_world(), request)[0] == f"1. The project needs torchcodec, but {CPU_INDEX} has no torchcodec."


def test_says_what_was_left_aside_and_why() -> None:
    request = request_for("helper", constraints=requirements("newer-python!=1.0"))
    assert proof_of(World({DEFAULT: MISSING}), request) == (
        (
            "1. helper 1.0 needs newer-python 1 or newer, newer-python 1.0 is excluded by the constraint "
            "`newer-python!=1.0`, and the project needs helper, so this cannot be met."
        ),
        "Left aside: newer-python 1.9 to 2.0 are for Python >=3.12.",
        "To go on, relax or drop one of these: `helper`; the constraint `newer-python!=1.0`.",
    )


def unsatisfiable(seed: int) -> tuple[Graph, Unsatisfiable] | None:
    graph = random_graph(random.Random(seed))
    try:
        graph.solve()
    except Unsatisfiable as contradiction:
        return graph, contradiction
    return None


FAILURES = [found for seed in range(300) if (found := unsatisfiable(seed)) is not None]


def test_necessary_facts_contradict_each_other_and_none_can_be_spared() -> None:
    for graph, contradiction in FAILURES:
        domains = {ROOT: Domain(1), **{name: graph.domain(name) for name in graph.facts}}
        facts = necessary_facts(contradiction.clause, domains)
        assert refutation(facts, domains).terms.keys() <= {ROOT}
        for fact in facts:
            with pytest.raises(ValueError, match="do not contradict"):
                refutation([each for each in facts if each is not fact], domains)


def test_necessary_facts_follow_from_the_facts_of_the_graph() -> None:
    for graph, contradiction in FAILURES:
        domains = {ROOT: Domain(1), **{name: graph.domain(name) for name in graph.facts}}
        known = [*graph.roots, *(fact for versions in graph.facts.values() for facts in versions for fact in facts)]
        for fact in necessary_facts(contradiction.clause, domains):
            behind = [each for each in known if (each.package, each.needs) == (fact.package, fact.needs)]
            covered = 0
            for each in behind:
                covered |= each.versions if not each.allowed & ~fact.allowed else 0
            assert not fact.versions & ~covered


def test_every_proof_is_numbered_and_ends_in_a_way_out() -> None:
    lengths = set()
    for graph, contradiction in FAILURES:
        shelves = {
            name: Shelf(graph.domain(name), [Version(f"{index + 1}.0") for index in range(len(versions))])
            for name, versions in graph.facts.items()
        }
        proof = tell(contradiction.clause, {ROOT: Shelf(Domain(1)), **shelves})
        assert [line.split(".")[0] for line in proof[:-1]] == [str(number + 1) for number in range(len(proof) - 1)]
        assert proof[-1].startswith("To go on, ")
        lengths.add(len(proof))
    assert len(lengths) > 1


def test_a_thousand_versions_in_the_way_are_one_sentence() -> None:
    packages: Packages = {
        "library": {f"1.{minor}": (f"torch<={minor}",) for minor in range(200)},
        "torch": {str(major): () for major in range(300)},
    }
    proof = proof_of(World({DEFAULT: packages}), request_for("library", "torch>=250"))
    assert proof == (
        (
            "1. Every library needs torch 199 or older (each its own), "
            "and the project needs torch 250 or newer and library, so this cannot be met."
        ),
        "To go on, relax or drop one of these: `torch>=250`; `library`.",
    )
