from __future__ import annotations

import errno
import sys
from pathlib import Path

import pytest

from bootstrap.environment.claims import Claims, Install, claim
from bootstrap.environment.disputes import explained
from bootstrap.environment.interpreter import describe
from bootstrap.environment.layout import Layout
from bootstrap.environment.virtual import create
from bootstrap.errors import BadDistributionError, VerificationError
from bootstrap.wheels.store import Store
from tests.making import make_wheel

RUNNING = describe(Path(sys.executable))


def claimed(folder: Path, **brings: str) -> tuple[Claims, list[Install]]:
    """What packages ask for, each of one file. Their wheels are for Linux alone, where case counts."""
    store = Store(folder / "store")
    installs = []
    for name, files in brings.items():
        contents = dict.fromkeys(files.split(), "")
        archive = make_wheel(folder / "wheels", name, "1.0", files=contents, tag="py3-none-manylinux_2_28_x86_64")
        installs.append(Install(store.add(archive, archive.name)))
    create(folder / "built", RUNNING, folder / "built")
    claims = Claims.of(Layout.of(RUNNING, folder / "built", folder / "built"))
    for number in range(len(installs)):
        claim(claims, number, installs)
    return claims, installs


def taken(claims: Claims, path: str) -> FileExistsError:
    """What a file system says that takes two names for one."""
    target = f"{claims.layout.root}/{claims.layout.platlib}/{path}"
    return FileExistsError(errno.EEXIST, "File exists", "/store/tree/file", None, target)


def test_names_both_packages_where_case_does_not_count(tmp_path: Path) -> None:
    claims, installs = claimed(tmp_path, one="Space.py", two="space.py", three="other.py")
    found = explained(taken(claims, "space.py"), claims, installs)
    assert isinstance(found, VerificationError)
    assert str(found).startswith("one 1.0 and two 1.0 bring lib")
    assert "Space.py and " in str(found)


def test_names_the_package_that_has_both_names_itself(tmp_path: Path) -> None:
    claims, installs = claimed(tmp_path, one="Space.py space.py", two="other.py")
    found = explained(taken(claims, "space.py"), claims, installs)
    assert isinstance(found, BadDistributionError)
    assert found.file == installs[0].wheel.filename
    assert "taken for another of its files by the file system" in str(found)


@pytest.mark.parametrize("path", ["one.py", "nobodys.py", ""], ids=["only claimant", "no claimant", "the folder"])
def test_has_nothing_to_say_where_no_two_meet(tmp_path: Path, path: str) -> None:
    claims, installs = claimed(tmp_path, one="one.py", two="two.py")
    assert explained(taken(claims, path), claims, installs) is None
    assert explained(FileExistsError(errno.EEXIST, "File exists", "/elsewhere/one.py"), claims, installs) is None
