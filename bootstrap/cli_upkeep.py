"""Parse, call, render, for the commands that look after what is there: `env`, `cache`, `doctor`."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping, Sequence

from bootstrap.commands.asked import Asked
from bootstrap.console import Console

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

    done = env.remove(asked, parsed.keys, all_but_current=parsed.all_but_current)
    console.say(done.sentence())
    return 0


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
    "cache dir": _cache_dir,
    "cache gc": _cache_gc,
    "cache verify": _cache_verify,
    "doctor": _doctor,
}
