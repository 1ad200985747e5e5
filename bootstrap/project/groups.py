"""[dependency-groups] (PEP 735): lists of requirements that may include each other, made flat."""

from __future__ import annotations

from collections.abc import Mapping

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from bootstrap.project.requirements import requirements_of
from bootstrap.project.tables import Table, meant

__all__ = ["groups_of"]


def groups_of(document: Table, development: tuple[Requirement, ...] = ()) -> Mapping[str, tuple[Requirement, ...]]:
    """Every group by normalized name, includes resolved; `development` joins the group `dev` (as uv's old key does).

    Unknown names, wrong entries and circles become issues of the document.
    """
    table = document.table("dependency-groups")
    spelled: dict[str, str] = {}
    for key in table.data:
        name = canonicalize_name(key)
        if name in spelled:
            table.issues.add(f"the group `{name}` is there twice (names differ only in spelling); rename one", key)
        spelled[name] = key
    found = {name: tuple(dict.fromkeys(_flat(table, spelled, name, ()))) for name in spelled}
    if development:
        found["dev"] = tuple(dict.fromkeys((*found.get("dev", ()), *development)))
    return found


def _flat(table: Table, spelled: Mapping[str, str], name: str, trail: tuple[str, ...]) -> list[Requirement]:
    if name in trail:
        circle = " -> ".join((*trail[trail.index(name) :], name))
        table.issues.add(f"groups include each other in a circle ({circle}); take one of these includes out")
        return []
    key = spelled[name]
    found: list[Requirement] = []
    for item in table.items(key):
        match item:
            case str():
                found.extend(requirements_of((item,), f"group `{key}`", table.issues))
            case {"include-group": str(other)} if len(item) == 1:
                included = canonicalize_name(other)
                if included in spelled:
                    found.extend(_flat(table, spelled, included, (*trail, name)))
                else:
                    table.issues.add(
                        f"group `{key}` includes `{other}`, which is missing; {meant(included, spelled)}", other
                    )
            case _:
                table.issues.add(
                    f'group `{key}` may hold requirements and {{ include-group = "..." }} only, not {item!r}', key
                )
    return found
