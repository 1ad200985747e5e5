"""`python -m probes`: the facts about this machine as JSON; `--record DIR` writes a folder that tells them again."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence

from probes import Host, LocalHost, Machine, MachineFormatError, probe, record

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Print or record; 0 if done, 1 with a sentence on stderr if not."""
    parser = argparse.ArgumentParser(prog="python -m probes", description="What is this machine?")
    parser.add_argument("--sysroot", default="/", help="probe the machine that lies in this folder")
    parser.add_argument("--record", metavar="DIR", help="write what was read into a new folder, masked")
    given = parser.parse_args(arguments)
    host = LocalHost(given.sysroot)
    try:
        machine = _recorded(host, given.record) if given.record else probe(host)
    except (OSError, MachineFormatError) as problem:
        sys.stderr.write(f"{problem}\n")
        return 1
    sys.stdout.write(json.dumps(machine.to_json(), indent=2) + "\n")
    return 0


def _recorded(host: Host, folder: str) -> Machine:
    from pathlib import Path  # noqa: PLC0415 - takes longer to import than a probe takes to look

    return record(host, Path(folder))


if __name__ == "__main__":
    sys.exit(main())
