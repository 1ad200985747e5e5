"""Real repositories, by file:// and over HTTP, friendly and not."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from bootstrap.build.git import Access, Git
from bootstrap.build.repositories import Repositories, project_in
from bootstrap.errors import RefusedError, RepositoryError, UnreachableError
from bootstrap.project.repository import Repository, read_repository
from tests.repositories import Repo, git, plain_server, project_files, smart_server


@pytest.fixture
def repo(tmp_path: Path) -> Repo:
    """v1 and its successor; `feature` is both a branch and a tag."""
    made = Repo.made(tmp_path / "served" / "lib", project_files("lib", "1"))
    git(made.folder, "tag", "--annotate", "v1", "--message", "one")
    git(made.folder, "tag", "feature")
    git(made.folder, "checkout", "--quiet", "-b", "feature")
    made.commit(project_files("lib", "3"))
    git(made.folder, "checkout", "--quiet", "main")
    made.commit(project_files("lib", "2"))
    return made


@pytest.fixture
def repositories(tmp_path: Path) -> Repositories:
    return Repositories(tmp_path / "cache" / "git")


def hash_of(repo: Repo, name: str) -> str:
    return git(repo.folder, "rev-parse", f"{name}^{{commit}}")


@pytest.mark.parametrize(
    ("revision", "means"),
    [
        (None, "main"),
        ("main", "main"),
        ("v1", "refs/tags/v1"),
        ("refs/tags/v1", "refs/tags/v1"),
        ("feature", "refs/heads/feature"),
        ("refs/tags/feature", "refs/tags/feature"),
        ("refs/heads/feature", "refs/heads/feature"),
    ],
)
def test_a_revision_is_one_commit(repo: Repo, repositories: Repositories, revision: str | None, means: str) -> None:
    asked = Repository(repo.url, revision)
    expected = git(repo.folder, "rev-parse", f"{means}^{{commit}}")
    assert repositories.commit(asked) == expected
    checkout = repositories.checkout(asked, expected)
    assert (checkout / "lib.py").read_text() == git(repo.folder, "show", f"{expected}:lib.py") + "\n"


def test_a_commit_by_its_beginning(repo: Repo, repositories: Repositories) -> None:
    first = hash_of(repo, "v1")
    assert repositories.commit(Repository(repo.url, first[:8])) == first
    assert repositories.commit(Repository(repo.url, first[:8].upper())) == first


def test_a_whole_hash_needs_no_question(repositories: Repositories) -> None:
    assert repositories.commit(Repository("https://nowhere.invalid/x", "A" * 40)) == "a" * 40


@pytest.mark.parametrize(
    ("revision", "words"),
    [
        ("v2", ["no branch, tag or commit `v2`", "`v1`"]),
        ("refs/tags/main", ["no tag `main`", "`feature`", "`v1`"]),
        ("refs/heads/v1", ["no branch `v1`"]),
        ("0123abcd", ["no commit 0123abcd"]),
    ],
)
def test_a_reference_that_is_not_there(repo: Repo, repositories: Repositories, revision: str, words: list[str]) -> None:
    with pytest.raises(RepositoryError) as caught:
        repositories.commit(Repository(repo.url, revision))
    assert all(word in str(caught.value) for word in words), caught.value


def test_a_repository_without_commits(tmp_path: Path, repositories: Repositories) -> None:
    empty = Repo.made(tmp_path / "empty")
    with pytest.raises(RepositoryError, match="no commit yet"):
        repositories.commit(Repository(empty.url))


def test_a_commit_that_vanished(repo: Repo, repositories: Repositories) -> None:
    with pytest.raises(RepositoryError, match=r"no commit 0123.*--upgrade"):
        repositories.checkout(Repository(repo.url), "0123" * 10)


def test_a_branch_that_was_forced_elsewhere_still_gives_the_old_commit_while_the_server_has_it(
    repo: Repo, repositories: Repositories
) -> None:
    old = repo.head
    git(repo.folder, "reset", "--quiet", "--hard", "v1")
    repo.commit({"other": "x"})
    assert (repositories.checkout(Repository(repo.url), old) / "lib.py").read_text() == "VERSION = '2'\n"


def test_not_a_repository(tmp_path: Path, repositories: Repositories) -> None:
    (tmp_path / "plain").mkdir()
    with pytest.raises(RefusedError, match="git cannot read this repository") as caught:
        repositories.commit(Repository((tmp_path / "plain").as_uri()))
    assert caught.value.exit_code == 69


def test_a_server_that_does_not_answer(repositories: Repositories) -> None:
    with pytest.raises(UnreachableError) as caught:
        repositories.commit(Repository("http://127.0.0.1:9/x.git"))
    assert not isinstance(caught.value, RefusedError)


def test_no_git_on_the_path(repo: Repo, tmp_path: Path) -> None:
    without = Repositories(tmp_path / "cache", Git(variables={"PATH": str(tmp_path)}))
    with pytest.raises(RepositoryError, match="install git"):
        without.commit(Repository(repo.url))


def test_only_what_is_needed_is_fetched_and_history_when_asked_for(repo: Repo, tmp_path: Path) -> None:
    with smart_server(tmp_path / "served") as server:
        asked = Repository(f"{server.url}/lib/.git")
        repositories = Repositories(tmp_path / "cache")
        shallow = repositories.checkout(asked, repo.head)
        assert git(shallow, "rev-list", "--count", "HEAD") == "1"
        assert (shallow / ".git" / "shallow").is_file()
        deep = repositories.checkout(asked, repo.head, with_history=True)
        assert git(deep, "rev-list", "--count", "HEAD") == "2"
        assert git(deep, "describe", "--tags", "HEAD").startswith("v1-1-g")
        before = len(server.requests)
        assert repositories.checkout(asked, repo.head) == shallow
        assert repositories.checkout(asked, repo.head, with_history=True) == deep
        assert len(server.requests) == before
    offline = replace(repositories, offline=True)
    assert offline.checkout(asked, repo.head) == shallow
    with pytest.raises(RefusedError, match="offline"):
        offline.checkout(asked, hash_of(repo, "v1"), with_history=False)
    with pytest.raises(RefusedError, match="offline"):
        offline.commit(asked)


def test_a_web_server_without_git_is_enough(repo: Repo, tmp_path: Path) -> None:
    git(tmp_path, "clone", "--quiet", "--bare", repo.url, "served/plain.git")
    git(tmp_path / "served" / "plain.git", "update-server-info")
    with plain_server(tmp_path / "served") as server:
        repositories = Repositories(tmp_path / "cache")
        asked = Repository(f"{server.url}/plain.git", "v1")
        commit = repositories.commit(asked)
        assert commit == hash_of(repo, "v1")
        assert (repositories.checkout(asked, commit) / "lib.py").read_text() == "VERSION = '1'\n"


@pytest.mark.usefixtures("repo")
def test_a_mirror_is_asked_in_the_place_of_the_address(tmp_path: Path) -> None:
    access = Access(mirrors=(("https://git.example.invalid", (tmp_path / "served").as_uri()),))
    repositories = Repositories(tmp_path / "cache", Git(access))
    asked = Repository("https://git.example.invalid/lib", "v1")
    commit = repositories.commit(asked)
    assert (repositories.checkout(asked, commit) / "lib.py").is_file()


def test_over_ssh(repo: Repo, tmp_path: Path) -> None:
    """The user's name is part of the address; nobody is asked for anything."""
    script, said = tmp_path / "ssh", tmp_path / "said"
    script.write_text(f'#!/bin/sh\necho "$@" >> {said}\nfor last; do :; done\nexec sh -c "$last"\n')
    script.chmod(0o755)
    variables = {**os.environ, "GIT_SSH_COMMAND": str(script)}
    repositories = Repositories(tmp_path / "cache", Git(variables=variables))
    asked = Repository(f"ssh://git:s3cret@lab.example{repo.folder}", "v1")
    commit = repositories.commit(asked)
    assert (repositories.checkout(asked, commit) / "lib.py").read_text() == "VERSION = '1'\n"
    assert "git@lab.example" in said.read_text()
    assert "s3cret" not in said.read_text()


