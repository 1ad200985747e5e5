from __future__ import annotations

from typing import Any

import pytest
from packaging.version import Version

from bootstrap.index.files import File
from bootstrap.index.listing import Page, group, listing


def _files(*names: str, index: str = "https://index") -> list[File]:
    return [File(name, f"{index}/{name}", index, {}) for name in names]


def test_groups_by_version_newest_first() -> None:
    found = group(
        "Torch",
        _files(
            "torch-2.9.0-cp311-cp311-linux_x86_64.whl",
            "torch-2.10.0-cp311-cp311-linux_x86_64.whl",
            "torch-2.9.0-cp312-cp312-linux_x86_64.whl",
            "torch-2.9.0+cpu-cp311-cp311-linux_x86_64.whl",
            "torch-2.10.0rc1.tar.gz",
        ),
    )
    assert found.name == "torch"
    assert found.indexes == ("https://index",)
    assert list(found.versions) == [Version(text) for text in ("2.10.0", "2.10.0rc1", "2.9.0+cpu", "2.9.0")]
    assert [file.filename[:16] for file in found.versions[Version("2.9")]] == ["torch-2.9.0-cp31"] * 2


@pytest.mark.parametrize(
    "filename",
    [
        pytest.param("nvidia_cublas-1.0-py3-none-any.whl", id="wheel"),
        pytest.param("NVIDIA.cublas-1.0-py3-none-any.whl", id="unnormalized-wheel"),
        pytest.param("nvidia_cublas-1.0-1-py3-none-any.whl", id="build-number"),
        pytest.param("nvidia_cublas-1.0-2gabc-py3-none-any.whl", id="build-tag"),
        pytest.param("nvidia-cublas-1.0.tar.gz", id="source"),
        pytest.param("nvidia_cublas-1.0.zip", id="zip"),
        pytest.param("nvidia__cublas-1.0.tar.gz", id="longer-than-its-normalized-name"),
    ],
)
def test_takes_files_of_the_project(filename: str) -> None:
    assert list(group("nvidia-cublas", _files(filename)).versions) == [Version("1.0")]


@pytest.mark.parametrize(
    "filename",
    [
        pytest.param("torchvision-1.0-py3-none-any.whl", id="other-project"),
        pytest.param("torch-vision-1.0.tar.gz", id="longer-name"),
        pytest.param("torch-1.0-py3-none.whl", id="too-few-parts"),
        pytest.param("torch-1.0-x1-py3-none-any.whl", id="build-tag-without-a-number"),
        pytest.param("torch-1.0-1-2-py3-none-any.whl", id="too-many-parts"),
        pytest.param("torch-latest-py3-none-any.whl", id="no-version"),
        pytest.param("torch-.tar.gz", id="empty-version"),
        pytest.param("torch.tar.gz", id="only-a-name"),
        pytest.param("torch-1.0.exe", id="installer"),
        pytest.param(".whl", id="nothing"),
    ],
)
def test_leaves_out_what_does_not_belong(filename: str) -> None:
    found = group("torch", _files(filename))
    assert (dict(found.versions), found.indexes) == ({}, ())


def test_takes_two_spellings_of_a_version_for_one() -> None:
    found = group("a", _files("a-1.0-py3-none-any.whl", "a-1.0.0.tar.gz"))
    assert [len(files) for files in found.versions.values()] == [2]


def test_lets_the_first_page_serve_a_file_that_two_have() -> None:
    found = group("a", [*_files("a-1.zip", index="https://one"), *_files("a-1.zip", "a-2.zip", index="https://two")])
    assert [file.index for file in found.versions[Version("1")]] == ["https://one"]
    assert found.indexes == ("https://one", "https://two")


def test_makes_files_only_of_versions_that_are_looked_at() -> None:
    made = []

    def make(name: str, _: Any) -> File:
        made.append(name)
        return _files(name)[0]

    found = listing("a", [Page("https://index", [("a-1.zip", None), ("a-2.zip", None)], make)])
    assert Version("1") in found.versions
    assert len(found.versions) == 2
    assert made == []
    assert found.versions[Version("1")] == found.versions[Version("1")] == tuple(_files("a-1.zip"))
    assert made == ["a-1.zip"]
    with pytest.raises(KeyError):
        found.versions[Version("3")]
