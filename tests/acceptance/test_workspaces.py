"""Workspaces from their folders to their environment: one lock, one environment, what is in focus installed."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from bootstrap import toml
from tests.acceptance.running import Workplace, recorded
from tests.acceptance.test_interop import Tool, contents, installed, venv
from tests.repositories import BUILD, Repo, project_files

pytest_plugins = ("tests.acceptance.test_interop",)

WORKSPACE = '[tool.uv.workspace]\nmembers = ["packages/*"]\n'
INDEXES = """[[tool.uv.index]]
name = "cpu"
url = "https://download.pytorch.org/whl/cpu"
explicit = true
[[tool.uv.index]]
name = "cu126"
url = "https://download.pytorch.org/whl/cu126"
explicit = true
"""
TORCH = '[project.optional-dependencies]\ncpu = ["torch"]\ncu126 = ["torch"]\n'
TORCH_SOURCES = 'torch = [{ index = "cpu", extra = "cpu" }, { index = "cu126", extra = "cu126" }]\n'
APART = '[tool.uv]\nconflicts = [[{ extra = "cpu" }, { extra = "cu126" }]]\n'


def member(name: str, *dependencies: str, more: str = "", build: bool = True) -> dict[str, str]:
    listed = ", ".join(f'"{each}"' for each in dependencies)
    table = f'[project]\nname = "{name}"\nversion = "1"\nrequires-python = ">=3.10"\ndependencies = [{listed}]\n{more}'
    own = f'{BUILD}{table}[tool.setuptools]\npy-modules = ["{name}"]\n' if build else table
    return {"pyproject.toml": own, f"{name}.py": f'print("{name}")\n'}


def made(place: Workplace, folders: Mapping[str, Mapping[str, str]]) -> Workplace:
    for folder, files in folders.items():
        (place.folder / folder).mkdir(parents=True, exist_ok=True)
        for name, text in files.items():
            (place.folder / folder / name).write_text(text)
    return place


def sources(**workspace: str) -> str:
    return "[tool.uv.sources]\n" + "".join(f"{name} = {value}\n" for name, value in workspace.items())


BIRD = sources(bird="{ workspace = true }")


@pytest.fixture
def plain(workplace: Workplace) -> Workplace:
    """A root with a library, a plugin that needs the root, an application without build system, and an outsider."""
    dev = '[dependency-groups]\ndev = ["idna"]\n'
    return made(
        workplace,
        {
            ".": member("albatross", "bird", more=f'{BIRD}{WORKSPACE}exclude = ["packages/old"]\n{dev}'),
            "packages/bird": member("bird", "typing-extensions"),
            "packages/plugin": member("plugin", "albatross", more=sources(albatross="{ workspace = true }")),
            "packages/application": member("application", "six", "bird", more=BIRD + dev, build=False),
            "packages/old": member("old", "nothing-of-that-name"),
        },
    )


PARTS = {
    "root": ((), {"albatross", "bird", "typing-extensions", "idna"}),
    "bird": (("--project", "packages/bird"), {"bird", "typing-extensions"}),
    "plugin": (("--project", "packages/plugin"), {"plugin", "albatross", "bird", "typing-extensions"}),
    "application": (("--project", "packages/application"), {"six", "bird", "typing-extensions", "idna"}),
}


def names(outcome: dict[str, list[dict[str, str]]]) -> set[str]:
    return {each["name"] for each in outcome["packages"]}


def test_one_lock_and_one_environment_and_what_is_in_focus_in_it(plain: Workplace) -> None:
    assert plain.run("lock").returncode == 0
    text = (plain.folder / "pylock.toml").read_text()
    for words, expected in PARTS.values():
        outcome = plain.sync(*words)
        assert names(outcome) == expected
        assert outcome["environment"] == str(plain.folder / ".venv")
        assert plain.sync(*words)["changed"] is False
        assert plain.run("verify").returncode == 0
    inside = replace(plain, folder=plain.folder / "packages" / "bird")
    assert names(inside.sync()) == PARTS["bird"][1]
    assert names(plain.sync("--group", "bird", "--group", "application")) == PARTS["root"][1] | {"six"}
    assert (plain.folder / "pylock.toml").read_text() == text
    assert inside.run("lock", "--check").returncode == 0
    assert not [each for each in plain.folder.rglob("pylock.toml") if each.parent != plain.folder]
    assert not (inside.folder / ".venv").exists()


def test_members_are_editable(plain: Workplace) -> None:
    plain.sync()
    (plain.folder / "packages" / "bird" / "bird.py").write_text('print("edited")\n')
    done = subprocess.run([plain.python, "-c", "import albatross, bird"], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["albatross", "edited"]


def test_a_member_that_joins_is_noticed(workplace: Workplace) -> None:
    place = made(workplace, {".": {"pyproject.toml": WORKSPACE}, "packages/bird": member("bird")})
    assert names(place.sync()) == {"bird"}
    place.sync()
    made(place, {"packages/plugin": member("plugin", "six")})
    assert names(place.sync()) == {"bird", "plugin", "six"}


def test_a_project_that_becomes_a_member_is_noticed(workplace: Workplace) -> None:
    place = made(workplace, {"packages/bird": member("bird", "six")})
    inside = replace(place, folder=place.folder / "packages" / "bird")
    assert inside.sync()["environment"] == str(inside.folder / ".venv")
    inside.sync()
    made(place, {".": {"pyproject.toml": WORKSPACE}})
    assert inside.sync()["environment"] == str(place.folder / ".venv")


def test_all_of_them_where_the_root_is_none(workplace: Workplace) -> None:
    group = '[dependency-groups]\ndev = ["idna"]\nlint = ["packaging"]\n'
    place = made(
        workplace,
        {
            ".": {"pyproject.toml": WORKSPACE + '[dependency-groups]\nlint = ["typing-extensions"]\n'},
            "packages/bird": member("bird", "six", more=group),
            "packages/plugin": member("plugin", "bird", more=BIRD),
        },
    )
    assert names(place.sync()) == {"bird", "plugin", "six", "idna"}
    assert names(place.sync("--group", "lint")) == {"bird", "plugin", "six", "idna", "typing-extensions", "packaging"}
    assert names(place.sync("--project", "packages/bird", "--group", "lint")) == {"bird", "six", "idna", "packaging"}
    assert names(place.sync("--project", "packages/plugin", "--group", "lint")) == {
        "bird",
        "plugin",
        "six",
        "typing-extensions",
    }


def test_what_is_no_package_is_not_installed_but_what_it_needs_is(workplace: Workplace) -> None:
    own = member("virtual", "six", more="[tool.uv]\npackage = false\n")
    place = made(
        workplace,
        {
            ".": member("top", "virtual", more=sources(virtual="{ workspace = true }") + WORKSPACE),
            "packages/virtual": own,
        },
    )
    assert names(place.sync()) == {"top", "six"}
    assert place.run("verify").returncode == 0
    assert names(place.sync("--project", "packages/virtual")) == {"six"}


def test_the_choice_of_torch_is_one_for_the_workspace(workplace: Workplace, tmp_path: Path) -> None:
    train = member("train", "bird", "torch", more=TORCH + APART + INDEXES + BIRD + TORCH_SOURCES)
    serve = member("serve", "train", more=sources(train="{ workspace = true }"))
    place = made(
        workplace,
        {
            ".": {"pyproject.toml": WORKSPACE},
            "packages/bird": member("bird"),
            "packages/train": train,
            "packages/serve": serve,
        },
    )
    gpu = str(recorded("linux-x86_64-rtx4090-driver595-cu130", tmp_path))
    with_gpu = place.with_variables(TORCHSTRAP_MACHINE=gpu)
    for words in ((), ("--project", "packages/train"), ("--project", "packages/serve")):
        assert place.sync(*words)["choice"]["offer"] == "cpu"
        outcome = with_gpu.sync("--no-verify", "--dry-run", *words)
        assert outcome["choice"]["offer"] == "cu126"
        (torch,) = (each for each in outcome["packages"] if each["name"] == "torch")
        assert torch["version"].endswith("+cu126")
        named = place.sync("--extra", "cu126", "--dry-run", *words)
        assert names(named) == names(outcome)
    assert names(place.sync("--project", "packages/bird")) == {"bird"}
    refused = place.run("sync", "--extra", "cpu", "--extra", "cu126", "--project", "packages/train")
    assert refused.returncode == 2
    assert "exclude each other" in refused.stderr


def test_extras_of_the_root_that_switch_on_those_of_members(workplace: Workplace) -> None:
    forward = '[project.optional-dependencies]\ngpu = ["train[cu126]"]\nplain = ["train[cpu]"]\n'
    place = made(
        workplace,
        {
            ".": member("top", "train", more=forward + sources(train="{ workspace = true }") + WORKSPACE),
            "packages/train": member("train", "torch", more=TORCH + APART + INDEXES + sources() + TORCH_SOURCES),
        },
    )
    for extra, local in (("gpu", "+cu126"), ("plain", "+cpu")):
        outcome = place.sync("--extra", extra, "--no-verify")
        (torch,) = (each for each in outcome["packages"] if each["name"] == "torch")
        assert torch["version"].endswith(local)
        assert {"top", "train"} <= names(outcome)


def test_members_that_exclude_each_other(workplace: Workplace) -> None:
    apart = '[tool.uv]\nconflicts = [[{ package = "old" }, { package = "new" }]]\n'
    place = made(
        workplace,
        {
            ".": {"pyproject.toml": WORKSPACE + apart},
            "packages/old": member("old", "typing-extensions<4.15"),
            "packages/new": member("new", "typing-extensions>=4.15"),
            "packages/bird": member("bird", "six"),
            "packages/plugin": member("plugin", "old", more=sources(old="{ workspace = true }")),
        },
    )
    done = place.run("sync")
    assert done.returncode == 2
    assert "exclude each other" in done.stderr
    assert place.run("lock").returncode == 0
    found = {}
    for name in ("old", "new"):
        outcome = place.sync("--frozen", "--project", f"packages/{name}")
        assert names(outcome) == {name, "typing-extensions"}
        found[name] = next(each["version"] for each in outcome["packages"] if each["name"] == "typing-extensions")
    assert found["old"] != found["new"]
    outcome = place.sync("--frozen", "--project", "packages/plugin")
    assert names(outcome) == {"plugin", "old", "typing-extensions"}
    assert names(place.sync("--frozen", "--project", "packages/bird", "--group", "old")) == {
        "bird",
        "six",
        "old",
        "typing-extensions",
    }


def test_members_that_cannot_be_met_together_are_named(workplace: Workplace) -> None:
    place = made(
        workplace,
        {
            ".": {"pyproject.toml": WORKSPACE},
            "packages/old": member("old", "typing-extensions<4.15"),
            "packages/new": member("new", "typing-extensions>=4.15"),
        },
    )
    done = place.run("sync", "--project", "packages/old")
    assert done.returncode == 1
    assert "old" in done.stderr
    assert "new" in done.stderr
    assert "typing-extensions" in done.stderr


def test_settings_are_those_of_the_root(plain: Workplace) -> None:
    text = (plain.folder / "pyproject.toml").read_text()
    (plain.folder / "pyproject.toml").write_text(f"{text}\n[tool.torchstrap]\nno-index = true\n")
    done = plain.run("sync", "--project", "packages/bird")
    assert done.returncode == 1
    assert "no index that was asked has" in done.stderr


def test_a_source_of_the_root_serves_members(workplace: Workplace, tmp_path: Path) -> None:
    repo = Repo.made(tmp_path / "gitty", project_files("gitty", "1"))
    root = WORKSPACE + sources(gitty=f'{{ git = "{repo.url}" }}')
    place = made(workplace, {".": {"pyproject.toml": root}, "packages/bird": member("bird", "gitty")})
    assert names(place.sync("--project", "packages/bird")) == {"bird", "gitty"}


def exported(tool: Tool, folder: Path, *words: str) -> set[str]:
    """What uv would install."""
    done = tool.run("export", "--quiet", "--no-hashes", "--no-annotate", "--no-header", *words, cwd=folder)
    assert done.returncode == 0, done.stderr
    found = set()
    for line in done.stdout.splitlines():
        path = re.match(r"(?:-e )?\.(?:/(.*))?$", line.partition(" ;")[0].strip())
        name = re.match(r"[A-Za-z0-9._-]+", line)
        if path:
            found.add(toml.load(folder / (path[1] or ".") / "pyproject.toml")["project"]["name"])
        elif name:
            found.add(name[0])
    return found


def test_it_is_what_uv_installs(plain: Workplace, uv_command: str, tmp_path: Path) -> None:
    tool = Tool("uv", (uv_command,), tmp_path / "uv-cache", plain.replica)
    for name, (words, expected) in PARTS.items():
        package = () if name == "root" else ("--package", name)
        assert exported(tool, plain.folder, *package) == expected
        assert names(plain.sync(*words)) == expected
    (plain.folder / "pyproject.toml").write_text(f'{WORKSPACE}exclude = ["packages/old", "packages/plugin"]\n')
    (plain.folder / "uv.lock").unlink()
    assert names(plain.sync()) == exported(tool, plain.folder)


def test_other_tools_install_our_lock(plain: Workplace, uv_command: str, tmp_path: Path) -> None:
    """Without words the root; a member is a group."""
    assert plain.run("lock").returncode == 0
    tool = Tool("uv", (uv_command,), tmp_path / "uv-cache", plain.replica)
    for group, expected in (("", PARTS["root"][1]), (":plugin", PARTS["plugin"][1])):
        theirs = venv(tmp_path / f"theirs{len(group)}")
        done = tool.install(plain.folder / "pylock.toml", theirs, *([group] if group else []))
        assert done.returncode == 0, done.stderr
        assert set(installed(contents(theirs))) == expected
