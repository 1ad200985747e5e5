"""The host answers with a value, whatever the machine does, and never looks out of its folder."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

import pytest

from probes import LocalHost, Unknown
from probes.children import MOST
from probes.host import Interrupted


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "outside").write_text("secret")
    image = tmp_path / "image"
    (image / "usr/lib").mkdir(parents=True)
    (image / "usr/lib/os-release").write_text("ID=inside\n")
    return image


@pytest.mark.parametrize(
    "target",
    ["/usr/lib/os-release", "../usr/lib/os-release", "../../../../usr/lib/os-release", "/a/../usr/lib/os-release"],
)
def test_follows_links_as_the_machine_would(root: Path, target: str) -> None:
    (root / "etc").mkdir()
    (root / "etc/os-release").symlink_to(target)
    assert LocalHost(root, {}).read_text("/etc/os-release") == "ID=inside\n"


def test_never_leaves_the_folder(root: Path) -> None:
    (root / "link").symlink_to(root.parent / "outside")
    (root / "up").symlink_to("../outside")
    (root / "double").symlink_to(f"/{root.parent / 'outside'}")  # two slashes are a root of their own to pathlib
    host = LocalHost(root, {})
    assert host.read_text("/double") is None
    assert host.read_text(f"/{root.parent / 'outside'}") is None
    assert host.read_text("/link") is None
    assert host.read_text("/up") is None
    assert host.read_text("/../outside") is None
    assert not host.exists("/link")


def test_a_ring_of_links_is_unknown(root: Path) -> None:
    (root / "a").symlink_to("b")
    (root / "b").symlink_to("a")
    host = LocalHost(root, {})
    assert isinstance(host.read_text("/a"), Unknown)
    assert not host.exists("/a")
    assert host.names("/a") == ()


def test_a_root_that_is_a_ring_of_links_is_empty(tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("a")
    host = LocalHost(tmp_path / "a", {})
    assert not host.running
    assert (host.names("/"), host.exists("/etc")) == ((), False)


def test_links_are_followed_below_folders_that_came_after_a_link(root: Path) -> None:
    (root / "here").symlink_to("usr/absent/../lib")
    assert LocalHost(root, {}).read_text("/here/os-release") == "ID=inside\n"


def test_a_path_longer_than_any_is_not_there(root: Path) -> None:
    host = LocalHost(root, {})
    assert isinstance(host.read_text("/a" * 3000), Unknown)
    assert not host.exists("/a" * 3000)


def test_names_that_no_text_can_hold_are_passed_over(root: Path) -> None:
    try:
        (Path(os.fsdecode(os.fsencode(root) + b"/usr/caf\xe9"))).touch()
    except OSError:
        pytest.skip("this file system wants names that are text")
    assert LocalHost(root, {}).names("/usr") == ("lib",)


def test_variables_are_text_that_can_be_written() -> None:
    host = LocalHost(environ={"CUDA_VISIBLE_DEVICES": os.fsdecode(b"\xff0")})
    assert host.environ["CUDA_VISIBLE_DEVICES"] == "?0"


def test_what_is_absent_is_none(root: Path) -> None:
    assert LocalHost(root, {}).read_text("/nowhere") is None
    assert LocalHost(root, {}).read_text("/usr/lib/os-release/below") is None


def test_a_folder_or_a_pipe_is_no_text(root: Path) -> None:
    os.mkfifo(root / "pipe")
    assert isinstance(LocalHost(root, {}).read_text("/pipe"), Unknown)
    assert isinstance(LocalHost(root, {}).read_text("/usr"), Unknown)


def test_a_path_that_cannot_be_is_unknown(root: Path) -> None:
    host = LocalHost(root, {})
    assert isinstance(host.read_text("/a\0b"), Unknown)
    assert not host.exists("/a\0b")
    assert host.names("/a\0b") == ()


def test_reads_no_more_than_asked(root: Path) -> None:
    (root / "big").write_bytes(b"x" * 5000)
    assert LocalHost(root, {}).read_text("/big", 100) == "x" * 100


def test_bytes_that_are_no_text_are_replaced(root: Path) -> None:
    (root / "bytes").write_bytes(b"\xff\xfeA")
    assert LocalHost(root, {}).read_text("/bytes") == "\ufffd\ufffdA"


def test_a_stamp_changes_with_what_lies_there(root: Path) -> None:
    host = LocalHost(root, {})
    before = host.stamp("/usr/lib/os-release")
    (root / "usr/lib/os-release").write_text("ID=another\n")
    assert before is not None
    assert host.stamp("/usr/lib/os-release") not in (None, before)
    assert host.stamp("/nowhere") is None


def test_what_a_program_printed_before_it_failed_is_kept() -> None:
    outcome = LocalHost().run((sys.executable, "-c", "print('first'); raise SystemExit(3)"), 60)
    assert outcome == Interrupted(f"{Path(sys.executable).name} ended with 3", "first\n")


@pytest.mark.parametrize(
    "content", ["", "[]", "{", '{"told": []}', '{"told": {"bits": 64}, "output": {"x": 7}, "environ": {"A": 1}}']
)
def test_answers_of_another_form_are_none(root: Path, content: str) -> None:
    (root / ".torchstrap").mkdir()
    (root / ".torchstrap/answers.json").write_text(content)
    host = LocalHost(root, {})
    assert host.told("bits") is None
    assert isinstance(host.run(("x",), 5), Unknown)
    assert host.environ == {}


def test_a_system_call_that_is_not_there_is_none() -> None:
    assert LocalHost().told("platform") == sys.platform
    assert (LocalHost().told("windows") is None) == (sys.platform != "win32")


def test_a_folder_starts_nothing_and_has_only_our_overrides(root: Path) -> None:
    host = LocalHost(root, {"PATH": "/bin", "TORCHSTRAP_CUDA_DRIVER": "535"})
    assert not host.running
    assert host.environ == {"TORCHSTRAP_CUDA_DRIVER": "535"}
    assert isinstance(host.run((sys.executable, "-c", "print(1)"), 5), Unknown)


def test_runs_a_program_and_returns_what_it_prints() -> None:
    assert (
        LocalHost().run((sys.executable, "-c", "import os; print(os.environ['WORD'])"), 60, {"WORD": "yes"}) == "yes\n"
    )


@pytest.mark.parametrize(
    ("program", "words"),
    [
        ("raise SystemExit(3)", "ended with 3"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)", "ended with -11"),
    ],
    ids=["fails", "crashes"],
)
def test_a_program_that_fails_is_unknown(program: str, words: str) -> None:
    outcome = LocalHost().run((sys.executable, "-c", program), 60)
    assert isinstance(outcome, Unknown)
    assert words in outcome.reason


def test_a_program_that_prints_without_end_is_ended() -> None:
    program = "import os\nwhile True: os.write(1, b'x' * 65536)"
    outcome = LocalHost().run((sys.executable, "-c", program), 600)
    assert isinstance(outcome, Interrupted)
    assert outcome.reason.endswith("printed more than 4 MB")
    assert len(outcome.output) == MOST


def test_a_program_that_closes_its_output_and_goes_on_is_ended() -> None:
    outcome = LocalHost().run(
        (sys.executable, "-c", "import os, time; os.write(1, b'x'); os.close(1); time.sleep(600)"), 3
    )
    assert outcome == Interrupted(f"{Path(sys.executable).name} gave no answer within 3 s", "x")


def test_a_program_that_hangs_is_ended_with_its_children(tmp_path: Path) -> None:
    mark = tmp_path / "child"
    program = (
        "import subprocess, sys, time, pathlib\n"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'])\n"
        f"pathlib.Path({str(mark)!r}).write_text(str(child.pid))\n"
        "time.sleep(600)"
    )
    outcome = LocalHost().run((sys.executable, "-c", program), 5)
    assert isinstance(outcome, Unknown)
    assert "no answer within 5 s" in outcome.reason
    assert ended(int(mark.read_text()))


def ended(process: int) -> bool:
    """Wait for a process that was killed, and that is nobody's here, to be gone or a zombie."""
    for _ in range(3000):
        state = LocalHost().read_text(f"/proc/{process}/stat")
        if not isinstance(state, str) or state.rpartition(")")[2].split()[0] in "ZX":
            return True
        time.sleep(0.01)
    return False


def test_a_program_that_is_not_there_is_unknown() -> None:
    assert isinstance(LocalHost().run(("/no/such/program",), 5), Unknown)
