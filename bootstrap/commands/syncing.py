"""The main job: probe, choose, lock if needed, build, verify, switch.

choice ── lock ── pins of the selection ── key of the generation
                                             ├─ exists and untouched ── switch (or nothing to do)
                                             └─ else ── assemble beside, verify, prove ── switch
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from packaging.utils import canonicalize_name
from packaging.version import Version

from bootstrap import __version__, stamp
from bootstrap.commands.activity import Activity
from bootstrap.commands.asked import Asked
from bootstrap.commands.choosing import Selection
from bootstrap.commands.locking import Locked, lock_for, save_lock
from bootstrap.commands.outcome import Outcome, Package, difference
from bootstrap.commands.session import Session, environment_of, opened
from bootstrap.environment import generations, verification
from bootstrap.environment.installation import INSTALLER
from bootstrap.environment.installed import installed
from bootstrap.environment.layout import Layout
from bootstrap.errors import VerificationError
from bootstrap.lock.selection import select
from bootstrap.resolver.resolution import Direct, Pin
from profiles import is_family

__all__ = ["environment_of", "sync"]

_PATIENCE = 600.0  # seconds to wait for another sync of the same environment


def sync(asked: Asked, activity: Activity) -> Outcome:
    """Make the environment what is asked for. Raises BootstrapError; the environment is then as it was."""
    with opened(asked, activity) as session:
        generations.ensure_ours(session.venv)
        selection = session.select()
        locked = lock_for(session, selection)
        pins = _pins(session, selection, locked)
        for warning in selection.choice.warnings:
            session.warn(warning)
        if asked.dry_run or asked.check:
            return _outcome(session, selection, pins, key=_key(session, pins))
        with generations.locked(
            session.venv, limit=_PATIENCE, waiting=lambda: activity.step(f"Waiting for another sync of {session.venv}")
        ):
            outcome = _switched(session, selection, pins)
        if locked.is_new:
            save_lock(session, locked.lock)
        _leave_stamp(session, outcome)
        return outcome


def _pins(session: Session, selection: Selection, locked: Locked) -> tuple[Pin, ...]:
    """What the lock holds for the selection, and the project itself if it is a package."""
    offer = selection.choice.offer
    extras = selection.extras | ({offer.name} if offer.kind == "variant" else set())
    pins = select(locked.lock, extras, selection.groups, session.target)
    project = session.project
    if not project.has_build_system or project.name is None:
        return pins
    own = Direct(project.root.as_uri(), path=project.root, editable=True)
    version = session.workshop.metadata(own).version if project.version is None else project.version
    name = canonicalize_name(project.name)
    return (*pins, Pin(name, Version(version), direct=own, wanted_by=frozenset({""})))


def _switched(session: Session, selection: Selection, pins: tuple[Pin, ...]) -> Outcome:
    """Build the generation unless it exists untouched, and make it the environment."""
    key = _key(session, pins)
    outcome = _outcome(session, selection, pins, key)
    present = generations.find(session.venv, key)
    if present is not None and not _is_untouched(session, present, pins):
        session.warn(f"{session.venv} was changed by hand since it was built; it is built again from the lock")
        with _set_aside(present):
            _build(session, pins, key, outcome)
    elif present is None:
        _build(session, pins, key, outcome)
    generations.switch(session.venv, key)
    return replace(outcome, warnings=session.everything_to_say())


def _build(session: Session, pins: tuple[Pin, ...], key: str, outcome: Outcome) -> None:
    def fill(folder: Path) -> None:
        for warning in session.workshop.assemble(pins, folder, session.venv):
            session.warn(warning)
        session.activity.step("Verifying")
        layout = Layout.of(session.interpreter, folder, session.venv)
        with ThreadPoolExecutor(max_workers=1) as aside:
            proof = aside.submit(verification.prove, folder / layout.python, _versions(pins))
            verification.verify_consistency(*layout.site_packages, **_expectations(session, pins))
            proof.result()
        for site in layout.site_packages:
            # Python would make it at the first import of a lone module and so touch the folder that the stamp watches.
            (site / "__pycache__").mkdir(exist_ok=True)
        document = json.dumps(outcome.unchanged().to_json(), indent=2) + "\n"
        (folder / stamp.OUTCOME).write_text(document, encoding="utf-8")

    generations.build(session.venv, key, fill, {"python": str(session.interpreter.path), "torchstrap": __version__})


def _expectations(session: Session, pins: tuple[Pin, ...]) -> dict[str, Any]:
    """What verification compares an environment with."""
    return {
        "expected": _versions(pins),
        "markers": session.target.markers,
        "overridden": {canonicalize_name(each.name) for each in session.project.overrides},
    }


def _is_untouched(session: Session, generation: Path, pins: tuple[Pin, ...]) -> bool:
    """Whether a generation still is what we built: every package is ours, of the right version, with all its files."""
    layout = Layout.of(session.interpreter, generation, session.venv)
    if any(each.installer.encode() != INSTALLER.strip() for each in installed(*layout.site_packages)):
        return False
    try:
        verification.verify(*layout.site_packages, **_expectations(session, pins))
    except VerificationError:
        return False
    return True


@contextmanager
def _set_aside(generation: Path) -> Iterator[None]:
    """Take a generation away for the time of the block; it comes back if the block fails."""
    aside = generation.with_name(f"{generation.name}.removing-{os.getpid()}")
    generation.rename(aside)
    try:
        yield
    except BaseException:
        with suppress(OSError):
            aside.rename(generation)
        raise
    shutil.rmtree(aside, ignore_errors=True)


def _key(session: Session, pins: tuple[Pin, ...]) -> str:
    """Names a generation by all that makes it what it is: the files, the interpreter, the stable path, our version."""
    content = [
        __version__,
        session.interpreter.key,
        str(session.venv),
        [_identity(pin) for pin in sorted(pins, key=lambda pin: pin.name)],
    ]
    digest = hashlib.sha256(json.dumps(content).encode()).hexdigest()[:16]
    torch = next((str(pin.version) for pin in pins if pin.name == "torch"), None)
    return f"torch-{torch}-{digest}" if torch else digest


def _identity(pin: Pin) -> list[Any]:
    if pin.files:
        return [pin.name, str(pin.version), pin.files[0].filename, pin.files[0].hashes["sha256"]]
    direct = pin.direct
    if direct is None:
        return [pin.name, str(pin.version)]
    return [pin.name, str(pin.version), direct.url, direct.editable, dict(direct.hashes), _described(direct)]


def _described(direct: Direct) -> str:
    """A folder's own description: when it changes, what is installed of it has to be made anew."""
    digest = hashlib.sha256()
    for name in ("pyproject.toml", "setup.py", "setup.cfg"):
        with suppress(OSError):
            digest.update((direct.path / name).read_bytes() if direct.path else b"")
    return digest.hexdigest()


