"""The first look never says yes where the validator says no, and says it of most answers that are valid."""

import json
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from pipeline.answers.citations import take_quotes
from pipeline.engines.synthetic_answers import build_answers
from pipeline.schema.load import Contract, load_contract
from pipeline.schema.quick import build_look
from pipeline.schema.validator import build_validator

TEXTS = st.sampled_from(["", "a", "ab", "abc", "2026-02-28", "2026-02-30", "x@y.org", "é\n", "1"])
NUMBERS = st.one_of(
    st.integers(-3, 12),
    st.sampled_from([Decimal("1.5"), Decimal("2.0"), Decimal("0.30"), Decimal("1E+1"), 10**30, Decimal("1.15")]),
)
VALUES = st.recursive(
    st.one_of(st.none(), st.booleans(), NUMBERS, TEXTS),
    lambda inside: st.lists(inside, max_size=3) | st.dictionaries(st.sampled_from(["a", "b", "c"]), inside, max_size=3),
    max_leaves=6,
)
SIZES = st.integers(0, 3)
BOUNDS = st.sampled_from([0, 1, 1.5, 2, 10])
TYPE_NAMES = st.sampled_from(["string", "integer", "number", "boolean", "null", "array", "object"])
KEYWORDS: dict[str, st.SearchStrategy[Any]] = {
    "type": TYPE_NAMES | st.lists(TYPE_NAMES, min_size=1, max_size=3, unique=True),
    "enum": st.lists(st.sampled_from([None, "a", "ab", 1, True, 2.0, [1], {"a": 1}]), min_size=1, max_size=3),
    "const": st.sampled_from([None, "a", 1, False, [], {"a": 2}]),
    "required": st.lists(st.sampled_from(["a", "b"]), max_size=2, unique=True),
    "pattern": st.sampled_from(["a", "^a$", "[0-9]{4}", "é"]),
    "format": st.sampled_from(["date", "email", "unknown"]),
    "uniqueItems": st.booleans(),
    "multipleOf": st.sampled_from([1, 2, 0.5, 0.01]),
    **dict.fromkeys(("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"), BOUNDS),
    **{f"{side}{of}": SIZES for side in ("min", "max") for of in ("Length", "Items", "Properties")},
    "title": TEXTS,
    "x-merge": TEXTS,
    "$ref": st.sampled_from(["#/$defs/text", "#/$defs/tree", "#/$defs/odd"]),
    "not": st.just({"type": "null"}),
    "contains": st.just({"type": "string"}),
}


def _nodes(inside: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    nested = {
        "properties": st.dictionaries(st.sampled_from(["a", "b"]), inside, max_size=2),
        "additionalProperties": inside,
        "items": inside,
        "anyOf": st.lists(inside, min_size=1, max_size=2),
        "allOf": st.lists(inside, min_size=1, max_size=2),
        "oneOf": st.lists(inside, min_size=1, max_size=2),
        "patternProperties": st.dictionaries(st.just("^a"), inside, min_size=1, max_size=1),
        "prefixItems": st.lists(inside, min_size=1, max_size=2),
        "if": inside,
        "then": inside,
    }
    return st.fixed_dictionaries({}, optional=KEYWORDS | nested)


SCHEMAS = st.recursive(st.booleans() | st.fixed_dictionaries({}, optional=KEYWORDS), _nodes, max_leaves=5)
DEFINITIONS = {
    "text": {"type": "string", "maxLength": 2},
    "tree": {"type": ["object", "null"], "properties": {"a": {"$ref": "#/$defs/tree"}}, "additionalProperties": False},
    "odd": {"$id": "https://example.org/odd", "type": "string"},
}


@settings(max_examples=600, deadline=None)
@given(SCHEMAS.map(lambda schema: {**schema, "$defs": DEFINITIONS} if isinstance(schema, dict) else schema), VALUES)
@example({"type": "integer"}, True)
@example({"enum": [1, True]}, Decimal("1.0"))
@example({"$ref": "#/$defs/tree", "$defs": DEFINITIONS}, {"a": {"a": {"b": None}}})
def test_a_yes_is_the_validators(schema: Any, value: Any) -> None:
    text = json.dumps(schema)
    if build_look(text)(value):
        assert build_validator(text).is_valid(value)


KNOWN = {name: KEYWORDS[name] for name in KEYWORDS if name not in ("enum", "const", "$ref", "not", "contains")}


@settings(max_examples=300, deadline=None)
@given(st.fixed_dictionaries({}, optional=KNOWN), VALUES)
def test_of_the_keywords_it_knows_it_says_what_the_validator_says(node: dict[str, Any], value: Any) -> None:
    text = json.dumps({"type": "object", "properties": {"a": node}, "required": ["a"], "additionalProperties": False})
    assert build_look(text)({"a": value}) is build_validator(text).is_valid({"a": value})


@pytest.mark.parametrize(
    "schema",
    [
        {"$ref": "#/$defs/absent"},
        {"$ref": "https://example.org/elsewhere"},
        {"$ref": "#/properties/a", "properties": {"a": {}}},
        {"$dynamicRef": "#a"},
        {"properties": {"a": {"$id": "https://example.org/a"}}},
        {"unevaluatedProperties": False},
        {"dependentRequired": {"a": ["b"]}},
        {"pattern": "("},
        {"items": False},
        False,
    ],
)
def test_what_it_does_not_know_it_leaves_to_the_validator(schema: Any) -> None:
    look = build_look(json.dumps(schema))
    values: list[Any] = [{}, {"a": 1}, [], "a", None]
    assert not any(map(look, values))


@pytest.mark.parametrize("path", sorted(Path("schemas").glob("*.json")), ids=lambda path: path.stem)
def test_answers_to_our_schemas_are_known_at_sight(path: Path) -> None:
    from random import Random

    contract = load_contract(path, 2000)
    draw = build_answers(contract.decoder_schema)
    answers = [json.loads(draw(Random(seed)), parse_float=Decimal) for seed in range(20)]
    counted = [{name: value for name, value in answer.items() if not name.startswith("_n_")} for answer in answers]
    bare: list[Any] = [take_quotes(answer, contract.asked)[0] for answer in counted]
    assert sum(map(contract.look, bare)) == sum(map(contract.validator.is_valid, bare)) > 0


def test_a_pydantic_like_schema_with_definitions_is_known(contract_of: Callable[..., Contract]) -> None:
    party = {"type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"]}
    schema = {
        "$id": "https://example.org/contract",
        "type": "object",
        "$defs": {"Party": party},
        "properties": {"parties": {"type": "array", "items": {"$ref": "#/$defs/Party"}}},
    }
    contract = contract_of(schema)
    assert contract.look({"parties": [{"name": "A"}]})
    assert not contract.look({"parties": [{}]})
