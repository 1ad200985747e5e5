"""The right to open device nodes: not inferred from their permissions, but tried, in a child (see opening.py).

Root in a container may be refused a node that it owns, and a user may be in a group since after the login.
Of a folder that holds no answer only the presence of nodes counts.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping
from typing import Any

from probes.documents import parse_document
from probes.host import Host, Interrupted
from probes.machine import Container, Unknown
from probes.modules import program

__all__ = ["closed_nodes", "parse_attempts"]

_SECONDS = 5.0
_NAME = "opening"


def closed_nodes(host: Host, paths: Iterable[str], container: Container | None = None) -> Mapping[str, str]:
    """Why nodes cannot be opened, one sentence for each that cannot."""
    wanted = tuple(dict.fromkeys(paths))
    missing = {path: _missing(path, container) for path in wanted if not host.exists(path)}
    present = [path for path in wanted if path not in missing]
    if not present:
        return missing
    # Answers are kept by command (see remembered.py), so what could change one is part of the command.
    stamped = [word for path in present for word in (path, host.stamp(path) or "")]
    output = host.run((sys.executable, "-I", "-c", program("opening.py"), *stamped), _SECONDS, name=_NAME)
    if isinstance(output, Interrupted):
        return {**missing, **{path: f"{path} could not be tried: {output.reason}" for path in present}}
    if isinstance(output, Unknown):
        return missing
    attempts = parse_attempts(output)
    return {**missing, **{path: _sentence(path, attempts[path], container) for path in present if attempts.get(path)}}


def parse_attempts(text: str) -> Mapping[str, Mapping[str, Any]]:
    """What the child printed; nothing where it is not of the agreed form."""
    document = parse_document(text)
    if not isinstance(document, dict):
        return {}
    return {path: attempt for path, attempt in document.items() if isinstance(attempt, dict)}


def _missing(path: str, container: Container | None) -> str:
    sentence = f"there is no device node {path}"
    return f"{sentence}{_ways(path)}" if container is not None else sentence


def _ways(path: str) -> str:
    folder = "/dev/dri" if path.startswith("/dev/dri/") else path
    return f" (start the container with it, for example `docker run --device {folder}`)"


def _sentence(path: str, attempt: Mapping[str, Any], container: Container | None) -> str:
    error, group = attempt.get("error"), attempt.get("group")
    if error == "EACCES" and isinstance(group, str):
        if attempt.get("listed") is True:
            return f"this process may not open {path}: its user is in the group {group} only from the next login on"
        way = f"`--group-add {group}`" if container else f"`sudo usermod -aG {group} $USER`, then log in again"
        return f"this process may not open {path}: its user is not in the group {group} ({way})"
    if error == "EPERM" and container is not None:
        return f"this {container.kind} container may not open {path}{_ways(path)}"
    return f"{path} cannot be opened ({error if isinstance(error, str) else 'the attempt does not tell why'})"
