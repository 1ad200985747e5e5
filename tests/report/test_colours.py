"""What is written can be read: WCAG's contrast of 4.5 (AA) for every pair of colours, in light, dark and on paper."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

STYLE = (Path(__file__).parent.parent.parent / "bootstrap" / "report" / "style.css").read_text(encoding="utf-8")
PAIRS = (
    *(("text", ground) for ground in ("ground", "raised")),
    *(("muted", ground) for ground in ("ground", "raised")),
    *(("link", ground) for ground in ("ground", "raised")),
    *((name, f"{name}-ground") for name in ("good", "warn", "bad", "plain", "family")),
)


def schemes() -> dict[str, dict[str, str]]:
    """The colours of each scheme; what a later one does not say is as in the first."""
    blocks = re.findall(r":root \{(.*?)\}", STYLE, re.DOTALL)
    found = [dict(re.findall(r"--([a-z-]+): (#[0-9a-f]{3,6});", block)) for block in blocks]
    light, dark, paper = found
    return {"light": light, "dark": {**light, **dark}, "paper": {**light, **paper}}


def luminance(colour: str) -> float:
    digits = colour[1:] if len(colour) == 7 else "".join(2 * each for each in colour[1:])
    parts = [int(digits[place : place + 2], 16) / 255 for place in (0, 2, 4)]
    red, green, blue = (each / 12.92 if each <= 0.04045 else ((each + 0.055) / 1.055) ** 2.4 for each in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    darker, lighter = sorted((luminance(one), luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


@pytest.mark.parametrize("pair", PAIRS, ids="-on-".join)
@pytest.mark.parametrize("scheme", schemes())
def test_has_enough_contrast(scheme: str, pair: tuple[str, str]) -> None:
    colours = schemes()[scheme]
    assert contrast(colours[pair[0]], colours[pair[1]]) >= 4.5


@pytest.mark.parametrize("scheme", schemes())
def test_bars_stand_out_from_their_rail(scheme: str) -> None:
    assert contrast(schemes()[scheme]["mark"], schemes()[scheme]["rail"]) >= 3
