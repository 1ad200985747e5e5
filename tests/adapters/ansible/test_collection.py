"""Files of the collection are copied to hosts one by one: they import nothing of ours, and old Pythons read them."""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.acceptance.running import ROOT

COLLECTION = ROOT / "bootstrap" / "adapters" / "ansible"
MODULES = sorted((COLLECTION / "plugins").rglob("*.py"))
_OLDEST = (3, 7)


def imported(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(), feature_version=_OLDEST)):
        if isinstance(node, ast.Import):
            yield from (each.name for each in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module or "."


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.stem)
def test_modules_import_nothing_that_a_host_has_not(path: Path) -> None:
    ours, ansible = "ansible_collections.torchstrap.lab.plugins.", "ansible.module_utils."
    for name in imported(path):
        assert name.startswith((ours, ansible)) or name.partition(".")[0] in {"__future__", *sys.stdlib_module_names}, (
            name
        )


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.stem)
def test_annotations_are_not_looked_at_by_pythons_that_do_not_know_their_forms(path: Path) -> None:
    assert "from __future__ import annotations" in path.read_text()


def test_what_the_playbook_uses_has_a_default_or_is_documented() -> None:
    role = COLLECTION / "roles" / "torchstrap"
    texts = [
        path.read_text() for path in (*role.rglob("*.yml"), *role.rglob("*.j2"), COLLECTION / "playbooks" / "lab.yml")
    ]
    used = {name for text in texts for name in re.findall(r"\btorchstrap_\w+", text)}
    made_here = {
        name for text in texts for name in re.findall(r"(?:register: |^ {4})(torchstrap_\w+)", text, re.MULTILINE)
    }
    told = set(re.findall(r"\btorchstrap_\w+", (COLLECTION / "README.md").read_text()))
    assert used - made_here - told == set()
    defaults = set(re.findall(r"^(torchstrap_\w+):", (role / "defaults" / "main.yml").read_text(), re.MULTILINE))
    assert defaults - told == set(), "each variable has its place in the README"
