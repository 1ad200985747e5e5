"""What an isolated child has to be told: its program, and where a module would be imported from."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

__all__ = ["folders_of", "program"]


def folders_of(module: str) -> tuple[str, ...]:
    """The folder or archive on `sys.path` that holds a top-level module, without importing it; none if it is absent."""
    try:
        spec = find_spec(module)
    except (ImportError, ValueError):
        return ()
    if spec is None or spec.origin is None:
        return ()
    origin = Path(spec.origin)
    return (str((origin.parent.parent if origin.name.startswith("__init__.") else origin.parent).absolute()),)


def program(*names: str) -> str:
    """The text of modules of this package as one program, one after the other."""
    from importlib.resources import files  # noqa: PLC0415 - costs 5 ms, and most machines need no child

    return "\n\n".join(files(__package__).joinpath(name).read_text(encoding="utf-8") for name in names)
