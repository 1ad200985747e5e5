"""Parse, call, render, for the commands that look after what is there, and tell of it: `env`, `cache`, `doctor`, …"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from bootstrap.commands.asked import Asked
from bootstrap.console import Console
from bootstrap.errors import InputError, UsageError

__all__ = ["COMMANDS"]

_FOUND = 1


def _env_list(parsed: argparse.Namespace, asked: Asked, _: Sequence[str], console: Console) -> int:
    from bootstrap.commands import env  # noqa: PLC0415 - each command loads what it needs, no more

    several = env.kept(asked)
    if parsed.json:
        console.json({"schema": env.LIST_SCHEMA, "generations": [each.to_json() for each in several]})
    else:
        console.result("\n".join(env.lines(several)))
    return 0


def _env_rollback(parsed: argparse.Namespace, asked: Asked, _: Sequence[str], console: Console) -> int:
    from bootstrap.commands import env  # noqa: PLC0415

    done = env.roll_back(asked, parsed.key)
    for warning in done.warnings():
        console.warn(warning)
    if parsed.json:
        console.json(done.to_json())
    console.say(f"{done.environment} is {done.key} now")
    return 0


def _env_remove(parsed: argparse.Namespace, asked: Asked, _: Sequence[str], console: Console) -> int:
    from bootstrap.commands import env  # noqa: PLC0415

    if parsed.all and (parsed.keys or parsed.all_but_current):
        raise UsageError("--all leaves nothing to be named; say --all, or which generations to remove")
    done = (
        env.remove_all(asked) if parsed.all else env.remove(asked, parsed.keys, all_but_current=parsed.all_but_current)
    )
    console.say(done.sentence())
    return 0


def _env_export(parsed: argparse.Namespace, asked: Asked, _: Sequence[str], console: Console) -> int:
    from bootstrap.commands import exporting  # noqa: PLC0415

    if len(parsed.kinds or ()) != 1:
        raise UsageError("say what the environment is to be exported as: --modulefile or --kernelspec")
    made = exporting.exported(asked, parsed.kinds[0])
    for warning in made.warnings:
        console.warn(warning)
    exporting.write(made)
    if made.place is None:
        console.result(made.text.rstrip("\n"))
    else:
        console.say(f"{made.place}: written")
    return 0


def _ready(_: argparse.Namespace, asked: Asked, __: Sequence[str], console: Console) -> int:
    from bootstrap.commands.readiness import obstacle  # noqa: PLC0415

    found = obstacle(asked)
    if found is not None:
        console.say(found)
    return _FOUND if found else 0


def _facts(_: argparse.Namespace, asked: Asked, __: Sequence[str], console: Console) -> int:
    from bootstrap.commands.facts import facts  # noqa: PLC0415

    console.json(facts(asked))
    return 0


def _report(parsed: argparse.Namespace, asked: Asked, _: Sequence[str], console: Console) -> int:
    from bootstrap.commands import reporting  # noqa: PLC0415

    if parsed.output is None and sys.stdout.isatty():
        raise UsageError("report writes a page for browsers; name its file with -o report.html")
    made = reporting.reported(asked, parsed.machine, parsed.python_version)
    if parsed.output in {None, "-"}:
        console.result(made.html)
    else:
        reporting.write(made, Path(parsed.output))
        console.say(f"{parsed.output}: written")
    if not made.bad:
        return 0
    console.warn(made.sentence())
    return InputError.exit_code


def _cache_dir(_: argparse.Namespace, asked: Asked, __: Sequence[str], console: Console) -> int:
    from bootstrap.commands import cache  # noqa: PLC0415

    console.result(str(cache.folder(asked)))
    return 0


def _cache_gc(parsed: argparse.Namespace, asked: Asked, _: Sequence[str], console: Console) -> int:
    from bootstrap.commands import cache  # noqa: PLC0415

    done = cache.collect(asked)
    if parsed.json:
        console.json(done.to_json())
    for line in done.lines():
        console.say(line)
    console.say(done.sentence(dry_run=asked.dry_run))
    return 0


def _cache_verify(parsed: argparse.Namespace, asked: Asked, _: Sequence[str], console: Console) -> int:
    from bootstrap.commands import cache  # noqa: PLC0415

    found = cache.inspect(asked)
    if parsed.json:
        console.json(found.to_json())
    for line in found.lines():
        console.warn(line)
    console.say(found.sentence())
    return _FOUND if found.damaged else 0


def _doctor(parsed: argparse.Namespace, asked: Asked, _: Sequence[str], console: Console) -> int:
    from bootstrap.commands.doctor import examined, to_json  # noqa: PLC0415

    findings = examined(asked)
    if parsed.json:
        console.json(to_json(findings))
    else:
        for each in findings:
            console.result(f"{each.problem}\n  {each.remedy}")
        if not findings:
            console.say("Nothing is wrong with this machine and the environment.")
    return _FOUND if findings else 0


COMMANDS: Mapping[str, Callable[[argparse.Namespace, Asked, Sequence[str], Console], int]] = {
    "env list": _env_list,
    "env rollback": _env_rollback,
    "env remove": _env_remove,
    "env export": _env_export,
    "cache dir": _cache_dir,
    "cache gc": _cache_gc,
    "cache verify": _cache_verify,
    "doctor": _doctor,
    "ready": _ready,
    "facts": _facts,
    "report": _report,
}
