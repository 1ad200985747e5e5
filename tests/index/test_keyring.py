"""Logins out of a keyring: a real program of that name on PATH, and a real server that wants one."""

from __future__ import annotations

import json
import os
import stat
import sys
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest

from bootstrap.errors import UnreachableError
from bootstrap.index import ambient
from bootstrap.index.cache import PageCache
from bootstrap.index.client import NetworkSettings
from bootstrap.index.logins import Provider
from bootstrap.index.lookup import Catalogue
from bootstrap.index.plain import basic
from bootstrap.project.model import Index
from tests.index.serving import Connect, Reply, Server, serving

PROGRAM = """\
#!{python}
import json, os, sys
words = sys.argv[1:]
with open({log!r}, "a") as log:
    log.write(json.dumps(words) + "\\n")
print("a warning for people", file=sys.stderr)
known = json.loads({known!r})
user = words[-1] if words[0] == "get" else ""
service = words[1] if words[0] == "get" else words[3]
if [service, user] not in [each[:2] for each in known]:
    sys.exit(1)
answer = next(each[2] for each in known if each[:2] == [service, user])
sys.stdout.write(answer + "\\n")
"""


@dataclass(frozen=True)
class Keyring:
    folder: Path

    @property
    def questions(self) -> list[list[str]]:
        log = self.folder / "asked"
        return [json.loads(line) for line in log.read_text().splitlines()] if log.exists() else []

    def knows(self, *entries: tuple[str, str, str]) -> None:
        """Service, user or "", and what is printed for them."""
        self.becomes(PROGRAM.format(python=sys.executable, log=str(self.folder / "asked"), known=json.dumps(entries)))

    def becomes(self, script: str) -> None:
        path = self.folder / "keyring"
        path.write_text(script)
        path.chmod(path.stat().st_mode | stat.S_IXUSR)


@pytest.fixture
def keyring(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Keyring:
    folder = tmp_path / "programs"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder), prepend=os.pathsep)
    monkeypatch.setenv("NETRC", str(tmp_path / "no-netrc"))
    return Keyring(folder)


def guarded(user: str, password: str) -> Callable[[Mapping[str, str]], Reply]:
    """A page for one user."""

    def answer(headers: Mapping[str, str]) -> Reply:
        return Reply(200, b"here") if headers.get("authorization") == basic(user, password) else Reply(401)

    return answer


def asking(provider: Provider = "auto") -> NetworkSettings:
    return NetworkSettings(timeout=5, retries=1, backoff=0.01, keyring_provider=provider)


def with_user(url: str, user: str = "me") -> str:
    return url.replace("//", f"//{user}@")