def _versions(pins: tuple[Pin, ...]) -> Mapping[str, Version]:
    return {pin.name: pin.version for pin in pins}


def _outcome(session: Session, selection: Selection, pins: tuple[Pin, ...], key: str) -> Outcome:
    """How the environment will differ from what it is now."""
    packages = tuple(Package.of(pin) for pin in sorted(pins, key=lambda pin: pin.name))
    current = generations.current(session.venv)
    added, removed, replaced = difference(_packages_of(current), packages)
    changed = current is None or current.name != key or not _is_untouched(session, current, pins)
    return Outcome(
        changed=changed,
        choice=selection.choice,
        environment=session.venv,
        python=session.target.python,
        packages=packages,
        added=added,
        removed=removed,
        replaced=replaced,
        warnings=session.everything_to_say(),
    )


def _packages_of(generation: Path | None) -> tuple[Package, ...]:
    """What an earlier sync said that it installed."""
    if generation is None:
        return ()
    try:
        document = json.loads((generation / stamp.OUTCOME).read_bytes())
        return tuple(Package(**each) for each in document["packages"])
    except (OSError, ValueError, KeyError, TypeError):
        return ()


def _leave_stamp(session: Session, outcome: Outcome) -> None:
    """Let the next sync know at a glance that there is nothing to do."""
    if any(is_family(each.name) and each.sha256 is None for each in outcome.packages):
        return
    layout = Layout.of(session.interpreter, session.venv, session.venv)
    watched = [
        *session.project.files,
        session.lock_path,
        *session.configuration.files,
        *layout.site_packages,
        session.interpreter.path,
        session.venv / stamp.OUTCOME,
    ]
    summary = f"Nothing to do. {outcome.headline()}"
    stamp.write(str(session.venv), list(session.asked.options), [str(path) for path in watched], summary)
