"""Parse, call, render: each command of torchstrap in a few lines."""

from __future__ import annotations

import argparse
import errno
import gc
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bootstrap import cli_bundle, cli_pythons, cli_upkeep
from bootstrap.commands.asked import Asked, environment_of
from bootstrap.commands.stopping import Stopped, in_a_child, is_first, stop_within_a_second
from bootstrap.console import Console, harmless
from bootstrap.errors import BootstrapError, CannotWriteError, ConfigurationError, NotPermittedError, UsageError
from bootstrap.options import parser

if TYPE_CHECKING:
    from bootstrap.commands.outcome import Outcome
    from bootstrap.project.policy import MachinePolicy
    from profiles.offer import Choice

__all__ = ["main"]

_UNSAID: tuple[object, ...] = (None, False, [])
_CHANGES_PENDING = 1
_FLAGS = ("frozen", "keep_extras", "no_verify")
# What the operating system says where nobody below expected it to.
_EXIT_CODES = {
    **dict.fromkeys((errno.ENOSPC, errno.EROFS, errno.EDQUOT), CannotWriteError.exit_code),
    **dict.fromkeys((errno.EACCES, errno.EPERM), NotPermittedError.exit_code),
}


def main(arguments: Sequence[str]) -> int:
    """Run one command; the exit codes are those of `bootstrap.errors`."""
    # A resolution makes hundreds of thousands of values that live until the end: looking through them again and again
    # for cycles takes a quarter of its time.
    gc.set_threshold(200_000, 20, 100)
    stop_within_a_second()
    return _ending_well(lambda: _command(list(arguments)))


def _command(words: list[str]) -> int:
    # What stands behind `--` belongs to the program that `run` becomes: argparse never sees it.
    at = words.index("--") if words[:1] == ["run"] and "--" in words else len(words)
    parsed = parser().parse_args(words[:at])
    console = Console(quiet=parsed.quiet, verbose=parsed.verbose, json_log=getattr(parsed, "json_log", False))
    try:
        return _COMMANDS[parsed.name](parsed, _asked(parsed, words[1:at]), words[at + 1 :], console)
    except BootstrapError as error:
        if not console.failed(error):
            raise
        return error.exit_code


def _ending_well(work: Callable[[], int]) -> int:
    """The exit code of a piece of work; what goes wrong in it is said in a sentence."""
    try:
        return work()
    except BootstrapError as error:
        sys.stderr.write(harmless(f"torchstrap: {error}\n"))
        return error.exit_code
    except Stopped as stopped:
        return stopped.exit_code
    except BrokenPipeError:
        # Whoever read our output has seen enough; what is still buffered must not complain at exit either.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except OSError as error:
        sys.stderr.write(
            f"torchstrap: {error.filename or 'the current folder, or what lies in it'}: {error.strerror or error}\n"
        )
        return _EXIT_CODES.get(error.errno or 0, BootstrapError.exit_code)


def _from_environment(parsed: argparse.Namespace) -> Mapping[str, Any]:
    """What TORCHSTRAP_<NAME> says of options that are no settings. The settings read theirs themselves."""
    said: dict[str, Any] = {}
    for name in ("extra", "group", "variant", "require", "gpus", "python", "bundle", *_FLAGS):
        value = os.environ.get(f"TORCHSTRAP_{name.upper()}", "").strip()
        if not value or not hasattr(parsed, name):
            continue
        if name == "require" and value != "gpu":
            raise ConfigurationError(f"TORCHSTRAP_REQUIRE is {value!r}, but must be gpu")
        if name in _FLAGS and value.lower() in {"0", "no", "false", "off"}:
            continue
        said[name] = value.replace(",", " ").split() if name in {"extra", "group"} else value
    return said


