"""Machines as text: each file holds a tree, `--- /path` before the content of each file, and is named by the answer.

What a kernel writes is in its own format to the byte; device nodes are empty files. The last word of the name is the
offer that a project with the extras of test_machines.py has for the machine.
"""

from __future__ import annotations

from pathlib import Path

__all__ = ["machines", "unpack"]

FOLDER = Path(__file__).parent


def machines() -> list[Path]:
    """All machines, by name."""
    return sorted(FOLDER.glob("*.txt"))


def unpack(machine: Path | str, folder: Path) -> Path:
    """Write a machine's tree below a folder; return the folder."""
    text = (FOLDER / machine).read_text(encoding="utf-8")
    for part in text.split("--- /")[1:]:
        name, _, content = part.partition("\n")
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content, encoding="utf-8")
    return folder
