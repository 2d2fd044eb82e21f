import re
from xml.etree import ElementTree

import chart
import pytest

PANEL = chart.Panel("many & small", "peak 400 MB", [chart.Curve("driver", [(0, 0), (5, 400), (10, 200)])], "time, s")


def draw(*panels: chart.Panel, limit: float = 1000) -> str:
    return chart.draw(panels, "memory, MB", limit, "limit 1 GB")


def points(svg: str) -> list[tuple[float, float]]:
    found = re.search(r'<polyline class="c0" points="([^"]*)"', svg)
    assert found is not None
    return [(float(x), float(y)) for x, y in (pair.split(",") for pair in found[1].split())]


def test_what_it_draws_is_well_formed_and_says_what_it_shows() -> None:
    svg = draw(PANEL, PANEL)
    root = ElementTree.fromstring(svg)
    texts = [element.text for element in root.iter("{http://www.w3.org/2000/svg}text")]
    assert texts.count("many & small") == 2
    assert texts.count("driver") == 1  # the legend names a curve once
    assert {"memory, MB", "time, s", "limit 1 GB", "1,000"} <= set(texts)
    assert "prefers-color-scheme: dark" in svg


def test_points_stand_where_their_values_are() -> None:
    (x0, y0), (x1, y1), (x2, y2) = points(draw(PANEL))
    assert x1 - x0 == pytest.approx(x2 - x1, abs=0.2)
    assert y0 - y1 == pytest.approx(2 * (y0 - y2), abs=0.2)


def test_a_curve_above_the_limit_stays_inside() -> None:
    high = chart.Panel("", "", [chart.Curve("driver", [(0, 0), (1, 5000)])], "time, s")
    assert all(0 < y < 300 for _, y in points(draw(high)))


@pytest.mark.parametrize("points", [[], [(0.0, 0.0)]])
def test_nothing_to_draw_is_drawn(points: list[tuple[float, float]]) -> None:
    ElementTree.fromstring(draw(chart.Panel("none", "", [chart.Curve("driver", points)], "time, s")))


def test_marks_are_named() -> None:
    marked = chart.Panel("", "", PANEL.curves, "time, s", [(5, "50,000"), (10, "100,000")])
    assert draw(marked).count("00,000</text>") == 1
    assert "50,000</text>" in draw(marked)
