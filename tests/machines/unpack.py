"""Machines as text: each file holds a tree, `--- /path` before the content of each file, and is named by the answer.

What a kernel writes is in its own format to the byte; device nodes are empty files; what no file tells lies in
/.torchstrap/answers.json (see probes/host.py). The last word of the name is the offer that a project with the extras
of test_machines.py has for the machine. Before the tree the file says where its contents come from, what was composed,
and the variant, with its newest torch, that automatic mode takes.
"""

from __future__ import annotations

from pathlib import Path

__all__ = ["machines", "preface", "unpack"]

FOLDER = Path(__file__).parent


def machines() -> list[Path]:
    """All machines, by name."""
    return sorted(FOLDER.glob("*.txt"))


def preface(machine: Path | str) -> str:
    """What a machine's file says about itself."""
    return (FOLDER / machine).read_text(encoding="utf-8").partition("--- /")[0]


def unpack(machine: Path | str, folder: Path) -> Path:
    """Write a machine's tree below a folder; return the folder."""
    text = (FOLDER / machine).read_text(encoding="utf-8")
    for part in text.split("--- /")[1:]:
        name, _, content = part.partition("\n")
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content, encoding="utf-8")
    return folder
