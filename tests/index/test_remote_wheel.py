from __future__ import annotations

import io
import os
import struct
import zipfile
from pathlib import Path

import pytest

from bootstrap.errors import BadDistributionError, UnreachableError
from bootstrap.index import zip_layout
from bootstrap.index.client import Client
from bootstrap.index.remote_wheel import metadata_from_wheel
from tests.index.serving import Reply, Server, metadata_text, wheel, with_ranges, without_suffix_ranges

_NAME = "torch-2.9.0-py3-none-any.whl"
_EXPECTED = metadata_text("torch", "2.9.0", "sympy").encode()
_SMALL = wheel("torch", "2.9.0", "sympy")
_LARGE = wheel("torch", "2.9.0", "sympy", more={"torch/lib.so": os.urandom(200_000)})
_MANY = wheel("torch", "2.9.0", "sympy", more={f"torch/a_rather_long_name_of_a_file_{n}.h": b"" for n in range(2000)})


def _metadata_first() -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as archive:
        archive.writestr("torch-2.9.0.dist-info/METADATA", _EXPECTED)
        archive.writestr("torch/lib.so", os.urandom(100_000))
    return target.getvalue()


@pytest.mark.parametrize(
    ("body", "requests"),
    [
        pytest.param(_SMALL, 1, id="smaller-than-the-first-request"),
        pytest.param(_LARGE, 1, id="all-in-the-first-request"),
        pytest.param(_MANY, 3, id="large-directory"),
        pytest.param(_metadata_first(), 2, id="metadata-far-away"),
    ],
)
def test_reads_metadata_by_ranges(server: Server, client: Client, body: bytes, requests: int) -> None:
    server.routes["/w"] = with_ranges(body)
    assert metadata_from_wheel(client, f"{server.url}/w", _NAME) == _EXPECTED
    assert len(server.asked) == requests
    assert all("range" in headers for _, headers in server.asked)


@pytest.mark.parametrize("body", [_SMALL, _MANY, _metadata_first()], ids=["small", "many", "metadata-first"])
def test_does_without_ranges_from_the_end(server: Server, client: Client, body: bytes) -> None:
    server.routes["/w"] = without_suffix_ranges(body)
    assert metadata_from_wheel(client, f"{server.url}/w", _NAME) == _EXPECTED


def test_does_without_ranges(server: Server, client: Client) -> None:
    server.routes["/w"] = Reply(200, _LARGE)
    assert metadata_from_wheel(client, f"{server.url}/w", _NAME) == _EXPECTED
    assert len(server.asked) == 1


def test_without_ranges_a_connection_that_breaks_is_no_end(server: Server, client: Client) -> None:
    body = wheel("torch", "2.9.0", "sympy", more={"torch/lib.so": os.urandom(9_000_000)})
    cuts = iter([None, 100_000, 5_000_000])
    server.routes["/w"] = lambda _headers: Reply(200, body, cut_after=next(cuts, None))
    assert metadata_from_wheel(client, f"{server.url}/w", _NAME) == _EXPECTED
    assert len(server.asked) == 4


def test_does_without_ranges_of_a_large_file(server: Server, client: Client) -> None:
    server.routes["/w"] = Reply(200, wheel("torch", "2.9.0", "sympy", more={"torch/lib.so": os.urandom(9 << 20)}))
    assert metadata_from_wheel(client, f"{server.url}/w", _NAME) == _EXPECTED


def test_does_with_a_server_that_refuses_every_range(server: Server, client: Client) -> None:
    server.routes["/w"] = lambda headers: Reply(416) if "range" in headers else Reply(200, _SMALL)
    assert metadata_from_wheel(client, f"{server.url}/w", _NAME) == _EXPECTED


def test_reads_a_wheel_on_disk(tmp_path: Path, client: Client) -> None:
    (tmp_path / _NAME).write_bytes(_MANY)
    assert metadata_from_wheel(client, (tmp_path / _NAME).as_uri(), _NAME) == _EXPECTED


def test_says_that_a_listed_file_is_not_there(server: Server, client: Client) -> None:
    with pytest.raises(UnreachableError, match="answers 404"):
        metadata_from_wheel(client, f"{server.url}/w", _NAME)


