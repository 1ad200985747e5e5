"""The catalogue: which files exist of a project, and what a file requires. Every question is asked once.

    find-links ──────────────┐
    tier 1: index, index …   ├─> listing(name)                 the first tier that has the name, and find-links
    tier 2: index …          ┘
    one index, by name ──────┬─> listing(name, index, variant) that index alone, and find-links' wheels of the variant
    find-links, filtered ────┘

Within a tier indexes are merged (pip's `index-url` and `extra-index-url`); a later tier is not even asked for a name
that an earlier one has. A project that was asked of one index by name never comes from another.
All of it may be called from many threads; two that ask the same wait for one answer. They wait for the network side by
side, but read pages one after the other: no thread gains anything by reading while others do, only those whose answer
has just come would wait for the interpreter behind all of them, and each page takes memory while it is read.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Hashable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from packaging.utils import canonicalize_name

from bootstrap.errors import BadDistributionError, UnreachableError
from bootstrap.index import flat, simple
from bootstrap.index.addresses import is_local, project_page, without_credentials
from bootstrap.index.cache import PageCache
from bootstrap.index.client import Client
from bootstrap.index.files import File, Listing
from bootstrap.index.listing import Page, listing
from bootstrap.index.metadata import Metadata, parse
from bootstrap.index.remote_wheel import metadata_from_wheel
from bootstrap.index.response import Response
from bootstrap.project.model import Index

__all__ = ["Catalogue"]

Answer = TypeVar("Answer")

_ACCEPT = "application/vnd.pypi.simple.v1+json, application/vnd.pypi.simple.v1+html;q=0.2, text/html;q=0.01"
_OK, _NOT_MODIFIED, _UNAUTHORIZED, _FORBIDDEN = 200, 304, 401, 403
_ABSENT = frozenset({404, 410})
_KEPT = frozenset({_OK, _FORBIDDEN, *_ABSENT})
_ALGORITHMS = frozenset(name for name in hashlib.algorithms_guaranteed if not name.startswith("shake"))
_WAY_OUT = "check its address and the network, or name a mirror of it with --mirror FROM=TO"


class _Once(Generic[Answer]):
    """Answers by key; the first to ask works, the others wait. A failure is an answer too."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._answers: dict[Hashable, Future[Answer]] = {}

    def __call__(self, key: Hashable, work: Callable[[], Answer]) -> Answer:
        with self._lock:
            answer = self._answers.get(key)
            mine = answer is None
            if answer is None:
                answer = self._answers[key] = Future()
        if mine:
            try:
                answer.set_result(work())
            except BaseException as error:
                answer.set_exception(error)
                raise
        return answer.result()


