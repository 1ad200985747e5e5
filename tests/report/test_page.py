"""The page is whole, safe and usable, whatever it is about."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from html.parser import HTMLParser

import pytest

from bootstrap.report.markup import asset
from bootstrap.report.page import page
from bootstrap.report.subject import Branch, Environment, Fact, Host, Package, Report
from profiles import Choice, Offer, Rejection

EVIL = "<script>alert('x')</script>\"' onload=alert(1) \u202e\x1b]0;\x07 </td></table><img src=http://127.0.0.1:9/>"
VOID = {"meta", "link", "input", "br", "hr", "col"}
GPU = Choice(
    Offer("cu126", "cu126"),
    "torch 2.14.1 with cu126 runs on it",
    (
        Rejection("cu132", "torch 2.14 has no cu132 build for linux_x86_64"),
        Rejection("cu128", "torch 2.14 has no cu128 build for linux_x86_64"),
        Rejection("cpu", "it is a build for the CPU, and cu126 uses the GPU"),
    ),
    "2.14.1",
    ("a warning",),
    ("NVIDIA driver 580 or newer would allow cu132",),
)
HOST = Host(
    "desk-1",
    "gpu",
    GPU,
    "",
    "ubuntu 24.04 x86_64",
    "NVIDIA T4",
    "535.1",
    ((Fact("cpu", "a CPU", "/proc/cpuinfo"),), (Fact("note", "one"), Fact("note", "two"))),
)
UNREAD = Host("desk-9", "unread", problem="desk-9.json: is no machine")
NOTHING = Host("desk-8", "nothing", problem="no build can be installed\nname one with `--variant`", system="alpine")
PLACE = Environment(
    "/project/.venv",
    "changed",
    changes="added stowaway 1",
    generation="torch-2.6.0",
    offer="cpu",
    python="3.12.1",
    torch="2.6.0",
    warnings=("a GPU has nothing to do; `torchstrap choose` says why",),
    packages=(
        Package("torch", "2.6.0+cpu", 900_000_000, "torch.whl from https://index", is_family=True),
        Package("small", "1", 10, "", is_family=False),
        Package("bare", "1", None, "", is_family=False),
    ),
    branches=(
        Branch("app", "1", is_family=False, depth=0),
        Branch("torch", "2.6.0", is_family=True, depth=1),
        Branch("small", "1", is_family=False, depth=2),
        Branch("torch", "2.6.0", is_family=True, depth=1, again=True),
        Branch("bare", "1", is_family=False, depth=0),
    ),
    phases={"resolve": 0.25, "fetch": 1.0},
)
LAB = Report("3 machines", "today", "0.1.0", "/project", "3.12", (HOST, UNREAD, NOTHING), {"cu126": ("desk-1",)})
ONE = Report("desk-1", "today", "0.1.0", "/project", "3.12", (HOST,), environment=PLACE)


def evil() -> Report:
    """The same words, all of them hostile."""
    choice = Choice(Offer(EVIL, EVIL), EVIL, (Rejection(EVIL, EVIL),), EVIL, (EVIL,), (EVIL,))
    hosts = (
        Host(EVIL, "gpu", choice, "", EVIL, EVIL, EVIL, ((Fact(EVIL, EVIL, EVIL),),)),
        Host(f"{EVIL}2", "unread", problem=EVIL),
        Host("x" * 10_240, "nothing", problem="y" * 10_240, gpus="z" * 10_240),
    )
    place = Environment(
        *(EVIL,) * 7,
        warnings=(EVIL,),
        packages=(Package(EVIL, EVIL, 1, EVIL, is_family=True),),
        branches=(Branch(EVIL, EVIL, is_family=False, depth=0),),
        phases={EVIL: 1.0},
    )
    return Report(EVIL, EVIL, EVIL, EVIL, EVIL, hosts, {EVIL: (EVIL,)}, place)


class Outline(HTMLParser):
    """The elements of a page; every end belongs to the last beginning."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.words: list[str] = []
        self.content: dict[str, str] = {}
        self.feed(html)
        self.close()
        assert not self.open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert len(attrs) == len(dict(attrs))
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] in {"script", "style"}:
            self.content[self.open[-1]] = data
        else:
            self.words.append(data)

    def of(self, name: str) -> list[dict[str, str | None]]:
        return [attributes for tag, attributes in self.elements if tag == name]

    @property
    def text(self) -> str:
        return re.sub(r"\s+", " ", "".join(self.words))


PAGES = {"lab": LAB, "one": ONE, "evil": evil(), "nothing known": replace(LAB, hosts=(UNREAD,), offers={})}
every_page = pytest.mark.parametrize("report", PAGES.values(), ids=PAGES)


@every_page
def test_elements_end_where_they_should_and_have_their_own_names(report: Report) -> None:
    outline = Outline(page(report))
    names = [each["id"] for _, each in outline.elements if "id" in each]
    assert len(names) == len(set(names))


