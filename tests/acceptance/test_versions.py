"""Another version of torchstrap over what one has left: upward all of it serves, downward nothing is misread."""

from __future__ import annotations

import io
import json
import re
import sys
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from tests.acceptance.running import Workplace, pyproject


@pytest.fixture(scope="module")
def newer(pyz: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, ...]:
    """The program as it will be one day: another version, from another folder."""
    folder = tmp_path_factory.mktemp("newer")
    with zipfile.ZipFile(pyz) as outer, zipfile.ZipFile(io.BytesIO(outer.read("program.zip"))) as program:
        program.extractall(folder)
    init = folder / "bootstrap" / "__init__.py"
    init.write_text(re.sub(r'__version__ = ".*"', '__version__ = "99.0"', init.read_text()))
    start = f"import sys; sys.path.insert(0, {str(folder)!r}); from bootstrap.__main__ import main; sys.exit(main())"
    return sys.executable, "-I", "-S", "-c", start


@pytest.fixture
def old(workplace: Workplace, tmp_path: Path, pyz: Path) -> Workplace:
    """A project that this version has built, with a cache of its own."""
    place = replace(workplace, cache=tmp_path / "cache", program=(sys.executable, "-I", "-S", str(pyz)))
    place.write(pyproject("typing-extensions"))
    place.sync()
    return place


def test_an_upgrade_takes_over_the_lock_the_store_and_the_generations(old: Workplace, newer: tuple[str, ...]) -> None:
    new, lock = replace(old, program=newer), (old.folder / "pylock.toml").read_bytes()
    assert new.run("--version").stdout == "torchstrap 99.0\n"
    fetched = len(old.replica.fetched(r"\.whl"))
    made = new.sync("--frozen")
    assert len(old.replica.fetched(r"\.whl")) == fetched
    assert (old.folder / "pylock.toml").read_bytes() == lock
    kept = json.loads(new.run("env", "list", "--json").stdout)["generations"]
    assert len(kept) == 2
    assert new.run("env", "rollback").returncode == 0
    assert new.run("run", "--", "python", "-c", "import typing_extensions").returncode == 0
    assert [each["sha256"] for each in new.sync()["packages"]] == [each["sha256"] for each in made["packages"]]
    assert new.run("verify").returncode == 0


def test_the_version_before_goes_on_where_nothing_is_in_a_form_that_it_does_not_know(
    old: Workplace, newer: tuple[str, ...]
) -> None:
    replace(old, program=newer).sync()
    assert old.sync("--frozen")["packages"][0]["name"] == "typing-extensions"
    assert old.run("verify").returncode == 0


def _generation(place: Workplace) -> Path:
    (marker,) = place.folder.glob(".venv.generations/*/generation.json")
    return marker


def _stored(place: Workplace) -> Path:
    (description,) = place.cache.glob("wheels/*/*/wheel.json")
    return description


def _lock(place: Workplace) -> Path:
    return place.folder / "pylock.toml"


@pytest.mark.parametrize(
    ("left", "schema", "way_out"),
    [
        pytest.param(_generation, '"schema": 1', "name another environment with --venv", id="generation"),
        pytest.param(_stored, '"schema":1', "name another cache with --cache-dir", id="store"),
        pytest.param(_lock, "schema = 2", "move it away and write it anew with `torchstrap lock`", id="lock"),
    ],
)
def test_what_a_newer_version_left_is_refused_with_a_sentence(
    old: Workplace, left: Callable[[Workplace], Path], schema: str, way_out: str
) -> None:
    path = left(old)
    text = path.read_text()
    path.write_text(text.replace(schema, schema[:-1] + "9"))
    assert path.read_text() != text
    (old.folder / ".venv" / "torchstrap.stamp").unlink()
    if left is _stored:
        old.write(pyproject("typing-extensions", "six"))
    before = sorted(old.folder.rglob("*"))
    done = old.run("sync")
    assert done.returncode == 78, done.stderr
    assert "was made by a newer torchstrap (schema 9, and this one knows" in done.stderr
    assert done.stderr.endswith(f"update torchstrap, or {way_out}\n")
    assert [each for each in sorted(old.folder.rglob("*")) if each.suffix != ".pyc"] == before or left is _stored
