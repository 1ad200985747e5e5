"""A password by whichever way it comes is used, and found nowhere afterwards."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from bootstrap.project.settings import default_index
from tests.acceptance.running import Workplace, pyproject
from tests.replica import Replica, faults

PASSWORD = "s3cret-w0rd"
KEYRING = """\
#!/bin/sh
for service; do :; done
echo "$service" >> "${0%/*}/asked"
case "$1 $2 $3" in
  "get "*" user") echo s3cret-w0rd ;;
  "--mode creds get") echo user; echo s3cret-w0rd ;;
  *) exit 1 ;;
esac
"""


@pytest.fixture(scope="module")
def closed() -> Iterator[Replica]:
    """Indexes that want a login for their pages; the files lie on another server, which wants none."""
    with Replica(faults={r"/simple/": faults.login(f"user:{PASSWORD}")}) as running:
        yield running


@pytest.fixture
def place(tmp_path: Path, closed: Replica) -> Workplace:
    folder, programs = tmp_path / "project", tmp_path / "programs"
    for each in (folder, programs):
        each.mkdir()
    place = Workplace(folder, tmp_path / "cache", closed)
    place.write(pyproject("typing-extensions"))
    path = f"{programs}{os.pathsep}{os.environ['PATH']}"
    # The mirror that stands for the default index names nobody, so that the login has to come from the index's address.
    return place.with_variables(NETRC=str(tmp_path / "netrc"), PATH=path, TORCHSTRAP_MIRRORS="")


def traces(*folders: Path) -> list[str]:
    """What has the password in its name or in its bytes."""
    everything = [path for folder in folders for path in folder.rglob("*")]
    assert everything
    word = PASSWORD.encode()
    return [
        str(path)
        for path in everything
        if PASSWORD in str(path) or (path.is_file() and not path.is_symlink() and word in path.read_bytes())
    ]


def given(way: str, index: str, folder: Path) -> dict[str, str]:
    """The variables with which a password comes this way, and whatever else it needs in place."""
    named = index.replace("//", f"//user:{PASSWORD}@")
    if way == "address":
        return {"TORCHSTRAP_INDEX_URL": named}
    if way == "mirror":
        return {"TORCHSTRAP_MIRRORS": f"{default_index()}={named}"}
    if way == "netrc":
        (folder / "netrc").write_text(f"machine 127.0.0.1 login user password {PASSWORD}\n")
        (folder / "netrc").chmod(0o600)
        return {"TORCHSTRAP_INDEX_URL": index}
    program = folder / "programs" / "keyring"
    program.write_text(KEYRING)
    program.chmod(0o755)
    if way == "keyring":
        return {"TORCHSTRAP_INDEX_URL": index.replace("//", "//user@")}
    return {"TORCHSTRAP_INDEX_URL": index, "PIP_KEYRING_PROVIDER": "subprocess"}


@pytest.mark.parametrize("way", ["address", "mirror", "netrc", "keyring", "keyring without a user"])
def test_a_password_is_in_no_lock_log_or_cache(way: str, place: Workplace, closed: Replica, tmp_path: Path) -> None:
    done = place.with_variables(**given(way, closed.default_index, tmp_path)).run("lock", "--json-log", "-v")
    assert done.returncode == 0, done.stderr
    assert PASSWORD not in done.stdout + done.stderr
    assert traces(place.folder, place.cache) == []
    assert "user@" not in (place.folder / "pylock.toml").read_text()


def test_a_keyring_opens_the_files_of_a_locked_run_too(place: Workplace, tmp_path: Path) -> None:
    """Such a run reads no page, so a file is the first that has to be logged in for."""
    with Replica(faults={r".*": faults.login(f"user:{PASSWORD}")}) as shut:
        index = shut.default_index
        assert place.with_variables(**given("netrc", index, tmp_path)).run("lock").returncode == 0
        (tmp_path / "netrc").unlink()
        known = place.with_variables(**given("keyring without a user", index, tmp_path))
        done = known.run("sync", "--frozen", "--json-log", "-v", "--json")
    assert done.returncode == 0, done.stderr
    assert PASSWORD not in done.stdout + done.stderr
    assert traces(place.folder, place.cache) == []
    (asked,) = (tmp_path / "programs" / "asked").read_text().splitlines()
    assert asked.startswith("127.0.0.1:")


def test_without_any_it_is_said_where_one_may_stand(place: Workplace, closed: Replica) -> None:
    done = place.run("sync", "--index-url", closed.default_index)
    assert done.returncode == 69
    for words in ("credentials are missing", "USER:PASSWORD@HOST", "netrc", "keyring"):
        assert words in done.stderr


def test_an_address_without_encryption_needs_a_host_that_is_trusted(place: Workplace) -> None:
    """The name leads nowhere, so what is let through fails in another way, and at once."""
    index = "http://lab.invalid/simple"
    refused = place.run("lock", "--index-url", index)
    assert refused.returncode == 78
    for words in ("lab.invalid", "use https", "--trusted-host lab.invalid"):
        assert words in refused.stderr
    asked = place.run("lock", "--index-url", index, "--trusted-host", "lab.invalid")
    assert asked.returncode == 69
    assert "no connection" in asked.stderr
