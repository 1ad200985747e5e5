"""uv's [tool.uv.extra-build-dependencies], in the words of our own `build-with`."""

from __future__ import annotations

from collections.abc import Mapping

__all__ = ["extra_build_dependencies"]


def extra_build_dependencies(uv: object) -> Mapping[str, object]:
    """What uv's table gives to the builds of packages. Only what says `match-runtime` is that of the environment.

    What is not of the form is passed on as it is, for whoever checks settings to complain of.
    """
    table = uv.get("extra-build-dependencies", {}) if isinstance(uv, Mapping) else {}
    if not isinstance(table, Mapping):
        return {"extra-build-dependencies": None}
    return {
        package: [_stated(each) for each in several] if isinstance(several, list) else several
        for package, several in table.items()
    }


def _stated(item: object) -> object:
    if isinstance(item, str):
        return {"requirement": item, "match-runtime": False}
    return {"match-runtime": False, **item} if isinstance(item, Mapping) else item
