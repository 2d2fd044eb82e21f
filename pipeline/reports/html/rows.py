"""The rows of one document as a tree of values: each with its citations and with what lost against it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from pipeline.errors import OutputError, SchemaError
from pipeline.reports.html.citations import Citation
from pipeline.reports.html.losses import Loss
from pipeline.reports.html.wording import value_text
from pipeline.schema.columns import Column, build_columns, has_columns
from pipeline.schema.json_text import JSON
from pipeline.schema.normal import build_normal
from pipeline.schema.parse import parse_schema
from pipeline.schema.pointer import child
from pipeline.schema.references import References
from pipeline.schema.restore import restore_row

MOST_LEVELS = 12
"""Groups inside each other; what is deeper is shown as JSON."""


@dataclass(frozen=True, slots=True)
class Value:
    """A value of a row, or a group of them.

    Attributes:
        name: The property, or the number of the item in its list, from 1.
        pointer: JSON pointer in the row.
        text: A plain value in words; None for a group.
        is_null: Whether there is none.
        citations: The quotes for it that are in the row.
        losses: What other chunks said instead.
        children: The values of a group.
    """

    name: str
    pointer: str
    text: str | None
    is_null: bool
    citations: tuple[Citation, ...]
    losses: tuple[Loss, ...]
    children: tuple[Value, ...] = ()


@dataclass(frozen=True, slots=True)
class TaskRow:
    """What a task says of a document.

    Attributes:
        task: The task.
        has_row: False when the task gave the document no row.
        values: The properties, in the order of the schema.
        outside: Citations of values that the row does not have.
        other_losses: Those about places that the row does not have.
        lineage: Where the row comes from: name and value.
    """

    task: str
    has_row: bool
    values: tuple[Value, ...]
    outside: tuple[Citation, ...]
    other_losses: tuple[Loss, ...]
    lineage: tuple[tuple[str, str], ...]


def columns_of(json_schema: str) -> tuple[Column, ...]:
    """The columns of rows that were made by this schema.

    Raises:
        OutputError: The schema, which was good when the rows were made, is not any more.
    """
    try:
        _, upgraded = parse_schema(json_schema)
        answer = build_normal(References(upgraded.schema)).node
    except SchemaError as error:
        raise OutputError(f"A table of rows was made by a schema that this version does not take: {error}") from error
    wrapped = {"type": "object", "properties": {"value": answer}, "required": ["value"]}
    return build_columns(answer if has_columns(answer) else wrapped)


def build_task_row(
    task: str,
    row: Mapping[str, Any] | None,
    columns: tuple[Column, ...],
    citations: Sequence[Citation],
    losses: Sequence[Loss],
) -> TaskRow:
    """Put values, citations and conflicts of one task together.

    Args:
        task: The task.
        row: Its line of `records/<task>/`; None: it has none.
        columns: The columns of that line.
        citations: Those of the task.
        losses: Those of the task.
    """
    cited = _by_pointer([one for one in citations if one.is_in_row])
    values = restore_row(row, row.get("_extra"), columns) if row is not None else {}
    grower = _Grower(cited, _by_pointer(losses))
    names = [column.name for column in columns] if row is not None else []
    tree = tuple(grower.grow(name, child("", name), values.get(name)) for name in names)
    return TaskRow(
        task=task,
        has_row=row is not None,
        values=tree,
        outside=tuple(one for one in citations if not one.is_in_row or one.pointer not in grower.seen),
        other_losses=tuple(one for one in losses if one.pointer not in grower.seen),
        lineage=tuple(_lineage(row)) if row is not None else (),
    )


_Placed = TypeVar("_Placed", Citation, Loss)


def _by_pointer(items: Iterable[_Placed]) -> Mapping[str, list[_Placed]]:
    found: dict[str, list[_Placed]] = defaultdict(list)
    for one in items:
        found[one.pointer].append(one)
    return found


class _Grower:
    """Makes the tree of a row, and remembers which pointers it has seen."""

    def __init__(self, cited: Mapping[str, list[Citation]], lost: Mapping[str, list[Loss]]) -> None:
        self._cited, self._lost = cited, lost
        self.seen: set[str] = set()

    def grow(self, name: str, pointer: str, value: JSON, level: int = 1) -> Value:
        self.seen.add(pointer)
        parts = _parts(value) if level < MOST_LEVELS else ()
        children = tuple(self.grow(part, child(pointer, key), below, level + 1) for part, key, below in parts)
        return Value(
            name=name,
            pointer=pointer,
            text=None if children else value_text(value),
            is_null=value is None,
            citations=tuple(self._cited.get(pointer, ())),
            losses=tuple(self._lost.get(pointer, ())),
            children=children,
        )


def _parts(value: JSON) -> Iterable[tuple[str, str, JSON]]:
    """Name, key and value of what is below it."""
    if isinstance(value, dict):
        return [(key, key, below) for key, below in value.items()]
    if isinstance(value, list):
        return [(str(index + 1), str(index), below) for index, below in enumerate(value)]
    return []


def _lineage(row: Mapping[str, Any]) -> Iterable[tuple[str, str]]:
    hidden = ("_extra", "_doc_id", "_uri")
    for name, value in row.items():
        if name.startswith("_") and name not in hidden and value is not None:
            yield name[1:], str(value)
