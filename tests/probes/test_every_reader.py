"""Every public function of the package answers, whatever it is given, as it promises, in text that can be written.

The functions are collected from the package, and what to give them from their annotations: a new one is tested as soon
as it is public, or has to say in EXCEPT why not.
"""

from __future__ import annotations

import importlib
import inspect
import json
import pkgutil
import types
import typing
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import probes
from probes import Host, Machine, MachineFormatError, Unknown, probe
from probes.host import QUESTIONS, Interrupted
from tests.machines.unpack import machines
from tests.probes.hosts import Remembered, asked_of_machines

EXCEPT = {
    "__main__.main": "a program, whose arguments are a user's",
    "children.ask_program": "starts programs",
    "libcuda.cuda_facts": "runs in a child, and asks the driver of this machine",
    "nvml.facts": "runs in a child, and asks the driver of this machine",
    "opening.attempt": "runs in a child, and opens what it is told to",
    "opening.group_of": "runs in a child",
    "modules.folders_of": "asks the import system, for names that are our own",
    "modules.program": "reads our own modules",
    "recorder.write_recording": "writes into a folder that a user named, and may raise",
    "storage.probe_storage": "tries what folders of this machine can do",
}
RAISES = {
    "recorded.read_machine": MachineFormatError,
    "recorded.decode": MachineFormatError,
}


def qualified(function: Callable[..., Any]) -> str:
    return f"{function.__module__.removeprefix('probes.')}.{function.__name__}"


def public_functions() -> Iterator[Callable[..., Any]]:
    for found in pkgutil.iter_modules(probes.__path__):
        module = importlib.import_module(f"probes.{found.name}")
        for name in getattr(module, "__all__", ()):
            function = getattr(module, name)
            if isinstance(function, types.FunctionType) and qualified(function) not in EXCEPT:
                yield function


def contents() -> Iterator[str]:
    """What files of recorded machines hold, and what their programs printed, by its beginning."""
    for machine in machines():
        for part in machine.read_text(encoding="utf-8").split("--- /")[1:]:
            name, _, content = part.partition("\n")
            if not name.endswith("answers.json"):
                yield content
                continue
            for printed in json.loads(content)["output"].values():
                yield printed if isinstance(printed, str) else printed["output"]


CONTENTS = sorted({text[:1500] for text in contents()}, key=lambda text: (len(text), text))
ODD = (
    "\0", "\x1b[2J", "\u2028", "\u00b2", "\u0663", "\ufffd", "9" * 5000, "-1", "0x", "1e999", "NaN", "{", "[" * 3000,
    '"\\ud800"', "/..", "/a" * 3000, "://", ": \t", "\n\n", ",", "=" * 200, "GPU-", "MIG-", "::",
)  # fmt: skip
odd = st.integers(0, len(ODD) - 1).map(lambda place: ODD[place])  # by place, as Hypothesis writes out what it is given


def spoil(place: int, start: int, length: int, rest: str) -> str:
    whole = CONTENTS[place]
    return whole[:start] + rest + whole[start + length :]


spoilt = st.builds(
    spoil,
    st.integers(0, len(CONTENTS) - 1),
    st.integers(0, 1500),
    st.integers(0, 200) | st.just(1 << 20),
    odd | st.text(max_size=5),
)
texts = spoilt | st.text() | odd
contents_of_files = texts.map(lambda text: text.encode()) | st.binary()
everything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=8,
)


def hosts() -> st.SearchStrategy[Remembered]:
    asked = asked_of_machines()
    outputs = texts | st.builds(Unknown, texts) | st.builds(Interrupted, texts, texts)
    return st.builds(
        Remembered,
        st.dictionaries(st.sampled_from(sorted(asked.paths)), contents_of_files, max_size=12),
        st.dictionaries(st.sampled_from(sorted(asked.variables - {probes.MACHINE_OVERRIDE})), texts, max_size=4),
        st.dictionaries(st.sampled_from(["platform", *QUESTIONS]), st.sampled_from(["win32", "linux"]) | texts),
        st.dictionaries(st.sampled_from(sorted(asked.programs)), outputs),
    )


