"""The SQL is run by a real DuckDB, and read by a parser of the other two warehouses' languages."""

from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import sqlglot
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlglot import exp

from pipeline.schema.arrow import build_arrow_schema, convert_rows
from pipeline.schema.columns import build_columns
from pipeline.schema.ddl import column_type, create_table
from pipeline.schema.identifiers import Warehouse, name_columns, quote

DUCKDB, SNOWFLAKE, BIGQUERY = Warehouse
TEXT = {"type": "string"}
EVERYTHING: dict[str, Any] = {
    "text": {**TEXT, "description": "It's \"any\" text\nwith a \\ and `ticks` -- and ; more"},
    "day": {"type": "string", "format": "date"},
    "moment": {"type": "string", "format": "date-time"},
    "hour": {"type": "string", "format": "time"},
    "count": {"type": "integer"},
    "ratio": {"type": "number"},
    "price": {"type": "number", "multipleOf": 0.01},
    "ok": {"type": "boolean"},
    "kind": {"enum": ["a", "b"]},
    "names": {"type": "array", "items": TEXT},
    "grid": {"type": "array", "items": {"type": "array", "items": {"type": "integer"}}},
    "party": {
        "type": "object",
        "properties": {"name": TEXT, "select": {"type": "array", "items": {"enum": ["x", "y"]}}},
    },
    "rates": {"type": "object", "additionalProperties": {"type": "number", "multipleOf": 0.1}},
    "free": {"description": "Anything"},
}  # fmt: skip
ROW: dict[str, Any] = {
    "text": "a'b",
    "day": "2024-02-29",
    "moment": "2024-02-29T10:00:00.25+02:00",
    "hour": "10:00:00Z",
    "count": 2**63 - 1,
    "ratio": 0.1,
    "price": 10**20,
    "ok": True,
    "kind": "a",
    "names": ["x", None],
    "grid": [[1], []],
    "party": {"name": "A", "select": ["x"]},
    "rates": {"y": 1},
    "free": {"k": [1]},
}
HOSTILE = [
    "", "a.b", "A", "a", "É", "é", "select", "order", 'say "hi"', "it's", "`tick`", "a\\b", "x; DROP TABLE t; --",
    "1st", "ünï", "line\nbreak", "nul\0", "_PARTITION_x", "_table_y", "a b", "a_b", "名", "C0", "L" * 400, "l" * 400,
    "😀", "--", "/*", "a_1", "A_1",
]  # fmt: skip


def schema_of(properties: dict[str, Any]) -> pa.Schema:
    return build_arrow_schema(build_columns({"properties": properties}))


def write(path: str, rows: list[dict[str, Any]], properties: dict[str, Any]) -> pa.Table:
    table = pa.Table.from_batches([convert_rows(rows, build_columns({"properties": properties})).batch])
    pq.write_table(table, path)
    return table


def test_types_by_warehouse() -> None:
    schema = schema_of(EVERYTHING)
    found = {field.name: [column_type(field.type, warehouse) for warehouse in Warehouse] for field in schema}
    assert found == {
        "text": ["VARCHAR", "VARCHAR", "STRING"],
        "day": ["DATE", "DATE", "DATE"],
        "moment": ["TIMESTAMPTZ", "TIMESTAMP_TZ(6)", "TIMESTAMP"],
        "hour": ["TIME", "TIME(6)", "TIME"],
        "count": ["BIGINT", "NUMBER(19, 0)", "INT64"],
        "ratio": ["DOUBLE", "DOUBLE", "FLOAT64"],
        "price": ["DECIMAL(38, 2)", "NUMBER(38, 2)", "BIGNUMERIC(38, 2)"],
        "ok": ["BOOLEAN", "BOOLEAN", "BOOL"],
        "kind": ["VARCHAR", "VARCHAR", "STRING"],
        "names": ["VARCHAR[]", "VARIANT", "ARRAY<STRING>"],
        "grid": ["BIGINT[][]", "VARIANT", "ARRAY<STRUCT<`element` ARRAY<INT64>>>"],
        "party": [
            'STRUCT("name" VARCHAR, "select" VARCHAR[])',
            "VARIANT",
            "STRUCT<`name` STRING, `select` ARRAY<STRING>>",
        ],
        "rates": [
            "MAP(VARCHAR, DECIMAL(38, 1))",
            "VARIANT",
            "ARRAY<STRUCT<`key` STRING, `value` BIGNUMERIC(38, 1)>>",
        ],
        "free": ["VARCHAR", "VARCHAR", "STRING"],
    }


def test_duckdb_holds_what_the_file_holds(tmp_path: Path) -> None:
    path = str(tmp_path / "rows.parquet")
    table = write(path, [ROW, {}], EVERYTHING)
    with duckdb.connect() as database:
        database.execute("SET TimeZone = 'UTC'")
        database.execute(create_table("rows", table.schema, DUCKDB, "What's in it"))
        database.execute("INSERT INTO rows SELECT * FROM read_parquet(?)", [path])
        types = database.execute("SELECT column_name, column_type FROM (DESCRIBE rows)").fetchall()
        read = database.execute("SELECT column_name, column_type FROM (DESCRIBE FROM read_parquet(?))", [path])
        assert types == read.fetchall()
        assert database.execute("FROM rows EXCEPT ALL FROM read_parquet(?)", [path]).fetchall() == []
        assert database.execute("SELECT count(*), count(price) FROM rows").fetchone() == (2, 1)
        comments = dict(database.execute("SELECT column_name, comment FROM duckdb_columns()").fetchall())
        assert ("rows", "What's in it") in database.execute(
            "SELECT table_name, comment FROM duckdb_tables()"
        ).fetchall()
    assert comments["text"] == 'It\'s "any" text with a \\ and `ticks` -- and ; more'
    assert comments["free"] == "Anything (JSON text)"
    assert comments["day"] is None


