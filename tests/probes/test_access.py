"""The right to open nodes is tried in a child; a sentence tells who it is lacking and what gives it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from probes import Container, LocalHost, Unknown
from probes import opening as program
from probes.access import closed_nodes, parse_attempts
from probes.host import Interrupted
from probes.remembered import Remembering
from tests.probes.driven import Driven, write

KFD = "/dev/kfd"
DOCKER = Container("docker", "/.dockerenv")


def told(root: Path, attempt: object, container: Container | None = None) -> Mapping[str, str]:
    answers = {"output": {"opening": json.dumps({KFD: attempt})}}
    write(root, {KFD: "", "/.torchstrap/answers.json": json.dumps(answers)})
    return closed_nodes(LocalHost(root, {}), [KFD], container)


@pytest.mark.parametrize(
    ("attempt", "container", "words"),
    [
        ({"error": "EACCES", "group": "render", "listed": False}, None, "`sudo usermod -aG render $USER`"),
        ({"error": "EACCES", "group": "render", "listed": True}, None, "only from the next login on"),
        ({"error": "EACCES", "group": "render", "listed": False}, DOCKER, "`--group-add render`"),
        ({"error": "EACCES", "group": None}, None, "/dev/kfd cannot be opened (EACCES)"),
        ({"error": "EPERM", "group": "root"}, DOCKER, "`docker run --device /dev/kfd`"),
        ({"error": "EPERM"}, None, "/dev/kfd cannot be opened (EPERM)"),
        ({"error": "ENODEV"}, None, "/dev/kfd cannot be opened (ENODEV)"),
    ],
    ids=["group", "next-login", "container", "nobody", "not-given", "forbidden", "gone"],
)
def test_says_what_is_lacking(tmp_path: Path, attempt: object, container: Container | None, words: str) -> None:
    assert words in told(tmp_path, attempt, container)[KFD]


@pytest.mark.parametrize("attempt", [{}, None, 3, "x", []], ids=str)
def test_what_opens_or_makes_no_sense_is_not_closed(tmp_path: Path, attempt: object) -> None:
    assert told(tmp_path, attempt) == {}


def test_a_folder_without_an_answer_tells_only_what_is_missing(tmp_path: Path) -> None:
    write(tmp_path, {KFD: ""})
    closed = closed_nodes(LocalHost(tmp_path, {}), [KFD, "/dev/dri/renderD128"])
    assert closed == {"/dev/dri/renderD128": "there is no device node /dev/dri/renderD128"}


class Hanging(Driven):
    """A machine whose driver does not answer."""

    def run(
        self, command: Sequence[str], timeout: float, environ: Mapping[str, str] | None = None, name: str = ""
    ) -> str | Unknown:
        assert command[0] == sys.executable
        assert environ is None
        return Interrupted(f"{name} gave no answer within {timeout:g} s")


def test_a_driver_that_hangs_closes_its_nodes(tmp_path: Path) -> None:
    closed = closed_nodes(Hanging(tmp_path, {KFD: ""}), [KFD])
    assert closed == {KFD: "/dev/kfd could not be tried: opening gave no answer within 5 s"}


class Opening(Driven):
    """A machine where everything opens."""

    def run(
        self, command: Sequence[str], timeout: float, environ: Mapping[str, str] | None = None, name: str = ""
    ) -> str | Unknown:
        assert command[4] == KFD
        assert (timeout, environ, name) == (5.0, None, "opening")
        self.started += 1
        return json.dumps({KFD: {}})


def test_an_answer_is_kept_until_the_node_changes(tmp_path: Path) -> None:
    root = tmp_path / "machine"
    host = Opening(root, {KFD: "", "/proc/sys/kernel/random/boot_id": "8f6c1c0e-0000-4000-8000-000000000001\n"})
    remembering = Remembering(host, tmp_path / "cache")
    assert [closed_nodes(remembering, [KFD]) for _ in range(2)] == [{}, {}]
    assert host.started == 1
    (root / "dev/kfd").chmod(0o600)
    assert closed_nodes(remembering, [KFD]) == {}
    assert host.started == 2


def test_the_child_tries_for_real(tmp_path: Path) -> None:
    write(tmp_path, {"/fine": "", "/folder/x": ""})
    paths = [str(tmp_path / name) for name in ("fine", "folder", "absent")]
    command = [sys.executable, "-I", program.__file__, *(word for path in paths for word in (path, "stamp"))]
    output = subprocess.run(command, check=True, capture_output=True, text=True, timeout=60).stdout
    fine, folder, absent = (parse_attempts(output)[path] for path in paths)
    assert fine == {}
    assert (folder["error"], absent["error"], absent["group"]) == ("EISDIR", "ENOENT", None)


@pytest.mark.skipif(not hasattr(os, "geteuid"), reason="needs owners of files")
def test_the_child_names_the_group_of_what_it_may_not_open(tmp_path: Path) -> None:
    import grp  # noqa: PLC0415 - Windows has none

    folder = tmp_path / "node"
    folder.mkdir()  # nobody may write a folder as a file, not even root
    assert program.attempt(str(folder))["group"] == grp.getgrgid(folder.stat().st_gid).gr_name


@given(
    st.text()
    | st.recursive(st.none() | st.text(max_size=3), lambda x: st.lists(x) | st.dictionaries(st.text(), x)).map(
        json.dumps
    )
)
def test_no_output_makes_it_fail(text: str) -> None:
    assert all(isinstance(attempt, dict) for attempt in parse_attempts(text).values())