def given_for(hint: Any) -> st.SearchStrategy[Any]:
    """What to give for an annotation."""
    special: dict[Any, st.SearchStrategy[Any]] = {
        str: texts,
        bytes: contents_of_files,
        int: st.integers(-(1 << 70), 1 << 70) | st.integers(0, 0xFFFF),
        Any: everything,
        Host: st.deferred(hosts),
        Machine: st.deferred(hosts).map(probe),
        Path: texts.map(lambda text: Path(text[:200])),
    }
    if hint in special:
        return special[hint]
    arguments = typing.get_args(hint)
    if typing.get_origin(hint) in (typing.Union, types.UnionType):
        return st.one_of([given_for(each) for each in arguments])
    if typing.get_origin(hint) is not None and issubclass(typing.get_origin(hint), Mapping):
        return st.dictionaries(given_for(arguments[0]), given_for(arguments[1]), max_size=4)
    if typing.get_origin(hint) is not None and issubclass(typing.get_origin(hint), Iterable):
        return st.lists(given_for(arguments[0]), max_size=4).map(tuple)
    return st.from_type(hint)


def arguments_of(function: Callable[..., Any]) -> st.SearchStrategy[dict[str, Any]]:
    """Arguments by name. A default is left alone unless it stands for a fact that may be absent."""
    hints = typing.get_type_hints(function)
    wanted = {
        name: hints[name]
        for name, parameter in inspect.signature(function).parameters.items()
        if parameter.default is inspect.Parameter.empty or name in ("container", "limits", "cuda")
    }
    return st.fixed_dictionaries({name: given_for(hint) for name, hint in wanted.items()})


def keeps(value: Any, hint: Any) -> bool:
    """Whether a value is what an annotation promises, as far as classes go."""
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if hint is Any or origin is typing.Literal:
        return True
    if origin in (typing.Union, types.UnionType):
        return any(keeps(value, each) for each in arguments)
    if hint is None or hint is type(None):
        return value is None
    if origin is tuple and arguments[-1] is not Ellipsis:
        return isinstance(value, tuple) and len(value) == len(arguments) and all(map(keeps, value, arguments))
    if origin is tuple:
        return isinstance(value, tuple) and all(keeps(each, arguments[0]) for each in value)
    return isinstance(value, origin or hint)


def written(value: Any) -> Iterator[str]:
    """Every text in an answer."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Unknown):
        yield from written(value.__reduce__()[1])
    elif isinstance(value, Mapping):
        for pair in value.items():
            yield from written(pair)
    elif isinstance(value, (tuple, list, frozenset)):
        for each in value:
            yield from written(each)


def test_what_is_excepted_is_still_there() -> None:
    for name in (*EXCEPT, *RAISES):
        module, _, function = name.partition(".")
        assert hasattr(importlib.import_module(f"probes.{module}"), function)


def test_readers_are_collected() -> None:
    names = {qualified(function) for function in public_functions()}
    assert {"cpu.parse_cpuinfo", "nvml_answer.parse_output", "libc.parse_elf", "nvidia.read_nvidia"} <= names
    assert len(names) > 50


@pytest.mark.parametrize("function", [*public_functions(), probe], ids=qualified)
@settings(max_examples=30, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_no_argument_makes_a_public_function_fail(function: Callable[..., Any], data: st.DataObject) -> None:
    arguments = {"host": data.draw(hosts())} if function is probe else data.draw(arguments_of(function))
    try:
        answer = function(**arguments)
    except RAISES.get(qualified(function), ()):
        return
    assert keeps(answer, typing.get_type_hints(function)["return"])
    for text in written(tuple(answer) if isinstance(answer, Iterator) else answer):
        text.encode()
