"""Draws curves as a small SVG that is readable on light and on dark pages. Knows nothing of what the curves mean."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape

_WIDTH, _HEIGHT = 300, 300
_LEFT, _RIGHT, _TOP, _BOTTOM = 60, 14, 66, 48
_LEGEND = 34
# Plain values twice rather than CSS variables, which few programs besides browsers know.
_COLOURS = """
.page {{ fill: {page} }} text {{ fill: {dim} }} .title {{ fill: {ink} }} .over {{ fill: {bad} }}
.grid {{ stroke: {grid} }} .limit {{ stroke: {bad} }} .c0 {{ stroke: {first} }} .c1 {{ stroke: {second} }}
"""
_LIGHT = {
    "page": "#ffffff",
    "ink": "#1f2328",
    "dim": "#59636e",
    "grid": "#d8dee4",
    "bad": "#c62828",
    "first": "#0a66c2",
    "second": "#9a5b00",
}
_DARK = {
    "page": "#0d1117",
    "ink": "#e6edf3",
    "dim": "#9198a1",
    "grid": "#30363d",
    "bad": "#ff7b72",
    "first": "#58a6ff",
    "second": "#d29922",
}
_STYLE = f"""
text {{ font: 12px system-ui, -apple-system, "Segoe UI", "DejaVu Sans", sans-serif }}
.title {{ font-weight: 600; font-size: 13px }} .limit {{ stroke-dasharray: 5 4 }}
.c0, .c1 {{ fill: none; stroke-width: 2; stroke-linejoin: round }} .c1 {{ stroke-width: 1.2 }}
{_COLOURS.format(**_LIGHT)}
@media (prefers-color-scheme: dark) {{
{_COLOURS.format(**_DARK)}
}}
"""


@dataclass(frozen=True, slots=True)
class Curve:
    """One line: a name for the legend (equal names are equal colours), and its points."""

    name: str
    points: Sequence[tuple[float, float]]


@dataclass(frozen=True, slots=True)
class Panel:
    """One diagram.

    Attributes:
        title: Above it.
        note: Below the title.
        curves: At most two.
        x_label: With its unit.
        marks: Places on the horizontal axis that are named above the diagram.
    """

    title: str
    note: str
    curves: Sequence[Curve]
    x_label: str
    marks: Sequence[tuple[float, str]] = ()


def draw(panels: Sequence[Panel], y_label: str, y_limit: float, limit_name: str) -> str:
    """Draw panels side by side with the same vertical axis, from 0 to a little above `y_limit`, which is marked."""
    width, height = _WIDTH * len(panels), _HEIGHT + _LEGEND
    top = max([y_limit, *(y for panel in panels for curve in panel.curves for _, y in curve.points)]) * 1.08
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" '
        f'role="img" aria-label="{escape("; ".join(f"{panel.title}: {panel.note}" for panel in panels))}">',
        f"<style>{_STYLE}</style>",
        f'<rect width="{width}" height="{height}" class="page"/>',
    ]
    names = list(dict.fromkeys(curve.name for panel in panels for curve in panel.curves))
    for index, panel in enumerate(panels):
        parts.append(f'<g transform="translate({index * _WIDTH} 0)">')
        parts += _frame(panel, y_label if index == 0 else "", top, y_limit, limit_name)
        parts += (_line(curve, names.index(curve.name), _x_top(panel), top) for curve in panel.curves)
        parts.append("</g>")
    parts += _legend(names)
    return "\n".join([*parts, "</svg>", ""])


def _frame(panel: Panel, y_label: str, top: float, y_limit: float, limit_name: str) -> Iterator[str]:
    """Titles, axes with their ticks, and the line of the limit."""
    right, bottom = _WIDTH - _RIGHT, _HEIGHT - _BOTTOM
    yield _text(_LEFT, 22, panel.title, "start", "title")
    yield _text(_LEFT, 40, panel.note, "start")
    for tick in _ticks(top):
        y = _y(tick, top)
        yield f'<path class="grid" d="M{_LEFT} {y:.1f}H{right}"/>'
        yield _text(_LEFT - 7, y + 4, f"{tick:,.0f}", "end")
    for tick in _ticks(_x_top(panel)):
        yield _text(_x(tick, _x_top(panel)), bottom + 17, f"{tick:,g}", "middle")
    yield _text((_LEFT + right) / 2, bottom + 36, panel.x_label, "middle")
    if y_label:
        middle = (_TOP + bottom) / 2
        yield f'<g transform="rotate(-90 14 {middle})">{_text(14, middle, y_label, "middle")}</g>'
    for place, name in panel.marks:
        x = _x(place, _x_top(panel))
        yield f'<path class="grid" d="M{x:.1f} {_TOP}V{bottom}"/>'
        yield _text(x, _TOP - 4, name, "end" if x > right - 20 else "middle")
    yield f'<path class="limit" d="M{_LEFT} {_y(y_limit, top):.1f}H{right}"/>'
    yield _text(right, _y(y_limit, top) + 15, limit_name, "end", "over")


def _line(curve: Curve, colour: int, x_top: float, top: float) -> str:
    points = " ".join(f"{_x(x, x_top):.1f},{_y(y, top):.1f}" for x, y in curve.points)
    return f'<polyline class="c{colour}" points="{points}"/>'


def _legend(names: Sequence[str]) -> Iterator[str]:
    x = float(_LEFT)
    for colour, name in enumerate(names):
        yield f'<path class="c{colour}" d="M{x} {_HEIGHT + 10}h22"/>'
        yield _text(x + 28, _HEIGHT + 14, name, "start")
        x += 28 + 7 * len(name) + 24


def _text(x: float, y: float, text: str, anchor: str, kind: str = "") -> str:
    named = f' class="{kind}"' if kind else ""
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"{named}>{escape(text)}</text>'


def _x_top(panel: Panel) -> float:
    return max([x for curve in panel.curves for x, _ in curve.points] or [1.0]) or 1.0


def _x(value: float, top: float) -> float:
    return _LEFT + (_WIDTH - _LEFT - _RIGHT) * value / top


def _y(value: float, top: float) -> float:
    return _HEIGHT - _BOTTOM - (_HEIGHT - _TOP - _BOTTOM) * value / top


def _ticks(top: float) -> list[float]:
    """From 0 upwards in steps of 1, 2 or 5 times a power of ten: three to six of them."""
    step = next(
        unit * 10.0**power for power in range(-4, 12) for unit in (1, 2, 5) if top / (unit * 10.0**power) <= 5.5
    )
    return [step * number for number in range(int(top / step) + 1)]
