from __future__ import annotations

import pytest
from packaging.requirements import Requirement

from bootstrap.errors import BadDistributionError
from bootstrap.index.metadata import Metadata, parse


def test_reads_what_a_resolver_needs() -> None:
    body = b"""Metadata-Version: 2.4
Name: torchvision
Version: 0.24.0+cu128
Requires-Python: !=3.14.1,>=3.10
Dynamic: Requires-Dist
Provides-Extra: gdown
Provides-Extra: scipy
Requires-Dist: numpy
Requires-Dist: torch (==2.9.0)
Requires-Dist: gdown>=4.7.3; extra == "gdown"

Name: prose
Requires-Dist: prose
"""
    assert parse(body) == Metadata(
        name="torchvision",
        version="0.24.0+cu128",
        requires_dist=("numpy", "torch (==2.9.0)", 'gdown>=4.7.3; extra == "gdown"'),
        requires_python="!=3.14.1,>=3.10",
        provides_extra=("gdown", "scipy"),
        dynamic=("requires-dist",),
    )
    assert str(Requirement(parse(body).requires_dist[1]).specifier) == "==2.9.0"


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"Name: a\r\nVersion: 1\r\nRequires-Dist: b\r\n\r\nRequires-Dist: c\r\n", id="windows-lines"),
        pytest.param(b"\xef\xbb\xbfName: a\nVersion: 1\nRequires-Dist: b", id="byte-order-mark"),
        pytest.param(b"NAME: a\nversion: 1\nrequires-dist: b", id="case"),
        pytest.param(b"Name: a\nVersion:\n 1\nRequires-Dist:\n\tb\n", id="folded"),
        pytest.param(b"Name: a\nVersion: 1\nDescription: x\n        Requires-Dist: c\nRequires-Dist: b\n", id="prose"),
        pytest.param(b"Name: a\nVersion: 1\nAuthor: \xe9\xff\nRequires-Dist: b\nno colon\n", id="not-utf8"),
    ],
)
def test_reads_what_is_in_use(body: bytes) -> None:
    assert parse(body) == Metadata("a", "1", ("b",))


def test_joins_folded_requirements() -> None:
    found = parse(b'Name: a\nVersion: 1\nRequires-Dist: b>=1;\n python_version < "3.11"\n')
    assert found.requires_dist == ('b>=1; python_version < "3.11"',)


@pytest.mark.parametrize(
    "body", [b"", b"Name: a\n", b"\n\nVersion: 1", b"<html>"], ids=["empty", "half", "none", "html"]
)
def test_refuses_what_names_nothing(body: bytes) -> None:
    with pytest.raises(BadDistributionError, match="it states no"):
        parse(body)
