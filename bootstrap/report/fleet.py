"""Machines: what each is, which offer it takes and why, which it does not take and what would change that.

tiles     how many compute on what                     each a link that filters the table
offers    the fewest that serve all                    offer ── its machines
machines  one row each                                 row ──> answer
answers   reason, what was not taken, what would help  said once for all machines of which the same is to be said
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from urllib.parse import quote

from bootstrap.report.markup import Markup, brief, element, fragment
from bootstrap.report.pieces import MISSING, Column, bar, chip, count, facts_list, outside, section, sentence, table
from bootstrap.report.subject import Fact, Host, Kind
from profiles import Choice, Rejection

__all__ = [
    "Answers",
    "answers_of",
    "answers_section",
    "machine_sections",
    "machines_section",
    "offers_section",
    "tiles",
]

_NAME, _WORDS, _SENTENCE = 80, 160, 1500
"""Characters that are shown of names, of facts in a row, and of sentences."""
_KINDS: Mapping[Kind, tuple[str, str]] = {
    "gpu": ("GPU", "compute on the GPU"),
    "idle": ("CPU, GPU idle", "have a GPU that stays idle"),
    "cpu": ("CPU", "have no GPU to compute on"),
    "nothing": ("nothing", "can install nothing"),
    "unread": ("not known", "could not be read"),
}
_BUILD = re.compile(r"\bno (\S+) build\b")
_COLUMNS = (
    Column("machine", "Machine"),
    Column("system", "System"),
    Column("gpus", "GPUs"),
    Column("driver", "NVIDIA driver"),
    Column("takes", "Takes"),
    Column("torch", "torch"),
    Column("computes", "Computes on"),
    Column("why", "Why"),
)

Answers = Mapping[tuple[Choice | None, str], Sequence[Host]]
"""Hosts by what is said of them: the choice, or the problem. The most common answer first."""


def answers_of(hosts: Sequence[Host]) -> Answers:
    """The hosts, grouped."""
    groups: dict[tuple[Choice | None, str], list[Host]] = {}
    for host in hosts:
        groups.setdefault((host.choice, host.problem), []).append(host)
    return dict(sorted(groups.items(), key=lambda each: -len(each[1])))


def tiles(hosts: Sequence[Host]) -> Markup:
    """How many machines compute on what."""
    found = Counter(host.kind for host in hosts)
    shown = [
        element(
            "li",
            element(
                "a",
                element("strong", str(found[kind])),
                " ",
                element("span", words),
                href=f"#filter={quote(f'computes:{kind}')}",
                class_=f"tile {kind}",
            ),
        )
        for kind, (_, words) in _KINDS.items()
        if found[kind]
    ]
    return element("ul", *shown, class_="tiles", aria_label="Machines by what they compute on")


def offers_section(hosts: Sequence[Host], offers: Mapping[str, tuple[str, ...]]) -> Markup:
    """The smallest set, and who takes which."""
    best = len({host.choice.offer.name for host in hosts if host.choice})
    sentence = (
        f"Each with its best, the machines take {count(best, 'offer')}. "
        f"{len(offers)} {'is' if len(offers) == 1 else 'are'} enough for as many GPUs to work."
    )
    columns = (
        Column("offer", "Offer"),
        Column("count", "Machines", is_number=True),
        Column("share", "Share"),
        Column("names", "Which"),
    )
    most = max(map(len, offers.values()), default=1)
    rows = [
        element(
            "tr",
            element("th", element("code", brief(name, _NAME)), scope="row"),
            element("td", str(len(taken)), class_="number", data_value=len(taken)),
            element("td", bar(len(taken) / most), data_value=len(taken)),
            element("td", _names(taken)),
        )
        for name, taken in sorted(offers.items(), key=lambda each: -len(each[1]))
    ]
    return section(
        "offers",
        "The fewest offers for all",
        element("p", sentence),
        table("fewest", "The fewest offers, and the machines that take each", columns, rows),
    )


def machines_section(hosts: Sequence[Host], answers: Answers) -> Markup:
    """Every machine as a row."""
    numbers = {key: number for number, key in enumerate(answers, 1)}
    rows = [_row(host, numbers[host.choice, host.problem]) for host in hosts]
    tools = element(
        "div",
        element("label", "Filter", for_="filter"),
        element("input", id="filter", type="search", autocomplete="off", spellcheck="false", aria_describedby="how"),
        element("output", count(len(hosts), "machine"), id="shown", for_="filter"),
        element(
            "p",
            "Words that a row must have; ",
            element("code", "driver:535"),
            " looks in one column. A click on a heading sorts. The address keeps both.",
            id="how",
        ),
        class_="tools",
        hidden=True,
    )
    return section("machines", "Machines", tools, table("fleet", "All machines", _COLUMNS, rows, kind="fleet"))


def _row(host: Host, answer: int) -> Markup:
    label, _ = _KINDS[host.kind]
    choice = host.choice
    offer = element("code", brief(choice.offer.name, _NAME)) if choice else MISSING
    reason = choice.reason if choice else host.problem
    return element(
        "tr",
        element("th", outside(host.name, _NAME), scope="row"),
        element("td", outside(host.system or MISSING, _WORDS)),
        element("td", outside(host.gpus or MISSING, _WORDS)),
        element("td", outside(host.driver or MISSING, _NAME), class_="version"),
        element("td", offer),
        element("td", (choice.torch if choice else None) or MISSING, class_="version"),
        element("td", chip(label, host.kind), data_value=host.kind),
        element(
            "td",
            sentence(reason.partition("\n")[0], 2 * _WORDS),
            " ",
            element("a", f"answer {answer}", href=f"#answer-{answer}"),
            class_="why",
        ),
    )


def answers_section(answers: Answers) -> Markup:
    """Every answer, with the machines that it is for."""
    parts = [_folded(number, *each) for number, each in enumerate(answers.items(), 1)]
    said = f"{count(len(answers), 'answer')}: machines of which the same is to be said share one."
    return section("answers", "Why, and what would change it", element("p", said), *parts)


def _folded(number: int, key: tuple[Choice | None, str], hosts: Sequence[Host]) -> Markup:
    choice, problem = key
    taken = element("code", brief(choice.offer.name, _NAME)) if choice else "nothing"
    first = problem.partition("\n")[0] if choice is None else choice.reason
    title = element(
        "summary",
        element("span", f"{number}. ", class_="number"),
        element("span", count(len(hosts), "machine"), " takes " if len(hosts) == 1 else " take ", taken, ": "),
        outside(first, 2 * _WORDS),
    )
    return element(
        "details",
        title,
        element("div", answer(choice, problem, said=first), _machines_of(hosts), class_="answer"),
        id=f"answer-{number}",
    )


def machine_sections(host: Host) -> Markup:
    """One machine alone: its facts and its answer, nothing folded."""
    label, _ = _KINDS[host.kind]
    choice = host.choice
    headline = element(
        "p",
        chip(label, host.kind),
        " ",
        element("strong", element("code", brief(choice.offer.name, _NAME)) if choice else "No offer fits"),
        f", torch {choice.torch}" if choice and choice.torch else None,
        class_="headline",
    )
    parts = [section("choice", "What it takes", headline, answer(choice, host.problem))]
    if host.facts:
        parts.append(section("machine", "What it is", *(facts_list(group) for group in host.facts)))
    return fragment(parts)


def answer(choice: Choice | None, problem: str, said: str = "") -> Markup:
    """The reason, what to watch out for, what would change it, and why each other offer was not taken.

    `said` has been said above, and is not repeated where it was short enough to be whole there.
    """
    lines = problem.splitlines() if choice is None else [choice.reason]
    reasons = (element("p", sentence(line, _SENTENCE)) for line in lines if line != said or len(line) > 2 * _WORDS)
    if choice is None:
        return fragment(reasons)
    return fragment(
        (
            *reasons,
            _sentences("To know", choice.warnings),
            _sentences("What would change it", choice.changes),
            _rejected(choice),
        )
    )


def _sentences(title: str, several: Sequence[str]) -> Markup | None:
    if not several:
        return None
    items = (element("li", sentence(each, _SENTENCE)) for each in several)
    return fragment((element("h3", title), element("ul", *items)))


def _rejected(choice: Choice) -> Markup | None:
    """Offers with the same reason stand together."""
    alike: dict[str, list[str]] = {}
    for each in choice.rejected:
        alike.setdefault(_unnamed(each), []).append(each.offer)
    if not alike:
        return None
    terms = (
        part
        for reason, offers in alike.items()
        for part in (
            element("dt", *_separated([element("code", brief(each, _NAME)) for each in offers])),
            element("dd", sentence(reason, _SENTENCE)),
        )
    )
    return fragment((element("h3", "Not taken"), element("dl", *terms, class_="facts")))


def _unnamed(rejection: Rejection) -> str:
    """The reason without the offer's own name, which stands beside it, so that more of them are the same."""
    found = _BUILD.search(rejection.reason)
    if found is None or found[1].replace(".", "-") != rejection.offer.replace(".", "-"):
        return rejection.reason
    return f"{rejection.reason[: found.start(1)]}such{rejection.reason[found.end(1) :]}"


