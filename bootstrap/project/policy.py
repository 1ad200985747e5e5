r"""What an administrator has decided for everybody on a machine: /etc/torchstrap/policy.toml.

    [defaults]                       # holds where nobody says otherwise; goes before pip's configuration
    mirrors = ["https://download.pytorch.org/whl=https://mirror.lab/whl"]
    cache-dir = "/srv/torchstrap"

    [enforced]                       # holds whatever anybody says
    offline = true                   # no network
    variants = ["cpu", "cu126"]      # no other build of torch; `default` is the default index's

    [install]                        # read by install.sh
    base-url = "https://mirror.lab/torchstrap"   # the folder that has v<VERSION>/torchstrap.pyz

The keys of the first two tables are those of [tool.torchstrap]; `variants` only stands in [enforced]. On Windows the
file is %ProgramData%\torchstrap\policy.toml. Where there is none, TORCHSTRAP_POLICY may name one, so that it can add
rules but never take an administrator's away. This keeps users from mistakes, not from what they are permitted to do.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bootstrap.errors import ConfigurationError, InputError

__all__ = ["NONE", "MachinePolicy", "read_policy", "watched"]

_NAME = "policy.toml"
_TABLES = ("defaults", "enforced", "install")


@dataclass(frozen=True, slots=True)
class MachinePolicy:
    """`defaults` and `enforced` are settings by their keys in [tool.torchstrap]; no `variants` means any."""

    path: Path | None = None
    defaults: Mapping[str, object] = field(default_factory=dict)
    enforced: Mapping[str, object] = field(default_factory=dict)
    variants: frozenset[str] | None = None

    def admits(self, variant: str) -> bool:
        """May this build of torch be installed here?"""
        return self.variants is None or variant in self.variants

    def sentence(self) -> str:
        """What is allowed, for whoever asked for something else."""
        return f"{self.path} allows {', '.join(sorted(self.variants or ()))} only"


NONE = MachinePolicy()


def watched(environ: Mapping[str, str] | None = None, *, root: Path | None = None) -> tuple[Path, ...]:
    """The files that may hold the policy, whether they are there or not; the first that is there is the policy."""
    environ = os.environ if environ is None else environ
    named = environ.get("TORCHSTRAP_POLICY")
    return (_place(environ, root), *((Path(named).absolute(),) if named else ()))


def read_policy(environ: Mapping[str, str] | None = None, *, root: Path | None = None) -> MachinePolicy:
    """The policy of this machine, `NONE` where there is none. Raises ConfigurationError for one that makes no sense.

    `root` stands for /etc.
    """
    places = watched(environ, root=root)
    for path in places:
        if os.path.lexists(path):
            return _read(path)
    if len(places) > 1:
        raise ConfigurationError(f"TORCHSTRAP_POLICY names {places[-1]}, which does not exist")
    return NONE


def _place(environ: Mapping[str, str], root: Path | None) -> Path:
    if root is None and os.name == "nt":
        root = Path(environ.get("PROGRAMDATA", r"C:\ProgramData"))
    return (root or Path("/etc")) / "torchstrap" / _NAME


def _read(path: Path) -> MachinePolicy:
    from bootstrap import toml  # noqa: PLC0415 - few machines have a policy

    try:
        document = toml.load(path)
    except InputError as error:
        raise ConfigurationError(f"{error}; it is the policy of this machine, and its keeper has to mend it") from error
    unknown = sorted(document.keys() - set(_TABLES))
    if unknown:
        raise ConfigurationError(f"{path}: `{unknown[0]}` is no part of a policy; there are {', '.join(_TABLES)}")
    defaults, enforced, _ = (_table(path, document, name) for name in _TABLES)
    if "variants" in defaults:
        raise ConfigurationError(f"{path}: `variants` belongs into [enforced], as it is no default")
    variants = enforced.pop("variants", None)
    return MachinePolicy(path, defaults, enforced, None if variants is None else _variants(path, variants))


def _table(path: Path, document: Mapping[str, Any], name: str) -> dict[str, object]:
    found = document.get(name, {})
    if not isinstance(found, dict):
        raise ConfigurationError(f"{path}: {name} must be a table, as in `[{name}]`")
    return found


def _variants(path: Path, said: object) -> frozenset[str]:
    if not isinstance(said, list) or not said or not all(isinstance(each, str) for each in said):
        raise ConfigurationError(f'{path}: [enforced] variants must be a list of names such as ["cpu", "cu126"]')
    return frozenset(said)
