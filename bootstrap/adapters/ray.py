"""Ray: each node builds the environment of a job once, by its content, and starts workers with its interpreter.

    driver                                        each node, before the first worker
    ray.init(runtime_env=torchstrap_env("."))     get_uris        torchstrap://<digest of the texts and options>
      the texts of pyproject.toml and             create          <folder>/<digest>: torchstrap sync --frozen
      pylock.toml travel with the job             modify_context  workers start with <folder>/<digest>/.venv/bin/python
                                                  delete_uri      <folder>/<digest> goes, when Ray wants its room

Set on every node before `ray start`: RAY_RUNTIME_ENV_PLUGINS='[{"class": "bootstrap.adapters.ray.Torchstrap"}]'. Ray's
own Python has to find this class: install torchstrap there, or copy this one file under another name than `ray` onto
its path. TORCHSTRAP_COMMAND names the program (`torchstrap`, `/opt/torchstrap.pyz`), TORCHSTRAP_RAY_DIR the folder for
environments (default: `ray` in torchstrap's cache, so that they are made of links); what else the program knows, from
mirrors to the administrator's policy, counts as always.

Workers import Ray from the environment, so the project has to depend on the cluster's very version of Ray. Code does
not travel by this way but by Ray's `working_dir` and `py_modules`: a project with a [build-system] says `[tool.uv]
package = false`. Texts go along with every task: lock for what the cluster has (`torchstrap lock --python-version 3.12
--platform linux_x86_64`), or name a bundle instead, another for another content. What Ray's `setup_timeout_seconds` cut
short goes on where it stopped.

Ray calls these hooks for every runtime environment of the cluster, and what one of them raises for somebody else's
breaks all of them: only `validate` and `create`, which are for ours alone, ever raise.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import re
import shlex
import shutil
import sys
from collections import defaultdict
from collections.abc import Mapping, Sequence
from logging import Logger
from pathlib import Path
from typing import Any

try:
    from ray._private.runtime_env.plugin import RuntimeEnvPlugin  # type: ignore[import-not-found, unused-ignore]
except ImportError:  # a driver that only submits has no need of it
    RuntimeEnvPlugin = object

__all__ = ["NAME", "Torchstrap", "torchstrap_env"]

NAME = "torchstrap"
_SCHEMA = "torchstrap.sync/1"
_FILES = {"project": "pyproject.toml", "lock": "pylock.toml"}
_SEVERAL = ("extra", "group")
_OPTIONS = ("variant", "require", "gpus", "bundle", *_SEVERAL)
_RIVALS = ("pip", "uv", "conda", "py_executable", "image_uri", "container")
_BUILT = re.compile(r"^\[build-system\]", re.MULTILINE)
_NOT_BUILT = re.compile(r"^package *= *false", re.MULTILINE)
_SLOTS = 1000  # nodes of one machine or of machines that share a folder
_PATIENCE = 10.0  # seconds that the program has to end when Ray gives up on it


def torchstrap_env(project: str | os.PathLike[str] = ".", **options: Any) -> dict[str, Any]:
    """A runtime environment for `ray.init` or a task: the project in this folder, as it is locked.

    `options` are those of `torchstrap sync`: require, extra, group, variant, gpus. Raises ValueError with a sentence.
    """
    folder = Path(project)
    try:
        texts = {key: (folder / name).read_text(encoding="utf-8") for key, name in _FILES.items()}
    except (OSError, UnicodeDecodeError) as error:
        problem = f"{folder}: pyproject.toml and pylock.toml go to the nodes, and one cannot be read ({error})"
        raise ValueError(f"{problem}; `torchstrap lock` writes the second") from None
    if _BUILT.search(texts["project"]) and not _NOT_BUILT.search(texts["project"]):
        problem = f"{folder / 'pyproject.toml'} has a [build-system], so that the project itself would be installed"
        raise ValueError(f"{problem}, and its code is not there; say `package = false` in [tool.uv], and lock again")
    environment = {NAME: {**texts, **options}}
    Torchstrap.validate(environment)
    return environment


class Torchstrap(RuntimeEnvPlugin):  # type: ignore[misc, unused-ignore]
    """`runtime_env={"torchstrap": {"project": text, "lock": text, "require": "gpu", …}}`, or `{"bundle": place, …}`."""

    name = NAME

    def __init__(self) -> None:
        self._folder: Path | None = None
        self._claim: int | None = None
        self._sizes: dict[str, int] = {}
        self._turns: dict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    @staticmethod
    def validate(runtime_env: Mapping[str, Any]) -> None:
        """Raises ValueError with a sentence for what is no environment of ours."""
        problem = _problem(runtime_env.get(NAME), [each for each in _RIVALS if runtime_env.get(each)])
        if problem:
            raise ValueError(f"runtime_env[{NAME!r}] {problem}")

    def get_uris(self, runtime_env: Mapping[str, Any]) -> list[str]:
        """One address by content; none for what is not ours, or makes no sense."""
        asked = runtime_env.get(NAME)
        return [] if _problem(asked) or asked is None else [f"{NAME}://{_digest(asked)}"]

    async def create(self, uri: str, runtime_env: Mapping[str, Any], context: Any, logger: Logger) -> int:  # noqa: ARG002
        """Build the environment; how many bytes it takes. Raises RuntimeError with the program's sentence."""
        asked = runtime_env[NAME]
        folder = await self._place(logger) / _digest(asked)
        async with self._turns[uri]:
            if uri in self._sizes:  # Ray lets two in that differ in something else, such as variables
                return 0
            try:
                await _built(folder, asked, logger)
            except BaseException:
                shutil.rmtree(folder, ignore_errors=True)
                raise
            self._sizes[uri] = await asyncio.get_running_loop().run_in_executor(None, _size, folder)
            return self._sizes[uri]

    def modify_context(self, uris: Sequence[str], runtime_env: Mapping[str, Any], context: Any, logger: Logger) -> None:  # noqa: ARG002
        """Workers start with the environment's interpreter; its programs come first on their PATH."""
        if self._folder is None or not uris or runtime_env.get(NAME) is None:
            return
        venv = self._folder / uris[0].rpartition("/")[2] / ".venv"
        python = venv / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
        context.py_executable = str(python) if os.name == "nt" else shlex.quote(str(python))
        path = context.env_vars.get("PATH") or os.environ.get("PATH") or os.defpath
        context.env_vars |= {"VIRTUAL_ENV": str(venv), "PATH": f"{python.parent}{os.pathsep}{path}"}

    def delete_uri(self, uri: str, logger: Logger) -> int:
        """Remove an environment that nobody uses; how many bytes that frees."""
        if self._folder is not None:
            logger.info("removing %s", uri)
            shutil.rmtree(self._folder / uri.rpartition("/")[2], ignore_errors=True)
        return self._sizes.pop(uri, 0)

    async def _place(self, logger: Logger) -> Path:
        """The folder of this node, which is empty at first: what earlier nodes left in it is in nobody's books."""
        async with self._turns[""]:
            if self._folder is None:
                named = os.environ.get("TORCHSTRAP_RAY_DIR")
                here = Path(sys.executable).parent  # no project's folder, whose settings would count
                root = Path(named or Path((await _output(["cache", "dir"], here, logger)).strip()) / "ray")
                try:
                    folder, self._claim = _claimed(root)
                    for left in folder.iterdir():
                        await asyncio.get_running_loop().run_in_executor(None, shutil.rmtree, left, True)
                except OSError as error:
                    raise RuntimeError(_unwritable(root, error)) from None
                self._folder = folder
        return self._folder


