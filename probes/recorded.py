"""Machines as JSON documents: what `probe --json` prints and `choose --machine` reads.

An unknown fact is written `{"unknown": "reason"}`, an absent one `null`, a compute capability `"9.0"`.
Keys that are not known are passed over, so that a newer program's documents can still be read.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from os import PathLike
from typing import Any, TypeVar

from probes import machine as facts
from probes.machine import SCHEMA, Machine, Unknown

__all__ = ["MachineFormatError", "decode", "encode", "plain", "read_machine"]

Fact = TypeVar("Fact")
Reader = Callable[[Any, str], Any]
_LIMIT = 4 << 20
_MOST = 1e15
"""A number of CPUs beyond which it is none; NaN is not below it either."""


class MachineFormatError(ValueError):
    """A document that does not describe a machine; `where` is the path inside it, or the file."""

    def __init__(self, where: str, problem: str) -> None:
        super().__init__(f"{where}: {problem}; write such a file with `torchstrap probe --json`")
        self.where = where
        self.problem = problem


def read_machine(path: str | PathLike[str]) -> Machine:
    """The machine that a file of `probe --json` describes. Raises MachineFormatError, also if it is missing."""
    try:
        with open(path, "rb") as stream:
            document = json.loads(stream.read(_LIMIT))
    except (OSError, ValueError, RecursionError) as problem:
        raise MachineFormatError(str(path), f"cannot be read as a machine ({problem})") from problem
    try:
        return decode(document)
    except MachineFormatError as problem:
        raise MachineFormatError(f"{path}: {problem.where}", problem.problem) from problem


def encode(machine: Machine) -> dict[str, Any]:
    """The JSON form of a machine."""
    return {"schema": SCHEMA, **plain(machine)}


def plain(value: Any, name: str = "") -> Any:
    """The JSON form of a fact, or of a part of one; `name` is what its owner calls it."""
    if isinstance(value, Unknown):
        return {"unknown": value.reason}
    if hasattr(value, "_fields"):
        return {name: plain(each, name) for name, each in value._asdict().items()}
    if name == "compute_capability" and value is not None:
        return ".".join(map(str, value))
    if isinstance(value, frozenset):
        return sorted(value)
    if isinstance(value, tuple):
        return [plain(each) for each in value]
    return value


def decode(document: Any) -> Machine:
    """The machine in a JSON document. Raises MachineFormatError."""
    schema = _mapping(document, "the document").get("schema")
    if schema != SCHEMA:
        raise MachineFormatError("schema", f"is {schema!r} and not {SCHEMA!r}")
    return _object(Machine, _MACHINE)(document, "")


def _mapping(value: Any, where: str) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise MachineFormatError(where, "is no object")
    return value


def _of(kind: type, words: str) -> Reader:
    def read(value: Any, where: str) -> Any:
        if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
            raise MachineFormatError(where, f"is {words}, not {value!r}"[:200])
        return value

    return read


def _capability(value: Any, where: str) -> tuple[int, int]:
    match = re.fullmatch(r"(\d{1,3})\.(\d{1,3})", value if isinstance(value, str) else "", re.ASCII)
    if match is None:
        raise MachineFormatError(where, f'is a compute capability such as "9.0", not {value!r}'[:200])
    return int(match[1]), int(match[2])


def _vendor(value: Any, where: str) -> str:
    if value not in ("nvidia", "amd", "intel", "apple"):
        raise MachineFormatError(where, f"is nvidia, amd, intel or apple, not {value!r}"[:200])
    return str(value)


def _optional(reader: Reader) -> Reader:
    return lambda value, where: None if value is None else reader(value, where)


def _perhaps(reader: Reader) -> Reader:
    def read(value: Any, where: str) -> Any:
        if isinstance(value, Mapping) and value.keys() == {"unknown"}:
            return Unknown(_text(value["unknown"], f"{where}.unknown"))
        return reader(value, where)

    return read


def _many(collection: Callable[[list[Any]], Any], reader: Reader) -> Reader:
    def read(value: Any, where: str) -> Any:
        if not isinstance(value, (list, tuple)):
            raise MachineFormatError(where, "is no array")
        return collection([reader(each, f"{where}[{number}]") for number, each in enumerate(value)])

    return read


def _object(kind: Callable[..., Fact], readers: Mapping[str, Reader]) -> Callable[[Any, str], Fact]:
    def read(value: Any, where: str) -> Fact:
        mapping = _mapping(value, where)
        prefix = f"{where}." if where else ""
        present = {name: reader(mapping[name], prefix + name) for name, reader in readers.items() if name in mapping}
        try:
            return kind(**present)
        except TypeError:
            missing = sorted(readers.keys() - present.keys())
            raise MachineFormatError(where or "the document", f"lacks one of {', '.join(missing)}") from None

    return read


_text = _of(str, "a text")
_integer = _of(int, "a whole number")
_boolean = _of(bool, "true or false")


def _number(value: Any, where: str) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not abs(value) < _MOST:
        raise MachineFormatError(where, f"is a number, not {value!r}"[:200])
    return float(value)


_SYSTEM: Mapping[str, Reader] = {
    "os": _text,
    "version": _perhaps(_text),
    "kernel": _perhaps(_text),
    "architecture": _perhaps(_text),
    "source": _text,
    "machine": _optional(_text),
    "board": _optional(_text),
    "l4t": _optional(_text),
}
_LIBC: Mapping[str, Reader] = {"family": _text, "version": _perhaps(_text), "source": _text}
_CPU: Mapping[str, Reader] = {
    "vendor": _perhaps(_text),
    "model": _perhaps(_text),
    "features": _many(frozenset, _text),
    "level": _optional(_perhaps(_text)),
    "source": _text,
    "cores": _optional(_perhaps(_integer)),
    "step": _optional(_text),
}
_LIBRARY: Mapping[str, Reader] = {"source": _text, "cuda": _perhaps(_text), "devices": _perhaps(_integer)}
_DRIVER: Mapping[str, Reader] = {
    "version": _text,
    "source": _text,
    "cuda": _optional(_perhaps(_text)),
    "user_space": _optional(_perhaps(_text)),
    "library": _optional(_perhaps(_object(facts.CudaLibrary, _LIBRARY))),
    "compat": _optional(_text),
}
_SLICE: Mapping[str, Reader] = {
    "name": _perhaps(_text),
    "uuid": _optional(_text),
    "memory": _perhaps(_integer),
    "visible": _boolean,
}
_GPU: Mapping[str, Reader] = {
    "vendor": _vendor,
    "name": _perhaps(_text),
    "source": _text,
    "uuid": _optional(_text),
    "memory": _optional(_perhaps(_integer)),
    "compute_capability": _optional(_perhaps(_capability)),
    "target": _optional(_perhaps(_text)),
    "visible": _boolean,
    "mig": _optional(_perhaps(_boolean)),
    "slices": _many(tuple, _object(facts.MigSlice, _SLICE)),
    "integrated": _optional(_boolean),
    "closed": _optional(_text),
}
_OTHER_DRIVER: Mapping[str, Reader] = {
    "name": _text,
    "version": _optional(_text),
    "source": _text,
    "user_space": _optional(_text),
}
_LIMITS: Mapping[str, Reader] = {
    "cpus": _optional(_perhaps(_number)),
    "memory": _optional(_perhaps(_integer)),
    "read_only": _perhaps(_boolean),
    "source": _text,
}


def _pythons(value: Any, where: str) -> Any:
    from probes.pythons import Python  # noqa: PLC0415 - see machine.py

    return _many(tuple, _object(Python, _PYTHON))(value, where)


def _storage(value: Any, where: str) -> Any:
    from probes.storage import Folder, Sharing, Storage  # noqa: PLC0415

    parts = {"folders": _many(tuple, _object(Folder, _FOLDER)), "sharing": _many(tuple, _object(Sharing, _SHARING))}
    return _object(Storage, parts)(value, where)


_PYTHON: Mapping[str, Reader] = {
    "path": _text,
    "source": _text,
    "version": _perhaps(_text),
    "implementation": _perhaps(_text),
    "architecture": _perhaps(_text),
    "libc": _optional(_perhaps(_object(facts.Libc, _LIBC))),
    "free_threaded": _perhaps(_boolean),
    "externally_managed": _perhaps(_boolean),
}
_FOLDER: Mapping[str, Reader] = {
    "purpose": _text,
    "path": _text,
    "looked_at": _text,
    "free": _perhaps(_integer),
    "kind": _perhaps(_text),
    "read_only": _perhaps(_boolean),
}
_SHARING: Mapping[str, Reader] = {
    "origin": _text,
    "target": _text,
    "hard_link": _perhaps(_boolean),
    "reflink": _perhaps(_boolean),
}
_MACHINE: Mapping[str, Reader] = {
    "system": _object(facts.System, _SYSTEM),
    "libc": _optional(_perhaps(_object(facts.Libc, _LIBC))),
    "cpu": _perhaps(_object(facts.Cpu, _CPU)),
    "driver": _optional(_perhaps(_object(facts.NvidiaDriver, _DRIVER))),
    "gpus": _many(tuple, _object(facts.Gpu, _GPU)),
    "container": _optional(_object(facts.Container, {"kind": _text, "source": _text})),
    "notes": _many(tuple, _text),
    "limits": _optional(_perhaps(_object(facts.Limits, _LIMITS))),
    "drivers": _many(tuple, _object(facts.GpuDriver, _OTHER_DRIVER)),
    "pythons": _pythons,
    "storage": _optional(_perhaps(_storage)),
}
