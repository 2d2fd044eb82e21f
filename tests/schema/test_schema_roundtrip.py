"""Whatever a schema accepts goes through Arrow and a Parquet file, and comes back equal."""

import json
import random
from collections import Counter
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis_jsonschema import from_schema

from pipeline.errors import SchemaError
from pipeline.schema.arrow import build_arrow_schema, convert_rows
from pipeline.schema.columns import Column, Kind, build_columns, has_columns
from pipeline.schema.json_text import JSON, canonical_json
from pipeline.schema.load import Contract
from pipeline.schema.normal import build_normal
from pipeline.schema.parse import parse_schema
from pipeline.schema.references import References
from pipeline.schema.restore import restore_row

Row = dict[str, Any]


def through_parquet(rows: list[Row], columns: tuple[Column, ...]) -> tuple[pa.Schema, list[Row]]:
    """The file's Arrow schema without `_extra`, and the rows that are restored from it."""
    converted = convert_rows(rows, columns)
    extras = pa.array(converted.extras, pa.string())
    table = pa.Table.from_batches([converted.batch]).append_column("_extra", extras)
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink)
    read = pq.read_table(pa.BufferReader(sink.getvalue()))
    restored = [restore_row(row, row["_extra"], columns) for row in read.to_pylist()]
    return read.schema.remove(len(columns)), restored


def in_one_form(value: JSON, column: Column | None) -> JSON:
    """What equal values share: date-times as instants, no properties that are null; the rest is canonical_json's."""
    match value, column:
        case dict(), Column(kind=Kind.STRUCT, children=fields):
            return without_nulls(value, fields)
        case dict(), Column(kind=Kind.MAP, children=(part,)):
            return {name: in_one_form(entry, part) for name, entry in value.items()}
        case list(), Column(kind=Kind.LIST, children=(part,)):
            return [in_one_form(item, part) for item in value]
        case str(), Column(kind=Kind.TIMESTAMP):
            return instant(value)
        case str(), Column(kind=Kind.TIME):
            return instant(f"2000-01-02T{value}")
    return value


def without_nulls(value: dict[str, Any], fields: Iterable[Column]) -> dict[str, Any]:
    by_name = {field.name: field for field in fields}
    return {name: in_one_form(part, by_name.get(name)) for name, part in value.items() if part is not None}


def instant(text: str) -> str:
    """A date-time in UTC, with all digits of its second; what Python does not read stays as it is."""
    digits = text.upper().partition(".")[2].rstrip("Z").partition("+")[0].partition("-")[0].rstrip("0")
    try:
        return f"{datetime.fromisoformat(text.upper()).astimezone(UTC).replace(microsecond=0)}.{digits}"
    except (ValueError, OverflowError):
        return text


def assert_round_trip(rows: list[Row], columns: tuple[Column, ...]) -> None:
    schema, restored = through_parquet(rows, columns)
    assert schema.equals(build_arrow_schema(columns))
    assert len(restored) == len(rows)
    for row, back in zip(rows, restored, strict=True):
        wanted = canonical_json(without_nulls(row, columns))
        assert canonical_json(without_nulls(back, columns)) == wanted


def assert_one_schema(rows: list[Row], columns: tuple[Column, ...]) -> None:
    """Files of no rows, of nulls alone, and of these rows have the same Arrow schema, descriptions included."""
    files = [through_parquet(some, columns)[0] for some in ([], [dict.fromkeys(c.name for c in columns)], rows)]
    assert all(file.equals(files[0], check_metadata=True) for file in files)
    assert files[0].names == [column.name for column in columns]


def test_what_the_comparison_tells_apart() -> None:
    columns = build_columns(
        {
            "properties": {
                "moment": {"type": "string", "format": "date-time"},
                "text": {"type": "string"},
                "free": {},
            }
        }
    )

    def form(**row: Any) -> str:
        return canonical_json(without_nulls(row, columns))

    noon = form(moment="2024-01-01T12:00:00Z")
    assert noon == form(moment="2024-01-01t13:00:00.000+01:00", text=None)
    assert noon != form(moment="2024-01-01T12:00:00.0000001Z") != form(moment="2024-01-01T12:00:00.0000002Z")
    assert form(text="2024-01-01T12:00:00Z") != form(text="2024-01-01T13:00:00+01:00")
    assert form(free={"a": None}) != form(free={})
    assert form(free=1) != form(free=True)


@pytest.mark.parametrize("name", ["a/b", "~", "~1", "~0", "~01", "/", "", "0", "é"])
def test_pointers_lead_back_to_any_name(name: str) -> None:
    columns = build_columns(
        {
            "properties": {
                "list": {"type": "array", "items": {"type": "object", "properties": {"a": {}}}},
                "map": {"type": "object", "additionalProperties": {"type": "integer"}},
            }
        }
    )
    row: Row = {name: 2**70, "list": [None, {name: [1]}], "map": {name: 2**70, "a": 1}}
    converted = convert_rows([row], columns)
    (held,) = converted.batch.to_pylist()
    assert restore_row(held, converted.extras[0], columns) == row


