import json
from collections.abc import Callable
from datetime import UTC, date, datetime, time
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.schema.arrow import build_arrow_schema, convert_rows, to_arrow
from pipeline.schema.columns import MAX_LEVELS, build_columns, clashing_names, describe_columns, has_columns
from pipeline.schema.json_text import canonical_json, write_json
from pipeline.schema.load import Contract
from pipeline.schema.restore import restore_row
from pipeline.schema.values import convert_row

ContractOf = Callable[..., Contract]

TEXT = {"type": "string"}
EVERYTHING: dict[str, Any] = {
    "text": {"type": ["string", "null"], "description": "Any text"},
    "day": {"type": "string", "format": "date"},
    "moment": {"type": "string", "format": "date-time"},
    "hour": {"type": "string", "format": "time"},
    "count": {"type": "integer"},
    "ratio": {"type": "number"},
    "price": {"type": "number", "multipleOf": 0.01, "minimum": 0},
    "ok": {"type": "boolean"},
    "kind": {"enum": ["lease", "sale", None]},
    "fixed": {"const": "x"},
    "names": {"type": "array", "items": TEXT},
    "kinds": {"type": "array", "items": {"enum": ["a", "b"]}},
    "party": {"type": "object", "properties": {"name": TEXT, "born": {"type": "string", "format": "date"}}},
    "parties": {
        "type": "array",
        "items": {"type": "object", "properties": {"name": TEXT, "tags": {"type": "array", "items": TEXT}}},
    },
    "rates": {"type": "object", "additionalProperties": {"type": "number", "multipleOf": 0.1}},
    "either": {"anyOf": [{"type": "integer"}, TEXT]},
    "free": {},
}
ANSWER: dict[str, Any] = {
    "text": "é😀",
    "day": "2024-02-29",
    "moment": "2024-02-29T23:30:00.123456-02:00",
    "hour": "10:00:00.5Z",
    "count": 7,
    "ratio": -0.1,
    "price": 1234567890123456789.15,
    "ok": True,
    "kind": "lease",
    "fixed": "x",
    "names": ["a", "b"],
    "kinds": ["a", "a"],
    "party": {"name": "A", "born": "1970-01-01"},
    "parties": [{"name": "A", "tags": ["t"]}, {}],
    "rates": {"x": 0.5},
    "either": 7,
    "free": {"b": [1, 1.50], "a": None},
}
PRICE = "1234567890123456789.15"
CONVERTED: dict[str, Any] = {
    "text": "é😀",
    "day": date(2024, 2, 29),
    "moment": datetime(2024, 3, 1, 1, 30, 0, 123456, tzinfo=UTC),
    "hour": time(10, 0, 0, 500000),
    "count": 7,
    "ratio": -0.1,
    "price": Decimal(PRICE),
    "ok": True,
    "kind": "lease",
    "fixed": "x",
    "names": ["a", "b"],
    "kinds": ["a", "a"],
    "party": {"name": "A", "born": date(1970, 1, 1)},
    "parties": [{"name": "A", "tags": ["t"]}, {"name": None, "tags": None}],
    "rates": [("x", Decimal("0.5"))],
    "either": "7",
    "free": '{"b":[1,1.50],"a":null}',
}


@pytest.fixture(scope="session")
def everything(contract_of: ContractOf) -> Contract:
    return contract_of(EVERYTHING)


@pytest.fixture(scope="session")
def answer() -> dict[str, Any]:
    text = json.dumps(ANSWER).replace(repr(ANSWER["price"]), PRICE).replace("[1, 1.5]", "[1, 1.50]")
    parsed: dict[str, Any] = json.loads(text, parse_float=Decimal)
    return parsed


