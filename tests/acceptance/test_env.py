"""`env`: what was built before is listed, gone back to in one step, and removed when nobody wants it."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.running import Workplace, pyproject


@pytest.fixture
def switched(workplace: Workplace) -> Workplace:
    """A project that was synced for the CPU, and then for CUDA 12.4."""
    workplace.write(pyproject("torch==2.6.0"))
    workplace.sync("--variant", "cpu")
    workplace.sync("--variant", "cu124")
    return workplace


def generations(workplace: Workplace) -> list[dict[str, Any]]:
    done = workplace.run("env", "list", "--json")
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    assert document["schema"] == "torchstrap.env-list/1"
    listed: list[dict[str, Any]] = document["generations"]
    return listed


def torch_of(workplace: Workplace) -> str:
    document = json.loads((workplace.folder / ".venv" / "torchstrap.json").read_text())
    return next(str(each["version"]) for each in document["packages"] if each["name"] == "torch")


def test_lists_what_was_built_the_last_one_first(switched: Workplace) -> None:
    new, old = generations(switched)
    assert [(each["current"], each["torch"], each["variant"]) for each in (new, old)] == [
        (True, "2.6.0+cu124", "cu124"),
        (False, "2.6.0+cpu", "cpu"),
    ]
    assert new["python"] == old["python"]
    assert new["packages"] == len(json.loads((switched.folder / ".venv/torchstrap.json").read_text())["packages"])
    assert new["used"] >= old["used"]
    people = switched.run("env", "list").stdout.splitlines()
    assert people[0].startswith(f"* {new['key']}")
    assert people[1].startswith(f"  {old['key']}")
    assert "torch 2.6.0+cpu, Python" in people[1]


def test_tells_what_is_shared_with_the_store_from_what_is_not(switched: Workplace) -> None:
    (current, _) = generations(switched)
    root = switched.folder / ".venv.generations" / current["key"]
    files = [each.lstat() for each in root.rglob("*") if not each.is_dir() or each.is_symlink()]
    assert current["size"] == {
        "own": sum(each.st_size for each in files if each.st_nlink == 1),
        "shared": sum(each.st_size for each in files if each.st_nlink > 1),
    }


def test_goes_back_to_the_one_before_and_forth_again(switched: Workplace) -> None:
    for expected in ("2.6.0+cpu", "2.6.0+cu124", "2.6.0+cpu"):
        done = switched.run("env", "rollback")
        assert done.returncode == 0, done.stderr
        assert torch_of(switched) == expected
        assert generations(switched)[0]["torch"] == expected
    assert switched.run("run", "--variant", "cpu", "--", "python", "-c", "import torch").returncode == 0


def test_a_sync_after_it_does_what_the_options_say_and_builds_nothing(switched: Workplace) -> None:
    switched.run("env", "rollback")
    stays = switched.sync("--variant", "cpu")
    assert (stays["changed"], torch_of(switched)) == (False, "2.6.0+cpu")
    assert switched.run("sync", "--variant", "cpu").stderr.startswith("Nothing to do.")
    forth = switched.sync("--variant", "cu124")
    assert (forth["changed"], torch_of(switched)) == (True, "2.6.0+cu124")
    assert len(generations(switched)) == 2


def test_says_that_the_project_has_changed_since(workplace: Workplace) -> None:
    workplace.write(pyproject("jinja2"))
    workplace.sync()
    workplace.write(pyproject("jinja2", "typing-extensions"))
    workplace.sync()
    done = workplace.run("env", "rollback", "--json")
    assert done.returncode == 0, done.stderr
    (warning,) = json.loads(done.stdout)["warnings"]
    assert "pyproject.toml" in warning
    assert "warning: " in done.stderr
    assert workplace.sync()["changed"] is True, "a sync follows the project"
    assert workplace.run("run", "--", "python", "-c", "import typing_extensions").returncode == 0


def test_goes_back_to_the_one_that_is_named_even_by_its_beginning(switched: Workplace) -> None:
    new, old = generations(switched)
    assert switched.run("env", "rollback", old["key"][:-3]).returncode == 0
    assert generations(switched)[0]["key"] == old["key"]
    ambiguous = switched.run("env", "rollback", "torch-2.6.0")
    assert ambiguous.returncode == 65
    assert "begins the names of 2" in ambiguous.stderr
    assert new["key"] in ambiguous.stderr


def test_removes_one_or_all_but_the_current_one(switched: Workplace) -> None:
    new, old = generations(switched)
    refused = switched.run("env", "remove", new["key"])
    assert refused.returncode == 73
    assert "switch to another" in refused.stderr
    done = switched.run("env", "remove", old["key"])
    assert done.returncode == 0, done.stderr
    assert old["key"] in done.stderr
    assert [each["key"] for each in generations(switched)] == [new["key"]]
    switched.sync("--variant", "cpu")
    litter = switched.folder / ".venv.generations" / "x.building-999999999"
    litter.mkdir()
    (litter / "half").write_text("half")
    assert switched.run("env", "remove", "--all-but-current").returncode == 0
    assert [each["torch"] for each in generations(switched)] == ["2.6.0+cpu"]
    assert not litter.exists()
    assert switched.run("env", "remove", "--all-but-current").stderr == "there is nothing to remove\n"


@pytest.mark.parametrize("links", ["", "1"], ids=["a link", "a folder"])
def test_removes_the_environment_itself_and_a_sync_makes_it_again(workplace: Workplace, links: str) -> None:
    place = workplace.with_variables(TORCHSTRAP_NO_SYMLINK=links)
    place.write(pyproject("typing-extensions"))
    place.sync()
    done = place.run("env", "remove", "--all")
    assert done.returncode == 0, done.stderr
    assert not os.path.lexists(place.folder / ".venv")
    left = {each.name for each in (place.folder / ".venv.generations").iterdir()}
    assert left == {".gitignore", "lock"}
    again = place.run("env", "remove", "--all")
    assert (again.returncode, "there is no environment" in again.stderr) == (65, True)
    assert place.sync()["changed"] is True


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (("env", "rollback", "no-such-key"), 65, "there is no generation 'no-such-key'"),
        (("env", "rollback", "../../etc"), 65, "there is no generation"),
        (("env", "remove", "no-such-key"), 65, "there is no generation 'no-such-key'"),
        (("env", "remove", ""), 65, "there is no generation ''"),
        (("env", "rollback"), 65, "no other generation to go back to"),
        (("env", "remove"), 2, "--all-but-current"),
        (("env", "remove", "x", "--all-but-current"), 2, "--all-but-current"),
        (("env", "remove", "x", "--all"), 2, "--all"),
        (("env",), 2, "ACTION"),
        (("env", "prune"), 2, "prune"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else None,
)
def test_what_makes_no_sense_is_refused_with_a_sentence(
    workplace: Workplace, words: tuple[str, ...], code: int, says: str
) -> None:
    workplace.write(pyproject("typing-extensions"))
    workplace.sync()
    done = workplace.run(*words)
    assert (done.returncode, done.stdout) == (code, "")
    assert says in done.stderr
    assert "Traceback" not in done.stderr
    assert len(generations(workplace)) == 1


@pytest.mark.parametrize("words", [("list",), ("rollback",), ("remove", "--all-but-current")], ids=" ".join)
def test_there_is_no_environment(workplace: Workplace, words: tuple[str, ...]) -> None:
    done = workplace.run("env", *words)
    assert (done.returncode, done.stdout) == (65, "")
    assert "`torchstrap sync`" in done.stderr
    assert not list(workplace.folder.iterdir()), "looking leaves nothing behind"


def test_a_generation_whose_word_is_damaged_is_listed_all_the_same(switched: Workplace) -> None:
    (switched.folder / ".venv" / "torchstrap.json").write_text('{"packages": 3')
    (damaged, _) = generations(switched)
    assert (damaged["current"], damaged["torch"], damaged["packages"]) == (True, None, None)
    assert switched.run("env", "list").returncode == 0


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="root may write everywhere")
def test_says_who_may_not_write(switched: Workplace) -> None:
    folder = Path(switched.folder, ".venv.generations")
    folder.chmod(0o555)
    try:
        assert switched.run("env", "remove", "--all-but-current").returncode == 77
    finally:
        folder.chmod(0o755)