def _asked(parsed: argparse.Namespace, options: Sequence[str]) -> Asked:
    given = {
        **_from_environment(parsed),
        **{name: value for name, value in vars(parsed).items() if value not in _UNSAID},
    }
    names = {*_FLAGS, "dry_run", "check", "upgrade", "output", "variant", "require", "gpus", "venv", "python", "bundle"}
    plain = {name: given[name] for name in names & given.keys()}
    return Asked(
        project=given.get("project"),
        requirements=tuple(given.get("requirements", ())),
        constraints=tuple(given.get("constraint", ())),
        extras=tuple(given.get("extra", ())),
        groups=tuple(given.get("group", ())),
        upgrade_packages=tuple(given.get("upgrade_package", ())),
        python_versions=tuple(given.get("python_versions", ())),
        platforms=tuple(given.get("platforms", ())),
        settings=given,
        options=tuple(options),
        **plain,
    )


def _probe(parsed: argparse.Namespace, asked: Asked, _: Sequence[str], console: Console) -> int:
    from bootstrap.commands import machine as machines  # noqa: PLC0415 - each command loads what it needs, no more

    if parsed.sysroot is not None and not parsed.sysroot.is_dir():
        raise UsageError(
            f"--sysroot {parsed.sysroot} is no folder; name one that holds /proc, /sys and /etc of a machine"
        )
    if parsed.record is not None:
        machine = machines.recorded_as(parsed.record, parsed.sysroot)
        console.say(f"{parsed.record}: recorded; names, serial numbers and addresses are masked")
    else:
        machine = machines.machine_below(parsed.sysroot) if parsed.sysroot else machines.whole_machine(asked)
    if parsed.json:
        console.json(machine.to_json())
        return 0
    from bootstrap.commands.machine_table import machine_lines  # noqa: PLC0415

    width = os.get_terminal_size().columns if sys.stdout.isatty() else 0
    console.result("\n".join(machine_lines(machine, width or None)))
    return 0


def _choose(parsed: argparse.Namespace, asked: Asked, _: Sequence[str], console: Console) -> int:
    if parsed.machine:
        from bootstrap.commands.choices.survey import machine_files  # noqa: PLC0415 - each command loads what it needs

        parsed.machine = machine_files(parsed.machine)
    if len(parsed.machine) > 1:
        return _survey(parsed, asked, console)
    from bootstrap.commands.choices.elsewhere import choose_for  # noqa: PLC0415

    choice = choose_for(asked, parsed.machine[0] if parsed.machine else None, parsed.python_version, _there(parsed))
    for warning in choice.warnings:
        console.warn(warning)
    difference = _choice_changed(asked, choice) if parsed.check or parsed.diff else ()
    code = _CHANGES_PENDING if parsed.check and difference else 0
    if parsed.json:
        console.json(choice.to_json())
        return code
    if parsed.diff:
        if difference:
            console.result("\n".join(difference))
        return code
    console.result(f"{choice.offer.name} ({choice.offer.variant}): {choice.reason}")
    for each in choice.rejected:
        console.result(f"  not {each.offer}: {each.reason}")
    for change in choice.changes:
        console.result(f"  to change it: {change}")
    return code


def _there(parsed: argparse.Namespace) -> MachinePolicy:
    """What `--variants` says of the policy of the machines that are looked at."""
    from bootstrap.project.policy import NONE, MachinePolicy  # noqa: PLC0415

    allowed = frozenset(word for text in parsed.variants for word in text.replace(",", " ").split())
    if allowed and not parsed.machine:
        raise UsageError("--variants is what other machines allow, so it needs --machine; this one has its own policy")
    return MachinePolicy(path=Path("--variants"), variants=allowed) if allowed else NONE


def _choice_changed(asked: Asked, choice: Choice) -> Sequence[str]:
    """How the choice differs from the one that the environment was built for."""
    from bootstrap.commands.choices.changing import changed  # noqa: PLC0415
    from bootstrap.commands.outcome import left_in  # noqa: PLC0415

    return changed(left_in(environment_of(asked)), choice)


