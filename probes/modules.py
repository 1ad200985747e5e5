"""Where a module would be imported from, so that an isolated child can be told."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

__all__ = ["folders_of"]


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
