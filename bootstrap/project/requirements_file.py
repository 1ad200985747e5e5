"""Requirements files in pip's format as a `Project` and the `Options` that they hold.

    logical line        a line, the ones that a backslash joins to it, without comment, ${VARIABLES} filled in
    what it can be      a requirement with --hash, a path or URL, or options (-r, -c, -e, --index-url, ...)

Files named by -r and -c are read relative to the file that names them, paths of projects relative to the working
folder as pip does, or else to the file.
"""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from bootstrap.errors import InputError
from bootstrap.project.binaries import Binaries
from bootstrap.project.logical_lines import logical_lines, text_of
from bootstrap.project.model import Project, Source
from bootstrap.project.places import address, index_address, is_url
from bootstrap.project.requirements import requirement_of
from bootstrap.project.tables import Issues, meant
from bootstrap.project.unnamed import Wanted, is_place, wanted_at

__all__ = ["Options", "read_requirements"]

# Lengths of hex digests, by the algorithms that pip takes.
_DIGESTS = {"sha256": 64, "sha384": 96, "sha512": 128}


@dataclass(frozen=True, slots=True)
class Options:
    """What requirements files say about where and how, as pip means it. Folders are file: URLs."""

    index_url: str | None = None
    extra_index_urls: tuple[str, ...] = ()
    find_links: tuple[str, ...] = ()
    no_index: bool = False
    prereleases: bool = False
    prefer_binary: bool = False
    require_hashes: bool = False
    trusted_hosts: tuple[str, ...] = ()
    binaries: Binaries = field(default_factory=Binaries)


def read_requirements(
    paths: Sequence[Path],
    constraints: Sequence[Path] = (),
    *,
    environ: Mapping[str, str] = os.environ,
    folder: Path = Path(),
) -> tuple[Project, Options]:
    """What the files ask for together; `folder` is the working folder.

    Raises InputError for the first file with mistakes, naming all of them.
    """
    reading = _Reading(environ, folder.absolute())
    for path in paths:
        reading.read(path, (), constraint=False)
    for path in constraints:
        reading.read(path, (), constraint=True)
    root = paths[0].absolute().parent if paths else folder.absolute()
    project = Project(
        root=root,
        dependencies=tuple(dict.fromkeys(reading.requirements)),
        constraints=tuple(dict.fromkeys(reading.constraints)),
        sources={name: (source,) for name, source in reading.sources.items()},
        hashes=reading.hashes,
        files=tuple(dict.fromkeys(reading.files)),
    )
    options = reading.options
    return project, replace(options, require_hashes=options.require_hashes or bool(reading.hashes))


@dataclass(slots=True)
class _Place:
    """Where a line stands."""

    file: Path
    line: int
    trail: tuple[Path, ...]
    constraint: bool
    issues: Issues


@dataclass(slots=True)
class _Reading:
    """What was found so far, over all files."""

    environ: Mapping[str, str]
    folder: Path
    requirements: list[Requirement] = field(default_factory=list)
    constraints: list[Requirement] = field(default_factory=list)
    sources: dict[str, Source] = field(default_factory=dict)
    hashes: dict[str, frozenset[str]] = field(default_factory=dict)
    files: list[Path] = field(default_factory=list)
    options: Options = Options()

    def read(self, path: Path, trail: tuple[Path, ...], *, constraint: bool) -> None:
        path = Path(os.path.normpath(path.absolute()))
        text = text_of(path)
        self.files.append(path)
        issues = Issues(path)
        for number, line in logical_lines(text, self.environ):
            place = _Place(path, number, (*trail, path), constraint, issues)
            try:
                self._line(line, place)
            except ValueError as error:
                issues.add(str(error), number)
        issues.check()

    def _line(self, line: str, place: _Place) -> None:
        words = line.split(" ")
        first = next((number for number, word in enumerate(words) if word.startswith("-")), len(words))
        requirement, rest = " ".join(words[:first]).strip(), " ".join(words[first:])
        pairs = _option_pairs(rest)
        if requirement:
            self._requirement(requirement, pairs, place)
            return
        for name, value in pairs:
            if name in _INCLUDES:
                self._include(value, place, constraint=name == "--constraint")
            elif name == "--editable":
                self._editable(value, place)
            elif name == "--hash":
                raise ValueError("--hash stands alone; put it behind the requirement that it belongs to")
            else:
                self.options = _OPTIONS[name](self.options, value, place.file.parent)

    def _include(self, value: str, place: _Place, *, constraint: bool) -> None:
        if is_url(value):
            raise ValueError(f"{value} is an address; download the file and name it by its path")
        path = Path(os.path.normpath(place.file.parent / value))
        if path in place.trail:
            circle = " -> ".join(map(str, (*place.trail[place.trail.index(path) :], path)))
            raise InputError(place.file, f"files include each other in a circle ({circle}); take one out", place.line)
        if not path.exists():
            raise ValueError(f"names {path}, which does not exist; correct the path (it is relative to this file)")
        self.read(path, place.trail, constraint=constraint)

    def _editable(self, value: str, place: _Place) -> None:
        if place.constraint:
            raise ValueError(f'"-e {value}" in a constraints file; constraints cannot be editable')
        self._take(wanted_at(value, (self.folder, place.file.parent), editable=True), frozenset(), place)

    def _requirement(self, text: str, pairs: Sequence[tuple[str, str]], place: _Place) -> None:
        wrong = [name for name, _ in pairs if name != "--hash"]
        if wrong:
            raise ValueError(f'{wrong[0]} cannot follow a requirement ("{text}"); give it a line of its own')
        if is_place(text):
            wanted = wanted_at(text, (self.folder, place.file.parent), editable=False)
        else:
            requirement = requirement_of(text)
            if requirement.url and not is_url(requirement.url) and not re.match(r"[a-z]+\+", requirement.url):
                requirement.url = address(requirement.url, self.folder)
            wanted = Wanted(requirement)
        self._take(wanted, frozenset(_digest(value) for _, value in pairs), place)

    def _take(self, wanted: Wanted, hashes: frozenset[str], place: _Place) -> None:
        (self.constraints if place.constraint else self.requirements).append(wanted.requirement)
        key = str(wanted.requirement)
        if hashes:
            self.hashes[key] = self.hashes.get(key, frozenset()) | hashes
        if wanted.source is None:
            return
        name = canonicalize_name(wanted.requirement.name)
        if self.sources.setdefault(name, wanted.source) != wanted.source:
            raise ValueError(f"`{name}` was wanted from another place before; keep one of the two")


