from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from bootstrap.build.backend import Build, BuildEnvironment, build_editable, build_wheel, child_variables, metadata
from bootstrap.errors import BuildError, InputError

# A whole build backend, small enough to lie in the project that it builds.
BACKEND = """
import json, os, sys, zipfile
from pathlib import Path

INFO = "example-1.0.dist-info"
METADATA = "Metadata-Version: 2.2\\nName: example\\nVersion: 1.0\\nRequires-Dist: torch>=2\\n"

def write(folder, files):
    name = "example-1.0-py3-none-any.whl"
    files = {**files, f"{INFO}/METADATA": METADATA, f"{INFO}/WHEEL": "Wheel-Version: 1.0\\n"}
    with zipfile.ZipFile(Path(folder) / name, "w") as archive:
        for path, text in files.items():
            archive.writestr(path, text)
    return name

def get_requires_for_build_wheel(config_settings=None):
    return ["more>=1"]

def build_wheel(folder, config_settings=None, metadata_directory=None):
    print("building in", os.getcwd())
    return write(folder, {"example.py": "", "variables.json": json.dumps(dict(os.environ))})
"""
EDITABLE = """
def build_editable(folder, config_settings=None, metadata_directory=None):
    return write(folder, {"example.pth": str(Path("src").absolute())})
"""
PREPARE = """
def prepare_metadata_for_build_wheel(folder, config_settings=None):
    (Path(folder) / INFO).mkdir()
    (Path(folder) / INFO / "METADATA").write_text(METADATA + "Summary: prepared\\n")
    return INFO
"""
TABLE = '[build-system]\nrequires = ["first"]\nbuild-backend = "backend"\nbackend-path = ["tools"]\n'


def project(root: Path, code: str = BACKEND, table: str = TABLE) -> Path:
    (root / "tools").mkdir(parents=True)
    (root / "tools" / "backend.py").write_text(code)
    (root / "pyproject.toml").write_text(table)
    (root / "src").mkdir()
    (root / "src" / "example_module.py").write_text("ANSWER = 42\n")
    return root


