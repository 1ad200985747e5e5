"""Addresses of git repositories, taken apart and put together."""

from __future__ import annotations

import pytest

from bootstrap.project.repository import Repository, is_repository, read_repository, shown, subdirectory_of


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("git+https://h.example/a/b", Repository("https://h.example/a/b")),
        ("https://h.example/a/b.git@v1", Repository("https://h.example/a/b.git", "v1")),
        ("git+https://h.example/b@feature/x", Repository("https://h.example/b", "feature/x")),
        ("git+ssh://git@h.example:22/b@v1", Repository("ssh://git@h.example:22/b", "v1")),
        ("git+https://u:p@h.example/b", Repository("https://u:p@h.example/b")),
        ("git+file:///a/b#subdirectory=x/y", Repository("file:///a/b", None, "x/y")),
        ("git+https://h/b@v1#egg=name&subdirectory=x", Repository("https://h/b", "v1", "x", name="name")),
        ("git+https://h/b#lfs=true", Repository("https://h/b", lfs=True)),
        ("git+https://h/b@a%23b", Repository("https://h/b", "a#b")),
    ],
)
def test_reads_an_address_and_writes_it_again(text: str, expected: Repository) -> None:
    found = read_repository(text)
    assert found == expected
    again = read_repository(found.address)
    assert (again.url, again.revision, again.subdirectory, again.lfs) == (
        expected.url,
        expected.revision,
        expected.subdirectory,
        expected.lfs,
    )
    assert is_repository(found.address)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("git+git@h.example:a/b.git", 'write "ssh://git@h.example/a/b.git"'),
        ("git+../b", 'write it like "https://host/path"'),
        ("git+https://h.example", "names no repository"),
        ("git+https://h.example/a?x=1", "question mark"),
        ("git+https://h.example/a#subdirectory=../x", "leads out"),
        ("git+ftp://u:s3cret@h.example/a", "no address"),
    ],
)
def test_refuses_what_is_none_without_showing_passwords(text: str, words: str) -> None:
    with pytest.raises(ValueError, match=r"address|leads out") as caught:
        read_repository(text)
    assert words in str(caught.value)
    assert "s3cret" not in str(caught.value)


def test_only_a_whole_hash_is_a_commit() -> None:
    assert Repository("https://h/b", "A" * 40).commit == "a" * 40
    assert Repository("https://h/b", "a" * 64).commit == "a" * 64
    assert Repository("https://h/b", "a" * 39).commit is None
    assert Repository("https://h/b").commit is None


def test_words_are_what_people_call_a_reference() -> None:
    names = ("v1", "refs/tags/v1", "refs/heads/v1")
    assert {Repository("https://h/b", name).words for name in names} == {"v1"}


@pytest.mark.parametrize(("text", "expected"), [(None, None), (".", None), ("a//b/", "a/b"), ("./a", "a")])
def test_subdirectories_are_written_in_one_way(text: str | None, expected: str | None) -> None:
    assert subdirectory_of(text) == expected


def test_shows_an_address_without_whoever_logs_in() -> None:
    assert shown("git+https://u:p@h.example/a@v1") == "git+https://h.example/a@v1"
