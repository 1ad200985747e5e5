"""A bundle where it lies, and the bytes of what is in it: read in place, wherever that is.

    lab.bundle                     members by offset; nothing is unpacked
    https://lab/lab.bundle         the same by ranges, so that what breaks off is gone on with
    /srv/lab                       the folder it was unpacked to, or https://lab/bundle/, which serves that

Each file has an address, and `piece` answers for it as a server would answer for a file of its own. So wheels come out
of a bundle as they come from an index: in parallel, gone on with, checked, and straight into the store.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from urllib.parse import quote

from bootstrap.bundle.archive import ensure_length, ensure_whole, head
from bootstrap.bundle.manifest import FILE, Manifest, Member, read
from bootstrap.errors import InputError, RefusedError
from bootstrap.index.addresses import file_path, is_local, without_credentials
from bootstrap.index.client import Client
from bootstrap.index.response import Stream
from bootstrap.wheels.answers import ChangedError
from bootstrap.wheels.transfer import Source, Streamed

__all__ = ["Bundle", "opened"]

_OK, _PART = 200, 206
_GRANTED = re.compile(r"bytes (\d{1,15})-(\d{1,15})/(\d{1,15}|\*)")


@dataclass(frozen=True)
class Bundle:
    """One bundle. `place` is what it is called for people, `base` the address of the file, or of the folder with `/`.

    `start` is where the members begin in the file, None for a folder. `identity` is the sha256 of the manifest.
    """

    place: str
    base: str
    manifest: Manifest
    identity: str
    client: Client
    start: int | None = None

    @property
    def is_local(self) -> bool:
        """Whether it lies on this machine's disk."""
        return is_local(self.base)

    @property
    def watched(self) -> tuple[Path, ...]:
        """The files whose change means another bundle."""
        if not self.is_local:
            return ()
        path = file_path(self.base)
        return (path if self.start is not None else path / FILE,)

    def address(self, member: Member) -> str:
        """What stands for a member in `piece`."""
        return f"{self.base}{'' if self.start is None else '#'}{quote(member.path)}"

    def content(self, member: Member) -> bytes:
        """A small file of it. Raises InputError if it is damaged, UnreachableError."""
        found = self._read(member) if member.size else b""
        if len(found) != member.size or hashlib.sha256(found).hexdigest() != member.sha256:
            raise self.damaged(member)
        return found

    def damaged(self, member: Member) -> InputError:
        """What to say of a file whose bytes are not those that were put into it."""
        return InputError(
            self.place, f"{member.path} in it is damaged: its sha256 is not {member.sha256}; copy the bundle again"
        )

    def _read(self, member: Member) -> bytes:
        if self.start is None:
            return _whole(self.client, self.address(member), self.place)
        return _range(self.client, self.base, self.start + member.offset, member.size, self.place)

    @cached_property
    def _members(self) -> Mapping[str, Member]:
        return {self.address(each): each for each in self.manifest.members}

    def member(self, url: str) -> Member | None:
        """The member that an address stands for."""
        return self._members.get(url)

    def source(self, others: Source) -> Source:
        """Who answers for the files of the bundle; `others` for all that is not in it."""
        return _Carried(self, others)


@dataclass(frozen=True)
class _Carried:
    bundle: Bundle
    others: Source

    @contextmanager
    def piece(
        self, url: str, start: int = 0, end: int | None = None, unchanged: str | None = None
    ) -> Iterator[Streamed]:
        """As `Client.piece`."""
        bundle, member = self.bundle, self.bundle.member(url)
        if member is None or bundle.start is None:
            asked = self.others if member is None else bundle.client
            with asked.piece(url, start, end, unchanged) as found:
                yield found
            return
        first = bundle.start + member.offset
        last = first + (member.size if end is None else min(end, member.size))
        with bundle.client.piece(bundle.base, first + start, last, unchanged) as found:
            shown = without_credentials(bundle.base)
            if found.status == _OK and unchanged:
                raise ChangedError(shown, "the bundle was replaced by another one while it was being read")
            if found.status == _OK:
                raise RefusedError(shown, _WITHOUT_RANGES)
            yield _shifted(found, first, start, last - first, member.size)


_WITHOUT_RANGES = (
    "the server does not send parts of a file (ranges), so nothing can be taken out of a bundle there: have it serve "
    "the folder that the bundle unpacks to, or copy the file here"
)


