"""How a setting is written, by its kind: every function makes a value of a text, or of what TOML or a caller has.

Each takes what was said and the folder that relative paths are meant from, and raises ValueError with the words
that end the sentence "... must be".
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from datetime import date, datetime, time, timedelta, timezone
from pathlib import Path
from typing import Literal, NamedTuple

from bootstrap.project.places import index_address, is_url

__all__ = [
    "Addition",
    "additions",
    "count",
    "flag",
    "index",
    "indexes",
    "keyring",
    "mirrors",
    "moment",
    "path",
    "place",
    "places",
    "proxy",
    "seconds",
    "words",
]


class Addition(NamedTuple):
    """One requirement that builds get on top of their own: those of `package`, or of every one if that is "".

    With `matches` it is the very file that the environment has.
    """

    package: str
    requirement: str
    matches: bool = True


_YES = ("1", "true", "yes", "on", "y", "t")
_NO = ("0", "false", "no", "off", "n", "f")


def flag(said: object, _folder: Path) -> bool:
    if isinstance(said, bool):
        return said
    word = said.strip().lower() if isinstance(said, str) else ""
    if word not in (*_YES, *_NO):
        raise ValueError("yes or no (also true/false, on/off, 1/0)")
    return word in _YES


def seconds(said: object, _folder: Path) -> float:
    problem = "a number of seconds above zero"
    if isinstance(said, bool) or not isinstance(said, (int, float, str)):
        raise ValueError(problem)  # noqa: TRY004 - every kind of mistake is the same mistake here
    try:
        value = float(said)
    except (ValueError, OverflowError) as error:
        raise ValueError(problem) from error
    if not 0 < value < float("inf"):
        raise ValueError(problem)
    return value


def count(said: object, _folder: Path) -> int:
    problem = "a whole number, zero or more"
    if isinstance(said, bool) or not isinstance(said, (int, str)) or not re.fullmatch(r"\s*[0-9]{1,9}\s*", str(said)):
        raise ValueError(problem)
    return int(said)


def _text(said: object, wanted: str) -> str:
    if not isinstance(said, str) or not said.strip() or "\0" in said:
        raise ValueError(wanted)
    return said.strip()


def path(said: object, folder: Path) -> Path:
    if isinstance(said, Path):
        return folder.absolute() / said
    text = _text(said, "a path")
    return folder.absolute() / os.path.expanduser(text)  # noqa: PTH111 - Path's raises for ~nobody


def place(said: object, folder: Path) -> str:
    """A URL; a path becomes a file: URL."""
    if isinstance(said, str) and is_url(said):
        return said.strip()
    problem = "an address or a path"
    try:
        return path(said, folder).as_uri()
    except ValueError as error:
        raise ValueError(problem) from error


def index(said: object, folder: Path) -> str:
    """A URL, or a path that cannot be taken for a URL without its scheme."""
    problem = "an address like https://host/simple, or a path like ./folder"
    try:
        return index_address(_text(said, problem), folder)
    except ValueError as error:
        raise ValueError(problem) from error


def _list(said: object, separators: str, wanted: str) -> list[object]:
    if isinstance(said, str):
        return [word for word in re.split(separators, said) if word]
    if isinstance(said, (list, tuple, set, frozenset)):
        return list(said)
    raise ValueError(wanted)


def places(said: object, folder: Path) -> tuple[str, ...]:
    """Several, with white space between them where it is one text (as in PIP_FIND_LINKS)."""
    return tuple(place(each, folder) for each in _list(said, r"\s+", "a list of addresses or paths"))


def indexes(said: object, folder: Path) -> tuple[str, ...]:
    return tuple(index(each, folder) for each in _list(said, r"\s+", "a list of addresses or paths"))


def words(said: object, _folder: Path) -> tuple[str, ...]:
    """Names, with white space or commas between them."""
    wanted = "a list of names"
    found = [_text(each, wanted) for each in _list(said, r"[\s,]+", wanted)]
    return tuple(word for each in found for word in re.split(r"[\s,]+", each) if word)


def _pair(said: object, wanted: str) -> tuple[object, ...]:
    if not isinstance(said, (tuple, list)):
        raise ValueError(wanted)  # noqa: TRY004 - every kind of mistake is the same mistake here
    return tuple(said)


def mirrors(said: object, folder: Path) -> tuple[tuple[str, str], ...]:
    """Pairs of prefixes: the address as it is written elsewhere, and what stands there instead."""
    wanted = 'a table { "https://FROM" = "https://TO" }, or texts FROM=TO with an address on the left'
    if isinstance(said, Mapping):
        several = ((key, each if isinstance(each, list) else [each]) for key, each in said.items())
        pairs: list[tuple[object, ...]] = [(key, each) for key, targets in several for each in targets]
    else:
        listed = _list(said, r"[\s,]+", wanted)
        pairs = [tuple(each.split("=", 1)) if isinstance(each, str) else _pair(each, wanted) for each in listed]
    found = []
    for pair in pairs:
        if len(pair) != 2 or not isinstance(pair[0], str) or not is_url(pair[0]):  # noqa: PLR2004 - a pair
            raise ValueError(wanted)
        try:
            found.append((pair[0].strip().rstrip("/"), index(pair[1], folder).rstrip("/")))
        except ValueError as error:
            raise ValueError(wanted) from error
    return tuple(found)


def proxy(said: object, _folder: Path) -> str:
    """A proxy's address; pip allows it without a scheme."""
    text = _text(said, "a proxy's address like http://host:port")
    return text if "://" in text else f"http://{text}"


