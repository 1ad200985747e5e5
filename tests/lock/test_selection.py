from __future__ import annotations

import pytest
from packaging.pylock import Pylock

from bootstrap import toml
from bootstrap.errors import NoCompatibleFileError, UsageError
from bootstrap.lock.model import Lock
from bootstrap.lock.pylock_write import write
from bootstrap.lock.selection import select
from bootstrap.resolver.resolution import Pin, Resolution, Target
from tests.lock.workshop import OFFERS, file, lock, pin, sdist, target, torch_lock


def as_document(made: Lock) -> Pylock:
    return Pylock.from_dict(toml.loads(write(made), "pylock.toml"))


def one(*pins: Pin) -> Lock:
    return lock(Resolution("", target(), pins), offers=())


def files_of(made: Lock | Pylock) -> list[str]:
    return [each.filename for each in select(made, [], [], target())[0].files]


MANY = one(
    pin(
        "alpha",
        files=(
            file("alpha", "1.0", "cp311-cp311-macosx_11_0_arm64"),
            file("alpha", "1.0"),
            sdist("alpha", "1.0"),
            file("alpha", "1.0", "cp311-cp311-manylinux_2_28_x86_64"),
            file("alpha", "1.0-2", "cp311-cp311-manylinux_2_28_x86_64"),
            file("alpha", "1.0-10", "cp311-cp311-manylinux_2_28_x86_64"),
        ),
    )
)


@pytest.mark.parametrize("made", [pytest.param(MANY, id="lock"), pytest.param(as_document(MANY), id="document")])
def test_puts_the_best_file_first_and_leaves_out_what_does_not_fit(made: Lock | Pylock) -> None:
    assert files_of(made) == [
        "alpha-1.0-10-cp311-cp311-manylinux_2_28_x86_64.whl",
        "alpha-1.0-2-cp311-cp311-manylinux_2_28_x86_64.whl",
        "alpha-1.0-cp311-cp311-manylinux_2_28_x86_64.whl",
        "alpha-1.0-py3-none-any.whl",
        "alpha-1.0.tar.gz",
    ]


def test_a_macos_file_never_stands_in_for_linux() -> None:
    made = one(pin("torch", "2.5.1", files=(file("torch", "2.5.1", "cp311-none-macosx_11_0_arm64"),)))
    for source in (made, as_document(made)):
        with pytest.raises(NoCompatibleFileError, match="torch"):
            select(source, [], [], target())


def test_says_which_files_there_are() -> None:
    made = one(pin("torch", "2.5.1", files=(file("torch", "2.5.1", "cp311-none-macosx_11_0_arm64"),)))
    with pytest.raises(
        NoCompatibleFileError, match=r"Python 3\.11\.7 on linux_x86_64; it has: torch.*macosx_11_0_arm64"
    ):
        select(made, [], [], target())


def test_takes_the_default_groups_unless_told_otherwise() -> None:
    made = torch_lock()
    names = [each.name for each in select(made, ["cpu"], None, target())]
    assert names == ["accelerate", "numpy", "pytest", "torch"]
    assert [each.name for each in select(made, ["cpu"], [], target())] == ["accelerate", "numpy", "torch"]
    assert [each.name for each in select(as_document(made), ["cpu"], [], target())] == ["accelerate", "numpy", "torch"]


def test_names_as_required_only_what_is_selected() -> None:
    accelerate = select(as_document(torch_lock()), ["cpu"], [], target())[0]
    assert accelerate.requires == ("numpy", "torch")
    made = one(pin("alpha", requires=["beta"]), pin("beta", wanted_by=["extra:dev"]))
    assert select(made, [], [], target())[0].requires == ()


def test_an_alias_takes_the_offer_that_it_stands_for() -> None:
    made = lock(
        Resolution("cpu", target(), (pin("torch", "2.8.0+cpu"),)),
        Resolution("cu126", target(), (pin("torch", "2.8.0+cu126"), pin("extra", wanted_by=["extra:gpu"]))),
        aliases={"gpu": frozenset({"cu126"})},
    )
    for source in (made, as_document(made)):
        found = select(source, ["gpu"], [], target())
        assert [(each.name, str(each.version)) for each in found] == [("extra", "1.0"), ("torch", "2.8.0+cu126")]
        assert [each.name for each in select(source, ["cu126"], [], target())] == ["torch"]


@pytest.mark.parametrize(
    ("extras", "groups", "sentence"),
    [
        pytest.param(["tpu"], [], "no extra 'tpu'; it has: cpu, cu126, dev", id="unknown extra"),
        pytest.param([], ["lint"], "no group 'lint'; it has: test", id="unknown group"),
        pytest.param(["cpu", "cu126"], [], "cpu and cu126 exclude each other", id="two offers"),
        pytest.param([], [], "nothing for no choice at all; it has: cpu, cu126", id="no offer"),
    ],
)
def test_refuses_selections_that_the_lock_does_not_have(extras: list[str], groups: list[str], sentence: str) -> None:
    with pytest.raises(UsageError, match=sentence):
        select(torch_lock(), extras, groups, target())


def test_two_offers_at_once_are_refused_by_the_standard_too() -> None:
    with pytest.raises(NoCompatibleFileError, match="Multiple packages with the name 'torch'"):
        select(as_document(torch_lock()), ["cpu", "cu126"], [], target())


@pytest.mark.parametrize(
    ("elsewhere", "sentence"),
    [
        pytest.param(
            target("3.12.1"), r"nothing for Python 3\.12 on linux_x86_64, only for: Python 3\.11", id="Python"
        ),
        pytest.param(target(platform="macos_arm64"), "on macos_arm64, only for: .*linux_x86_64", id="platform"),
    ],
)
def test_says_for_which_machines_it_holds(elsewhere: Target, sentence: str) -> None:
    with pytest.raises(NoCompatibleFileError, match=sentence):
        select(torch_lock(), ["cpu"], [], elsewhere)
    with pytest.raises(NoCompatibleFileError, match="cannot be installed"):
        select(as_document(torch_lock()), ["cpu"], [], elsewhere)


def test_a_group_can_be_the_offer() -> None:
    made = lock(Resolution("rocm", target(), (pin("torch", "2.8.0+rocm6.4"),)), offers=OFFERS[2:])
    for source in (made, as_document(made)):
        assert [str(each.version) for each in select(source, [], ["rocm"], target())] == ["2.8.0+rocm6.4"]
