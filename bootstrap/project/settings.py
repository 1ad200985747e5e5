"""Where things come from and how they are fetched, from every place where one may say so.

    highest   enforced by the machine's policy > command line > TORCHSTRAP_* > options in requirements files
              > [tool.torchstrap] > the policy's defaults > pip's configuration > what is said here    lowest

Of single values the highest wins; lists are joined, the highest first. `_ROWS` is the whole of it.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from bootstrap.errors import ConfigurationError
from bootstrap.project import setting_kinds as kinds
from bootstrap.project.policy import NONE, MachinePolicy

if TYPE_CHECKING:
    from bootstrap.project.binaries import Binaries
    from bootstrap.project.pip_configuration import PipConfiguration
    from bootstrap.project.requirements_file import Options

__all__ = ["Settings", "default_index", "read_cache_dir", "read_settings"]


@dataclass(frozen=True, slots=True)
class Settings:
    """Every address is a URL (folders are file: URLs). `timeout` is in seconds. `cache_dir` None means no cache.

    `index_url` and `extra_index_urls` are ours; what pip's configuration says of indexes is kept apart, because pip
    looks into all of its indexes as one, and so are the extra indexes of requirements files. `mirrors` are prefixes.
    Files uploaded after `exclude_newer` do not count; of the packages named in `undated` (`:all:` for every one) those
    count, too, that an index does not date. `build_with` is what builds get on top of what they require. Wheel files
    are kept in `keep_wheels`. With `no_symlink` the environment is a folder, for tools that do not follow links.
    Standalone Pythons come from `python_mirror`, which has those of `python_table`, if `python_downloads`.
    """

    index_url: str | None = None
    extra_index_urls: tuple[str, ...] = ()
    find_links: tuple[str, ...] = ()
    no_index: bool = False
    mirrors: tuple[tuple[str, str], ...] = ()
    cache_dir: Path | None = None
    keep_wheels: Path | None = None
    no_symlink: bool = False
    cert: Path | None = None
    client_cert: Path | None = None
    proxy: str | None = None
    trusted_hosts: tuple[str, ...] = ()
    keyring_provider: Literal["auto", "disabled", "subprocess"] = "auto"
    timeout: float = 15.0
    retries: int = 5
    offline: bool = False
    prereleases: bool = False
    no_binary: frozenset[str] = field(default_factory=frozenset)
    only_binary: frozenset[str] = field(default_factory=frozenset)
    no_build: bool = False
    exclude_newer: datetime | None = None
    undated: tuple[str, ...] = ()
    build_with: tuple[kinds.Addition, ...] = ()
    pip_index_url: str | None = None
    pip_extra_index_urls: tuple[str, ...] = ()
    requirements_index_urls: tuple[str, ...] = ()
    platforms: tuple[str, ...] = ()
    python_versions: tuple[str, ...] = ()
    python_mirror: str | None = None
    python_table: Path | None = None
    python_downloads: bool = True


def default_index() -> str:
    """The index that Python's tools use unless told otherwise."""
    # Only needed where nobody named an index; it ships no type information.
    from distlib.index import DEFAULT_INDEX  # type: ignore[import-untyped] # noqa: PLC0415

    return str(DEFAULT_INDEX).removesuffix("/").removesuffix("/pypi") + "/simple"


@dataclass(frozen=True, slots=True)
class _Row:
    """One setting: its name, what makes a value of it, and how each place calls it."""

    name: str
    kind: Callable[[object, Path], Any]
    variables: tuple[str, ...] = ()
    keys: tuple[str, ...] = ()
    option: str | None = None
    pip: str | None = None
    joined: bool = False


def _row(
    name: str, kind: Callable[[object, Path], Any], *, also: str = "", pip: str | None = None, **more: Any
) -> _Row:
    """A setting of ours: TORCHSTRAP_NAME, the key `name`, and another spelling of both."""
    spelled = tuple(word for word in (name, also) if word)
    return _Row(
        name,
        kind,
        variables=tuple(f"TORCHSTRAP_{word.upper()}" for word in spelled),
        keys=tuple(word.replace("_", "-") for word in spelled),
        pip=pip,
        **more,
    )


