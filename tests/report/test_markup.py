"""Text becomes markup in one place, and there it is escaped."""

from __future__ import annotations

import ast
from html.parser import HTMLParser
from pathlib import Path

import pytest

from bootstrap.report.markup import asset, brief, element, fragment

ROOT = Path(__file__).parent.parent.parent
HOSTILE = {
    "element": "<script>alert(1)</script>",
    "end of an attribute": '"\' onclick=alert(1) x="',
    "entity": "&lt;b&gt; &amp;",
    "comment": "<!-- --><![CDATA[",
    "unfinished": "<img src=x onerror=alert(1)",
}


class Read(HTMLParser):
    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_hostile_text_stays_text(text: str) -> None:
    read = Read(element("p", text, title=text).html)
    assert read.tags == [("p", {"title": text})]
    assert read.text == text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b[31mred", "\\x1b[31mred"),
        ("a\x00b\rc", "a\\x00b\\x0dc"),
        ("\u202egnp.exe", "\\u202egnp.exe"),
        ("\u2066in\u2069", "\\u2066in\\u2069"),
        ("half \udcff", "half \\udcff"),
        ("\ufeffmark\u2028line", "\\ufeffmark\\u2028line"),
        ("two\nlines\tand a tab", "two\nlines\tand a tab"),
        ("שלום, 日本, é", "שלום, 日本, é"),
    ],
    ids=["escape", "control", "turned around", "isolated", "half a character", "separators", "white space", "scripts"],
)
def test_what_eyes_would_obey_is_spelled_out(text: str, shown: str) -> None:
    html = element("p", text).html
    assert html == f"<p>{shown}</p>"
    html.encode("utf-8")


@pytest.mark.parametrize("name", ["script", "style", "p onclick=x", "P", "", "a>"])
def test_refuses_names_that_are_none_and_elements_that_hold_no_text(name: str) -> None:
    with pytest.raises(ValueError, match="no element"):
        element(name, "x")


def test_attributes() -> None:
    made = element("input", class_="a", data_value=0, aria_label="b", hidden=True, disabled=False, id=None)
    assert made.html == '<input class="a" data-value="0" aria-label="b" hidden>'


def test_children() -> None:
    inner = element("b", "1 < 2")
    assert fragment(("x", inner, None, "")).html == "x<b>1 &lt; 2</b>"
    assert element("p", inner, " & ", inner).html == f"<p>{inner.html} &amp; {inner.html}</p>"


def test_assets_are_named_by_their_hash() -> None:
    style = asset("style.css")
    assert style.source.startswith("'sha256-")
    assert style.markup.html.startswith("<style>")
    with pytest.raises(FileNotFoundError):
        asset("nothing.css")


@pytest.mark.parametrize("name", ["style.css", "script.js"])
def test_assets_cannot_end_their_element(name: str) -> None:
    text = (ROOT / "bootstrap" / "report" / name).read_text(encoding="utf-8")
    assert "</" not in text
    assert "<!--" not in text
    assert "\r" not in text


def test_says_how_much_was_left_out() -> None:
    assert brief("x" * 10_240, 3) == "xxx… (10240 characters)"
    assert brief("xxx", 3) == "xxx"


def test_nobody_else_makes_markup() -> None:
    makers = {path.name for path in (ROOT / "bootstrap").rglob("*.py") if "Markup" in _called(path)}
    assert makers == {"markup.py"}


def _called(path: Path) -> set[str]:
    calls = [node.func for node in ast.walk(ast.parse(path.read_bytes())) if isinstance(node, ast.Call)]
    return {getattr(each, "id", getattr(each, "attr", "")) for each in calls}
