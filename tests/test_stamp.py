"""The stamp answers only when everything is as it was, and is never believed when it is not whole."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from bootstrap import stamp


@pytest.fixture
def venv(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An environment with a stamp, seen from its project's folder."""
    monkeypatch.chdir(tmp_path)
    for name in ("TORCHSTRAP_VENV", "TORCHSTRAP_PROJECT", "TORCHSTRAP_MACHINE"):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "pyproject.toml").write_text("[project]\n")
    (tmp_path / ".venv").mkdir()
    stamp.write(".venv", ["--extra", "cpu"], ["pyproject.toml", "pylock.toml"], "all\nis well", ("look\nhere",))
    return tmp_path / ".venv"


def test_says_what_was_said(venv: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert stamp.answer(["sync", "--extra", "cpu"]) == 0
    said = capsys.readouterr()
    assert (said.out, said.err) == ("", "warning: look here\nall is well\n")
    assert [each.name for each in venv.iterdir()] == [stamp.FILE]


@pytest.mark.parametrize("quiet", ["-q", "--quiet"])
def test_warns_even_when_quiet(venv: Path, capsys: pytest.CaptureFixture[str], quiet: str) -> None:
    assert venv.is_dir()
    assert stamp.answer(["sync", quiet, "--extra", "cpu"]) == 0
    assert capsys.readouterr().err == "warning: look here\n"


def test_json_is_the_document_and_nothing_else(venv: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (venv / stamp.OUTCOME).write_text('{"schema": "x"}\n')
    assert stamp.answer(["sync", "--json", "--extra", "cpu"]) == 0
    assert capsys.readouterr().out == '{"schema": "x"}\n'


def test_json_without_its_document_is_made_anew(venv: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert venv.is_dir()
    assert stamp.answer(["sync", "--json", "--extra", "cpu"]) is None
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["--help"],
        ["sync"],
        ["sync", "--extra", "cpu", "--extra", "cpu"],
        ["sync", "--extra=cpu"],
        ["sync", "--help", "--extra", "cpu"],
        ["lock", "--extra", "cpu"],
        ["run", "--extra", "cpu"],
        ["run", "--extra", "cpu", "--"],
        ["sync", "--extra", "cpu", "--venv", "other"],
    ],
    ids=" ".join,
)
def test_has_no_answer_to_another_question(venv: Path, arguments: list[str]) -> None:
    assert venv.is_dir()
    assert stamp.answer(arguments) is None


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("CUDA_VISIBLE_DEVICES", "1"),
        ("CUDA_VISIBLE_DEVICES", ""),
        ("ROCR_VISIBLE_DEVICES", "0"),
        ("TORCHSTRAP_ANYTHING", "1"),
        ("PIP_INDEX_URL", "https://index.example/simple"),
        ("XDG_CONFIG_HOME", "/elsewhere"),
    ],
)
def test_a_variable_that_matters(venv: Path, monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    assert stamp.answer(["sync", "-q", "--extra", "cpu"]) == 0
    monkeypatch.setenv(name, value)
    assert stamp.answer(["sync", "-q", "--extra", "cpu"]) is None
    assert venv.is_dir()


def test_a_variable_that_does_not_matter(venv: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EDITOR", "another")
    assert stamp.answer(["sync", "--extra", "cpu"]) == 0
    assert venv.is_dir()


def test_a_file_that_appears_is_a_change(venv: Path) -> None:
    (venv.parent / "pylock.toml").write_text("")
    assert stamp.answer(["sync", "--extra", "cpu"]) is None


def test_a_folder_that_appears_or_fills_is_a_change(venv: Path) -> None:
    """So tables of a site are noticed: their folders are watched whether they are there or not."""
    folder = venv.parent / "profiles"
    for change in (folder.mkdir, (folder / "lab.toml").touch, (folder / "lab.toml").unlink):
        stamp.write(".venv", [], [str(folder)], "")
        assert stamp.answer(["sync"]) == 0
        change()
        assert stamp.answer(["sync"]) is None


def test_a_file_replaced_by_one_of_the_same_size_and_time_is_a_change(venv: Path) -> None:
    project, other = venv.parent / "pyproject.toml", venv.parent / "other"
    status = project.stat()
    other.write_text("[PROJECT]\n")
    os.utime(other, ns=(status.st_atime_ns, status.st_mtime_ns))
    other.replace(project)
    assert stamp.answer(["sync", "--extra", "cpu"]) is None


def test_a_recorded_machine_is_watched(venv: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    machine = venv.parent / "machine.json"
    machine.write_text("{}")
    monkeypatch.setenv("TORCHSTRAP_MACHINE", str(machine))
    stamp.write(".venv", [], [], "")
    assert stamp.answer(["sync"]) == 0
    machine.write_text('{"another": 1}')
    assert stamp.answer(["sync"]) is None


def test_every_damage_is_noticed(venv: Path) -> None:
    file = venv / stamp.FILE
    whole = file.read_bytes()
    assert stamp.read(".venv") is not None
    for length in range(len(whole)):
        file.write_bytes(whole[:length])
        assert stamp.read(".venv") is None, length
    lines = whole.splitlines(keepends=True)
    for missing in range(len(lines)):
        file.write_bytes(b"".join(lines[:missing] + lines[missing + 1 :]))
        assert stamp.read(".venv") is None, missing


@pytest.mark.parametrize("content", [b"", b"\xff\xfe\x00", b"\n" * 9, b"torchstrap-stamp 1\n"], ids=repr)
def test_something_else_is_no_stamp(venv: Path, content: bytes) -> None:
    (venv / stamp.FILE).write_bytes(content)
    assert stamp.answer(["sync", "--extra", "cpu"]) is None


def test_a_stamp_of_another_torchstrap_is_none_of_ours(venv: Path) -> None:
    file = venv / stamp.FILE
    file.write_text(re.sub(r"(?m)\A.*$", lambda line: f"{line[0]}.post1", file.read_text(), count=1))
    assert stamp.read(".venv") is None


def test_a_file_named_twice_is_watched_once(venv: Path) -> None:
    stamp.write(".venv", [], ["pyproject.toml", "pyproject.toml"], "")
    assert stamp.answer(["sync"]) == 0
    assert venv.is_dir()


@pytest.mark.skipif(os.name == "nt", reason="names on Windows are Unicode without tabs")
@pytest.mark.parametrize(
    "name",
    [os.fsdecode(b"caf\xe9"), "tab\there", "line\x0cfeed", "sep\u2028arator"],
    ids=["bytes", "tab", "feed", "2028"],
)
def test_odd_names_are_watched_like_others(venv: Path, name: str) -> None:
    odd = venv.parent / name
    odd.write_text("1")
    stamp.write(".venv", [], [str(odd)], "")
    assert stamp.answer(["sync"]) == 0
    odd.write_text("22")
    assert stamp.answer(["sync"]) is None


@pytest.mark.skipif(os.name == "nt", reason="names on Windows have no line breaks")
def test_a_name_with_a_line_break_costs_time_and_nothing_else(venv: Path) -> None:
    stamp.write(".venv", [], [str(venv.parent / "line\nbreak")], "")
    assert stamp.answer(["sync"]) is None


def test_an_environment_that_cannot_be_written_costs_time_and_nothing_else(venv: Path) -> None:
    stamp.write(str(venv / "missing"), [], [], "")
    assert stamp.read(str(venv / "missing")) is None


@pytest.mark.parametrize(
    ("variables", "options", "place"),
    [
        ({}, [], ".venv"),
        ({}, ["--project", "there"], "there/.venv"),
        ({}, ["--project=there"], "there/.venv"),
        ({}, ["--project", "there", "--venv", "env"], "env"),
        ({}, ["--venv", "first", "--venv=env"], "env"),
        ({"TORCHSTRAP_PROJECT": "there"}, [], "there/.venv"),
        ({"TORCHSTRAP_VENV": "env", "TORCHSTRAP_PROJECT": "there"}, [], "env"),
        ({"TORCHSTRAP_VENV": "other"}, ["--venv", "env"], "env"),
    ],
)
def test_finds_the_environment_that_the_program_would_use(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], options: list[str], place: str
) -> None:
    monkeypatch.chdir(tmp_path)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    (tmp_path / place).mkdir(parents=True)
    stamp.write(place, options, [], "")
    assert stamp.answer(["sync", *options]) == 0


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("--index-url", "--index-url"),
        ("https://user:s3cret@host/simple", "https://host/simple"),
        ("https://a:b@x/1 http://c:d@y:80/2,ftp://z/@3", "https://x/1 http://y:80/2,ftp://z/@3"),
        ("https://host/p@th", "https://host/p@th"),
        ("a=https://tok@h", "a=https://h"),
    ],
)
def test_keeps_no_passwords(text: str, kept: str) -> None:
    assert kept in stamp.invocation([text])
    assert "s3cret" not in stamp.invocation([text])
