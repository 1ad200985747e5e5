"""`choose` for the machines of a lab: one table, and the fewest offers for all; `--gpus` for some of a machine's."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from probes import Machine
from tests.acceptance.running import Workplace, pyproject, recorded

LAB = """
[project.optional-dependencies]
cpu = ["torch"]
cu126 = ["torch"]
cu130 = ["torch"]

[tool.uv]
conflicts = [[{ extra = "cpu" }, { extra = "cu126" }, { extra = "cu130" }]]

[tool.uv.sources]
torch = [
    { index = "pytorch-cpu", extra = "cpu" },
    { index = "pytorch-cu126", extra = "cu126" },
    { index = "pytorch-cu130", extra = "cu130" },
]
""" + "".join(
    f'\n[[tool.uv.index]]\nname = "pytorch-{name}"\nurl = "https://download.pytorch.org/whl/{name}"\nexplicit = true\n'
    for name in ("cpu", "cu126", "cu130")
)
H100 = "linux-x86_64-2xh100-driver535-cu126"
PASCAL = "linux-x86_64-gtx1080ti-driver580-cu126"
RTX5090 = "linux-x86_64-rtx5090-driver580-cu130"
RTX4090 = "linux-x86_64-rtx4090-driver595-cu130"
ALPINE = "linux-x86_64-alpine-none"
SERVER = "linux-x86_64-v3-epyc-cpu"


@pytest.fixture
def lab(workplace: Workplace, tmp_path: Path) -> tuple[Workplace, list[str]]:
    """A project with three offers, and the words that name six machines."""
    workplace.write(pyproject(more=LAB))
    machines = [recorded(name, tmp_path) for name in (H100, PASCAL, RTX5090, RTX4090, ALPINE, SERVER)]
    return workplace, [word for machine in machines for word in ("--machine", str(machine))]


def test_says_what_each_machine_takes_and_the_fewest_offers_for_all(lab: tuple[Workplace, list[str]]) -> None:
    place, words = lab
    before = len(place.replica.requests)
    done = place.run("choose", "--python-version", "3.12", *words)
    assert done.returncode == 0, done.stderr
    table, _, summary = done.stdout.partition("\n\n")
    rows = {line.split()[0]: line for line in table.splitlines()[1:]}
    assert "2 x NVIDIA H100 80GB HBM3" in rows[H100]
    assert "535.129.03" in rows[H100]
    offers = {
        name: next(word for word in line.split() if word in {"cpu", "cu126", "cu130", "none"})
        for name, line in rows.items()
        if name != SERVER
    }
    assert offers == {H100: "cu126", PASCAL: "cu126", RTX5090: "cu130", RTX4090: "cu130", ALPINE: "none"}
    assert "musl" in rows[ALPINE]
    assert summary.splitlines() == [
        "each with its best: 3 offers; the fewest that serve all as many GPUs: 3",
        f"  cpu: {SERVER}",
        f"  cu126: {H100}, {PASCAL}",
        f"  cu130: {RTX5090}, {RTX4090}",
    ]
    assert len(place.replica.requests) == before


def test_the_fewest_offers_may_be_fewer_than_the_best_ones(lab: tuple[Workplace, list[str]], tmp_path: Path) -> None:
    place, _ = lab
    words = [word for name in (H100, RTX4090) for word in ("--machine", str(recorded(name, tmp_path / "again")))]
    document = json.loads(place.run("choose", "--python-version", "3.12", "--json", *words).stdout)
    assert document["schema"] == "torchstrap.choices/1"
    assert [each["choice"]["offer"] for each in document["machines"]] == ["cu126", "cu130"]
    assert [each["fitting"] for each in document["machines"]] == [["cu126"], ["cu126", "cu130"]]
    assert document["offers"] == [{"offer": "cu126", "machines": [H100, RTX4090]}]


def test_a_machine_that_is_named_twice_is_one(lab: tuple[Workplace, list[str]]) -> None:
    place, words = lab
    done = place.run("choose", "--python-version", "3.12", *words[:2], *words[:2])
    assert done.stdout.splitlines()[-2:] == [
        "each with its best: 1 offer; the fewest that serve all as many GPUs: 1",
        f"  cu126: {H100}",
    ]


def test_one_bad_machine_file_is_named(lab: tuple[Workplace, list[str]], tmp_path: Path) -> None:
    place, words = lab
    bad = tmp_path / "bad.json"
    bad.write_text("[]")
    done = place.run("choose", *words, "--machine", str(bad))
    assert (done.returncode, done.stdout) == (65, "")
    assert "bad.json" in done.stderr


@pytest.mark.parametrize(
    ("gpus", "offer"), [("all", "cu126"), ("any", "cu130"), ("0", "cu126"), ("1", "cu130"), (None, "cu126")]
)
def test_takes_the_gpus_that_must_work(workplace: Workplace, tmp_path: Path, gpus: str | None, offer: str) -> None:
    workplace.write(pyproject(more=LAB))
    machine = str(recorded("linux-x86_64-p620-and-a6000-driver570-cu126", tmp_path))
    document = json.loads(Path(machine).read_text(encoding="utf-8"))
    document["driver"]["version"] = "580.95.05"
    Path(machine).write_text(json.dumps(document))
    assert len(Machine.from_json(document).gpus) == 2
    words = [] if gpus is None else ["--gpus", gpus]
    done = workplace.run("choose", "--json", "--python-version", "3.12", "--machine", machine, *words)
    assert json.loads(done.stdout)["offer"] == offer
    place = workplace.with_variables(**({} if gpus is None else {"TORCHSTRAP_GPUS": gpus}))
    done = place.run("choose", "--json", "--python-version", "3.12", "--machine", machine)
    assert json.loads(done.stdout)["offer"] == offer


@pytest.mark.parametrize(("gpus", "words"), [("7", "GPU 7"), ("some", "must be all, any, or places"), ("", "places")])
def test_gpus_that_are_none(workplace: Workplace, tmp_path: Path, gpus: str, words: str) -> None:
    workplace.write(pyproject(more=LAB))
    done = workplace.run("choose", "--machine", str(recorded(H100, tmp_path)), "--gpus", gpus)
    assert (done.returncode, done.stdout) == (2, "")
    assert words in done.stderr
