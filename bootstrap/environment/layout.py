"""Where an environment keeps things: now, while it is built, and for good.

`root` is where files are written; `final` is the stable path that scripts and settings name. The folders are relative
to both, with "/" between their parts.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from bootstrap.environment.interpreter import Interpreter

__all__ = ["Layout"]


@dataclass(frozen=True, slots=True)
class Layout:
    """The folders of one environment."""

    root: Path
    final: Path
    purelib: str
    platlib: str
    scripts: str
    headers: str
    python: str

    @classmethod
    def of(cls, interpreter: Interpreter, root: Path, final: Path) -> Layout:
        """The layout that an interpreter gives its environments; headers go where pip puts them."""
        minor = ".".join(interpreter.version.split(".")[:2])
        return cls(
            root=root,
            final=final,
            purelib=interpreter.purelib,
            platlib=interpreter.platlib,
            scripts=interpreter.scripts,
            headers=f"include/site/python{minor}",
            python=interpreter.python,
        )

    @property
    def site_packages(self) -> tuple[Path, ...]:
        """The folders that packages are in; one, on nearly every system."""
        return tuple(self.root / each for each in dict.fromkeys((self.purelib, self.platlib)))

    def scheme(self, name: str, project: str) -> str:
        """The folder of an install scheme ("" is the environment itself); headers are kept apart by project."""
        if name == "headers":
            return f"{self.headers}/{project}"
        return {"purelib": self.purelib, "platlib": self.platlib, "scripts": self.scripts}.get(name, "")