def _problem(asked: object, rivals: Sequence[str] = ()) -> str:
    """What is wrong with a value for our name, in words; "" if nothing is."""
    if asked is None:
        return ""
    if not isinstance(asked, Mapping):
        return f"must be a table such as torchstrap_env(folder) makes, and is {asked!r:.80}"
    unknown = [str(key) for key in asked if key not in {*_FILES, *_OPTIONS}]
    if unknown:
        return f"knows {', '.join((*_FILES, *_OPTIONS))}, and not {', '.join(unknown)}"
    for key, value in asked.items():
        words = list(value) if key in _SEVERAL and isinstance(value, (list, tuple)) else [value]
        if not all(isinstance(word, str) and word for word in words):
            return f"has {value!r:.80} for {key!r}, which must be text{' or a list of it' if key in _SEVERAL else ''}"
    if "bundle" not in asked and not _FILES.keys() <= asked.keys():
        return "needs the texts of pyproject.toml as 'project' and of pylock.toml as 'lock', or a 'bundle'"
    named = " and ".join(map(repr, rivals))
    return f"and {named} both bring an interpreter; keep one" if rivals else ""


def _digest(asked: Mapping[str, Any]) -> str:
    """The same for the same content, on every node."""
    return hashlib.sha256(json.dumps(asked, sort_keys=True).encode()).hexdigest()[:32]


