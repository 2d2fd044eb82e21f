"""How the values of several chunks become one: the policies that `x-merge` may name, and the default of each type.

| policy | for | the value is |
|---|---|---|
| first, last | any | the first, the last in document order |
| longest | strings | the longest; of equals the first |
| min, max, sum | numbers; min and max also dates, times | the smallest, the largest, all added up |
| union | lists | each item once; items with equal `x-key` properties are one item, merged field by field |
| concat | strings, lists | all, in document order |
| vote | any | the most frequent; of equals the first |
| reduce | any | what the model makes of all of them, asked once more |
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType

from pipeline.schema.columns import Column, Kind


class Policy(StrEnum):
    """What `x-merge` may say. FIELDS is the default of objects: each field, each map entry by its own policy."""

    FIRST = "first"
    LAST = "last"
    LONGEST = "longest"
    MIN = "min"
    MAX = "max"
    SUM = "sum"
    UNION = "union"
    CONCAT = "concat"
    VOTE = "vote"
    REDUCE = "reduce"
    FIELDS = "fields"


_NUMBERS = frozenset({Kind.INTEGER, Kind.FLOAT, Kind.DECIMAL})
_ORDERED = _NUMBERS | {Kind.DATE, Kind.TIMESTAMP, Kind.TIME}

ALLOWED: Mapping[Policy, frozenset[Kind]] = MappingProxyType(
    {
        Policy.FIRST: frozenset(Kind),
        Policy.LAST: frozenset(Kind),
        Policy.LONGEST: frozenset({Kind.STRING}),
        Policy.MIN: _ORDERED,
        Policy.MAX: _ORDERED,
        Policy.SUM: _NUMBERS,
        Policy.UNION: frozenset({Kind.LIST}),
        Policy.CONCAT: frozenset({Kind.STRING, Kind.LIST}),
        Policy.VOTE: frozenset(Kind),
        Policy.REDUCE: frozenset(Kind),
        Policy.FIELDS: frozenset({Kind.STRUCT, Kind.MAP}),
    }
)
"""The kinds of column that each policy can be declared for. `reduce` is for properties of the top level alone."""


def policy_of(column: Column) -> Policy:
    """The policy of a column: what its schema says, else its kind's default."""
    if column.merge:
        return Policy(column.merge)
    if column.kind is Kind.LIST:
        return Policy.UNION
    return Policy.FIELDS if column.kind in (Kind.STRUCT, Kind.MAP) else Policy.FIRST