def opened(place: str, client: Client) -> Bundle:
    """The bundle at a path or an address, looked at as far as that costs little.

    Raises InputError for what is none, is cut off or holds what its manifest does not list, UnreachableError.
    """
    if "://" in place and not is_local(place):
        return _at(place, client)
    path = file_path(place) if is_local(place) else Path(place).expanduser()
    path = (path.parent if path.name == FILE else path).absolute()
    if path.is_dir():
        return _folder(place, path, client)
    try:
        with path.open("rb") as file:

            def read_bytes(start: int, end: int) -> bytes:
                file.seek(start)
                return file.read(end - start)

            manifest, content, start = head(read_bytes, place)
        ensure_whole(path, manifest, start, place)
    except OSError as error:
        raise InputError(place, f"cannot be read ({error.strerror or error})") from error
    return Bundle(place, path.as_uri(), manifest, hashlib.sha256(content).hexdigest(), client, start)


def _folder(place: str, path: Path, client: Client) -> Bundle:
    try:
        content = (path / FILE).read_bytes()
    except FileNotFoundError as error:
        raise InputError(place, f"is no bundle: there is no {FILE} in this folder") from error
    except OSError as error:
        raise InputError(place, f"cannot be read ({error.strerror or error})") from error
    manifest = read(content, place)
    for each in manifest.members:
        file = path / each.path
        if file.is_symlink() or not file.is_file():
            raise InputError(place, f"lacks {each.path}, which its {FILE} lists: unpack the bundle again")
        if file.stat().st_size != each.size:
            raise InputError(place, f"{each.path} in it is cut off or another one: unpack the bundle again")
    return Bundle(place, f"{path.as_uri()}/", manifest, hashlib.sha256(content).hexdigest(), client)


def _at(url: str, client: Client) -> Bundle:
    """A server's: the file if the address is one's, else the folder."""
    client.remember(url)
    shown = without_credentials(url).partition("#")[0]
    if shown.endswith(f"/{FILE}"):
        shown = shown.removesuffix(FILE)
    if not shown.endswith("/"):
        found = _served_file(shown, client)
        if found is not None:
            return found
        shown += "/"
    answer = client.get(f"{shown}{FILE}")
    if answer.status != _OK:
        raise RefusedError(f"{shown}{FILE}", f"the server answers {answer.status}: no bundle is there")
    manifest = read(answer.body, shown)
    return Bundle(shown, shown, manifest, hashlib.sha256(answer.body).hexdigest(), client)


def _served_file(shown: str, client: Client) -> Bundle | None:
    """None if the address looks like that of a folder."""
    answer = client.get_range(shown, 0, 511)
    if answer.status not in {_OK, _PART} or answer.content_type == "text/html":
        return None
    if answer.status == _OK:
        raise RefusedError(shown, _WITHOUT_RANGES)
    total = _GRANTED.fullmatch(answer.headers.get("content-range", ""))

    def read_bytes(start: int, end: int) -> bytes:
        if total is not None and total[3].isdecimal():
            end = min(end, int(total[3]))
        return answer.body if (start, end) == (0, 512) else _range(client, shown, start, end - start, shown)

    manifest, content, start = head(read_bytes, shown)
    if total is not None and total[3].isdecimal():
        ensure_length(int(total[3]), manifest, start, shown)
    return Bundle(shown, shown, manifest, hashlib.sha256(content).hexdigest(), client, start)


def _range(client: Client, address: str, start: int, size: int, place: str) -> bytes:
    if size <= 0:
        return b""
    answer = client.get_range(address, start, start + size - 1)
    if answer.status != _PART:
        raise RefusedError(place, f"the server answers {answer.status} for a part of the bundle")
    return answer.body[:size]


def _whole(client: Client, address: str, place: str) -> bytes:
    answer = client.get(address)
    if answer.status != _OK:
        raise RefusedError(place, f"the answer is {answer.status} for {address}")
    return answer.body


def _shifted(found: Streamed, first: int, start: int, end: int, size: int) -> Stream:
    """A part of the archive as the part of the member that it is, from `start` up to `end`."""
    headers = {name.lower(): value for name, value in found.headers.items()}
    granted = _GRANTED.fullmatch(headers.pop("content-range", ""))
    if found.status == _PART and granted and int(granted[1]) == first + start and int(granted[2]) >= first + end - 1:
        headers["content-range"] = f"bytes {start}-{end - 1}/{size}"
        headers["content-length"] = str(end - start)
    return Stream(found.status, headers, _at_most(found.chunks, end - start))


def _at_most(chunks: Iterator[bytes], count: int) -> Iterator[bytes]:
    """No more than so many bytes: what follows in the archive is another member."""
    for chunk in chunks:
        yield chunk[:count]
        count -= len(chunk)
        if count <= 0:
            return
