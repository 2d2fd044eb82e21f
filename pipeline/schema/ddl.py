"""An Arrow schema in, the CREATE TABLE of a warehouse out, with descriptions as comments.

| Arrow | DuckDB | Snowflake | BigQuery |
|---|---|---|---|
| string, dictionary | VARCHAR | VARCHAR | STRING |
| int32, int64 | INTEGER, BIGINT | NUMBER(10, 0), NUMBER(19, 0) | INT64 |
| double | DOUBLE | DOUBLE | FLOAT64 |
| decimal128(38, s) | DECIMAL(38, s) | NUMBER(38, s) | BIGNUMERIC(38, s) |
| bool | BOOLEAN | BOOLEAN | BOOL |
| date32 | DATE | DATE | DATE |
| timestamp[us, UTC] | TIMESTAMPTZ | TIMESTAMP_TZ(6) | TIMESTAMP |
| time64[us] | TIME | TIME(6) | TIME |
| list<T> | T[] | VARIANT | ARRAY<T> |
| list<list<T>> | T[][] | VARIANT | ARRAY<STRUCT<element ARRAY<T>>> |
| struct<...> | STRUCT(...) | VARIANT | STRUCT<...> |
| map<string, T> | MAP(VARCHAR, T) | VARIANT | ARRAY<STRUCT<key STRING, value T>> |

The types are those that the warehouse loads our Parquet files into: in Snowflake whatever is nested is a VARIANT, which
takes what its Parquet reader gives; text that holds JSON stays text (PARSE_JSON and JSON_QUERY read it). A name that
the warehouse does not take is changed, and the comment says what it is in the files.
"""

from __future__ import annotations

import re

import pyarrow as pa

from pipeline.schema.identifiers import Warehouse, name_columns, quote

_DUCKDB = {
    "string": "VARCHAR",
    "large_string": "VARCHAR",
    "int32": "INTEGER",
    "int64": "BIGINT",
    "double": "DOUBLE",
    "bool": "BOOLEAN",
    "date32[day]": "DATE",
    "timestamp[us, tz=UTC]": "TIMESTAMPTZ",
    "time64[us]": "TIME",
}
_SNOWFLAKE = {
    **_DUCKDB,
    "int32": "NUMBER(10, 0)",
    "int64": "NUMBER(19, 0)",
    "timestamp[us, tz=UTC]": "TIMESTAMP_TZ(6)",
    "time64[us]": "TIME(6)",
}
_BIGQUERY = {
    "string": "STRING",
    "large_string": "STRING",
    "int32": "INT64",
    "int64": "INT64",
    "double": "FLOAT64",
    "bool": "BOOL",
    "date32[day]": "DATE",
    "timestamp[us, tz=UTC]": "TIMESTAMP",
    "time64[us]": "TIME",
}
_SCALARS = {Warehouse.DUCKDB: _DUCKDB, Warehouse.SNOWFLAKE: _SNOWFLAKE, Warehouse.BIGQUERY: _BIGQUERY}
_DECIMALS = {Warehouse.DUCKDB: "DECIMAL", Warehouse.SNOWFLAKE: "NUMBER", Warehouse.BIGQUERY: "BIGNUMERIC"}
_CONTROL = re.compile(r"[\x00-\x1f\x7f\u2028\u2029]+")


def create_table(name: str, schema: pa.Schema, warehouse: Warehouse, description: str = "") -> str:
    """Give the statement that makes an empty table, and DuckDB's further ones that set the comments.

    Args:
        name: The table's name, plain; it is quoted here.
        schema: Its columns; a field's `description` in the metadata becomes its comment.
        warehouse: Whose SQL.
        description: What a line of it is.
    """
    names = name_columns(schema.names, warehouse)
    comments = [comment_of(field, given) for field, given in zip(schema, names, strict=True)]
    table = quote(name, warehouse)
    rows = [
        f"  {quote(given, warehouse)} {column_type(field.type, warehouse)}{'' if field.nullable else ' NOT NULL'}"
        + _inline(comment, warehouse)
        for field, given, comment in zip(schema, names, comments, strict=True)
    ]
    statement = f"CREATE TABLE {table} (\n" + ",\n".join(rows) + "\n)"
    if warehouse is not Warehouse.DUCKDB:
        return statement + _of_table(description, warehouse) + ";\n"
    wanted = [(f"TABLE {table}", description)]
    wanted += [(f"COLUMN {table}.{quote(n, warehouse)}", text) for n, text in zip(names, comments, strict=True)]
    after = [f"COMMENT ON {what} IS {_literal(text, warehouse)};\n" for what, text in wanted if text]
    return "".join([statement, ";\n", *after])


