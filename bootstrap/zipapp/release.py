"""What is published of a version: a folder to be laid below a base address, as install.sh looks for it there.

DIR/v0.1.0/torchstrap.pyz           the program
DIR/v0.1.0/torchstrap.pyz.sha256    for those who ask an install.sh for another version than its own
DIR/v0.1.0/install.sh               knows version and hash, so that nothing but itself has to be trusted

python -m bootstrap.zipapp.release torchstrap.pyz DIR   # writes them; the same file gives the same bytes
python -m bootstrap.zipapp.release --rows               # renews the rows of Pythons in the clone's install.sh
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path

__all__ = ["filled", "released"]

_SCRIPT = Path(__file__).parent.parent.parent / "install.sh"
_FIRST, _LAST = "# Filled in by ", "# End of what is filled in.\n"


def filled(script: str, version: str, program_sha256: str, pythons: str) -> str:
    """install.sh for a version, or without one for a clone. `pythons` are rows PLATFORM VERSION SHA256 PATH."""
    before, marked, behind = script.partition(_FIRST)
    remark, _, rest = behind.partition("\n")
    _, ended, after = rest.partition(_LAST)
    if not marked or not ended:
        raise ValueError(f"install.sh has lost its line `{_LAST.strip() if marked else _FIRST.strip()}`")
    values = f"VERSION='{version}' PROGRAM_SHA256='{program_sha256}'\nPYTHONS='{pythons.strip()}'\n"
    return f"{before}{_FIRST}{remark}\n{values}{_LAST}{after}"


def released(program: Path, folder: Path) -> Path:
    """Lay a program, and what belongs to it, into the folder of its version, which is returned. Raises OSError."""
    from bootstrap import __version__  # noqa: PLC0415 - of the program, which is built from here
    from bootstrap.environment.standalone import shell_rows  # noqa: PLC0415 - needs what checkout provides

    content = program.read_bytes()
    digest = sha256(content).hexdigest()
    place = folder / f"v{__version__}"
    place.mkdir(parents=True, exist_ok=True)
    (place / "torchstrap.pyz").write_bytes(content)
    (place / "torchstrap.pyz.sha256").write_text(f"{digest}  torchstrap.pyz\n", encoding="utf-8")
    script = filled(_SCRIPT.read_text(encoding="utf-8"), __version__, digest, shell_rows())
    (place / "install.sh").write_text(script, encoding="utf-8")
    for name in ("torchstrap.pyz", "install.sh"):
        (place / name).chmod(0o755)
    return place


def main(arguments: Sequence[str]) -> int:
    """Release, or renew; 73 if it cannot be written."""
    from bootstrap import checkout  # noqa: PLC0415 - what the rest needs may have to be fetched first

    parser = argparse.ArgumentParser(prog="python -m bootstrap.zipapp.release")
    parser.add_argument("program", nargs="?", type=Path, metavar="FILE", help="what `python -m bootstrap.zipapp` built")
    parser.add_argument("folder", nargs="?", type=Path, metavar="DIR", help="what stands for the base address")
    parser.add_argument("--rows", action="store_true", help="renew the Pythons in install.sh instead")
    asked = parser.parse_args(arguments)
    if asked.rows is (asked.folder is not None):
        parser.error("either a FILE and a DIR, or --rows")
    problem = checkout.provide()
    if problem is not None:
        sys.stderr.write(f"torchstrap: {problem}\n")
        return 1
    try:
        sys.stdout.write(f"{_renewed() if asked.rows else released(asked.program, asked.folder)}\n")
    except OSError as error:
        sys.stderr.write(f"torchstrap: {error.filename} could not be used ({error.strerror}); name another place\n")
        return 73
    return 0


def _renewed() -> Path:
    from bootstrap.environment.standalone import shell_rows  # noqa: PLC0415 - needs what checkout provides

    _SCRIPT.write_text(filled(_SCRIPT.read_text(encoding="utf-8"), "", "", shell_rows()), encoding="utf-8")
    return _SCRIPT


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