def test_every_type_is_as_documented(everything: Contract) -> None:
    enum = pa.dictionary(pa.int32(), pa.string())
    expected = {
        "text": pa.string(),
        "day": pa.date32(),
        "moment": pa.timestamp("us", tz="UTC"),
        "hour": pa.time64("us"),
        "count": pa.int64(),
        "ratio": pa.float64(),
        "price": pa.decimal128(38, 2),
        "ok": pa.bool_(),
        "kind": enum,
        "fixed": pa.string(),
        "names": pa.list_(pa.string()),
        "kinds": pa.list_(enum),
        "party": pa.struct({"name": pa.string(), "born": pa.date32()}),
        "parties": pa.list_(pa.struct({"name": pa.string(), "tags": pa.list_(pa.string())})),
        "rates": pa.map_(pa.string(), pa.decimal128(38, 1)),
        "either": pa.string(),
        "free": pa.string(),
    }
    schema = build_arrow_schema(everything.columns)
    assert {field.name: field.type for field in schema} == expected
    assert all(field.nullable for field in schema)
    assert schema.field("text").metadata == {b"description": b"Any text"}
    assert schema.field("free").metadata == {b"content": b"json"}
    assert schema.field("count").metadata is None


def test_the_words_for_each_type_are_arrows_own(everything: Contract) -> None:
    said = dict(describe_columns(everything.columns))
    for name in ("text", "count", "ratio", "price", "ok", "hour"):
        arrow = build_arrow_schema(everything.columns).field(name).type
        assert said[name] == {"double": "float64"}.get(str(arrow), str(arrow))
    assert said["parties"] == "list<struct<name: string, tags: list<string>>>"
    assert said["rates"] == "map<string, decimal128(38, 1)>"
    assert said["free"] == "string (JSON)"


def test_each_value_is_converted_exactly(everything: Contract, answer: dict[str, Any]) -> None:
    assert to_arrow([answer], everything.columns).to_pylist() == [CONVERTED]


@pytest.mark.parametrize("rows", [[], [{}], [dict.fromkeys(EVERYTHING)]], ids=["none", "empty", "null"])
def test_the_schema_is_the_same_for_no_rows_and_no_values(everything: Contract, rows: list[dict[str, Any]]) -> None:
    batch = to_arrow(rows, everything.columns)
    assert batch.schema.equals(build_arrow_schema(everything.columns), check_metadata=True)
    assert batch.to_pylist() == [dict.fromkeys(EVERYTHING) for _ in rows]