def _digest(value: str) -> str:
    algorithm, _, digest = value.partition(":")
    length = _DIGESTS.get(algorithm)
    if length is None:
        raise ValueError(f'--hash "{value}" is of a kind that is not taken; write it as sha256:DIGEST')
    if len(digest) != length or not re.fullmatch("[0-9a-fA-F]+", digest):
        raise ValueError(
            f'--hash "{value}" is no {algorithm} digest, which has {length} hexadecimal digits; correct it'
        )
    return f"{algorithm}:{digest.lower()}"


def _option_pairs(text: str) -> list[tuple[str, str]]:
    """Options by their long names, each with its value ("" for flags). Raises ValueError with one sentence."""
    try:
        words = shlex.split(text)
    except ValueError as error:
        raise ValueError(f"the quotes in `{text}` do not match; close them") from error
    found: list[tuple[str, str]] = []
    while words:
        word = words.pop(0)
        name, equals, value = (
            word.partition("=") if word.startswith("--") else (word[:2], word[2:], word[2:].lstrip("="))
        )
        name = _SHORT.get(name, name)
        if name in _FLAGS:
            if equals:
                raise ValueError(f"{name} takes no value; write it alone")
            found.append((name, ""))
            continue
        if name not in _VALUED:
            raise ValueError(f"unknown option `{word}`: {meant(name, sorted({*_VALUED, *_FLAGS}))}")
        if not equals:
            if not words:
                raise ValueError(f"{name} lacks its value; write it behind")
            value = words.pop(0)
        found.append((name, value))
    return found


def _words(value: str) -> list[str]:
    return [word for word in value.replace(",", " ").split() if word]


def _place_near(value: str, folder: Path) -> str:
    """As pip does: relative to the file where that exists, otherwise to the working folder."""
    if is_url(value):
        return value
    return address(value, folder if (folder / value).exists() else Path())


_INCLUDES = ("--requirement", "--constraint")
_SHORT = {"-r": "--requirement", "-c": "--constraint", "-e": "--editable", "-i": "--index-url", "-f": "--find-links"}
_SHORT |= {"--pypi-url": "--index-url"}
_OPTIONS: Mapping[str, Callable[[Options, str, Path], Options]] = {
    "--index-url": lambda options, value, folder: replace(options, index_url=index_address(value, folder)),
    "--extra-index-url": lambda options, value, folder: replace(
        options, extra_index_urls=(*options.extra_index_urls, index_address(value, folder))
    ),
    "--find-links": lambda options, value, folder: replace(
        options, find_links=(*options.find_links, _place_near(value, folder))
    ),
    "--no-index": lambda options, _, __: replace(options, no_index=True),
    "--pre": lambda options, _, __: replace(options, prereleases=True),
    "--prefer-binary": lambda options, _, __: replace(options, prefer_binary=True),
    "--require-hashes": lambda options, _, __: replace(options, require_hashes=True),
    "--trusted-host": lambda options, value, _: replace(options, trusted_hosts=(*options.trusted_hosts, value)),
    "--no-binary": lambda options, value, _: replace(options, binaries=options.binaries.refusing_wheels(_words(value))),
    "--only-binary": lambda options, value, _: replace(
        options, binaries=options.binaries.requiring_wheels(_words(value))
    ),
    # Switches on things of pip that have no counterpart here.
    "--use-feature": lambda options, _, __: options,
}
_FLAGS = frozenset({"--no-index", "--pre", "--prefer-binary", "--require-hashes"})
_VALUED = frozenset({*_OPTIONS, *_INCLUDES, "--editable", "--hash"}) - _FLAGS