def column_type(arrow: pa.DataType, warehouse: Warehouse) -> str:
    """Give the warehouse's words for a type."""
    if pa.types.is_dictionary(arrow):
        return column_type(arrow.value_type, warehouse)
    if pa.types.is_decimal(arrow):
        return f"{_DECIMALS[warehouse]}({arrow.precision}, {arrow.scale})"
    if not pa.types.is_nested(arrow):
        return _SCALARS[warehouse][str(arrow)]
    match warehouse:
        case Warehouse.SNOWFLAKE:
            return "VARIANT"
        case Warehouse.DUCKDB:
            return _in_duckdb(arrow)
        case Warehouse.BIGQUERY:
            return _in_bigquery(arrow)


def comment_of(field: pa.Field, given: str) -> str:
    """Give a column's description in one line, with its name in the files where it is `given` another."""
    metadata = field.metadata or {}
    words = [_CONTROL.sub(" ", metadata.get(b"description", b"").decode()).strip()]
    if metadata.get(b"content") == b"json":
        words.append("(JSON text)")
    if given != field.name:
        words.append(f"(in the files: {_CONTROL.sub(' ', repr(field.name))})")
    return " ".join(filter(None, words))


def _in_duckdb(arrow: pa.DataType) -> str:
    if pa.types.is_list(arrow):
        return f"{column_type(arrow.value_type, Warehouse.DUCKDB)}[]"
    if pa.types.is_map(arrow):
        return f"MAP(VARCHAR, {column_type(arrow.item_type, Warehouse.DUCKDB)})"
    return f"STRUCT({_fields(arrow, Warehouse.DUCKDB)})"


def _in_bigquery(arrow: pa.DataType) -> str:
    """An array cannot hold an array there: a struct of one field stands between."""
    if pa.types.is_list(arrow):
        inner = column_type(arrow.value_type, Warehouse.BIGQUERY)
        return f"ARRAY<STRUCT<`element` {inner}>>" if inner.startswith("ARRAY") else f"ARRAY<{inner}>"
    if pa.types.is_map(arrow):
        return f"ARRAY<STRUCT<`key` STRING, `value` {column_type(arrow.item_type, Warehouse.BIGQUERY)}>>"
    return f"STRUCT<{_fields(arrow, Warehouse.BIGQUERY)}>"


def _fields(struct: pa.StructType, warehouse: Warehouse) -> str:
    fields = [struct.field(i) for i in range(struct.num_fields)]
    names = name_columns((field.name for field in fields), warehouse)
    return ", ".join(
        f"{quote(name, warehouse)} {column_type(field.type, warehouse)}"
        for name, field in zip(names, fields, strict=True)
    )


def _inline(comment: str, warehouse: Warehouse) -> str:
    if not comment or warehouse is Warehouse.DUCKDB:
        return ""
    literal = _literal(comment, warehouse)
    return f" COMMENT {literal}" if warehouse is Warehouse.SNOWFLAKE else f" OPTIONS (description = {literal})"


def _of_table(description: str, warehouse: Warehouse) -> str:
    if not description:
        return ""
    literal = _literal(description, warehouse)
    return f"\nCOMMENT = {literal}" if warehouse is Warehouse.SNOWFLAKE else f"\nOPTIONS (description = {literal})"


def _literal(text: str, warehouse: Warehouse) -> str:
    """A string of one line; only DuckDB reads a backslash as itself."""
    plain = _CONTROL.sub(" ", text)
    if warehouse is Warehouse.DUCKDB:
        return "'" + plain.replace("'", "''") + "'"
    return "'" + plain.replace("\\", "\\\\").replace("'", "\\'") + "'"
