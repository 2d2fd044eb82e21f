"""The records of one (document, task) in, the row of the document and what lost in it out.

Each column by its policy (`schema.policies`): an object field by field, a map entry by entry, a list as the union of
all lists, anything else by one value of several. Pure: the order of arrival does not matter, and merging a merged row
again changes nothing. Each value of a record is in the row, the same as one there, or in a conflict; only what is added
up or joined has none.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType

from pipeline.answers.choice import Found, choose
from pipeline.answers.record import Record
from pipeline.answers.sameness import is_blank, sameness
from pipeline.schema.columns import Column, Kind
from pipeline.schema.load import Contract
from pipeline.schema.pointer import child
from pipeline.schema.policies import Policy, policy_of
from pipeline.schema.values import JSON


@dataclass(frozen=True, slots=True)
class Conflict:
    """A value that lost a merge.

    Attributes:
        pointer: Where the kept value stands in the merged row (RFC 6901).
        policy: What decided.
        kept: The value in the row.
        lost: The value that is not.
        chunk_index: The chunk whose answer gave it.
        part: The chunk's part; see `Chunk`.
    """

    pointer: str
    policy: Policy
    kept: JSON
    lost: JSON
    chunk_index: int
    part: str


@dataclass(frozen=True, slots=True)
class Merged:
    """One row.

    Attributes:
        values: Every property of the contract, in its order: a value, null where no record has one, [] for a list.
            After them properties that the schema does not name.
        conflicts: What lost, by place in the row and then in document order. What differs from the kept value only
            in letter case or white space has not lost, nor has what says nothing.
    """

    values: dict[str, JSON]
    conflicts: tuple[Conflict, ...]


def merge_records(
    records: Sequence[Record], contract: Contract, reduced: Mapping[str, JSON] = MappingProxyType({})
) -> Merged:
    """Merge the records of one document for one task.

    Null and absent are no value. What says nothing (white space, no items) is one only if no chunk has a better one.

    Args:
        records: At least one, in any order, all of the same document and task, at most one of a part of a chunk.
        contract: The task's contract.
        reduced: Values that the model consolidated, by name of the top-level property; they take the place of all that
            the records have, unless they say nothing.

    Raises:
        ValueError: no records, or records that do not belong together: a bug in the flow.
    """
    if len({(record.doc_id, record.task) for record in records}) != 1:
        raise ValueError("records of one document and one task are expected")
    if len({(record.chunk_index, record.part) for record in records}) != len(records):
        raise ValueError(f"{records[0].doc_id}: two records of one chunk")
    ordered = sorted(records, key=lambda record: (record.chunk_index, record.part))
    merging = _Merging({name: value for name, value in reduced.items() if value is not None and not is_blank(value)})
    values = merging.fields([Found(r.values, r.chunk_index, r.part) for r in ordered], contract.columns, "")
    return Merged(values, tuple(merging.conflicts))


class _Merging:
    """One merge, and what has lost in it so far."""

    def __init__(self, reduced: Mapping[str, JSON]) -> None:
        self.conflicts: list[Conflict] = []
        self._reduced = {child("", name): value for name, value in reduced.items()}

    def fields(self, objects: Sequence[Found], columns: Sequence[Column], pointer: str) -> dict[str, JSON]:
        """Merge objects property by property: those that have a column in its order, then the others as they come."""
        found = _by_name(objects)
        named = {column.name: column for column in columns}
        for name in found:
            named.setdefault(name, Column(name, Kind.JSON))
        return {name: self._value(found.get(name, ()), column, child(pointer, name)) for name, column in named.items()}

    def _value(self, found: Sequence[Found], column: Column, pointer: str) -> JSON:
        present = [one for one in found if one.value is not None]
        policy = policy_of(column)
        entered = _ENTERED.get(policy, ())
        inside = [one for one in present if isinstance(one.value, entered)]
        if not inside:
            return self._choose(present, column, pointer)
        merged: JSON
        if column.kind is Kind.STRUCT:
            merged = self.fields(inside, column.children, pointer)
        elif column.kind is Kind.MAP:
            entry, entries = column.children[0], _by_name(inside)
            merged = {key: self._value(values, entry, child(pointer, key)) for key, values in entries.items()}
        else:
            merged = self._union(inside, column, pointer)
        self._lose([one for one in present if not isinstance(one.value, entered)], merged, policy, column, pointer)
        return merged

    def _choose(self, present: Sequence[Found], column: Column, pointer: str) -> JSON:
        """One value for all; a list is never null."""
        telling = [one for one in present if not is_blank(one.value)] or present
        if not telling:
            return [] if column.kind is Kind.LIST else None
        policy = policy_of(column)
        kept = self._reduced[pointer] if pointer in self._reduced else choose(policy, telling, column)
        if policy not in (Policy.SUM, Policy.CONCAT):
            self._lose(telling, kept, policy, column, pointer)
        return kept

    def _union(self, found: Sequence[Found], column: Column, pointer: str) -> list[JSON]:
        """Every item once, in the order in which they were first seen; of items with one key their fields merge."""
        groups: dict[str, list[Found]] = {}
        for one in found:
            for item in one.value if isinstance(one.value, list) else ():
                groups.setdefault(item_identity(item, column), []).append(replace(one, value=item))
        return [
            self._item(group, column, child(pointer, i)) if _key(group[0].value, column) else group[0].value
            for i, group in enumerate(groups.values())
        ]

    def _item(self, group: Sequence[Found], column: Column, pointer: str) -> JSON:
        """One item of a list of those with its key: field by field, unless the items' own policy takes one whole."""
        of_item = column.children[0]
        if of_item.merge and of_item.merge != Policy.FIELDS:
            return self._value(group, of_item, pointer)
        fields = [replace(f, merge=Policy.FIRST.value) if f.name in column.key else f for f in of_item.children]
        return self.fields(group, fields, pointer)

    def _lose(self, found: Sequence[Found], kept: JSON, policy: Policy, column: Column, pointer: str) -> None:
        others = [one for one in found if one.value is not kept]
        text = sameness(kept, column, loosely=True) if others else ""
        self.conflicts += [
            Conflict(pointer, policy, kept, one.value, one.chunk_index, one.part)
            for one in others
            if sameness(one.value, column, loosely=True) != text
        ]


