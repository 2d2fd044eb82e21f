"""Old drafts become 2020-12: what they accept stays the same, and what moved is still found."""

import json
from pathlib import Path
from typing import Any

import pytest

from pipeline.errors import SchemaError
from pipeline.schema.dialect import upgrade
from pipeline.schema.finding import Level
from pipeline.schema.load import load_contract
from pipeline.schema.validator import build_validator

DRAFT_4 = "http://json-schema.org/draft-04/schema#"
DRAFT_7 = "http://json-schema.org/draft-07/schema#"
DRAFT_2019 = "https://json-schema.org/draft/2019-09/schema"


@pytest.mark.parametrize(
    ("schema", "good", "bad"),
    [
        ({"$schema": DRAFT_4, "minimum": 3, "exclusiveMinimum": True}, [4], [3]),
        ({"$schema": DRAFT_4, "maximum": 3, "exclusiveMaximum": False}, [3], [4]),
        (
            {"$schema": DRAFT_4, "id": "http://a/b", "$ref": "#/definitions/x", "definitions": {"x": {"type": "null"}}},
            [None],
            [1],
        ),
        ({"$schema": DRAFT_7, "items": [{"type": "null"}], "additionalItems": False}, [[], [None]], [[1], [None, 1]]),
        ({"$schema": DRAFT_7, "items": {"type": "null"}, "additionalItems": False}, [[None, None]], [[1]]),
        (
            {"$schema": DRAFT_7, "dependencies": {"a": ["b"], "c": {"maxProperties": 1}}},
            [{"a": 1, "b": 1}],
            [{"a": 1}, {"c": 1, "b": 1}],
        ),
        ({"$schema": DRAFT_7, "allOf": [{"$ref": "#/items/1"}], "items": [{}, {"type": "array"}]}, [[]], [1]),
        (
            {
                "$schema": DRAFT_7,
                "items": {"$ref": "#/dependencies/a~1b", "maxLength": 1},
                "dependencies": {"a/b": {"type": "string"}},
            },
            [["long"]],
            [[1]],
        ),
        ({"$schema": DRAFT_7, "$ref": "#x", "definitions": {"x": {"$id": "#x", "type": "null"}}}, [None], [1]),
        (
            {"$schema": DRAFT_2019, "$recursiveAnchor": True, "items": {"$recursiveRef": "#"}, "type": "array"},
            [[[]]],
            [[1]],
        ),
        ({"$schema": DRAFT_2019, "items": {"$recursiveRef": "#"}, "type": "array"}, [[[]]], [[1]]),
        ({"items": [{"type": "null"}], "additionalItems": {"type": "integer"}}, [[None, 1]], [[None, None]]),
        (
            {"dependencies": {"a": ["b"]}, "dependentRequired": {"b": ["c"]}},
            [{"a": 1, "b": 1, "c": 1}],
            [{"a": 1}, {"b": 1}],
        ),
    ],
)
def test_an_old_schema_accepts_what_it_did(schema: dict[str, Any], good: list[Any], bad: list[Any]) -> None:
    validator = build_validator(json.dumps(schema))
    assert [value for value in good if not validator.is_valid(value)] == []
    assert [value for value in bad if validator.is_valid(value)] == []


def test_what_is_dropped_or_read_anew_is_told_at_its_old_place(tmp_path: Path) -> None:
    schema = {
        "$schema": DRAFT_7,
        "type": "object",
        "properties": {
            "a": {"$ref": "#/definitions/text", "maxLength": 3, "description": "A"},
            "b": {"type": "array", "items": [{"type": "string", "pattern": "(?=x)"}]},
        },
        "definitions": {"text": {"type": "string"}, "unused": {}},
    }
    (tmp_path / "old.json").write_text(json.dumps(schema))
    contract = load_contract(tmp_path / "old.json", 1000)
    found = {(f.pointer, f.keyword): f for f in contract.lint}
    assert found["/properties/a", "maxLength"].level is Level.REFUSED
    assert found["/properties/b/items/0", "pattern"].level is Level.VALIDATOR_ONLY
    assert found["/definitions/unused", "definitions"].level is Level.NOTE
    assert contract.columns[0].description == "A"
    assert contract.validator.is_valid({"a": "long enough"})


def test_an_old_keyword_in_a_new_schema_is_told() -> None:
    (told,) = upgrade({"properties": {"a": {"dependencies": {"b": ["c"]}}}}).findings
    assert (told.pointer, told.keyword) == ("/properties/a", "dependencies")


def test_unknown_drafts() -> None:
    (told,) = upgrade({"$schema": "https://example.com/mine"}).findings
    assert "read as 2020-12" in told.reason
    with pytest.raises(SchemaError, match="drafts 4, 6, 7"):
        upgrade({"$schema": "http://json-schema.org/draft-03/schema#"})


def test_what_is_no_schema_is_left_alone() -> None:
    schema = {
        "enum": [{"items": [1], "id": "x"}],
        "default": {"dependencies": {}},
        "x-note": {"items": "x"},
        "items": 5,
    }
    assert upgrade(schema).schema == schema
