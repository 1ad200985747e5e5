"""install.sh for tests: releases on a server of ours, machines that have exactly the tools that a test gives them."""

from __future__ import annotations

import io
import json
import os
import re
import shutil
import stat
import subprocess
import sys
import tarfile
import threading
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from bootstrap.zipapp.release import filled

ROOT = Path(__file__).parent.parent
SCRIPT = ROOT / "install.sh"
SHELLS = {"dash": ("dash",), "busybox": ("busybox", "sh"), "bash": ("bash", "--posix")}
TOOLS = (
    *(
        "awk",
        "cat",
        "chmod",
        "cp",
        "cut",
        "grep",
        "gzip",
        "id",
        "mkdir",
        "mv",
        "rm",
        "rmdir",
        "sed",
        "sha256sum",
        "sleep",
    ),
    *("sort", "tail", "tar", "tee", "tr", "uname"),
)
"""All that install.sh may use, but for what fetches and for Python."""

_PROGRAM = """
import json, sys
if sys.argv[1:] == ["--version"]:
    print("torchstrap {version}")
else:
    print(json.dumps([{version!r}, sys.argv[1:], sys.stdin.read()]))
    sys.exit(5)
"""


def shell(name: str) -> tuple[str, ...]:
    """The words that start a shell; a test that needs one that is not here is skipped."""
    words = SHELLS[name]
    found = shutil.which(words[0])
    if found is None:
        pytest.skip(f"{words[0]} is not installed")
    return (found, *words[1:])


def program(version: str = "0.2.0", padding: int = 0) -> bytes:
    """A small one of the kind of torchstrap.pyz: says its version, or tells what it was asked and exits with 5."""
    kept = io.BytesIO()
    with zipfile.ZipFile(kept, "w") as archive:
        for name, content in (("__main__.py", _PROGRAM.format(version=version)), ("padding", "\0" * padding)):
            archive.writestr(zipfile.ZipInfo(name), content)  # without the time of day: it is hashed
    return kept.getvalue()


def python_archive(says: str = "") -> bytes:
    """What stands for a build of CPython: its python3 is the one of the tests, or only says something and fails."""
    script = f"#!/bin/sh\necho '{says}'\nexit 1\n" if says else f'#!/bin/sh\nexec "{base_python()}" "$@"\n'
    kept = io.BytesIO()
    with tarfile.open(fileobj=kept, mode="w:gz") as archive:
        member = tarfile.TarInfo("python/bin/python3")
        member.size, member.mode = len(script), 0o755
        archive.addfile(member, io.BytesIO(script.encode()))
    return kept.getvalue()


def base_python() -> str:
    """The interpreter that the tests' environment was made with."""
    return str(getattr(sys, "_base_executable", sys.executable))


