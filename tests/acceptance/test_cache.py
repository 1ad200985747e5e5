"""`cache`: what nobody uses goes, what somebody uses stays, and what is damaged is found and made again."""

from __future__ import annotations

import fcntl
import io
import json
import os
import shutil
import subprocess
import sys
import tarfile
import time
from pathlib import Path
from typing import Any

import pytest
from packaging.utils import canonicalize_name

from bootstrap.wheels.making import made_beside
from bootstrap.wheels.store import Store
from tests.acceptance.running import Workplace, pyproject
from tests.making import make_wheel
from tests.replica import Replica

LONG_AGO = time.time() - 400 * 86400


@pytest.fixture
def place(tmp_path: Path, replica: Replica) -> Workplace:
    """A project that was synced with a cache of its own, which holds a wheel that nobody uses too."""
    folder = tmp_path / "project"
    folder.mkdir()
    place = Workplace(folder, tmp_path / "cache", replica)
    place.write(pyproject("jinja2"))
    place.sync()
    archive = make_wheel(tmp_path, "unused", "1.0", files={"unused.py": "x = 1\n" * 1000})
    Store(place.cache).add(archive, archive.name)
    age(place)
    return place


def age(place: Workplace) -> None:
    """As if all in the store had been there for long."""
    for each in place.cache.glob("wheels/*/*/wheel.json"):
        os.utime(each, (LONG_AGO, LONG_AGO))


def collected(place: Workplace, *words: str) -> dict[str, Any]:
    done = place.run("cache", "gc", "--json", *words)
    assert done.returncode == 0, done.stderr
    document: dict[str, Any] = json.loads(done.stdout)
    assert document["schema"] == "torchstrap.cache-gc/1"
    return document


def stored(place: Workplace) -> set[str]:
    store = Store(place.cache)
    return {canonicalize_name(wheel.name) for each in store if (wheel := store.find(each)) is not None}


def test_says_where_the_cache_is(place: Workplace, tmp_path: Path) -> None:
    assert place.run("cache", "dir").stdout == f"{place.cache}\n"
    assert place.run("cache", "dir", "--cache-dir", "elsewhere").stdout == f"{place.folder / 'elsewhere'}\n"
    assert not (place.folder / "elsewhere").exists()
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "pyproject.toml").write_text('[tool.torchstrap]\ncache-dir = "mine"\n')
    bare = {name: value for name, value in place.variables().items() if name != "TORCHSTRAP_CACHE_DIR"}
    command = [*("python3", "-m", "bootstrap"), "cache", "dir", "--project", str(tmp_path / "other")]
    done = subprocess.run(
        command, executable=sys.executable, env=bare, capture_output=True, text=True, check=True, cwd=place.folder
    )
    assert done.stdout == f"{tmp_path / 'other' / 'mine'}\n"


def test_removes_what_nobody_uses_and_says_how_much(place: Workplace) -> None:
    size = sum(each.stat().st_size for each in place.cache.glob("wheels/*/*/tree/unused.py"))
    only_said = collected(place, "--dry-run")
    assert [each["file"] for each in only_said["removed"]] == ["unused-1.0-py3-none-any.whl"]
    assert only_said["freed"] > size
    assert stored(place) == {"jinja2", "markupsafe", "unused"}
    done = place.run("cache", "gc")
    assert done.returncode == 0, done.stderr
    assert "unused-1.0-py3-none-any.whl" in done.stderr
    assert "removed: 1 wheel (" in done.stderr
    assert "in use: 2 wheels (" in done.stderr
    assert stored(place) == {"jinja2", "markupsafe"}
    assert not list((place.cache / "building").iterdir())
    assert place.run("verify").returncode == 0
    assert collected(place)["removed"] == []


def test_what_was_just_fetched_stays(place: Workplace) -> None:
    for each in place.cache.glob("wheels/*/*/wheel.json"):
        os.utime(each)
    assert collected(place)["removed"] == []


def test_what_a_generation_uses_stays_until_that_is_gone(place: Workplace) -> None:
    place.write(pyproject("typing-extensions"))
    place.sync()
    age(place)
    collected(place)
    assert stored(place) == {"jinja2", "markupsafe", "typing-extensions"}, "`env rollback` has them"
    place.run("env", "remove", "--all-but-current")
    collected(place)
    assert stored(place) == {"typing-extensions"}


def test_what_is_used_as_a_copy_stays_too(place: Workplace) -> None:
    """As on another file system, or where files are cloned: no link shows that somebody uses them."""
    generations = place.folder / ".venv.generations"
    copied = place.folder / "copied"
    shutil.copytree(generations, copied, symlinks=True)
    shutil.rmtree(generations)
    copied.rename(generations)
    assert collected(place)["removed"][0]["file"].startswith("unused")
    assert stored(place) == {"jinja2", "markupsafe"}
    shutil.rmtree(generations)
    collected(place)
    assert stored(place) == set()
    assert not list((place.cache / "environments").iterdir()), "who is gone is forgotten"


