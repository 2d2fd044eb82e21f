import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pipeline.errors import SchemaError
from pipeline.schema.decoder import build_decoder_schema
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
        ({"a": {"$ref": "#"}}, "refers to itself"),
        ({"a": {"type": "array", "items": {"$ref": "#/properties/a"}}}, "recursive schemas are not supported yet"),
        (
            {"a": {"type": "object", "properties": {"b": {}}, "required": ["c"]}},
            "at /properties/a: 'required' names 'c'",
        ),
        ({"a": {"allOf": [{"pattern": "^a"}, {"pattern": "b$"}]}}, "set 'pattern' differently"),
        ({"a": {"type": "string", "minLength": 5, "maxLength": 2}}, "minLength is 5 and maxLength is 2"),
        ({"a": {"type": "integer", "minimum": 5, "maximum": 2}}, "at /properties/a: minimum is 5"),
        ({"a": {"type": "string", "format": "date", "maxLength": 5}}, "no grammar can be built"),
        ({"a": {"type": "array", "minItems": 10**9}}, "no grammar can be built"),
        ({"a": {"type": "object", "minProperties": 10**9}}, "no grammar can be built"),
        ({"a": {"type": "string", "minLength": 10**9}}, "no grammar can be built"),
        ({"a": {"type": "number", "multipleOf": 1e-19}}, "'multipleOf' has too many digits"),
    ],
)
def test_what_cannot_be_done_is_refused_with_its_place(
    contract_of: Callable[..., Contract], properties: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(SchemaError) as caught:
        contract_of(properties)
    assert sentence in str(caught.value)


def test_references_that_multiply_are_stopped(contract_of: Callable[..., Contract]) -> None:
    wide = {
        f"d{i}": {"type": "object", "properties": {n: {"$ref": f"#/$defs/d{i + 1}"} for n in "abcdefgh"}}
        for i in range(9)
    }
    with pytest.raises(SchemaError, match="more than 20,000 parts"):
        contract_of(
            {"type": "object", "properties": {"a": {"$ref": "#/$defs/d0"}}, "$defs": {**wide, "d9": {"type": "null"}}}
        )


def test_unions_that_multiply_are_stopped(contract_of: Callable[..., Contract]) -> None:
    parts = [{"anyOf": [{"properties": {f"{i}{n}": {"type": "null"}}} for n in range(20)]} for i in range(20)]
    with pytest.raises(SchemaError, match="branches"):
        contract_of({"a": {"type": "object", "allOf": parts}})


def test_deep_nesting_is_refused(contract_of: Callable[..., Contract]) -> None:
    schema: dict[str, Any] = {"type": "string"}
    for _ in range(70):
        schema = {"type": "array", "items": schema}
    with pytest.raises(SchemaError, match="nested 7. levels deep, vLLM takes 64"):
        contract_of({"a": schema})


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
