"""An authority of our own, what it signs, and servers that prove who they are with that."""

from __future__ import annotations

import ssl
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Authority:
    """`certificate` is the file with which its signatures are checked."""

    folder: Path

    @classmethod
    def made(cls, folder: Path) -> Authority:
        """A new one. Raises OSError where there is no openssl."""
        own = cls(folder)
        words = ["req", "-x509", "-nodes", "-days", "2", "-subj", "/CN=lab"]
        words += ["-addext", "basicConstraints=critical,CA:TRUE", *_new_key(own._key), "-out", str(own.certificate)]
        _openssl(*words)
        return own

    @property
    def certificate(self) -> Path:
        return self.folder / "authority.pem"

    @property
    def _key(self) -> Path:
        return self.folder / "authority.key"

    def signed(self, name: str, *alternatives: str) -> Path:
        """A file with a certificate for the name, and its key."""
        request, found, key = (self.folder / f"{name}.{end}" for end in ("csr", "crt", "key"))
        _openssl("req", "-new", "-nodes", "-subj", f"/CN={name}", *_new_key(key), "-out", str(request))
        extensions = self.folder / f"{name}.ext"
        extensions.write_text(f"subjectAltName={','.join(alternatives or (f'DNS:{name}',))}\n")
        words = ["x509", "-req", "-in", str(request), "-CA", str(self.certificate), "-CAkey", str(self._key)]
        _openssl(*words, "-CAcreateserial", "-days", "2", "-extfile", str(extensions), "-out", str(found))
        both = self.folder / f"{name}.pem"
        both.write_bytes(found.read_bytes() + key.read_bytes())
        return both


def _new_key(path: Path) -> tuple[str, ...]:
    return "-newkey", "rsa:2048", "-keyout", str(path)


def _openssl(*words: str) -> None:
    done = subprocess.run(["openssl", *words], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise OSError(done.stderr)


@dataclass
class Secure:
    """A server by https. `visitors` are the names in the certificates that were shown to it, "" for none."""

    url: str = ""
    visitors: list[str] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    moved_to: str = ""
    """Where it sends everybody, if not empty."""

    @property
    def port(self) -> int:
        return int(self.url.rpartition(":")[2].rstrip("/"))


def _name_in(connection: object) -> str:
    """The common name in the certificate that a visitor has shown."""
    shown: Any = connection.getpeercert() if isinstance(connection, ssl.SSLSocket) else None
    return str(
        {name: value for pairs in (shown or {}).get("subject", ()) for name, value in pairs}.get("commonName", "")
    )


@contextmanager
def securely(certificate: Path, visitors_of: Path | None = None) -> Iterator[Secure]:
    """A server with this certificate that wants one of its visitors if it is told who has to have signed theirs."""
    server = Secure()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            server.visitors.append(_name_in(self.connection))
            server.headers.append({name.lower(): value for name, value in self.headers.items()})
            self.send_response(302 if server.moved_to else 200)
            if server.moved_to:
                self.send_header("location", server.moved_to)
            self.end_headers()
            self.wfile.write(b"safe")

        def log_message(self, *_: object) -> None:
            """Keep quiet."""

    class QuietServer(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, *_: object) -> None:
            """A handshake that somebody refuses is what the tests are about."""

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    if visitors_of is not None:
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(visitors_of)
    with QuietServer(("127.0.0.1", 0), Handler) as http:
        http.socket = context.wrap_socket(http.socket, server_side=True, do_handshake_on_connect=False)
        threading.Thread(target=http.serve_forever, args=(0.02,), daemon=True).start()
        server.url = f"https://127.0.0.1:{http.server_address[1]}/"
        try:
            yield server
        finally:
            http.shutdown()