def test_waits_for_who_links(place: Workplace) -> None:
    with (place.cache / "store.lock").open() as held:
        fcntl.flock(held, fcntl.LOCK_SH)
        only_said = place.run("cache", "gc", "--dry-run")
        assert only_said.returncode == 0, "looking disturbs nobody"
        busy = place.run("cache", "gc")
    assert busy.returncode == 75
    assert "try again" in busy.stderr
    assert "unused" in stored(place)


def test_a_sync_waits_for_who_removes(place: Workplace) -> None:
    place.write(pyproject("typing-extensions"))
    with (place.cache / "store.lock").open("r+") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        command = [sys.executable, "-m", "bootstrap", "sync"]
        running = subprocess.Popen(command, cwd=place.folder, env=place.variables(), stderr=subprocess.PIPE)
        with pytest.raises(subprocess.TimeoutExpired):
            running.communicate(timeout=3)
    _, said = running.communicate(timeout=60)
    assert running.returncode == 0, said


def test_syncs_and_collections_at_once_hurt_nobody(place: Workplace) -> None:
    """Each sync needs wheels of the store that nothing is linked to, and that are old enough to go."""
    for turn in range(3):
        shutil.rmtree(place.folder / ".venv.generations")
        age(place)
        command = [sys.executable, "-m", "bootstrap"]
        processes = [
            subprocess.Popen([*command, *words], cwd=place.folder, env=place.variables(), stderr=subprocess.PIPE)
            for words in (["cache", "gc"], ["sync", "--venv", f"env-{turn}"], ["cache", "gc"], ["sync"])
        ]
        for each in processes:
            _, said = each.communicate(timeout=120)
            assert each.returncode == 0, said
        assert place.run("verify").returncode == 0


def test_old_litter_goes_and_new_stays(place: Workplace) -> None:
    old = ["incoming/a.part", "building/x/tree/file", "pages/ab/cdef", "metadata/ab/cdef", "archives/.12-x.tar.gz"]
    for name in (*old, *(f"{each}-new" for each in old)):
        file = place.cache / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("x" * 1000)
    for name in old:
        os.utime(place.cache / name, (LONG_AGO, LONG_AGO))
    os.utime(place.cache / "building/x", (LONG_AGO, LONG_AGO))
    assert collected(place, "--dry-run")["litter"]["entries"] == len(old)
    report = collected(place)
    assert report["litter"]["entries"] == len(old)
    assert report["litter"]["size"] >= 5000
    assert [name for name in old if (place.cache / name).exists()] == []
    assert all((place.cache / f"{name}-new").exists() for name in old if not name.startswith("building"))


def test_an_environment_for_builds_goes_when_nobody_has_used_it_for_long(place: Workplace) -> None:
    name = "oldfashioned"
    place.replica.add_file("default", name, "1.0", f"{name}-1.0.tar.gz", source_distribution(name))
    place.write(pyproject(name))
    place.sync()
    (build,) = (place.cache / "builds").iterdir()
    assert collected(place)["litter"]["entries"] == 0
    os.utime(build, (LONG_AGO, LONG_AGO))
    shutil.rmtree(place.cache / "archives")
    shutil.rmtree(place.folder / ".venv.generations")
    place.sync()
    assert collected(place)["litter"]["entries"] == 0, "it was used again"
    os.utime(build, (LONG_AGO, LONG_AGO))
    assert collected(place)["litter"]["entries"] == 1
    assert not build.exists()


def test_an_archive_goes_when_nobody_has_used_it_for_long(place: Workplace) -> None:
    name = "outmoded"
    place.replica.add_file("default", name, "1.0", f"{name}-1.0.tar.gz", source_distribution(name))
    place.write(pyproject(name))
    place.sync()
    (archive,) = (place.cache / "archives").iterdir()
    assert collected(place)["litter"]["entries"] == 0
    os.utime(archive, (LONG_AGO, LONG_AGO))
    shutil.rmtree(place.folder / ".venv.generations")
    place.sync()
    assert collected(place)["litter"]["entries"] == 0, "it was used again"
    os.utime(archive, (LONG_AGO, LONG_AGO))
    assert collected(place, "--dry-run")["litter"]["entries"] == 1
    assert archive.exists()
    assert collected(place)["litter"]["entries"] == 1
    assert not archive.exists()
    shutil.rmtree(place.folder / ".venv.generations")
    place.sync()


def test_what_killed_processes_left_goes_and_what_is_being_made_stays(place: Workplace) -> None:
    left = place.cache / "building" / "0123456789abcdef-7-01234567"
    (left / "tree").mkdir(parents=True)
    (left / "tree" / "file").write_text("x" * 1000)
    with made_beside(place.cache / "building", "fedcba9876543210") as making:
        assert collected(place)["litter"]["entries"] == 1
        assert making.exists()
    assert not left.exists()


