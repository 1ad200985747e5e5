"""Parse, call, render, for `bundle`."""

from __future__ import annotations

import argparse
import sys
import zipfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from bootstrap.commands.asked import Asked
from bootstrap.console import Console
from bootstrap.errors import UsageError

__all__ = ["COMMANDS"]


def _bundle(parsed: argparse.Namespace, asked: Asked, _: Sequence[str], console: Console) -> int:
    from bootstrap.commands.bundles.making import Wanted, bundle  # noqa: PLC0415 - each command loads what it needs
    from bootstrap.commands.session import opened  # noqa: PLC0415

    if parsed.output is None:
        raise UsageError("bundle needs -o FILE: where the bundle goes")
    offers = tuple(word for text in parsed.variants for word in text.replace(",", " ").split())
    pythons = tuple(Path(each) for each in parsed.with_python if each is not None)
    output, program = Path(parsed.output), parsed.program or _running()
    wanted = Wanted(output, offers, program, pythons, with_pythons=None in parsed.with_python)
    with console.activity() as activity, opened(replace(asked, output=None), activity) as session:
        # A lock is for many machines unless somebody says otherwise, a bundle for this one.
        session.asked = replace(
            session.asked,
            python_versions=session.asked.python_versions or (session.target.python_minor,),
            platforms=session.asked.platforms or (session.target.platform,),
        )
        done = bundle(session, wanted)
    for warning in done.warnings:
        console.warn(warning)
    if parsed.json:
        console.json(done.to_json())
    console.say(done.sentence())
    console.say(f"sha256 {done.sha256}")
    return 0


def _running() -> Path | None:
    """The one file that is running, if it is one."""
    program = Path(sys.argv[0])
    is_launcher = program.suffix == ".exe"  # which is a zip file too
    return program if not is_launcher and program.is_file() and zipfile.is_zipfile(program) else None


COMMANDS: Mapping[str, Callable[[argparse.Namespace, Asked, Sequence[str], Console], int]] = {"bundle": _bundle}
