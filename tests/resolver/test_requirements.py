from __future__ import annotations

import pytest

from bootstrap.resolver.requirements import RequirementReader, UnreadableRequirement
from tests.resolver.worlds import LINUX

TEXTS = (
    "filelock",
    "triton==3.1.0; platform_system == 'Linux' and python_version < '3.13'",
    "colorama; sys_platform == 'win32'",
    "pytest>=7; extra == 'dev'",
    "pywin32; extra == 'dev' and sys_platform == 'win32'",
    "rich; extra == 'Pretty_Print'",
    "tool @ https://host/tool.zip;v=1 ; python_version >= '3.9'",
)


def heads(extra: str = "", *, texts: tuple[str, ...] = TEXTS) -> list[str]:
    return [
        str(requirement).replace("tool@", "tool @")
        for requirement in RequirementReader(LINUX.markers).active(texts, extra)
    ]


def test_only_what_holds_here_is_active() -> None:
    assert heads() == ["filelock", "triton==3.1.0", "tool @ https://host/tool.zip;v=1"]


def test_an_extra_adds_only_what_is_not_needed_anyway() -> None:
    assert heads("dev") == ["pytest>=7"]
    assert heads("pretty-print") == ["rich"]
    assert heads("unknown") == []


def test_equal_texts_are_read_once() -> None:
    reader = RequirementReader(LINUX.markers)
    assert reader.active(("numpy>=1.17",))[0] is reader.active(("numpy>=1.17; python_version > '3'",))[0]


def test_names_and_extras_are_normalized() -> None:
    (requirement,) = RequirementReader(LINUX.markers).active(("Typing_Extensions[Foo_Bar]",))
    assert (requirement.name, requirement.extras) == ("typing-extensions", {"foo-bar"})


@pytest.mark.parametrize("text", ["not a requirement !!", "numpy; this is no marker", "numpy>>1"])
def test_refuses_what_is_no_requirement(text: str) -> None:
    with pytest.raises(UnreadableRequirement, match="cannot be read"):
        heads(texts=(text,))


def test_what_does_not_matter_here_may_be_broken() -> None:
    assert heads(texts=("six", "broken >>; extra == 'x'")) == ["six"]
