"""The page: one file without requests, whose Content-Security-Policy admits our style and our script and nothing else.

The policy names both by their hashes. Nothing that a machine said is ever inside of them: data are in the tables only.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from bootstrap.report.fleet import (
    answers_of,
    answers_section,
    machine_sections,
    machines_section,
    offers_section,
    tiles,
)
from bootstrap.report.markup import Markup, asset, brief, document, element
from bootstrap.report.pieces import count, outside
from bootstrap.report.place import environment_sections
from bootstrap.report.subject import Report

__all__ = ["page"]

_TITLE = 160
"""Characters of what the page is about."""


def page(report: Report) -> str:
    """The text of the page; it holds no half characters and so can be written as UTF-8."""
    style, script = asset("style.css"), asset("script.js")
    policy = (
        f"default-src 'none'; style-src {style.source}; script-src {script.source}; img-src data:; "
        "base-uri 'none'; form-action 'none'"
    )
    title = brief(report.title, _TITLE)
    head = element(
        "head",
        element("meta", charset="utf-8"),
        element("meta", http_equiv="Content-Security-Policy", content=policy),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("meta", name="color-scheme", content="light dark"),
        element("meta", name="referrer", content="no-referrer"),
        element("meta", name="generator", content=f"torchstrap {report.program}"),
        element("title", f"{title} · torchstrap"),
        element("link", rel="icon", href="data:,"),
        style.markup,
    )
    parts = tuple(_sections(report))
    body = element(
        "body",
        element("a", "Skip to the content", href="#content", class_="skip"),
        _header(report, title, [(name, words) for name, words, _ in parts if words]),
        element("main", *(part for _, _, part in parts), id="content", tabindex=-1),
        element("footer", element("p", f"Made by torchstrap {report.program}. This file asks nobody for anything.")),
        script.markup,
    )
    return document("en", head, body)


def _header(report: Report, title: str, contents: Sequence[tuple[str, str]]) -> Markup:
    facts = (report.project, f"for Python {report.python}" if report.python else "", report.moment)
    said = [element("li", outside(each, _TITLE)) for each in facts if each]
    links = [element("li", element("a", words, href=f"#{name}")) for name, words in contents]
    return element(
        "header",
        element("h1", outside(title, _TITLE)),
        element("ul", *said, class_="said"),
        element("nav", element("ul", *links), aria_label="Parts of this page") if len(links) > 1 else None,
    )


def _sections(report: Report) -> Iterator[tuple[str, str, Markup]]:
    """Identity, words for the table of contents, and the parts themselves."""
    hosts = report.hosts
    if len(hosts) == 1:
        yield "choice", "Choice", machine_sections(hosts[0])
    elif hosts:
        answers = answers_of(hosts)
        yield "content", "", tiles(hosts)
        if report.offers:
            yield "offers", "Fewest offers", offers_section(hosts, report.offers)
        yield "machines", count(len(hosts), "machine"), machines_section(hosts, answers)
        yield "answers", "Why", answers_section(answers)
    if report.environment is not None:
        yield "environment", "Environment", environment_sections(report.environment, _chosen(report))


def _chosen(report: Report) -> str:
    return next((host.choice.offer.name for host in report.hosts if host.choice), "")
