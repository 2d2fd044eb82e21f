"""The colours of a report can be read: contrast of text by WCAG 2.2 (1.4.3 and 1.4.11), from the style itself."""

import re
from importlib.resources import files

import pytest

STYLE = (files("pipeline.reports.html") / "templates" / "style.css").read_text(encoding="utf-8")
PAIRS = {
    name: (light, dark)
    for name, light, dark in re.findall(r"--([a-z-]+): light-dark\((#[0-9a-f]{6}), (#[0-9a-f]{6})\)", STYLE)
}
TEXT = [
    *((ink, paper) for ink in ("ink", "muted", "accent", "warn", "bad", "good") for paper in ("paper", "panel")),
    *((tone, f"{tone}-tint") for tone in ("good", "warn", "bad")),
    *(("ink", ground) for ground in ("tint", "on", "warn-tint")),
]
SHAPES = [("accent", "paper"), ("bad", "paper"), ("warn", "paper"), ("accent", "empty")]


def luminance(colour: str) -> float:
    channels = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4 for value in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    dark, light = sorted((luminance(one), luminance(other)))
    return (light + 0.05) / (dark + 0.05)


def test_black_on_white_is_the_most_there_is() -> None:
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.01)


@pytest.mark.parametrize("scheme", [0, 1], ids=["light", "dark"])
@pytest.mark.parametrize(("ink", "paper"), TEXT)
def test_text_can_be_read(ink: str, paper: str, scheme: int) -> None:
    assert contrast(PAIRS[ink][scheme], PAIRS[paper][scheme]) >= 4.5


@pytest.mark.parametrize("scheme", [0, 1], ids=["light", "dark"])
@pytest.mark.parametrize(("shape", "ground"), SHAPES)
def test_what_a_shape_says_can_be_seen(shape: str, ground: str, scheme: int) -> None:
    assert contrast(PAIRS[shape][scheme], PAIRS[ground][scheme]) >= 3
