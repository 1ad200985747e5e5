"""What errors promise is so: proposals were tried, and whoever does what the last sentence says comes further."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.acceptance.running import Workplace, pyproject
from tests.replica import Replica
from tests.replica.faults import Answer, Request
from tests.replica.wheels import Wheel
from tests.sdists import archive, build_table

CONFLICT = ("torch>=2.9", "torchvision==0.20.1")
LIMITED = '[tool.torchstrap]\nconstraint-dependencies = ["{}"]\n'


@pytest.mark.parametrize("command", [("sync", "--variant", "cpu"), ("lock",)], ids=["sync", "lock"])
def test_proposals_are_tried_and_lead_where_they_say(workplace: Workplace, command: tuple[str, ...]) -> None:
    workplace.write(pyproject(*CONFLICT))
    done = workplace.run(*command)
    assert done.returncode == 1
    local = "+cpu" if command[0] == "sync" else ""
    lines = done.stderr.splitlines()
    assert lines[-3:] == [
        "To go on, do one of these:",
        f"  relax `torchvision==0.20.1`: gives torchvision 0.24.0{local} and torch 2.9.0{local}",
        f"  relax `torch>=2.9`: gives torchvision 0.20.1{local} and torch 2.5.1{local}",
    ]
    workplace.write(pyproject("torch>=2.9", "torchvision"))
    found = {each["name"]: each["version"] for each in workplace.sync("--variant", "cpu", "--dry-run")["packages"]}
    assert (found["torchvision"], found["torch"]) == ("0.24.0+cpu", "2.9.0+cpu")


def test_what_does_not_help_alone_is_not_proposed(workplace: Workplace) -> None:
    workplace.write(pyproject(*CONFLICT, "numpy<2", "numpy>=2"))
    done = workplace.run("sync", "--variant", "cpu")
    assert done.returncode == 1
    assert "It does not help to relax" in done.stderr
    assert "there is another conflict behind this one" in done.stderr


def test_nothing_is_built_only_to_try_what_would_help(workplace: Workplace) -> None:
    setup = "from setuptools import setup\nsetup(name='needless', version='1', install_requires=['numpy<2'])\n"
    content = archive("needless", {"pyproject.toml": build_table(), "setup.py": setup})
    workplace.replica.add_wheel("default", "needless", "2", requires=["numpy<2"])
    workplace.replica.add_file("default", "needless", "1", "needless-1.tar.gz", content)
    workplace.write(pyproject("needless>=2", "numpy>=2"))
    done = workplace.run("sync")
    assert done.returncode == 1
    assert "Building" not in done.stderr
    assert "relax `needless>=2`" in done.stderr
    assert "relax `needless>=2`: that gives" not in done.stderr  # what was not tried is not promised


def _wheel(replica: Replica, name: str) -> None:
    liar = Wheel(name="other", version="2", files=((f"{name}/__init__.py", b""),))
    replica.add_file("default", name, "2", f"{name}-2-py3-none-any.whl", liar.content())


def _version(replica: Replica, name: str) -> None:
    liar = Wheel(name=name, version="3", files=((f"{name}/__init__.py", b""),))
    replica.add_file("default", name, "2", f"{name}-2-py3-none-any.whl", liar.content())


def _source(replica: Replica, name: str) -> None:
    setup = f"from setuptools import setup\nsetup(name='{name}', version='3', py_modules=[])\n"
    files = {"pyproject.toml": build_table(), "setup.py": setup}
    content = archive(name, files, version="2", metadata="2.2")
    replica.add_file("default", name, "2", f"{name}-2.tar.gz", content)


def _broken(replica: Replica, name: str) -> None:
    replica.add_file("default", name, "2", f"{name}-2.tar.gz", b"no archive")


@pytest.mark.parametrize(
    ("name", "lie", "issue"),
    [
        ("liar_of_names", _wheel, "its metadata is for other"),
        ("liar_of_versions", _version, "its metadata says version 3"),
        ("liar_of_sources", _source, "it turns out to be liar_of_sources 3, but was said to be liar-of-sources 2"),
        ("liar_of_archives", _broken, "it cannot be read as an archive (file could not be opened successfully)"),
    ],
)
def test_a_release_that_lies_can_be_done_without(
    workplace: Workplace, name: str, lie: Callable[[Replica, str], None], issue: str
) -> None:
    workplace.replica.add_wheel("default", name, "1")
    lie(workplace.replica, name)
    workplace.write(pyproject(name))
    done = workplace.run("sync")
    assert done.returncode == 1
    assert issue in done.stderr
    assert f"The constraint `{name}!=2` does without it" in done.stderr
    assert not (workplace.folder / ".venv").exists()
    workplace.write(pyproject(name, more=LIMITED.format(f"{name}!=2")))
    assert workplace.sync()["packages"][0]["version"] == "1"


def test_a_folder_of_another_name_says_which(workplace: Workplace) -> None:
    (workplace.folder / "other").mkdir()
    (workplace.folder / "other" / "pyproject.toml").write_text('[project]\nname = "mine"\nversion = "1"\n')
    workplace.write(pyproject("yours", more='[tool.uv.sources]\nyours = { path = "other" }\n'))
    done = workplace.run("sync")
    assert done.returncode == 1
    assert "it says that it is mine, but yours was asked for. Ask for mine there" in done.stderr


def test_an_index_page_that_is_too_large_is_a_sentence(workplace: Workplace) -> None:
    def vast(_request: Request, _answer: Answer) -> Answer:
        return Answer(200, b'<a href="x">x</a>' * (50 << 20 >> 4), {"Content-Type": "text/html"})

    workplace.replica.faults["/simple/vast-page/"] = vast
    try:
        workplace.write(pyproject("vast-page"))
        done = workplace.run("sync")
    finally:
        del workplace.replica.faults["/simple/vast-page/"]
    assert done.returncode == 69
    assert "its answer has more than 32 MB" in done.stderr
    assert "vast-page" in done.stderr
    assert "--mirror" in done.stderr
    assert "Traceback" not in done.stderr
