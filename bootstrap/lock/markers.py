"""For which selections a package is installed, as a short marker that is exact for everything that was locked.

A locked selection is a cell of a grid with four axes and one more for every member of another conflict set, plus any
set of further extras and groups:

    python_version, sys_platform, platform_machine, offer, member taken or not, …

A package occupies some cells, each either always or for certain roots only. Its cells are covered by boxes (a set of
values per axis) that touch no cell in which it must not be; cells that nobody locked are free, so boxes grow over them
until most axes are full and need no words. `environments` of the lock keeps unlocked environments out.

Cells are numbered, and a set of cells is an integer with a bit for each.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, reduce
from itertools import permutations, product
from operator import or_

from bootstrap.errors import BootstrapError
from bootstrap.lock.model import ALWAYS, Lock, parts_of, python_key
from bootstrap.resolver.resolution import Resolution

__all__ = ["Cell", "Grid", "cell_of", "environments", "grid", "marker", "relevant_roots"]

Cell = tuple[str, ...]
Box = tuple[frozenset[str], ...]

PYTHON, SYSTEM, MACHINE, OFFER = range(4)
VARIABLES = ("python_version", "sys_platform", "platform_machine")


@dataclass(frozen=True)
class Grid:
    """The cells that are locked, in order, and the roots that switch each offer and each member on."""

    cells: tuple[Cell, ...]
    switches: Mapping[str, frozenset[str]]
    members: tuple[str, ...] = ()
    covers: dict[tuple[int, int], tuple[Box, ...]] = field(default_factory=dict)

    @cached_property
    def number(self) -> Mapping[Cell, int]:
        """The bit of each cell."""
        return {cell: 1 << position for position, cell in enumerate(self.cells)}

    @cached_property
    def values(self) -> tuple[Mapping[str, int], ...]:
        """For each axis the cells that lie at each of its values."""
        found: list[dict[str, int]] = [{} for _ in range(4 + len(self.members))]
        for cell, number in self.number.items():
            for axis, value in enumerate(cell):
                found[axis][value] = found[axis].get(value, 0) | number
        return tuple(found)

    @cached_property
    def axes(self) -> Box:
        """Every value on each axis."""
        return tuple(frozenset(values) for values in self.values)

    @cached_property
    def orders(self) -> tuple[tuple[int, ...], ...]:
        """In which order boxes may grow along the axes; members, which are many, all first or all last."""
        members = tuple(range(4, 4 + len(self.members)))
        orders = (each for first in permutations(range(4)) for each in ((*members, *first), (*first, *members)))
        return tuple(dict.fromkeys(orders))

    def numbers(self, cells: Iterable[Cell]) -> int:
        """A set of cells as bits."""
        return reduce(or_, (self.number[cell] for cell in cells), 0)

    def within(self, box: Sequence[Iterable[str]], but: int | None = None) -> int:
        """The cells in a box, whatever it says of the axis `but`."""
        found = (1 << len(self.cells)) - 1
        for axis, values in enumerate(box):
            if axis != but and values != self.axes[axis]:
                found &= reduce(or_, (self.values[axis][value] for value in values), 0)
        return found


def cell_of(resolution: Resolution, members: Sequence[str] = ()) -> Cell:
    """Where a resolution lies. Raises BootstrapError if its target does not say on which system it is."""
    markers = resolution.target.markers
    try:
        system, machine = markers["sys_platform"], markers["platform_machine"]
    except KeyError as error:
        message = f"The target {resolution.target.platform} has no marker {error}, so no lock can be written for it."
        raise BootstrapError(message) from None
    taken = (each if each in resolution.also else "" for each in members)
    return (resolution.target.python_minor, system, machine, resolution.offer, *taken)


def grid(lock: Lock) -> Grid:
    """The grid of a lock. Raises BootstrapError if no marker can tell two of its resolutions apart."""
    cells: dict[Cell, Resolution] = {}
    for resolution in lock.resolutions:
        if resolution.offer and lock.offer(resolution.offer) is None:
            raise BootstrapError(f"The lock has a resolution for {resolution.offer!r}, which it does not offer.")
        other = cells.setdefault(cell_of(resolution, lock.members), resolution)
        if other is not resolution:
            message = (
                f"No marker tells {other.target.platform} from {resolution.target.platform} "
                f"(Python {resolution.target.python_minor}): lock them into two files."
            )
            raise BootstrapError(message)
    switches = {name: lock.offer_switches(name) for name in {cell[OFFER] for cell in cells}}
    switches |= {member: lock.switches(member) for member in lock.members}
    return Grid(tuple(sorted(cells)), switches, lock.members)


def relevant_roots(lock: Lock, resolution: Resolution, wanted_by: Collection[str]) -> frozenset[str]:
    """The roots that reach a pin in a resolution, aliases included.

    The offer's own root means always, since the resolution is taken only with it; another offer's root means never.
    So it is with the members that are taken and those that are not.
    """
    own = lock.offer_switches(resolution.offer)
    taken = {root for root in own if root.partition(":")[2] == resolution.offer} | set(resolution.also)
    if ALWAYS in wanted_by or not wanted_by or any(taken.issuperset(parts_of(root)) for root in wanted_by):
        return frozenset({ALWAYS})
    own = own.union(*(lock.switches(member) for member in resolution.also))
    others = frozenset[str]().union(
        *(lock.offer_switches(each.name) for each in lock.offers), *(lock.switches(each) for each in lock.members)
    )
    never = others - own
    return frozenset(each for root in wanted_by for each in _switches(lock, root, taken, never))


def _switches(lock: Lock, root: str, taken: Collection[str], never: Collection[str]) -> Iterator[str]:
    """The roots that switch one on whose parts that are taken anyway are left out; none if a part never is."""
    parts = [part for part in parts_of(root) if part not in taken]
    choices = ([each for each in sorted(lock.switches(part)) if each not in never] for part in parts)
    yield from ("&".join(dict.fromkeys(each)) for each in product(*choices))


def marker(wanted: Mapping[Cell, frozenset[str]], grid: Grid) -> str:
    """The marker of a package that each cell wants for these roots; "" if it is in every locked selection."""
    always = grid.numbers(cell for cell, roots in wanted.items() if ALWAYS in roots)
    if always == (1 << len(grid.cells)) - 1:
        return ""
    terms = [_box_terms(box, grid) for box in _cover(always, always, grid)]
    for cells, roots in _by_cells(wanted, grid).items():
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


def _by_cells(wanted: Mapping[Cell, frozenset[str]], grid: Grid) -> dict[int, list[str]]:
    """Roots that reach the package in the same cells, together."""
    cells: dict[str, int] = {}
    for cell, roots in wanted.items():
        for root in () if ALWAYS in roots else roots:
            cells[root] = cells.get(root, 0) | grid.number[cell]
    together: dict[int, list[str]] = {}
    for root in sorted(cells):
        together.setdefault(cells[root], []).append(root)
    return together


def _cover(wanted: int, allowed: int, grid: Grid) -> tuple[Box, ...]:
    """Boxes that hold every wanted cell and none that is locked but not allowed; greedy."""
    if (wanted, allowed) not in grid.covers:
        boxes: list[Box] = []
        left, forbidden = wanted, ~allowed & ((1 << len(grid.cells)) - 1)
        while left:
            seed = grid.cells[(left & -left).bit_length() - 1]
            grown = {_grown(seed, order, forbidden, grid) for order in grid.orders}
            candidates = grown | {_shrunk(box, left, grid) for box in grown}
            best = min(candidates, key=lambda box: _cost(box, left, grid))
            boxes.append(best)
            left &= ~grid.within(best)
        grid.covers[wanted, allowed] = tuple(boxes)
    return grid.covers[wanted, allowed]


def _grown(seed: Cell, order: Sequence[int], forbidden: int, grid: Grid) -> Box:
    """The box around a cell, grown along one axis after the other until a forbidden cell stops it."""
    box: list[frozenset[str]] = [frozenset({value}) for value in seed]
    for axis in order:
        barred = grid.within(box, but=axis) & forbidden
        box[axis] = frozenset(value for value, cells in grid.values[axis].items() if not cells & barred)
    return tuple(box)


def _shrunk(box: Box, left: int, grid: Grid) -> Box:
    """The box without the values that only free cells brought, on those axes that need words anyway."""
    inside = grid.within(box) & left
    return tuple(
        values
        if values == grid.axes[axis]
        else frozenset(value for value in values if grid.values[axis][value] & inside)
        for axis, values in enumerate(box)
    )


def _cost(box: Box, left: int, grid: Grid) -> tuple[int, int, int, int, list[list[str]]]:
    """What covers more is better, then what says less, then what says it without "not"."""
    covered = (grid.within(box) & left).bit_count()
    text = _all(_box_terms(box, grid))
    conditions = text.count(" and ") + text.count(" or ")
    negations = text.count(" not ") + text.count("!=")
    return (-covered, conditions, negations, len(text), [sorted(values) for values in box])


def _box_terms(box: Box, grid: Grid) -> list[str]:
    """One condition per axis that is not full."""
    terms = [_offer_term(box[OFFER], grid)] if box[OFFER] != grid.axes[OFFER] else []
    terms += _member_terms(box, grid)
    narrow = (axis for axis in (SYSTEM, MACHINE, PYTHON) if box[axis] != grid.axes[axis])
    return [*terms, *(_value_term(axis, box[axis], grid.axes[axis]) for axis in narrow)]


def _member_terms(box: Box, grid: Grid) -> Iterator[str]:
    for axis, member in enumerate(grid.members, start=4):
        if box[axis] == grid.axes[axis]:
            continue
        switches = sorted(grid.switches[member])
        if member in box[axis]:
            yield _any(_selected(root) for root in switches)
        else:
            yield _all(_selected(root, "not in") for root in switches)


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
    return _all(_selected_part(part, operator) for part in parts_of(root))


def _selected_part(part: str, operator: str) -> str:
    kind, _, name = part.partition(":")
    return f"'{name}' {operator} {'dependency_groups' if kind == 'group' else 'extras'}"


def _any(terms: Iterable[str]) -> str:
    terms = tuple(dict.fromkeys(terms))
    return terms[0] if len(terms) == 1 else " or ".join(f"({each})" if " and " in each else each for each in terms)


def _all(terms: Iterable[str]) -> str:
    terms = tuple(dict.fromkeys(terms))
    return terms[0] if len(terms) == 1 else " and ".join(f"({each})" if " or " in each else each for each in terms)
