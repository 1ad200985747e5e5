from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from packaging.specifiers import SpecifierSet

from bootstrap.commands.activity import Activity
from bootstrap.commands.pythons.wanted import Shop, folder, here
from bootstrap.environment.discovery import MissingPythonError, find
from bootstrap.environment.standalone import BASE_URL, PLATFORMS, Build, Table, read_table
from bootstrap.errors import BootstrapError, CannotWriteError, NoCompatibleFileError, NotPermittedError, UsageError
from bootstrap.index.client import Client, NetworkSettings
from bootstrap.project.policy import MachinePolicy
from bootstrap.project.settings import Settings
from probes import LocalHost
from tests.machines.unpack import unpack

BUILDS = (
    Build("3.97.10", "20250101", "linux-x86_64-gnu", "0" * 64),
    Build("3.97.9", "20250101", "linux-x86_64-musl", "1" * 64),
    Build("3.96.2", "20250101", "linux-x86_64-gnu", "2" * 64),
    Build("3.96.1", "20250101", "linux-x86_64-gnu", "3" * 64),
)


@pytest.fixture
def shop() -> Iterator[Shop]:
    client = Client(NetworkSettings(offline=False))
    yield Shop(Settings(), MachinePolicy(), client, Table(BUILDS), "linux-x86_64-gnu", Activity())
    client.close()


def missing(tmp_path: Path, request: str | None, requires: str = "") -> MissingPythonError:
    """What a machine without any other Python than the running one says."""
    with pytest.raises(MissingPythonError) as caught:
        find(request, SpecifierSet(requires), environ={"PATH": str(tmp_path), "HOME": str(tmp_path)})
    return caught.value


def test_this_machine_is_one_that_there_are_builds_for() -> None:
    assert here() in PLATFORMS


@pytest.mark.parametrize(
    ("machine", "platform"),
    [
        ("linux-x86_64-alpine-none", "linux-x86_64-musl"),
        ("linux-x86_64-v3-epyc-cpu", "linux-x86_64-gnu"),
        ("linux-aarch64-neoverse-v2-cpu", "linux-aarch64-gnu"),
        ("macos-arm64-m1-macos14-cpu", "macos-arm64"),
        ("macos-x86_64-macbookpro2018-cpu", "macos-x86_64"),
    ],
)
def test_a_machine_takes_builds_for_its_c_library(tmp_path: Path, machine: str, platform: str) -> None:
    assert here(LocalHost(unpack(f"{machine}.txt", tmp_path / "root"), {})) == platform


@pytest.mark.parametrize(("word", "version"), [("3.97", "3.97.10"), ("3.96", "3.96.2"), ("3.96.1", "3.96.1")])
def test_takes_the_newest_build_of_what_is_named(shop: Shop, word: str, version: str) -> None:
    assert shop.named(word).version == version


def test_takes_the_c_library_of_this_machine(shop: Shop) -> None:
    assert replace(shop, platform="linux-x86_64-musl").named("3.97").version == "3.97.9"


@pytest.mark.parametrize("word", ["3", "newest", "3.97t", ">=3.96", "2.7"])
def test_a_word_that_is_no_version_is_refused(shop: Shop, word: str) -> None:
    with pytest.raises(UsageError, match=r"write one like 3.13"):
        shop.named(word)


@pytest.mark.parametrize("word", ["3.9", "3.1", "3.97.1", "3.97.100"])
def test_says_which_builds_there_are(shop: Shop, word: str) -> None:
    with pytest.raises(NoCompatibleFileError, match=r"for linux-x86_64-gnu; there are 3\.97\.10, 3\.96\.2, 3\.96\.1"):
        shop.named(word)


def test_says_that_there_is_nothing_for_a_platform(shop: Shop) -> None:
    with pytest.raises(NoCompatibleFileError, match=r"for linux-ppc64le .*install one as this system does it"):
        replace(shop, platform="linux-ppc64le").named("3.97")


@pytest.mark.parametrize(
    ("request_", "requires", "version"),
    [
        ("3.97", "", "3.97.10"),
        ("python3.96", "<3.96.2", "3.96.1"),
        (">=3.96,!=3.97.*", "", "3.96.2"),
        (None, "==3.96.1", "3.96.1"),
    ],
)
def test_finds_what_would_do_for_who_misses_one(
    tmp_path: Path, shop: Shop, request_: str | None, requires: str, version: str
) -> None:
    found = shop.missed(missing(tmp_path, request_, requires))
    assert found is not None
    assert found.version == version


@pytest.mark.parametrize(("request_", "requires"), [("3.97t", ""), ("3.97", "<3.97"), (None, ">=4"), ("3.99", "")])
def test_offers_nothing_that_would_not_do(tmp_path: Path, shop: Shop, request_: str | None, requires: str) -> None:
    assert shop.missed(missing(tmp_path, request_, requires)) is None


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda shop: shop, None),
        (lambda shop: replace(shop, settings=Settings(python_downloads=False)), "Pythons are not fetched unasked"),
        (lambda shop: replace(shop, client=Client(NetworkSettings(offline=True))), "This run is offline"),
        (
            lambda shop: replace(
                shop,
                settings=Settings(python_downloads=False),
                policy=MachinePolicy(Path("/etc/policy.toml"), enforced={"python-downloads": False}),
            ),
            "/etc/policy.toml permits no download of Pythons",
        ),
        (
            lambda shop: replace(
                shop, client=Client(NetworkSettings(offline=True, mirrors=((BASE_URL, "file:///srv/pythons"),)))
            ),
            None,
        ),
    ],
    ids=["nothing", "switched-off", "offline", "forbidden", "offline-with-a-folder"],
)
def test_says_what_is_in_the_way(shop: Shop, make: Callable[[Shop], Shop], said: str | None) -> None:
    obstacle = make(shop).obstacle()
    assert obstacle is None if said is None else obstacle is not None and obstacle.startswith(said)


def test_what_the_policy_forbids_is_not_permitted(shop: Shop) -> None:
    policy = MachinePolicy(Path("/etc/policy.toml"), enforced={"python-downloads": False})
    closed = replace(shop, settings=Settings(python_downloads=False), policy=policy)
    with pytest.raises(NotPermittedError, match="ask whoever keeps that file"):
        closed.buy(BUILDS[0])


def test_a_user_without_a_home_names_a_folder(tmp_path: Path) -> None:
    with pytest.raises(CannotWriteError, match="no home folder; name a folder for Pythons with TORCHSTRAP_PYTHON_DIR"):
        folder({})
    assert folder({"TORCHSTRAP_PYTHON_DIR": str(tmp_path)}) == tmp_path
    assert folder({"HOME": "/home/x"}) == Path("/home/x/.local/share/torchstrap/pythons")
    assert folder({"HOME": "/home/x", "XDG_DATA_HOME": "/data"}) == Path("/data/torchstrap/pythons")


def test_a_missing_python_is_a_usual_error(tmp_path: Path) -> None:
    error: BootstrapError = missing(tmp_path, "3.99")
    assert error.exit_code == 1
    assert str(error).endswith("Install one that fits, or name it with --python PATH.")


def test_every_build_of_ours_can_be_had_by_its_version(shop: Shop) -> None:
    for each in read_table().builds:
        assert replace(shop, table=read_table(), platform=each.platform).named(each.version) == each
