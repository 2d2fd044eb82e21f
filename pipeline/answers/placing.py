"""Where a record's value stands in the row that the records became: a pointer in, a pointer out.

Objects keep their names; an item of a list is looked for by what it is, or by its key, as `merge` does it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from pipeline.answers.merge import item_identity
from pipeline.answers.sameness import sameness
from pipeline.schema.columns import Column, Kind
from pipeline.schema.json_text import JSON
from pipeline.schema.pointer import child, names_of
from pipeline.schema.policies import Policy, policy_of

_JOINED = (Policy.SUM, Policy.CONCAT)
"""What is added up or joined is in the row, though nothing there equals it."""


@dataclass(slots=True)
class Placing:
    """The places of one row.

    Attributes:
        row: Its values.
        columns: Its columns.
    """

    row: Mapping[str, JSON]
    columns: Sequence[Column]
    _identities: dict[str, dict[str, int]] = field(default_factory=dict)

    def place(self, values: Mapping[str, JSON], pointer: str) -> tuple[str, bool]:
        """Where a value of a record stands in the row.

        Args:
            values: The record's.
            pointer: To the value among them.

        Returns:
            The pointer into the row, and whether the value there is this one. Where there is none: as far as the row
            goes, and from there on the record's.
        """
        column = Column("", Kind.STRUCT, children=tuple(self.columns))
        mine: JSON = dict(values)
        ours: JSON = dict(self.row)
        place, names = "", names_of(pointer)
        for i, name in enumerate(names):
            step = self._step(mine, ours, column, name, place)
            if step is None:
                return child(place, *names[i:]), False
            mine, ours, column, found = step
            place = child(place, found)
        is_there = ours is not None and (
            policy_of(column) in _JOINED or sameness(mine, column, loosely=True) == sameness(ours, column, loosely=True)
        )
        return place, is_there

    def _step(
        self, mine: JSON, ours: JSON, column: Column, name: str, place: str
    ) -> tuple[JSON, JSON, Column, str] | None:
        """One name deeper, on both sides; None where the row has nothing like it."""
        if isinstance(mine, list) and isinstance(ours, list) and int(name) < len(mine):
            of_item = column.children[0] if column.kind is Kind.LIST else Column("", Kind.JSON)
            item = mine[int(name)]
            index = self._of_items(ours, column, place).get(item_identity(item, column))
            return None if index is None else (item, ours[index], of_item, str(index))
        if isinstance(mine, dict) and isinstance(ours, dict) and name in mine and name in ours:
            return mine[name], ours[name], _below(column, name), name
        return None

    def _of_items(self, items: Sequence[JSON], column: Column, place: str) -> dict[str, int]:
        """The index of each item of a list of the row by what it is; of equal ones the first."""
        if place not in self._identities:
            found: dict[str, int] = {}
            for i, item in enumerate(items):
                found.setdefault(item_identity(item, column), i)
            self._identities[place] = found
        return self._identities[place]


def _below(column: Column, name: str) -> Column:
    if column.kind is Kind.MAP:
        return column.children[0]
    return next((part for part in column.children if part.name == name), Column(name, Kind.JSON))
