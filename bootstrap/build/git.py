"""The git program: started here and nowhere else, without questions, without anybody's hooks, never for ever.

said to git       how to reach servers (certificates, mirrors), as `-c` options
never said        passwords: a helper hands them to git from the environment, to the one origin they are for
kept              the user's own configuration: credential helpers, `insteadOf`, ssh
taken away        GIT_DIR and its like, hooks, fsmonitor, templates, garbage collection, `ext::`
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from bootstrap.errors import RefusedError, RepositoryError, UnreachableError
from bootstrap.index.addresses import without_secrets

__all__ = ["Access", "Git"]

_BRIEF, _LONG = 120.0, 3600.0  # seconds
_STALLED = 60  # seconds at less than a kilobyte each

# Of all GIT_* these say how to reach a server, and the person who set them meant every git.
_KEPT = re.compile(
    r"GIT_(SSH|SSH_COMMAND|SSH_VARIANT|ASKPASS|SSL_\w+|PROXY_\w+|HTTP_\w+|EXEC_PATH|ALLOW_PROTOCOL"
    r"|CONFIG_(GLOBAL|SYSTEM|NOSYSTEM|COUNT|KEY_\d+|VALUE_\d+)|TRACE\w*|CURL_VERBOSE)"
)
_QUIET: Mapping[str, str] = {
    "core.hooksPath": os.devnull,
    "core.fsmonitor": "false",
    "core.autocrlf": "false",
    "gc.auto": "0",
    "maintenance.auto": "false",
    "fetch.recurseSubmodules": "false",
    "submodule.recurse": "false",
    "advice.detachedHead": "false",
    "protocol.ext.allow": "never",
    "http.lowSpeedLimit": "1000",
    "http.lowSpeedTime": str(_STALLED),
}
_NOISE = re.compile(r"^(remote: )?(warning|hint|Cloning into|Submodule |From |Auto packing|Please make sure|and the )")
_PASSING = (
    "timed out",
    "Could not resolve host",
    "Connection re",
    "Failed to connect",
    "Couldn't connect",
    "unexpected disconnect",
    "early EOF",
    "HTTP 5",
)


@dataclass(frozen=True, slots=True)
class Access:
    """How servers are reached; as `bootstrap.index.client.NetworkSettings`. `logins` are by origin."""

    cert: Path | None = None
    client_cert: Path | None = None
    proxy: str | None = None
    trusted_hosts: tuple[str, ...] = ()
    mirrors: tuple[tuple[str, str], ...] = ()
    logins: Mapping[str, tuple[str, str]] = field(default_factory=dict)

    def options(self) -> Iterator[tuple[str, str]]:
        """Configuration for git that holds no secret."""
        if self.cert is not None:
            yield ("http.sslCAPath" if self.cert.is_dir() else "http.sslCAInfo"), str(self.cert)
        if self.client_cert is not None:
            yield "http.sslCert", str(self.client_cert)
            yield "http.sslKey", str(self.client_cert)
        for host in self.trusted_hosts:
            yield f"http.https://{host}/.sslVerify", "false"
        for source, target in self.mirrors:
            # For submodules; the repository itself is asked by its mirror's address anyway.
            yield f"url.{without_secrets(target).rstrip('/')}/.insteadOf", f"{source.rstrip('/')}/"
        for place, _, number in self._numbered():
            # The helper that other configuration names for this place is not asked: the address says who is meant.
            yield f"credential.{place}.helper", ""
            words = f"echo username=$TORCHSTRAP_GIT_USER_{number}; echo password=$TORCHSTRAP_GIT_PASSWORD_{number}"
            yield f"credential.{place}.helper", f"!f() {{ {words}; }}; f"

    def secrets(self) -> Iterator[tuple[str, str]]:
        """What the helpers read, as environment variables; and the proxy, which may hold a password."""
        if self.proxy is not None:
            yield from (("http_proxy", self.proxy), ("https_proxy", self.proxy))
        for _, (user, password), number in self._numbered():
            yield f"TORCHSTRAP_GIT_USER_{number}", user
            yield f"TORCHSTRAP_GIT_PASSWORD_{number}", password

    def _numbered(self) -> Iterator[tuple[str, tuple[str, str], int]]:
        for number, (place, login) in enumerate(sorted(self.logins.items())):
            yield place, login, number


@dataclass(frozen=True, slots=True)
class Git:
    """Runs git. Raises RepositoryError where there is none, and UnreachableError for servers that do not answer."""

    access: Access = field(default_factory=Access)
    variables: Mapping[str, str] = field(default_factory=lambda: dict(os.environ))

    def references(self, url: str, *names: str) -> Mapping[str, str]:
        """Commits of a repository's references by full name, tags that are objects of their own already followed.

        `names` as `git ls-remote` takes them; none means all.
        """
        lines = self.ask(url, "ls-remote", "--", without_secrets(url), *names, limit=_BRIEF).splitlines()
        found = {name: commit for commit, _, name in (line.partition("\t") for line in lines)}
        followed = {name[:-3]: commit for name, commit in found.items() if name.endswith("^{}")}
        return {name: commit for name, commit in {**found, **followed}.items() if not name.endswith("^{}")}

    def ask(self, url: str, *words: str, folder: Path | None = None, limit: float = _LONG) -> str:
        """A command that talks to a server. Raises UnreachableError, RefusedError with git's own last words."""
        done = self.run(*words, folder=folder, limit=limit)
        if done is None:
            raise UnreachableError(without_secrets(url), f"git was not done after {limit:.0f} seconds; try again")
        if done.returncode == 0:
            return done.stdout
        said = self._said(done.stderr)
        kind = UnreachableError if any(each in done.stderr for each in _PASSING) else RefusedError
        raise kind(without_secrets(url), f"git cannot read this repository: {said}")

    def make(self, *words: str, folder: Path) -> str:
        """A command that works on this disk. Raises RepositoryError with git's own last words."""
        done = self.run(*words, folder=folder, limit=_LONG)
        if done is None or done.returncode:
            said = "it did not end" if done is None else self._said(done.stderr)
            raise RepositoryError(f"git {words[0]} failed in {folder}: {said}")
        return done.stdout

    def run(
        self, *words: str, folder: Path | None = None, limit: float = _LONG
    ) -> subprocess.CompletedProcess[str] | None:
        """Any command, with its exit code; None where it took more than `limit` seconds."""
        program = shutil.which("git", path=self.variables.get("PATH"))
        if program is None:
            raise RepositoryError("a package comes from a git repository, and there is no git on PATH: install git")
        options = [word for key, value in self._options() for word in ("-c", f"{key}={value}")]
        command = [program, *options, *words]
        process = subprocess.Popen(
            command,
            cwd=folder,
            env=self._environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            encoding="utf-8",
            errors="replace",
            start_new_session=sys.platform != "win32",
        )
        try:
            output, errors = process.communicate(timeout=limit)
        except subprocess.TimeoutExpired:
            _end(process)
            return None
        except BaseException:
            _end(process)
            raise
        return subprocess.CompletedProcess(command, process.returncode, output, errors)

    def _options(self) -> Iterator[tuple[str, str]]:
        yield from _QUIET.items()
        yield from self.access.options()

    def _environment(self) -> dict[str, str]:
        kept = {
            key: value
            for key, value in self.variables.items()
            if (not key.startswith("GIT_") or _KEPT.fullmatch(key)) and key not in {"SSH_ASKPASS", "DISPLAY"}
        }
        own = {"GIT_TERMINAL_PROMPT": "0", "GCM_INTERACTIVE": "never", "GIT_LFS_SKIP_SMUDGE": "1", "LC_ALL": "C"}
        if "GIT_SSH" not in kept:
            own["GIT_SSH_COMMAND"] = kept.get("GIT_SSH_COMMAND", "ssh -oBatchMode=yes")
        return {**kept, **own, **dict(self.access.secrets())}

    def _said(self, errors: str) -> str:
        """The lines of git that name the cause, without what nobody may see."""
        lines = [line.strip() for line in errors.splitlines() if line.strip() and not _NOISE.match(line.strip())]
        fatal = [line for line in lines if line.startswith(("fatal:", "error:", "ERROR"))]
        words = (fatal or lines or ["it said nothing"])[:2]
        text = "; ".join(re.sub(r"^(fatal|error): ", "", line) for line in words)
        for _, password in self.access.logins.values():
            text = text.replace(password, "****") if password else text
        return _without_logins(text)


def _without_logins(text: str) -> str:
    return re.sub(r"(https?://)[^/\s@'\"]*@", r"\1", text)


def _end(process: subprocess.Popen[str]) -> None:
    """End git and all that it has started."""
    with suppress(OSError):
        if sys.platform == "win32":
            process.kill()
        else:
            os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
