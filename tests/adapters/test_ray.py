"""The half of the adapter for Ray that needs no Ray: what it takes for ours, how it calls the program and stops it."""

from __future__ import annotations

import asyncio
import logging
import os
import re
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from bootstrap.adapters.ray import NAME, Torchstrap, torchstrap_env
from tests.acceptance.running import ROOT

TEXTS = {"project": "[project]\n", "lock": "lock-version = '1.0'\n"}
LOGGER = logging.getLogger("test")


class Context:
    """What Ray hands over to be changed."""

    def __init__(self) -> None:
        self.py_executable = "as it was"
        self.env_vars: dict[str, str] = {"PATH": "/usr/bin"}


@pytest.mark.parametrize(
    "runtime_env",
    [
        {},
        {"pip": ["requests"]},
        {NAME: None},
        {NAME: 5},
        {NAME: {}},
        {NAME: {"project": 1, "lock": []}},
        {NAME: {1: 2}},
    ],
    ids=["none", "another's", "null", "a number", "empty", "no texts", "a number for a name"],
)
def test_hooks_that_ray_calls_for_everybody_never_fail(runtime_env: Mapping[str, Any]) -> None:
    plugin, context = Torchstrap(), Context()
    assert plugin.get_uris(runtime_env) == []
    plugin.modify_context([], runtime_env, context, LOGGER)
    plugin.modify_context([f"{NAME}://0"], runtime_env, context, LOGGER)
    assert (context.py_executable, context.env_vars) == ("as it was", {"PATH": "/usr/bin"})
    assert plugin.delete_uri(f"{NAME}://0", LOGGER) == 0


@pytest.mark.parametrize(
    ("runtime_env", "words"),
    [
        ({NAME: 5}, r"must be a table such as torchstrap_env\(folder\) makes, and is 5"),
        ({NAME: {}}, "needs the texts of pyproject.toml as 'project' and of pylock.toml as 'lock', or a 'bundle'"),
        ({NAME: {"project": "x"}}, "needs the texts"),
        ({NAME: {**TEXTS, "variants": "cpu"}}, "knows project, lock, .*variant, .* and not variants"),
        ({NAME: {**TEXTS, "extra": ["cpu", 1]}}, r"has \['cpu', 1\] for 'extra', which must be text or a list of it"),
        ({NAME: {**TEXTS, "require": True}}, "has True for 'require', which must be text"),
        ({NAME: TEXTS, "pip": ["x"]}, "'pip' both bring an interpreter"),
    ],
    ids=["no table", "empty", "no lock", "unknown option", "bad list", "bad option", "pip too"],
)
def test_a_value_that_makes_no_sense_is_refused_with_a_sentence(runtime_env: Mapping[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=f"^runtime_env\\['torchstrap'\\] .*{words}"):
        Torchstrap.validate(runtime_env)


@pytest.mark.parametrize(
    "runtime_env",
    [{}, {NAME: None}, {NAME: TEXTS}, {NAME: {**TEXTS, "extra": ["a"], "require": "gpu"}}, {NAME: {"bundle": "/x"}}],
    ids=["none", "null", "texts", "options", "a bundle"],
)
def test_what_makes_sense_is_admitted(runtime_env: Mapping[str, Any]) -> None:
    Torchstrap.validate(runtime_env)


def test_the_address_is_the_content_and_nothing_else() -> None:
    plugin = Torchstrap()

    def address(**changes: str) -> str:
        (found,) = plugin.get_uris({NAME: {**TEXTS, **changes}, "env_vars": {"A": "B"}})
        return found

    assert re.fullmatch(r"torchstrap://[0-9a-f]{32}", address())
    assert plugin.get_uris({NAME: dict(reversed(TEXTS.items()))}) == [address()]
    assert len({address(), address(require="gpu"), address(lock="another"), address(project="another")}) == 4


def test_the_drivers_half_takes_the_texts_along(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text(TEXTS["project"])
    with pytest.raises(ValueError, match="`torchstrap lock` writes the second"):
        torchstrap_env(tmp_path)
    (tmp_path / "pylock.toml").write_text(TEXTS["lock"])
    assert torchstrap_env(tmp_path, require="gpu") == {NAME: {**TEXTS, "require": "gpu"}}
    with pytest.raises(ValueError, match="and not gpu"):
        torchstrap_env(tmp_path, gpu=True)


def test_a_project_whose_own_code_would_be_missing_is_refused_by_the_drivers_half(tmp_path: Path) -> None:
    text = "[build-system]\nrequires = []\n[tool.uv]\n"
    (tmp_path / "pylock.toml").write_text(TEXTS["lock"])
    (tmp_path / "pyproject.toml").write_text(text)
    with pytest.raises(ValueError, match=r"say `package = false` in \[tool.uv\], and lock again"):
        torchstrap_env(tmp_path)
    (tmp_path / "pyproject.toml").write_text(f"{text}package = false\n")
    assert torchstrap_env(tmp_path)[NAME]["project"].endswith("package = false\n")


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        (TEXTS, ["--frozen"]),
        (
            {**TEXTS, "require": "gpu", "extra": ["a", "b"]},
            ["--frozen", "--extra=a", "--extra=b", "--require=gpu"],
        ),
        ({"bundle": "/shared/lab.bundle", "group": "train"}, ["--bundle=/shared/lab.bundle", "--group=train"]),
    ],
    ids=["texts", "options", "a bundle"],
)
def test_the_program_is_asked_for_just_that(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, asked: Mapping[str, Any], words: list[str]
) -> None:
    place(tmp_path, monkeypatch, f'printf "%s\\n" "$@" >{tmp_path}/words; cp py* {tmp_path}; exit 1')
    with pytest.raises(RuntimeError):
        asyncio.run(created(Torchstrap(), asked))
    assert (tmp_path / "words").read_text().splitlines() == ["sync", "--json", "--python", sys.executable, *words]
    texts = {
        name: (tmp_path / name).read_text() for name in ("pyproject.toml", "pylock.toml") if (tmp_path / name).exists()
    }
    assert list(texts.values()) == [asked[key] for key in ("project", "lock") if key in asked]


