"""`report`: what is known of machines, or of a project's environment, gathered for one page (see bootstrap/report).

A file that describes no machine is a row that says so, and the page is written all the same; the exit code tells.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from bootstrap import __version__
from bootstrap.commands.asked import Asked, environment_of, project_folder
from bootstrap.commands.choices.survey import Row, Survey, machine_files, names_of, surveyed
from bootstrap.commands.facts import facts
from bootstrap.commands.looking import branches
from bootstrap.commands.machine import recorded_machine, this_machine
from bootstrap.commands.machine_table import machine_rows
from bootstrap.commands.outcome import left_in, phases_in
from bootstrap.environment import generations, history
from bootstrap.environment.installed import Distribution, installed
from bootstrap.errors import BootstrapError, InputError
from bootstrap.project.policy import NONE, MachinePolicy, read_policy
from bootstrap.report.page import page
from bootstrap.report.pieces import count
from bootstrap.report.subject import Branch, Environment, Fact, Host, Kind, Package, Report
from bootstrap.wheels.disk import put, writing
from bootstrap.wheels.record import rows_of
from probes import Machine, Unknown
from profiles import is_family

__all__ = ["Reported", "reported", "write"]

_HERE = "this machine"
_NAMED = 5
"""Files that are no machines which a sentence names before it counts the rest."""


@dataclass(frozen=True, slots=True)
class Reported:
    """The page, how many machines are on it, and the files that describe none."""

    html: str
    machines: int
    bad: tuple[Path, ...]

    def sentence(self) -> str:
        """What is wrong with the files; "" where nothing is."""
        if not self.bad:
            return ""
        named = ", ".join(map(str, self.bad[:_NAMED]))
        more = f" and {len(self.bad) - _NAMED} more" if len(self.bad) > _NAMED else ""
        files = f"{count(len(self.bad), 'file')} of {self.machines} {'is' if len(self.bad) == 1 else 'are'} no machine"
        return f"{files}: {named}{more}; the page says of each what is wrong with it"


def reported(asked: Asked, files: Sequence[Path], python: str | None) -> Reported:
    """The page about the machines that files (or folders of them) describe, or about this one and its environment.

    Raises UsageError for a Python that is no version, InputError for a project, a lock or a folder that is of no use.
    """
    asked = replace(asked, output=None)  # it is the page's, and not where the lock is
    found = tuple(names_of(machine_files(files)).values())
    hosts, offers = _fleet(asked, found, python) if found else _here(asked, python)
    folder = project_folder(asked)
    moment = datetime.now(timezone.utc).astimezone()
    environment = None if found else _environment(asked)
    subject = Report(
        title=count(len(hosts), "machine") if len(hosts) > 1 else hosts[0].name if found else folder.name,
        moment=moment.strftime("%Y-%m-%d %H:%M %Z"),
        program=__version__,
        project=str(folder),
        python=python or "{}.{}".format(*sys.version_info),
        hosts=hosts,
        offers=offers,
        environment=environment,
    )
    bad = tuple(file for file, host in zip(found, hosts, strict=False) if host.kind == "unread")
    return Reported(page(subject), len(hosts), bad)


def write(made: Reported, place: Path) -> None:
    """Write the page, whole. Raises CannotWriteError or NotPermittedError."""
    with writing(f"writing {place.name}", place.absolute().parent):
        put(place.absolute(), made.html.encode())


def _here(asked: Asked, python: str | None) -> tuple[tuple[Host, ...], Mapping[str, tuple[str, ...]]]:
    rows = surveyed(asked, [(_HERE, this_machine(), read_policy())], python).rows
    return tuple(map(_host, rows)), {}


def _fleet(
    asked: Asked, files: Sequence[Path], python: str | None
) -> tuple[tuple[Host, ...], Mapping[str, tuple[str, ...]]]:
    """A host for each file, in their order, and the fewest offers for all."""
    readable: list[tuple[str, Machine, MachinePolicy]] = []
    unreadable: dict[str, Host] = {}
    for name, file in names_of(files).items():
        try:
            readable.append((name, recorded_machine(file), NONE))
        except InputError as error:
            unreadable[name] = Host(name, "unread", problem=str(error))
    found: Survey = surveyed(asked, readable, python)
    hosts = unreadable | {row.name: _host(row) for row in found.rows}
    return tuple(hosts[name] for name in names_of(files)), found.offers


def _host(row: Row) -> Host:
    system = row.machine.system
    words = (_known(system.version) or system.os, _known(system.architecture))
    gpus, driver = row.gpus(), row.driver()
    return Host(
        name=row.name,
        kind=_kind(row),
        choice=row.choice,
        problem=row.obstacle or "",
        system=" ".join(filter(None, (*words, "WSL" if system.is_wsl else ""))),
        gpus="" if gpus == "none" else gpus,
        driver="" if driver == "-" else driver,
        facts=tuple(
            tuple(Fact(each.label, each.value, each.source) for each in group) for group in machine_rows(row.machine)
        ),
    )


def _kind(row: Row) -> Kind:
    if row.choice is None:
        return "nothing"
    if row.answer.accelerates:
        return "gpu"
    return "idle" if any(gpu.visible for gpu in row.machine.gpus) else "cpu"


def _known(fact: str | Unknown) -> str:
    return "" if isinstance(fact, Unknown) else fact


def _environment(asked: Asked) -> Environment:
    said = facts(asked)
    venv = environment_of(asked)
    current = generations.current(venv)
    if current is None:
        return Environment(str(venv), said["state"])
    origins = _origins(left_in(current))
    packages = installed(*history.site_packages(current))
    return Environment(
        path=str(venv),
        state=said["state"],
        changes=said["changes"] or "",
        generation=generations.key_of(current),
        offer=said["offer"] or "",
        python=said["python"] or "",
        torch=said["torch"] or "",
        warnings=tuple(said["warnings"]),
        packages=tuple(_package(each, origins.get(each.normalized, "")) for each in packages),
        branches=tuple(_branches(asked)),
        phases=phases_in(current),
    )


def _origins(said: Mapping[str, Any]) -> Mapping[str, str]:
    """The file that each package came from, as the sync that built the environment said."""
    with suppress(KeyError, TypeError):
        return {each["name"]: " from ".join(filter(None, (each["file"], each["index"]))) for each in said["packages"]}
    return {}


def _package(package: Distribution, origin: str) -> Package:
    return Package(package.name, package.version, _size(package), origin, is_family(package.normalized))


def _size(package: Distribution) -> int | None:
    """Bytes of all files that its RECORD lists; None where there is none."""
    try:
        text = (package.folder / "RECORD").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    rows, _ = rows_of(text, package.folder.name)
    return sum(row.size or 0 for row in rows.values())


def _branches(asked: Asked) -> Iterator[Branch]:
    """The tree; none where the environment's Python does not run."""
    with suppress(BootstrapError, OSError):
        for each in branches(asked):
            name = each.package.normalized
            yield Branch(each.package.name, each.package.version, is_family(name), each.depth, each.again)