def _survey(parsed: argparse.Namespace, asked: Asked, console: Console) -> int:
    from bootstrap.commands.choices.survey import survey  # noqa: PLC0415

    found = survey(asked, parsed.machine, parsed.python_version, _there(parsed))
    for warning in found.warnings():
        console.warn(warning)
    if parsed.json:
        console.json(found.to_json())
        return 0
    console.result("\n".join(found.lines()))
    return 0


def _lock(parsed: argparse.Namespace, asked: Asked, _: Sequence[str], console: Console) -> int:
    from bootstrap.commands.locks.relocking import lock  # noqa: PLC0415
    from bootstrap.commands.session import opened  # noqa: PLC0415

    with console.activity() as activity, opened(asked, activity) as session:
        done = lock(session)
    for warning in done.warnings:
        console.warn(warning)
    for offer, difference in done.differences.items():
        console.say(f"{offer}:")
        console.changes(*difference)
    for note in done.notes:
        console.say(note)
    if parsed.output == "-":
        console.result(done.text)
    elif parsed.check:
        console.say(f"{done.path}: {'would change' if done.is_changed else 'is up to date'}")
        return _CHANGES_PENDING if done.is_changed else 0
    console.say(f"{done.path}: {done.summary}")
    return 0


def _sync(parsed: argparse.Namespace, asked: Asked, _: Sequence[str], console: Console) -> int:
    outcome = _synced(asked, console)
    if parsed.json:
        console.json(outcome.to_json())
    elif parsed.diff and outcome.before != outcome.packages:
        console.result("\n".join(outcome.diff()))
    return _CHANGES_PENDING if asked.check and outcome.changed else 0


def _synced(asked: Asked, console: Console) -> Outcome:
    """Sync, and tell people what became of it."""
    from bootstrap.commands.syncing import sync  # noqa: PLC0415

    with console.activity() as activity:
        outcome = sync(asked, activity)
    for warning in outcome.warnings:
        console.warn(warning)
    console.changes(outcome.added, outcome.removed, outcome.replaced)
    if console.verbose:
        for each in outcome.choice.rejected:
            console.say(f"not {each.offer}: {each.reason}")
    console.say(outcome.headline(), "choice")
    return outcome


def _run(_: argparse.Namespace, asked: Asked, command: Sequence[str], console: Console) -> int:
    if not command:
        raise UsageError("run needs a command behind `--`, as in `torchstrap run -- python train.py`")
    from bootstrap.environment.activation import become  # noqa: PLC0415

    def prepare() -> int:
        _synced(asked, console)
        return 0

    code = in_a_child(lambda: _ending_well(prepare)) if is_first() else prepare()
    return code or become(str(environment_of(asked)), list(command))


def _verify(parsed: argparse.Namespace, asked: Asked, _: Sequence[str], console: Console) -> int:
    from bootstrap.commands.looking import verify_environment  # noqa: PLC0415

    report: Mapping[str, Any] = verify_environment(asked)
    if parsed.json:
        console.json(report)
    else:
        torch = report["proof"]["torch"]
        said = f"torch {torch} imports and computes" if torch else "torch is not in it"
        console.result(f"{report['environment']}: {report['packages']} packages are as they should be, and {said}")
    return 0


def _tree(_: argparse.Namespace, asked: Asked, __: Sequence[str], console: Console) -> int:
    from bootstrap.commands.looking import tree  # noqa: PLC0415

    console.result("\n".join(tree(asked)))
    return 0


_COMMANDS: Mapping[str, Callable[[argparse.Namespace, Asked, Sequence[str], Console], int]] = {
    "probe": _probe,
    "choose": _choose,
    "lock": _lock,
    "sync": _sync,
    "run": _run,
    "verify": _verify,
    "tree": _tree,
    **cli_bundle.COMMANDS,
    **cli_pythons.COMMANDS,
    **cli_upkeep.COMMANDS,
}
