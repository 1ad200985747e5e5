"""Running from a checkout: the program fetches what it is made of into a place of its own, once.

`python3 -m bootstrap` in a clone works with any Python that has pip. What pyproject.toml lists as dependencies goes,
through `pip install --target`, into `<data>/torchstrap/checkout/<digest>/`, never into that Python's own folders;
so it makes no difference whether Python is externally managed (PEP 668), has `venv`, or is writable.
The digest is over the list of requirements and the Python, so that a change of either makes a new place.
An installed torchstrap brings its dependencies along and none of this happens.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

__all__ = ["provide"]

_ROOT = Path(__file__).parent.parent


def provide() -> str | None:
    """Make our dependencies importable. Returns a sentence if that is not possible."""
    pyproject = _ROOT / "pyproject.toml"
    if not pyproject.is_file() or _is_installed():
        return None
    requirements = _requirements(pyproject.read_text(encoding="utf-8"))
    digest = hashlib.sha256(repr((sys.version, sys.platform, requirements)).encode()).hexdigest()[:16]
    try:
        place = _data() / "torchstrap" / "checkout" / digest
    except RuntimeError:
        return "this user has no home folder; name a folder for torchstrap itself with TORCHSTRAP_TOOL_DIR"
    if not place.is_dir():
        problem = _install(requirements, place)
        if problem is not None:
            return problem
    # Before site-packages, where older versions may lie; behind the standard library, which nothing may shadow.
    site = (at for at, entry in enumerate(sys.path) if entry.endswith(("site-packages", "dist-packages")))
    sys.path.insert(next(site, len(sys.path)), str(place))
    return None


def _is_installed() -> bool:
    for entry in sys.path:
        try:
            names = [path.name for path in Path(entry or ".").iterdir()]
        except OSError:
            continue
        if any(name.startswith("torchstrap-") and name.endswith(".dist-info") for name in names):
            return True
    return False


def _data() -> Path:
    named = os.environ.get("TORCHSTRAP_TOOL_DIR") or os.environ.get("XDG_DATA_HOME")
    return Path(named) if named else Path.home() / ".local" / "share"


def _requirements(text: str) -> list[str]:
    if sys.version_info >= (3, 11):
        import tomllib  # noqa: PLC0415
    else:
        # Python 3.10 has no TOML reader, but pip, which is needed here anyway, carries one.
        from pip._vendor import tomli as tomllib  # noqa: PLC0415
    return [str(each) for each in tomllib.loads(text)["project"]["dependencies"]]


def _install(requirements: list[str], place: Path) -> str | None:
    if importlib.util.find_spec("pip") is None:
        return (
            f"{sys.executable} has no pip, which is needed once to fetch what torchstrap is made of; install it "
            f"(Debian and Ubuntu: `apt install python3-pip`; Fedora: `dnf install python3-pip`) or use another python3"
        )
    sys.stderr.write(f"Setting torchstrap up in {place} (once; Python's own folders are not touched)\n")
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        beside = Path(tempfile.mkdtemp(prefix="building-", dir=place.parent))
    except OSError as error:
        return (
            f"{place.parent} cannot be written ({error.strerror}); "
            f"name another folder for torchstrap itself with TORCHSTRAP_TOOL_DIR"
        )
    try:
        command = [sys.executable, "-m", "pip", "install", "-qq", "--target", str(beside), *requirements]
        done = subprocess.run(
            command, env={**os.environ, "PIP_USER": "0", "PIP_ROOT_USER_ACTION": "ignore"}, check=False
        )
        if done.returncode:
            return (
                f"pip could not fetch what torchstrap is made of (exit code {done.returncode}, its message is above); "
                f"mend the network or pip's configuration and try again, nothing was left behind"
            )
        beside.chmod(0o755)  # mkdtemp is private, a program folder need not be
        beside.rename(place)
    except OSError as error:
        if not place.is_dir():  # another process may have been quicker, which is fine
            return f"{place} cannot be written ({error.strerror}); name another folder with TORCHSTRAP_TOOL_DIR"
    finally:
        shutil.rmtree(beside, ignore_errors=True)
    return None
