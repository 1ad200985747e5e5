from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest
from packaging.pylock import Pylock

from bootstrap import toml
from bootstrap.errors import BootstrapError, CannotWriteError, NotPermittedError
from bootstrap.lock.pylock_write import save, write
from bootstrap.resolver.resolution import Direct, Pin, Resolution
from tests.lock.workshop import DEFAULT, PYTORCH, file, lock, pin, sdist, target, torch_lock


def written(*pins: Pin, root: Path | None = None) -> Pylock:
    text = write(lock(Resolution("cpu", target(), pins), offers=torch_lock().offers), root)
    return Pylock.from_dict(toml.loads(text, "pylock.toml"))


def test_writes_what_the_standard_names() -> None:
    document = Pylock.from_dict(toml.loads(write(torch_lock()), "pylock.toml"))
    assert str(document.lock_version) == "1.0"
    assert document.created_by == "torchstrap"
    assert str(document.requires_python) == ">=3.10"
    assert document.extras == ["cpu", "cu126", "dev"]
    assert (document.dependency_groups, document.default_groups) == (["test"], ["test"])
    assert [(each.name, str(each.version), str(each.marker or "")) for each in document.packages] == [
        ("accelerate", "1.0", ""),
        ("numpy", "2.1.0", ""),
        ("pytest", "8.4.0", '"dev" in extras or "test" in dependency_groups'),
        ("torch", "2.8.0+cpu", '"cpu" in extras'),
        ("torch", "2.8.0+cu126", '"cu126" in extras'),
        ("triton", "3.4.0", '"cu126" in extras'),
    ]
    assert document.packages[0].dependencies == [
        {"name": "numpy", "version": "2.1.0"},
        {"name": "torch", "version": "2.8.0+cpu"},
        {"name": "torch", "version": "2.8.0+cu126"},
    ]


def test_describes_every_file_on_one_line() -> None:
    text = write(torch_lock())
    lines = [line for line in text.splitlines() if ".whl" in line]
    assert len(lines) == 6
    assert all("sha256" in line and "size = 1234" in line and "upload-time = 2025-08-06" in line for line in lines)


def test_names_a_file_whose_address_spells_it_otherwise() -> None:
    text = write(torch_lock())
    assert 'name = "torch-2.8.0+cpu-py3-none-any.whl"' in text
    assert 'name = "numpy-2.1.0-py3-none-any.whl"' not in text


def test_writes_no_credentials() -> None:
    secret = "https://user:hunter2@index.example/simple"
    text = write(
        lock(
            Resolution(
                "",
                target(),
                (
                    pin("alpha", index=secret),
                    pin("beta", direct=Direct("https://user:hunter2@host.example/beta.git", commit="a" * 40)),
                    pin("gamma", direct=Direct("git+ssh://git:hunter2@host.example/gamma.git", commit="b" * 40)),
                    pin("delta", direct=Direct("https://hunter2@host.example/delta.zip", hashes={"sha256": "00"})),
                ),
            ),
        )
    )
    assert "hunter2" not in text
    assert "ssh://git@host.example/gamma.git" in text


def test_patch_release_and_kernel_of_the_machine_change_no_byte() -> None:
    here, there = target("3.11.2"), target("3.11.9")
    assert write(lock(Resolution("", here, (pin("alpha"),)))) == write(lock(Resolution("", there, (pin("alpha"),))))


def test_tells_two_builds_of_one_version_apart_by_index() -> None:
    here = target()
    text = write(
        lock(
            Resolution("cpu", here, (pin("alpha", requires=["torch"]), pin("torch", "2.8.0", index=PYTORCH + "cpu"))),
            Resolution("cu126", here, (pin("alpha", requires=["torch"]), pin("torch", "2.8.0", index=DEFAULT))),
        )
    )
    document = Pylock.from_dict(toml.loads(text, "pylock.toml"))
    assert document.packages[0].dependencies == [
        {"name": "torch", "version": "2.8.0", "index": PYTORCH + "cpu"},
        {"name": "torch", "version": "2.8.0", "index": DEFAULT},
    ]


def test_writes_folders_relative_to_the_lock_and_without_a_version(tmp_path: Path) -> None:
    mine = Direct("file:///anything", path=tmp_path, editable=True)
    beside = Direct("", path=tmp_path.parent / "beside", subdirectory="python")
    project, library = written(pin("mine", direct=mine), pin("zlib", direct=beside), root=tmp_path).packages
    assert project.version is None
    assert project.directory is not None
    assert (project.directory.path, project.directory.editable) == (".", True)
    assert library.directory is not None
    assert (library.directory.path, library.directory.subdirectory) == ("../beside", "python")


