"""A row as Parquet gives it back in, the JSON that it was made of out: `values.py` the other way."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

from pipeline.schema.columns import Column, Kind
from pipeline.schema.json_text import JSON
from pipeline.schema.pointer import names_of


def restore_row(row: Mapping[str, Any], extra: str | None, columns: tuple[Column, ...]) -> dict[str, JSON]:
    """Give the answer or row that `convert_row` converted.

    Equal to it in these terms: numbers by value, date-times as instants (written in UTC), and a property that is null
    is the same as one that is absent (it comes back absent).

    Args:
        row: A value of each column, as pyarrow's `to_pylist` gives them; others are ignored.
        extra: The row's `_extra`: JSON text, or None.
        columns: The columns of the contract.
    """
    values = _struct(row, columns)
    for pointer, value in _parse(extra).items() if extra is not None else ():
        _put(values, pointer, value)
    return values


def _struct(row: Mapping[str, Any], columns: tuple[Column, ...]) -> dict[str, JSON]:
    return {column.name: _restore(row[column.name], column) for column in columns if row[column.name] is not None}


def _restore(value: Any, column: Column) -> JSON:  # noqa: ANN401 - what Arrow gives
    if value is None:
        return None
    match column.kind:
        case Kind.LIST:
            return [_restore(item, column.children[0]) for item in value]
        case Kind.MAP:
            return {key: _restore(part, column.children[0]) for key, part in value}
        case Kind.STRUCT:
            return _struct(value, column.children)
        case kind:
            written: JSON = _SCALARS[kind](value) if kind in _SCALARS else value
            return written


def _parse(text: str) -> Any:  # noqa: ANN401 - any JSON
    return json.loads(text, parse_float=Decimal)


_SCALARS: dict[Kind, Callable[[Any], JSON]] = {
    Kind.JSON: _parse,
    Kind.FLOAT: lambda double: Decimal(repr(double)),
    Kind.DATE: lambda day: str(day.isoformat()),
    Kind.TIMESTAMP: lambda moment: f"{moment.replace(tzinfo=None).isoformat()}Z",
    Kind.TIME: lambda moment: f"{moment.isoformat()}Z",
}
"""How a value is written that JSON has no type for, or another one."""


def _put(values: dict[str, JSON], pointer: str, value: JSON) -> None:
    """Set what the pointer names; everything above it is there."""
    *above, last = names_of(pointer)
    place: Any = values
    for name in above:
        place = place[int(name)] if isinstance(place, list) else place[name]
    place[int(last) if isinstance(place, list) else last] = value
