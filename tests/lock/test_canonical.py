from __future__ import annotations

from datetime import datetime, timezone
from pathlib import Path

import pytest

from bootstrap.lock.canonical import as_locked, is_folder, locked_address, moment, stamp
from bootstrap.resolver.resolution import Direct, Resolution
from tests.lock.workshop import file, lock, pin, sdist, target


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("2025-08-06T14:53:02.123456Z", "2025-08-06T14:53:02.123456Z", id="as PEP 700 has it"),
        pytest.param("2025-08-06T14:53:02Z", "2025-08-06T14:53:02.000000Z", id="no fraction"),
        pytest.param("2025-08-06T14:53:02.12z", "2025-08-06T14:53:02.120000Z", id="two digits"),
        pytest.param("2025-08-06T14:53:02.123456789Z", "2025-08-06T14:53:02.123456Z", id="nine digits"),
        pytest.param("2025-08-06T14:53:02.5+02:00", "2025-08-06T12:53:02.500000Z", id="another zone"),
        pytest.param("2025-08-06T14:53:02", "2025-08-06T14:53:02.000000Z", id="no zone"),
        pytest.param("2025-13-06T14:53:02Z", None, id="no such month"),
        pytest.param("yesterday", None, id="words"),
        pytest.param(None, None, id="none"),
    ],
)
def test_reads_upload_times(text: str | None, expected: str | None) -> None:
    found = moment(text)
    assert (found and stamp(found)) == expected


def test_a_time_without_zone_is_in_utc() -> None:
    assert stamp(datetime(2025, 1, 1)) == stamp(datetime(2025, 1, 1, tzinfo=timezone.utc))  # noqa: DTZ001 - the case


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        pytest.param("https://u:p@h.example/a@b", "https://h.example/a@b", id="https"),
        pytest.param("https://token@h.example", "https://h.example", id="token"),
        pytest.param("git+ssh://git:p@h.example/r.git", "git+ssh://git@h.example/r.git", id="ssh keeps the user"),
        pytest.param("https://h.example/a@b", "https://h.example/a@b", id="only in the path"),
        pytest.param("file:///srv/wheels", "file:///srv/wheels", id="file"),
    ],
)
def test_takes_credentials_out(url: str, expected: str) -> None:
    assert locked_address(url) == expected


@pytest.mark.parametrize(
    ("direct", "expected"),
    [
        pytest.param(None, False, id="from an index"),
        pytest.param(Direct("", path=Path("lib")), True, id="folder"),
        pytest.param(Direct("", path=Path("lib.whl")), False, id="wheel"),
        pytest.param(Direct("", path=Path("lib"), hashes={"sha256": "00"}), False, id="hashed"),
        pytest.param(Direct("", path=Path("lib"), commit="00"), False, id="clone"),
        pytest.param(Direct("https://h.example/lib"), False, id="address"),
    ],
)
def test_knows_folders(direct: Direct | None, expected: bool) -> None:
    assert is_folder(direct) is expected


def test_is_its_own_canonical_form(tmp_path: Path) -> None:
    files = (sdist("alpha", "1.0"), file("alpha", "1.0", requires_python=">=3.6.*"))
    made = lock(
        Resolution(
            "cu126", target(), (pin("beta"), pin("alpha", files=files, requires=["beta", "beta"], wanted_by=[]))
        ),
        Resolution("cpu", target(), (pin("mine", direct=Direct("", path=Path("mine"))),)),
    )
    once = as_locked(made, tmp_path)
    assert as_locked(once, tmp_path) == once
    assert [each.offer for each in once.resolutions] == ["cpu", "cu126"]
    alpha = once.resolutions[1].pins[0]
    assert [each.filename for each in alpha.files] == ["alpha-1.0-py3-none-any.whl", "alpha-1.0.tar.gz"]
    assert (alpha.requires, alpha.wanted_by) == (("beta",), frozenset({""}))


def test_keeps_only_files_of_the_best_ones_index(tmp_path: Path) -> None:
    best, other = file("alpha", "1.0", "cp311-none-any", "file:///links"), file("alpha", "1.0")
    made = as_locked(lock(Resolution("", target(), (pin("alpha", files=(best, other)),))), tmp_path)
    assert [each.index for each in made.resolutions[0].pins[0].files] == ["file:///links"]
