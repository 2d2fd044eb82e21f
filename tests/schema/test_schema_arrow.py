import json
import random
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

from pipeline.answers.validate import parse_answer
from pipeline.schema.arrow import build_arrow_schema, to_arrow
from pipeline.schema.columns import describe_columns
from pipeline.schema.load import Contract
from pipeline.schema.values import ConversionError, canonical_json, convert_row

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
    "free": '{"a":null,"b":[1,1.5]}',
}


@pytest.fixture(scope="session")
def everything(contract_of: ContractOf) -> Contract:
    return contract_of(EVERYTHING)


@pytest.fixture(scope="session")
def answer(everything: Contract) -> dict[str, Any]:
    parsed = parse_answer(json.dumps(ANSWER).replace(repr(ANSWER["price"]), PRICE), everything)
    assert isinstance(parsed, dict), parsed
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
        ({"anyOf": [{"type": "string", "format": "date"}, {"type": "string"}]}, "string (JSON)"),
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
        (
            {"oneOf": [{"type": "object", "properties": {"a": {}}}, {"type": "object", "properties": {"b": {}}}]},
            "string (JSON)",
        ),
    ],
)
def test_the_type_of_a_column(contract_of: ContractOf, schema: dict[str, Any], words: str) -> None:
    assert contract_of({"a": schema}).columns[0].type_text == words


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("count", 2**63, "at /count: found 9223372036854775808, expected int64 (more than 64 bits)"),
        ("count", Decimal("1.5"), "whole number"),
        ("count", True, "whole number"),
        ("ratio", 10**400, "float64"),
        ("ratio", "1", "not a number"),
        ("price", Decimal("0.005"), "more than 2 decimals"),
        ("price", 10**37, "decimal128(38, 2)"),
        ("price", Decimal("1e300"), "decimal128(38, 2)"),
        ("day", "2024-02-30", "at /day: found '2024-02-30', expected date32"),
        ("day", 5, "not a string"),
        ("moment", "0001-01-01T00:00:00+10:00", "timestamp[us, UTC]"),
        ("hour", "25:00:00Z", "time64[us]"),
        ("ok", 1, "not true or false"),
        ("names", "a", "list<string>"),
        ("names", ["a", 1], "at /names/1: found 1"),
        ("party", {"name": "A", "age": 5}, "at /party/age: found 5, expected nothing"),
        ("rates", {"x": "y"}, "at /rates/x: found 'y'"),
        ("extra", 1, "the schema names no such property"),
    ],
)
def test_what_does_not_fit_is_refused_with_its_place(
    everything: Contract, name: str, value: Any, sentence: str
) -> None:
    with pytest.raises(ConversionError) as caught:
        convert_row({name: value}, everything.columns)
    assert sentence in str(caught.value)
    assert len(str(caught.value)) < 300


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("count", Decimal("7.0"), 7),
        ("count", -(2**63), -(2**63)),
        ("price", 5, Decimal("5.00")),
        ("price", 1.15, Decimal("1.15")),
        ("moment", "2024-01-01T10:00:00", datetime(2024, 1, 1, 10, tzinfo=UTC)),
        ("moment", "2024-01-01t10:00:00z", datetime(2024, 1, 1, 10, tzinfo=UTC)),
        ("moment", "2024-01-01T10:00:00.1234569Z", datetime(2024, 1, 1, 10, 0, 0, 123456, tzinfo=UTC)),
        ("hour", "10:00:00+02:00", time(8)),
        ("hour", "01:00:00+02:00", time(23)),
        ("hour", "10:00:00", time(10)),
        ("free", "text", '"text"'),
        ("free", Decimal("1.10"), "1.1"),
        ("rates", {}, []),
    ],
)
def test_odd_values_that_do_fit(everything: Contract, name: str, value: Any, expected: Any) -> None:
    assert convert_row({name: value}, everything.columns)[name] == expected


@settings(deadline=None)
@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
        max_leaves=8,
    )
)
def test_canonical_json_says_the_same(value: Any) -> None:
    assert json.loads(canonical_json(value)) == value
    shuffled = json.loads(json.dumps(value), parse_float=Decimal, object_pairs_hook=lambda pairs: dict(reversed(pairs)))
    assert json.loads(canonical_json(shuffled)) == value


def test_canonical_json_is_one_for_equal_values() -> None:
    assert canonical_json({"b": Decimal("1.0"), "a": "é"}) == canonical_json({"a": "é", "b": 1}) == '{"a":"é","b":1}'
    assert canonical_json(True) != canonical_json(1)


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 2**32), n_rows=st.integers(1, 3))
def test_whatever_the_grammar_writes_survives_parquet(
    contract_of: ContractOf, write_at_random: Callable[[str, random.Random, int], bytes], seed: int, n_rows: int
) -> None:
    chance = random.Random(seed)
    names = chance.sample([name for name in EVERYTHING if name != "ratio"], 4)
    small = {name: json.loads(json.dumps(EVERYTHING[name]), object_hook=_small) for name in names}
    contract = contract_of(small)
    texts = [write_at_random(contract.decoder_schema, chance, 50_000).decode() for _ in range(n_rows)]
    rows = [row for row in (parse_answer(text, contract) for text in texts) if isinstance(row, dict)]
    batch = to_arrow(rows, contract.columns)
    sink = pa.BufferOutputStream()
    pq.write_table(pa.Table.from_batches([batch]), sink)
    table = pq.read_table(pa.BufferReader(sink.getvalue()))
    assert table.schema.equals(build_arrow_schema(contract.columns))
    assert table.to_pylist() == batch.to_pylist()
    for row, read in zip(rows, table.to_pylist(), strict=True):
        assert {name for name, value in read.items() if value is not None} == {
            n for n, v in row.items() if v is not None
        }


def _small(node: dict[str, Any]) -> dict[str, Any]:
    limits = {"string": {"maxLength": 32}, "array": {"maxItems": 2}, "object": {"maxProperties": 4}}
    kinds = node.get("type", ())
    return {
        **node,
        **{k: v for kind in ([kinds] if isinstance(kinds, str) else kinds) for k, v in limits.get(kind, {}).items()},
    }
