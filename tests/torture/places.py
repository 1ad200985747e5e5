"""Two programs on the same project and the same wheels: how each is started, and what became of its environment.

The project has two extras, `cpu` and `cu128`, and with each a package of many files whose every file names its variant:
an environment that is half the one and half the other cannot pass for either.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Literal

from tests.acceptance.running import ROOT
from tests.replica import Replica

__all__ = ["FOLDERS", "VARIANTS", "Place", "State", "Verdict", "contenders", "prepared", "uv_command"]

State = Literal["none", "cpu", "cu128", "broken"]
VARIANTS = ("cpu", "cu128")
BULK = 1200  # files
FOLDERS = {"TORCHSTRAP_NO_SYMLINK": "1"}  # ours without a link at `.venv`
PASSING = re.compile(r"\.(building|removing)-")
PYPROJECT = """
[project]
name = "tortured"
version = "1"
requires-python = ">={python}"
dependencies = ["accelerate"]
[project.optional-dependencies]
cpu = ["torch==2.7.1", "torchvision==0.22.1", "bulk-kernels"]
cu128 = ["torch==2.7.1", "torchvision==0.22.1", "bulk-kernels"]
[tool.uv]
conflicts = [[{{ extra = "cpu" }}, {{ extra = "cu128" }}]]
environments = ["sys_platform == 'linux' and platform_machine == 'x86_64'"]
[tool.uv.sources]
torch = {both}
torchvision = {both}
bulk-kernels = {both}
[[tool.uv.index]]
name = "pytorch-cpu"
url = "{pytorch}/cpu"
explicit = true
[[tool.uv.index]]
name = "pytorch-cu128"
url = "{pytorch}/cu128"
explicit = true
"""
BOTH = '[{ index = "pytorch-cpu", extra = "cpu" }, { index = "pytorch-cu128", extra = "cu128" }]'
LOOK = """
import importlib.metadata, json, pathlib, sys
import accelerate, bulk_kernels, torch, torchvision
versions, wrong = {}, []
for each in importlib.metadata.distributions():
    if each.name == "tortured":
        continue
    versions[each.name] = each.version
    if each.files is None:
        wrong.append(f"{each.name} has no RECORD")
    for file in each.files or ():
        try:
            size = pathlib.Path(file.locate()).stat().st_size
        except OSError:
            wrong.append(f"{file} is gone")
        else:
            if file.size is not None and file.size != size:
                wrong.append(f"{file} has another size")
folder = pathlib.Path(bulk_kernels.__file__).parent
named = {each.read_text() for each in folder.glob("part_*.txt")}
variant = torch.__version__.partition("+")[2]
if named != {variant} or versions["torch"] != torch.__version__:
    wrong.append(f"torch {torch.__version__}, {versions['torch']} beside {named}")
