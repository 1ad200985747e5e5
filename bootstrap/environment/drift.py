"""What a hand has done inside an environment since it was built: packages added, changed, removed.

Names, versions and INSTALLER tell most of it (pip writes its own name there); a package whose files are gone or have
another size than RECORD says is changed as well. Nothing is guessed about files that no package lists.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from packaging.utils import NormalizedName, canonicalize_name
from packaging.version import Version

from bootstrap.environment.installation import INSTALLER
from bootstrap.environment.installed import Distribution, by_name, installed
from bootstrap.environment.verification import same_version, spoiled_files

__all__ = ["Drift", "drift"]

OURS = INSTALLER.decode().strip()


@dataclass(frozen=True, slots=True)
class Drift:
    """How an environment differs from what it was built as. False if it does not."""

    added: tuple[Distribution, ...] = ()
    changed: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.added or self.changed or self.removed)

    def __str__(self) -> str:
        """In words: "added stowaway 1; removed certifi 2024.2.2"."""
        added = tuple(f"{each.name} {each.version}" for each in self.added)
        parts = (("added", added), ("changed", self.changed), ("removed", self.removed))
        return "; ".join(f"{what} {', '.join(names)}" for what, names in parts if names)


def drift(*site_packages: Path, expected: Mapping[str, Version]) -> Drift:
    """Compare what is installed with what was put there (name to version), without reading the files' bytes."""
    packages = by_name(installed(*site_packages))
    wanted = {canonicalize_name(name): version for name, version in expected.items()}
    return Drift(
        added=tuple(_added(packages, wanted)),
        changed=tuple(_changed(packages, wanted)),
        removed=tuple(f"{name} {version}" for name, version in sorted(wanted.items()) if name not in packages),
    )


def _added(
    packages: Mapping[NormalizedName, tuple[Distribution, ...]], wanted: Mapping[NormalizedName, Version]
) -> Iterator[Distribution]:
    for name, several in packages.items():
        # Where one name is there twice, ours is the one that was put there.
        ours = [each for each in several if each.installer == OURS] if len(several) > 1 else []
        yield from (each for each in several if name not in wanted or (ours and each not in ours))


def _changed(
    packages: Mapping[NormalizedName, tuple[Distribution, ...]], wanted: Mapping[NormalizedName, Version]
) -> Iterator[str]:
    for name, version in sorted(wanted.items()):
        several = packages.get(name, ())
        ours = [each for each in several if each.installer == OURS]
        if several and not ours:
            other = several[0]
            how = f"by {other.installer}" if other.installer else "by hand"
            what = f"{name} {version}"
            yield f"{what} ({how})" if same_version(other, version) else f"{what} -> {other.version} ({how})"
        elif ours and not same_version(ours[0], version):
            yield f"{name} {version} -> {ours[0].version or 'an unknown version'}"
        elif ours and any(True for _ in spoiled_files(ours[0])):
            yield f"{name} {version} (its files)"
