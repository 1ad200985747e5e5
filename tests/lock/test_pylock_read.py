from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from packaging.pylock import Pylock

from bootstrap.errors import InputError, NewerError
from bootstrap.lock.canonical import as_locked
from bootstrap.lock.model import Lock
from bootstrap.lock.pylock_read import load, pins, read
from bootstrap.lock.pylock_write import write
from bootstrap.resolver.resolution import Direct, Resolution
from tests.lock.workshop import OFFERS, file, lock, pin, sdist, target, torch_lock

FOREIGN = """\
lock-version = "1.0"
created-by = "uv"
requires-python = ">=3.10"

[[packages]]
name = "mine"
directory = { path = ".", editable = true }

[[packages]]
name = "numpy"
version = "2.1.0"
marker = "sys_platform != 'win32'"
index = "https://index.example/simple"
wheels = [
    { url = "https://files.example/numpy-2.1.0-cp311-cp311-macosx_11_0_arm64.whl", hashes = { sha256 = "aa" } },
    { url = "https://files.example/numpy-2.1.0-cp311-cp311-manylinux_2_28_x86_64.whl", hashes = { sha256 = "bb" } },
]
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "pylock.toml"


def test_gives_back_every_kind_of_package(path: Path) -> None:
    made = lock(
        Resolution(
            "cpu",
            target(),
            (
                pin("alpha", files=(file("alpha", "1.0"), sdist("alpha", "1.0")), requires=["beta"]),
                pin("beta", direct=Direct("https://host.example/beta.git", commit="a" * 40, subdirectory="x")),
                pin("delta", direct=Direct("https://host.example/delta-1.0.zip", hashes={"sha256": "00"})),
                pin("mine", "0.3.dev1", direct=Direct("", path=path.parent, editable=True), requires=["alpha"]),
                pin("wheel", direct=Direct("", path=Path("w-1-py3-none-any.whl"), hashes={"sha256": "00"})),
            ),
        ),
        aliases={"gpu": frozenset({"cu126"})},
    )
    path.write_text(write(made, path.parent))
    assert read(path) == as_locked(made, path.parent)
    assert read(path).resolutions[0].pins[3].direct == Direct(path.parent.as_uri(), path.parent, editable=True)


def test_gives_back_what_differs_between_resolutions(path: Path) -> None:
    one = (pin("alpha", requires=["beta"]), pin("beta"))
    other = (pin("alpha", requires=[], wanted_by=["", "extra:dev"]), pin("beta", wanted_by=["group:test"]))
    made = lock(Resolution("cpu", target(), one), Resolution("cu126", target(), other), extras=["dev"], groups=["test"])
    path.write_text(write(made))
    alpha, beta = read(path).resolutions[1].pins
    assert (alpha.requires, alpha.wanted_by) == ((), frozenset({"", "extra:dev"}))
    assert beta.wanted_by == frozenset({"group:test"})
    assert read(path).resolutions[0].pins[0].requires == ("beta",)


def test_loads_its_own_as_a_lock_and_others_as_a_document(path: Path) -> None:
    path.write_text(write(torch_lock()))
    assert isinstance(load(path), Lock)
    path.write_text(FOREIGN)
    assert isinstance(load(path), Pylock)


def test_installs_from_what_another_tool_wrote(path: Path) -> None:
    path.write_text(FOREIGN)
    mine, numpy = pins(path, [], None, target())
    assert mine.direct == Direct(path.parent.as_uri(), path.parent, editable=True)
    assert [each.filename for each in numpy.files] == ["numpy-2.1.0-cp311-cp311-manylinux_2_28_x86_64.whl"]
    assert (str(numpy.version), numpy.index) == ("2.1.0", "https://index.example/simple")


def test_finds_the_pins_of_its_own_file(path: Path) -> None:
    path.write_text(write(torch_lock()))
    found = pins(path, ["cu126"], None, target())
    assert [(each.name, str(each.version)) for each in found] == [
        ("accelerate", "1.0"),
        ("numpy", "2.1.0"),
        ("pytest", "8.4.0"),
        ("torch", "2.8.0+cu126"),
        ("triton", "3.4.0"),
    ]


@pytest.mark.parametrize(
    ("spoil", "sentence"),
    [
        pytest.param(lambda _: "[[packages", "is not valid TOML", id="not TOML"),
        pytest.param(lambda _: "[project]\nname = 'x'\n", "no lock-version", id="another kind of file"),
        pytest.param(lambda t: t.replace('"1.0"', '"2.0"', 1), "lock format 2.0.*update torchstrap", id="newer format"),
        pytest.param(lambda t: t.replace("schema = 2", "schema = 1"), "another torchstrap", id="older schema"),
        pytest.param(lambda t: t.replace("schema = 2", ""), "'schema' in .tool.torchstrap", id="no schema"),
        pytest.param(lambda t: t.replace("sha256 =", "sha =").replace('= "', "= 7 #"), "line", id="broken line"),
        pytest.param(lambda t: t.replace('name = "numpy"', 'name = "Num_Py"'), "not normalized", id="name"),
        pytest.param(
            lambda t: t.replace('"2.1.0"\nreq', '"2.1.1"\nreq'), "not consistent with package version", id="version"
        ),
        pytest.param(lambda t: t.replace("'cpu' in extras", "'cpu' at extras"), "not a valid lock", id="marker"),
        pytest.param(lambda t: t.replace('resolutions = "0"', 'resolutions = "7"'), "'resolutions' in", id="number"),
        pytest.param(lambda t: t.replace('resolutions = "0"', 'resolutions = "1"'), "torch stands twice", id="twice"),
        pytest.param(lambda t: t.replace('kind = "extra"', 'kind = "wish"'), "'kind' in", id="kind"),
        pytest.param(lambda t: t.replace("[tool.torchstrap]", "[tool.other]"), "is not a table", id="no table of ours"),
        pytest.param(lambda t: t.replace("sys_platform = ", "system = "), "'linux_x86_64' in", id="platform"),
        pytest.param(lambda t: t.replace('wanted-by = ["', 'wanted-by = [3, "'), "'wanted-by' in", id="root"),
        pytest.param(lambda t: t.replace("uses = [", "uses = [7,"), "is not a table", id="use"),
    ],
)
def test_refuses_with_a_sentence(path: Path, spoil: Callable[[str], str], sentence: str) -> None:
    text = write(torch_lock())
    assert spoil(text) != text
    path.write_text(spoil(text))
    with pytest.raises(InputError, match=sentence) as caught:
        read(path)
    assert str(path) in str(caught.value)
    assert caught.value.exit_code == 65


def test_refuses_what_a_newer_torchstrap_wrote(path: Path) -> None:
    """It is not ours to write anew: what it says that we do not understand would be lost."""
    path.write_text(write(torch_lock()).replace("schema = 2", "schema = 9"))
    with pytest.raises(NewerError, match=r"newer torchstrap \(schema 9, .*update torchstrap, or move it away"):
        read(path)


def test_refuses_to_read_another_tools_file_as_its_own(path: Path) -> None:
    path.write_text(FOREIGN)
    with pytest.raises(InputError, match="was written by uv"):
        read(path)


def test_refuses_a_file_that_is_not_there(path: Path) -> None:
    with pytest.raises(InputError, match="cannot be read"):
        read(path)


def test_notices_a_marker_that_was_edited_by_hand(path: Path) -> None:
    path.write_text(write(torch_lock()).replace("marker = \"'cu126' in extras\"", "marker = \"'cpu' in extras\"", 1))
    with pytest.raises(InputError, match=r"edited by hand.*torch 2\.8\.0\+cu126"):
        pins(path, ["cu126"], None, target())


def test_offers_come_back_in_the_projects_order(path: Path) -> None:
    path.write_text(write(lock(offers=OFFERS[::-1])))
    assert read(path).offers == OFFERS[::-1]
