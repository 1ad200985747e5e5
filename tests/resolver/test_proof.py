"""What proofs say of what is missing, and their laws over random worlds; `test_golden` has them as people read them."""

from __future__ import annotations

import random
from collections import Counter

import pytest
from packaging.version import Version

from bootstrap.errors import NoSolutionError
from bootstrap.resolver.cases import split_of
from bootstrap.resolver.clauses import ROOT, Domain, Unsatisfiable
from bootstrap.resolver.necessity import necessary_facts, refutation
from bootstrap.resolver.proof import Shelf, tell
from bootstrap.resolver.resolve import resolve
from bootstrap.resolver.straight import course_of
from tests.resolver.graphs import Graph, random_graph
from tests.resolver.torch_world import CPU_INDEX, torch_world
from tests.resolver.worlds import DEFAULT, Packages, Release, World, no_source, request_for


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
                "(only for win_amd64)."
            ),
        ),
        (
            "other-python",
            (
                "1. The project needs other-python, but other-python 1.0 has no wheel for Python 3.11 (only "
                "for cp312, cp313)."
            ),
        ),
        (
            "newer-python>1.0",
            (
                "1. The project needs newer-python newer than 1.0, but newer-python 1.9 and 2.0 are for Python "
                ">=3.12; https://index.example/simple has only 1.0."
            ),
        ),
        (
            "says-so-itself",
            "1. The project needs says-so-itself, but says-so-itself 1.0 is for Python >=3.12.",
        ),
        (
            "yanked>=1",
            (
                "1. The project needs yanked 1 or newer, but yanked 1.0 was yanked (broken); "
                "https://index.example/simple has only 0.9."
            ),
        ),
        (
            "orphan",
            (
                "1. The project needs orphan, and orphan 1.0 needs nobody-has-this 2 or newer, but no index that was "
                "asked has nobody-has-this."
            ),
        ),
        (
            "unreadable",
            (
                "1. The project needs unreadable, but unreadable 1.0 has broken metadata, the requirement "
                "'this is no requirement !!' cannot be read."
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
    packages: Packages = {
        **MISSING,
        "viewer": {"1.0": ("server==1.0",), "2.0": Release(("server==2.0",), page_python=">=3.12")},
        "server": {"1.0": (), "2.0": ()},
    }
    assert proof_of(World({DEFAULT: packages}), request_for("viewer", "server>1")) == (
        "1. The project needs viewer, and viewer 1.0 needs server 1.0.",
        "2. The project needs server newer than 1. No server is both.",
        "Left aside: viewer 2.0 is for Python >=3.12.",
        "To go on, relax `server>1`, or do without `viewer`.",
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
        proof = tell(contradiction.clause, {ROOT: Shelf(Domain(1)), **shelves}).proof
        assert [line.split(".")[0] for line in proof[:-1]] == [str(number + 1) for number in range(len(proof) - 1)]
        assert proof[-1].startswith("To go on, ")
        lengths.add(len(proof))
    assert len(lengths) > 1


def kind_of(graph: Graph, contradiction: Unsatisfiable) -> str:
    domains = {ROOT: Domain(1), **{name: graph.domain(name) for name in graph.facts}}
    facts = necessary_facts(contradiction.clause, domains)
    if course_of(facts) is not None:
        return "straight"
    return "derivation" if split_of(facts, domains) is None else "cases"


def test_every_way_of_telling_is_needed_and_the_simplest_most_often() -> None:
    seen = Counter(kind_of(*failure) for failure in FAILURES)
    assert min(seen.values()) > 0
    assert [kind for kind, _ in seen.most_common()] == ["straight", "derivation", "cases"]


def test_each_course_is_a_contradiction_of_its_own() -> None:
    for graph, contradiction in FAILURES:
        domains = {ROOT: Domain(1), **{name: graph.domain(name) for name in graph.facts}}
        course = course_of(necessary_facts(contradiction.clause, domains))
        if course is not None:
            told = [fact for way in course.ways for fact in way]
            refused = [fact for facts in course.refused.values() for fact in facts]
            assert len(told) == len(set(told))
            assert refutation([*told, *refused], domains).terms.keys() <= {ROOT}


def test_more_cases_than_people_read_are_told_from_the_derivation() -> None:
    count = 12
    packages: Packages = {
        "trainer": {f"1.{minor}": (f"library{minor}>1",) for minor in range(count)},
        **{f"library{minor}": {"1": (), "2": ()} for minor in range(count)},
    }
    limits = [f"library{minor}<2" for minor in range(count)]
    proof = proof_of(World({DEFAULT: packages}), request_for("trainer", *limits))
    assert proof[-2].endswith(", so this cannot be met.")
    assert "library11" in "".join(proof)


def test_a_thousand_versions_in_the_way_are_one_sentence() -> None:
    packages: Packages = {
        "library": {f"1.{minor}": (f"torch<={minor}",) for minor in range(200)},
        "torch": {str(major): () for major in range(300)},
    }
    assert proof_of(World({DEFAULT: packages}), request_for("library", "torch>=250")) == (
        "1. The project needs library, and every library needs torch 199 or older.",
        "2. The project needs torch 250 or newer. No torch is both.",
        "To go on, relax `torch>=250`, or do without `library`.",
    )
