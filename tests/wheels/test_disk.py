from __future__ import annotations

import errno
from pathlib import Path

import pytest

from bootstrap.errors import BootstrapError, CannotWriteError, NotPermittedError
from bootstrap.wheels.disk import explained, file_system, room, size_text, writing


@pytest.mark.parametrize(
    ("amount", "text"),
    [(0, "0 bytes"), (999, "999 bytes"), (1000, "1.0 kB"), (123_456, "123 kB"), (2_500_000_000, "2.5 GB")],
)
def test_says_sizes_for_people(amount: int, text: str) -> None:
    assert size_text(amount) == text


@pytest.mark.parametrize(
    ("number", "kind", "words"),
    [
        (errno.ENOSPC, CannotWriteError, "is full"),
        (errno.EDQUOT, CannotWriteError, "is full"),
        (errno.EROFS, CannotWriteError, "read-only"),
        (errno.EACCES, NotPermittedError, "does not permit"),
        (errno.EPERM, NotPermittedError, "does not permit"),
        (errno.EIO, CannotWriteError, "cannot be written"),
    ],
    ids=errno.errorcode.get,
)
def test_each_trouble_has_its_error(tmp_path: Path, number: int, kind: type[BootstrapError], words: str) -> None:
    found = explained(OSError(number, "trouble"), "unpacking x", tmp_path / "not" / "yet")
    assert type(found) is kind
    assert words in str(found)
    assert str(tmp_path) in str(found)


def test_names_the_mount_and_its_room(tmp_path: Path) -> None:
    assert tmp_path.resolve().is_relative_to(file_system(tmp_path / "not" / "there"))
    assert file_system(Path("/")) == Path("/")
    assert room(tmp_path / "not" / "there") > 0


def test_lets_our_own_errors_through() -> None:
    with pytest.raises(NotPermittedError, match="mine"), writing("x", Path()):
        raise NotPermittedError("mine")
