"""The main job: probe, choose, lock if needed, build, verify, switch.

choice ── lock ── pins of the selection ── key of the generation
                                             ├─ exists and untouched ── switch (or nothing to do)
                                             └─ else ── assemble beside, verify, prove ── switch
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

from packaging.utils import canonicalize_name
from packaging.version import Version

from bootstrap import __version__, stamp
from bootstrap.commands.activity import Activity
from bootstrap.commands.asked import Asked, environment_of
from bootstrap.commands.bundles.taking import taken
from bootstrap.commands.choices.choosing import Selection, judged_by_lock
from bootstrap.commands.choices.clashing import with_clashes
from bootstrap.commands.identity import identities, key_of
from bootstrap.commands.locks.lock_file import lock_text, save_lock
from bootstrap.commands.locks.locking import Locked, decided, locked_pins
from bootstrap.commands.locks.membership import virtual_members
from bootstrap.commands.locks.resolving import route_of
from bootstrap.commands.observed import observed
from bootstrap.commands.outcome import Outcome, Package, difference, phases_in
from bootstrap.commands.proving import shown
from bootstrap.commands.session import Session, opened
from bootstrap.commands.standing import Standing, packages_of, standing, versions
from bootstrap.commands.stopwatch import Stopwatch
from bootstrap.environment import generations, history, known, switching, verification
from bootstrap.environment.guests import carry
from bootstrap.environment.installed import Distribution
from bootstrap.environment.layout import Layout
from bootstrap.errors import ChoiceError
from bootstrap.resolver.resolution import Direct, Pin
from bootstrap.wheels.disk import writing
from bootstrap.wheels.durable import settle
from profiles import is_family

__all__ = ["environment_of", "sync"]

_PATIENCE = 600.0  # seconds to wait for another sync of the same environment
_STORE_PATIENCE = 60.0  # seconds to wait for other runs to be done with a damaged entry


def sync(asked: Asked, activity: Activity) -> Outcome:
    """Make the environment what is asked for. Raises BootstrapError; the environment is then as it was."""
    activity = watch = Stopwatch(activity)
    with taken(asked) as (meant, bundle), opened(meant, activity, bundle) as session:
        generations.ensure_ours(session.venv)
        inputs = observed(session)
        selection, locked = decided(session)
        # A lock that could not be written has to show before anything is built or switched.
        text = lock_text(session, locked.lock) if locked.is_new else None
        pins = _pins(session, selection, locked)
        selection = with_clashes(_judged(session, selection, pins), pins)
        for warning in selection.choice.warnings:
            session.warn(warning)
        if asked.dry_run or asked.check:
            generations.settled(session.venv, limit=_PATIENCE)
            return _outcome(session, selection, pins, locked, _looked_at(session, pins))
        with generations.locked(
            session.venv, limit=_PATIENCE, waiting=lambda: activity.step(f"Waiting for another sync of {session.venv}")
        ):
            there = _looked_at(session, pins)
            outcome = _outcome(session, selection, pins, locked, there)
            generation = _proven(session, pins, there) or _build(session, pins, there)
            if session.settings.keep_wheels is not None:
                session.workshop.wheels(pins)
            if text is not None:
                save_lock(session, locked.lock, text)
            phases = phases_in(generation) if generation == there.generation else watch.seconds()
            outcome = replace(
                outcome, warnings=session.everything_to_say(), guests=_guests(generation, there), phases=phases
            )
            _describe(generation, outcome)
            generation = generations.switch(session.venv, generations.key_of(generation), _way(session))
            known.remember(session.cache, session.venv)
            if inputs == observed(session):
                _leave_stamp(session, generation, outcome)
        return outcome


def _way(session: Session) -> switching.Way:
    return switching.journaled if session.settings.no_symlink else switching.linked


def _pins(session: Session, selection: Selection, locked: Locked) -> tuple[Pin, ...]:
    """What the lock holds for the selection, and the project itself if it is a package."""
    offer, pins, project = selection.choice.offer, locked_pins(session, selection, locked), session.project
    session.workshop.settle(route_of(session, selection, offer), offer, pins)
    # Another tool's lock may name the project itself.
    is_there = project.name is not None and any(pin.name == canonicalize_name(project.name) for pin in pins)
    if not project.has_build_system or project.name is None or is_there:
        return pins
    own = Direct(project.root.as_uri(), path=project.root, editable=True)
    version = session.workshop.metadata(own).version if project.version is None else project.version
    name = canonicalize_name(project.name)
    return (*pins, Pin(name, Version(version), direct=own, wanted_by=frozenset({""})))


def _judged(session: Session, selection: Selection, pins: tuple[Pin, ...]) -> Selection:
    """The selection in the light of the torch that is locked. Raises ChoiceError if this machine can run none."""
    if selection.obstacle is not None and any(is_family(pin.name) for pin in pins):
        raise ChoiceError(selection.obstacle)
    if not any(pin.name == "torch" for pin in pins):
        if selection.choice.offer.packages is not None:
            return selection
        # What a GPU could do is of no interest to an environment without torch.
        return replace(selection, choice=replace(selection.choice, torch=None, warnings=()))
    return judged_by_lock(selection, pins, session.asked.require)


def _looked_at(session: Session, pins: tuple[Pin, ...]) -> Standing:
    """What stands already; what a hand has done to it is said."""
    found = standing(session, pins)
    sentence = found.sentence(session.venv, keeping=session.asked.keep_extras)
    if sentence:
        session.warn(sentence)
    return found


def _proven(session: Session, pins: tuple[Pin, ...], there: Standing) -> Path | None:
    """The generation that stands. One that was built with `--no-verify` has its proof made up for."""
    generation = there.generation
    if generation is not None and history.marker_of(generation).get("proven") is False:
        guests = there.drift.added if generation == there.current else ()
        python = generation / Layout.of(session.interpreter, generation, session.venv).python
        shown(session, python, versions(pins), [*identities(pins), *_named(guests).items()])
    return generation


def _build(session: Session, pins: tuple[Pin, ...], there: Standing) -> Path:
    """A new generation, verified. One that was changed by hand keeps its name and its place until the switch."""
    if there.fits and there.current is not None:
        _take_out_damaged(session, pins, there.current)
    key = key_of(session, pins)
    guests = there.drift.added if session.asked.keep_extras else ()
    taken = generations.find(session.venv, key) is not None
    name = f"{key}-{secrets.token_hex(4)}" if guests or taken else key

    def fill(folder: Path) -> Mapping[str, Any]:
        assembled = session.workshop.assemble(pins, folder, session.venv)
        for warning in assembled.warnings:
            session.warn(warning)
        layout = Layout.of(session.interpreter, folder, session.venv)
        came = _carried(session, guests, there.current, layout)
        for packages in layout.site_packages:
            # Python would make it at the first import of a lone module and so touch the folder that the stamp watches.
            (packages / "__pycache__").mkdir(exist_ok=True)
        session.activity.step("Verifying")
        with ThreadPoolExecutor(max_workers=2) as aside:
            aside.submit(settle, folder)  # a head start: `build` waits for it, and says so if it fails
            files = [*identities(pins), *came.items()]
            proof = aside.submit(shown, session, folder / layout.python, versions(pins), files)
            verification.verify_consistency(*layout.site_packages, **_expectations(session, pins), guests=came)
            proven = proof.result()
        made_of = {"python": str(session.interpreter.path), "torchstrap": __version__, "entries": assembled.entries}
        overridden = sorted(_expectations(session, pins)["overridden"])
        return {**made_of, "guests": came, "overridden": overridden, "proven": proven}

    return generations.build(session.venv, name, fill)


def _take_out_damaged(session: Session, pins: tuple[Pin, ...], spoiled: Path) -> None:
    """What was spoiled in an environment may have been so through a link, and then the store's file is the same."""
    store = session.store
    is_damaged = store.altered if history.is_distrusted(spoiled) else store.damage
    for pin in pins:
        wheel = store.find(pin.files[0].hashes["sha256"]) if pin.files else None
        if wheel is not None and is_damaged(wheel):
            session.warn(f"{wheel.filename} was damaged in the store; it is fetched again")
            with store.alone(_STORE_PATIENCE):
                store.remove(wheel.sha256)


