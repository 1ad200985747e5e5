"""Names of files in a wheel that mean the same file wherever it is unpacked, and no other.

Every rule holds everywhere, with one exception: names that differ only by case or Unicode form are two files on Linux,
and real wheels that are made for Linux alone have such (terminfo, kernel headers). There the file system decides, when
the wheel is unpacked.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator

__all__ = ["bad_name", "bad_names", "same_where_case_does_not_count"]

LONGEST_PART = 255  # bytes of one folder or file name; NAME_MAX of the file systems in use
LONGEST = 1000  # bytes of a whole path; macOS has room for 1024 with the folders above it, real ones have 250
# ASCII and Latin-1 controls, the separators that end a line, and what turns the direction of writing.
CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
DRIVE = re.compile(r"(?:^|/)[A-Za-z]:")
# Windows opens the device, whatever the suffix. Modules are exempt: real packages have an `aux.py`, Windows 11 takes it
# for a file, and an older one fails to write it, which harms nobody.
DEVICE = re.compile(r"(con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³]|conin\$|conout\$) *(\..*)?", re.IGNORECASE)
MODULE = (".py", ".pyi")
# Nearly every name is one about which nothing needs to be asked: plain ASCII, no device, no dot at the end of a part.
ORDINARY = re.compile(
    r"(?:(?!(?:con|prn|aux|nul|com[0-9]|lpt[0-9])(?:[./]|\Z))(?:[\w+-]|\.(?![./]|\Z))+(?:/|\Z))+",
    re.ASCII | re.IGNORECASE,
)
SHORT = 250  # characters


def bad_name(name: str) -> str:
    """What is wrong with one name, as the rest of a sentence; "" if nothing is."""
    if len(name) <= SHORT and ORDINARY.fullmatch(name):
        return ""
    return _wrong_with(name)


def _wrong_with(name: str) -> str:
    parts = name.removesuffix("/").split("/")
    checks = (
        (CONTROL.search(name) is not None, "has a control character in its name"),
        ("\\" in name, "has a backslash in its name"),
        (name.startswith("/"), "is an absolute path"),
        (DRIVE.search(name) is not None, "names a drive"),
        (".." in parts, "leaves the folder"),
        ("" in parts or "." in parts, "is not a plain path"),
        (any(part.endswith((".", " ")) for part in parts), "ends in a dot or a space, which Windows drops"),
        (any(_is_device(part) for part in parts), "is a device on Windows"),
        (any(_bytes(part) > LONGEST_PART for part in parts), f"has a part longer than {LONGEST_PART} bytes"),
        (_bytes(name) > LONGEST, f"is longer than {LONGEST} bytes"),
    )
    return next((sentence for wrong, sentence in checks if wrong), "")


def _is_device(part: str) -> bool:
    return DEVICE.fullmatch(part) is not None and not part.endswith(MODULE)


def _bytes(text: str) -> int:
    return len(text.encode("utf-8", "replace"))


def same_where_case_does_not_count(name: str) -> str:
    """A text that is equal for names that some file system or reader takes for one."""
    if name.isascii():
        return name.lower()
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", name).casefold())


def bad_names(names: Iterable[str], *, linux_only: bool) -> Iterator[str]:
    """What is wrong with the names of all entries, folders ("a/") among them, and with what they are together."""
    key = str if linux_only else same_where_case_does_not_count
    seen: dict[str, str] = {}
    for name in names:
        issue = bad_name(name)
        if issue:
            yield f"{name!r} {issue}"
            continue
        other = seen.setdefault(key(name), name)
        if other is not name:
            same = f"{name!r} is in it twice"
            yield same if other == name else f"{name!r} and {other!r} differ only by case or Unicode form"
    yield from _files_that_are_folders({each: name for each, name in seen.items() if not each.endswith("/")})


def _files_that_are_folders(files: dict[str, str]) -> Iterator[str]:
    """`files` are whole names by what stands for them."""
    done: set[str] = set()
    for path in files:
        folder = path.rpartition("/")[0]
        while folder and folder not in done:
            done.add(folder)
            if folder in files:
                yield f"{files[folder]!r} is both a file and a folder"
            folder = folder.rpartition("/")[0]
