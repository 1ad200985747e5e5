from __future__ import annotations

import runpy
import sys
import sysconfig
from pathlib import Path

import pytest

from bootstrap.commands.pythons.housewarming import told, warm

PLACE = Path("/srv/pythons/cpython-3.13.1-linux-x86_64-gnu")
ON_LINUX = {"llvm-ar": "ar", "clang": "cc", "clang++": "c++"}
TABLE = """# system configuration generated and used by the sysconfig module
build_time_vars = {'AR': '/tools/llvm/bin/llvm-ar',
 'CC': 'clang -pthread',
 'LIBDIR': '/install/lib',
 'Py_DEBUG': 0}
after = True
"""


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("/install", f"{PLACE}"),
        ("/install/lib", f"{PLACE}/lib"),
        ("-L/install/lib -I/install/include", f"-L{PLACE}/lib -I{PLACE}/include"),
        ("clang++ -pthread -shared", "c++ -pthread -shared"),
        ("/tools/clang-linux64/bin/llvm-ar", "ar"),
        ("/tools/llvm/bin/clang -O3", "cc -O3"),
        ("/installed /usr/install /install-2", "/installed /usr/install /install-2"),
        ("'CC=clang' -fclang-abi clang-tidy /usr/bin/clang", "'CC=clang' -fclang-abi clang-tidy /usr/bin/clang"),
        ("", ""),
    ],
)
def test_a_value_is_told_of_its_place_and_of_what_is_there(value: str, expected: str) -> None:
    assert told(value, PLACE, ON_LINUX) == expected


@pytest.mark.parametrize(
    ("name", "compiler"),
    [
        ("_sysconfigdata__linux_x86_64-linux-gnu.py", "cc -pthread"),
        ("_sysconfigdata__darwin_darwin.py", "clang -pthread"),
    ],
)
def test_the_table_is_written_anew_and_the_rest_of_its_module_stays(tmp_path: Path, name: str, compiler: str) -> None:
    path = tmp_path / "lib/python3.13" / name
    path.parent.mkdir(parents=True)
    path.write_text(TABLE)
    warm(tmp_path, PLACE)
    found = runpy.run_path(str(path))
    assert found["build_time_vars"] == {"AR": "ar", "CC": compiler, "LIBDIR": f"{PLACE}/lib", "Py_DEBUG": 0}
    assert found["after"] is True
    assert path.read_text().startswith("# system configuration")


@pytest.mark.parametrize("text", ["build_time_vars = dict(CC='clang')\n", "def (", "other = 1\n", "a = b = {}\n"])
def test_a_module_of_another_form_stays_as_it_is(tmp_path: Path, text: str) -> None:
    path = tmp_path / "lib/python3.13/_sysconfigdata__linux_x.py"
    path.parent.mkdir(parents=True)
    path.write_text(text)
    warm(tmp_path, PLACE)
    assert path.read_text() == text


def test_the_table_of_a_real_python_keeps_all_that_is_not_of_its_builders(tmp_path: Path) -> None:
    name = next(Path(sysconfig.get_path("stdlib")).glob("_sysconfigdata_*.py"))
    path = tmp_path / f"lib/python3.{sys.version_info[1]}" / name.name
    path.parent.mkdir(parents=True)
    path.write_text(name.read_text())
    before = runpy.run_path(str(name))["build_time_vars"]
    warm(tmp_path, PLACE)
    assert runpy.run_path(str(path))["build_time_vars"] == before


def test_libraries_are_described_where_they_are(tmp_path: Path) -> None:
    path = tmp_path / "lib/pkgconfig/python-3.13.pc"
    path.parent.mkdir(parents=True)
    path.write_text("# comment\nprefix=/install\nlibdir=${prefix}/lib\n")
    path.with_name("python3.pc").symlink_to(path.name)
    warm(tmp_path, PLACE)
    assert path.read_text() == f"# comment\nprefix={PLACE}\nlibdir=${{prefix}}/lib\n"