print(json.dumps([variant, versions, wrong]))
"""


@dataclass(frozen=True)
class Verdict:
    """What an environment is; `why` says what is wrong with a broken one."""

    state: State
    why: str = ""


@dataclass
class Place:
    """One program (`name` is "torchstrap" or "uv") with a project folder and a cache of its own."""

    name: str
    command: tuple[str, ...]
    folder: Path
    cache: Path
    replica: Replica
    environ: Mapping[str, str] = field(default_factory=dict)
    expected: dict[str, Mapping[str, str]] = field(default_factory=dict)

    @cached_property
    def is_ours(self) -> bool:
        return self.name == "torchstrap"

    def words(self, variant: str) -> list[str]:
        """The command that makes an environment of one variant."""
        own = ["--no-progress"] if not self.is_ours else []
        return [*self.command, "sync", *own, "--extra", variant]

    def variables(self) -> dict[str, str]:
        kept = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("PIP_", "UV_", "TORCHSTRAP_", "VIRTUAL_ENV"))
        }
        index = self.replica.default_index
        ours = {"TORCHSTRAP_INDEX_URL": index, "TORCHSTRAP_CACHE_DIR": str(self.cache), "PYTHONPATH": str(ROOT)}
        ours |= {"TORCHSTRAP_MIRRORS": f"https://download.pytorch.org/whl={self.replica.pytorch}"}
        ours |= {"TORCHSTRAP_PLATFORM": "linux_x86_64", "TORCHSTRAP_PYTHON_VERSION": _python()}
        theirs = {"UV_CACHE_DIR": str(self.cache), "UV_DEFAULT_INDEX": index, "UV_PYTHON_DOWNLOADS": "never"}
        theirs |= {"UV_NO_CONFIG": "1", "UV_PYTHON": sys.executable}
        return {**kept, "PIP_CONFIG_FILE": os.devnull, **(ours if self.is_ours else theirs), **self.environ}

    def start(self, variant: str, *before: str) -> subprocess.Popen[bytes]:
        """Begin to make the environment one variant, in a process group of its own; `before` are words in front."""
        return subprocess.Popen(
            [*before, *self.words(variant)],
            cwd=self.folder,
            env=self.variables(),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )

    def sync(self, variant: str) -> tuple[int, str, float]:
        """Make the environment one variant: exit code, what was said, wall seconds."""
        begin = time.perf_counter()
        with self.start(variant) as process:
            _, said = process.communicate(timeout=300)
        return process.returncode, said.decode(errors="replace"), time.perf_counter() - begin

    def must_sync(self, variant: str) -> float:
        """The same where it has to succeed and to be right; wall seconds. What is there then is what is expected."""
        code, said, seconds = self.sync(variant)
        if code:
            raise RuntimeError(f"{self.name} sync --extra {variant} ended with {code}: {said}")
        if variant not in self.expected:
            found, versions, wrong = self._seen()
            if found != variant or wrong:
                raise RuntimeError(f"{self.name}: {variant} is {found}, {wrong[:3]}")
            self.expected[variant] = versions
        elif self.look().state != variant:
            raise RuntimeError(f"{self.name}: after a sync that succeeded, {variant} is {self.look()}")
        return seconds

    def kill_after(self, variant: str, seconds: float) -> bool:
        """Begin to make the environment one variant, and end that with SIGKILL. Whether it was still at work."""
        with self.start(variant) as process:
            try:
                process.communicate(timeout=max(seconds, 0.0))
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.communicate()
                return True
        return False

    def look(self) -> Verdict:
        """Which environment is there: one that is wholly as a sync made it, none, or something else."""
        if not os.path.lexists(self.folder / ".venv"):
            return Verdict("none")
        try:
            found, versions, wrong = self._seen()
        except (OSError, ValueError, subprocess.SubprocessError) as error:
            said = getattr(error, "stderr", "") or str(error)
            return Verdict("broken", said.strip().splitlines()[-1] if said.strip() else "no answer")
        if wrong:
            return Verdict("broken", wrong[0])
        if versions != self.expected[found]:
            return Verdict("broken", f"{len(versions)} packages instead of {len(self.expected[found])}")
        return Verdict("cpu" if found == "cpu" else "cu128")

    def _seen(self) -> tuple[str, Mapping[str, str], list[str]]:
        python = self.folder / ".venv" / "bin" / "python"
        done = subprocess.run([python, "-I", "-c", LOOK], capture_output=True, text=True, timeout=60, check=True)
        variant, versions, wrong = json.loads(done.stdout)
        return variant, versions, wrong

    def forget(self, *names: str) -> None:
        """Take parts of the project folder, or "cache", out of sight. They are moved: removing takes long."""
        aside = self.folder.parent / "aside"
        aside.mkdir(exist_ok=True)
        for name in names:
            path = self.cache if name == "cache" else self.folder / name
            if os.path.lexists(path):
                path.rename(aside / f"{self.name}-{time.monotonic_ns()}")

    def remove(self, *names: str) -> None:
        """The same where room counts."""
        for name in names:
            path = self.cache if name == "cache" else self.folder / name
            if path.is_symlink():
                path.unlink()
            elif path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink(missing_ok=True)

    def generations(self, variant: str) -> list[str]:
        """What ours has built once and would not build again, as names in the project folder."""
        found = (self.folder / ".venv.generations").glob(f"torch-*{variant}-*")
        return [f".venv.generations/{each.name}" for each in found if not PASSING.search(each.name)]

    def files(self) -> frozenset[str]:
        """Everything that lies in the project folder and the cache, but for what is inside environments and wheels."""
        found: set[str] = set()
        for root, inside in ((self.folder, ("lib", "bin", "include")), (self.cache, ("tree", "archive-v0"))):
            for here, folders, files in os.walk(root):
                folders[:] = [each for each in folders if each not in inside]
                found.update(os.path.relpath(os.path.join(here, each), root.parent) for each in (*folders, *files))  # noqa: PTH118
        return frozenset(found)


def _python() -> str:
    return f"{sys.version_info[0]}.{sys.version_info[1]}"


def prepared(replica: Replica, count: int = BULK) -> Replica:
    """The replica with the packages of many files, so many in each."""
    for variant in VARIANTS:
        files = {f"bulk_kernels/part_{number:05}.txt": variant.encode() for number in range(count)}
        files["bulk_kernels/__init__.py"] = f"VARIANT = {variant!r}\n".encode()
        replica.add_wheel(variant, "bulk-kernels", f"1.0+{variant}", files=files)
    return replica


def uv_command(named: str | None = None) -> str | None:
    """The real uv: the one that was named, or that PATH has, or that lies beside the running Python."""
    beside = Path(sys.executable).parent / "uv"
    return named or shutil.which("uv") or (str(beside) if beside.exists() else None)


def contenders(root: Path, replica: Replica, uv: str | None, title: str = "") -> list[Place]:
    """A place for each program that there is, with a project folder in it."""
    commands = {"torchstrap": (sys.executable, "-m", "bootstrap"), **({"uv": (uv,)} if uv else {})}
    return [place(root / title, name, command, replica) for name, command in commands.items()]


def place(root: Path, name: str, command: tuple[str, ...], replica: Replica, cache: Path | None = None) -> Place:
    """One program in a folder of its own below `root`."""
    folder = root / name / "project"
    folder.mkdir(parents=True)
    pytorch = "https://download.pytorch.org/whl" if name == "torchstrap" else replica.pytorch
    text = PYPROJECT.format(python=_python(), both=BOTH, pytorch=pytorch)
    (folder / "pyproject.toml").write_text(text)
    return Place(name, command, folder, cache or root / name / "cache", replica)
