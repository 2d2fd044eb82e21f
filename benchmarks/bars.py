"""Draws shares of a whole as horizontal bars, a panel beside another, as a small SVG for light and for dark pages."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from html import escape

_NAMES, _WIDTH, _ROW, _TOP = 230, 220, 22, 62
_ROOM = 50
_STYLE = """
text { font: 12px system-ui, sans-serif; fill: #59636e } .page { fill: #ffffff } .bar { fill: #0a66c2 }
.title { font-weight: 600; fill: #1f2328 }
@media (prefers-color-scheme: dark) { text { fill: #9198a1 } .page { fill: #0d1117 } .bar { fill: #58a6ff }
.title { fill: #e6edf3 } }
"""


@dataclass(frozen=True, slots=True)
class Panel:
    """One whole and its parts.

    Attributes:
        title: Above it.
        note: Below the title.
        shares: Of 1, by the part's name.
    """

    title: str
    note: str
    shares: Mapping[str, float]


def draw(panels: Sequence[Panel]) -> str:
    """One row for each part that any panel has, in the order in which they come; a bar as long as its share."""
    names = list(dict.fromkeys(name for panel in panels for name in panel.shares))
    longest = max((share for panel in panels for share in panel.shares.values()), default=0.0) or 1.0
    width, height = _NAMES + _WIDTH * len(panels) + 10, _TOP + _ROW * len(names) + 10
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" '
        f'role="img" aria-label="{escape("; ".join(f"{panel.title}: {panel.note}" for panel in panels))}">',
        f"<style>{_STYLE}</style>",
        f'<rect width="{width}" height="{height}" class="page"/>',
        *(_text(_NAMES - 8, _y(row) + 12, name, "end") for row, name in enumerate(names)),
    ]
    for index, panel in enumerate(panels):
        parts += _panel(panel, names, _NAMES + index * _WIDTH, longest)
    return "\n".join([*parts, "</svg>", ""])


def _panel(panel: Panel, names: Sequence[str], left: int, longest: float) -> Iterator[str]:
    yield _text(left, 20, panel.title, "start", "title")
    yield _text(left, 40, panel.note, "start")
    for row, name in enumerate(names):
        share = panel.shares.get(name, 0.0)
        length = (_WIDTH - _ROOM - 10) * share / longest
        yield f'<rect class="bar" x="{left}" y="{_y(row)}" width="{length:.1f}" height="{_ROW - 6}"/>'
        yield _text(left + length + 5, _y(row) + 12, f"{share:.1%}", "start")


def _text(x: float, y: float, text: str, anchor: str, kind: str = "") -> str:
    named = f' class="{kind}"' if kind else ""
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"{named}>{escape(text)}</text>'


def _y(row: int) -> int:
    return _TOP + _ROW * row
