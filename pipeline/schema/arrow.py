"""The Arrow form: columns in, an Arrow schema out; rows in, a record batch of exactly that schema out.

What the columns cannot hold exactly comes beside the batch, for one more column of JSON text: see `values.py`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import pyarrow as pa

from pipeline.schema.columns import DECIMAL_DIGITS, Column, Kind
from pipeline.schema.json_text import JSON, write_json
from pipeline.schema.values import convert_row

_TYPES: dict[Kind, pa.DataType] = {
    Kind.STRING: pa.string(),
    Kind.DATE: pa.date32(),
    Kind.TIMESTAMP: pa.timestamp("us", tz="UTC"),
    Kind.TIME: pa.time64("us"),
    Kind.ENUM: pa.dictionary(pa.int32(), pa.string()),
    Kind.INTEGER: pa.int64(),
    Kind.FLOAT: pa.float64(),
    Kind.BOOLEAN: pa.bool_(),
    Kind.JSON: pa.string(),
}


def build_arrow_schema(columns: tuple[Column, ...]) -> pa.Schema:
    """Give the Arrow schema: a nullable field for each column; a description becomes field metadata.

    A JSON column says so in its metadata: `content: json`.
    """
    return pa.schema([_field(column) for column in columns])


@dataclass(frozen=True, slots=True)
class ConvertedRows:
    """Rows as a table holds them.

    Attributes:
        batch: Of the schema `build_arrow_schema(columns)`, also for no rows or all nulls.
        extras: For each row what its columns cannot hold exactly: a JSON object {JSON pointer in the row: value}; None
            for most rows. `restore_row` puts both together again.
    """

    batch: pa.RecordBatch
    extras: list[str | None]


def convert_rows(rows: Sequence[Mapping[str, JSON]], columns: tuple[Column, ...]) -> ConvertedRows:
    """Convert rows of any JSON values; never fails for what the values are."""
    schema = build_arrow_schema(columns)
    converted = [convert_row(row, columns) for row in rows]
    arrays = [pa.array([row.values[field.name] for row in converted], type=field.type) for field in schema]
    extras = [write_json(row.extra) if row.extra else None for row in converted]
    return ConvertedRows(pa.RecordBatch.from_arrays(arrays, schema=schema), extras)


def to_arrow(rows: Sequence[Mapping[str, JSON]], columns: tuple[Column, ...]) -> pa.RecordBatch:
    """Give `convert_rows(...).batch` alone, where what has no exact place may be lost."""
    return convert_rows(rows, columns).batch


def _field(column: Column) -> pa.Field:
    metadata = {"description": column.description} if column.description else {}
    if column.kind is Kind.JSON:
        metadata["content"] = "json"
    return pa.field(column.name, _type(column), nullable=True, metadata=metadata or None)


def _type(column: Column) -> pa.DataType:
    match column.kind:
        case Kind.DECIMAL:
            return pa.decimal128(DECIMAL_DIGITS, column.scale)
        case Kind.LIST:
            return pa.list_(_field(replace(column.children[0], name="element")))  # as Parquet files call it
        case Kind.MAP:
            return pa.map_(pa.string(), _field(column.children[0]))
        case Kind.STRUCT:
            return pa.struct([_field(field) for field in column.children])
        case kind:
            return _TYPES[kind]