_ROWS = (
    _row("index_url", kinds.index),
    _row("extra_index_urls", kinds.indexes, also="extra_index_url", joined=True),
    _row("find_links", kinds.places, pip="find-links", option="find_links", joined=True),
    _row("no_index", kinds.flag, pip="no-index", option="no_index"),
    _row("mirrors", kinds.mirrors, also="mirror", joined=True),
    _row("cache_dir", kinds.path),
    _row("no_cache", kinds.flag),
    _row("keep_wheels", kinds.path),
    _row("no_symlink", kinds.flag),
    _row("cert", kinds.path, pip="cert"),
    _row("client_cert", kinds.path, pip="client-cert"),
    _row("proxy", kinds.proxy, pip="proxy"),
    _row("trusted_hosts", kinds.words, also="trusted_host", pip="trusted-host", option="trusted_hosts", joined=True),
    _row("keyring_provider", kinds.keyring, pip="keyring-provider"),
    _row("timeout", kinds.seconds, pip="timeout"),
    _row("retries", kinds.count, pip="retries"),
    _row("offline", kinds.flag),
    _row("prereleases", kinds.flag, also="pre", pip="pre", option="prereleases"),
    _row("no_build", kinds.flag),
    _row("exclude_newer", kinds.moment),
    _row("undated", kinds.words),
    _row("build_with", kinds.additions, joined=True),
    _row("platforms", kinds.words, also="platform"),
    _row("python_versions", kinds.words, also="python_version"),
    _row("python_mirror", kinds.index),
    _row("python_table", kinds.path),
    _row("python_downloads", kinds.flag),
    _Row("pip_index_url", kinds.index, option="index_url", pip="index-url"),
    _Row("pip_extra_index_urls", kinds.indexes, pip="extra-index-url", joined=True),
    _Row("requirements_index_urls", kinds.indexes, option="extra_index_urls"),
)
_NO_BINARY = _row("no_binary", kinds.words, pip="no-binary", option="no_binary")
_ONLY_BINARY = _row("only_binary", kinds.words, pip="only-binary", option="only_binary")


@dataclass(frozen=True, slots=True)
class _Layer:
    """One place that says settings; `spellings` are its words for a row, `called` its name for a word."""

    said: Mapping[str, object]
    spellings: Callable[[_Row], tuple[str | None, ...]]
    called: Callable[[str], str]
    folder: Path

    def value(self, row: _Row) -> Any:
        """What this place says, None where it says nothing. Raises ConfigurationError for what makes no sense."""
        for word in self.spellings(row):
            said = self.said.get(word) if word is not None else None
            if said is None or said in ("", (), []):
                continue
            try:
                return row.kind(said, self.folder)
            except ValueError as error:
                raise ConfigurationError(f"{self.called(word or '')} is {said!r}, but must be {error}") from error
        return None


def read_settings(
    *,
    command_line: Mapping[str, object],
    environ: Mapping[str, str],
    project_table: Mapping[str, object],
    pip: PipConfiguration,
    options: Options | None = None,
    policy: MachinePolicy = NONE,
    folder: Path = Path(),
    working_folder: Path = Path(),
) -> Settings:
    """The settings that hold.

    `command_line` has values by the names of `Settings` or of the options (and `no_cache`); None, False and empty ones
    were not given. `project_table` is [tool.torchstrap], whose relative paths are meant from `folder`; all others from
    `working_folder`. Raises ConfigurationError that names the place and what must stand there.
    """
    given = {name: value for name, value in command_line.items() if value is not False}
    layers = (
        _decreed(policy, "enforced"),
        *_said(given, environ, working_folder),
        _Layer(_said_by(options), lambda row: (row.option,), lambda word: f"the files' {word}", working_folder),
        _Layer(project_table, lambda row: row.keys, lambda word: f"[tool.torchstrap] {word}", folder),
        _decreed(policy, "defaults"),
        _Layer(
            pip.values, lambda row: (row.pip,), lambda word: f"{word} in {pip.origins.get(word, 'pip')}", working_folder
        ),
    )
    found = {row.name: _resolved(row, layers) for row in _ROWS}
    values = {name: value for name, value in found.items() if value is not None}
    no_cache = values.pop("no_cache", False)
    cache_dir = None if no_cache else values.pop("cache_dir", None) or _default_cache()
    binaries = _binaries(layers)
    values.pop("cache_dir", None)
    return Settings(**values, cache_dir=cache_dir, no_binary=binaries.no_binary, only_binary=binaries.only_binary)