def _carried(
    session: Session, guests: Sequence[Distribution], current: Path | None, layout: Layout
) -> Mapping[str, str]:
    """Take packages that a hand added along, with a warning for what does not come or does not fit."""
    if not guests or current is None:
        return {}
    old = Layout.of(session.interpreter, current, session.venv)
    carried = carry(guests, old, layout, is_family)
    came = _named(carried.packages)
    unmet = verification.unmet(*layout.site_packages, of=came, markers=session.target.markers) if came else ()
    for warning in (*carried.warnings, *unmet):
        session.warn(warning)
    return came


def _named(guests: Sequence[Distribution]) -> Mapping[str, str]:
    return {each.normalized: each.version for each in guests}


def _guests(generation: Path, there: Standing) -> Mapping[str, str]:
    """The packages in the environment that the lock does not know."""
    if generation == there.generation:
        return _named(there.drift.added) if generation == there.current else {}
    found = history.marker_of(generation).get("guests", {})
    return found if isinstance(found, dict) else {}


def _describe(generation: Path, outcome: Outcome) -> None:
    """Leave what `--json` says when there is nothing to do, and what the next sync compares with."""
    beside = generation / f".{stamp.OUTCOME}.new"  # one name, as nobody else is at work here: a kill leaves one at most
    with writing("describing the environment", generation):
        beside.write_text(json.dumps(outcome.unchanged().to_json(), indent=2) + "\n", encoding="utf-8")
        beside.replace(generation / stamp.OUTCOME)


def _expectations(session: Session, pins: tuple[Pin, ...]) -> dict[str, Any]:
    """What verification compares an environment with."""
    return {
        "expected": versions(pins),
        "markers": session.target.markers,
        "overridden": {canonicalize_name(each.name) for each in session.project.overrides}
        | virtual_members(session.project),
    }


def _outcome(session: Session, selection: Selection, pins: tuple[Pin, ...], locked: Locked, there: Standing) -> Outcome:
    """How the environment and its lock will differ from what they are now."""
    packages = tuple(Package.of(pin) for pin in sorted(pins, key=lambda pin: pin.name))
    before = packages_of(there.current)
    added, removed, replaced = difference(before, packages)
    return Outcome(
        changed=locked.is_new or there.current is None or there.generation != there.current,
        choice=selection.choice,
        environment=session.venv,
        python=session.target.python,
        packages=packages,
        added=added,
        removed=removed,
        replaced=replaced,
        warnings=session.everything_to_say(),
        before=before,
    )


def _leave_stamp(session: Session, generation: Path, outcome: Outcome) -> None:
    """Let the next sync know at a glance that there is nothing to do."""
    layout = Layout.of(session.interpreter, session.venv, session.venv)
    of_bundle = () if session.bundle is None else session.bundle.watched
    if of_bundle is None:
        return
    watched = [
        *observed(session),
        *map(str, of_bundle),
        *map(str, (session.lock_path, *layout.site_packages, session.interpreter.path, session.venv / stamp.OUTCOME)),
    ]
    summary = f"Nothing to do. {outcome.headline()}"
    stamp.write(str(generation), list(session.asked.options), watched, summary, outcome.choice.warnings)