@pytest.mark.usefixtures("repo")
def test_submodules_come_along(tmp_path: Path) -> None:
    with smart_server(tmp_path / "served") as server:
        outer = Repo.made(tmp_path / "served" / "outer")
        git(outer.folder, "submodule", "--quiet", "add", "../lib", "inner")
        git(outer.folder, "config", "--file", ".gitmodules", "submodule.inner.url", "../../lib/.git")
        outer.commit({"top": "x"})
        asked = Repository(f"{server.url}/outer/.git")
        checkout = Repositories(tmp_path / "cache").checkout(asked, outer.head)
        assert (checkout / "inner" / "lib.py").read_text() == "VERSION = '2'\n"


def test_a_submodule_that_is_not_there_is_an_error_and_nothing_stays(repo: Repo, tmp_path: Path) -> None:
    outer = Repo.made(tmp_path / "outer")
    git(outer.folder, "submodule", "--quiet", "add", repo.url, "inner")
    outer.commit({"top": "x"})
    (tmp_path / "served").rename(tmp_path / "away")
    repositories = Repositories(tmp_path / "cache")
    with pytest.raises(UnreachableError, match="its submodules"):
        repositories.checkout(Repository(outer.url), outer.head)
    assert not list((tmp_path / "cache" / "checkouts").glob("*/*"))


