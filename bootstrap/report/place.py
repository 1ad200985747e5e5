"""The environment of a project: its state, how long its sync took, how large its packages are, what needs what."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from bootstrap.report.markup import Markup, element, fragment
from bootstrap.report.pieces import MISSING, Column, bar, chip, count, facts_list, outside, section, sentence, table
from bootstrap.report.subject import Branch, Environment, Fact, Package
from bootstrap.wheels.disk import size_text

__all__ = ["environment_sections"]

_NAME, _PLACE, _SENTENCE = 120, 300, 1500
_STATES: Mapping[str, tuple[str, str, str]] = {
    "sound": ("as built", "gpu", "Every package is as it was built; torch imported and computed then."),
    "unproven": ("not tried", "idle", "Built with --no-verify: nobody has tried whether torch works in it."),
    "changed": ("changed by hand", "idle", "The next sync builds it again from the lock."),
    "distrusted": ("damaged", "nothing", "`torchstrap verify` found other bytes; the next sync builds it again."),
    "foreign": ("not ours", "unread", "What stands there was not made by torchstrap."),
    "none": ("not there", "unread", "`torchstrap sync` makes it."),
}
_PHASES: Mapping[str, str] = {
    "start": "read project and lock",
    "probe": "look at the machine",
    "resolve": "resolve",
    "fetch": "fetch and unpack",
    "build": "build from source",
    "link": "install",
    "verify": "verify and try torch",
    "wait": "wait for others",
    "other": "the rest",
}


def environment_sections(environment: Environment, chosen: str) -> Markup:
    """All that is known of it; what is not known has no section. `chosen` is the offer that would be taken now."""
    parts = [_state(environment, chosen)]
    if environment.phases:
        parts.append(_phases(environment.phases))
    if environment.packages:
        parts.append(_packages(environment.packages))
    if environment.branches:
        parts.append(_tree(environment.branches))
    return fragment(parts)


def _state(environment: Environment, chosen: str) -> Markup:
    word, kind, meaning = _STATES.get(environment.state, (environment.state, "unread", ""))
    sizes = [each.size for each in environment.packages if each.size is not None]
    told = {
        "path": environment.path,
        "generation": environment.generation,
        "offer": _offer(environment.offer, chosen),
        "torch": environment.torch,
        "python": environment.python,
        "packages": f"{len(environment.packages)}, {size_text(sum(sizes))}" if environment.packages else "",
        "changes": environment.changes,
    }
    warnings = [element("li", sentence(each, _SENTENCE)) for each in environment.warnings]
    return section(
        "environment",
        "The environment",
        element("p", chip(word, kind), " ", sentence(meaning, _SENTENCE), class_="headline"),
        facts_list(Fact(label, value) for label, value in told.items() if value),
        element("h3", "What its sync warned of") if warnings else None,
        element("ul", *warnings) if warnings else None,
    )


def _offer(taken: str, chosen: str) -> str:
    return f"{taken}; what would be chosen for this machine is {chosen}" if taken and chosen != taken else taken


def _phases(phases: Mapping[str, float]) -> Markup:
    whole, longest = sum(phases.values()), max(phases.values())
    columns = (Column("phase", "Phase"), Column("time", "Time", is_number=True), Column("share", "Share"))
    rows = [
        element(
            "tr",
            element("th", _PHASES.get(name, name), scope="row"),
            element("td", _seconds(seconds), class_="number", data_value=f"{seconds:.3f}"),
            element("td", bar(seconds / longest if longest else 0), data_value=f"{seconds:.3f}", class_="chart"),
        )
        for name, seconds in phases.items()
    ]
    said = f"The sync that built it took {_seconds(whole)}."
    return section(
        "phases",
        "How long its sync took",
        element("p", said),
        table("phase-table", "Phases of the sync, in their order", columns, rows, kind="narrow"),
    )


def _packages(packages: Sequence[Package]) -> Markup:
    largest = max((each.size or 0 for each in packages), default=0)
    columns = (
        Column("package", "Package"),
        Column("version", "Version"),
        Column("size", "Size", is_number=True),
        Column("share", "Share"),
        Column("origin", "Came from"),
    )
    ordered = sorted(packages, key=lambda each: (-(each.size or 0), each.name))
    rows = [
        element(
            "tr",
            element("th", _named(each.name, is_family=each.is_family), scope="row"),
            element("td", outside(each.version, _NAME), class_="version"),
            element(
                "td", MISSING if each.size is None else size_text(each.size), class_="number", data_value=each.size or 0
            ),
            element("td", bar((each.size or 0) / largest if largest else 0), class_="chart", data_value=each.size or 0),
            element("td", outside(each.origin or MISSING, _PLACE), class_="origin"),
        )
        for each in ordered
    ]
    family = sum(each.size or 0 for each in packages if each.is_family)
    said = (
        f"{count(len(packages), 'package')}; the torch family is {size_text(family)} of {size_text(_whole(packages))}."
    )
    return section(
        "packages",
        "Packages",
        element("p", said),
        table("package-table", "Packages by size, as their RECORD lists their files", columns, rows),
    )


def _whole(packages: Sequence[Package]) -> int:
    return sum(each.size or 0 for each in packages)


def _tree(branches: Sequence[Branch]) -> Markup:
    remaining = iter([*branches, Branch("", "", is_family=False, depth=-1)])
    items, _ = _level(remaining, next(remaining), 0)
    said = "A package that several need is unfolded where it stands first."
    return section("tree", "What needs what", element("p", said), element("ul", *items, class_="tree"))


def _level(remaining: Iterator[Branch], first: Branch, depth: int) -> tuple[list[Markup], Branch]:
    """The items of one depth from `first` on, and the branch that is behind them."""
    items: list[Markup] = []
    while first.depth >= depth:
        this, below = first, list[Markup]()
        first = next(remaining)
        if first.depth > depth:
            below, first = _level(remaining, first, depth + 1)
        label = fragment(
            (
                _named(this.name, is_family=this.is_family),
                " ",
                element("span", outside(this.version, _NAME), class_="version"),
                element("small", " see above") if this.again else None,
            )
        )
        if below:
            items.append(element("li", element("details", element("summary", label), element("ul", *below), open=True)))
        else:
            items.append(element("li", label))
    return items, first


def _named(name: str, *, is_family: bool) -> Markup:
    mark = chip("torch family", "family") if is_family else None
    return element("span", outside(name, _NAME), " " if mark else None, mark)


def _seconds(amount: float) -> str:
    """One unit for all, so that the numbers of a column can be compared."""
    return f"{amount:.2f} s"
