import json
import subprocess
import sys
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from pipeline.errors import SchemaError
from pipeline.schema.decoder import build_decoder_schema
from pipeline.schema.finding import Level
from pipeline.schema.load import Contract, load_contract

PARTY = {"type": "object", "properties": {"name": {"type": "string"}, "born": {"type": "string", "format": "date"}}}


def load_text(folder: Path, text: str | bytes) -> Contract:
    path = folder / "lease.json"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return load_contract(path, 1000)


def test_a_contract_has_all_its_parts(tmp_path: Path) -> None:
    contract = load_text(
        tmp_path, '{"type": "object", "properties": {"b": {"type": "string"}, "a": {"type": "integer"}}}'
    )
    assert contract.name == "lease"
    assert [column.name for column in contract.columns] == ["b", "a"]
    assert list(json.loads(contract.decoder_schema)["properties"]) == ["b", "a"]
    assert contract.max_tokens == 1000
    assert contract.validator.is_valid({"b": "x", "a": 1})


def test_a_byte_order_mark_is_no_harm(tmp_path: Path) -> None:
    assert load_text(tmp_path, b'\xef\xbb\xbf{"type": "object", "properties": {"a": {"type": "string"}}}').columns


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "not JSON: line 1 column 1"),
        ('{"type": "object",\n "properties": }', "not JSON: line 2 column 16"),
        ('{"type": "object"', "not JSON: line 1"),
        ("[]", "found list at the top"),
        (b"\xff\xfe{}", "not UTF-8 at byte 0"),
        ('{"a": NaN}', "NaN is not JSON"),
        ('{"type": "object", "type": "object"}', "'type' stands twice"),
        ("[" * 100_000, "nested too deeply"),
        ('{"type": "objekt"}', "at /type: not valid JSON Schema"),
        ('{"type": "object", "properties": {"a": {"pattern": "a{99999999999}"}}}', "a pattern cannot be searched for"),
        (
            '{"type": "object", "properties": {"a": {"pattern": "("}}}',
            "at /properties/a/pattern: not valid JSON Schema",
        ),
        ('{"type": "object", "properties": {"a": {"maxLength": -1}}}', "at /properties/a/maxLength: not valid"),
        ('{"type": "object", "properties": {"a": {"multipleOf": 1e999}}}', "1e999 is beyond the range of a double"),
        ('{"type": "object", "properties": {"\\ud800": {}}}', "surrogates not allowed"),
        ('{"type": "object", "properties": {"a": {"const": ' + "9" * 5000 + "}}}", "Exceeds the limit"),
    ],
)
def test_a_wrong_file_is_told_in_a_sentence(tmp_path: Path, text: str | bytes, sentence: str) -> None:
    with pytest.raises(SchemaError) as caught:
        load_text(tmp_path, text)
    assert str(caught.value).startswith(f"schema {tmp_path / 'lease.json'}: ")
    assert sentence in str(caught.value)


def test_a_missing_file_and_a_folder(tmp_path: Path) -> None:
    with pytest.raises(SchemaError, match="cannot be read"):
        load_contract(tmp_path / "absent.json", 100)
    with pytest.raises(SchemaError, match="cannot be read"):
        load_contract(tmp_path, 100)


