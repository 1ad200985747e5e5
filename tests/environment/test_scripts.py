from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from bootstrap.environment.scripts import entry_point_scripts, readdressed
from bootstrap.errors import BadDistributionError

PYTHON = "/project/.venv/bin/python"


def made(text: str) -> dict[str, str]:
    return {name: content.decode() for name, content in entry_point_scripts("tool.whl", text, PYTHON)}


def test_makes_a_program_for_each_entry_point() -> None:
    found = made(
        "[console_scripts]\nTool = tool.cli:main\ntool-2=tool:Main.run [extra]\n\n"
        "[gui_scripts]\nwindow = tool.gui : show\n[tool.plugins]\na/b = c:d\n"
    )
    assert list(found) == ["Tool", "tool-2", "window"]
    assert all(content.startswith(f"#!{PYTHON}\n") for content in found.values())
    assert "from tool.cli import main" in found["Tool"]
    assert "sys.exit(Main.run())" in found["tool-2"]


def test_a_program_runs(tmp_path: Path) -> None:
    (tmp_path / "tool.py").write_text("def main():\n    print('hello')\n    return 3\n")
    ((name, content),) = entry_point_scripts("t.whl", "[console_scripts]\nt = tool:main\n", sys.executable)
    (tmp_path / name).write_bytes(content)
    done = subprocess.run([sys.executable, tmp_path / name], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (3, "hello\n")


@pytest.mark.parametrize("folder", ["plain", "with space", "long" * 30], ids=["plain", "space", "long"])
def test_a_program_runs_wherever_its_python_is(tmp_path: Path, folder: str) -> None:
    python = tmp_path / folder / "python"
    python.parent.mkdir()
    python.write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
    python.chmod(0o755)
    (tmp_path / "tool.py").write_text("class Tool:\n    @staticmethod\n    def main():\n        print('hello')\n")
    ((name, content),) = entry_point_scripts("t.whl", "[console_scripts]\nt = tool:Tool.main\n", str(python))
    program = tmp_path / name
    program.write_bytes(content)
    program.chmod(0o755)
    assert subprocess.run([program], capture_output=True, text=True, check=True).stdout == "hello\n"
    old = readdressed(b"#!python\nimport tool\ntool.Tool.main()\n", str(python))
    program.write_bytes(old or b"")
    assert subprocess.run([program], capture_output=True, text=True, check=True).stdout == "hello\n"


@pytest.mark.parametrize(
    ("line", "issue"),
    [
        ("../../evil = a:b", "has a path in its name"),
        ("a/b = a:b", "has a path in its name"),
        ("a\\b = a:b", "has a path in its name"),
        (".. = a:b", "has a path in its name"),
        ("python = a:b", "would replace a program"),
        ("python3.12 = a:b", "would replace a program"),
        ("activate = a:b", "would replace a program"),
        ("tool = os", "which is no module:function"),
        ("tool = os:system('x')", "which is no module:function"),
        ("tool = a:b\n  import os", "which is no module:function"),
        ("tool = a..b:c", "which is no module:function"),
        ("tool = a:b.", "which is no module:function"),
        ("tool = 1a:b", "which is no module:function"),
        ("activate.fish = a:b", "would replace a program"),
        ("pypy3 = a:b", "would replace a program"),
        ("tool; reboot = a:b", "no plain word"),
        ("`reboot` = a:b", "no plain word"),
        ("-rf = a:b", "no plain word"),
        ("tool. = a:b", "no plain word"),
        ("tool\x1b[2J = a:b", "no plain word"),
    ],
)
def test_refuses_entry_points_that_would_do_harm(line: str, issue: str) -> None:
    with pytest.raises(BadDistributionError, match=issue):
        made(f"[console_scripts]\ngood = a:b\n{line}\n")


def test_refuses_entry_points_that_cannot_be_read() -> None:
    with pytest.raises(BadDistributionError, match="cannot be read"):
        made("console_scripts\n[console_scripts")


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (b"#!python\nx\n", f"#!{PYTHON}\nx\n".encode()),
        (b"#!pythonw\r\nx\n", f"#!{PYTHON}\nx\n".encode()),
        (b"#!python -E\nx\n", f"#!{PYTHON} -E\nx\n".encode()),
        (b"#!/usr/bin/python\nx\n", None),
        (b"#!python3\nx\n", None),
        (b"\x7fELF", None),
        (b"", None),
    ],
    ids=["python", "pythonw", "with option", "a path", "a version", "binary", "empty"],
)
def test_names_the_environments_python_in_scripts_that_ask_for_it(before: bytes, after: bytes | None) -> None:
    assert readdressed(before, PYTHON) == after
