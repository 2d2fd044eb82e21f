import json
from collections.abc import Callable
from typing import Any

import pytest

from pipeline.schema.finding import Finding, Level
from pipeline.schema.load import Contract

ContractOf = Callable[..., Contract]


def found(contract: Contract, pointer: str, keyword: str) -> Finding:
    (one,) = [f for f in contract.lint if f.pointer == pointer and f.keyword == keyword]
    return one


@pytest.mark.parametrize(
    ("schema", "keyword", "level"),
    [
        ({"type": "string", "maxLength": 3}, "maxLength", Level.ENFORCED),
        ({"type": "string", "pattern": "^a"}, "pattern", Level.ENFORCED),
        ({"type": "string", "pattern": "(?=a)"}, "pattern", Level.VALIDATOR_ONLY),
        ({"type": "string", "format": "date"}, "format", Level.ENFORCED),
        ({"type": "string", "format": "uri-reference"}, "format", Level.VALIDATOR_ONLY),
        ({"type": "string", "format": "colour-of-the-sky"}, "format", Level.REFUSED),
        ({"type": "array", "uniqueItems": True}, "uniqueItems", Level.VALIDATOR_ONLY),
        ({"type": "array", "contains": {"const": 1}}, "contains", Level.VALIDATOR_ONLY),
        ({"not": {"const": 1}}, "not", Level.VALIDATOR_ONLY),
        ({"oneOf": [{"type": "string"}, {"minLength": 1}]}, "oneOf", Level.VALIDATOR_ONLY),
        (
            {"type": "object", "properties": {"b": {}}, "dependentRequired": {"b": []}},
            "dependentRequired",
            Level.VALIDATOR_ONLY,
        ),
        ({"type": "object", "properties": {"b": {}}, "additionalProperties": True}, "additionalProperties", Level.NOTE),
        (
            {"type": "object", "properties": {"b": {}}, "additionalProperties": False},
            "additionalProperties",
            Level.ENFORCED,
        ),
        ({"type": "number", "multipleOf": 0.1, "minimum": 0}, "multipleOf", Level.ENFORCED),
        ({"type": "number", "multipleOf": 0.1}, "multipleOf", Level.ENFORCED),
        ({"type": "number", "multipleOf": 0.3}, "multipleOf", Level.ENFORCED),
        ({"type": "number", "multipleOf": 1e-25}, "multipleOf", Level.VALIDATOR_ONLY),
        ({"type": "object", "properties": {"b": {}}, "maxProperties": 1}, "maxProperties", Level.ENFORCED),
        (
            {"type": "object", "properties": {"b": {}, "c": {}}, "maxProperties": 1},
            "maxProperties",
            Level.VALIDATOR_ONLY,
        ),
        ({"type": "object", "properties": {"b": {}}, "minProperties": 1}, "minProperties", Level.VALIDATOR_ONLY),
        ({"type": "object", "minProperties": 1}, "minProperties", Level.ENFORCED),
        ({"type": "object", "minProperties": 2}, "minProperties", Level.VALIDATOR_ONLY),
        ({"type": "object", "propertyNames": {"pattern": "^a"}}, "propertyNames", Level.ENFORCED),
        ({"type": "object", "propertyNames": {"pattern": "^(?=a)"}}, "propertyNames", Level.VALIDATOR_ONLY),
        ({"type": "object", "patternProperties": {"^(?!a)": {}}}, "patternProperties", Level.VALIDATOR_ONLY),
        ({"type": "integer", "maxLength": 5}, "maxLength", Level.REFUSED),
        ({"type": "array", "minContains": 2}, "minContains", Level.REFUSED),
        ({"then": {"type": "string"}}, "then", Level.REFUSED),
        ({"type": "string", "dependencies": {"a": ["b"]}}, "dependentRequired", Level.REFUSED),
        ({"type": "object", "additionalProperties": {"const": 1}, "maxProperties": 1}, "maxProperties", Level.ENFORCED),
        ({"type": "string", "nullable": True}, "nullable", Level.REFUSED),
        ({"type": "string", "maxLenght": 5}, "maxLenght", Level.REFUSED),
    ],
)
def test_what_holds_a_keyword(contract_of: ContractOf, schema: dict[str, Any], keyword: str, level: Level) -> None:
    finding = found(contract_of({"a": schema}), "/properties/a", keyword)
    assert finding.level is level
    assert finding.reason


def test_what_the_lint_calls_enforced_the_grammar_enforces_and_nothing_is_both(
    contract_of: ContractOf, can_write: Callable[[str, str], bool]
) -> None:
    contract = contract_of({"a": {"type": "array", "items": {"type": "integer"}, "uniqueItems": True, "maxItems": 2}})
    assert can_write(contract.decoder_schema, '{"a": [1, 1]}')
    assert not contract.validator.is_valid({"a": [1, 1]})
    assert not can_write(contract.decoder_schema, '{"a": [1, 2, 3]}')
    levels = {f.keyword: f.level for f in contract.lint if f.pointer == "/properties/a"}
    assert levels["uniqueItems"] is Level.VALIDATOR_ONLY
    assert levels["maxItems"] is Level.ENFORCED


def test_descriptions_and_our_own_keywords_are_no_findings(contract_of: ContractOf) -> None:
    contract = contract_of(
        {"a": {"type": "null", "title": "T", "description": "D", "x-evidence": True, "default": None}}
    )
    assert [f.keyword for f in contract.lint if f.pointer == "/properties/a"] == ["type"]


def test_json_columns_are_listed_by_their_path(contract_of: ContractOf) -> None:
    contract = contract_of({"a": {"type": "array", "items": {"type": "object", "properties": {"free": {}}}}, "b": {}})
    said = [f.reason for f in contract.lint if f.keyword == "column"]
    assert [reason.split(" ")[0] for reason in said] == ["a.item.free", "b"]


def test_an_answer_that_may_be_cut_is_told(contract_of: ContractOf) -> None:
    def lengths(contract: Contract) -> list[str]:
        return [f.reason for f in contract.lint if f.keyword == "length"]

    bounded = {"a": {"type": "string", "maxLength": 100}}
    assert lengths(contract_of(bounded, 1000)) == []
    (told,) = lengths(contract_of(bounded, 300))
    assert "409 bytes" in told
    assert "max_tokens = 300" in told


def test_thin_shares_are_told_with_what_would_do(contract_of: ContractOf) -> None:
    schema = {name: {"type": "string"} for name in "abcdefgh"}
    (told,) = [f.reason for f in contract_of(schema, 512).lint if f.keyword == "length"]
    enough = int(told.split("max_tokens = ")[1].split(" ")[0].replace(",", ""))
    assert [f for f in contract_of(schema, enough).lint if f.keyword == "length"] == []


def test_pointers_lead_to_the_schema(contract_of: ContractOf) -> None:
    schema = {"type": "object", "properties": {"a/b": {"type": "array", "items": {"type": "string", "maxLength": 2}}}}
    contract = contract_of(schema)
    assert found(contract, "/properties/a~1b/items", "maxLength").level is Level.ENFORCED
    assert json.dumps(contract.schema) == json.dumps(schema)