def test_writes_commits_and_archives(tmp_path: Path) -> None:
    commit = Direct("git+https://host.example/beta.git", commit="a" * 40, subdirectory="python")
    archive = Direct("https://host.example/alpha-1.0.zip", hashes={"sha256": "0" * 64})
    local = Direct("", path=tmp_path / "gamma-1.0-py3-none-any.whl", hashes={"sha256": "1" * 64})
    alpha, beta, gamma = written(
        pin("beta", direct=commit), pin("alpha", direct=archive), pin("gamma", direct=local), root=tmp_path
    ).packages
    assert alpha.archive is not None
    assert (alpha.archive.url, alpha.archive.hashes) == ("https://host.example/alpha-1.0.zip", {"sha256": "0" * 64})
    assert beta.vcs is not None
    assert (beta.vcs.url, beta.vcs.commit_id, beta.vcs.subdirectory) == (
        "https://host.example/beta.git",
        "a" * 40,
        "python",
    )
    assert gamma.archive is not None
    assert gamma.archive.path == "gamma-1.0-py3-none-any.whl"


def test_keeps_one_source_distribution_beside_the_wheels() -> None:
    files = (sdist("alpha", "1.0", ".zip"), file("alpha", "1.0"), sdist("alpha", "1.0"), sdist("other", "1.0"))
    (package,) = written(pin("alpha", files=files)).packages
    assert package.sdist is not None
    assert package.sdist.filename == "alpha-1.0.tar.gz"
    assert [wheel.filename for wheel in package.wheels or ()] == ["alpha-1.0-py3-none-any.whl"]


def test_leaves_out_a_requires_python_that_is_no_specifier() -> None:
    (package,) = written(pin("alpha", files=(file("alpha", "1.0", requires_python=">=3.6.*"),))).packages
    assert package.requires_python is None


@pytest.mark.parametrize(
    ("bad", "sentence"),
    [
        pytest.param(pin("alpha", files=(file("alpha", "1.0", hashes={}),)), "has no hash", id="wheel without a hash"),
        pytest.param(pin("alpha", files=()), "no file that a lock can name", id="no file"),
        pytest.param(
            pin("alpha", direct=Direct("https://h.example/a.zip")), "has no hash", id="address without a hash"
        ),
        pytest.param(
            pin("alpha", direct=Direct("", path=Path("a.whl"))), "has no hash", id="local wheel without a hash"
        ),
    ],
)
def test_refuses_what_no_lock_can_hold(bad: Pin, sentence: str) -> None:
    with pytest.raises(BootstrapError, match=sentence):
        write(lock(Resolution("", target(), (bad,))))


def test_refuses_a_package_twice_in_one_resolution() -> None:
    twice = (pin("alpha", index=DEFAULT), pin("alpha", index=DEFAULT))
    with pytest.raises(BootstrapError, match="alpha occurs twice"):
        write(lock(Resolution("", target(), twice)))


def test_saving_replaces_the_file_and_leaves_nothing_beside(tmp_path: Path) -> None:
    path = tmp_path / "pylock.toml"
    save(path, "old\n")
    save(path, "new ✓\n")
    assert path.read_bytes() == "new ✓\n".encode()
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such permissions")
def test_a_saved_lock_may_be_read_by_others(tmp_path: Path) -> None:
    before = os.umask(0o022)
    try:
        save(tmp_path / "pylock.toml", "text")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "pylock.toml").stat().st_mode) == 0o644


def test_saving_through_a_link_writes_what_it_points_at(tmp_path: Path) -> None:
    (tmp_path / "real.toml").write_text("old")
    (tmp_path / "pylock.toml").symlink_to("real.toml")
    save(tmp_path / "pylock.toml", "new")
    assert (tmp_path / "pylock.toml").is_symlink()
    assert (tmp_path / "real.toml").read_text() == "new"


def test_saving_where_there_is_no_folder_says_so(tmp_path: Path) -> None:
    with pytest.raises(CannotWriteError, match=r"pylock\.toml could not be written"):
        save(tmp_path / "missing" / "pylock.toml", "text")


def test_saving_over_a_folder_leaves_nothing_half_done(tmp_path: Path) -> None:
    (tmp_path / "pylock.toml").mkdir()
    with pytest.raises(CannotWriteError):
        save(tmp_path / "pylock.toml", "text")
    assert [each.name for each in tmp_path.iterdir()] == ["pylock.toml"]


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write everywhere")
def test_saving_without_permission_says_so(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(NotPermittedError):
        save(tmp_path / "pylock.toml", "text")
