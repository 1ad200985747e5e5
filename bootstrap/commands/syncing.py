"""The main job: probe, choose, lock if needed, build, verify, switch.

choice ── lock ── pins of the selection ── key of the generation
                                             ├─ exists and untouched ── switch (or nothing to do)
                                             └─ else ── assemble beside, verify, prove ── switch
"""

from __future__ import annotations

import hashlib
import json
import os
import secrets
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

from packaging.utils import canonicalize_name
from packaging.version import Version

from bootstrap import __version__, stamp
from bootstrap.commands.activity import Activity
from bootstrap.commands.asked import Asked, environment_of
from bootstrap.commands.choosing import Selection, judged_by_lock
from bootstrap.commands.lock_file import lock_text, save_lock
from bootstrap.commands.locking import Locked, lock_for
from bootstrap.commands.outcome import Outcome, Package, difference
from bootstrap.commands.resolving import route_of
from bootstrap.commands.session import Session, opened
from bootstrap.commands.workshop import DESCRIPTIONS, description_of
from bootstrap.environment import generations, verification
from bootstrap.environment.installation import INSTALLER
from bootstrap.environment.installed import installed
from bootstrap.environment.layout import Layout
from bootstrap.errors import ChoiceError, InputError, VerificationError
from bootstrap.lock.selection import select
from bootstrap.resolver.resolution import Direct, Pin
from bootstrap.wheels.disk import writing
from profiles import is_family

__all__ = ["environment_of", "sync"]

_PATIENCE = 600.0  # seconds to wait for another sync of the same environment


def sync(asked: Asked, activity: Activity) -> Outcome:
    """Make the environment what is asked for. Raises BootstrapError; the environment is then as it was."""
    with opened(asked, activity) as session:
        generations.ensure_ours(session.venv)
        inputs = _observed(session)
        selection = session.select()
        locked = lock_for(session, selection)
        # A lock that could not be written has to show before anything is built or switched.
        text = lock_text(session, locked.lock) if locked.is_new else None
        pins = _pins(session, selection, locked)
        selection = _judged(session, selection, pins)
        for warning in selection.choice.warnings:
            session.warn(warning)
        if asked.dry_run or asked.check:
            return _outcome(session, selection, pins, locked)
        with generations.locked(
            session.venv, limit=_PATIENCE, waiting=lambda: activity.step(f"Waiting for another sync of {session.venv}")
        ):
            outcome = _outcome(session, selection, pins, locked)
            generation = _standing(session, pins) or _build(session, pins)
            if text is not None:
                save_lock(session, locked.lock, text)
            outcome = replace(outcome, warnings=session.everything_to_say())
            _describe(generation, outcome)
            generations.switch(session.venv, generation.name)
            if inputs == _observed(session):
                _leave_stamp(session, generation, outcome)
        return outcome


def _pins(session: Session, selection: Selection, locked: Locked) -> tuple[Pin, ...]:
    """What the lock holds for the selection, and the project itself if it is a package."""
    offer = selection.choice.offer
    extras = selection.extras | ({offer.name} if offer.kind == "variant" else set())
    pins = select(locked.lock, extras, selection.groups, session.target)
    project = session.project
    session.workshop.settle(route_of(session, selection, offer), offer, pins)
    if not project.has_build_system or project.name is None:
        return pins
    own = Direct(project.root.as_uri(), path=project.root, editable=True)
    version = session.workshop.metadata(own).version if project.version is None else project.version
    name = canonicalize_name(project.name)
    return (*pins, Pin(name, Version(version), direct=own, wanted_by=frozenset({""})))


def _judged(session: Session, selection: Selection, pins: tuple[Pin, ...]) -> Selection:
    """The selection in the light of the torch that is locked. Raises ChoiceError if this machine can run none."""
    torch = next((pin.version for pin in pins if pin.name == "torch"), None)
    if selection.obstacle is not None and any(is_family(pin.name) for pin in pins):
        raise ChoiceError(selection.obstacle)
    if torch is None:
        # What a GPU could do is of no interest to an environment without torch.
        return replace(selection, choice=replace(selection.choice, torch=None, warnings=()))
    return judged_by_lock(selection, session.machine, session.target.markers, torch, session.asked.require)