def test_large_files_are_pointers_unless_asked_for(repo: Repo, tmp_path: Path) -> None:
    pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n"
    commit = repo.commit({".gitattributes": "*.bin filter=lfs\n", "a.bin": pointer})
    repositories = Repositories(tmp_path / "cache")
    assert (repositories.checkout(Repository(repo.url), commit) / "a.bin").read_text() == pointer
    lfs = Git().run("lfs", "version")
    if lfs is None or lfs.returncode:
        with pytest.raises(RepositoryError, match="install git-lfs"):
            repositories.checkout(Repository(repo.url, lfs=True), commit)


# What is not meant well -----------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["--upload-pack=touch x", "-x", "a b", "a..b", "x:y", "/x", "", "a~1", "x.lock"])
def test_a_revision_cannot_be_an_option_or_an_expression(name: str) -> None:
    with pytest.raises(ValueError, match="can be no branch, tag or commit"):
        read_repository(f"git+https://host.example/x@{name.replace(' ', '%20')}")


@pytest.mark.parametrize(
    "address",
    [
        "ext::sh -c touch% x",
        "ssh://-oProxyCommand=touch/x",
        "fd::17",
        "--upload-pack=x",
        "https:///x",
        "hg+https://h/x",
    ],
)
def test_an_address_cannot_run_anything(address: str) -> None:
    with pytest.raises(ValueError, match="address"):
        read_repository(f"git+{address}")


def test_nobody_is_asked_to_run_hooks_or_filters(repo: Repo, tmp_path: Path) -> None:
    """Of the repository's folder, of the person's configuration and of their templates."""
    marker = tmp_path / "ran"
    script = tmp_path / "script"
    script.write_text(f"#!/bin/sh\necho x >> {marker}\ncat\n")
    script.chmod(0o755)
    hooks = tmp_path / "template" / "hooks"
    for folder in (repo.folder / ".git" / "hooks", hooks):
        folder.mkdir(parents=True, exist_ok=True)
        for name in ("post-checkout", "reference-transaction", "pre-auto-gc", "post-index-change"):
            (folder / name).write_text(script.read_text())
            (folder / name).chmod(0o755)
    for key in ("core.fsmonitor", "uploadpack.packObjectsHook", "filter.evil.smudge"):
        git(repo.folder, "config", key, str(script))
    commit = repo.commit({".gitattributes": "* filter=evil\n"})
    marker.unlink(missing_ok=True)
    config = tmp_path / "config"
    config.write_text(
        f"[core]\nhooksPath = {hooks}\nfsmonitor = {script}\n[init]\ntemplateDir = {tmp_path / 'template'}\n"
    )
    variables = {**os.environ, "GIT_CONFIG_GLOBAL": str(config), "GIT_DIR": str(tmp_path / "elsewhere")}
    repositories = Repositories(tmp_path / "cache", Git(variables=variables))
    assert repositories.commit(Repository(repo.url)) == commit
    assert (repositories.checkout(Repository(repo.url), commit, with_history=True) / "lib.py").is_file()
    assert not marker.exists()


