"""JSON from outside, read without trusting it: no text makes this fail, and every text in it can be written."""

from __future__ import annotations

import json
from typing import Any

__all__ = ["parse_document", "writable"]

_SURROGATES = ("\\ud", "\\uD")
"""How JSON spells half a character, which no encoding can write."""


def parse_document(text: str) -> Any:
    """The value that a JSON text means; None where it means none, or is nested too deeply."""
    try:
        value = json.loads(text)
        if any(spelling in text for spelling in _SURROGATES):
            value = json.loads(writable(json.dumps(value, ensure_ascii=False)))
    except (ValueError, RecursionError):
        return None
    return value


def writable(text: str) -> str:
    """A text with a question mark for every half of a character: names of files and variables may hold such."""
    return text if text.isascii() else text.encode(errors="replace").decode()
