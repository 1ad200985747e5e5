"""The disk, answering file:// addresses the way a server would: 200, 206, 403, 404 and 416.

A folder stands for the index.html in it, as in a copied index tree.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bootstrap.index.addresses import file_path
from bootstrap.index.response import Response, Stream

__all__ = ["read", "read_range", "stream"]

_CHUNK = 1 << 20  # bytes
_TYPES = {".html": "text/html", ".htm": "text/html", ".json": "application/json"}


def read(url: str) -> Response:
    """The whole file."""
    path = _page_of(file_path(url))
    try:
        body = path.read_bytes()
    except OSError as error:
        return Response(_status(error), {}, b"", url)
    return Response(200, _headers(path, len(body)), body, url)


def read_range(url: str, start: int | None, end: int | None, suffix: int | None) -> Response:
    """Bytes `start` to `end` (included) of the file, or its last `suffix` bytes."""
    path = _page_of(file_path(url))
    try:
        with path.open("rb") as source:
            size = source.seek(0, 2)
            first, last = _bounds(size, start, end, suffix)
            if first >= size:
                return Response(416, {"content-range": f"bytes */{size}"}, b"", url)
            source.seek(first)
            body = source.read(last - first + 1)
    except OSError as error:
        return Response(_status(error), {}, b"", url)
    headers = _headers(path, len(body)) | {"content-range": f"bytes {first}-{last}/{size}"}
    return Response(206, headers, body, url)


@contextmanager
def stream(url: str, start: int = 0) -> Iterator[Stream]:
    """The file from `start` on, in pieces."""
    path = _page_of(file_path(url))
    try:
        source = path.open("rb")
    except OSError as error:
        yield Stream(_status(error), {}, iter(()))
        return
    with source:
        size = source.seek(0, 2)
        source.seek(start)
        headers = _headers(path, max(0, size - start))
        if not start:
            yield Stream(200, headers, iter(lambda: source.read(_CHUNK), b""))
        elif start >= size:
            yield Stream(416, {"content-range": f"bytes */{size}"}, iter(()))
        else:
            headers |= {"content-range": f"bytes {start}-{size - 1}/{size}"}
            yield Stream(206, headers, iter(lambda: source.read(_CHUNK), b""))


def _page_of(path: Path) -> Path:
    return path / "index.html" if path.is_dir() else path


def _bounds(size: int, start: int | None, end: int | None, suffix: int | None) -> tuple[int, int]:
    if suffix is not None:
        return max(0, size - suffix), size - 1
    return start or 0, size - 1 if end is None else min(end, size - 1)


def _headers(path: Path, length: int) -> dict[str, str]:
    kind = _TYPES.get(path.suffix.lower(), "application/octet-stream")
    return {"content-type": kind, "content-length": str(length)}


def _status(error: OSError) -> int:
    return 403 if isinstance(error, PermissionError) else 404
