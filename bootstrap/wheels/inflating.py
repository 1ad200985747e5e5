"""Deflated data, and the checksum of zip archives, by the fastest library that is there: all three give the same bytes.

isal        Intel's, for x86-64 and 64-bit Arm     `pip install torchstrap[speed]`
zlib-ng     where that one has no wheel            the same
zlib        the standard library's                 always there
"""

from __future__ import annotations

import importlib
import zlib
from typing import Protocol, cast

__all__ = ["LIBRARY", "BrokenStreamError", "Inflater", "crc32", "inflater"]

CANDIDATES = ("isal.isal_zlib", "zlib_ng.zlib_ng")


class Inflater(Protocol):
    """One stream, as `zlib.decompressobj` gives it."""

    @property
    def eof(self) -> bool: ...
    @property
    def unconsumed_tail(self) -> bytes: ...
    @property
    def unused_data(self) -> bytes: ...

    def decompress(self, data: bytes | memoryview, max_length: int = 0, /) -> bytes: ...


class _Library(Protocol):
    error: type[Exception]

    def decompressobj(self, wbits: int) -> Inflater: ...
    def crc32(self, data: bytes | memoryview, value: int = 0, /) -> int: ...


def _fastest() -> tuple[str, _Library]:
    for name in CANDIDATES:
        try:
            return name, cast("_Library", importlib.import_module(name))
        except ImportError:
            continue
    return "zlib", cast("_Library", zlib)


LIBRARY, _library = _fastest()
"""The name of the module that is used."""
BrokenStreamError: type[Exception] = _library.error
crc32 = _library.crc32


def inflater() -> Inflater:
    """For one stream without a header, as in zip archives. It raises BrokenStreamError."""
    return _library.decompressobj(-zlib.MAX_WBITS)
