"""Numbers as the grammar writes them: a number node of the decoder form in, a regular expression out, and its length.

A number is written without exponent, without leading zeros and with a bounded number of decimals, so it always ends;
`-0` is not written. All arithmetic is exact.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from math import ceil, floor

from pipeline.schema.intersect import Schema

MAX_LISTED = 256
"""Multiples of an uncommon step that are written out one by one; beyond it a regular expression cannot say them."""


@dataclass(frozen=True, slots=True)
class Grid:
    """The numbers k * step * 10**-n_decimals that lie between two edges.

    Attributes:
        low: The lower edge in units of 10**-n_decimals (inclusive).
        high: The upper edge (inclusive); below `low` when there is no such number.
        n_decimals: Digits after the point, at most.
        step: In the same units, at least 1.
    """

    low: int
    high: int
    n_decimals: int = 0
    step: int = 1

    @property
    def first(self) -> int:
        """The first multiple, in units; above `high` when there is none."""
        return -(-self.low // self.step) * self.step

    @property
    def last(self) -> int:
        """The last multiple, in units."""
        return self.high // self.step * self.step

    @property
    def is_empty(self) -> bool:
        """Whether it has no number at all."""
        return self.first > self.last

    @property
    def longest(self) -> int:
        """Characters of the longest text of one of its numbers; a bound that is exact when step is 1."""
        scale = 10**self.n_decimals
        sizes = [len(str(abs(edge) // scale)) + (edge < 0) for edge in (self.first, self.last)]
        return max(sizes) + (1 + self.n_decimals if self.n_decimals else 0)


def read_grid(node: Schema) -> Grid:
    """Read a node of type integer or number that has both bounds and, for a number, `multipleOf`."""
    step = _exact(node.get("multipleOf", 1))
    decimals = n_decimals(node["multipleOf"]) if "multipleOf" in node and node["type"] == "number" else 0
    scale = 10**decimals
    low, high = [], []
    if "minimum" in node:
        low.append(ceil(_exact(node["minimum"]) * scale))
    if "exclusiveMinimum" in node:
        low.append(floor(_exact(node["exclusiveMinimum"]) * scale) + 1)
    if "maximum" in node:
        high.append(floor(_exact(node["maximum"]) * scale))
    if "exclusiveMaximum" in node:
        high.append(ceil(_exact(node["exclusiveMaximum"]) * scale) - 1)
    units = step.numerator if node["type"] == "integer" else int(step * scale)
    return Grid(max(low), min(high), decimals, units)


def n_decimals(step: float) -> int:
    """Give how many decimals a multiple of `step` can have."""
    exponent = Decimal(repr(step)).normalize().as_tuple().exponent
    return max(0, -int(exponent))


def grid_regex(grid: Grid) -> str | None:
    """Give the regular expression of a grid that is not empty; None when it has too many of an uncommon step."""
    zeros = len(str(grid.step)) - 1
    if grid.step == 10**zeros:
        return _signed(grid.first // grid.step, grid.last // grid.step, grid.n_decimals, "0" * zeros)
    if (grid.last - grid.first) // grid.step < MAX_LISTED:
        return "|".join(_plain(value, grid.n_decimals) for value in range(grid.first, grid.last + 1, grid.step))
    return None


def _plain(value: int, decimals: int) -> str:
    head, tail = divmod(abs(value), 10**decimals)
    digits = f"{tail:0{decimals}d}".rstrip("0") if tail else ""
    return f"{'-' if value < 0 else ''}{head}" + (rf"\.{digits}" if digits else "")


def _signed(low: int, high: int, decimals: int, zeros: str) -> str:
    """Numbers from `low` to `high`; all but 0 end in `zeros`, which only whole numbers have."""
    parts = []
    if low <= 0 <= high and zeros:
        parts.append("0")
    if high > 0 or (high == 0 and not zeros):
        parts.append(_unsigned(max(low, 1 if zeros else 0), high, decimals) + zeros)
    if low < 0:
        parts.append("-" + _unsigned(max(-high, 1), -low, decimals) + zeros)
    return "|".join(parts)


def _unsigned(low: int, high: int, decimals: int) -> str:
    """Numbers from 0 up, in a group."""
    scale = 10**decimals
    (head, tail), (last_head, last_tail) = divmod(low, scale), divmod(high, scale)
    if head == last_head:
        return f"(?:{head}{_fraction(tail, last_tail, decimals)})"
    parts = []
    if tail:
        parts.append(f"{head}{_fraction(tail, scale - 1, decimals)}")
        head += 1
    whole = last_head if last_tail == scale - 1 else last_head - 1
    if head <= whole:
        parts.append(_whole(head, whole) + _fraction(0, scale - 1, decimals))
    if whole < last_head:
        parts.append(f"{last_head}{_fraction(0, last_tail, decimals)}")
    return f"(?:{'|'.join(parts)})"


def _fraction(low: int, high: int, size: int) -> str:
    """The point and `size` digits from `low` to `high`; zeros at the end, and a point with nothing but them, may go."""
    if not size:
        return ""
    digits = rf"\.{_leading(low, high, size)}"
    return digits if low else f"(?:{digits})?"


def _leading(low: int, high: int, size: int) -> str:
    """From 1 to `size` digits that, filled up with zeros, lie between `low` and `high`; in a group."""
    if low == 0 and high in (0, 10**size - 1):
        return f"{_digit(0, min(high, 9))}{{1,{size}}}"
    if size == 1:
        return _digit(low, high)
    rest = 10 ** (size - 1)
    (first, low_rest), (last, high_rest) = divmod(low, rest), divmod(high, rest)
    if first == last:
        return f"(?:{first}{_optional(low_rest, high_rest, size - 1)})"
    parts = []
    if low_rest:
        parts.append(f"{first}{_leading(low_rest, rest - 1, size - 1)}")
        first += 1
    whole = last if high_rest == rest - 1 else last - 1
    if first <= whole:
        parts.append(f"{_digit(first, whole)}[0-9]{{0,{size - 1}}}")
    if whole < last:
        parts.append(f"{last}{_optional(0, high_rest, size - 1)}")
    return f"(?:{'|'.join(parts)})"


def _optional(low: int, high: int, size: int) -> str:
    digits = _leading(low, high, size)
    return digits if low else f"(?:{digits})?"


def _whole(low: int, high: int) -> str:
    """Whole numbers from `low` to `high`, both at least 0, without leading zeros; in a group."""
    parts, size = [], len(str(low))
    while low <= high:
        top = 10**size - 1
        if low in (1, 10 ** (size - 1)) and top <= high:  # all numbers of this many digits, and of more
            sizes = size
            while 10 ** (sizes + 1) - 1 <= high:
                sizes += 1
            parts.append(f"[1-9][0-9]{{{size - 1},{sizes - 1}}}")
            low, size = 10**sizes, sizes + 1
        else:
            parts.append(_digits(low, min(top, high), size))
            low, size = top + 1, size + 1
    return f"(?:{'|'.join(parts)})"


def _digits(low: int, high: int, size: int) -> str:
    """Exactly `size` digits from `low` to `high`; in a group."""
    if size == 1:
        return _digit(low, high)
    rest = 10 ** (size - 1)
    (first, low_rest), (last, high_rest) = divmod(low, rest), divmod(high, rest)
    if first == last:
        return f"{first}{_digits(low_rest, high_rest, size - 1)}"
    parts = []
    if low_rest:
        parts.append(f"{first}{_digits(low_rest, rest - 1, size - 1)}")
        first += 1
    whole = last if high_rest == rest - 1 else last - 1
    if first <= whole:
        parts.append(f"{_digit(first, whole)}[0-9]{{{size - 1}}}")
    if whole < last:
        parts.append(f"{last}{_digits(0, high_rest, size - 1)}")
    return f"(?:{'|'.join(parts)})"


def _digit(low: int, high: int) -> str:
    return str(low) if low == high else f"[{low}-{high}]"


def _exact(number: float) -> Fraction:
    return Fraction(number) if isinstance(number, int) else Fraction(repr(number))
