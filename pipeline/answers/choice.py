"""One value of several, by a policy: first, last, longest, min, max, sum, concat, vote. Pure; knows no records.

`union` and `fields` go into their values and stand in `merge`; of a value that is to be reduced this takes the first.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import MAX_EMAX, MIN_EMIN, Context, Decimal
from functools import reduce

from pipeline.answers.sameness import Instant, instant, sameness
from pipeline.schema.columns import Column, Kind
from pipeline.schema.policies import Policy
from pipeline.schema.values import JSON

_ADDING = Context(prec=1000, Emin=MIN_EMIN, Emax=MAX_EMAX)
"""Sums are exact to so many digits; doubles and decimal128 have fewer."""


@dataclass(frozen=True, slots=True)
class Found:
    """A value and the chunk whose answer gave it; see `Record`."""

    value: JSON
    chunk_index: int
    part: str


def choose(policy: Policy, found: Sequence[Found], column: Column) -> JSON:
    """The value of a column.

    Args:
        policy: None of those that go into their values.
        found: At least one, none of them null, in document order.
        column: Whose values they are.
    """
    values = [one.value for one in found]
    match policy:
        case Policy.LAST:
            return values[-1]
        case Policy.LONGEST:
            return max(values, key=lambda value: len(value) if isinstance(value, str) else -1)
        case Policy.MIN | Policy.MAX:
            return _extreme(policy, values, column)
        case Policy.SUM:
            return _sum(values)
        case Policy.CONCAT:
            return _concat(found, column)
        case Policy.VOTE:
            texts = [sameness(value, column) for value in values]
            return values[texts.index(Counter(texts).most_common(1)[0][0])]
        case _:
            return values[0]


def _extreme(policy: Policy, values: Sequence[JSON], column: Column) -> JSON:
    """The smallest or the largest; of equals the first, and what has no order comes last."""
    ranked = [(rank, value) for value in values if (rank := _rank(value, column)) is not None]
    if not ranked:
        return values[0]
    best = (min if policy is Policy.MIN else max)(ranked, key=lambda pair: pair[0])
    return best[1]


def _rank(value: JSON, column: Column) -> tuple[int | Decimal, str] | Instant | None:
    if column.kind in (Kind.DATE, Kind.TIME, Kind.TIMESTAMP):
        return instant(value, column.kind)
    number = _number(value)
    return None if number is None else (number, "")


def _number(value: JSON) -> int | Decimal | None:
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
        return None
    return Decimal(repr(value)) if isinstance(value, float) else value


def _sum(values: Sequence[JSON]) -> JSON:
    """All added up; whole numbers stay whole."""
    numbers = [number for value in values if (number := _number(value)) is not None]
    if len(values) == 1 or not numbers:
        return values[0]
    if all(isinstance(number, int) for number in numbers):
        return sum(int(number) for number in numbers)
    return reduce(_ADDING.add, [Decimal(number) for number in numbers])


def _concat(found: Sequence[Found], column: Column) -> JSON:
    """Strings line by line, lists end to end; what one chunk ends with and the next begins with stands once."""
    items = column.children[0] if column.kind is Kind.LIST else None
    joined: list[JSON] = []
    before: list[str] = []
    last_index = found[0].chunk_index
    for one in found:
        values = one.value if isinstance(one.value, list) else [one.value]
        texts = [sameness(value, items) for value in values]
        n_repeated = _n_shared(before, texts) if one.chunk_index == last_index + 1 else 0
        joined += values[n_repeated:]
        before, last_index = texts, one.chunk_index
    if column.kind is Kind.LIST:
        return joined
    return "\n".join(text for text in joined if isinstance(text, str))


def _n_shared(before: Sequence[str], after: Sequence[str]) -> int:
    """How many of the last items of one chunk are the first of the next, which sees the end of its text again."""
    longest = min(len(before), len(after))
    texts: list[str | None] = [*after[:longest], None, *before[len(before) - longest :]]
    n_shared = [0] * len(texts)  # up to each place: how many texts end there that are the first (Knuth, Morris, Pratt)
    for i in range(1, len(texts)):
        n = n_shared[i - 1]
        while n and texts[i] != texts[n]:
            n = n_shared[n - 1]
        n_shared[i] = n + (texts[i] == texts[n])
    return n_shared[-1]
