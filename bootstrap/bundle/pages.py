"""The pages that make an unpacked bundle an index for pip and uv: PEP 503, with hashes and metadata (PEP 658).

    variants/cu130/simple/   all that this offer's environments are made of, torch among it
    simple/                  what is the same for every offer; where the bundle has one offer, all of that

    pip install --index-url https://lab/variants/cu130/simple/ torch
    uv pip install --index-url https://lab/variants/cu130/simple/ torch

With two builds of torch on one page pip and uv take the highest local version, so cu130 on a machine without a GPU. So
the torch family, and whatever else differs from offer to offer, is on the pages of its offer only: who asks the common
index for torch gets no answer rather than the wrong one. All links are relative: any server will do, or file://.
Pure: names and hashes in, texts out.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from urllib.parse import quote

__all__ = ["Listed", "pages"]

_PAGE = """<!DOCTYPE html>
<html>
<head><meta name="pypi:repository-version" content="1.0"><title>{title}</title></head>
<body>
{links}
</body>
</html>
"""


@dataclass(frozen=True, slots=True)
class Listed:
    """A wheel at a path of the bundle; `metadata` is the sha256 of the file beside it. Names are normalized."""

    project: str
    path: str
    sha256: str
    offers: frozenset[str]
    is_family: bool = False
    metadata: str | None = None
    requires_python: str | None = None

    @property
    def filename(self) -> str:
        return self.path.rpartition("/")[2]


def pages(wheels: Iterable[Listed], offers: Sequence[str]) -> Mapping[str, str]:
    """The texts of all pages by their path in the bundle. `offers` are the names of those it has; none is one too."""
    every = tuple(wheels)
    apart = _apart(every) if len(offers) > 1 else frozenset()
    found = dict(_index("simple", [each for each in every if each.project not in apart]))
    for offer in offers:
        found.update(_index(f"variants/{quote(offer)}/simple", [each for each in every if offer in each.offers]))
    return found


def _apart(wheels: Iterable[Listed]) -> frozenset[str]:
    """The projects of which only an offer can tell which file is meant."""
    hashes: dict[str, set[str]] = {}
    for each in wheels:
        hashes.setdefault(each.filename, set()).add(each.sha256)
    return frozenset(each.project for each in wheels if each.is_family or len(hashes[each.filename]) > 1)


def _index(root: str, wheels: Iterable[Listed]) -> Iterator[tuple[str, str]]:
    projects: dict[str, list[Listed]] = {}
    for each in wheels:
        projects.setdefault(each.project, []).append(each)
    names = sorted(projects)
    yield f"{root}/index.html", _page("Packages", [f'<a href="{name}/">{name}</a><br>' for name in names])
    up = "../" * (root.count("/") + 2)
    for name in names:
        several = sorted(projects[name], key=lambda each: (each.filename, each.sha256))
        yield f"{root}/{name}/index.html", _page(f"Files of {name}", [_link(each, up) for each in several])


def _link(wheel: Listed, up: str) -> str:
    requires = f' data-requires-python="{escape(wheel.requires_python)}"' if wheel.requires_python else ""
    described = "".join(
        f' {attribute}="sha256={wheel.metadata}"'
        for attribute in ("data-dist-info-metadata", "data-core-metadata")
        if wheel.metadata
    )
    address = f"{up}{quote(wheel.path)}#sha256={wheel.sha256}"
    return f'<a href="{address}"{requires}{described}>{escape(wheel.filename)}</a><br>'


def _page(title: str, links: Sequence[str]) -> str:
    return _PAGE.format(title=escape(title), links="\n".join(links))
