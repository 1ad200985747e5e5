"""What Ansible's modules make of the program's words, without Ansible; with it: tests/acceptance/test_ansible.py."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from bootstrap.adapters.ansible.plugins.module_utils.program import (
    Program,
    Trouble,
    before_and_after,
    document,
    lock_of,
    machines_in,
    name_of,
    platform_of,
    sentence,
    survey_of,
    words,
)


@dataclass
class Module:
    """What an AnsibleModule is to a Program, with real processes."""

    params: Mapping[str, Any]
    folders: list[str] = field(default_factory=list)

    def get_bin_path(self, name: str, opt_dirs: Sequence[str]) -> str | None:
        self.folders += opt_dirs
        return shutil.which(name)

    def run_command(
        self, command: Sequence[str], *, cwd: str, environ_update: Mapping[str, str], handle_exceptions: bool
    ) -> tuple[int, str, str]:
        assert not handle_exceptions
        environ = {**os.environ, **environ_update}
        done = subprocess.run(command, cwd=cwd, env=environ, capture_output=True, text=True, check=False)
        return done.returncode, done.stdout, done.stderr


def program(folder: Path, text: str, **params: str | None) -> Program:
    """One that is a script in Python, run by this Python."""
    file = folder / "torchstrap"
    file.write_text(f"import os, sys\n{text}\n")
    known: dict[str, str | None] = {"program": str(file), "interpreter": sys.executable, "cache_dir": None}
    return Program(Module({**known, **params}))


def test_words_are_repeated_or_left_out_as_the_command_line_has_them() -> None:
    said = words(extra=["a", "b"], group=[], venv="/v", frozen=True, offline=False, python=None, dry_run=True)
    assert said == ["--extra", "a", "--extra", "b", "--venv", "/v", "--frozen", "--dry-run"]


@pytest.mark.parametrize(
    ("errors", "says"),
    [
        ("Looking at this machine\ntorchstrap: there is no room\n", "there is no room"),
        ("torchstrap: first\ntorchstrap: two lines\n  of it\n", "two lines\n  of it"),
        ("Traceback\n a\n b\nOSError: no\n", " a\n b\nOSError: no"),
        ("", ""),
    ],
    ids=["one", "several lines", "not ours", "nothing"],
)
def test_the_sentence_is_the_last_that_the_program_says(errors: str, says: str) -> None:
    assert sentence(errors) == says


@pytest.mark.parametrize(
    ("output", "schema", "says"),
    [
        ("Hello\nworld", None, "it did not answer in JSON, but with: Hello world"),
        ("", None, "but with: nothing"),
        ("[]", None, "but with a list"),
        ('{"schema": "torchstrap.sync/2"}', "torchstrap.sync/1", "it speaks 'torchstrap.sync/2'"),
        ("{}", "torchstrap.sync/1", "it speaks None"),
    ],
)
def test_what_is_no_answer_is_refused_with_a_sentence(output: str, schema: str | None, says: str) -> None:
    with pytest.raises(ValueError, match=r"^it ") as caught:
        document(output, schema)
    assert says in str(caught.value)


def test_before_is_what_undoes_the_changes() -> None:
    packages = [
        {"name": "torch", "version": "2+cpu"},
        {"name": "new", "version": "1"},
        {"name": "same", "version": "3"},
    ]
    outcome = {
        "environment": "/v",
        "packages": [*packages, {"name": "again", "version": "4"}],
        "added": ["new 1"],
        "removed": ["old 7"],
        "replaced": ["torch 2+cu126 -> 2+cpu", "again 4: a.whl -> b.whl"],
    }
    found = before_and_after(outcome)
    assert found["before"].splitlines() == ["again 4 (a.whl)", "old 7", "same 3", "torch 2+cu126"]
    assert found["after"].splitlines() == ["again 4", "new 1", "same 3", "torch 2+cpu"]
    assert found["before_header"] != found["after_header"]


def test_nothing_changed_is_no_difference() -> None:
    outcome = {"environment": "/v", "packages": [{"name": "torch", "version": "2"}], "added": [], "removed": []}
    found = before_and_after({**outcome, "replaced": []})
    assert found["before"] == found["after"] == "torch 2\n"


@pytest.mark.parametrize(
    ("system", "platform"),
    [
        ({"os": "linux", "architecture": "x86_64"}, "linux_x86_64"),
        ({"os": "macos", "architecture": "aarch64"}, "macos_arm64"),
        ({"os": "linux", "architecture": {"unknown": "nobody knows"}}, None),
        ({}, None),
    ],
)
def test_a_platform_is_what_lock_calls_it(system: Mapping[str, Any], platform: str | None) -> None:
    assert platform_of({"system": system}) == platform


def test_one_machine_makes_a_survey_too(tmp_path: Path) -> None:
    (tmp_path / "pc1.lab.json").write_text("{}")
    assert name_of(str(tmp_path)) == name_of(str(tmp_path / "pc1.lab.json")) == "pc1.lab"
    assert survey_of("pc1", {"offer": "cpu"}, None)["offers"] == [{"offer": "cpu", "machines": ["pc1"]}]
    nobody = survey_of("pc1", None, "no build runs there")
    assert (nobody["offers"], nobody["machines"][0]["obstacle"]) == ([], "no build runs there")


def test_a_machine_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    good, bad = tmp_path / "a.json", tmp_path / "b.json"
    good.write_text(json.dumps({"system": {}}))
    assert machines_in([str(tmp_path)]) == [{"system": {}}]
    bad.write_text("half a doc")
    with pytest.raises(Trouble, match=r"b\.json cannot be read as a machine"):
        machines_in([str(tmp_path)])
    with pytest.raises(Trouble, match=r"nowhere\.json cannot be read as a machine"):
        machines_in([str(tmp_path / "nowhere.json")])


def test_a_lock_that_has_changed_since_is_refused(tmp_path: Path) -> None:
    (tmp_path / "pylock.toml").write_text("planned")
    planned = lock_of(str(tmp_path))["lock_sha256"]
    assert lock_of(str(tmp_path), planned.upper()) == {"lock_sha256": planned}
    (tmp_path / "pylock.toml").write_text("another")
    with pytest.raises(Trouble, match=rf"pylock\.toml is another one .*, where {planned} was expected"):
        lock_of(str(tmp_path), planned)
    (tmp_path / "pylock.toml").unlink()
    assert lock_of(str(tmp_path)) == lock_of(None) == {}
    with pytest.raises(Trouble, match="is not there"):
        lock_of(str(tmp_path), planned)


# --- processes


def test_a_program_answers_and_knows_the_store(tmp_path: Path) -> None:
    asked = program(
        tmp_path,
        "import json; cache = os.environ['TORCHSTRAP_CACHE_DIR']\n"
        "print(json.dumps({'schema': 's/1', 'words': sys.argv[1:], 'cache': cache}))",
        cache_dir="/store",
    )
    assert asked.answer(["sync", "--json"], "s/1") == {"schema": "s/1", "words": ["sync", "--json"], "cache": "/store"}


@pytest.mark.parametrize(
    ("text", "code", "says"),
    [
        ("sys.stderr.write('torchstrap: no room\\n'); sys.exit(73)", 73, "no room"),
        ("sys.exit(3)", 3, "ended with exit code 3 and no word of why"),
        ("os.kill(os.getpid(), 9)", -9, "was stopped by signal 9 before it was done"),
    ],
    ids=["a sentence", "no word", "killed"],
)
def test_what_went_wrong_comes_with_its_exit_code(tmp_path: Path, text: str, code: int, says: str) -> None:
    with pytest.raises(Trouble) as caught:
        program(tmp_path, text).answer([])
    assert says in str(caught.value)
    assert caught.value.details()["rc"] == code
    assert "0.0.1" not in str(caught.value)


@pytest.mark.parametrize(
    "text",
    ["sys.stderr.write('torchstrap: unrecognized arguments'); sys.exit(2)", "print('Hello')"],
    ids=["words", "answer"],
)
def test_another_program_or_an_older_one_says_its_version(tmp_path: Path, text: str) -> None:
    asked = program(tmp_path, f"if sys.argv[1:] == ['--version']: print('torchstrap 0.0.1'); sys.exit()\n{text}")
    with pytest.raises(Trouble, match=r"is torchstrap 0\.0\.1; these modules need torchstrap \d"):
        asked.answer([])


@pytest.mark.parametrize("name", ["{}/nothing", "no-such-torchstrap"], ids=["path", "name"])
def test_a_program_that_is_not_there_says_how_to_get_it(tmp_path: Path, name: str) -> None:
    with pytest.raises(Trouble, match=r"there is no .*install it with the role torchstrap\.lab\.torchstrap") as caught:
        program(tmp_path, "", program=name.format(tmp_path))
    assert caught.value.details() == {}


def test_a_program_that_cannot_be_started_is_named(tmp_path: Path) -> None:
    with pytest.raises(Trouble, match="/nowhere/python3 cannot be started: No such file"):
        program(tmp_path, "", interpreter="/nowhere/python3").run([])