@dataclass(slots=True)
class Catalogue:
    """What the configured indexes hold. Raises UnreachableError when one that must answer does not."""

    client: Client
    cache: PageCache
    tiers: Sequence[Sequence[Index]]
    find_links: Sequence[Index] = ()
    _listings: _Once[Listing] = field(default_factory=_Once)
    _pages: _Once[Page | None] = field(default_factory=_Once)
    _flat_pages: _Once[flat.FlatPage] = field(default_factory=_Once)
    _metadata: _Once[Metadata] = field(default_factory=_Once)
    _sizes: dict[str, int] = field(default_factory=dict)
    _warnings: dict[str, str] = field(default_factory=dict)
    _unreachable: dict[str, str] = field(default_factory=dict)
    _reading: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        for index in (*(index for tier in self.tiers for index in tier), *self.find_links):
            self.client.remember(self.client.rewrite(index.url))

    @property
    def warnings(self) -> tuple[str, ...]:
        """What did not keep anybody from answering but should be known; one sentence each."""
        return tuple(self._warnings.values())

    @property
    def unreachable(self) -> Mapping[str, str]:
        """Indexes that find-links stands in for, with what was wrong with each."""
        return dict(self._unreachable)

    def listing(self, name: str, index: Index | str | None = None, variant: str | None = None) -> Listing:
        """Every file of a project by version; empty where nobody has such a project.

        With `index`, only from that index; with `variant` as well, also from find-links' wheels of that build, and
        from those alone when the index cannot be reached. Without `index`, `variant` restricts only find-links.
        """
        canonical = canonicalize_name(name)
        if isinstance(index, str):
            index = Index(index)
        key = (canonical, index and (index.url, index.flat), variant)
        return self._listings(key, lambda: self._listed(canonical, self._sources(canonical, index, variant)))

    def metadata(self, file: File) -> Metadata:
        """What a wheel says of itself: from the index if it can prove it, else from the wheel. Not for source files.

        Raises BadDistributionError for a wheel that cannot be read, UnreachableError when it cannot be had.
        """
        if not file.is_wheel:
            raise BadDistributionError(file.filename, ["what a source distribution requires is known once it is built"])
        # Most wheels of one version say the same, and pages that promise a hash of it say so: it is read once for all.
        key = _promised(file) or file.hashes.get("sha256") or file.url
        return self._metadata(key, lambda: self._read_metadata(key, file))

    def size(self, file: File) -> int | None:
        """A file's size in bytes: as the index says, or as it showed when the metadata was read out of the file."""
        return file.size if file.size is not None else self._sizes.get(file.url)

    def _listed(self, name: str, pages: list[Page]) -> Listing:
        with self._reading:
            return listing(name, pages)

    def _measured(self, file: File, size: int | None) -> None:
        if size:
            self._sizes[file.url] = size

    def _sources(self, name: str, index: Index | None, variant: str | None) -> list[Page]:
        """Pages that serve a project, the preferred first."""
        if index is None:
            return [*self._linked(name, variant), *self._from_tiers(name)]
        linked = self._linked(name, variant) if variant is not None else []
        try:
            page = self._page(index, name, forbidden_means_absent=True)
        except UnreachableError as error:
            if not any(found.entries for found in linked):
                raise
            shown = without_credentials(index.url)
            self._unreachable.setdefault(shown, error.problem)
            self._warnings.setdefault(
                shown,
                f"The index {shown} gave no usable answer, so find-links alone serves {variant}: {error.problem}.",
            )
            return linked
        return linked if page is None else [*linked, page]

    def _from_tiers(self, name: str) -> list[Page]:
        for tier in self.tiers:
            found = [self._page(index, name, forbidden_means_absent=False) for index in tier]
            pages = [page for page in found if page is not None]
            if pages:
                return pages
        return []

    def _linked(self, name: str, variant: str | None) -> list[Page]:
        """What find-links has of a project; a place that cannot be read is passed over with a warning, as pip does."""
        pages = []
        for index in self.find_links:
            try:
                pages.append(self._flat(index).of(name, variant))
            except UnreachableError as error:
                shown = without_credentials(index.url)
                self._warnings.setdefault(shown, f"find-links {shown} is left out: {error.problem}.")
        return pages

    def _page(self, index: Index, name: str, *, forbidden_means_absent: bool) -> Page | None:
        """An index's page of a project, None where it has no such project."""
        if index.flat:
            page = self._flat(index).of(name)
            return page if page.entries else None
        url = project_page(index.url, name)
        key = (url, forbidden_means_absent)
        return self._pages(key, lambda: self._ask(index, name, url, forbidden_means_absent=forbidden_means_absent))

    def _ask(self, index: Index, name: str, url: str, *, forbidden_means_absent: bool) -> Page | None:
        shown = without_credentials(index.url)
        try:
            answer = self._fetch(url)
            if answer.status == _OK:
                return self._read(answer, shown)
        except UnreachableError as error:
            raise UnreachableError(shown, f"no usable answer about {name} ({error.problem}); {_WAY_OUT}") from error
        if answer.status in _ABSENT:
            return None
        # The PyTorch index is a bucket without the right to list: what does not exist is forbidden.
        if answer.status == _FORBIDDEN and (forbidden_means_absent or b"<Code>AccessDenied</Code>" in answer.body):
            return None
        raise UnreachableError(shown, self._refusal(name, answer.status, url))

    def _refusal(self, name: str, status: int, url: str) -> str:
        if status == _UNAUTHORIZED:
            state = "were refused" if self.client.has_credentials(url) else "are missing"
            return (
                f"asked about {name}, it wants a login, and the credentials {state}; "
                "give them in the address (https://USER:PASSWORD@HOST/…), in a netrc file or in a keyring (https://USER@HOST/…)"
            )
        return f"asked about {name}, it answers {status}; {_WAY_OUT}"

    def _flat(self, index: Index) -> flat.FlatPage:
        return self._flat_pages(index.url, lambda: flat.sort_by_project(self._read_flat(index.url)))

    def _read_flat(self, url: str) -> Page:
        asked = self.client.rewrite(url)
        if flat.is_folder(asked):
            return flat.read_folder(asked)
        answer = self._fetch(url)
        if answer.status != _OK:
            raise UnreachableError(without_credentials(url), f"the server answers {answer.status}")
        return self._read(answer, without_credentials(url))

    def _read(self, answer: Response, shown: str) -> Page:
        with self._reading:
            return simple.read_page(answer.body, answer.content_type, answer.url, shown)

    def _fetch(self, url: str) -> Response:
        """A page from the cache while it is fresh (or nothing else can be had), else from the server."""
        if is_local(self.client.rewrite(url)):
            return self.client.get(url)
        stored = self.cache.page(url)
        if stored is not None and (stored.fresh or self.client.settings.offline):
            return stored.response
        answer = self.client.get(url, {"accept": _ACCEPT, **(stored.conditions if stored else {})})
        if answer.status == _NOT_MODIFIED and stored is not None:
            self.cache.confirm_page(url)
            return stored.response
        if answer.status in _KEPT:
            self.cache.store_page(url, answer)
        return answer

    def _read_metadata(self, key: str, file: File) -> Metadata:
        # Under an address other bytes may lie tomorrow; under a hash never.
        lasting = key != file.url
        stored = self.cache.metadata(key) if lasting else None
        if stored is not None:
            self._measured(file, stored[1])
            return _parsed(stored[0], file)
        body = self._offered_metadata(file)
        if body is None:
            body = metadata_from_wheel(self.client, file.url, file.filename, lambda size: self._measured(file, size))
        parsed = _parsed(body, file)
        if lasting and not is_local(file.url):
            # A size is one of a file, not of all that say the same.
            self.cache.store_metadata(key, body, None if _promised(file) else self._sizes.get(file.url))
        return parsed

    def _offered_metadata(self, file: File) -> bytes | None:
        """The metadata file beside the wheel (PEP 658). One that is not what was promised is passed over:

        the PyTorch index has served altered copies, https://github.com/pytorch/pytorch/issues/197552
        """
        if file.metadata is None:
            return None
        path, mark, query = file.url.partition("?")
        try:
            answer = self.client.get(f"{path}.metadata{mark}{query}")
        except UnreachableError:
            return None
        if answer.status != _OK or not _as_promised(answer.body, file):
            return None
        return answer.body


def _promised(file: File) -> str | None:
    return (file.metadata or {}).get("sha256")


def _as_promised(body: bytes, file: File) -> bool:
    promised = file.metadata or {}
    known = [(name, digest) for name, digest in promised.items() if name in _ALGORITHMS]
    return all(hashlib.new(name, body, usedforsecurity=False).hexdigest() == digest for name, digest in known)


def _parsed(body: bytes, file: File) -> Metadata:
    try:
        return parse(body)
    except BadDistributionError as error:
        raise BadDistributionError(file.filename, error.issues) from error
