"""The lines of a requirements file as pip reads them: joined, without comments, with variables filled in."""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from bootstrap.errors import InputError

__all__ = ["logical_lines", "text_of"]

# A shell of Windows writes UTF-16 when output is redirected to a file, as in `pip freeze > requirements.txt`.
_MARKS = {
    codecs.BOM_UTF8: "utf-8-sig",
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
_COMMENT = re.compile(r"(^|\s+)#.*$")
_VARIABLE = re.compile(r"\$\{([A-Z0-9_]+)\}")


def text_of(path: Path) -> str:
    """The text of a file. Raises InputError where it cannot be read."""
    try:
        content = path.read_bytes()
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise InputError(path, f"cannot be read ({reason}); correct the path or its permissions") from error
    encoding = next((name for mark, name in _MARKS.items() if content.startswith(mark)), "utf-8")
    try:
        return content.decode(encoding)
    except UnicodeDecodeError as error:
        raise InputError(path, f"is not {encoding} text (byte {error.start}); save it as UTF-8") from error


def logical_lines(text: str, environ: Mapping[str, str]) -> Iterator[tuple[int, str]]:
    """Each line that says something, with the number of its first physical line. Unset variables stay as they are."""
    for number, joined in _joined(text):
        line = _COMMENT.sub("", joined).strip()
        if line:
            yield number, _VARIABLE.sub(lambda found: environ.get(found[1]) or found[0], line)


def _joined(text: str) -> Iterator[tuple[int, str]]:
    parts: list[str] = []
    start = 0
    for number, line in enumerate(text.splitlines(), 1):
        start = start if parts else number
        comment = _COMMENT.match(line) is not None
        if line.endswith("\\") and not comment:
            parts.append(line[:-1])
            continue
        # The space keeps a comment a comment behind a line that goes on.
        yield start, "".join((*parts, f" {line}" if comment else line))
        parts = []
    if parts:
        yield start, "".join(parts)
