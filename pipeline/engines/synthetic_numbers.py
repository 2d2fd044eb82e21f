"""Numbers for synthetic answers: an integer or number node of a decoder schema in, exact decimal text out."""

from __future__ import annotations

import json
from fractions import Fraction
from math import ceil, floor, gcd, lcm
from random import Random
from typing import Any

from pipeline.engines.synthetic_text import CannotAnswerError, Draw, pick

Schema = dict[str, Any]

_WIDTH = 10_000
"""Numbers come from so many steps at the plausible end of their range."""


def build_number(node: Schema) -> Draw:
    """Draw numbers of an integer or number node, written without exponent.

    They lie near 0 or near the end of the range that is nearest to it, and have two decimals when the step allows.

    Raises:
        CannotAnswerError: No multiple of the step lies in the range.
    """
    whole = node["type"] == "integer"
    given = Fraction(repr(node["multipleOf"])) if "multipleOf" in node else None
    if whole:
        steps = [Fraction(given.numerator) if given else Fraction(1)]
    elif given:
        steps = [_common_multiple(given, Fraction(1, 100)), given]
    else:
        steps = [Fraction(1, 10**decimals) for decimals in range(2, 19)]
    for step in steps:
        low, high = _multiples(node, step)
        if low <= high:
            return _draw_multiple(step, *_plausible(low, high))
    raise CannotAnswerError(f"no number fits {json.dumps(node)[:200]}")


def _common_multiple(a: Fraction, b: Fraction) -> Fraction:
    return Fraction(lcm(a.numerator * b.denominator, b.numerator * a.denominator), a.denominator * b.denominator)


def _multiples(node: Schema, step: Fraction) -> tuple[int, int]:
    """The first and the last multiple of the step in the range; far ends for those that the node does not have."""
    low, high = -(10**15), 10**15
    found: list[int] = [ceil(Fraction(repr(node["minimum"])) / step)] if "minimum" in node else []
    if "exclusiveMinimum" in node:
        found.append(floor(Fraction(repr(node["exclusiveMinimum"])) / step) + 1)
    low = max(found, default=low)
    found = [floor(Fraction(repr(node["maximum"])) / step)] if "maximum" in node else []
    if "exclusiveMaximum" in node:
        found.append(ceil(Fraction(repr(node["exclusiveMaximum"])) / step) - 1)
    return low, min(found, default=high)


def _plausible(low: int, high: int) -> tuple[int, int]:
    """At most _WIDTH numbers of a range."""
    if high <= 0:
        return max(low, high - _WIDTH), high
    start = low if low > -_WIDTH // 10 else 0
    return start, min(high, start + _WIDTH)


def _draw_multiple(step: Fraction, low: int, high: int) -> Draw:
    """Write multiples as decimals; a step written in JSON always is one."""
    n_decimals = 0
    while gcd(step.denominator, 10**n_decimals) != step.denominator:
        n_decimals += 1
    scale = 10**n_decimals
    units = int(step * scale)

    def draw(chance: Random) -> str:
        total = (low + pick(chance, high - low + 1)) * units
        head, tail = divmod(abs(total), scale)
        text = f"{head}.{tail:0{n_decimals}d}".rstrip("0").rstrip(".") if n_decimals else str(head)
        return "-" + text if total < 0 else text

    return draw