class Releases:
    """A server of releases. Some addresses can end in the middle of what they promise, or say nothing for long."""

    def __init__(self) -> None:
        self.bodies: dict[str, bytes] = {}
        self.cut: set[str] = set()
        self.silent: set[str] = set()
        self.requests: list[str] = []
        self.asked, self.over = threading.Event(), threading.Event()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self.base = f"http://127.0.0.1:{self._server.server_port}"

    @contextmanager
    def running(self) -> Iterator[Releases]:
        thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield self
        finally:
            self.over.set()
            self._server.shutdown()
            thread.join()
            self._server.server_close()

    def publish(self, version: str, content: bytes | None = None) -> str:
        """A version as its release has it; the sha256 of the program."""
        content = program(version) if content is None else content
        digest = sha256(content).hexdigest()
        self.bodies[f"/v{version}/torchstrap.pyz"] = content
        self.bodies[f"/v{version}/torchstrap.pyz.sha256"] = f"{digest}  torchstrap.pyz\n".encode()
        return digest

    def script(self, folder: Path, version: str = "0.2.0", content: bytes | None = None, pythons: str = "") -> Path:
        """The install.sh of a version that is published with it, in a folder of its own."""
        place = folder / f"script-{version}"
        place.mkdir(exist_ok=True)
        text = filled(SCRIPT.read_text(), version, self.publish(version, content), pythons)
        (place / "install.sh").write_text(text)
        return place / "install.sh"

    def python_row(self, content: bytes, platform: str) -> str:
        """A build of CPython is published, for this platform; the row for install.sh."""
        path = "1/cpython-3.13.1+1.tar.gz"
        self.bodies[f"/{quote(path)}"] = content
        return f"{platform} 3.13.1 {sha256(content).hexdigest()} {quote(path)}"

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        releases = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                releases.requests.append(self.path)
                body = releases.bodies.get(self.path)
                if body is None:
                    self.send_error(404)
                    return
                self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                if self.path in releases.silent:
                    releases.asked.set()
                    releases.over.wait(60)
                    return
                self.wfile.write(body[: len(body) // 2] if self.path in releases.cut else body)

            def log_message(self, *_: Any) -> None:
                pass

        return Handler


@dataclass(frozen=True)
class Person:
    """Somebody's home, and a folder with the tools of the machine. The shell of install.sh is `words`."""

    folder: Path
    words: tuple[str, ...]
    environ: Mapping[str, str] = field(default_factory=dict)

    @property
    def home(self) -> Path:
        return self.folder / "home"

    @property
    def tools(self) -> Path:
        return self.folder / "tools"

    @property
    def command(self) -> Path:
        return self.home / ".local/bin/torchstrap"

    @property
    def program(self) -> Path:
        return self.home / ".local/share/torchstrap/torchstrap.pyz"

    def variables(self) -> dict[str, str]:
        # `id` is one of ours: to install into ~/.local nobody may be root.
        kept = {"HOME": str(self.home), "PATH": str(self.tools), "SHELL": "/bin/bash", "LC_ALL": "C.UTF-8"}
        return kept | {"TORCHSTRAP_CACHE_DIR": str(self.home / ".cache/torchstrap"), **self.environ}

    def with_variables(self, **variables: str) -> Person:
        return replace(self, environ={**self.environ, **variables})

    def install(self, script: Path, *arguments: str, timeout: float = 60) -> subprocess.CompletedProcess[str]:
        """Run the script; what it says, and how it ends."""
        folder = self.folder / "somewhere"
        folder.mkdir(exist_ok=True)
        return subprocess.run(
            [*self.words, str(script), *arguments],
            cwd=folder,
            env=self.variables(),
            input="",
            capture_output=True,
            text=True,
            check=False,
            timeout=timeout,
        )

    def answer(self) -> list[Any]:
        """What the installed program tells: its version, how it was started, and what it was sent."""
        done = subprocess.run([self.command, "asked"], capture_output=True, check=False, input=b"")
        assert done.returncode == 5, done.stderr
        told: list[Any] = json.loads(done.stdout)
        return told

    def paths(self) -> dict[str, bytes | None]:
        """All that lies in the home, files with their bytes."""
        found = sorted(self.home.rglob("*"))
        return {str(each): None if each.is_dir() else each.read_bytes() for each in found}


def person(folder: Path, words: tuple[str, ...], fetching: str = "curl", python: bool = True) -> Person:
    """Somebody with nothing but the tools that are needed, one that fetches, and a python3."""
    made = Person(folder, words)
    made.home.mkdir()
    made.tools.mkdir()
    for name in (*TOOLS, *filter(None, [fetching])):
        found = shutil.which(name)
        if found is None:
            pytest.skip(f"{name} is not installed")
        if name != "id":
            (made.tools / name).symlink_to(found)
    tool(made, "id", "echo 1000")
    if python:
        tool(made, "python3", f'exec "{base_python()}" "$@"')
    return made


def tool(someone: Person, name: str, script: str) -> None:
    """One more program on somebody's PATH."""
    path = someone.tools / name
    path.unlink(missing_ok=True)  # what is there is a link to the system's, which must not be written to
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)


def platform() -> str:
    """This machine in the words of the table of Pythons."""
    system, _, _, _, machine = os.uname()
    libc = "musl" if b"ld-musl" in Path("/bin/sh").read_bytes() else "gnu"
    return f"linux-{machine}-{libc}" if system == "Linux" else f"macos-{machine}"


def smallest_root(root: Path) -> Path:
    """A root with busybox and nothing else; a test is skipped where there is none that could be copied."""
    busybox, ldd = shutil.which("busybox"), shutil.which("ldd")
    if busybox is None or ldd is None:
        pytest.skip("busybox or ldd is not installed")
    linked = subprocess.run([ldd, busybox], capture_output=True, text=True, check=False).stdout
    for library in re.findall(r"(/\S+) \(0x", linked):
        place = root / library[1:]
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(library, place)
    for folder in ("bin", "dev", "usr/local"):
        (root / folder).mkdir(parents=True, exist_ok=True)
    os.mknod(root / "dev/null", 0o666 | stat.S_IFCHR, os.makedev(1, 3))
    shutil.copy(busybox, root / "bin/sh")
    for name in TOOLS:
        (root / "bin" / name).symlink_to("sh")
    return root