@pytest.fixture(scope="session")
def parquet(everything: Contract, answer: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("tables") / "rows.parquet"
    pq.write_table(pa.Table.from_batches([to_arrow([answer, {}], everything.columns)]), path)
    return path


def test_pyarrow_reads_back_what_was_written(everything: Contract, parquet: Path) -> None:
    table = pq.read_table(parquet)
    assert table.schema.equals(build_arrow_schema(everything.columns))
    assert table.to_pylist() == [CONVERTED, dict.fromkeys(EVERYTHING)]


def test_pandas_opens_it_with_the_right_types(parquet: Path) -> None:
    frame = pd.read_parquet(parquet, dtype_backend="pyarrow")
    types = {name: str(kind) for name, kind in frame.dtypes.items()}
    assert types["day"] == "date32[day][pyarrow]"
    assert types["moment"] == "timestamp[us, tz=UTC][pyarrow]"
    assert types["price"] == "decimal128(38, 2)[pyarrow]"
    assert types["count"] == "int64[pyarrow]"
    assert frame["kind"].tolist()[0] == "lease"
    assert frame["price"][0] == Decimal(PRICE)
    plain = pd.read_parquet(parquet)
    assert str(plain["kind"].dtype) == "category"
    assert str(plain["moment"].dtype) == "datetime64[us, UTC]"
    assert plain["day"][0] == date(2024, 2, 29)
    assert list(plain["names"][0]) == ["a", "b"]


def test_duckdb_opens_it_with_the_right_types(parquet: Path) -> None:
    with duckdb.connect() as database:
        database.execute("SET TimeZone = 'UTC'")
        described = database.execute("DESCRIBE SELECT * FROM read_parquet(?)", [str(parquet)]).fetchall()
        types = {name: kind for name, kind, *_ in described}
        first = database.execute(
            "SELECT price, day, party.name, rates['x'], kind FROM read_parquet(?)", [str(parquet)]
        ).fetchone()
    assert types["day"] == "DATE"
    assert types["moment"] == "TIMESTAMP WITH TIME ZONE"
    assert types["hour"] == "TIME"
    assert types["price"] == "DECIMAL(38,2)"
    assert types["count"] == "BIGINT"
    assert types["ratio"] == "DOUBLE"
    assert types["kind"] == "VARCHAR"
    assert types["kinds"] == "VARCHAR[]"
    assert types["party"].upper().replace('"', "") == "STRUCT(NAME VARCHAR, BORN DATE)"
    assert types["rates"] == "MAP(VARCHAR, DECIMAL(38,1))"
    assert first == (Decimal(PRICE), date(2024, 2, 29), "A", Decimal("0.5"), "lease")


@pytest.mark.parametrize(
    ("schema", "words"),
    [
        ({"type": ["integer", "number"]}, "float64"),
        ({"anyOf": [{"type": "integer"}, {"type": "number"}, {"type": "null"}]}, "float64"),
        ({"anyOf": [{"enum": ["a", "b"]}, {"type": "string"}]}, "string"),
        ({"anyOf": [{"type": "string", "format": "date"}, {"type": "string"}]}, "string"),
        ({"anyOf": [{"type": "string", "format": "date"}, {"type": "null"}]}, "date32"),
        ({"type": ["array", "null"], "items": {"type": "integer"}}, "list<int64>"),
        ({"type": "array"}, "list<string (JSON)>"),
        ({"type": "array", "prefixItems": [{"type": "integer"}]}, "string (JSON)"),
        ({"type": "object"}, "string (JSON)"),
        ({"type": "object", "patternProperties": {"^a": {"type": "integer"}}}, "map<string, int64>"),
        (
            {"type": "object", "patternProperties": {"^a": {"type": "integer"}}, "additionalProperties": False},
            "map<string, int64>",
        ),
        ({"type": "object", "patternProperties": {"^a": {"type": "integer"}, "^b": {"type": "null"}}}, "string (JSON)"),
        ({"type": "null"}, "string (JSON)"),
        ({"enum": [1, 2]}, "int64"),
        ({"enum": [1, 2.5]}, "float64"),
        ({"enum": [True, None]}, "bool"),
        ({"enum": [1, "a"]}, "string (JSON)"),
        ({"const": 5}, "int64"),
        ({"type": "number", "multipleOf": 0.05}, "float64"),
        ({"type": "number", "multipleOf": 1e-10}, "decimal128(38, 10)"),
        ({"type": "integer", "multipleOf": 10}, "int64"),
        ({"type": "object", "properties": {"": {"type": "integer"}, "a": {"type": "integer"}}}, "string (JSON)"),
        (
            {"oneOf": [{"type": "object", "properties": {"a": {}}}, {"type": "object", "properties": {"b": {}}}]},
            "string (JSON)",
        ),
    ],
)
def test_the_type_of_a_column(contract_of: ContractOf, schema: dict[str, Any], words: str) -> None:
    assert contract_of({"a": schema}).columns[0].type_text == words


def obj(**properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties}


@pytest.mark.parametrize(
    ("branches", "words"),
    [
        ([{"type": "string", "format": "date"}, {"type": "string", "format": "date-time"}], "string"),
        ([{"enum": ["a", "b"]}, {"enum": ["c", "d"]}], "dictionary<int32, string>"),
        ([{"type": "integer"}, {"type": "number", "multipleOf": 0.01}], "decimal128(38, 2)"),
        ([{"type": "number", "multipleOf": 0.1}, {"type": "number", "multipleOf": 0.01}], "decimal128(38, 2)"),
        ([{"type": "number", "multipleOf": 0.1}, {"type": "number"}], "float64"),
        ([{"type": "array", "items": {"type": "integer"}}, {"type": "array", "items": TEXT}], "list<string (JSON)>"),
        ([obj(a=TEXT, b={"type": "integer"}), obj(b={"type": "number"}, a=TEXT)], "struct<a: string, b: float64>"),
        ([obj(a=TEXT), obj(a={"type": "boolean"}), {"type": "null"}], "struct<a: string (JSON)>"),
        ([obj(a=TEXT), obj(b=TEXT)], "string (JSON)"),
        ([obj(a=TEXT), TEXT], "string (JSON)"),
        ([{"type": "boolean"}, {"type": "integer"}], "string (JSON)"),
        ([{}, {"type": "integer"}], "string (JSON)"),
        ([{"type": "null"}], "string (JSON)"),
    ],
)
def test_what_a_union_joins_to(branches: list[dict[str, Any]], words: str) -> None:
    assert build_columns(obj(a={"anyOf": branches}))[0].type_text == words


def test_a_union_of_objects_has_the_columns_of_all() -> None:
    branches = [obj(kind={"enum": ["a"]}, n={"type": "integer"}), obj(kind={"enum": ["b", "c"]}, n=TEXT, more=TEXT)]
    union = {"anyOf": branches}
    assert has_columns(union)
    assert dict(describe_columns(build_columns(union))) == {
        "kind": "string",
        "n": "string (JSON)",
        "more": "string",
    }
    assert not has_columns({"anyOf": [*branches, {"type": "null"}]})
    assert not has_columns({"anyOf": [*branches, {"type": "object"}]})
    others: list[dict[str, Any]] = [{}, TEXT, {"type": "array"}, {"type": "object", "properties": {}}]
    assert not any(has_columns(other) for other in others)


def test_the_words_of_a_union_come_from_the_node_else_from_a_branch() -> None:
    branch = {"type": "array", "items": TEXT, "description": "inner", "x-merge": "concat", "x-key": ["a"]}
    plain = {"type": "array", "items": TEXT}
    inner, outer = build_columns(
        obj(inner={"anyOf": [plain, branch]}, outer={"anyOf": [branch, plain], "description": "outer"})
    )
    assert (inner.description, inner.merge, inner.key) == ("inner", "concat", ("a",))
    assert (outer.description, outer.merge, outer.key) == ("outer", "concat", ("a",))


def test_recursion_is_json() -> None:
    node = {**obj(name=TEXT, children={"type": "array", "items": obj(name=TEXT)}), "x-recursive": True}
    assert build_columns(obj(tree=node, trees={"type": "array", "items": node}))[1].type_text == "list<string (JSON)>"
    assert build_columns(obj(tree=node))[0].type_text == "string (JSON)"
    assert build_columns(obj(tree={"anyOf": [node, TEXT], "x-recursive": True}))[0].type_text == "string (JSON)"


def test_what_is_nested_too_deep_is_json_and_comes_back() -> None:
    node: dict[str, Any] = {"type": "integer"}
    value: Any = 7
    for level in range(40):
        node = {"type": "array", "items": node} if level % 2 else obj(a=node)
        value = [value] if level % 2 else {"a": value}
    columns = build_columns(obj(deep=node))
    assert columns[0].type_text.count("<") == MAX_LEVELS
    converted = convert_rows([{"deep": value}], columns)
    assert restore_row(converted.batch.to_pylist()[0], converted.extras[0], columns) == {"deep": value}
    assert converted.extras == [None]


def test_names_that_only_case_tells_apart() -> None:
    names = ("Total", "b", "total", "TOTAL", "straße", "STRASSE")
    columns = build_columns(obj(**dict.fromkeys(names, TEXT)))
    assert clashing_names(columns) == [("Total", "total", "TOTAL"), ("straße", "STRASSE")]
    assert clashing_names(build_columns(obj(a=TEXT, b=TEXT))) == []


HUGE = 10**400
LONG = Decimal("0.1234567890123456789012345678901")


@pytest.mark.parametrize(
    ("name", "value", "held"),
    [
        ("count", 2**63, None),
        ("count", -(2**63) - 1, None),
        ("count", Decimal("1.5"), None),
        ("count", Decimal("1e999999999"), None),
        ("count", True, None),
        ("ratio", HUGE, None),
        ("ratio", "1", None),
        ("ratio", True, None),
        ("ratio", 2**53 + 1, float(2**53)),
        ("ratio", LONG, float(LONG)),
        ("ratio", Decimal("1e400"), None),
        ("ratio", Decimal("1e-400"), 0.0),
        ("price", Decimal("0.005"), None),
        ("price", 10**37, None),
        ("price", Decimal("1e300"), None),
        ("price", "1", None),
        ("day", "2024-02-30", None),
        ("day", "0000-01-01", None),
        ("day", "20240229", date(2024, 2, 29)),
        ("day", 5, None),
        ("moment", "0001-01-01T00:00:00+10:00", None),
        ("moment", "9999-12-31T23:59:59-10:00", None),
        ("moment", "0000-12-31T23:59:59Z", None),
        ("moment", "2016-12-31T23:59:60Z", None),
        ("moment", "2024-01-01T10:00:00", datetime(2024, 1, 1, 10, tzinfo=UTC)),
        ("moment", "2024-01-01", datetime(2024, 1, 1, tzinfo=UTC)),
        ("moment", "2024-01-01 10:00:00Z", datetime(2024, 1, 1, 10, tzinfo=UTC)),
        ("moment", "2024-01-01T10:00:00.1234569Z", datetime(2024, 1, 1, 10, 0, 0, 123456, tzinfo=UTC)),
        ("moment", "2024-01-01T10:00:00+01:00:30", datetime(2024, 1, 1, 8, 59, 30, tzinfo=UTC)),
        ("hour", "25:00:00Z", None),
        ("hour", "23:59:60Z", None),
        ("hour", "10:00:00+02:00", time(8)),
        ("hour", "01:00:00+02:00", time(23)),
        ("hour", "10:00:00", time(10)),
        ("ok", 1, None),
        ("names", "a", None),
        ("party", [], None),
        ("rates", 1, None),
        ("kind", 7, None),
        ("text", "\ud800", None),
    ],
)
def test_what_has_no_exact_place_stands_beside_the_row(everything: Contract, name: str, value: Any, held: Any) -> None:
    row = convert_row({name: value}, everything.columns)
    assert row.values == {**dict.fromkeys(EVERYTHING), name: held}
    assert row.extra == {f"/{name}": value}


@pytest.mark.parametrize(
    ("row", "held", "extra"),
    [
        ({"names": ["a", 1]}, {"names": ["a", None]}, {"/names/1": 1}),
        ({"party": {"name": "A", "age": 5}}, {"party": {"name": "A", "born": None}}, {"/party/age": 5}),
        ({"party": {"a/b": {"~": 1}}}, {"party": {"name": None, "born": None}}, {"/party/a~1b": {"~": 1}}),
        ({"rates": {"x": "y", "z": 1}}, {"rates": [("x", None), ("z", Decimal("1.0"))]}, {"/rates/x": "y"}),
        ({"rates": {"\ud800": 1}}, {"rates": []}, {"/rates/\ud800": 1}),
        ({"more": 1, "": 2, "none": None}, {}, {"/more": 1, "/": 2}),
        ({"parties": [{"tags": ["t", 1], "x": 0}, 3]}, {"parties": [{"name": None, "tags": ["t", None]}, None]},
         {"/parties/0/x": 0, "/parties/0/tags/1": 1, "/parties/1": 3}),
    ],
)  # fmt: skip
def test_what_has_no_place_is_named_by_its_pointer(
    everything: Contract, row: dict[str, Any], held: dict[str, Any], extra: dict[str, Any]
) -> None:
    converted = convert_row(row, everything.columns)
    assert converted.values == {**dict.fromkeys(EVERYTHING), **held}
    assert converted.extra == extra


def test_the_text_of_what_has_no_place_is_exact_and_utf8(everything: Contract) -> None:
    rows: list[dict[str, Any]] = [{"ratio": LONG, "count": HUGE}, {}, {"text": "\udfff", "x": "é\0"}]
    converted = convert_rows(rows, everything.columns)
    assert converted.batch.num_rows == 3
    assert converted.extras == [
        f'{{"/count":{HUGE},"/ratio":{LONG}}}',
        None,
        '{"/x":"é\\u0000","/text":"\\udfff"}',
    ]


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("text", "", ""),
        ("text", "a\0b", "a\0b"),
        ("count", Decimal("7.0"), 7),
        ("count", Decimal("7e2"), 700),
        ("count", -(2**63), -(2**63)),
        ("ratio", Decimal("0.1"), 0.1),
        ("ratio", Decimal("1E+2"), 100.0),
        ("ratio", 1e308, 1e308),
        ("price", 5, Decimal("5.00")),
        ("price", 1.15, Decimal("1.15")),
        ("moment", "2024-01-01t10:00:00z", datetime(2024, 1, 1, 10, tzinfo=UTC)),
        ("moment", "2024-01-01T10:00:00.1234560Z", datetime(2024, 1, 1, 10, 0, 0, 123456, tzinfo=UTC)),
        ("hour", "10:00:00.25+00:00", time(10, 0, 0, 250000)),
        ("hour", "10:00:00z", time(10)),
        ("free", "text", '"text"'),
        ("free", Decimal("1.10"), "1.10"),
        ("free", [None], "[null]"),
        ("free", "\ud800", '"\\ud800"'),
        ("rates", {}, []),
        ("rates", {"": 1}, [("", Decimal("1.0"))]),
        ("names", [], []),
        ("names", [None], [None]),
        ("party", {}, {"name": None, "born": None}),
    ],
)
def test_odd_values_that_do_fit(everything: Contract, name: str, value: Any, expected: Any) -> None:
    row = convert_row({name: value}, everything.columns)
    assert row.values[name] == expected
    assert row.extra == {}


