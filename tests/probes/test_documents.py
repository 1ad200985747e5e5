"""JSON from outside means what it says or nothing, and what it says can be written."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from probes.documents import parse_document, writable


@pytest.mark.parametrize(
    "text",
    ["", "{", "nan", "[" * 100_000, "9" * 5000, '{"a": }', "\ufeff[]"],
    ids=["empty", "cut", "word", "deep", "long", "hole", "mark"],
)
def test_a_text_that_means_nothing_is_none(text: str) -> None:
    assert parse_document(text) is None


@pytest.mark.parametrize(
    ("text", "value"),
    [
        (r'"\ud800"', "?"),
        (r'{"\uDFFF": ["a\ud83d"]}', {"?": ["a?"]}),
        (r'"\ud83d\ude00"', "\U0001f600"),
        (r'"\\ud800"', "\\ud800"),
    ],
    ids=["half", "inside", "whole", "no-escape"],
)
def test_half_a_character_becomes_a_question_mark(text: str, value: Any) -> None:
    assert parse_document(text) == value


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    ),
    st.booleans(),
)
def test_what_can_be_written_is_read_back(value: Any, ascii_only: bool) -> None:
    assert parse_document(json.dumps(value, ensure_ascii=ascii_only)) == value


@given(st.text(st.characters(categories=None)))
def test_every_text_can_be_written(text: str) -> None:
    written = writable(text)
    assert written.encode().decode() == written
    assert len(written) == len(text)
    assert writable(written) == written
