"""`facts`: this machine and its environment as one flat JSON object, for Ansible's facts.d and other inventories.

    key            type      what
    schema         text      torchstrap.facts/1
    torchstrap     text      the version of this program
    os, os_version, kernel, architecture, board, libc, cpu, cpu_level, container
                   text?     as `probe` says them; null where there is none or it could not be read
    cores          number?   that this process may use
    gpus           texts     the names of those that programs see
    gpu_vendors    texts     theirs, each once
    driver         text?     the version of NVIDIA's driver
    cuda           text?     the CUDA version that it speaks
    environment    text      its path, whether it is there or not
    state          text      `none`; `foreign` (not ours); `distrusted` (`verify` found other bytes); `changed`
                             (by hand); `unproven` (built with --no-verify); `sound`
    changes        text?     what a hand has done, in words
    generation, offer, variant, torch, python
                   text?     of the environment
    packages       number    in it
    warnings       texts     what the last sync warned of

What `verify` does beyond the look at names, versions and sizes takes seconds, and so is not done here.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bootstrap import __version__
from bootstrap.commands.asked import Asked, environment_of
from bootstrap.commands.condition import inhabited
from bootstrap.commands.machine import cache_folder, this_machine
from bootstrap.commands.outcome import left_in
from bootstrap.environment import generations, history
from bootstrap.errors import BootstrapError
from probes import Machine, NvidiaDriver, Unknown

__all__ = ["SCHEMA", "facts"]

SCHEMA = "torchstrap.facts/1"


def facts(asked: Asked) -> Mapping[str, Any]:
    """The document. Raises ConfigurationError for settings or a TORCHSTRAP_MACHINE that make no sense."""
    cache = cache_folder(asked)
    return {
        "schema": SCHEMA,
        "torchstrap": __version__,
        **_of_machine(this_machine(cache)),
        **_of_environment(environment_of(asked)),
    }


def _of_machine(machine: Machine) -> Mapping[str, Any]:
    system, cpu, libc = machine.system, machine.cpu, machine.libc
    driver = machine.driver if isinstance(machine.driver, NvidiaDriver) else None
    seen = [each for each in machine.gpus if each.visible]
    return {
        "os": system.os,
        "os_version": _known(system.version),
        "kernel": _known(system.kernel),
        "architecture": _known(system.architecture),
        "board": system.board,
        "libc": None if libc is None or isinstance(libc, Unknown) else f"{libc.family} {_known(libc.version) or '?'}",
        "cpu": None if isinstance(cpu, Unknown) else _known(cpu.model),
        "cpu_level": None if isinstance(cpu, Unknown) else _known(cpu.level),
        "cores": None if isinstance(cpu, Unknown) else _known(cpu.cores),
        "container": machine.container.kind if machine.container else None,
        "gpus": [_known(each.name) or f"unknown {each.vendor} GPU" for each in seen],
        "gpu_vendors": sorted({each.vendor for each in seen}),
        "driver": driver.version if driver else None,
        "cuda": _known(driver.cuda) if driver else None,
    }


def _known(fact: Any) -> Any:
    return None if isinstance(fact, Unknown) else fact


def _of_environment(venv: Path) -> Mapping[str, Any]:
    current = generations.current(venv)
    said = {} if current is None else left_in(current)
    choice, packages = said.get("choice") or {}, said.get("packages") or ()
    versions = {each["name"]: each["version"] for each in packages}
    state, changes = _state(venv, current)
    return {
        "environment": str(venv),
        "state": state,
        "changes": changes,
        "generation": generations.key_of(current) if current else None,
        "offer": choice.get("offer"),
        "variant": choice.get("variant") if "torch" in versions else None,
        "torch": versions.get("torch"),
        "python": said.get("python"),
        "packages": len(versions),
        "warnings": list(said.get("warnings") or ()),
    }


def _state(venv: Path, current: Path | None) -> tuple[str, str | None]:
    """In one word, and what a hand has done."""
    if current is None:
        try:
            generations.ensure_ours(venv)
        except BootstrapError:
            return "foreign", None
        return "none", None
    found = inhabited(venv)
    changes = str(found.drift) or None if found else None
    if found and found.is_distrusted:
        return "distrusted", changes
    if changes:
        return "changed", changes
    return ("unproven" if history.marker_of(current).get("proven") is False else "sound"), None