def keyring(said: object, _folder: Path) -> Literal["auto", "disabled", "subprocess"]:
    """One of pip's words. `import` needs a keyring beside pip, which a program that asks one need not be."""
    known: Mapping[object, Literal["auto", "disabled", "subprocess"]] = {
        "auto": "auto",
        "disabled": "disabled",
        "import": "subprocess",
        "subprocess": "subprocess",
    }
    found = known.get(said.strip().lower() if isinstance(said, str) else "")
    if found is None:
        raise ValueError("auto, disabled or subprocess")
    return found


def moment(said: object, _folder: Path) -> datetime:
    """A moment in UTC. A bare date means that whole day, so the moment is the end of it."""
    wanted = "a date like 2025-06-30, or a moment like 2025-06-30T12:00:00Z"
    try:
        if isinstance(said, str):
            text = said.strip()
            bare = re.fullmatch(r"\d{4}-\d{2}-\d{2}", text) is not None
            said = date.fromisoformat(text) if bare else datetime.fromisoformat(re.sub("[zZ]$", "+00:00", text))
        if isinstance(said, datetime):
            return (said if said.tzinfo else said.replace(tzinfo=timezone.utc)).astimezone(timezone.utc)
        if isinstance(said, date):
            return datetime.combine(said, time(), timezone.utc) + timedelta(days=1)
    except (ValueError, OverflowError) as error:
        raise ValueError(wanted) from error
    raise ValueError(wanted)


def additions(said: object, _folder: Path) -> tuple[Addition, ...]:
    """What builds get on top: a list for all of them, or a table of such lists by package.

    As in uv's table, an item may itself be a table with `requirement` and `match-runtime`.
    """
    wanted = 'a list of names such as ["torch"], or a table of such lists such as { flash-attn = ["torch"] }'
    if isinstance(said, str):
        said = [word for word in re.split(r"[\s,]+", said) if word]
    table = said.items() if isinstance(said, Mapping) else [("", said)]
    return tuple(each for package, several in table for each in _additions(package, several, wanted))


def _additions(package: str, said: object, wanted: str) -> Iterator[Addition]:
    from packaging.requirements import InvalidRequirement, Requirement  # noqa: PLC0415 - hardly anybody says any
    from packaging.utils import canonicalize_name  # noqa: PLC0415

    if not isinstance(said, (list, tuple)):
        raise ValueError(wanted)  # noqa: TRY004 - every kind of mistake is the same mistake here
    for each in said:
        if isinstance(each, Addition):
            yield each
            continue
        text, matches = each, True
        if isinstance(each, Mapping):
            text, matches = each.get("requirement"), each.get("match-runtime", True)
        try:
            Requirement(text)
        except (InvalidRequirement, TypeError) as error:
            raise ValueError(wanted) from error
        yield Addition(canonicalize_name(package), str(text), bool(matches))
