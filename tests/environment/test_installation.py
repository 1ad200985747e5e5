from __future__ import annotations

import csv
import hashlib
import os
import re
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from bootstrap.environment.installation import Install, install
from bootstrap.environment.interpreter import describe
from bootstrap.environment.layout import Layout
from bootstrap.environment.link import SHARE, Method, clone, copy, hardlink, method_between
from bootstrap.environment.virtual import create
from bootstrap.errors import BadDistributionError, CannotWriteError, VerificationError
from bootstrap.wheels.store import Store, StoredWheel
from tests.making import make_wheel, record_hash
from tests.wheels.recipes import FILENAME, INFORMATION, WHEEL, replaced

RUNNING = describe(Path(sys.executable))


class Workshop:
    """A store, and an empty environment to install into that will be found at another path."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.store = Store(folder / "store")
        self.root, self.final = folder / "built", folder / "project/.venv"
        create(self.root, RUNNING, self.final)
        self.final.parent.mkdir()
        self.final.symlink_to(self.root)
        self.layout = Layout.of(RUNNING, self.root, self.final)
        self.site = self.root / RUNNING.purelib

    def wheel(
        self, name: str, files: Mapping[str, str | bytes], *, entry_points: str = "", executable: Sequence[str] = ()
    ) -> StoredWheel:
        archive = make_wheel(
            self.folder / "wheels", name, "1.0", files=files, entry_points=entry_points, executable=executable
        )
        return self.store.add(archive, archive.name)

    def record(self, name: str) -> dict[str, tuple[str, str]]:
        text = (self.site / f"{name}-1.0.dist-info/RECORD").read_text()
        return {path: (digest, size) for path, digest, size in csv.reader(text.splitlines())}


@pytest.fixture
def workshop(tmp_path: Path) -> Workshop:
    return Workshop(tmp_path)


def test_installs_a_wheel_that_then_works(workshop: Workshop) -> None:
    wheel = workshop.wheel(
        "tool",
        {
            "tool/__init__.py": "def main():\n    print('it works')\n",
            "tool/deep/er/data.txt": "x",
            "tool-1.0.data/scripts/old": "#!python\nimport tool\ntool.main()\n",
            "tool-1.0.data/scripts/native": b"\x7fELF",
            "tool-1.0.data/data/share/tool/page.1": "manual",
            "tool-1.0.data/headers/tool.h": "int x;",
            "tool-1.0.data/platlib/tool_native.py": "y = 2\n",
        },
        entry_points="[console_scripts]\nnew = tool:main\n",
        executable=["tool-1.0.data/scripts/native"],
    )
    warnings = install([Install(wheel, requested=True, direct_url='{"url": "file:///tool"}')], workshop.layout)
    assert warnings == ()
    for program in ("old", "new"):
        command = [workshop.final / "bin" / program]
        assert subprocess.run(command, check=True, capture_output=True, text=True).stdout == "it works\n"
        assert (workshop.root / "bin" / program).read_text().startswith(f"#!{workshop.final}/bin/python\n")
    information = workshop.site / "tool-1.0.dist-info"
    assert (information / "INSTALLER").read_text() == "torchstrap\n"
    assert (information / "REQUESTED").read_text() == ""
    assert (information / "direct_url.json").read_text() == '{"url": "file:///tool"}'
    assert (workshop.root / "share/tool/page.1").read_text() == "manual"
    assert (workshop.site / "tool_native.py").exists()
    minor = f"{sys.version_info.major}.{sys.version_info.minor}"
    assert (workshop.root / f"include/site/python{minor}/tool/tool.h").exists()


def test_record_lists_what_is_there_with_its_hashes(workshop: Workshop) -> None:
    wheel = workshop.wheel(
        "tool",
        {"tool/__init__.py": "x", "tool/a,b.py": "y", "tool-1.0.data/scripts/old": "#!python\nz\n"},
        entry_points="[console_scripts]\nnew = tool:main\n",
    )
    install([Install(wheel)], workshop.layout)
    record = workshop.record("tool")
    assert record.pop("tool-1.0.dist-info/RECORD") == ("", "")
    for path, (digest, size) in record.items():
        content = (workshop.site / path).read_bytes()
        assert (digest, size) == (record_hash(content), str(len(content))), path
    outside = {"../../../bin/old", "../../../bin/new"}
    there = {str(path.relative_to(workshop.site)) for path in workshop.site.rglob("*") if path.is_file()}
    assert set(record) | {"tool-1.0.dist-info/RECORD"} == there | outside


def test_the_store_and_the_environment_share_files_and_not_what_is_written(workshop: Workshop) -> None:
    wheel = workshop.wheel("tool", {"tool.py": "x = 1\n"}, executable=["tool.py"])
    install([Install(wheel)], workshop.layout)
    method = method_between(f"{wheel.folder}/wheel.json", workshop.root)
    shared = (wheel.tree / "tool.py").samefile(workshop.site / "tool.py")
    assert shared == (method is hardlink)
    assert (workshop.site / "tool.py").stat().st_mode & 0o100
    assert not (wheel.tree / "tool-1.0.dist-info/INSTALLER").exists()
    assert workshop.store.damage(wheel) == ()


def test_the_first_package_keeps_a_file_that_two_bring(workshop: Workshop) -> None:
    one = workshop.wheel("one", {"tests/__init__.py": "one", "one.py": ""})
    two = workshop.wheel("two", {"tests/__init__.py": "two", "two.py": ""})
    (warning,) = install([Install(one), Install(two)], workshop.layout)
    assert "one 1.0 and two 1.0 both bring" in warning
    assert "tests/__init__.py" in warning
    assert (workshop.site / "tests/__init__.py").read_text() == "one"
    assert "tests/__init__.py" in workshop.record("one")
    assert "tests/__init__.py" not in workshop.record("two")


def test_two_packages_may_bring_the_same_bytes(workshop: Workshop) -> None:
    files = {"space/__init__.py": "same", "{name}-1.0.data/data/share/licence": "same"}
    wheels = [
        workshop.wheel(name, {path.format(name=name): text for path, text in files.items()}) for name in ("one", "two")
    ]
    assert install([Install(each) for each in wheels], workshop.layout) == ()
    for name in ("one", "two"):
        assert {"space/__init__.py", "../../../share/licence"} <= set(workshop.record(name))


def test_two_packages_with_one_program_are_warned_about(workshop: Workshop) -> None:
    one = workshop.wheel("one", {"one.py": ""}, entry_points="[console_scripts]\nrun = one:main\n")
    two = workshop.wheel("two", {"two.py": ""}, entry_points="[console_scripts]\nrun = two:main\n")
    (warning,) = install([Install(one), Install(two)], workshop.layout)
    assert "bin/run" in warning
    assert "from one import main" in (workshop.root / "bin/run").read_text()
    assert "../../../bin/run" not in workshop.record("two")


def test_a_file_of_the_torch_family_is_never_shared_with_others(workshop: Workshop) -> None:
    torch = workshop.wheel("torch", {"torch/__init__.py": "gpu"})
    other = workshop.wheel("torch_cpu", {"torch/__init__.py": "cpu"})
    with pytest.raises(VerificationError, match=r"torch_cpu 1\.0 and torch 1\.0 both bring"):
        install([Install(other), Install(torch)], workshop.layout, exclusive=lambda name: name == "torch")


def test_refuses_one_package_twice(workshop: Workshop) -> None:
    wheel = workshop.wheel("tool", {"tool.py": ""})
    with pytest.raises(VerificationError, match="one package at one version"):
        install([Install(wheel), Install(wheel)], workshop.layout)


OWN_FILES = {
    "a file": ({"tool-1.0.data/data/share/taken": "theirs"}, ""),
    "a file as a folder": ({"tool-1.0.data/data/bin/activate.csh/x": "theirs"}, ""),
    "a folder as a file": ({"tool-1.0.data/data/share": "theirs"}, ""),
    "a program by a script": ({"tool-1.0.data/scripts/special": "theirs"}, ""),
    "a program by a script of Python": ({"tool-1.0.data/scripts/special": "#!python"}, ""),
    "a program by an entry point": ({"tool.py": "theirs"}, "[console_scripts]\nspecial = tool:main\n"),
    "a module that runs at every start": ({"own.pth": "import os"}, ""),
    "a module by way of data": ({f"tool-1.0.data/data/{RUNNING.purelib}/own.pth": "import os"}, ""),
}


@pytest.mark.parametrize(("files", "entry_points"), OWN_FILES.values(), ids=OWN_FILES)
def test_refuses_to_replace_what_the_environment_has(
    workshop: Workshop, files: Mapping[str, str], entry_points: str
) -> None:
    """An interpreter may come with more than is known of all environments."""
    ours = [workshop.root / "share/taken", workshop.root / "bin/special", workshop.site / "own.pth"]
    for each in ours:
        each.parent.mkdir(exist_ok=True)
        each.write_text("ours")
    wheel = workshop.wheel("tool", files, entry_points=entry_points)
    with pytest.raises(BadDistributionError, match="would replace a file of the environment itself") as caught:
        install([Install(wheel)], workshop.layout)
    assert caught.value.file == wheel.filename
    assert [each.read_text() for each in ours] == ["ours"] * 3
    assert (workshop.root / "bin/activate.csh").is_file()


@pytest.mark.parametrize("order", [(0, 1), (1, 0)], ids=["file first", "folder first"])
def test_names_both_packages_where_ones_file_is_the_others_folder(workshop: Workshop, order: tuple[int, int]) -> None:
    wheels = [workshop.wheel("one", {"space": "a file"}), workshop.wheel("two", {"space/module.py": ""})]
    with pytest.raises(VerificationError, match="which cannot both be there") as caught:
        install([Install(wheels[number]) for number in order], workshop.layout)
    for words in (r"one 1\.0", r"two 1\.0", r"/site-packages/space\b(?!/)", r"/site-packages/space/module\.py"):
        assert re.search(words, str(caught.value))


def test_an_error_that_is_not_about_the_wheels_stays_what_it_is(workshop: Workshop) -> None:
    wheel = workshop.wheel("tool", {"tool.py": ""})
    nowhere = replace(workshop.layout, root=workshop.root / "bin/activate")
    with pytest.raises(CannotWriteError, match="activate"):
        install([Install(wheel)], nowhere)


def test_many_files_that_two_packages_bring_are_one_warning(workshop: Workshop) -> None:
    one = workshop.wheel("one", {f"shared/m{number}.py": "one" for number in range(9)})
    two = workshop.wheel("two", {f"shared/m{number}.py": "two" for number in range(9)})
    (warning,) = install([Install(one), Install(two)], workshop.layout)
    assert warning.count("shared/m") == 3
    assert "and 6 more files with other content" in warning
    assert not [path for path in workshop.record("two") if path.startswith("shared/")]


def test_names_the_files_that_python_reads_at_every_start(workshop: Workshop) -> None:
    quiet = workshop.wheel("quiet", {"quiet/inner.pth": "", "quiet.py": ""})
    loud = workshop.wheel("loud", {"loud.pth": "import os\n", "loud-1.0.data/purelib/louder.pth": "import sys\n"})
    editable = workshop.wheel("editable", {"__editable__.pth": "/somewhere\n"})
    installs = [Install(quiet), Install(loud), Install(editable, direct_url='{"dir_info": {"editable": true}}')]
    assert install(installs, workshop.layout) == (
        "Python reads these files of packages at every start: loud.pth (loud 1.0), louder.pth (loud 1.0)",
    )


def test_says_what_was_let_pass_in_a_wheel(workshop: Workshop) -> None:
    archive = workshop.folder / FILENAME
    replaced(f"{INFORMATION}/WHEEL", WHEEL.replace(b"1.0", b"1.7"))(archive)
    (warning,) = install([Install(workshop.store.add(archive, FILENAME))], workshop.layout)
    assert warning.startswith(f"{FILENAME} is installed although its Wheel-Version is 1.7")


def test_a_program_that_is_script_and_entry_point_is_written_once(workshop: Workshop) -> None:
    wheel = workshop.wheel(
        "tool",
        {"tool.py": "", "tool-1.0.data/scripts/run": "#!python\n"},
        entry_points="[console_scripts]\nrun = tool:main\n",
    )
    assert install([Install(wheel)], workshop.layout) == ()
    assert "from tool import main" in (workshop.root / "bin/run").read_text()


@pytest.mark.parametrize("workers", [1, 3])
def test_many_files_all_arrive(workshop: Workshop, workers: int) -> None:
    wheels = [
        workshop.wheel(f"tool{number}", {f"tool{number}/s{each % 7}/m{each}.py": f"{each}" for each in range(count)})
        for number, count in enumerate((3, 500, 2 * SHARE + 1))
    ]
    install([Install(each) for each in wheels], workshop.layout, workers=workers)
    for wheel in wheels:
        for path, size, _ in wheel.contents.files:
            assert (workshop.site / path).stat().st_size == size


@pytest.mark.parametrize("chosen", [hardlink, copy, clone])
def test_each_way_of_linking_gives_the_same_file(tmp_path: Path, chosen: Method) -> None:
    source, target = tmp_path / "source", tmp_path / "target"
    source.write_bytes(os.urandom(100_000))
    source.chmod(0o755)
    try:
        chosen(str(source), str(target), True)
    except OSError:
        assert chosen is clone
        pytest.skip("this file system cannot clone files")
    assert hashlib.sha256(target.read_bytes()).digest() == hashlib.sha256(source.read_bytes()).digest()
    assert target.stat().st_mode & 0o100
    with pytest.raises(FileExistsError):
        chosen(str(source), str(target), True)


def test_copies_from_another_file_system(tmp_path: Path) -> None:
    other = Path("/dev/shm")  # noqa: S108
    if not other.is_dir() or other.stat().st_dev == tmp_path.stat().st_dev:
        pytest.skip("there is no second file system")
    source = tmp_path / "source"
    source.write_text("x")
    assert method_between(str(source), other) is copy
    assert method_between(str(source), tmp_path) in {clone, hardlink}
    assert [each.name for each in tmp_path.iterdir()] == ["source"]
