"""One store for the people of a lab: two users of one group, each with an environment of links into it."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.acceptance.running import Workplace, pyproject
from tests.replica import Replica

GROUP, ANN, BEN, STRANGER = 54300, 54301, 54302, 54303
NOT_PERMITTED = 77


def _can_be_somebody_else() -> bool:
    command = ["setpriv", f"--reuid={ANN}", f"--regid={ANN}", f"--groups={GROUP}", sys.executable, "-c", "import httpx"]
    found = sys.platform == "linux" and os.geteuid() == 0 and shutil.which("setpriv") is not None
    return found and subprocess.run(command, capture_output=True, check=False).returncode == 0


pytestmark = pytest.mark.skipif(not _can_be_somebody_else(), reason="nobody else can run this Python")


@dataclass(frozen=True)
class Lab:
    """A machine with a store that GROUP shares, and a home for each user; umask 022."""

    folder: Path
    replica: Replica

    @property
    def store(self) -> Path:
        return self.folder / "store"

    def run(
        self, user: int, *words: str, groups: int = GROUP, needs: str | None = None
    ) -> subprocess.CompletedProcess[str]:
        home = self.folder / str(user)
        if not home.exists():
            home.mkdir()
            os.chown(home, user, user)
        place = Workplace(home, self.store, self.replica)
        place.write(pyproject("torch==2.6.0", needs or ("typing-extensions" if user == ANN else "accelerate")))
        variables = {**place.variables(), "HOME": str(home)}
        variables["PYTHONPATH"] += f"{os.pathsep}{self.folder / 'site'}"
        who = ("setpriv", f"--reuid={user}", f"--regid={user}", f"--groups={groups}")
        return subprocess.run(
            ["sh", "-c", 'umask 022; exec "$@"', "sh", *who, sys.executable, "-m", "bootstrap", *words],
            cwd=home,
            env=variables,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    def links(self, user: int) -> int:
        """How many names a file of torch in somebody's environment has."""
        torch = next((self.folder / str(user) / ".venv").glob("lib/python*/site-packages/torch/__init__.py"))
        return torch.stat().st_nlink


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Lab]:
    for each in (tmp_path, *tmp_path.parents):
        if not each.stat().st_mode & 0o001:
            each.chmod(each.stat().st_mode | 0o011)
    store = tmp_path / "store"
    store.mkdir()
    os.chown(store, 0, GROUP)
    store.chmod(0o2775)
    (tmp_path / "site" / "torchstrap-0.dist-info").mkdir(parents=True)  # as where it is installed for everybody
    with Replica() as replica:
        yield Lab(tmp_path, replica)


def test_what_one_brings_in_the_other_links_and_adds_to(lab: Lab) -> None:
    first = lab.run(ANN, "sync", "--variant", "cpu")
    assert first.returncode == 0, first.stderr
    lab.replica.requests.clear()
    second = lab.run(BEN, "sync", "--variant", "cpu")
    assert second.returncode == 0, second.stderr
    assert (lab.links(ANN), lab.links(BEN)) == (3, 3), "both are links to the store's file"
    fetched = lab.replica.fetched(r"^GET .*\.whl$")
    assert fetched, "accelerate was not there"
    assert not any("/torch-" in each for each in fetched)


def test_the_groups_right_ends_at_the_store(lab: Lab) -> None:
    assert lab.run(ANN, "sync", "--variant", "cpu").returncode == 0
    environment = (lab.folder / str(ANN) / ".venv").resolve()
    own = [each for each in environment.rglob("*") if each.is_file() and each.stat().st_nlink == 1]
    assert own
    assert [each for each in (environment, *own) if each.stat().st_mode & stat.S_IWGRP] == []


def test_each_may_clear_away_what_nobody_uses(lab: Lab) -> None:
    assert lab.run(ANN, "sync", "--variant", "cpu").returncode == 0
    shutil.rmtree(lab.folder / str(ANN))
    for each in lab.store.glob("wheels/*/*/wheel.json"):
        os.utime(each, (0, 0))  # what was just fetched would stay
    done = lab.run(BEN, "cache", "gc")
    assert done.returncode == 0, done.stderr
    assert not [each for each in (lab.store / "wheels").glob("*/*") if each.is_dir()]


def test_who_is_not_of_the_group_gets_copies_and_cannot_add(lab: Lab) -> None:
    assert lab.run(ANN, "sync", "--variant", "cpu").returncode == 0
    done = lab.run(STRANGER, "sync", "--variant", "cpu", groups=STRANGER, needs="typing-extensions")
    assert done.returncode == 0, done.stderr
    assert lab.links(STRANGER) == 1
    more = lab.run(STRANGER, "sync", "--variant", "cpu", groups=STRANGER)
    assert more.returncode == NOT_PERMITTED
    assert str(lab.store) in more.stderr.splitlines()[-1]
    assert lab.links(STRANGER) == 1
