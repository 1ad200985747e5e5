"""[tool.uv] and, with the same keys, [tool.torchstrap]: a key of ours replaces uv's.

Among sources ours replace uv's package by package, among indexes name by name. Other keys of uv are not looked at.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from bootstrap.errors import ConfigurationError
from bootstrap.project.model import Conflict, Index, Item, Source
from bootstrap.project.parts import Party
from bootstrap.project.places import DEFAULT_INDEX, address, index_address
from bootstrap.project.requirements import requirements_of
from bootstrap.project.source_tables import Outside, source_of
from bootstrap.project.tables import Issues, Table, meant

__all__ = ["ToolTables"]

Named = Mapping[str, tuple[Requirement, ...]]


@dataclass(frozen=True, slots=True)
class ToolTables:
    """Both tables of one document. Mistakes become its issues."""

    ours: Table
    uv: Table
    root: Path
    outside: Outside

    @classmethod
    def of(cls, document: Table, root: Path, outside: Outside) -> ToolTables:
        tool = document.table("tool")
        return cls(tool.table("torchstrap"), tool.table("uv"), root, outside)

    @property
    def _issues(self) -> Issues:
        return self.uv.issues

    def _winner(self, key: str) -> Table:
        return self.ours if key in self.ours else self.uv

    def indexes(self) -> tuple[Index, ...]:
        """Ours, then uv's whose name we do not use, then what uv's older keys name; in file order."""
        ours = [self._index(entry) for entry in self.ours.tables("index")]
        taken = {index.name for index in ours if index is not None and index.name}
        theirs = [self._index(entry) for entry in self.uv.tables("index")]
        kept = [index for index in theirs if index is not None and index.name not in taken]
        found = [*(index for index in ours if index is not None), *kept, *self._older_indexes()]
        self._refuse_twins([index.name for index in found if index.name])
        if sum(index.default for index in found) > 1 and not self._only_older_default(found):
            self._issues.add("more than one index says default = true; leave it at one", "default = true")
        return tuple(found)

    def _only_older_default(self, found: list[Index]) -> bool:
        return sum(index.default and index.name is not None for index in found) <= 1 and "index-url" in self.uv

    def _refuse_twins(self, names: list[str]) -> None:
        for name in sorted({name for name in names if names.count(name) > 1}):
            self._issues.add(f"there are two indexes of the name `{name}`; rename one", name)

    def _index(self, entry: Table) -> Index | None:
        url, name, format_ = entry.text("url"), entry.text("name"), entry.text("format")
        if format_ not in (None, "simple", "flat"):
            self._issues.add(f'[{entry.where}] format is "{format_}"; write "simple" or "flat"', format_)
        if url is None:
            called = f" of the index `{name}`" if name else ""
            self._issues.add(f'[{entry.where}] the url{called} is missing; add url = "https://..."', name)
            return None
        return Index(
            url=address(url, self.root) if format_ == "flat" else self._address(url),
            name=name,
            explicit=entry.flag("explicit"),
            default=entry.flag("default"),
            flat=format_ == "flat",
        )

    def _older_indexes(self) -> list[Index]:
        found = [Index(self._address(url)) for url in self.uv.texts("extra-index-url")]
        found += [Index(address(url, self.root), flat=True) for url in self.uv.texts("find-links")]
        default = self.uv.text("index-url")
        return [*found, Index(self._address(default), default=True)] if default else found

    def _address(self, text: str) -> str:
        if text.strip() == DEFAULT_INDEX:
            return DEFAULT_INDEX
        try:
            return index_address(text, self.root)
        except ValueError as error:
            self._issues.add(f"the url of an index: {error}", text)
            return text

    def sources(self, indexes: tuple[Index, ...], extras: Named, groups: Named) -> Mapping[str, tuple[Source, ...]]:
        """Sources by package name. Each names an index, extra and group that exist."""
        merged: dict[str, Table] = {}
        for table in (self.uv.table("sources"), self.ours.table("sources")):
            for key, value in table.data.items():
                merged[canonicalize_name(key)] = Table({key: value}, table.where, self._issues)
        found: dict[str, tuple[Source, ...]] = {}
        names = [index.name for index in (*indexes, *self.outside.indexes) if index.name]
        for package, table in merged.items():
            (key,) = table.data
            sources = [source_of(entry, key, self.root, self.outside) for entry in table.tables(key)]
            found[package] = tuple(source for source in sources if source is not None)
            for source in found[package]:
                self._refuse_missing(key, "index", source.index, names, "[[tool.uv.index]] entries")
                self._refuse_missing(key, "extra", source.extra, extras, "[project.optional-dependencies]")
                self._refuse_missing(key, "group", source.group, groups, "[dependency-groups]")
        return found

    def _refuse_missing(self, package: str, kind: str, name: str | None, known: Iterable[str], place: str) -> None:
        if name is not None and name not in known:
            problem = f"the source of `{package}` names the {kind} `{name}`, which is not among the {place}"
            self._issues.add(f"{problem}; {meant(name, known)}", name)

    def conflicts(self, own: str | None, extras: Named, groups: Named) -> tuple[Conflict, ...]:
        """Sets of extras and groups of which at most one may be taken."""
        table = self._winner("conflicts")
        found = []
        for members in table.items("conflicts"):
            if not isinstance(members, list) or not all(isinstance(member, dict) for member in members):
                self._issues.add('conflicts must be lists of { extra = "..." } or { group = "..." }', "conflicts")
                continue
            items = [self._member(member, own, {"extra": extras, "group": groups}) for member in members]
            conflict = frozenset(item for item in items if item is not None)
            if len(conflict) <= 1 and None not in items:
                self._issues.add("a conflict needs at least two different members; add one or take it out", "conflicts")
            found.append(conflict)
        return tuple(found)

    def _member(self, member: Mapping[str, Any], own: str | None, known: Mapping[str, Named]) -> Item | None:
        kinds: list[Literal["extra", "group"]] = ["extra", "group"]
        given = [kind for kind in kinds if isinstance(member.get(kind), str)]
        package = member.get("package")
        if isinstance(package, str) and canonicalize_name(package) != own:
            self._issues.add(f"conflicts name the package `{package}`, and there is no workspace with it", "conflicts")
            return None
        if len(given) != 1 or not set(member) <= {"extra", "group", "package"}:
            way_out = 'write { extra = "..." } or { group = "..." }'
            self._issues.add(f"a member of conflicts is {dict(member)!r}; {way_out}", "conflicts")
            return None
        kind = given[0]
        name = canonicalize_name(member[kind])
        if name not in known[kind]:
            self._issues.add(
                f"conflicts name the {kind} `{name}`, which is missing; {meant(name, known[kind])}", member[kind]
            )
            return None
        return Item(kind, name)

    def parties(self, own: str | None) -> tuple[tuple[Party, ...], ...]:
        """`conflicts` in a workspace, which may speak of other members, and of all of one."""
        found = []
        for members in self._winner("conflicts").items("conflicts"):
            several = members if isinstance(members, list) else [members]
            parties = [self._party(member, own) for member in several]
            found.append(tuple(each for each in parties if each is not None))
        return tuple(found)

    def _party(self, member: object, own: str | None) -> Party | None:
        said = member if isinstance(member, dict) else {}
        package, kinds = said.get("package", own), [kind for kind in ("extra", "group") if kind in said]
        texts = all(isinstance(value, str) for value in said.values())
        if not texts or not set(said) <= {"extra", "group", "package"} or len(kinds) > 1 or not said:
            way_out = 'write { package = "..." }, with extra = "..." or group = "..." where not all of it is meant'
            self._issues.add(f"a member of conflicts is {member!r}; {way_out}", "conflicts")
            return None
        name = canonicalize_name(package) if package else ""
        if not kinds:
            return Party(name)
        kind: Literal["extra", "group"] = "extra" if kinds == ["extra"] else "group"
        return Party(name, Item(kind, canonicalize_name(said[kind])))

    def default_groups(self, groups: Named) -> tuple[str, ...]:
        """The groups that are taken unless others are asked for: `dev`, where there is one and nothing else is said."""
        table = self._winner("default-groups")
        if "default-groups" not in table:
            return ("dev",) if "dev" in groups else ()
        if table.data["default-groups"] == "all":
            return tuple(groups)
        names = tuple(canonicalize_name(name) for name in table.texts("default-groups"))
        for name in names:
            if name not in groups:
                self._issues.add(f"default-groups names `{name}`, which is missing; {meant(name, groups)}", name)
        return names

    @property
    def has_default_groups(self) -> bool:
        """Whether anything is said of them."""
        return "default-groups" in self._winner("default-groups")

    def constraints(self) -> tuple[Requirement, ...]:
        key = "constraint-dependencies"
        return requirements_of(self._winner(key).texts(key), key, self._issues)

    def overrides(self) -> tuple[Requirement, ...]:
        """Overrides, and every excluded package as an override that applies nowhere."""
        key = "override-dependencies"
        table = self._winner(key)
        if any(isinstance(item, dict) for item in table.items(key)):
            raise ConfigurationError(
                f"{self._issues.file}: {key} holds a table (an override for one package only), which is not supported "
                f"yet; write the requirement as a text, which then counts for every package"
            )
        excluded = self._winner("exclude-dependencies").texts("exclude-dependencies")
        never = [f"{name} ; python_version < '0'" for name in excluded]
        return requirements_of((*table.texts(key), *never), key, self._issues)

    def development_requirements(self) -> tuple[Requirement, ...]:
        """The older spelling of the group `dev`."""
        return requirements_of(self.uv.texts("dev-dependencies"), "[tool.uv] dev-dependencies", self._issues)

    def said_of_packaging(self) -> bool | None:
        """The `package` key."""
        table = self._winner("package")
        return table.flag("package") if "package" in table else None

    def packaged(self, has_build_system: bool) -> bool:
        """Whether the project itself is installed: uv's `package` key, or else whether there is a build system."""
        said = self.said_of_packaging()
        return has_build_system if said is None else said