@pytest.mark.parametrize("link", ["sub", "sub/pyproject.toml"])
def test_a_link_out_of_the_tree_is_not_followed(repo: Repo, tmp_path: Path, link: str) -> None:
    outside = Repo.made(tmp_path / "outside", project_files("outside", "1"))
    path = repo.folder / link
    path.parent.mkdir(exist_ok=True)
    path.symlink_to(outside.folder if link == "sub" else outside.folder / "pyproject.toml")
    commit = repo.commit({})
    asked = Repository(repo.url, subdirectory="sub")
    checkout = Repositories(tmp_path / "cache").checkout(asked, commit)
    with pytest.raises(RepositoryError, match="link that leads out"):
        project_in(checkout, asked, commit)


@pytest.mark.parametrize(
    ("subdirectory", "words"),
    [("nowhere", "no folder `nowhere`"), ("docs", "no Python project in `docs`"), (None, None)],
)
def test_a_subdirectory_without_a_project(repo: Repo, tmp_path: Path, subdirectory: str, words: str | None) -> None:
    commit = repo.commit({"docs/index": "x", "python/pyproject.toml": ""})
    asked = Repository(repo.url, subdirectory=subdirectory)
    checkout = Repositories(tmp_path / "cache").checkout(asked, commit)
    if words is None:
        assert project_in(checkout, asked, commit) == checkout
        return
    with pytest.raises(RepositoryError, match=words):
        project_in(checkout, asked, commit)


@pytest.mark.usefixtures("repo")
def test_passwords_go_to_their_server_alone_and_into_no_file(tmp_path: Path) -> None:
    with smart_server(tmp_path / "served", "ada:s3cret") as server:
        asked = Repository(f"{server.url}/lib/.git")
        access = Access(logins={server.url: ("ada", "s3cret")})
        repositories = Repositories(tmp_path / "cache", Git(access))
        commit = repositories.commit(asked)
        assert (repositories.checkout(asked, commit) / "lib.py").is_file()
        wrong = Repositories(tmp_path / "other", Git(Access(logins={server.url: ("ada", "wr0ng")})))
        with pytest.raises(RefusedError) as caught:
            wrong.commit(asked)
        assert "wr0ng" not in str(caught.value)
        with pytest.raises(RefusedError):
            Repositories(tmp_path / "nobody").commit(asked)
    for path in (tmp_path / "cache").rglob("*"):
        assert not path.is_file() or b"s3cret" not in path.read_bytes()


def test_two_at_once_with_a_cold_cache(repo: Repo, tmp_path: Path) -> None:
    head = repo.head
    with smart_server(tmp_path / "served") as server, ThreadPoolExecutor(4) as pool:
        code = (
            "import sys; from pathlib import Path; from bootstrap.build.repositories import Repositories;"
            "from bootstrap.project.repository import Repository;"
            "print(Repositories(Path(sys.argv[1])).checkout(Repository(sys.argv[2]), sys.argv[3]))"
        )
        command = [sys.executable, "-c", code, str(tmp_path / "cache"), f"{server.url}/lib/.git", head]
        done = list(pool.map(lambda _: subprocess.run(command, capture_output=True, text=True, check=False), range(3)))
    assert [each.returncode for each in done] == [0, 0, 0], [each.stderr for each in done]
    assert len({each.stdout for each in done}) == 1
    assert sum("upload-pack" in each and "info" not in each for each in server.requests) <= 3


def test_a_fetch_that_was_killed_is_made_again(repo: Repo, tmp_path: Path) -> None:
    head = repo.head
    code = (
        "import sys; from pathlib import Path; from bootstrap.build.repositories import Repositories;"
        "from bootstrap.project.repository import Repository;"
        "Repositories(Path(sys.argv[1])).checkout(Repository(sys.argv[2]), sys.argv[3])"
    )
    with smart_server(tmp_path / "served") as server:
        server.stalled = threading.Event()
        url = f"{server.url}/lib/.git"
        process = subprocess.Popen([sys.executable, "-c", code, str(tmp_path / "cache"), url, head])
        assert server.reached.wait(30)
        process.kill()
        process.wait()
        server.stalled.set()
        server.stalled = None
        (mirror,) = (each for each in (tmp_path / "cache" / "mirrors").iterdir() if each.is_dir())
        (mirror / "shallow.lock").write_text("")
        repositories = Repositories(tmp_path / "cache")
        assert (repositories.checkout(Repository(url), head) / "lib.py").is_file()