class TestOfAUserWhomTheAddressNames:
    def test_gives_the_password_once_the_server_wants_one(
        self, server: Server, keyring: Keyring, connect: Connect
    ) -> None:
        host = server.url.removeprefix("http://")
        keyring.knows((host, "me", "it's a secret "))
        server.routes["/a"] = server.routes["/b"] = guarded("me", "it's a secret ")
        client = connect(asking())
        assert client.get(with_user(f"{server.url}/a")).body == b"here"
        assert client.get(with_user(f"{server.url}/b")).body == b"here"
        assert client.get(f"{server.url}/b").body == b"here", "files are linked without the user"
        assert keyring.questions == [["get", host, "me"]]
        assert server.paths == ["/a", "/a", "/b", "/b"], "and what is known by now is sent at once"

    def test_is_asked_about_the_index_before_its_host(self, server: Server, keyring: Keyring, connect: Connect) -> None:
        keyring.knows((f"{server.url}/private/simple/", "me", "secret"), (server.url[7:], "me", "another"))
        server.page("/private/simple/tool/", "<a href=/tool-1.zip>")
        page = server.routes["/private/simple/tool/"]
        assert isinstance(page, Reply)
        server.routes["/private/simple/tool/"] = lambda headers: (
            page if headers.get("authorization") == basic("me", "secret") else Reply(401)
        )
        index = Index(with_user(f"{server.url}/private/simple/"))
        listing = Catalogue(connect(asking()), PageCache(None), [[index]]).listing("tool")
        assert len(listing.versions) == 1
        assert keyring.questions == [["get", f"{server.url}/private/simple/", "me"]]

    def test_is_not_asked_where_nobody_wants_a_password(
        self, server: Server, keyring: Keyring, connect: Connect
    ) -> None:
        keyring.knows((server.url[7:], "token", "secret"))
        server.routes["/a"] = guarded("token", "")
        assert connect(asking()).get(with_user(f"{server.url}/a", "token")).body == b"here"
        assert keyring.questions == []

    def test_is_asked_once_by_all_threads(self, server: Server, keyring: Keyring, connect: Connect) -> None:
        keyring.knows((server.url[7:], "me", "secret"))
        addresses = [f"/{number}" for number in range(20)]
        server.routes.update(dict.fromkeys(addresses, guarded("me", "secret")))
        client = connect(asking())
        with ThreadPoolExecutor(8) as pool:
            answers = list(pool.map(lambda path: client.get(with_user(server.url + path)).body, addresses))
        assert answers == [b"here"] * 20
        assert len(keyring.questions) == 1

    @pytest.mark.parametrize("kind", ["range", "stream", "piece"])
    def test_opens_files_too(self, kind: str, server: Server, keyring: Keyring, connect: Connect) -> None:
        keyring.knows((server.url[7:], "me", "secret"))
        server.routes["/a"] = guarded("me", "secret")
        client = connect(asking())
        client.remember(with_user(f"{server.url}/simple"))
        if kind == "range":
            assert client.get_range(f"{server.url}/a", 0, 3).body == b"here"
            return
        with client.stream(f"{server.url}/a") if kind == "stream" else client.piece(f"{server.url}/a") as answer:
            assert b"".join(answer.chunks) == b"here"

    def test_comes_after_netrc(
        self, server: Server, keyring: Keyring, connect: Connect, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (tmp_path / "netrc").write_text("machine 127.0.0.1 login me password secret\n")
        (tmp_path / "netrc").chmod(0o600)
        monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
        keyring.knows((server.url[7:], "me", "another"))
        server.routes["/a"] = guarded("me", "secret")
        assert connect(asking()).get(with_user(f"{server.url}/a")).body == b"here"
        assert keyring.questions == []
        assert server.paths == ["/a"]


class TestOfNobodyInParticular:
    def test_gives_user_and_password_if_it_is_to_be_asked(
        self, server: Server, keyring: Keyring, connect: Connect
    ) -> None:
        keyring.knows((server.url[7:], "", "me\nsecret"))
        server.routes["/a"] = guarded("me", "secret")
        assert connect(asking("subprocess")).get(f"{server.url}/a").body == b"here"
        assert keyring.questions == [["--mode", "creds", "get", server.url[7:]]]

    def test_is_not_asked_by_itself(self, server: Server, keyring: Keyring, connect: Connect) -> None:
        keyring.knows((server.url[7:], "", "me\nsecret"))
        server.routes["/a"] = guarded("me", "secret")
        assert connect(asking()).get(f"{server.url}/a").status == 401
        assert keyring.questions == []


class TestThatDoesNotHelp:
    @pytest.mark.parametrize("provider", ["auto", "subprocess"])
    def test_is_asked_once_and_its_words_are_not_shown(
        self, provider: Provider, server: Server, keyring: Keyring, connect: Connect, capfd: pytest.CaptureFixture[str]
    ) -> None:
        keyring.knows((server.url[7:], "me", "wrong-secret"))
        server.routes["/simple/a/"] = server.routes["/simple/b/"] = Reply(401)
        catalogue = Catalogue(connect(asking(provider)), PageCache(None), [[Index(with_user(f"{server.url}/simple"))]])
        for name in "ab":
            with pytest.raises(UnreachableError, match="the credentials were refused") as caught:
                catalogue.listing(name)
            assert "wrong-secret" not in str(caught.value)
        assert keyring.questions == [["get", f"{server.url}/simple", "me"], ["get", server.url[7:], "me"]]
        assert capfd.readouterr() == ("", "")

    def test_is_not_asked_where_it_is_disabled(self, server: Server, keyring: Keyring, connect: Connect) -> None:
        keyring.knows((server.url[7:], "me", "secret"))
        server.routes["/a"] = guarded("me", "secret")
        assert connect(asking("disabled")).get(with_user(f"{server.url}/a")).status == 401
        assert keyring.questions == []

    def test_is_not_asked_about_a_password_that_was_given(
        self, server: Server, keyring: Keyring, connect: Connect
    ) -> None:
        keyring.knows((server.url[7:], "me", "secret"))
        server.routes["/a"] = guarded("me", "secret")
        assert connect(asking("subprocess")).get(with_user(f"{server.url}/a", "me:typo")).status == 401
        assert keyring.questions == []

    @pytest.mark.parametrize(
        "script",
        [
            pytest.param("#!/bin/sh\nexit 3\n", id="fails"),
            pytest.param("#!/bin/sh\necho secret\nexit 1\n", id="fails-after-words"),
            pytest.param("#!/bin/sh\n", id="says-nothing"),
            pytest.param("#!/no/such/interpreter\n", id="cannot-be-started"),
        ],
    )
    def test_leaves_the_answer_as_it_is(self, script: str, server: Server, keyring: Keyring, connect: Connect) -> None:
        keyring.becomes(script)
        server.routes["/a"] = guarded("me", "secret")
        assert connect(asking()).get(with_user(f"{server.url}/a")).status == 401
        assert connect(asking("subprocess")).get(f"{server.url}/a").status == 401

    def test_is_left_when_it_waits_for_somebody(self, keyring: Keyring) -> None:
        keyring.becomes("#!/bin/sh\nexec sleep 600\n")
        assert ambient.keyring(["lab.example"], "me", seconds=0.1) is None


def test_a_keyring_is_never_asked_for_where_a_redirect_leads(
    server: Server, keyring: Keyring, connect: Connect
) -> None:
    with serving() as elsewhere:
        elsewhere.routes["/a"] = Reply(401)
        server.routes["/a"] = Reply(302, headers={"location": f"{elsewhere.url}/a"})
        keyring.knows((server.url[7:], "me", "secret"), (elsewhere.url[7:], "me", "secret"))
        assert connect(asking("subprocess")).get(with_user(f"{server.url}/a")).status == 401
        assert ["authorization" in headers for _, headers in elsewhere.asked] == [False]
    assert keyring.questions == []
