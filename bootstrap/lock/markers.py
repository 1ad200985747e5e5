"""For which selections a package is installed, as a short marker that is exact for everything that was locked.

A locked selection is a cell of a grid with four axes, plus any set of further extras and groups:

    python_version, sys_platform, platform_machine, offer

A package occupies some cells, each either always or for certain roots only. Its cells are covered by boxes (a set of
values per axis) that touch no cell in which it must not be; cells that nobody locked are free, so boxes grow over them
until most axes are full and need no words. `environments` of the lock keeps unlocked environments out.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import permutations

from bootstrap.errors import BootstrapError
from bootstrap.lock.model import ALWAYS, Lock, python_key
from bootstrap.resolver.resolution import Resolution

__all__ = ["Cell", "Grid", "cell_of", "environments", "grid", "marker", "relevant_roots"]

Cell = tuple[str, str, str, str]
Box = tuple[frozenset[str], ...]

PYTHON, SYSTEM, MACHINE, OFFER = range(4)
VARIABLES = ("python_version", "sys_platform", "platform_machine")


@dataclass(frozen=True, slots=True)
class Grid:
    """The cells that are locked, the values on each axis, and the roots that switch each offer on."""

    cells: frozenset[Cell]
    axes: Box
    switches: Mapping[str, frozenset[str]]
    covers: dict[tuple[frozenset[Cell], frozenset[Cell]], tuple[Box, ...]] = field(default_factory=dict)


def cell_of(resolution: Resolution) -> Cell:
    """Where a resolution lies. Raises BootstrapError if its target does not say on which system it is."""
    markers = resolution.target.markers
    try:
        system, machine = markers["sys_platform"], markers["platform_machine"]
    except KeyError as error:
        message = f"The target {resolution.target.platform} has no marker {error}, so no lock can be written for it."
        raise BootstrapError(message) from None
    return (resolution.target.python_minor, system, machine, resolution.offer)


def grid(lock: Lock) -> Grid:
    """The grid of a lock. Raises BootstrapError if no marker can tell two of its resolutions apart."""
    cells: dict[Cell, Resolution] = {}
    for resolution in lock.resolutions:
        if resolution.offer and lock.offer(resolution.offer) is None:
            raise BootstrapError(f"The lock has a resolution for {resolution.offer!r}, which it does not offer.")
        other = cells.setdefault(cell_of(resolution), resolution)
        if other is not resolution:
            message = (
                f"No marker tells {other.target.platform} from {resolution.target.platform} "
                f"(Python {resolution.target.python_minor}): lock them into two files."
            )
            raise BootstrapError(message)
    axes = tuple(frozenset(cell[axis] for cell in cells) for axis in range(4))
    return Grid(frozenset(cells), axes, {name: lock.offer_switches(name) for name in axes[OFFER]})


def relevant_roots(lock: Lock, offer: str, wanted_by: Collection[str]) -> frozenset[str]:
    """The roots that reach a pin in the resolution of one offer, aliases included.

    The offer's own root means always, since the resolution is taken only with it; another offer's root means never.
    """
    own = lock.offer_switches(offer)
    others = frozenset[str]().union(*(lock.offer_switches(each.name) for each in lock.offers)) - own
    main = next((root for root in own if root.partition(":")[2] == offer), None)
    if ALWAYS in wanted_by or not wanted_by or main in wanted_by:
        return frozenset({ALWAYS})
    return frozenset(switch for root in wanted_by for switch in lock.switches(root)) - others


def marker(wanted: Mapping[Cell, frozenset[str]], grid: Grid) -> str:
    """The marker of a package that each cell wants for these roots; "" if it is in every locked selection."""
    always = frozenset(cell for cell, roots in wanted.items() if ALWAYS in roots)
    if always == grid.cells:
        return ""
    terms = [_box_terms(box, grid) for box in _cover(always, always, grid)]
    for cells, roots in _by_cells(wanted, always).items():
        choice = _any(_selected(root) for root in sorted(roots))
        terms += [[*_box_terms(box, grid), choice] for box in _cover(cells, always | cells, grid)]
    return _any(_all(term) for term in terms)


def environments(cells: Iterable[Cell]) -> tuple[str, ...]:
    """Markers that hold exactly in the environments of these cells, one per platform where Pythons are in a row."""
    pythons: dict[tuple[str, str], set[str]] = {}
    for cell in cells:
        pythons.setdefault((cell[SYSTEM], cell[MACHINE]), set()).add(cell[PYTHON])
    return tuple(
        f"sys_platform == '{system}' and platform_machine == '{machine}' and {span}"
        for (system, machine), versions in sorted(pythons.items())
        for span in _python_spans(sorted(versions, key=python_key))
    )


def _by_cells(wanted: Mapping[Cell, frozenset[str]], always: frozenset[Cell]) -> dict[frozenset[Cell], list[str]]:
    """Roots that reach the package in the same cells, together."""
    cells: dict[str, set[Cell]] = {}
    for cell in wanted.keys() - always:
        for root in wanted[cell]:
            cells.setdefault(root, set()).add(cell)
    together: dict[frozenset[Cell], list[str]] = {}
    for root in sorted(cells):
        together.setdefault(frozenset(cells[root]), []).append(root)
    return together


def _cover(wanted: frozenset[Cell], allowed: frozenset[Cell], grid: Grid) -> tuple[Box, ...]:
    """Boxes that hold every wanted cell and none that is locked but not allowed; greedy."""
    if (wanted, allowed) not in grid.covers:
        boxes: list[Box] = []
        left = set(wanted)
        while left:
            grown = {_grown(min(left), order, grid.cells - allowed, grid) for order in ORDERS}
            candidates = grown | {_shrunk(box, left, grid) for box in grown}
            best = min(candidates, key=lambda box: _cost(box, left, grid))
            boxes.append(best)
            left = {cell for cell in left if not _inside(cell, best)}
        grid.covers[wanted, allowed] = tuple(boxes)
    return grid.covers[wanted, allowed]


ORDERS = tuple(permutations(range(4)))


def _grown(seed: Cell, order: Sequence[int], forbidden: frozenset[Cell], grid: Grid) -> Box:
    """The box around a cell, grown along one axis after the other until a forbidden cell stops it."""
    box: list[frozenset[str]] = [frozenset({value}) for value in seed]
    for axis in order:
        across = [*box[:axis], grid.axes[axis], *box[axis + 1 :]]
        box[axis] = grid.axes[axis] - {cell[axis] for cell in forbidden if _inside(cell, across)}
    return tuple(box)


def _shrunk(box: Box, left: Collection[Cell], grid: Grid) -> Box:
    """The box without the values that only free cells brought, on those axes that need words anyway."""
    inside = [cell for cell in left if _inside(cell, box)]
    return tuple(
        values if values == grid.axes[axis] else frozenset(cell[axis] for cell in inside)
        for axis, values in enumerate(box)
    )


def _inside(cell: Cell, box: Sequence[frozenset[str]]) -> bool:
    return all(value in values for value, values in zip(cell, box, strict=True))


def _cost(box: Box, left: Collection[Cell], grid: Grid) -> tuple[int, int, int, int, list[list[str]]]:
    """What covers more is better, then what says less, then what says it without "not"."""
    covered = sum(_inside(cell, box) for cell in left)
    text = _all(_box_terms(box, grid))
    conditions = text.count(" and ") + text.count(" or ")
    negations = text.count(" not ") + text.count("!=")
    return (-covered, conditions, negations, len(text), [sorted(values) for values in box])


def _box_terms(box: Box, grid: Grid) -> list[str]:
    """One condition per axis that is not full."""
    terms = [_offer_term(box[OFFER], grid)] if box[OFFER] != grid.axes[OFFER] else []
    narrow = (axis for axis in (SYSTEM, MACHINE, PYTHON) if box[axis] != grid.axes[axis])
    return [*terms, *(_value_term(axis, box[axis], grid.axes[axis]) for axis in narrow)]


def _offer_term(offers: frozenset[str], grid: Grid) -> str:
    """Exactly one offer or none is taken, so a set that holds "none" is said by what must not be taken."""
    if ALWAYS in offers:
        others = sorted({root for name in grid.axes[OFFER] - offers for root in grid.switches[name]})
        return _all(_selected(root, "not in") for root in others)
    return _any(_selected(root) for root in sorted({root for name in offers for root in grid.switches[name]}))


def _value_term(axis: int, values: frozenset[str], every: frozenset[str]) -> str:
    if axis == PYTHON:
        ordered = sorted(every, key=python_key)
        if values == set(ordered[: len(values)]):
            return f"python_version < '{ordered[len(values)]}'"
        if values == set(ordered[-len(values) :]):
            return f"python_version >= '{ordered[-len(values)]}'"
    if len(every - values) < len(values):
        return _all(f"{VARIABLES[axis]} != '{value}'" for value in sorted(every - values))
    return _any(f"{VARIABLES[axis]} == '{value}'" for value in sorted(values))


def _python_spans(versions: Sequence[str]) -> list[str]:
    minors = [python_key(version)[1] for version in versions]
    in_a_row = minors == list(range(minors[0], minors[0] + len(minors)))
    if len(versions) > 1 and in_a_row:
        return [f"python_version >= '{versions[0]}' and python_version <= '{versions[-1]}'"]
    return [f"python_version == '{version}'" for version in versions]


def _selected(root: str, operator: str = "in") -> str:
    kind, _, name = root.partition(":")
    return f"'{name}' {operator} {'dependency_groups' if kind == 'group' else 'extras'}"


def _any(terms: Iterable[str]) -> str:
    terms = tuple(dict.fromkeys(terms))
    return terms[0] if len(terms) == 1 else " or ".join(f"({each})" if " and " in each else each for each in terms)


def _all(terms: Iterable[str]) -> str:
    terms = tuple(dict.fromkeys(terms))
    return terms[0] if len(terms) == 1 else " and ".join(f"({each})" if " or " in each else each for each in terms)