@settings(deadline=None)
@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
        max_leaves=8,
    )
)
def test_json_text_says_the_same(value: Any) -> None:
    read = json.loads(json.dumps(value), parse_float=Decimal)
    assert json.loads(write_json(read), parse_float=Decimal) == read
    shuffled = json.loads(json.dumps(value), parse_float=Decimal, object_pairs_hook=lambda pairs: dict(reversed(pairs)))
    assert canonical_json(shuffled) == canonical_json(read) == canonical_json(value)
    assert json.loads(canonical_json(value), parse_float=Decimal) == read


def test_json_text_keeps_order_and_digits() -> None:
    text = '{"b":[1.50,1E+2,-0.0,12345678901234567890.123456789012345678901234567890],"a":{"é\\n\\"":true,"":null}}'
    assert write_json(json.loads(text, parse_float=Decimal)) == text


def test_canonical_json_is_one_for_equal_values() -> None:
    assert canonical_json({"b": Decimal("1.0"), "a": "é"}) == canonical_json({"a": "é", "b": 1}) == '{"a":"é","b":1}'
    assert canonical_json([Decimal("1E+2"), 100.0, Decimal("-0.0"), Decimal("1.10")]) == "[100,100,0,1.1]"
    assert canonical_json(True) != canonical_json(1)
    assert canonical_json(LONG) != canonical_json(LONG + Decimal("1e-31"))
    assert canonical_json(Decimal("1e999999999")) == "1E+999999999"


def test_json_text_of_any_depth_is_written() -> None:
    deep: Any = 1
    for _ in range(5_000):
        deep = {"a": [deep]}
    assert canonical_json(deep) == write_json(deep) == '{"a":[' * 5_000 + "1" + "]}" * 5_000
