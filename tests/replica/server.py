"""The replica: two servers on 127.0.0.1, one for pages and one for files, as the real hosts differ too.

What lies where:

    PAGES  /simple/NAME/          the default index
           /whl/VARIANT/NAME/     one of PyTorch's indexes
           /whl/NAME/             all of its variants together
    FILES  /files/NAME/FILE       the default index's files
           /whl/VARIANT/FILE      PyTorch's files; FILE.metadata beside those that offer it
"""

from __future__ import annotations

import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from types import TracebackType
from typing import Any

from packaging.utils import canonicalize_name

from tests.replica.catalogue import DEFAULT, VARIANTS, File, Listed, Stored, catalogue
from tests.replica.faults import Answer, Fault, Request, named
from tests.replica.pages import default_html, default_json, links_html, pytorch_html, sha256
from tests.replica.transport import Server, fresh, part
from tests.replica.wheels import Wheel

__all__ = ["Replica"]

JSON = "application/vnd.pypi.simple.v1+json"
ACCESS_DENIED = b'<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>AccessDenied</Code></Error>\n'


class Replica:
    """The indexes, served while the `with` block runs.

    `json` and `pep658` say whether the default index speaks JSON (PEP 691) and offers metadata files (PEP 658),
    `ranges` whether parts of files can be asked for, `latency` is the wait before each answer in seconds. `faults`
    maps regular expressions, searched in the decoded path, to behaviours from `tests.replica.faults` or their names.
    `pytorch_links` is what PyTorch's pages write before /whl/… instead of the address of the replica's file host:
    "" for links without a host, or "https://download-r2.pytorch.org" for links that only a mirror rule makes reachable.
    """

    def __init__(
        self,
        *,
        json: bool = True,
        pep658: bool = True,
        ranges: bool = True,
        latency: float = 0.0,
        faults: Mapping[str, Fault | str] | None = None,
        pytorch_links: str | None = None,
    ) -> None:
        self.requests: list[Request] = []
        self.faults = {pattern: named(fault) for pattern, fault in (faults or {}).items()}
        self._json, self._pep658, self._ranges, self._latency = json, pep658, ranges, latency
        self._pytorch_links = pytorch_links
        self._listed: dict[str, dict[str, list[Listed]]] = {DEFAULT: {}, **{variant: {} for variant in VARIANTS}}
        self._files: dict[str, Listed] = {}
        for one in catalogue():
            self._add(one)
        self._pages, self._file_host = Server(self.answer), Server(self.answer)

    def __enter__(self) -> Replica:  # noqa: PYI034 - typing.Self came with Python 3.11
        self._pages.start()
        self._file_host.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._pages.stop()
        self._file_host.stop()

    @property
    def url(self) -> str:
        """The host of the pages."""
        return self._pages.url

    @property
    def files_url(self) -> str:
        """The host of the files, which is another one."""
        return self._file_host.url

    @property
    def pytorch(self) -> str:
        """What stands for https://download.pytorch.org/whl; the variants are folders in it."""
        return f"{self.url}/whl"

    @property
    def default_index(self) -> str:
        return f"{self.url}/simple"

    def fetched(self, pattern: str) -> list[str]:
        """The requests ("GET /path") in whose text the regular expression is found, in order."""
        return [str(request) for request in list(self.requests) if re.search(pattern, str(request))]

    def add_wheel(
        self,
        index: str,
        name: str,
        version: str,
        *,
        tag: str = "py3-none-any",
        requires: Sequence[str] = (),
        python: str | None = None,
        extras: Sequence[str] = (),
        scripts: Mapping[str, str] | None = None,
        files: Mapping[str, bytes] | None = None,
        uploaded: str = "2025-01-01",
        yanked: str | None = None,
    ) -> str:
        """List one more wheel on an index ("default", "cpu", "cu124" or a variant that is new), and return its address.

        Without `files` it holds one module with its `__version__`. Requirements of extras are whole lines in
        `requires`, with their `; extra == "…"`.
        """
        module = canonicalize_name(name).replace("-", "_")
        inside = files if files is not None else {f"{module}/__init__.py": f'__version__ = "{version}"\n'.encode()}
        wheel = Wheel(
            name=name,
            version=version,
            tag=tag,
            requires=tuple(requires),
            python=python,
            extras=tuple(extras),
            scripts=tuple((scripts or {}).items()),
            files=tuple(inside.items()),
        )
        return self._list(index, wheel.project, version, wheel, uploaded=uploaded, yanked=yanked, described=True)

    def add_file(self, index: str, name: str, version: str, filename: str, content: bytes) -> str:
        """List any file, such as a source distribution, without metadata beside it; returns its address."""
        file = Stored(filename, content)
        return self._list(index, canonicalize_name(name), version, file, uploaded="2025-01-01", described=False)

    def _list(self, index: str, project: str, version: str, file: File, **described: Any) -> str:
        folder = f"files/{project}" if index == DEFAULT else f"whl/{index}"
        one = Listed(index, project, version, file, f"/{folder}/{file.filename}", **described)
        self._add(one)
        return self.files_url + one.path

    def _add(self, one: Listed) -> None:
        if one.index == DEFAULT:
            one = replace(one, described=one.described and self._pep658)
        self._listed.setdefault(one.index, {}).setdefault(one.project, []).append(one)
        self._files[one.path] = one

    def answer(self, request: Request) -> Answer:
        """The right answer, spoiled by the first fault whose expression is found in the path."""
        self.requests.append(request)
        time.sleep(self._latency)
        answer = self._right_answer(request)
        for pattern, fault in self.faults.items():
            if re.search(pattern, request.path):
                return fault(request, answer)
        return answer

    def _right_answer(self, request: Request) -> Answer:
        parts = request.path.strip("/").split("/")
        file = self._files.get(request.path.removesuffix(".metadata"))
        if file is not None:
            return self._file(request, file)
        if parts[0] == "simple":
            return fresh(request, self._default_page(request, parts[1:]))
        if parts[0] == "whl":
            return fresh(request, self._pytorch_page(request, parts[1:]))
        return Answer(404, b"not found\n")

    def _file(self, request: Request, one: Listed) -> Answer:
        if request.path.endswith(".metadata"):
            found = one.described and bool(one.file.metadata())
            return Answer(200, one.file.metadata()) if found else Answer(404, b"not found\n")
        content = one.file.content()
        headers = {"Content-Type": "application/octet-stream", "ETag": f'"{sha256(content)[:32]}"'}
        answer = Answer(200, content, headers)
        return part(request, answer) if self._ranges else answer

    def _default_page(self, request: Request, parts: Sequence[str]) -> Answer:
        listed = self._listed[DEFAULT]
        if not any(parts):
            return _html(links_html(listed), "public, max-age=600")
        project = canonicalize_name(parts[0])
        if request.path != f"/simple/{project}/":
            return Answer(301, b"", {"Location": f"/simple/{project}/"})
        if project not in listed:
            return Answer(404, b"404 Not Found")
        if self._json and JSON in request.headers.get("accept", ""):
            body = default_json(project, listed[project], self.files_url).encode()
            return Answer(200, body, {"Content-Type": JSON, "Cache-Control": "public, max-age=600", "Vary": "Accept"})
        return _html(default_html(project, listed[project], self.files_url), "public, max-age=600")

    def _pytorch_page(self, request: Request, parts: Sequence[str]) -> Answer:
        variants = [index for index in self._listed if index != DEFAULT]
        host = self.files_url if self._pytorch_links is None else self._pytorch_links
        if not request.path.endswith("/"):
            return Answer(403, ACCESS_DENIED, {"Content-Type": "application/xml"})
        if not parts:
            return _html(
                links_html({*variants, *(name for each in variants for name in self._listed[each])}), "no-cache"
            )
        chosen, rest = ([parts[0]], parts[1:]) if parts[0] in variants else (variants, parts)
        if not rest:
            return _html(links_html(self._listed[chosen[0]]), "no-cache")
        found = {one.path: one for each in chosen for one in self._listed[each].get(rest[0], ())}
        if len(rest) > 1 or not found:
            return Answer(403, ACCESS_DENIED, {"Content-Type": "application/xml"})
        # Copies of the default index's projects link to its files, wherever PyTorch's own files are said to be.
        lines = [(host if path.startswith("/whl/") else self.files_url, one) for path, one in found.items()]
        return _html(pytorch_html(rest[0], lines), "no-cache")


def _html(text: str, cached: str) -> Answer:
    return Answer(200, text.encode(), {"Content-Type": "text/html", "Cache-Control": cached})
