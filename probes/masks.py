"""What a recording does not tell of its machine: serial numbers, addresses of network cards, names of people.

A UUID becomes another that is the same wherever the first one was, in each of its forms, so that what belonged
together still does.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

__all__ = ["Mask"]

_UUID = re.compile(r"\b(GPU|MIG)-([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})\b", re.IGNORECASE | re.ASCII)
_BEGUN = re.compile(r"\b(GPU|MIG)-([0-9a-f][0-9a-f-]{0,34})(?![0-9a-f-])", re.IGNORECASE | re.ASCII)
_DIGITS = re.compile(r"\b[0-9a-f]{32}\b", re.ASCII)
_CONTAINER = re.compile(r"\b[0-9a-f]{64}\b", re.ASCII)
_CARD = re.compile(r"\b(?:[0-9a-f]{2}:){5}[0-9a-f]{2}\b", re.IGNORECASE | re.ASCII)
_SERIAL = re.compile(
    r"(\b(?:serial|unique_id)[ \w]{0,20}?\s{0,8}[:=]?[ \t]{1,8})[0-9a-fx]{4,64}\b", re.IGNORECASE | re.ASCII
)
_HOME = re.compile(r"(/home/|/Users/)[^/\s:\"]+")


class Mask:
    """Call it with a text. `names` are words to leave out wherever they stand alone: of the host, of people."""

    def __init__(self, names: Iterable[str] = ()) -> None:
        self._uuids: dict[str, str] = {}
        words = sorted((re.escape(name) for name in names if len(name) > 2), key=len, reverse=True)  # noqa: PLR2004
        self._names = re.compile(rf"(?<![\w.-])(?:{'|'.join(words)})(?![\w-])") if words else None

    def __call__(self, text: str) -> str:
        text = _UUID.sub(self._whole, text)
        text = _BEGUN.sub(self._begun, text)
        text = _DIGITS.sub(self._bare, text)
        text = _CONTAINER.sub("0" * 64, text)
        text = _CARD.sub("00:00:00:00:00:00", text)
        text = _SERIAL.sub(r"\g<1>0000", text)
        text = _HOME.sub(r"\g<1>someone", text)
        return self._names.sub("masked", text) if self._names else text

    def _other(self, uuid: str) -> str:
        if uuid in self._uuids.values():
            return uuid
        return self._uuids.setdefault(uuid, f"{len(self._uuids) + 1:08x}-0000-0000-0000-000000000000")

    def _whole(self, match: re.Match[str]) -> str:
        return f"{match[1]}-{self._other(match[2].lower())}"

    def _begun(self, match: re.Match[str]) -> str:
        """The beginning of a UUID stays one if it was the beginning of one that is known; masked ones stay."""
        start = match[2].lower()
        if start in self._uuids.values():
            return match[0]
        meant = [other for uuid, other in self._uuids.items() if uuid.startswith(start)]
        return f"{match[1]}-{meant[0]}" if len(meant) == 1 else f"{match[1]}-ffffffff"

    def _bare(self, match: re.Match[str]) -> str:
        for uuid, other in self._uuids.items():
            if match[0] in (uuid.replace("-", ""), other.replace("-", "")):
                return other.replace("-", "")
        return "0" * 32
