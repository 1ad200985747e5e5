"""What builds get besides torch: our own resolver fills their environments, from the store, by pip's words."""

from __future__ import annotations

import re
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from tests.acceptance.running import Workplace, pyproject
from tests.replica import Replica
from tests.sdists import archive, build_table, plain


@pytest.fixture
def own(workplace: Workplace, tmp_path: Path) -> Workplace:
    """A workplace with a cache of its own."""
    return replace(workplace, cache=tmp_path / "cache")


def add(replica: Replica, name: str, content: bytes, version: str = "1") -> None:
    replica.add_file("default", name, version, f"{name}-{version}.tar.gz", content)


def test_build_requirements_come_from_the_projects_indexes_and_the_store(own: Workplace) -> None:
    own.replica.add_wheel("default", "helper-of-builds", "3")
    code = "import helper_of_builds\nassert helper_of_builds.__version__ == '3'\n"
    add(own.replica, "helped", plain("helped", table=build_table("helper-of-builds>=2"), code=code))
    own.write(pyproject("helped"))
    before = len(own.replica.requests)
    own.sync()
    fetched = [str(each) for each in own.replica.requests[before:]]
    assert any("helper_of_builds-3-py3-none-any.whl" in each for each in fetched)
    installed = [path.name for path in (own.folder / ".venv").resolve().rglob("*.dist-info")]
    assert installed == ["helped-1.dist-info"]


def test_what_is_built_each_time_needs_no_network(own: Workplace, tmp_path: Path) -> None:
    """Even where the environment for the build has to be put together again from the store."""
    beside = tmp_path / "beside"
    beside.mkdir()
    own.replica.add_wheel("default", "helper-without-network", "3")
    (beside / "pyproject.toml").write_text(build_table("helper-without-network"))
    setup = "import helper_without_network\nfrom setuptools import setup\nsetup(name='beside', version='1')\n"
    (beside / "setup.py").write_text(setup)
    own.write(pyproject("beside", more='[tool.uv.sources]\nbeside = { path = "../beside" }\n'))
    own.sync()
    shutil.rmtree(own.cache / "builds")
    before = len(own.replica.requests)
    outcome = own.sync("--offline", "--venv", "another")
    assert outcome["changed"] is True
    assert len(own.replica.requests) == before


def test_a_failing_build_shows_its_last_lines_and_keeps_a_log(own: Workplace) -> None:
    code = "print(*range(99), sep='\\n', flush=True)\nraise SystemExit('no compiler here')\n"
    add(own.replica, "compiled", plain("compiled", code=code))
    own.write(pyproject("compiled"))
    done = own.run("sync")
    assert done.returncode == 1
    assert "compiled-1.tar.gz could not be built" in done.stderr
    assert "no compiler here" in done.stderr
    assert "\n98\n" in done.stderr
    assert "\n2\n" not in done.stderr
    log = re.search(r"The full log is (\S+\.log)", done.stderr)
    assert log is not None
    text = Path(log[1]).read_text()
    assert "\n2\n" in text
    assert "no compiler here" in text
    Path(log[1]).unlink()
    assert not (own.folder / ".venv").exists()
    assert not (own.folder / "pylock.toml").exists()


@pytest.mark.parametrize(
    ("words", "version"),
    [
        pytest.param((), "2", id="the newest"),
        pytest.param(("--only-binary", "maker"), "1", id="a wheel"),
        pytest.param(("--no-binary", "maker"), "2", id="built"),
    ],
)
def test_pips_words_about_wheels_count_for_build_requirements(
    own: Workplace, words: tuple[str, ...], version: str
) -> None:
    """Of `maker` there is a wheel of the older version only."""
    own.replica.add_wheel("default", "maker", "1")
    add(own.replica, "maker", plain("maker", "2"), "2")
    code = "import maker\nfrom importlib.metadata import version\nfrom pathlib import Path\n"
    code += "Path('product.py').write_text('MAKER = ' + repr(version('maker')))\n"
    add(own.replica, "product", plain("product", table=build_table("maker"), code=code))
    own.write(pyproject("product"))
    own.sync(*words)
    assert f"'{version}'" in next((own.folder / ".venv").resolve().rglob("product.py")).read_text()


def test_a_circle_of_builds_is_a_sentence(own: Workplace) -> None:
    add(own.replica, "hen", plain("hen", table=build_table("egg")))
    add(own.replica, "egg", plain("egg", table=build_table("hen")))
    own.write(pyproject("egg"))
    done = own.run("sync")
    assert done.returncode == 1
    assert "egg needs hen needs egg to be built" in done.stderr
    assert "--only-binary egg" in done.stderr
    assert "Traceback" not in done.stderr


def test_what_a_build_needs_and_nobody_has_is_told_of_the_build(own: Workplace) -> None:
    add(own.replica, "wanting", plain("wanting", table=build_table("nobody-has-this")))
    own.write(pyproject("wanting"))
    done = own.run("sync")
    assert done.returncode == 1
    assert "wanting has to be built, and nothing meets what its build needs" in done.stderr
    assert "The build needs nobody-has-this" in done.stderr
    assert "relax" not in done.stderr


def test_one_build_inside_another_remembers_what_each_was_built_with(own: Workplace) -> None:
    """The tool needs torch to be built, and so what is built with the tool depends on torch, too."""
    code = "import torch\nfrom pathlib import Path\nPath('tool.py').write_text('TORCH = ' + repr(torch.__version__))\n"
    add(own.replica, "tool", plain("tool", table=build_table("torch"), code=code))
    code = "import tool\nfrom pathlib import Path\nPath('work.py').write_text('TORCH = ' + repr(tool.TORCH))\n"
    add(own.replica, "work", plain("work", table=build_table("tool"), code=code))
    own.write(pyproject("work", "torch==2.7.1"))
    for variant in ("cpu", "cu128", "cpu"):
        own.sync("--variant", variant)
        text = next((own.folder / ".venv").resolve().rglob("work.py")).read_text()
        assert f"2.7.1+{variant}" in text


def test_a_wheel_that_is_of_another_package_than_its_source_is_refused(own: Workplace) -> None:
    setup = "from setuptools import setup\nsetup(name='impostor', version='9', py_modules=[])\n"
    content = archive("honest", {"pyproject.toml": build_table(), "setup.py": setup}, metadata="2.2")
    add(own.replica, "honest", content)
    own.write(pyproject("honest"))
    done = own.run("sync")
    assert done.returncode == 1, done.stderr
    assert "honest-1.tar.gz" in done.stderr
    assert "impostor" in done.stderr
    assert "Traceback" not in done.stderr
    assert not (own.folder / ".venv").exists()
