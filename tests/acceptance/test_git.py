"""Packages from git, from the project's file to `verify`: real repositories, real servers, real environments."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from bootstrap import toml
from tests.acceptance.running import Workplace, pyproject
from tests.acceptance.test_interop import Tool, venv
from tests.repositories import BUILD, Repo, git, project_files, smart_server

pytest_plugins = ("tests.acceptance.test_interop",)

DYNAMIC = """import subprocess
from setuptools import setup
said = subprocess.run(["git", "describe", "--tags"], capture_output=True, text=True, check=True).stdout.strip()
version, _, more = said.removeprefix("v").partition("-")
setup(name="described", version=version + (f".post{more.split('-')[0]}" if more else ""), py_modules=[])
"""


@pytest.fixture
def repo(tmp_path: Path) -> Repo:
    made = Repo.made(tmp_path / "served" / "lib", project_files("gitty", "1", 'dependencies = ["typing-extensions"]'))
    git(made.folder, "tag", "--annotate", "v1", "--message", "one")
    made.commit(project_files("gitty", "2", 'dependencies = ["typing-extensions"]'))
    return made


@pytest.fixture
def place(workplace: Workplace, tmp_path: Path) -> Workplace:
    """With a cache of its own: these tests are about what is fetched."""
    return Workplace(workplace.folder, tmp_path / "cache", workplace.replica)


def locked(place: Workplace, name: str) -> dict[str, object]:
    """The `vcs` table of a package in the lock."""
    packages = toml.load(place.folder / "pylock.toml")["packages"]
    (found,) = (each for each in packages if each["name"] == name)
    vcs: dict[str, object] = found["vcs"]
    return vcs


def direct_url(place: Workplace, name: str, environment: str = ".venv") -> dict[str, object]:
    (path,) = (
        (place.folder / environment).resolve().glob(f"lib/python*/site-packages/{name}-*.dist-info/direct_url.json")
    )
    found: dict[str, object] = json.loads(path.read_text())
    return found


def versions(outcome: dict[str, list[dict[str, str]]]) -> dict[str, str]:
    return {each["name"]: each["version"] for each in outcome["packages"]}


def url_form(repo: Repo) -> str:
    return pyproject(f"gitty @ git+{repo.url}@v1")


def tag_form(repo: Repo) -> str:
    return pyproject("gitty", more=f'[tool.uv.sources]\ngitty = {{ git = "{repo.url}", tag = "v1" }}\n')


def revision_form(repo: Repo) -> str:
    commit = git(repo.folder, "rev-parse", "v1^{commit}")
    return pyproject("gitty", more=f'[tool.uv.sources]\ngitty = {{ git = "{repo.url}", rev = "{commit[:9]}" }}\n')


@pytest.mark.parametrize("form", [url_form, tag_form, revision_form])
def test_a_commit_is_built_locked_and_installed(place: Workplace, repo: Repo, form: Callable[[Repo], str]) -> None:
    commit = git(repo.folder, "rev-parse", "v1^{commit}")
    place.write(form(repo))
    assert versions(place.sync()) == {"gitty": "1", "typing-extensions": "4.15.0"}
    vcs = locked(place, "gitty")
    assert (vcs["type"], vcs["url"], vcs["commit-id"]) == ("git", repo.url, commit)
    said = direct_url(place, "gitty")
    assert said["url"] == repo.url
    asked = "v1" if form is not revision_form else commit[:9]
    assert said["vcs_info"] == {"vcs": "git", "requested_revision": asked, "commit_id": commit}
    assert place.run("verify").returncode == 0
    assert place.sync()["changed"] is False
    again = place.run("lock", "--check", "--python-version", "3.11")
    assert again.returncode in {0, 1}
    assert place.run("sync", "--frozen", "--offline", "--venv", "other").returncode == 0


def test_a_branch_that_moves_is_followed_only_when_asked(place: Workplace, repo: Repo) -> None:
    place.write(
        pyproject("gitty", "six", more=f'[tool.uv.sources]\ngitty = {{ git = "{repo.url}", branch = "main" }}\n')
    )
    first = repo.head
    assert versions(place.sync())["gitty"] == "2"
    moved = repo.commit(project_files("gitty", "3"))
    assert place.sync()["changed"] is False
    place.write((place.folder / "pyproject.toml").read_text().replace('"six"', '"six", "idna"'))
    assert versions(place.sync())["gitty"] == "2"  # locked again for idna, with the commit that it was
    assert locked(place, "gitty")["commit-id"] == first
    for words in (("--upgrade-package", "six"), ("--upgrade-package", "gitty")):
        assert place.run("lock", *words).returncode == 0
        expected = moved if "gitty" in words else first
        assert locked(place, "gitty")["commit-id"] == expected
    outcome = place.sync()
    assert versions(outcome)["gitty"] == "3"
    assert outcome["replaced"] == ["gitty 2 -> 3"]


def test_another_commit_of_the_same_version_is_another_package(place: Workplace, repo: Repo) -> None:
    place.write(pyproject(f"gitty @ git+{repo.url}"))
    place.sync()
    repo.commit({"gitty.py": "VERSION = 'same, but other'\n"})
    place.run("lock", "--upgrade")
    outcome = place.sync()
    assert outcome["changed"] is True
    said = subprocess.run(
        [place.python, "-c", "import gitty; print(gitty.VERSION)"], capture_output=True, text=True, check=True
    )
    assert said.stdout.strip() == "same, but other"


def test_two_projects_of_one_repository(place: Workplace, tmp_path: Path) -> None:
    files = {
        f"{where}/{name}": text
        for where, project in (("python/one", project_files("one", "1")), ("python/two", project_files("two", "2")))
        for name, text in project.items()
    }
    repo = Repo.made(tmp_path / "both", files)
    place.write(
        pyproject(
            f"one @ git+{repo.url}#subdirectory=python/one",
            "two",
            more=f'[tool.uv.sources]\ntwo = {{ git = "{repo.url}", subdirectory = "python/two" }}\n',
        )
    )
    assert versions(place.sync()) == {"one": "1", "two": "2"}
    assert locked(place, "two")["subdirectory"] == "python/two"
    assert direct_url(place, "one")["subdirectory"] == "python/one"
    assert versions(place.sync("--frozen", "--offline", "--venv", "other")) == {"one": "1", "two": "2"}


def test_a_version_that_is_made_of_tags(place: Workplace, tmp_path: Path) -> None:
    repo = Repo.made(tmp_path / "served" / "described", {"pyproject.toml": BUILD, "setup.py": DYNAMIC})
    git(repo.folder, "tag", "v1.5")
    repo.commit({"other": "x"})
    repo.commit({"other": "y"})
    with smart_server(tmp_path / "served") as server:
        place.write(pyproject(f"described @ git+{server.url}/described/.git"))
        assert versions(place.sync()) == {"described": "1.5.post2"}


def test_a_dependency_may_ask_for_a_repository(place: Workplace, repo: Repo, tmp_path: Path) -> None:
    outer = Repo.made(tmp_path / "outer", project_files("outer", "1", f'dependencies = ["gitty @ git+{repo.url}@v1"]'))
    place.write(pyproject(f"outer @ git+{outer.url}"))
    assert versions(place.sync()) == {"outer": "1", "gitty": "1", "typing-extensions": "4.15.0"}


@pytest.mark.parametrize("line", ["gitty @ git+{url}@v1", "-e git+{url}@v1#egg=gitty", "git+{url}@v1#egg=gitty"])
def test_requirements_files(place: Workplace, repo: Repo, line: str) -> None:
    (place.folder / "requirements.txt").write_text(line.format(url=repo.url) + "\n")
    assert versions(place.sync("-r", "requirements.txt"))["gitty"] == "1"
    assert direct_url(place, "gitty")["vcs_info"]


@pytest.mark.usefixtures("repo")
def test_passwords_are_neither_printed_nor_locked(place: Workplace, tmp_path: Path) -> None:
    with smart_server(tmp_path / "served", "ada:s3cret") as server:
        address = f"{server.url}/lib/.git".replace("http://", "http://ada:s3cret@")
        place.write(pyproject(f"gitty @ git+{address}"))
        done = [place.run("lock"), place.run("sync", "-v"), place.run("sync", "--frozen", "--venv", "other")]
        place.write(pyproject(f"gitty @ git+{address}@nowhere"))
        done.append(place.run("lock"))
        server.login = "ada:changed"
        place.write(pyproject(f"gitty @ git+{address}@v1"))
        done.append(place.run("lock", "--upgrade"))
    assert [each.returncode for each in done] == [0, 0, 0, 1, 69], [each.stderr for each in done]
    for each in done:
        assert "s3cret" not in each.stdout + each.stderr
    for path in (*tmp_path.joinpath("cache").rglob("*"), *place.folder.rglob("*")):
        if path.is_file() and path.name != "pyproject.toml":
            assert b"s3cret" not in path.read_bytes(), path


def test_what_is_not_there_is_one_sentence(place: Workplace, repo: Repo, tmp_path: Path) -> None:
    (tmp_path / "plain").mkdir()
    for address, code, words in (
        (f"{repo.url}@v9", 1, "no branch, tag or commit `v9`"),
        (f"{repo.url}@{'0' * 40}", 1, f"no commit {'0' * 40}"),
        (f"{repo.url}#subdirectory=docs", 1, "no folder `docs`"),
        ((tmp_path / "plain").as_uri(), 69, "git cannot read this repository"),
        ("http://127.0.0.1:9/x.git", 69, "127.0.0.1"),
        ("ext::sh", 1, "no address of a git repository"),
    ):
        place.write(pyproject(f"gitty @ git+{address}"))
        done = place.run("sync")
        assert done.returncode == code, (address, done.stderr)
        assert words in done.stderr, done.stderr
        assert "Traceback" not in done.stderr
    place.write(pyproject(f"another @ git+{repo.url}"))
    done = place.run("sync")
    assert done.returncode == 1
    assert "it says that it is gitty, but another was asked for" in done.stderr
    assert [each.name for each in place.folder.iterdir()] == ["pyproject.toml"]


def test_options_apply(place: Workplace, repo: Repo) -> None:
    place.write(pyproject(f"gitty @ git+{repo.url}"))
    done = place.run("sync", "--no-build")
    assert done.returncode == 1
    assert "gitty" in done.stderr
    assert "--no-build forbids" in done.stderr
    done = place.run("sync", "--offline")
    assert done.returncode == 69
    assert "offline" in done.stderr
    place.write(pyproject("gitty @ git+https://git.example.invalid/lib"))
    mirror = f"https://git.example.invalid={repo.folder.parent.as_uri()}"
    assert versions(place.sync("--mirror", mirror))["gitty"] == "2"
    assert locked(place, "gitty")["url"] == "https://git.example.invalid/lib"
    place.sync("--no-build", "--frozen", "--venv", "other")  # it was built before


def test_without_git(place: Workplace, repo: Repo, tmp_path: Path) -> None:
    place.write(pyproject(f"gitty @ git+{repo.url}"))
    done = place.with_variables(PATH=str(tmp_path)).run("lock")
    assert done.returncode == 1
    assert "install git" in done.stderr


def test_two_at_once_with_a_cold_cache(place: Workplace, repo: Repo) -> None:
    place.write(pyproject(f"gitty @ git+{repo.url}"))
    with ThreadPoolExecutor(2) as pool:
        done = list(pool.map(lambda name: place.run("sync", "--venv", name), ("one", "two")))
    assert [each.returncode for each in done] == [0, 0], [each.stderr for each in done]
    assert direct_url(place, "gitty", "one") == direct_url(place, "gitty", "two")


LOCK = """lock-version = "1.0"
created-by = "hand"
[[packages]]
name = "gitty"
[packages.vcs]
type = "%s"
%s
commit-id = "%s"
"""


def test_a_lock_by_another_hand(place: Workplace, repo: Repo) -> None:
    """Without a version, and with a path in the place of an address."""
    place.write(pyproject("gitty"))
    lock, head = place.folder / "pylock.toml", repo.commit(project_files("gitty", "2"))
    lock.write_text(LOCK % ("git", 'path = "../served/lib"', head))
    assert versions(place.sync("--frozen")) == {"gitty": "2"}
    assert direct_url(place, "gitty")["vcs_info"] == {"vcs": "git", "commit_id": head}
    for kind, where, words in (
        ("hg", f'url = "{repo.url}"', "no address of a git repository"),
        ("git", 'url = "git@host.example:x.git"', "ssh://git@host.example/x.git"),
    ):
        lock.write_text(LOCK % (kind, where, head))
        done = place.run("sync", "--frozen")
        assert done.returncode == 65, done.stderr
        assert words in done.stderr
        assert "Traceback" not in done.stderr


def test_a_lock_by_pip(place: Workplace, repo: Repo, pip_command: str, tmp_path: Path) -> None:
    tool = Tool("pip", (pip_command,), tmp_path / "pip-cache", place.replica)
    words = ("--python", sys.executable, "lock", f"gitty @ git+{repo.url}@v1", "-o", "pylock.toml")
    done = tool.run(*words, cwd=place.folder)
    assert done.returncode == 0, done.stderr
    place.write(pyproject("gitty"))
    assert versions(place.sync("--frozen")) == {"gitty": "1", "typing-extensions": "4.15.0"}
    vcs = direct_url(place, "gitty")["vcs_info"]
    assert isinstance(vcs, dict)
    assert vcs["commit_id"] == git(repo.folder, "rev-parse", "v1^{commit}")


def test_locks_across_tools(place: Workplace, repo: Repo, uv_command: str, tmp_path: Path) -> None:
    """Ours is installed by uv, uv's by us: the same commit."""
    tool = Tool("uv", (uv_command,), tmp_path / "uv-cache", place.replica)
    place.write(tag_form(repo).replace('version = "1"', 'version = "1"\nrequires-python = ">=3.10"'))
    assert place.run("lock").returncode == 0
    commit = locked(place, "gitty")["commit-id"]
    theirs = venv(tmp_path / "theirs")
    done = tool.install(place.folder / "pylock.toml", theirs)
    assert done.returncode == 0, done.stderr
    (said,) = theirs.glob("lib/python*/site-packages/gitty-*/direct_url.json")
    assert json.loads(said.read_text())["vcs_info"]["commit_id"] == commit
    (place.folder / "pylock.toml").unlink()
    done = tool.run("export", "--format", "pylock.toml", "-o", "pylock.toml", cwd=place.folder)
    assert done.returncode == 0, done.stderr
    assert locked(place, "gitty")["commit-id"] == commit
    assert versions(place.sync("--frozen")) == {"gitty": "1", "typing-extensions": "4.15.0"}
    vcs = direct_url(place, "gitty")["vcs_info"]
    assert isinstance(vcs, dict)
    assert vcs["commit_id"] == commit