def source_distribution(name: str) -> bytes:
    files = {
        "pyproject.toml": '[build-system]\nrequires = ["setuptools"]\nbuild-backend = "setuptools.build_meta"\n'
        f'[project]\nname = "{name}"\nversion = "1.0"\n[tool.setuptools]\npy-modules = ["{name}"]\n',
        f"{name}.py": "",
        "PKG-INFO": f"Metadata-Version: 2.2\nName: {name}\nVersion: 1.0\n",
    }
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w:gz") as tar:
        for path, text in files.items():
            member = tarfile.TarInfo(f"{name}-1.0/{path}")
            member.size = len(text)
            tar.addfile(member, io.BytesIO(text.encode()))
    return archive.getvalue()


def test_reads_everything_again_and_finds_all_well(place: Workplace) -> None:
    done = place.run("cache", "verify", "--json")
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    assert document["schema"] == "torchstrap.cache-verify/1"
    assert document["checked"]["entries"] == 3
    assert document["damaged"] == document["environments"] == []
    assert "all as they should be" in done.stderr


def entry(place: Workplace, name: str) -> Path:
    store = Store(place.cache)
    wheels = (wheel for each in store if (wheel := store.find(each)) is not None)
    return next(wheel.folder for wheel in wheels if canonicalize_name(wheel.name) == name)


def _flip(folder: Path) -> None:
    with next(folder.glob("tree/*/__init__.py")).open("r+b") as file:
        file.write(b"#")


def _lose(folder: Path) -> None:
    next(folder.glob("tree/*/__init__.py")).unlink()


def _garble(folder: Path) -> None:
    (folder / "wheel.json").write_text("{")


def _strip(folder: Path) -> None:
    (folder / "wheel.json").unlink()


@pytest.mark.parametrize("spoil", [_flip, _lose, _garble, _strip], ids=lambda each: each.__name__.strip("_"))
def test_what_is_damaged_is_taken_out_and_made_again(place: Workplace, spoil: Any) -> None:
    folder = entry(place, "jinja2")
    spoil(folder)
    done = place.run("cache", "verify", "--json")
    assert done.returncode == 1
    document = json.loads(done.stdout)
    assert [each["sha256"] for each in document["damaged"]] == [folder.name]
    assert "warning: " in done.stderr
    assert not folder.exists()
    assert place.run("cache", "verify").returncode == 0
    place.sync("--venv", "other")
    assert folder.exists()
    assert place.run("verify", "--venv", "other").returncode == 0


def test_an_environment_with_the_same_damage_is_built_again(place: Workplace) -> None:
    _flip(entry(place, "jinja2"))
    assert place.run("verify").returncode == 1, "it is the same file"
    (place.folder / ".venv" / "distrusted").unlink()
    done = place.run("cache", "verify", "--json")
    assert json.loads(done.stdout)["environments"] == [str(place.folder / ".venv")]
    assert place.sync()["changed"] is True
    assert place.run("verify").returncode == 0


def test_a_sync_that_meets_a_damaged_description_says_what_helps(place: Workplace) -> None:
    _garble(entry(place, "jinja2"))
    done = place.run("sync", "--venv", "other")
    assert done.returncode == 65
    assert "`torchstrap cache verify`" in done.stderr


@pytest.mark.parametrize("words", [("gc",), ("gc", "--dry-run"), ("verify",)], ids=" ".join)
def test_there_is_no_cache_yet(workplace: Workplace, tmp_path: Path, words: tuple[str, ...]) -> None:
    nowhere = tmp_path / "nowhere"
    done = workplace.run("cache", *words, "--cache-dir", str(nowhere))
    assert done.returncode == 0, done.stderr
    assert "there is no cache yet" in done.stderr
    assert not nowhere.exists()


@pytest.mark.parametrize("words", [("dir",), ("gc",), ("verify",)], ids=" ".join)
def test_no_cache_is_to_be_kept(workplace: Workplace, words: tuple[str, ...]) -> None:
    for done in (
        workplace.run("cache", *words, "--no-cache"),
        workplace.with_variables(TORCHSTRAP_NO_CACHE="1").run("cache", *words),
    ):
        assert (done.returncode, done.stdout) == (78, "")
        assert "--no-cache" in done.stderr


def test_a_file_is_no_cache(workplace: Workplace, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    done = workplace.run("cache", "gc", "--cache-dir", str(tmp_path / "file"))
    assert done.returncode == 65
    assert "is no folder" in done.stderr


def test_words_that_make_no_sense(workplace: Workplace) -> None:
    for words in (("cache",), ("cache", "clean"), ("cache", "dir", "--dry-run")):
        assert workplace.run(*words).returncode == 2
