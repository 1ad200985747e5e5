from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from bootstrap import __version__
from bootstrap.environment.interpreter import describe
from bootstrap.environment.virtual import create

RUNNING = describe(Path(sys.executable))


def say(command: Sequence[str | Path]) -> str:
    environ = {key: value for key, value in os.environ.items() if not key.startswith("VIRTUAL_ENV")}
    return subprocess.run(command, check=True, capture_output=True, text=True, env=environ).stdout.strip()


def settings(folder: Path) -> dict[str, str]:
    lines = (folder / "pyvenv.cfg").read_text().splitlines()
    return {key.strip(): value.strip() for key, _, value in (line.partition("=") for line in lines)}


def test_an_environment_names_the_place_it_will_be_found_at(tmp_path: Path) -> None:
    built, final = tmp_path / "built", tmp_path / "project/.venv"
    create(built, RUNNING, final, tmp_path / "cache")
    final.parent.mkdir()
    final.symlink_to(built)
    texts = [path for path in built.rglob("*") if path.is_file() and not path.is_symlink()]
    assert all(str(built) not in path.read_text() and "torchstrap-template" not in path.read_text() for path in texts)
    assert settings(built)["torchstrap"] == __version__
    assert settings(built)["include-system-site-packages"] == "false"
    assert Path(settings(built)["home"]) == RUNNING.path.parent
    assert say([final / "bin/python", "-c", "import sys; print(sys.prefix)"]) == str(final)
    activated = say(["bash", "-c", f'. "{final}/bin/activate" && echo "$VIRTUAL_ENV" && command -v python'])
    assert activated.splitlines() == [str(final), f"{final}/bin/python"]
    assert list((built / RUNNING.purelib).iterdir()) == [], "there are no seed packages"


@pytest.mark.parametrize("name", ["with space", "it's", 'a"b', "$HOME", "größe"])
def test_odd_folder_names_are_quoted_in_scripts(tmp_path: Path, name: str) -> None:
    final = tmp_path / name / ".venv"
    create(final, RUNNING, final, tmp_path / "cache")
    script = 'source "$0/bin/activate" && printf %s "$VIRTUAL_ENV"'
    assert say(["bash", "-c", script, final]) == str(final)
    compile((final / "bin/activate_this.py").read_text(), "activate_this.py", "exec")
    if shutil.which("fish"):
        assert say(["fish", "-c", 'source "$argv[1]/bin/activate.fish"; echo $VIRTUAL_ENV', final]) == str(final)


def test_the_second_one_is_drawn_from_the_template(tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    create(tmp_path / "one", RUNNING, tmp_path / "one", cache)
    (kept,) = (cache / "templates").iterdir()
    document = json.loads(kept.read_text())
    document["texts"]["witness.txt"] = [0o644, f"at {document['place']}"]
    kept.write_text(json.dumps(document))
    create(tmp_path / "two", RUNNING, tmp_path / "two", cache)
    assert (tmp_path / "two/witness.txt").read_text() == f"at {tmp_path / 'two'}"
    assert not (tmp_path / "one/witness.txt").exists()


@pytest.mark.parametrize("cache", ["none", "a file", "damaged"])
def test_works_without_a_usable_cache(tmp_path: Path, cache: str) -> None:
    place = tmp_path / "cache"
    if cache == "a file":
        place.write_text("")
    elif cache == "damaged":
        create(tmp_path / "first", RUNNING, tmp_path / "first", place)
        next((place / "templates").iterdir()).write_text("[]")
    create(tmp_path / "env", RUNNING, tmp_path / "env", None if cache == "none" else place)
    assert say([tmp_path / "env/bin/python", "-c", "import sys; print(sys.prefix)"]) == str(tmp_path / "env")


def test_a_persons_own_virtualenv_settings_have_no_say(tmp_path: Path) -> None:
    script = (
        "import sys; from pathlib import Path\n"
        "from bootstrap.environment.interpreter import describe; from bootstrap.environment.virtual import create\n"
        "create(Path(sys.argv[1]), describe(Path(sys.executable)), Path(sys.argv[1]))"
    )
    environ = {**os.environ, "VIRTUALENV_SYSTEM_SITE_PACKAGES": "1", "VIRTUALENV_PROMPT": "mine"}
    command = [sys.executable, "-c", script, str(tmp_path / "env")]
    subprocess.run(command, check=True, env=environ, cwd=Path(__file__).parents[2])
    assert settings(tmp_path / "env")["include-system-site-packages"] == "false"
    assert "mine" not in (tmp_path / "env/bin/activate").read_text()