@every_page
def test_links_lead_to_a_place_on_the_page(report: Report) -> None:
    outline = Outline(page(report))
    names = {each["id"] for _, each in outline.elements if "id" in each}
    links = [each["href"] or "" for each in outline.of("a")]
    assert links
    for link in links:
        assert link.startswith("#filter=computes%3A") or link[1:] in names


@every_page
def test_everything_is_told_to_those_who_do_not_see(report: Report) -> None:
    outline = Outline(page(report))
    tags = [tag for tag, _ in outline.elements]
    assert tags.count("h1") == tags.count("main") == 1
    assert outline.of("html") == [{"lang": "en"}]
    assert tags.count("caption") == tags.count("table")
    assert all(each.get("scope") in {"col", "row"} for each in outline.of("th"))
    titles = {each.get("id") for each in outline.of("h2")}
    assert {each["aria-labelledby"] for each in outline.of("section")} == titles
    assert all(each["aria-hidden"] == "true" for each in outline.of("svg"))
    fields = {each["id"] for each in outline.of("input")}
    assert fields == {each["for"] for each in outline.of("label")}
    assert outline.of("a")[0] == {"class": "skip", "href": "#content"}


@every_page
def test_admits_its_own_style_and_script_and_nothing_else(report: Report) -> None:
    outline = Outline(page(report))
    (policy,) = [each["content"] or "" for each in outline.of("meta") if "http-equiv" in each]
    rules = dict(each.strip().split(" ", 1) for each in policy.split(";"))
    assert rules["default-src"] == rules["base-uri"] == rules["form-action"] == "'none'"
    assert rules["style-src"] == asset("style.css").source
    assert rules["script-src"] == asset("script.js").source
    assert f"<script>{outline.content['script']}</script>" == asset("script.js").markup.html
    assert f"<style>{outline.content['style']}</style>" == asset("style.css").markup.html
    assert [tag for tag, _ in outline.elements].count("script") == 1
    assert not outline.of("img")
    assert outline.of("link") == [{"rel": "icon", "href": "data:,"}]


@every_page
def test_nothing_is_styled_or_scripted_from_within(report: Report) -> None:
    for _, attributes in Outline(page(report)).elements:
        assert not [name for name in attributes if name == "style" or name.startswith("on") or "src" in name]


def test_hostile_words_are_shown_as_they_are() -> None:
    outline = Outline(page(PAGES["evil"]))
    assert "<script>alert('x')</script>\"' onload=alert(1) \\u202e\\x1b]0;\\x07 </td>" in outline.text
    assert "… (10240 characters)" in outline.text
    assert not [character for character in page(PAGES["evil"]) if character in "\u202e\x1b\x07"]


def test_says_what_every_machine_takes_and_why() -> None:
    text = Outline(page(LAB)).text
    for words in ("desk-1", "ubuntu 24.04 x86_64", "NVIDIA T4", "535.1", "torch 2.14.1 with cu126 runs on it"):
        assert words in text
    assert "NVIDIA driver 580 or newer would allow cu132" in text
    assert "desk-9.json: is no machine" in text
    assert "no build can be installed" in text


def test_says_the_same_reason_once() -> None:
    text = Outline(page(LAB)).text
    assert text.count("torch 2.14 has no such build for linux_x86_64") == 1
    assert "cu132, cu128torch 2.14 has no such build" in text


def test_machines_with_the_same_answer_share_it() -> None:
    hosts = (*(replace(HOST, name=f"desk-{number}") for number in range(40)), UNREAD)
    outline = Outline(page(replace(LAB, hosts=hosts)))
    assert [each["id"] for each in outline.of("details") if "id" in each] == ["answer-1", "answer-2"]
    assert "40 machines take cu126" in outline.text


def test_tells_of_the_environment() -> None:
    text = Outline(page(ONE)).text
    for words in (
        "changed by hand",
        "added stowaway 1",
        "cpu; what would be chosen for this machine is cu126",
        "took 1.25 s",
        "fetch and unpack1.00 s",
        "900 MB of 900 MB",
        "torch family",
        "see above",
        "a GPU has nothing to do; torchstrap choose says why",
    ):
        assert words in text


def test_bars_are_as_long_as_their_numbers() -> None:
    outline = Outline(page(ONE))
    bars = [each["width"] for each in outline.of("rect") if each["class"] == "filled"]
    assert bars == ["25.00%", "100.00%", "100.00%", "0.00%", "0.00%"]


def test_the_tree_has_the_depths_of_its_branches() -> None:
    html = page(ONE)
    tree = html[html.index('<ul class="tree">') :]
    assert list(_depths(tree)) == [("app", 1), ("torch", 2), ("small", 3), ("torch", 2), ("bare", 1)]


def _depths(html: str) -> Iterator[tuple[str, int]]:
    depth = 0
    for tag, name in re.findall(r"<(/?ul|bdi)[^>]*>([a-z]*)", html):
        depth += {"ul": 1, "/ul": -1}.get(tag, 0)
        if tag == "bdi" and name:
            yield name, depth
        if depth == 0 and tag == "/ul":
            return


def test_is_the_same_for_the_same_values() -> None:
    assert page(LAB) == page(LAB)
