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

from enum import StrEnum

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


def policy_of(column: Column) -> Policy:
    """The policy of a column: what its schema says, else its kind's default."""
    if column.merge:
        return Policy(column.merge)
    if column.kind is Kind.LIST:
        return Policy.UNION
    return Policy.FIELDS if column.kind in (Kind.STRUCT, Kind.MAP) else Policy.FIRST
