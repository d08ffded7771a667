"""Colours that everybody can tell apart: WCAG 2.2 AA, in light and in dark."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from carrel.web import static_files

CSS = (Path(static_files.__file__).parent / "static" / "carrel.css").read_text()
TEXT = [
    ("text", "ground"),
    ("text", "card"),
    ("muted", "ground"),
    ("muted", "card"),
    ("accent", "ground"),
    ("accent", "card"),
    ("accent-strong", "card"),
    ("on-accent", "accent"),
    ("on-accent", "accent-strong"),
    ("good", "good-ground"),
    ("warn", "warn-ground"),
    ("bad", "bad-ground"),
]
CONTROLS = [("edge", "card"), ("accent", "ground"), ("accent", "card")]


def palette(scheme: str) -> dict[str, str]:
    """Return the colours of a scheme by name; dark overrides light."""
    light, dark = CSS.partition("prefers-color-scheme: dark")[::2]
    colours = dict(re.findall(r"--([a-z-]+): (#[0-9a-f]{6});", light))
    return colours | dict(re.findall(r"--([a-z-]+): (#[0-9a-f]{6});", dark)) if scheme == "dark" else colours


def luminance(colour: str) -> float:
    parts = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    red, green, blue = (
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_and_controls_stand_out(scheme: str) -> None:
    colours = palette(scheme)
    for (ink, paper), least in [(pair, 4.5) for pair in TEXT] + [(pair, 3.0) for pair in CONTROLS]:
        assert contrast(colours[ink], colours[paper]) >= least, (scheme, ink, paper)


def test_focus_stays_visible_and_colours_have_names() -> None:
    assert ":focus-visible" in CSS
    rules = CSS.partition("*,\n")[2]
    assert not re.findall(r"#[0-9a-f]{3,8}\b", rules)
