"""`python -m bootstrap.zipapp`: build torchstrap.pyz, or resolve anew what it carries."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bootstrap.commands.activity import Activity

_LARGEST = 6_000_000  # bytes; who waits for it has a slow line


def main(arguments: Sequence[str]) -> int:
    """Build, or update; exit codes are those of `bootstrap.errors`."""
    from bootstrap import checkout  # noqa: PLC0415 - what the rest needs may have to be fetched first

    problem = checkout.provide()
    if problem is not None:
        sys.stderr.write(f"torchstrap: {problem}\n")
        return 1
    from bootstrap.console import Console  # noqa: PLC0415
    from bootstrap.errors import BootstrapError  # noqa: PLC0415

    asked = _parser().parse_args(arguments)
    console = Console()
    try:
        with console.activity() as activity:
            said = _updated(activity) if asked.update else _built(asked.output, asked.wheels, activity)
    except BootstrapError as error:
        sys.stderr.write(f"torchstrap: {error}\n")
        return error.exit_code
    console.result(said)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m bootstrap.zipapp", description="Build torchstrap.pyz: the program and all that it needs."
    )
    parser.add_argument("-o", "--output", type=Path, default=Path("torchstrap.pyz"), metavar="FILE")
    parser.add_argument("--wheels", type=Path, metavar="DIR", help="take wheels that are here from here")
    parser.add_argument("--update", action="store_true", help="resolve anew which wheels it carries, and build nothing")
    return parser


def _built(output: Path, wheels: Path | None, activity: Activity) -> str:
    from bootstrap.errors import BootstrapError, ConfigurationError  # noqa: PLC0415
    from bootstrap.wheels.disk import put, writing  # noqa: PLC0415
    from bootstrap.zipapp.archive import EARLIEST  # noqa: PLC0415
    from bootstrap.zipapp.contents import pyz  # noqa: PLC0415
    from bootstrap.zipapp.gathering import gathered  # noqa: PLC0415
    from bootstrap.zipapp.vendored import VENDORED  # noqa: PLC0415

    said = os.environ.get("SOURCE_DATE_EPOCH") or f"{EARLIEST:.0f}"
    if not said.isdecimal():
        raise ConfigurationError(f"SOURCE_DATE_EPOCH is {said!r}, but must be seconds since 1970")
    moment = float(said)
    content = pyz(tuple(gathered(VENDORED, wheels, activity)), moment)
    if len(content) > _LARGEST:
        raise BootstrapError(f"{output.name} would have {len(content)} bytes, and should have at most {_LARGEST}")
    with writing(f"writing {output.name}", output.absolute().parent):
        put(output.absolute(), content)
        output.chmod(0o755)
    return f"{output}: {len(content)} bytes, sha256 {sha256(content).hexdigest()}"


def _updated(activity: Activity) -> str:
    from bootstrap.wheels.disk import put, writing  # noqa: PLC0415
    from bootstrap.zipapp.contents import ROOT  # noqa: PLC0415
    from bootstrap.zipapp.vendored import VENDORED, pinned  # noqa: PLC0415

    text = pinned(ROOT / "pyproject.toml", activity)
    with writing(f"writing {VENDORED.name}", VENDORED.parent):
        put(VENDORED, text.encode())
    return f"{VENDORED}: {len(text.splitlines())} packages"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