def _separated(several: Sequence[Markup]) -> Iterator[Markup | str]:
    for number, each in enumerate(several):
        yield ", " if number else ""
        yield each


def _machines_of(hosts: Sequence[Host]) -> Markup:
    """The machines of an answer; those of which the same is known share their facts."""
    alike: dict[tuple[tuple[Fact, ...], ...], list[str]] = {}
    for host in hosts:
        alike.setdefault(host.facts, []).append(host.name)
    several = (
        element(
            "details",
            element("summary", _listed(names)),
            *(facts_list(group) for group in facts),
            class_="facts-of",
        )
        if facts
        else element("p", _listed(names))
        for facts, names in alike.items()
    )
    return fragment((element("h3", "Machines"), *several))


_LISTED = 12
"""Machines that are named before the rest is folded away."""


def _names(names: Sequence[str]) -> Markup:
    if len(names) <= _LISTED:
        return _listed(names)
    first = element("summary", _listed(names[:_LISTED]), f" and {len(names) - _LISTED} more")
    return element("details", first, _listed(names[_LISTED:]), class_="more")


def _listed(names: Sequence[str]) -> Markup:
    """Names in a row; a comma is not torn from the name before it."""
    *others, last = names
    parts = [part for each in others for part in (element("span", outside(each, _NAME), ","), " ")]
    return element("span", *parts, element("span", outside(last, _NAME)), class_="names")