class Provider:
    """Hands out this Python and remembers what it was asked for."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, ...]] = []

    def __call__(self, requirements: Sequence[str]) -> Path:
        self.asked.append(tuple(requirements))
        return Path(sys.executable)


@pytest.fixture
def environment(tmp_path: Path) -> BuildEnvironment:
    return BuildEnvironment(Provider(), logs=tmp_path / "logs")


def test_builds_a_wheel_with_what_the_backend_asks_for_on_top(tmp_path: Path) -> None:
    provide = Provider()
    wheel = build_wheel(project(tmp_path / "example"), tmp_path / "out", provide)
    assert wheel == tmp_path / "out" / "example-1.0-py3-none-any.whl"
    assert "example.py" in zipfile.ZipFile(wheel).namelist()
    assert provide.asked == [("first",), ("first", "more>=1")]


def test_asks_only_once_where_the_backend_wants_nothing_more(tmp_path: Path) -> None:
    provide = Provider()
    build_wheel(project(tmp_path / "example", BACKEND.replace('["more>=1"]', '["first"]')), tmp_path / "out", provide)
    assert provide.asked == [("first",)]


def test_keeps_no_log_of_a_build_that_went_well(tmp_path: Path, environment: BuildEnvironment) -> None:
    build_wheel(project(tmp_path / "example"), tmp_path / "out", environment)
    assert list((tmp_path / "logs").iterdir()) == []


def test_an_editable_wheel_makes_the_src_folder_importable(tmp_path: Path, environment: BuildEnvironment) -> None:
    wheel = build_editable(project(tmp_path / "example", BACKEND + EDITABLE), tmp_path / "out", environment)
    site = tmp_path / "site"
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(site)
    program = "import site, sys; site.addsitedir(sys.argv[1]); import example_module; print(example_module.ANSWER)"
    found = subprocess.run([sys.executable, "-c", program, site], check=True, capture_output=True, text=True)
    assert found.stdout == "42\n"


@pytest.mark.parametrize(
    ("code", "prepared"),
    [pytest.param(BACKEND + PREPARE, True, id="prepared"), pytest.param(BACKEND, False, id="from a wheel")],
)
def test_reads_the_metadata(tmp_path: Path, environment: BuildEnvironment, code: str, prepared: bool) -> None:
    content = metadata(project(tmp_path / "example", code), environment)
    assert b"Requires-Dist: torch>=2" in content
    assert (b"Summary: prepared" in content) is prepared


def test_the_callers_python_does_not_shine_through(tmp_path: Path) -> None:
    variables = {**os.environ, "PYTHONPATH": "/leak", "VIRTUAL_ENV": "/leak", "PYTHONHOME": "", "MAX_JOBS": "2"}
    variables.pop("PYTHONHOME")
    environment = BuildEnvironment(Provider(), variables=variables)
    wheel = build_wheel(project(tmp_path / "example"), tmp_path / "out", environment)
    seen = json.loads(zipfile.ZipFile(wheel).read("variables.json"))
    assert "/leak" not in seen.values()
    assert seen["MAX_JOBS"] == "2"
    assert seen["PYTHONNOUSERSITE"] == "1"
    assert seen["PATH"].split(os.pathsep)[0] == str(Path(sys.executable).parent)


def test_every_variable_that_moves_a_python_is_dropped() -> None:
    moved = dict.fromkeys(["PYTHONPATH", "PYTHONHOME", "PYTHONSTARTUP", "__PYVENV_LAUNCHER__", "VIRTUAL_ENV"], "x")
    assert "x" not in child_variables(moved, Path("/env/bin/python")).values()


FAILING = "import sys\nfor n in range(30): print('line', n)\nsys.stdout.flush()\nraise ValueError('no compiler here')"


@pytest.mark.parametrize(
    ("code", "sentence"),
    [
        pytest.param(FAILING, "the backend ended with exit code 1", id="raises at import"),
        pytest.param("import not_installed_anywhere", "cannot be imported", id="cannot be imported"),
        pytest.param("def build_wheel(*a, **k):\n    import os; os._exit(3)", "exit code 3", id="dies"),
        pytest.param("def build_wheel(*a, **k):\n    import os; os._exit(0)", "without an answer", id="leaves quietly"),
        pytest.param("def build_wheel(*a, **k):\n    return 'no.whl'", "says it made 'no.whl'", id="makes nothing"),
        pytest.param("def build_wheel(*a, **k):\n    return '../example/pyproject.toml'", "not there", id="points out"),
        pytest.param("def build_wheel(*a, **k):\n    return 7", "says it made 7", id="answers nonsense"),
        pytest.param(
            "def build_wheel(d, *a, **k):\n    open(d + '/x.whl', 'w').write('x'); return 'x.whl'",
            "x.whl, which is not a wheel",
            id="makes no wheel",
        ),
        pytest.param("", "no attribute 'build_wheel'", id="has no hooks"),
        pytest.param("def get_requires_for_build_wheel(*a): return 'x'", "in place of a list", id="wants nonsense"),
    ],
)
def test_a_failing_backend_is_one_sentence_and_its_last_lines(
    tmp_path: Path, environment: BuildEnvironment, code: str, sentence: str
) -> None:
    source = project(tmp_path / "example", code)
    with pytest.raises(BuildError, match=sentence) as caught:
        build_wheel(source, tmp_path / "out", environment)
    assert str(caught.value).startswith(f"{source} could not be built")


def test_shows_the_last_lines_and_keeps_the_whole_log(tmp_path: Path, environment: BuildEnvironment) -> None:
    code = (
        "def build_wheel(*a, **k):\n    print(*range(99), sep='\\n', flush=True)\n    raise ValueError('no compiler')"
    )
    with pytest.raises(BuildError) as caught:
        build_wheel(project(tmp_path / "example", code), tmp_path / "out", environment)
    (log,) = (tmp_path / "logs").iterdir()
    assert str(log) in caught.value.what
    assert log.read_text().startswith("0\n1\n2\n")
    assert caught.value.output.splitlines()[-1] == "ValueError: no compiler"
    assert len(caught.value.output.splitlines()) == 20
    assert "0" not in caught.value.output.splitlines()


def test_a_python_that_cannot_be_started_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(BuildError, match="missing-python cannot be started"):
        build_wheel(project(tmp_path / "example"), tmp_path / "out", lambda _: tmp_path / "missing-python")


def test_a_backend_without_editables_says_the_way_out(tmp_path: Path, environment: BuildEnvironment) -> None:
    with pytest.raises(BuildError, match="does not know PEP 660"):
        build_editable(project(tmp_path / "example"), tmp_path / "out", environment)


def test_a_build_that_asks_gets_no_answer(tmp_path: Path, environment: BuildEnvironment) -> None:
    code = "def build_wheel(*a, **k):\n    input('proceed? ')"
    with pytest.raises(BuildError, match="exit code 1") as caught:
        build_wheel(project(tmp_path / "example", code), tmp_path / "out", environment)
    assert "EOFError" in caught.value.output


@pytest.mark.parametrize("call", [build_wheel, build_editable], ids=["wheel", "editable"])
def test_refuses_a_folder_with_nothing_to_build(tmp_path: Path, call: Build) -> None:
    with pytest.raises(BuildError, match=r"neither a pyproject\.toml nor a setup\.py"):
        call(tmp_path, tmp_path / "out", Provider())


Spoil = Callable[[str], str]


@pytest.mark.parametrize(
    ("spoil", "sentence"),
    [
        pytest.param(lambda t: t.replace('"tools"', '"../out"'), "leads out of the project", id="backend path"),
        pytest.param(lambda t: t.replace('["first"]', "7"), "'requires' in .build-system", id="requires"),
        pytest.param(lambda t: t.replace('"first"', '"???"'), "is not a requirement", id="requirement"),
        pytest.param(lambda t: t.replace('"backend"', "[]"), "'build-backend'", id="backend"),
        pytest.param(lambda t: t.replace("requires", "needs"), "has no 'requires'", id="no requires"),
        pytest.param(lambda _: "[", "not valid TOML", id="not TOML"),
    ],
)
def test_refuses_a_build_system_that_is_nonsense(tmp_path: Path, spoil: Spoil, sentence: str) -> None:
    source = project(tmp_path / "example", table=spoil(TABLE))
    with pytest.raises(InputError, match=sentence):
        build_wheel(source, tmp_path / "out", Provider())
