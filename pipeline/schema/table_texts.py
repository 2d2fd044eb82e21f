"""Tables in, text out: their Arrow schema for people, JSON for machines, CREATE TABLE, and dbt's `sources.yml`."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import yaml  # type: ignore[import-untyped]

from pipeline.schema.ddl import column_type, comment_of, create_table
from pipeline.schema.identifiers import Warehouse, name_columns
from pipeline.schema.pointer import printable


@dataclass(frozen=True, slots=True)
class TableForm:
    """A table of a job.

    Attributes:
        name: In a warehouse: "documents", "records_contract".
        folder: The output folder and the table's own in it: "out/contracts/records/contract".
        description: What a line is.
        schema: Its columns; each field's metadata holds its `description`, and `content: json` where it is JSON text.
    """

    name: str
    folder: str
    description: str
    schema: pa.Schema

    @classmethod
    def of(cls, name: str, folder: str, description: str, fields: Iterable[pa.Field]) -> TableForm:
        """A table of these columns."""
        return cls(name, folder, description, pa.schema(fields))

    @property
    def files(self) -> str:
        """All its files, as a glob pattern."""
        return f"{self.folder}/*/*.parquet"


def describe_fields(fields: Iterable[pa.Field], meaning_of: Callable[[str], str]) -> list[pa.Field]:
    """Say of each column what it means, by its name, where its metadata does not say so itself."""
    return [field if _is_described(field) else _described(field, meaning_of(field.name)) for field in fields]


def _is_described(field: pa.Field) -> bool:
    return b"description" in (field.metadata or {})


def _described(field: pa.Field, meaning: str) -> pa.Field:
    return field.with_metadata({b"description": meaning.encode(), **(field.metadata or {})})


_JINJA = re.compile(r"\{(?=[{%#])")
_LOADS = {
    Warehouse.DUCKDB: "INSERT INTO {name} SELECT * FROM read_parquet('{files}', hive_partitioning = false)",
    Warehouse.SNOWFLAKE: (
        'COPY INTO "{name}" FROM @stage/{folder} FILE_FORMAT = (TYPE = PARQUET USE_LOGICAL_TYPE = TRUE) '
        "MATCH_BY_COLUMN_NAME = CASE_SENSITIVE"
    ),
    Warehouse.BIGQUERY: (
        "bq load --source_format=PARQUET --parquet_enable_list_inference --parquet_map_target_type=ARRAY_OF_STRUCT "
        "DATASET.{name} gs://BUCKET/{files}"
    ),
}


def arrow_text(tables: Sequence[TableForm]) -> str:
    """Give each table's columns with their Arrow types and what they mean."""
    lines = []
    for table in tables:
        lines += [printable(f"{table.folder}: {' '.join(table.description.split())}"), ""]
        rows = [(printable(field.name), _type_text(field), comment_of(field, field.name)) for field in table.schema]
        name_width = min(max(len(name) for name, _, _ in rows), 40)
        type_width = min(max(len(kind) for _, kind, _ in rows), 40)
        lines += [f"  {name:<{name_width}}  {kind:<{type_width}}  {words}".rstrip() for name, kind, words in rows]
        lines.append("")
    return "\n".join(lines)


def json_text(tables: Sequence[TableForm]) -> str:
    """Give the tables as one JSON array."""
    return json.dumps([_table_facts(table) for table in tables], ensure_ascii=False, indent=2) + "\n"


def ddl_text(tables: Sequence[TableForm], warehouse: Warehouse) -> str:
    """Give the CREATE TABLE of each table, with what loads its files before it."""
    parts = []
    for table in tables:
        files, folder = (" ".join(path.split()).replace("'", "''") for path in (table.files, table.folder))
        load = _LOADS[warehouse].format(name=table.name, files=files, folder=folder)
        parts.append(f"-- {load}\n{create_table(table.name, table.schema, warehouse, table.description)}")
    return "\n".join(parts)


def dbt_text(tables: Sequence[TableForm], source: str, warehouse: Warehouse) -> str:
    """Give dbt's `sources.yml`; where dbt-duckdb reads the files themselves, it says where they are.

    Args:
        tables: The tables.
        source: The name of the source: the job's.
        warehouse: Whose types the columns have.
    """
    listed = [_dbt_table(table, warehouse) for table in tables]
    whole = {"version": 2, "sources": [{"name": source, "tables": listed}]}
    return str(yaml.safe_dump(whole, sort_keys=False, allow_unicode=True, width=10_000))


def _dbt_table(table: TableForm, warehouse: Warehouse) -> dict[str, Any]:
    names = name_columns(table.schema.names, warehouse)
    columns = [
        {
            "name": name,
            "quote": True,
            "description": _plain(comment_of(field, name)),
            "data_type": column_type(field.type, warehouse),
        }
        for name, field in zip(names, table.schema, strict=True)
    ]
    quoted = table.files.replace("'", "''").replace("{", "{{").replace("}", "}}")
    location = {"external_location": f"read_parquet('{quoted}', hive_partitioning = false)"}
    meta = {"meta": location} if warehouse is Warehouse.DUCKDB else {}
    return {"name": table.name, "description": _plain(table.description), **meta, "columns": columns}


def _plain(description: str) -> str:
    """Descriptions are templates to dbt: what would begin a command of Jinja's is parted."""
    return _JINJA.sub("{ ", description)


def _table_facts(table: TableForm) -> dict[str, Any]:
    columns = [
        {
            "name": field.name,
            "type": str(field.type),
            "nullable": field.nullable,
            **{key.decode(): value.decode() for key, value in (field.metadata or {}).items()},
        }
        for field in table.schema
    ]
    return {"name": table.name, "folder": table.folder, "description": table.description, "columns": columns}


def _type_text(field: pa.Field) -> str:
    return printable(str(field.type)) + ("" if field.nullable else " not null")