def read_cache_dir(
    *,
    command_line: Mapping[str, object],
    environ: Mapping[str, str],
    project_table: Mapping[str, object],
    folder: Path,
    policy: MachinePolicy = NONE,
) -> Path | None:
    """The `cache_dir` that read_settings would give; no other setting is looked at, so none can be wrong."""
    layers = (
        _decreed(policy, "enforced"),
        *_said(command_line, environ, Path()),
        _Layer(project_table, lambda row: row.keys, lambda word: f"[tool.torchstrap] {word}", folder),
        _decreed(policy, "defaults"),
    )
    named, no_cache = (_resolved(row, layers) for row in _ROWS if row.name in ("cache_dir", "no_cache"))
    return None if no_cache else named or _default_cache()


def _said(command_line: Mapping[str, object], environ: Mapping[str, str], folder: Path) -> tuple[_Layer, _Layer]:
    """What was said for this one run."""
    return (
        _Layer(command_line, _spelled_by_callers, lambda word: f"--{word.replace('_', '-')}", folder),
        _Layer(environ, lambda row: row.variables, str, folder),
    )


def _decreed(policy: MachinePolicy, table: str) -> _Layer:
    """What the administrator says in a table of the policy. Raises ConfigurationError for keys that nobody knows."""
    said: Mapping[str, object] = getattr(policy, table)
    known = {key for row in (*_ROWS, _NO_BINARY, _ONLY_BINARY) for key in row.keys}
    unknown = sorted(said.keys() - known)
    if unknown:
        raise ConfigurationError(
            f"{policy.path}: [{table}] {unknown[0]} is no setting; there are {', '.join(sorted(known))}"
        )
    folder = policy.path.parent if policy.path else Path()
    return _Layer(said, lambda row: row.keys, lambda word: f"{policy.path}: [{table}] {word}", folder)


def _spelled_by_callers(row: _Row) -> tuple[str, ...]:
    return (row.name, *(key.replace("-", "_") for key in row.keys))


def _said_by(options: Options | None) -> Mapping[str, object]:
    if options is None:
        return {}
    said = {row.option: getattr(options, row.option) for row in _ROWS if row.option}
    binaries = {name: sorted(getattr(options.binaries, name)) for name in ("no_binary", "only_binary")}
    return {name: value for name, value in (said | binaries).items() if value is not False}


def _resolved(row: _Row, layers: tuple[_Layer, ...]) -> Any:
    values = [value for value in (layer.value(row) for layer in layers) if value is not None]
    if row.joined:
        return tuple(dict.fromkeys(each for value in values for each in value))
    return values[0] if values else None


def _binaries(layers: tuple[_Layer, ...]) -> Binaries:
    """From the lowest place to the highest: what is said later takes a name off the other side."""
    from bootstrap.project.binaries import Binaries  # noqa: PLC0415 - `probe` needs no names of packages

    found = Binaries()
    for layer in reversed(layers):
        refused, required = layer.value(_NO_BINARY) or (), layer.value(_ONLY_BINARY) or ()
        both = sorted(set(refused) & set(required))
        if both:
            raise ConfigurationError(
                f"no-binary and only-binary both name `{both[0]}`, which leaves no file of it; take one of them out"
            )
        # `:all:` first, so that it does not take back the names that stand beside it on the other side.
        for words, step in sorted(((refused, "no"), (required, "only")), key=lambda pair: ":all:" not in pair[0]):
            found = found.refusing_wheels(words) if step == "no" else found.requiring_wheels(words)
    return found


def _default_cache() -> Path | None:
    """None for a user without a home, as numbers that no container has heard of, or with one that cannot be written."""
    from platformdirs import user_cache_path  # noqa: PLC0415 - only needed where nobody named a folder

    try:
        folder = user_cache_path("torchstrap", appauthor=False)
    except RuntimeError:
        return None
    if not folder.is_absolute():  # an older platformdirs leaves the `~` as it is
        return None
    nearest = next(each for each in (folder, *folder.parents) if each.exists())
    return folder if nearest == folder or os.access(nearest, os.W_OK) else None
