"""One row of a table for people: a fact in words, and where it was read."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from probes import Unknown

__all__ = ["Row", "amount", "or_unknown"]

_LABEL = 12  # characters
_GIBIBYTE = 1 << 30


@dataclass(frozen=True, slots=True)
class Row:
    """What is told about, the fact itself, and its source if it has one."""

    label: str
    value: str
    source: str = ""

    def lines(self, width: int | None) -> Iterator[str]:
        """The row in lines of at most `width` characters, or in one; paths and long words stay whole."""
        text = f"{self.value}  ({self.source})" if self.source else self.value
        whole = f"{self.label:<{_LABEL}}{text}"
        if width is None or len(whole) <= width:
            yield whole
            return
        from textwrap import wrap  # noqa: PLC0415 - programs that read the table take it unfolded

        indent = " " * _LABEL
        # A source that does not fit goes to a line of its own, where the eye can skip it.
        parts = (self.value, f"({self.source})") if self.source else (self.value,)
        room = max(width - _LABEL, 2 * _LABEL)
        texts = [line for part in parts for line in wrap(part, room, break_long_words=False, break_on_hyphens=False)]
        for number, line in enumerate(texts):
            yield f"{indent if number else f'{self.label:<{_LABEL}}'}{line}"


def amount(count: int) -> str:
    """Bytes as memory is counted: the GiB of `nvidia-smi` and `df -h`."""
    return f"{count / _GIBIBYTE:.0f} GiB" if count >= 10 * _GIBIBYTE else f"{count / _GIBIBYTE:.1f} GiB"


def or_unknown(fact: object) -> str:
    """A fact in words, or why there is none."""
    return f"unknown ({fact.reason})" if isinstance(fact, Unknown) else str(fact)