@pytest.mark.parametrize(
    ("properties", "sentence"),
    [
        ({"a": {"$ref": "https://example.com/a.json"}}, "at /properties/a/$ref: found 'https://example.com/a.json'"),
        ({"a": {"$ref": "other.json#/a"}}, "only references inside the file"),
        ({"a": {"$ref": "#/$defs/none"}}, "leads to no schema"),
        ({"a": {"$ref": "#/properties/a"}}, "at /properties/a: it refers to itself for the same value"),
        ({"a": {"not": {"$ref": "#/properties/a"}}}, "it refers to itself for the same value"),
        ({"a": {"type": "string", "minLength": 5, "maxLength": 2}}, "minLength is 5 and maxLength is 2"),
        ({"a": {"type": "integer", "minimum": 5, "maximum": 2}}, "at /properties/a: minimum is 5"),
        ({"a": {"$ref": "#/properties/b/x-note"}, "b": {"x-note": {"items": 5}}}, "it is no valid schema"),
        ({f"p{i}": {"type": "string"} for i in range(1100)}, "more than 1,000 parts at its top level"),
        ({"a": {"type": "string", "x-merge": "sum"}}, "at /properties/a: x-merge 'sum' is not for string"),
        (
            {"a": {"type": "string", "x-merge": "most"}},
            "at /properties/a/x-merge: found 'most', expected one of: first",
        ),
        ({"a": {"type": "string", "x-merge": ["sum"]}}, "at /properties/a/x-merge: found ['sum']"),
        (
            {"a": {"type": "array", "items": PARTY, "x-key": ["vat"]}},
            "x-key names 'vat', and the items have only: name",
        ),
        ({"a": {"type": "array", "items": PARTY, "x-key": "name"}}, "at /properties/a/x-key: found 'name'"),
        ({"a": {**PARTY, "x-key": ["name"]}}, "at /properties/a: x-key is for lists of objects"),
        (
            {"a": {"type": "object", "properties": {"b": {"type": "string", "x-merge": "reduce"}}}},
            "at /properties/a/properties/b: x-merge 'reduce' is for properties of the top level",
        ),
        ({"a": {"type": "string", "x-merge": None}}, "at /properties/a/x-merge: found None, expected one of"),
        ({"a": {"type": "array", "items": {}, "x-key": None}}, "at /properties/a/x-key: found None, expected a list"),
        ({"a": {"type": "array", "items": {}, "x-count-first": None}}, "x-count-first: found None, expected true"),
        ({"a": {"type": "integer", "x-count-first": True}}, "x-count-first is for lists"),
        ({"a": {"type": "array", "items": {}, "x-count-first": 1}}, "at /properties/a/x-count-first: found 1,"),
        ({"a": {"type": "array", "items": {}, "x-count-first": 1.5}}, "at /properties/a/x-count-first: found 1.5"),
        (
            {"_n_a": {"type": "integer"}, "a": {"type": "array", "items": {"type": "string"}, "x-count-first": True}},
            "at /properties/_n_a: the model writes the count of 'a'",
        ),
    ],
)
def test_what_cannot_be_done_is_refused_with_its_place(
    contract_of: Callable[..., Contract], properties: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(SchemaError) as caught:
        contract_of(properties)
    assert sentence in str(caught.value)


@pytest.mark.parametrize(
    ("schema", "sentence"),
    [
        ({"allOf": [{"type": "string"}, {"type": "integer"}]}, "type string and of type integer"),
        ({"type": "array", "minItems": 10_001}, "at /: minItems is 10,001, and at most 10,000 are written"),
        ({"type": "string", "minLength": 10**7}, "minLength is 10,000,000, and at most 1,000,000 are written"),
        ({"type": "string", "enum": ["x"], "format": "date"}, "no value of its enum or const fits"),
        ({"type": "string", "enum": [1]}, "no value of its enum or const fits"),
        ({"type": "array", "items": {"enum": []}, "minItems": 1}, "at /items/enum: the list is empty"),
        ({**PARTY, "required": ["vat"], "additionalProperties": False}, "'required' names 'vat', which"),
        ({"type": "array", "items": False, "minItems": 1}, "at /items: the schema is false"),
        ({"type": "array", "prefixItems": [{}], "items": False, "minItems": 2}, "only 1 items are possible"),
        ({"type": "object", "additionalProperties": False, "minProperties": 1}, "no property is allowed"),
        ({"type": "integer", "minimum": 0.2, "exclusiveMaximum": 1}, "no number fits"),
        ({"type": "integer", "minimum": 1, "maximum": 5, "multipleOf": 7}, "no number fits"),
        ({"allOf": [{"type": "string", "minLength": 3}, {"maxLength": 2}]}, "minLength is 3 and maxLength is 2"),
        (
            {"properties": {"next": {"$ref": "#"}}, "type": "object", "required": ["next"]},
            "'#' refers to itself without an end",
        ),
    ],
)
def test_a_schema_that_no_answer_can_satisfy_is_refused(tmp_path: Path, schema: dict[str, Any], sentence: str) -> None:
    with pytest.raises(SchemaError, match="no answer can satisfy it: ") as caught:
        load_text(tmp_path, json.dumps(schema))
    assert sentence in str(caught.value)


def test_a_tree_is_written_to_three_levels(tmp_path: Path, can_write: Callable[[str, str], bool]) -> None:
    tree = {
        "type": "object",
        "properties": {"name": {"enum": ["n"]}, "parts": {"type": "array", "items": {"$ref": "#"}}},
        "required": ["name"],
    }
    contract = load_text(tmp_path, json.dumps(tree))
    assert [(c.name, c.type_text) for c in contract.columns] == [("name", "string"), ("parts", "list<string (JSON)>")]
    inner = '{"name": "n"}'
    for _ in range(2):
        inner = f'{{"name": "n", "parts": [{inner}]}}'
        assert can_write(contract.decoder_schema, inner)
    deeper = f'{{"name": "n", "parts": [{inner}]}}'
    assert not can_write(contract.decoder_schema, deeper)
    assert contract.validator.is_valid(json.loads(deeper))
    (told,) = [f for f in contract.lint if f.keyword == "$ref" and f.level is Level.NOTE]
    assert told.pointer == "/properties/parts/items"
    assert "3 levels" in told.reason


def test_a_definition_that_calls_itself_is_a_json_column(contract_of: Callable[..., Contract]) -> None:
    node = {"type": "object", "properties": {"next": {"anyOf": [{"$ref": "#/$defs/node"}, {"type": "null"}]}}}
    contract = contract_of({"type": "object", "properties": {"n": {"$ref": "#/$defs/node"}}, "$defs": {"node": node}})
    assert contract.normal["properties"]["n"]["x-recursive"] is True
    assert contract.columns[0].type_text == "string (JSON)"


def test_what_multiplies_is_cut_to_any_value(contract_of: Callable[..., Contract]) -> None:
    wide = {
        f"d{i}": {"type": "object", "properties": {f"{n}": {"$ref": f"#/$defs/d{i + 1}"} for n in range(40)}}
        for i in range(9)
    }
    contract = contract_of(
        {"type": "object", "properties": {"a": {"$ref": "#/$defs/d0"}}, "$defs": {**wide, "d9": {"type": "null"}}}
    )
    assert contract.normal["properties"]["a"]["properties"]["0"] == {}
    levels = {f.pointer: f.level for f in contract.lint if f.keyword == "type"}
    assert levels["/$defs/d0"] is Level.ENFORCED
    assert levels["/$defs/d9"] is Level.VALIDATOR_ONLY


def test_unions_that_multiply_are_left_to_the_validator(contract_of: Callable[..., Contract]) -> None:
    parts = [{"anyOf": [{"required": [name], "minProperties": i} for name in "abcdefgh"]} for i in range(3)]
    contract = contract_of(
        {"a": {"type": "object", "properties": {name: {"type": "null"} for name in "abcdefgh"}, "allOf": parts}}
    )
    left = [f for f in contract.lint if f.level is Level.VALIDATOR_ONLY and "multiplies" in f.reason]
    assert left


def test_deep_nesting_is_any_value_below(contract_of: Callable[..., Contract]) -> None:
    schema: dict[str, Any] = {"type": "string"}
    for _ in range(70):
        schema = {"type": "array", "items": schema}
    contract = contract_of({"a": schema})
    assert any("too deep" in f.reason for f in contract.lint)


def test_parts_that_contradict_each_other_are_left_to_the_validator(contract_of: Callable[..., Contract]) -> None:
    contract = contract_of({"a": {"type": "string", "allOf": [{"pattern": "^a"}, {"pattern": "b$"}]}})
    levels = {f.pointer: f.level for f in contract.lint if f.keyword == "pattern"}
    assert levels == {"/properties/a/allOf/0": Level.ENFORCED, "/properties/a/allOf/1": Level.VALIDATOR_ONLY}


def test_required_names_are_declared(contract_of: Callable[..., Contract]) -> None:
    contract = contract_of({"a": {"type": "object", "properties": {"b": {"type": "null"}}, "required": ["c"]}})
    assert contract.normal["properties"]["a"]["properties"] == {"b": {"type": "null"}, "c": {}}
    assert any("names 'c'" in f.reason for f in contract.lint)


def test_a_union_of_required_names_keeps_the_properties(contract_of: Callable[..., Contract]) -> None:
    names = {"a": {"type": "string"}, "b": {"type": "integer"}}
    contract = contract_of({"type": "object", "properties": names, "anyOf": [{"required": ["a"]}, {"required": ["b"]}]})
    assert not contract.is_wrapped
    assert [column.type_text for column in contract.columns] == ["string", "int64"]


def test_properties_that_only_a_condition_names_can_be_written(contract_of: Callable[..., Contract]) -> None:
    contract = contract_of(
        {
            "type": "object",
            "properties": {"kind": {"enum": ["x", "y"]}},
            "if": {"properties": {"kind": {"const": "x"}}},
            "then": {"properties": {"size": {"type": "integer"}}, "required": ["size"]},
        }
    )
    assert [column.type_text for column in contract.columns] == ["dictionary<int32, string>", "int64"]
    assert not contract.validator.is_valid({"kind": "x"})


def test_references_inline_and_keywords_beside_them_hold(contract_of: Callable[..., Contract]) -> None:
    contract = contract_of(
        {
            "type": "object",
            "properties": {"buyer": {"$ref": "#/$defs/party", "description": "Who buys", "required": ["name"]}},
            "$defs": {"party": PARTY},
        }
    )
    buyer = json.loads(contract.decoder_schema)["properties"]["buyer"]
    assert buyer["required"] == ["name"]
    assert list(buyer["properties"]) == ["name", "born"]
    assert contract.columns[0].description == "Who buys"
    assert contract.columns[0].type_text == "struct<name: string, born: date32>"


def test_all_of_becomes_one_object(contract_of: Callable[..., Contract]) -> None:
    parts = [PARTY, {"properties": {"name": {"maxLength": 9}, "vat": {"type": "integer"}}, "required": ["vat"]}]
    contract = contract_of({"type": "object", "allOf": parts})
    decoder = json.loads(contract.decoder_schema)
    assert decoder["properties"]["name"] == {"type": "string", "maxLength": 9}
    assert decoder["required"] == ["vat"]
    assert [column.name for column in contract.columns] == ["name", "born", "vat"]


def test_loading_a_contract_loads_no_model_library_and_no_arrow() -> None:
    heavy = "[name for name in ('torch', 'vllm', 'pyarrow', 'numpy', 'pandas', 'transformers') if name in sys.modules]"
    code = f"import sys, pipeline.schema.load; print({heavy})"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout == "[]\n"


@pytest.mark.parametrize(
    "text",
    [
        '{"type": "object"}',
        '{"type": "array", "items": {}}',
        "{}",
        '{"const": 1}',
        '{"type": ["object", "null"], "properties": {"a": {}}}',
    ],
)
def test_an_answer_that_is_no_object_with_properties_is_one_column(tmp_path: Path, text: str) -> None:
    contract = load_text(tmp_path, text)
    assert contract.is_wrapped
    assert [column.name for column in contract.columns] == ["value"]
    bare = contract.normal["properties"]["value"]
    assert contract.decoder_for(7) == build_decoder_schema(bare, 7)


def test_names_with_an_underscore_are_columns(tmp_path: Path) -> None:
    contract = load_text(tmp_path, '{"type": "object", "properties": {"_id": {"type": "integer"}}}')
    assert [column.name for column in contract.columns] == ["_id"]


@pytest.mark.parametrize(
    ("node", "left"),
    [
        ({"enum": [1.15, 1.155], "multipleOf": 0.01}, [1.15]),
        ({"enum": ["2024-02-29", "2023-02-29"], "format": "date"}, ["2024-02-29"]),
        ({"enum": [1.0, 1.5, True], "type": "integer"}, [1.0]),
    ],
)
def test_an_enum_keeps_what_the_validator_accepts(
    contract_of: Callable[..., Contract], node: dict[str, Any], left: list[Any]
) -> None:
    """Steps are exact and formats hold, as they do afterwards."""
    contract = contract_of({"a": node})
    assert contract.normal["properties"]["a"]["enum"] == left
    values = json.loads(json.dumps(node["enum"]), parse_float=Decimal)
    assert [json.dumps(value, default=float) for value in values if contract.validator.is_valid({"a": value})] == [
        json.dumps(value) for value in left
    ]


@pytest.mark.parametrize("name", ["hostname", "email"])
def test_names_are_never_longer_than_the_validator_takes(contract_of: Callable[..., Contract], name: str) -> None:
    contract = contract_of({"own": {"type": "string", "format": name, "maxLength": 999}, "a": {"format": name}}, 9000)
    nodes = json.loads(contract.decoder_schema)["properties"]
    assert {node["maxLength"] for node in nodes.values()} == {253 if name == "hostname" else 254}
    thin = json.loads(contract_of({"a": {"format": name}}, 64).decoder_schema)["properties"]["a"]
    assert thin["maxLength"] < 64
    assert thin["x-share"] is True


@pytest.mark.parametrize("note", ["x-merge", "x-key"])
def test_an_annotation_of_the_whole_answer_is_refused_unless_that_is_a_column(tmp_path: Path, note: str) -> None:
    value = {"x-merge": "union", "x-key": ["name"]}[note]
    for schema in ({**PARTY, note: value}, {"anyOf": [PARTY, {**PARTY, "required": ["name"]}], note: value}):
        with pytest.raises(SchemaError, match=f"at /{note}: the top level is no column"):
            load_text(tmp_path, json.dumps(schema))
    assert load_text(tmp_path, json.dumps({"type": "array", "items": PARTY, note: value})).columns