@pytest.mark.corpus
def test_every_valid_instance_of_real_schemas(corpus: Path) -> None:
    counts: Counter[str] = Counter()
    for file in sorted((corpus / "jsonschemabench" / "maskbench" / "data").glob("*.json")):
        text = file.read_text()
        try:
            answer = build_normal(References(parse_schema(json.dumps(json.loads(text)["schema"]))[1].schema)).node
        except SchemaError:
            counts["refused"] += 1
            continue
        wrapped = not has_columns(answer)
        columns = build_columns({"properties": {"value": answer}} if wrapped else answer)
        valid = [test["data"] for test in json.loads(text, parse_float=Decimal)["tests"] if test["valid"]]
        rows = [{"value": data} if wrapped else data for data in valid]
        assert_round_trip(rows, columns)
        assert_one_schema(rows, columns)
        counts["instances"] += len(rows)
    assert counts["refused"] <= 5, counts
    assert counts["instances"] >= 470, counts


NAMES = st.sampled_from(["a", "b", "c d", "A", "é.x", "/", "~", "_x"])
NOTES = st.fixed_dictionaries({}, optional={"description": st.text(st.characters(codec="utf-8"), max_size=5)})
FORMATS = st.sampled_from(["date", "date-time", "time", "email", "uuid"])
SCALARS = st.one_of(
    st.just({"type": "string"}),
    FORMATS.map(lambda name: {"type": "string", "format": name}),
    st.sampled_from([{"type": "integer"}, {"type": "integer", "minimum": 2**62}]),
    st.sampled_from([{"type": "number"}, {"type": "number", "minimum": 0, "maximum": 1}]),
    st.sampled_from([0.5, 0.25, 3]).map(lambda step: {"type": "number", "multipleOf": step}),
    st.sampled_from([["x", "y"], ["x", None], [1, 2.5], [1, "x"], [True], [{"k": [1]}], [None]]).map(
        lambda values: {"enum": values}
    ),
    st.sampled_from([{"type": "boolean"}, {"type": "null"}, {"const": "z"}, {}]),
    st.sampled_from([{"type": ["integer", "null"]}, {"type": ["string", "number"]}]),
)


def containers(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    objects = st.builds(
        lambda parts, required, more: {
            "type": "object",
            "properties": parts,
            "required": [name for name in parts if name in required],
            **more,
        },
        st.dictionaries(NAMES, inner, min_size=1, max_size=3),
        st.lists(NAMES, max_size=2),
        st.sampled_from([{"additionalProperties": False}, {}, {"additionalProperties": {"type": "integer"}}]),
    )
    return st.one_of(
        objects,
        inner.map(lambda item: {"type": "array", "items": item, "maxItems": 3}),
        inner.map(lambda value: {"type": "object", "additionalProperties": value, "maxProperties": 3}),
        st.lists(inner, min_size=1, max_size=3).map(lambda branches: {"anyOf": branches}),
        st.lists(inner, min_size=1, max_size=2).map(
            lambda items: {"type": "array", "prefixItems": items, "items": False}
        ),
    )


NODES = st.builds(lambda node, notes: {**node, **notes}, st.recursive(SCALARS, containers, max_leaves=6), NOTES)


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    data=st.data(),
    nodes=st.dictionaries(NAMES, NODES, min_size=1, max_size=3),
    extra=st.booleans(),
    seed=st.integers(0, 99),
)
def test_random_instances_of_random_schemas(
    contract_of: Callable[..., Contract],
    write_at_random: Callable[[str, random.Random, int], bytes],
    data: st.DataObject,
    nodes: dict[str, Any],
    extra: bool,
    seed: int,
) -> None:
    """Also the answers of a model without sense, which writes whatever the decoder form lets it."""
    schema = {"type": "object", "properties": nodes, "additionalProperties": extra}
    contract = contract_of(schema, 256)
    texts = [json.dumps(row) for row in data.draw(st.lists(from_schema(_draft7(schema)), max_size=3))]
    texts.append(write_at_random(contract.decoder_schema, random.Random(seed), 10_000).decode())
    rows = [json.loads(text, parse_float=Decimal) for text in texts]
    assert_round_trip(rows, contract.columns)
    assert_one_schema(rows, contract.columns)


def _draft7(schema: dict[str, Any]) -> dict[str, Any]:
    """The same for hypothesis-jsonschema, which knows no `prefixItems`."""
    text = json.dumps(schema).replace('"items": false', '"additionalItems": false').replace('"prefixItems"', '"items"')
    found: dict[str, Any] = {"$schema": "http://json-schema.org/draft-07/schema#", **json.loads(text)}
    return found


ANY_JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.decimals(allow_nan=False, allow_infinity=False)
    | st.text(st.characters())
    | st.sampled_from(["2024-01-01", "2024-01-01T25:00:00Z", "2016-12-31T23:59:60Z", "10:00:00+02:00", "\ud800"]),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(st.characters(), max_size=3), inner, max_size=3)
    ),
    max_leaves=8,
)


@settings(max_examples=150, deadline=None)
@given(data=st.data(), nodes=st.dictionaries(NAMES, NODES, min_size=1, max_size=3))
def test_any_json_at_all_comes_back(data: st.DataObject, nodes: dict[str, Any]) -> None:
    """Also what no schema would accept: no row is lost because one rule was left to the validator."""
    columns = build_columns({"type": "object", "properties": nodes})
    names = st.sampled_from(sorted(nodes)) | st.text(st.characters(), max_size=2)
    rows = data.draw(st.lists(st.dictionaries(names, ANY_JSON, max_size=4), max_size=3))
    assert_round_trip(rows, columns)