@pytest.mark.parametrize(
    ("script", "words"),
    [
        ("echo progress >&2; echo 'torchstrap: no network' >&2; exit 69", "^torchstrap: no network .exit code 69.$"),
        ('echo \'{"schema": "torchstrap.sync/9"}\'', "answers as torchstrap.sync/9, and its adapter for Ray knows"),
        ("exec 3</no/such", "exit code"),
        (None, "torchstrap cannot be started on this node"),
    ],
    ids=["its sentence", "a newer program", "no sentence", "no program"],
)
def test_what_goes_wrong_is_said_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str | None, words: str
) -> None:
    place(tmp_path, monkeypatch, script)
    with pytest.raises(RuntimeError, match=words):
        asyncio.run(created(Torchstrap()))
    assert not list((tmp_path / "ray" / "node-1").iterdir())


def test_a_folder_that_cannot_be_written_is_named_with_the_way_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place(tmp_path, monkeypatch, "true")
    (tmp_path / "ray").write_text("a file")
    with pytest.raises(RuntimeError, match=r"ray cannot be used \(.*\); name another folder with TORCHSTRAP_RAY_DIR"):
        asyncio.run(created(Torchstrap()))


def test_the_program_is_told_when_ray_gives_up_on_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    marks = tmp_path / "marks"
    marks.mkdir()
    place(
        tmp_path,
        monkeypatch,
        f"trap 'touch {marks}/ended; exit 143' TERM\ntouch {marks}/began\nwhile :; do sleep 0.1; done",
    )

    async def given_up() -> None:
        creation = asyncio.ensure_future(created(Torchstrap()))
        until = time.monotonic() + 30
        while not (marks / "began").exists() and time.monotonic() < until:  # noqa: ASYNC110
            await asyncio.sleep(0.05)
        creation.cancel()
        with pytest.raises(asyncio.CancelledError):
            await creation

    asyncio.run(given_up())
    assert (marks / "ended").exists()
    assert not list((tmp_path / "ray" / "node-1").iterdir())


def test_each_node_of_a_machine_has_a_folder_of_its_own_which_is_empty_at_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place(tmp_path, monkeypatch, "exit 1")
    left = tmp_path / "ray" / "node-1" / "left"
    left.mkdir(parents=True)
    code = (
        "import asyncio, logging, sys; from bootstrap.adapters.ray import Torchstrap\n"
        "print(asyncio.run(Torchstrap()._place(logging.getLogger())), flush=True); sys.stdin.read()"
    )
    environ = {**os.environ, "PYTHONPATH": str(ROOT)}
    names = []
    with subprocess.Popen(
        [sys.executable, "-c", code], env=environ, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as first:
        assert first.stdout is not None
        names.append(Path(first.stdout.readline().strip()).name)
        assert not left.exists()
        second = subprocess.run(
            [sys.executable, "-c", code], env=environ, input="", capture_output=True, text=True, check=True
        )
        names.append(Path(second.stdout.strip()).name)
        first.communicate("")
    assert names == ["node-1", "node-2"]


def place(folder: Path, monkeypatch: pytest.MonkeyPatch, script: str | None) -> None:
    """A node with a program that does this."""
    program = folder / "torchstrap"
    if script is not None:
        program.write_text(f"#!/bin/sh\n{script}\n")
        program.chmod(0o755)
    monkeypatch.setenv("TORCHSTRAP_COMMAND", str(program))
    monkeypatch.setenv("TORCHSTRAP_RAY_DIR", str(folder / "ray"))


async def created(plugin: Torchstrap, asked: Mapping[str, Any] = TEXTS) -> int:
    runtime_env = {NAME: asked}
    return await plugin.create(plugin.get_uris(runtime_env)[0], runtime_env, Context(), LOGGER)