def item_identity(item: JSON, column: Column) -> str:
    """A text that two items of a list have in common when they are one item: by their key, else by all they are.

    Args:
        item: An item.
        column: The list's; of another column, items are compared as plain JSON.
    """
    return _key(item, column) or sameness(item, column.children[0] if column.kind is Kind.LIST else None)


_ENTERED: Mapping[Policy, type] = {Policy.FIELDS: dict, Policy.UNION: list}
"""What each of the policies that go into their values goes into."""


def _by_name(objects: Sequence[Found]) -> dict[str, list[Found]]:
    """What the objects have under each of their names, in the order in which the names come."""
    found: dict[str, list[Found]] = {}
    for one in objects:
        for name, value in one.value.items() if isinstance(one.value, dict) else ():
            found.setdefault(name, []).append(Found(value, one.chunk_index, one.part))
    return found


def _key(item: JSON, column: Column) -> str:
    """What says which item it is; empty when its list has no key, or the item lacks a part of it."""
    if (
        not (column.key and column.children)
        or not isinstance(item, dict)
        or column.children[0].kind not in (Kind.STRUCT, Kind.JSON)
    ):
        return ""
    fields = {field.name: field for field in column.children[0].children}
    parts = [item.get(name) for name in column.key]
    if any(part is None or is_blank(part) for part in parts):
        return ""
    texts = [sameness(part, fields.get(name), loosely=True) for name, part in zip(column.key, parts, strict=True)]
    return f"key {' '.join(texts)}"
