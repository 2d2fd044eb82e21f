"""The records of one (document, task) in, the row of the document out.

A scalar is the first value in document order. An object is merged field by field, a map entry by entry. A list is the
union of all lists, equal items once, in the order in which they were first seen. Pure: the order of arrival does not
matter, and merging a merged row again changes nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from pipeline.answers.record import Record
from pipeline.schema.columns import Column, Kind
from pipeline.schema.load import Contract
from pipeline.schema.policies import Policy
from pipeline.schema.values import JSON, canonical_json


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
        conflicts: What lost, by place in the row and then in document order.
    """

    values: dict[str, JSON]
    conflicts: tuple[Conflict, ...]


def merge_records(
    records: Sequence[Record], contract: Contract, reduced: Mapping[str, JSON] = MappingProxyType({})
) -> Merged:
    """Merge the records of one document for one task.

    Null and absent are no value. Text of nothing but white space is a value only if no chunk has a better one.

    Args:
        records: At least one, in any order, all of the same document and task, at most one of a part of a chunk.
        contract: The task's contract.
        reduced: Values that the model consolidated, by name of the top-level property.

    Raises:
        ValueError: no records, or records that do not belong together: a bug in the flow.
    """
    if len({(record.doc_id, record.task) for record in records}) != 1:
        raise ValueError("records of one document and one task are expected")
    if len({(record.chunk_index, record.part) for record in records}) != len(records):
        raise ValueError(f"{records[0].doc_id}: two records of one chunk")
    ordered = sorted(records, key=lambda record: (record.chunk_index, record.part))
    return Merged({**_fields([record.values for record in ordered], contract.columns), **reduced}, ())


def _fields(objects: Sequence[dict[str, JSON]], columns: tuple[Column, ...]) -> dict[str, JSON]:
    return {column.name: _merge([found.get(column.name) for found in objects], column) for column in columns}


def _merge(values: Sequence[JSON], column: Column) -> JSON:
    """Merge the values of one column, in document order; None is no value."""
    present = [value for value in values if value is not None]
    if column.kind is Kind.LIST:
        return _union([item for value in present if isinstance(value, list) for item in value])
    objects = [value for value in present if isinstance(value, dict)]
    if column.kind is Kind.STRUCT:
        return _fields(objects, column.children) if objects else None
    if column.kind is Kind.MAP:
        keys = dict.fromkeys(key for found in objects for key in found)
        return (
            {key: _merge([found.get(key) for found in objects], column.children[0]) for key in keys}
            if objects
            else None
        )
    telling = [value for value in present if not (isinstance(value, str) and not value.strip())]
    return next(iter(telling or present), None)


def _union(items: Sequence[JSON]) -> list[JSON]:
    """Drop repeated items; the first of equal ones stays."""
    seen: dict[str, JSON] = {}
    for item in items:
        seen.setdefault(canonical_json(item), item)
    return list(seen.values())
