"""The JSON form: nothing is lost, and what is wrong is named."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from probes import (
    Container,
    Cpu,
    CudaLibrary,
    Gpu,
    Libc,
    Limits,
    LocalHost,
    Machine,
    MachineFormatError,
    MigSlice,
    NvidiaDriver,
    System,
    Unknown,
    probe,
    read_machine,
)
from probes.pythons import Python
from probes.storage import Folder, Sharing, Storage

unknowns = st.builds(Unknown, st.text())
texts = st.text()
systems = st.builds(System, texts, texts | unknowns, texts | unknowns, texts | unknowns, texts, st.none() | texts)
counts = st.integers(0) | unknowns
slices = st.builds(MigSlice, texts | unknowns, st.none() | texts, counts, st.booleans())
gpus = st.builds(
    Gpu,
    st.sampled_from(["nvidia", "amd", "intel", "apple"]),
    texts | unknowns,
    texts,
    st.none() | texts,
    st.none() | unknowns | st.integers(0),
    st.none() | unknowns | st.tuples(st.integers(0, 99), st.integers(0, 99)),
    st.none() | unknowns | texts,
    st.booleans(),
    st.none() | unknowns | st.booleans(),
    st.lists(slices, max_size=2).map(tuple),
)
libcs = st.none() | unknowns | st.builds(Libc, texts, texts | unknowns, texts)
perhaps = st.booleans() | unknowns
pythons = st.builds(Python, texts, texts, texts | unknowns, texts | unknowns, texts | unknowns, libcs, perhaps, perhaps)
folders = st.builds(Folder, texts, texts, texts, counts, texts | unknowns, perhaps)
sharings = st.builds(Sharing, texts, texts, perhaps, perhaps)
machines = st.builds(
    Machine,
    systems,
    libcs,
    unknowns
    | st.builds(
        Cpu, texts, texts | unknowns, st.frozensets(texts), st.none() | texts | unknowns, texts, st.none() | counts
    ),
    st.none()
    | unknowns
    | st.builds(
        NvidiaDriver,
        texts,
        texts,
        st.none() | unknowns | texts,
        st.none() | unknowns | texts,
        st.none() | unknowns | st.builds(CudaLibrary, texts, texts | unknowns, counts),
        st.none() | texts,
    ),
    st.lists(gpus, max_size=2).map(tuple),
    st.none() | st.builds(Container, texts, texts),
    st.lists(texts, max_size=2).map(tuple),
    st.none()
    | unknowns
    | st.builds(
        Limits,
        st.none() | unknowns | st.floats(0, 1e6),
        st.none() | counts,
        unknowns | st.booleans(),
        texts,
    ),
    pythons=st.lists(pythons, max_size=2).map(tuple),
    storage=st.none()
    | unknowns
    | st.builds(Storage, st.lists(folders, max_size=2).map(tuple), st.lists(sharings, max_size=2).map(tuple)),
)
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=7), inner, max_size=3),
    max_leaves=5,
)

PLAIN = Machine(
    System("linux", "debian 12", "6.1", "x86_64", "uname"),
    Libc("glibc", "2.36", "confstr"),
    Cpu("Intel", "i7", frozenset({"lm"}), "x86-64-v1", "/proc/cpuinfo"),
    NvidiaDriver("580.95.05", "NVML", "13.0"),
    (Gpu("nvidia", "H100", "NVML", compute_capability=(9, 0)),),
)


@given(machines)
def test_a_journey_as_json_changes_nothing(machine: Machine) -> None:
    assert Machine.from_json(json.loads(json.dumps(machine.to_json()))) == machine


@pytest.mark.parametrize(
    "key", ["system", "libc", "cpu", "driver", "gpus", "container", "notes", "limits", "pythons", "storage"]
)
@given(value=values)
def test_a_wrong_value_is_refused_with_a_sentence_or_read(key: str, value: Any) -> None:
    try:
        Machine.from_json({**PLAIN.to_json(), key: value})
    except MachineFormatError as problem:
        assert key in str(problem) or "the document" in str(problem)  # noqa: PT017 - reading it is right as well


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"schema": "torchstrap.machine/9"}, "schema: is 'torchstrap.machine/9'"),
        (
            {"gpus": [{"vendor": "matrox", "name": "x", "source": "y"}]},
            "gpus[0].vendor: is nvidia, amd, intel or apple",
        ),
        (
            {"gpus": [{"vendor": "nvidia", "name": "x", "source": "y", "compute_capability": "9"}]},
            "compute_capability: is a",
        ),
        ({"gpus": [{"vendor": "nvidia"}]}, "gpus[0]: lacks one of"),
        ({"notes": "none"}, "notes: is no array"),
        ({"system": None}, "system: is no object"),
        ({"driver": {"version": 580, "source": "x"}}, "driver.version: is a text, not 580"),
        ({"pythons": [{"path": "/usr/bin/python3"}]}, "pythons[0]: lacks one of"),
        ({"storage": {"folders": [{"free": "1 GB"}], "sharing": []}}, "storage.folders[0].free: is a whole number"),
    ],
    ids=["schema", "vendor", "capability", "missing", "array", "object", "text", "python", "folder"],
)
def test_names_what_is_wrong(change: dict[str, Any], words: str) -> None:
    with pytest.raises(MachineFormatError) as caught:
        Machine.from_json({**PLAIN.to_json(), **change})
    assert words in str(caught.value)


def test_reads_documents_of_programs_that_knew_less() -> None:
    document = json.loads(json.dumps(PLAIN.to_json()))
    newer = {
        "system": ("machine", "board", "l4t"),
        "cpu": ("cores", "step"),
        "driver": ("user_space", "library", "compat"),
    }
    for part, names in newer.items():
        for name in names:
            del document[part][name]
    for name in ("mig", "slices"):
        del document["gpus"][0][name]
    for part in ("limits", "drivers", "pythons", "storage"):
        del document[part]
    assert Machine.from_json(document) == PLAIN


@pytest.mark.parametrize(
    "cpus", ["1", True, float("nan"), float("inf"), 10**400], ids=["text", "bool", "nan", "inf", "huge"]
)
def test_a_number_of_cpus_is_a_number(cpus: object) -> None:
    limits = {"cpus": cpus, "memory": None, "read_only": False, "source": "x"}
    with pytest.raises(MachineFormatError, match=r"limits\.cpus: is a number"):
        Machine.from_json({**PLAIN.to_json(), "limits": limits})


def test_passes_over_what_a_newer_program_added() -> None:
    assert Machine.from_json({**PLAIN.to_json(), "tpus": []}) == PLAIN


@pytest.mark.parametrize(
    "content", [b"", b"[", b"[]", b"\xff", b"[" * 100_000], ids=["empty", "cut", "array", "bytes", "deep"]
)
def test_a_file_that_is_no_machine_is_named(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "machine.json"
    path.write_bytes(content)
    with pytest.raises(MachineFormatError, match=r"machine\.json"):
        read_machine(path)


def test_the_override_stands_in_for_the_whole_machine(tmp_path: Path) -> None:
    path = tmp_path / "machine.json"
    path.write_text(json.dumps(PLAIN.to_json()))
    assert probe(LocalHost(environ={"TORCHSTRAP_MACHINE": str(path)})) == PLAIN


def test_an_override_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(MachineFormatError, match="nowhere"):
        probe(LocalHost(environ={"TORCHSTRAP_MACHINE": str(tmp_path / "nowhere")}))