def _standing(session: Session, pins: tuple[Pin, ...]) -> Path | None:
    """A generation that is exactly this and untouched; the current one if that is one."""
    key = _key(session, pins)
    current = generations.current(session.venv)
    fitting = [each for each in generations.listed(session.venv) if each.name == key or each.name.startswith(f"{key}-")]
    for each in sorted(fitting, key=lambda each: each != current):
        if _is_untouched(session, each, pins):
            return each
    if current in fitting:
        session.warn(f"{session.venv} was changed by hand since it was built; it is built again from the lock")
    return None


def _build(session: Session, pins: tuple[Pin, ...]) -> Path:
    """A new generation, verified. One that was changed by hand keeps its name and its place until the switch."""
    key = _key(session, pins)
    name = key if generations.find(session.venv, key) is None else f"{key}-{secrets.token_hex(4)}"

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

    marker = {"python": str(session.interpreter.path), "torchstrap": __version__}
    return generations.build(session.venv, name, fill, marker)


def _describe(generation: Path, outcome: Outcome) -> None:
    """Leave what `--json` says when there is nothing to do, and what the next sync compares with."""
    beside = generation / f".{stamp.OUTCOME}.{os.getpid()}"
    with writing("describing the environment", generation):
        beside.write_text(json.dumps(outcome.unchanged().to_json(), indent=2) + "\n", encoding="utf-8")
        beside.replace(generation / stamp.OUTCOME)


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
    if not (generation / layout.python).exists():
        return False
    if any(each.installer.encode() != INSTALLER.strip() for each in installed(*layout.site_packages)):
        return False
    try:
        verification.verify(*layout.site_packages, **_expectations(session, pins))
    except VerificationError:
        return False
    return True


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
        file = pin.files[0]
        if "sha256" not in file.hashes:
            raise InputError(
                "the lock", f"has no sha256 for {file.filename}; write it anew with `torchstrap lock --upgrade`"
            )
        return [pin.name, str(pin.version), file.filename, file.hashes["sha256"]]
    direct = pin.direct
    if direct is None:
        return [pin.name, str(pin.version)]
    description = description_of(direct.path) if direct.path else None
    return [pin.name, str(pin.version), direct.url, direct.editable, dict(direct.hashes), description]


def _versions(pins: tuple[Pin, ...]) -> Mapping[str, Version]:
    return {pin.name: pin.version for pin in pins}


def _outcome(session: Session, selection: Selection, pins: tuple[Pin, ...], locked: Locked) -> Outcome:
    """How the environment and its lock will differ from what they are now."""
    packages = tuple(Package.of(pin) for pin in sorted(pins, key=lambda pin: pin.name))
    current = generations.current(session.venv)
    added, removed, replaced = difference(_packages_of(current), packages)
    return Outcome(
        changed=locked.is_new or current is None or _standing(session, pins) != current,
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


def _observed(session: Session) -> Mapping[str, str]:
    """What the files that say what is wanted look like: if one changes while we work, the work is out of date."""
    watched = (*session.project.files, *session.configuration.places, *_descriptions(session))
    return {str(path): stamp.observe(f"file {path}") for path in watched}


def _descriptions(session: Session) -> Iterator[Path]:
    """The files by which the project and local sources describe themselves, whether they are there or not."""
    sources = (source.path for several in session.project.sources.values() for source in several)
    for folder in (session.project.root, *(path for path in sources if path is not None)):
        yield from (folder / name for name in DESCRIPTIONS) if folder.is_dir() else (folder,)


def _leave_stamp(session: Session, generation: Path, outcome: Outcome) -> None:
    """Let the next sync know at a glance that there is nothing to do."""
    layout = Layout.of(session.interpreter, session.venv, session.venv)
    watched = [
        *_observed(session),
        *map(str, (session.lock_path, *layout.site_packages, session.interpreter.path, session.venv / stamp.OUTCOME)),
    ]
    summary = f"Nothing to do. {outcome.headline()}"
    stamp.write(str(generation), list(session.asked.options), watched, summary, outcome.choice.warnings)