def _with_vendored() -> bytes:
    inner = {"torch/_vendor/b-1.dist-info/METADATA": b"Name: b", "b-1.dist-info/METADATA": b"Name: b"}
    return wheel("torch", "2.9.0", "sympy", more=inner)


def test_passes_over_metadata_of_wheels_inside(server: Server, client: Client) -> None:
    server.routes["/w"] = with_ranges(_with_vendored())
    assert metadata_from_wheel(client, f"{server.url}/w", _NAME) == _EXPECTED


def _without_metadata() -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as archive:
        archive.writestr("torch/__init__.py", "")
    return target.getvalue()


def _damaged_metadata() -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as archive:
        archive.writestr("torch-2.9.0.dist-info/METADATA", _EXPECTED)
    return target.getvalue().replace(b"sympy", b"simpy")


def _pointing_away() -> bytes:
    at = _SMALL.rfind(b"PK\x05\x06")
    return _SMALL[: at + 16] + struct.pack("<L", 1 << 30) + _SMALL[at + 20 :]


def _bomb() -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("torch-2.9.0.dist-info/METADATA", b"\0" * (33 << 20))
    return target.getvalue()


@pytest.mark.parametrize(
    ("body", "said"),
    [
        pytest.param(b"<html>not a wheel</html>", "no end record", id="page"),
        pytest.param(_without_metadata(), "no METADATA", id="without-metadata"),
        pytest.param(_damaged_metadata(), "damaged", id="damaged"),
        pytest.param(_pointing_away(), "beyond its end", id="pointing-away"),
        pytest.param(_bomb(), "larger than 32 MiB", id="bomb"),
        pytest.param(_SMALL.replace(b"PK\x01\x02", b"PK\x01\x03"), "directory is damaged", id="damaged-directory"),
        pytest.param(_SMALL.replace(b"PK\x03\x04", b"PK\x03\x05"), "not where its directory says", id="moved"),
    ],
)
def test_refuses_what_is_no_wheel(server: Server, client: Client, body: bytes, said: str) -> None:
    server.routes["/w"] = with_ranges(body)
    with pytest.raises(BadDistributionError, match=said) as caught:
        metadata_from_wheel(client, f"{server.url}/w", _NAME)
    assert _NAME in str(caught.value)


def test_reads_directories_of_large_files() -> None:
    """The end of a zip file of six gigabytes, put together by hand."""
    start, size, total = 6 << 30, 500, (6 << 30) + 500 + 56 + 20 + 22
    record = struct.pack("<4sQ2H2L4Q", b"PK\x06\x06", 44, 45, 45, 0, 0, 3, 3, size, start)
    locator = struct.pack("<4sLQL", b"PK\x06\x07", 0, start + size, 1)
    end = struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, 3, 3, 0xFFFFFFFF, 0xFFFFFFFF, 0)
    assert zip_layout.directory(record + locator + end, total) == zip_layout.Directory(start, size)
    assert zip_layout.directory(locator + end, total) is None
    assert zip_layout.directory(end, total) is None


def test_reads_members_that_lie_beyond_four_gigabytes() -> None:
    extra = struct.pack("<2H2Q", 1, 16, 5 << 30, 6 << 30)
    name = b"torch/lib.so"
    central = struct.pack(
        "<4s6H3L5H2L",
        b"PK\x01\x02",
        45,
        45,
        0,
        8,
        0,
        0,
        7,
        99,
        0xFFFFFFFF,
        len(name),
        len(extra),
        0,
        0,
        0,
        0,
        0xFFFFFFFF,
    )
    (member,) = zip_layout.members(central + name + extra)
    assert member == zip_layout.Member("torch/lib.so", 8, 7, 99, 5 << 30, 6 << 30)


def test_tells_the_size_of_the_wheel(server: Server, client: Client) -> None:
    server.routes["/w"] = with_ranges(_MANY)
    sizes: list[int] = []
    metadata_from_wheel(client, f"{server.url}/w", _NAME, sizes.append)
    assert sizes == [len(_MANY)]