def test_duckdb_takes_hostile_names_and_puts_each_value_under_its_own(tmp_path: Path) -> None:
    path = str(tmp_path / "rows.parquet")
    inner = {name: str(i) for i, name in enumerate(HOSTILE) if name}
    properties = {"outer": {"type": "object", "properties": dict.fromkeys(inner, TEXT)}, **dict.fromkeys(HOSTILE, TEXT)}
    table = write(path, [{"outer": inner, **{name: str(i) for i, name in enumerate(HOSTILE)}}], properties)
    with duckdb.connect() as database:
        database.execute(create_table('odd "name"; --', table.schema, DUCKDB))
        name = quote('odd "name"; --', DUCKDB)
        database.execute(f"INSERT INTO {name} SELECT * FROM read_parquet(?)", [path])
        (outer, *values), *more = database.execute(f"FROM {name}").fetchall()
    assert not more
    assert values == [str(i) for i in range(len(HOSTILE))]
    assert list(outer.values()) == list(inner.values())


@pytest.mark.parametrize("warehouse", [SNOWFLAKE, BIGQUERY])
@pytest.mark.parametrize("properties", [EVERYTHING, dict.fromkeys(HOSTILE, TEXT)], ids=["types", "names"])
def test_the_other_warehouses_can_parse_it(warehouse: Warehouse, properties: dict[str, Any]) -> None:
    schema = schema_of(properties)
    (statement,) = sqlglot.parse(create_table("rows", schema, warehouse, "What's \\ in it"), dialect=warehouse.value)
    assert isinstance(statement, exp.Create)
    columns = list(statement.this.expressions)
    assert [column.name for column in columns] == name_columns(schema.names, warehouse)
    comments = [str(node.this.this) for node in statement.find_all(exp.CommentColumnConstraint)]
    if properties is EVERYTHING and warehouse is SNOWFLAKE:
        assert comments[0] == 'It\'s "any" text with a \\ and `ticks` -- and ; more'


def test_a_column_that_is_never_null_says_so() -> None:
    schema = pa.schema([pa.field("a", pa.int32(), nullable=False), pa.field("b", pa.large_string())])
    assert create_table("t", schema, DUCKDB) == 'CREATE TABLE "t" (\n  "a" INTEGER NOT NULL,\n  "b" VARCHAR\n);\n'
    assert "`a` INT64 NOT NULL,\n  `b` STRING\n" in create_table("t", schema, BIGQUERY)


@pytest.mark.parametrize(
    ("names", "duckdb_names", "snowflake_names", "bigquery_names"),
    [
        (["a", "A", "a_1"], ["a", "A_1", "a_1_1"], ["a", "A", "a_1"], ["a", "A_1", "a_1_1"]),
        (["x", ""], ["x", "C1"], ["x", "C1"], ["x", "C1"]),
        (["C1", ""], ["C1", "C1_1"], ["C1", "C1_1"], ["C1", "C1_1"]),
        (["a.b", "a b"], ["a.b", "a b"], ["a.b", "a b"], ["a_b", "a_b_1"]),
        (["1a", "_FILE_b"], ["1a", "_FILE_b"], ["1a", "_FILE_b"], ["c1a", "c_FILE_b"]),
        (["é", "É"], ["é", "É"], ["é", "É"], ["_", "__1"]),
        (["a_1", "a", "A"], ["a_1", "a", "A_1_1"], ["a_1", "a", "A"], ["a_1", "a", "A_1_1"]),
    ],
)
def test_names_in_each_warehouse(
    names: list[str], duckdb_names: list[str], snowflake_names: list[str], bigquery_names: list[str]
) -> None:
    assert [name_columns(names, warehouse) for warehouse in Warehouse] == [
        duckdb_names,
        snowflake_names,
        bigquery_names,
    ]


def test_a_changed_name_is_told_in_the_comment() -> None:
    schema = schema_of({"a.b": {**TEXT, "description": "Dotted"}, "": TEXT})
    assert "`a_b` STRING OPTIONS (description = 'Dotted (in the files: \\'a.b\\')')" in create_table(
        "t", schema, BIGQUERY
    )
    assert "COMMENT ON COLUMN \"t\".\"C1\" IS '(in the files: '''')';" in create_table("t", schema, DUCKDB)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.text(max_size=5) | st.sampled_from(HOSTILE), max_size=12), st.sampled_from(list(Warehouse)))
def test_names_are_distinct_and_stay_where_they_can(names: list[str], warehouse: Warehouse) -> None:
    found = name_columns(names, warehouse)
    assert len(found) == len(names)
    folded = [name if warehouse is SNOWFLAKE else ascii_lower(name) for name in found]
    assert len(set(folded)) == len(folded)
    assert all(found)
    assert name_columns(found, warehouse) == found


def ascii_lower(name: str) -> str:
    return "".join(letter.lower() if letter.isascii() else letter for letter in name)
