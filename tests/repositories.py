"""Real git repositories in a folder, and servers for them: git's own over HTTP, and one that only hands out files."""

from __future__ import annotations

import base64
import os
import subprocess
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit

__all__ = ["GitServer", "Repo", "git", "plain_server", "project_files", "smart_server"]

_WHO = ("-c", "user.name=Ada", "-c", "user.email=ada@lab.example", "-c", "protocol.file.allow=always")
BUILD = '[build-system]\nrequires = ["setuptools"]\nbuild-backend = "setuptools.build_meta"\n'


def git(folder: Path, *words: str) -> str:
    """A git command in a folder, with nothing of this machine's configuration; what it says."""
    environ = {key: value for key, value in os.environ.items() if not key.startswith("GIT_")}
    environ |= {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull}
    done = subprocess.run(
        ["git", *_WHO, *words], cwd=folder, env=environ, capture_output=True, text=True, check=True, timeout=60
    )
    return done.stdout.strip()


def project_files(name: str, version: str, more: str = "") -> dict[str, str]:
    """A project of one module that says its version; `more` goes into [project]."""
    table = f'{BUILD}\n[project]\nname = "{name}"\nversion = "{version}"\n{more}\n'
    return {
        "pyproject.toml": f'{table}\n[tool.setuptools]\npy-modules = ["{name}"]\n',
        f"{name}.py": f"VERSION = {version!r}\n",
    }


@dataclass(frozen=True)
class Repo:
    """A repository with a work tree; commits go to the branch `main`."""

    folder: Path

    @classmethod
    def made(cls, folder: Path, files: Mapping[str, str] | None = None) -> Repo:
        """A new one; with files also its first commit."""
        folder.mkdir(parents=True)
        git(folder, "init", "--quiet", "--initial-branch=main")
        found = cls(folder)
        if files is not None:
            found.commit(files)
        return found

    def commit(self, files: Mapping[str, str]) -> str:
        """Write files and commit everything; the commit."""
        for name, text in files.items():
            (self.folder / name).parent.mkdir(parents=True, exist_ok=True)
            (self.folder / name).write_text(text)
        git(self.folder, "add", "--all")
        git(self.folder, "commit", "--quiet", "--allow-empty", "--message", "more")
        return self.head

    @property
    def head(self) -> str:
        """The commit that is checked out."""
        return git(self.folder, "rev-parse", "HEAD")

    @property
    def url(self) -> str:
        """The address on this disk."""
        return self.folder.as_uri()


@dataclass
class GitServer:
    """An address, and how the server behaves. `login` is what it asks for; while `stalled` packs end in the middle."""

    url: str
    requests: list[str] = field(default_factory=list)
    login: str | None = None
    stalled: threading.Event | None = None
    reached: threading.Event = field(default_factory=threading.Event)


@contextmanager
def smart_server(root: Path, login: str | None = None) -> Iterator[GitServer]:
    """`git http-backend` over real HTTP for all repositories below a folder."""
    server = GitServer("", login=login)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.0"

        def do_GET(self) -> None:
            self._answer(b"")

        def do_POST(self) -> None:
            self._answer(self.rfile.read(int(self.headers.get("content-length") or 0)))

        def _answer(self, body: bytes) -> None:
            server.requests.append(self.path)
            if server.login is not None and self.headers.get("authorization") != _basic(server.login):
                self.send_response(401)
                self.send_header("www-authenticate", 'Basic realm="lab"')
                self.end_headers()
                return
            parts = urlsplit(self.path)
            done = subprocess.run(
                ["git", "http-backend"],
                input=body,
                env={
                    "PATH": os.environ["PATH"],
                    "GIT_PROJECT_ROOT": str(root),
                    "GIT_HTTP_EXPORT_ALL": "1",
                    "GIT_PROTOCOL": self.headers.get("git-protocol", ""),
                    "PATH_INFO": parts.path,
                    "QUERY_STRING": parts.query,
                    "REQUEST_METHOD": self.command,
                    "CONTENT_TYPE": self.headers.get("content-type", ""),
                    "CONTENT_LENGTH": str(len(body)),
                    "HTTP_CONTENT_ENCODING": self.headers.get("content-encoding", ""),
                    "REMOTE_ADDR": "127.0.0.1",
                },
                capture_output=True,
                check=False,
                timeout=60,
            )
            head, _, answer = done.stdout.partition(b"\r\n\r\n")
            lines = dict(line.split(": ", 1) for line in head.decode().splitlines() if ": " in line)
            self.send_response(int(lines.pop("Status", "200").split()[0]))
            for key, value in lines.items():
                self.send_header(key, value)
            self.end_headers()
            if server.stalled is not None and b"PACK" in answer:
                self.wfile.write(answer[: len(answer) // 2])
                self.wfile.flush()
                server.reached.set()
                server.stalled.wait(60)
                return
            self.wfile.write(answer)

        def log_message(self, *_: object) -> None:
            return

    yield from _serving(server, ThreadingHTTPServer(("127.0.0.1", 0), Handler))


@contextmanager
def plain_server(root: Path) -> Iterator[GitServer]:
    """Files below a folder, as any web server has them (git's "dumb" protocol)."""
    server = GitServer("")

    class Handler(SimpleHTTPRequestHandler):
        def __init__(self, *arguments: object) -> None:
            super().__init__(*arguments, directory=str(root))  # type: ignore[arg-type]

        def log_message(self, *_: object) -> None:
            server.requests.append(self.path)

    yield from _serving(server, ThreadingHTTPServer(("127.0.0.1", 0), Handler))


def _serving(server: GitServer, http: ThreadingHTTPServer) -> Iterator[GitServer]:
    server.url = f"http://127.0.0.1:{http.server_port}"
    thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        if server.stalled is not None:
            server.stalled.set()
        http.shutdown()
        http.server_close()
        thread.join()


def _basic(login: str) -> str:
    return "Basic " + base64.b64encode(login.encode()).decode()
