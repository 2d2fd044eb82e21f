"""The geometry of the pictures: numbers in, rectangles with words out. The templates draw them as SVG.

Lengths are in the units of a drawing WIDTH wide.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from pipeline.reports.html.wording import compact, duration, in_words, number, percent

WIDTH = 400
HEIGHT = 130
"""Of the bars of a histogram, without its axis."""
_BINS = 16
_WIDEST_BAR = 60
_STEPS = (1, 2, 2.5, 5, 10)


@dataclass(frozen=True, slots=True)
class Bar:
    """A bar of a histogram, or a part of a line.

    Attributes:
        x: Left edge.
        width: Width.
        y: Upper edge.
        height: Height.
        title: What it says, for a pointer and a screen reader.
        look: What it is, for its colour; empty: the accent.
        href: Where it leads; empty: nowhere.
    """

    x: float
    width: float
    y: float
    height: float
    title: str
    look: str = ""
    href: str = ""


@dataclass(frozen=True, slots=True)
class Histogram:
    """How often values come.

    Attributes:
        bars: One a bin that holds something.
        ticks: Place and words on the axis.
        most: The largest count, in words.
        title: What it says in one sentence.
    """

    bars: tuple[Bar, ...]
    ticks: tuple[tuple[float, str], ...]
    most: str
    title: str


@dataclass(frozen=True, slots=True)
class Share:
    """A part of a whole: its words, count, share in words, and its bar."""

    name: str
    meaning: str
    count: int
    percent: str
    bar: Bar


@dataclass(frozen=True, slots=True)
class Step:
    """A moment of a run and what it took to come there from the one before."""

    name: str
    at: str
    bar: Bar


def build_histogram(values: Sequence[float], unit: str, of: str) -> Histogram | None:
    """A histogram of bins of equal, round width; of values that spread over orders of magnitude, in powers of two.

    Args:
        values: Not negative.
        unit: What they count, such as "tokens".
        of: What each is of, such as "documents".

    Returns:
        None without values.
    """
    if not values:
        return None
    edges = _edges(values)
    counts = [0] * (len(edges) - 1)
    for value in values:
        counts[_bin(value, edges)] += 1
    most, step = max(counts), WIDTH / len(counts)
    bars = []
    for index, count in enumerate(counts):
        if count:
            height = max(HEIGHT * count / most, 2)
            what = of if count > 1 else of.removesuffix("s")
            words = f"{number(count)} {what} of {compact(edges[index])} to {compact(edges[index + 1])} {unit}"
            width = min(max(step - 2, 1), _WIDEST_BAR)
            bars.append(Bar((index + 0.5) * step - width / 2, width, HEIGHT - height, height, words))
    every = max(1, math.ceil(len(edges) / 6))
    ticks = tuple((index * step, compact(edge)) for index, edge in enumerate(edges) if index % every == 0)
    ordered = sorted(values)
    median = ordered[len(ordered) // 2]
    title = f"{number(len(values))} {of}: median {compact(median)}, most {compact(ordered[-1])} {unit}"
    return Histogram(tuple(bars), ticks, number(most), title)


def _edges(values: Sequence[float]) -> list[float]:
    """The edges of the bins, ascending: at least two, the last above or at the largest value."""
    most = max(values)
    least = min((value for value in values if value > 0), default=0.0)
    if most > 64 and most > 50 * least:
        low = max(0, math.floor(math.log2(max(least, 1))))
        return [0.0, *(float(2**power) for power in range(low + 1, math.ceil(math.log2(most)) + 1))]
    raw = max(most, 1) / _BINS
    scale = 10.0 ** math.floor(math.log10(raw))
    step = next(factor * scale for factor in _STEPS if factor * scale >= raw)
    if all(value == int(value) for value in values):
        step = max(1.0, math.ceil(step))
    return [index * step for index in range(math.floor(most / step) + 2)]


def _bin(value: float, edges: Sequence[float]) -> int:
    """The bin of a value: from its left edge (inclusive) to the next one; the last one has both."""
    return next((i for i, edge in enumerate(edges[1:]) if value < edge), len(edges) - 2)


def build_shares(parts: Iterable[tuple[str, str, str, int]]) -> list[Share]:
    """Parts side by side on one line of WIDTH; those of nothing have no bar.

    Args:
        parts: Name, meaning, look and count of each.
    """
    parts = list(parts)
    total = sum(count for *_, count in parts)
    shares, x = [], 0.0
    for name, meaning, look, count in parts:
        width = WIDTH * count / total if total else 0.0
        words = percent(count / total if total else None)
        bar = Bar(x, width, 0, 16, f"{name}: {number(count)} ({words})", look)
        shares.append(Share(name, meaning, count, words, bar))
        x += width
    return shares


def build_timeline(timeline: Mapping[str, float]) -> list[Step]:
    """The moments of a run one below the other, each with the time since the one before it."""
    moments = sorted(timeline.items(), key=lambda item: item[1])
    total = max([at for _, at in moments] + [0.001])
    steps, before = [], 0.0
    for name, at in moments:
        x, width = WIDTH * before / total, max(WIDTH * (at - before) / total, 1.5)
        words = f"{in_words(name)} at {duration(at)}"
        steps.append(Step(in_words(name), duration(at), Bar(min(x, WIDTH - width), width, 0, 10, words)))
        before = at
    return steps


_MOST_CELLS = 120


def build_strip(statuses: Sequence[str], cited: frozenset[int], names: Sequence[str]) -> list[Bar]:
    """Which segments of a document were cited: cells side by side, each of one segment or of several neighbours.

    Args:
        statuses: Of each segment, "read" or what else became of it.
        cited: Indices of those in which a found quote stands.
        names: What each is called.
    """
    size = max(1, math.ceil(len(statuses) / _MOST_CELLS))
    n_cells = math.ceil(len(statuses) / size)
    step = WIDTH / max(n_cells, 1)
    cells = []
    for cell in range(n_cells):
        here = range(cell * size, min((cell + 1) * size, len(statuses)))
        n_cited = sum(index in cited for index in here)
        has_text = any(statuses[index] == "read" for index in here)
        look = "cited" if n_cited else "uncited" if has_text else "textless"
        said = {"cited": "cited", "uncited": "never cited", "textless": "no text"}[look]
        name = names[here[0]] if len(here) == 1 else f"{names[here[0]]} to {names[here[-1]]}"
        words = f"{name}: {n_cited} of {len(here)} cited" if n_cited and len(here) > 1 else f"{name}: {said}"
        first = next((index for index in here if index in cited), here[0])
        gap = min(1.0, step / 4)
        cells.append(Bar(cell * step, step - gap, 0, 22, words, look, f"#s{first}"))
    return cells
