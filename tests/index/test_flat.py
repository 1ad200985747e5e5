from __future__ import annotations

from pathlib import Path

import pytest

from bootstrap.errors import UnreachableError
from bootstrap.index.flat import is_folder, read_folder, sort_by_project
from bootstrap.index.simple import read_page


def _folder(tmp_path: Path, *names: str) -> Path:
    for name in names:
        (tmp_path / name).write_bytes(b"12345")
    return tmp_path


def test_lists_the_files_of_a_folder(tmp_path: Path) -> None:
    folder = _folder(tmp_path, "torch-2.9.0+cpu-py3-none-any.whl", "a-1.tar.gz", "notes.txt")
    (tmp_path / "deeper").mkdir()
    _folder(tmp_path / "deeper", "b-1.zip")
    files = {file.filename: file for file in read_folder(str(folder)).files()}
    assert set(files) == {"torch-2.9.0+cpu-py3-none-any.whl", "a-1.tar.gz"}
    torch = files["torch-2.9.0+cpu-py3-none-any.whl"]
    assert torch.url == (folder / torch.filename).as_uri()
    assert (torch.size, torch.hashes, torch.index) == (5, {}, folder.as_uri())


def test_reads_file_addresses_and_local_pages(tmp_path: Path) -> None:
    _folder(tmp_path, "a-1.zip")
    (tmp_path / "links.html").write_text('<a href="wheels/b-1.zip">b</a>')
    assert [file.filename for file in read_folder(tmp_path.as_uri()).files()] == ["a-1.zip"]
    (linked,) = read_folder(str(tmp_path / "links.html")).files()
    assert linked.url == (tmp_path / "wheels" / "b-1.zip").as_uri()


def test_names_a_folder_that_is_missing(tmp_path: Path) -> None:
    with pytest.raises(UnreachableError, match="missing: this find-links folder cannot be read"):
        read_folder(str(tmp_path / "missing"))


@pytest.mark.parametrize(
    ("value", "local"),
    [("./wheels", True), ("/srv/wheels", True), ("file:///srv", True), ("https://host/links.html", False)],
)
def test_tells_folders_from_pages(value: str, local: bool) -> None:
    assert is_folder(value) is local


_NAMES = (
    "torch-2.9.0+cpu-py3-none-any.whl",
    "torch-2.9.0+cu128-py3-none-any.whl",
    "torch-2.9.0-py3-none-any.whl",
    "torch-vision-1.0.tar.gz",
    "NVIDIA_cublas.cu12-1.0-py3-none-any.whl",
    "torch-odd-py3-none-any.whl",
)


def test_sorts_files_into_projects() -> None:
    flat = sort_by_project(read_page("".join(f'<a href="{name}">' for name in _NAMES).encode(), "", "https://h/", "h"))
    assert [name for name, _ in flat.of("nvidia-cublas-cu12").entries] == [_NAMES[4]]
    assert [name for name, _ in flat.of("torch-vision").entries] == [_NAMES[3]]
    assert flat.of("jax").entries == ()


@pytest.mark.parametrize(("variant", "taken"), [("cpu", 0), ("cu128", 1), ("default", 2)])
def test_picks_wheels_of_a_variant(variant: str, taken: int) -> None:
    flat = sort_by_project(read_page("".join(f'<a href="{name}">' for name in _NAMES).encode(), "", "https://h/", "h"))
    assert [name for name, _ in flat.of("torch", variant).entries] == [_NAMES[taken]]
