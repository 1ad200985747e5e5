"""Pages of the two kinds of index, from what they list.

The two kinds:

    PyTorch   HTML only; "%2B" in links and "+" in the text; no data-requires-python, no data-yanked; hashes and
              metadata only on some links; a <!--TIMESTAMP n--> at the end
    default   HTML or JSON (PEP 691, PEP 700), with everything that these standards offer
"""

from __future__ import annotations

import hashlib
import html
import json
from collections.abc import Iterable, Sequence
from typing import Any
from urllib.parse import quote

from tests.replica.catalogue import Listed

__all__ = ["default_html", "default_json", "links_html", "pytorch_html", "sha256"]

TIMESTAMP = "<!--TIMESTAMP 1763596800-->"


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def links_html(names: Iterable[str]) -> str:
    """A page that lists projects or variants."""
    rows = [f'    <a href="{name}/">{name}</a><br/>' for name in sorted(names)]
    return "\n".join(["<!DOCTYPE html>", "<html>", "  <body>", *rows, "  </body>", "</html>", TIMESTAMP, ""])


def pytorch_html(project: str, listed: Iterable[tuple[str, Listed]]) -> str:
    """A project's page as PyTorch's index writes it: each file with the host to write before its path, if any."""
    rows = [_pytorch_link(one, host) for host, one in listed]
    head = ["<!DOCTYPE html>", "<html>", "  <body>", f"    <h1>Links for {project}</h1>"]
    return "\n".join([*head, *rows, "  </body>", "</html>", TIMESTAMP, ""])


def _pytorch_link(one: Listed, host: str) -> str:
    fragment = f"#sha256={sha256(one.file.content())}" if one.hashed else ""
    attributes = f' data-upload-time="{one.uploaded}T00:00:00Z"'
    if one.described:
        value = f"sha256={sha256(one.file.metadata())}"
        attributes += f' data-dist-info-metadata="{value}" data-core-metadata="{value}"'
    return f'    <a href="{_address(one, host)}{fragment}"{attributes}>{one.file.filename}</a><br/>'


def default_html(project: str, listed: Sequence[Listed], host: str) -> str:
    """A project's page on the default index, for whoever does not ask for JSON."""
    rows = []
    for one in listed:
        attributes = ""
        if one.file.python is not None:
            attributes += f' data-requires-python="{html.escape(one.file.python)}"'
        if one.described:
            value = f"sha256={sha256(one.file.metadata())}"
            attributes += f' data-dist-info-metadata="{value}" data-core-metadata="{value}"'
        if one.yanked is not None:
            attributes += f' data-yanked="{html.escape(one.yanked)}"'
        fragment = f"#sha256={sha256(one.file.content())}" if one.hashed else ""
        rows.append(f'    <a href="{_address(one, host)}{fragment}"{attributes}>{one.file.filename}</a><br />')
    head = ["<!DOCTYPE html>", "<html>", "  <head>", '    <meta name="pypi:repository-version" content="1.3">']
    head += [f"    <title>Links for {project}</title>", "  </head>", "  <body>", f"    <h1>Links for {project}</h1>"]
    return "\n".join([*head, *rows, "  </body>", "</html>", ""])


def default_json(project: str, listed: Sequence[Listed], host: str) -> str:
    """The same as JSON."""
    files = [_json_file(one, host) for one in listed]
    versions = sorted({one.version for one in listed})
    return json.dumps({"meta": {"api-version": "1.1"}, "name": project, "versions": versions, "files": files})


def _json_file(one: Listed, host: str) -> dict[str, Any]:
    metadata = {"sha256": sha256(one.file.metadata())} if one.described else False
    return {
        "filename": one.file.filename,
        "url": _address(one, host),
        "hashes": {"sha256": sha256(one.file.content())} if one.hashed else {},
        "requires-python": one.file.python,
        "size": len(one.file.content()),
        "upload-time": f"{one.uploaded}T00:00:00.000000Z",
        "yanked": False if one.yanked is None else one.yanked,
        "core-metadata": metadata,
        "data-dist-info-metadata": metadata,
    }


def _address(one: Listed, host: str) -> str:
    return host + quote(one.path)