def _words(asked: Mapping[str, Any]) -> list[str]:
    """The options of `sync`. A lock that was given is used as it is."""
    several = {key: [value] if isinstance(value, str) else value for key, value in asked.items() if key in _OPTIONS}
    given = [f"--{key}={value}" for key, values in sorted(several.items()) for value in values]
    return given if "bundle" in asked else ["--frozen", *given]


def _program() -> list[str]:
    """How torchstrap is called on this node. Raises RuntimeError if it is not to be found."""
    named = shlex.split(os.environ.get("TORCHSTRAP_COMMAND", ""))
    if named:
        return [sys.executable, *named] if named[0].endswith(".pyz") else named
    if __package__ == "bootstrap.adapters":
        return [sys.executable, "-m", "bootstrap"]
    found = shutil.which("torchstrap")
    if found is None:
        raise RuntimeError("torchstrap is not on this node's PATH; name it with TORCHSTRAP_COMMAND before `ray start`")
    return [found]


async def _output(words: Sequence[str], folder: Path, logger: Logger) -> str:
    """What the program says on standard output. Raises RuntimeError with what it says went wrong."""
    command = [*_program(), *words]
    logger.info("%s", shlex.join(command))
    pipe = asyncio.subprocess.PIPE
    try:
        process = await asyncio.create_subprocess_exec(*command, cwd=folder, stdout=pipe, stderr=pipe)
    except OSError as error:
        raise RuntimeError(f"{command[0]} cannot be started on this node ({error.strerror})") from None
    try:
        out, progress = (text.decode(errors="replace") for text in await process.communicate())
    except asyncio.CancelledError:  # Ray's setup_timeout_seconds are over; the program tidies up and ends
        process.terminate()
        try:
            await asyncio.wait_for(process.wait(), _PATIENCE)
        except asyncio.TimeoutError:
            process.kill()
        raise
    logger.info("%s", progress)
    if process.returncode:
        mark = "torchstrap: "
        raise RuntimeError(f"{mark}{progress.rpartition(mark)[2].strip()} (exit code {process.returncode})")
    return out


async def _built(folder: Path, asked: Mapping[str, Any], logger: Logger) -> None:
    """An environment in which workers can live. Raises RuntimeError with a sentence."""
    _written(folder, asked)
    said = await _output(["sync", "--json", "--python", sys.executable, *_words(asked)], folder, logger)
    outcome: dict[str, Any] = json.loads(said)
    if outcome.get("schema") != _SCHEMA:
        problem = f"torchstrap answers as {outcome.get('schema')}, and its adapter for Ray knows {_SCHEMA}"
        raise RuntimeError(f"{problem}; install the same version of both on this node")
    for warning in outcome["warnings"]:
        logger.warning(warning)
    from ray import __version__ as wanted  # type: ignore[import-not-found, unused-ignore] # noqa: PLC0415

    found = [each["version"] for each in outcome["packages"] if each["name"] == "ray"]
    if found != [wanted]:
        problem = f"workers need ray {wanted}, as this node has it, and the project locks {' '.join(found) or 'none'}"
        raise RuntimeError(f"{problem}; write `ray=={wanted}` into its dependencies and lock again")


def _written(folder: Path, asked: Mapping[str, Any]) -> None:
    try:
        folder.mkdir(exist_ok=True)
        for key in _FILES.keys() & asked.keys():
            (folder / _FILES[key]).write_text(asked[key], encoding="utf-8")
    except OSError as error:
        raise RuntimeError(_unwritable(folder, error)) from None


def _claimed(root: Path) -> tuple[Path, int]:
    """A folder of this process alone among nodes that share a root, and what holds it until the process ends."""
    import fcntl  # noqa: PLC0415 - not everywhere

    for number in range(1, _SLOTS):
        folder = root / f"node-{number}"
        folder.mkdir(parents=True, exist_ok=True)
        try:
            held = os.open(root / f".node-{number}", os.O_RDWR | os.O_CREAT, 0o600)
        except PermissionError:
            continue  # another user's
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(held)
            continue
        return folder, held
    raise OSError(0, f"{_SLOTS} nodes use it already")


def _unwritable(folder: Path, error: OSError) -> str:
    return f"{folder} cannot be used ({error.strerror or error}); name another folder with TORCHSTRAP_RAY_DIR"


def _size(folder: Path) -> int:
    """Bytes that go when the folder does: not those of files that are linked from the store."""
    found = (os.lstat(os.path.join(at, name)) for at, _, names in os.walk(folder) for name in names)  # noqa: PTH118
    return sum(each.st_size for each in found if each.st_nlink == 1)
