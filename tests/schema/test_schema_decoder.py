import json
import random
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline.answers.validate import parse_answer
from pipeline.schema.decoder import LIST_LENGTHS, MAX_LENGTH, MIN_LENGTH
from pipeline.schema.load import Contract
from pipeline.schema.longest import longest_answer_bytes, n_decimals

ContractOf = Callable[..., Contract]
CanWrite = Callable[[str, str], bool]
WriteAtRandom = Callable[[str, random.Random, int], bytes]


def node(contract: Contract) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(contract.decoder_schema)["properties"]["a"]
    return found


@pytest.mark.parametrize(
    ("schema", "good", "bad"),
    [
        ({"type": "string", "maxLength": 3}, ["", "abc", "é😀\n", '"\\"'], ["abcd", 1, None]),
        ({"type": "string", "minLength": 2, "maxLength": 3}, ["ab"], ["a", "abcd"]),
        ({"type": ["string", "null"], "maxLength": 3}, ["abc", None], ["abcd", 1]),
        ({"type": "string", "pattern": "^[A-Z]{2}$"}, ["AB"], ["A", "ab"]),
        ({"type": "string", "pattern": "b"}, ["abc"], ["ac"]),
        ({"type": "string", "pattern": "^(?!x)", "maxLength": 2}, ["x"], ["abc"]),
        ({"type": "string", "format": "date"}, ["2024-02-29"], ["2024-02-30", "1 May", "2024-02-29x"]),
        ({"type": "string", "format": "date-time"}, ["2024-02-29T10:00:00.123456+05:30"], ["2024-02-29", "x"]),
        (
            {"type": "string", "format": "date-time"},
            ["2024-02-29T10:00:00Z"],
            ["2024-02-29T10:00:00." + "1" * 20 + "Z"],
        ),
        ({"type": "string", "format": "no-such-format", "maxLength": 2}, ["ab"], ["abc"]),
        ({"enum": ["a", 'q"\n', 7, None, [1, 2], {"k": 1}]}, ["a", 'q"\n', 7, None, [1, 2], {"k": 1}], ["b", 8]),
        ({"type": "string", "enum": ["a", 1]}, ["a"], [1]),
        ({"const": "x"}, ["x"], ["y"]),
        ({"type": "boolean"}, [True, False], [None, 0]),
        ({"type": "integer"}, [0, -5, 10**15, -(10**15)], [10**15 + 1, 1.5, "1"]),
        ({"type": "integer", "minimum": 1, "exclusiveMaximum": 10}, [1, 9], [0, 10]),
        ({"type": "integer", "minimum": -(2**63), "maximum": 2**63 - 1}, [-(10**18), 10**18], [10**18 + 1]),
        ({"type": "integer", "multipleOf": 5, "minimum": -10, "maximum": 10}, [0, 5, -10], [4, 15]),
        ({"type": "number", "minimum": 0}, [0, 1.5, 0.123456], [0.1234567, -1]),
        ({"type": "number"}, [0, -1.5, 99.999999, -123456.123456], ["1", None]),
        ({"type": "number", "multipleOf": 0.01}, [1.15, -2.5, 3], [1.155]),
        ({"type": "number", "exclusiveMinimum": 0, "maximum": 1}, [0.5, 1], [0, 1.1]),
        ({"type": "number", "maximum": -1}, [-1, -2.5], [0, -0.5, 1]),
        ({"type": "number", "minimum": 0, "maximum": 1e300}, [10**18], [10**18 + 1]),
        ({"type": "number", "minimum": 1e-9, "maximum": 2e-9}, [], [0, 1]),
        ({"type": "array", "items": {"type": "boolean"}, "maxItems": 2}, [[], [True, False]], [[True] * 3, [1]]),
        (
            {"type": "array", "items": {"type": "boolean"}, "minItems": 1},
            [[True] * LIST_LENGTHS[0]],
            [[], [True] * 129],
        ),
        ({"type": "array", "items": False}, [[]], [[1]]),
        ({"type": "array", "items": {"type": "number"}, "maxItems": 0}, [[]], [[1]]),
        ({"type": "array", "items": {"type": "null"}, "maxItems": 10**9}, [[], [None] * 300], [[1]]),
        ({"type": "object", "additionalProperties": {"type": "number"}, "maxProperties": 0}, [{}], [{"a": 1}]),
        (
            {"type": "object", "additionalProperties": {"type": "null"}, "maxProperties": 10**9},
            [{"a": None}],
            [{"a": 1}],
        ),
        ({"type": "string", "maxLength": 10**30}, ["a" * 5000], [1]),
        ({"type": "string", "minLength": 1.0, "maxLength": 2.0}, ["a"], ["", "abc"]),
        ({"type": "number", "minimum": -1e308, "maximum": 1e308}, [0, -(10**18)], [-(10**18) - 1]),
        (
            {"type": "array", "prefixItems": [{"type": "boolean"}, {"type": "null"}]},
            [[True, None], []],
            [[True, None, 1]],
        ),
        ({"type": "object", "properties": {"x": {"type": "null"}}}, [{}, {"x": None}], [{"y": 1}, {"x": 1}]),
        ({"type": "object", "properties": {"x": {"type": "null"}}, "required": ["x"]}, [{"x": None}], [{}]),
        (
            {"type": "object", "properties": {"x": {"type": "null"}, "y": {}}, "maxProperties": 1},
            [{"x": None, "y": 1}],
            [1],
        ),
        ({"type": "object", "properties": {"x": {"type": "null"}, "y": False}}, [{"x": None}], [{"y": 1}]),
        ({"type": "object", "additionalProperties": {"type": "boolean"}}, [{}, {"k": True}], [{"k": 1}, {"": True}]),
        (
            {"type": "object", "additionalProperties": {"type": "null"}, "maxProperties": 1},
            [{"k": None}],
            [{"a": None, "b": None}],
        ),
        ({"type": "object", "patternProperties": {"^[a-z]$": {"type": "null"}}}, [{"k": None}], [{"K": None}]),
        ({"type": "object", "additionalProperties": False}, [{}], [{"a": 1}]),
        ({"oneOf": [{"type": "string", "maxLength": 1}, {"type": "string", "maxLength": 2}]}, ["ab"], ["abc"]),
        ({"anyOf": [{"$ref": "#/properties/b"}, {"type": "null"}]}, ["ab", None], ["abc"]),
        ({"allOf": [{"type": "string"}, {"enum": ["yes", "no"]}]}, ["yes"], ["maybe"]),
        ({}, [None, True, 1.5, "x", [1, "a"], {"k": "v"}], [{"k": {"l": 1}}]),
        (True, ["x"], [[[1]]]),
        ({"type": "array", "uniqueItems": True, "items": {"type": "null"}}, [[None, None]], [[1]]),
        ({"type": "string", "not": {"const": "a"}, "if": {"const": "b"}, "then": False, "maxLength": 1}, ["a"], ["ab"]),
    ],
)
def test_the_grammar_writes_what_it_should_and_nothing_else(
    contract_of: ContractOf, can_write: CanWrite, schema: dict[str, Any] | bool, good: list[Any], bad: list[Any]
) -> None:
    contract = contract_of({"a": schema, "b": {"type": "string", "maxLength": 2}}, 100_000)
    for value in good:
        assert can_write(contract.decoder_schema, json.dumps({"a": value}, ensure_ascii=False)), value
    for value in bad:
        assert not can_write(contract.decoder_schema, json.dumps({"a": value}, ensure_ascii=False)), value


def test_white_space_is_fixed(contract_of: ContractOf, can_write: CanWrite) -> None:
    contract = contract_of({"a": {"type": "array", "items": {"type": "null"}}})
    assert can_write(contract.decoder_schema, '{"a": [null, null]}')
    for text in ('{"a":[null, null]}', '{"a": [null,null]}', '{ "a": []}', '{"a":  []}', '{"a": []}\n', '{"a": [\n]}'):
        assert not can_write(contract.decoder_schema, text)


def test_the_longest_answer_can_be_written_and_is_counted_to_the_byte(
    contract_of: ContractOf, can_write: CanWrite
) -> None:
    contract = contract_of(
        {
            "type": "object",
            "required": ["text", "list", "day", "map"],
            "properties": {
                "text": {"type": "string", "maxLength": 2},
                "list": {"type": "array", "items": {"enum": ["é", None]}, "maxItems": 3},
                "price": {"type": "number", "minimum": 0, "maximum": 99, "multipleOf": 0.01},
                "n": {"type": "integer", "minimum": -10, "maximum": 5},
                "day": {"type": "string", "format": "date"},
                "ok": {"type": "boolean"},
                "map": {"type": "object", "additionalProperties": {"type": "null"}, "maxProperties": 1},
            },
        }
    )
    key = "\\u001f" * 64
    text = (
        '{"text": "\\u001f\\u001f", "list": [null, null, null], "price": 98.99, "n": -10, "day": "2024-01-01", '
        '"ok": false, "map": {"' + key + '": null}}'
    )
    assert can_write(contract.decoder_schema, text)
    assert contract.longest_bytes is not None
    assert contract.longest_bytes == len(text.encode())


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "number"},
        {"type": "number", "multipleOf": 0.01},
        {"type": "object", "patternProperties": {"^a+$": {}}},
        {"type": "array", "items": {"type": ["number", "null"]}},
    ],
)
def test_what_need_not_end_is_told(contract_of: ContractOf, schema: dict[str, Any]) -> None:
    assert contract_of({"a": schema}).longest_bytes is None


def test_unbounded_strings_share_what_there_is(contract_of: ContractOf) -> None:
    two = {"a": {"type": "string"}, "b": {"type": "string"}}
    for max_tokens in (4000, 10_000, 20_000):
        contract = contract_of(two, max_tokens)
        length = node(contract)["maxLength"]
        assert MIN_LENGTH < length < MAX_LENGTH
        assert contract.longest_bytes is not None
        assert max_tokens - 12 < contract.longest_bytes <= max_tokens, "one character more for both would not fit"


def test_plenty_and_too_little(contract_of: ContractOf) -> None:
    assert node(contract_of({"a": {"type": "string"}}, 10**6))["maxLength"] == MAX_LENGTH
    contract = contract_of({"a": {"type": "string"}}, 10)
    assert node(contract)["maxLength"] == MIN_LENGTH
    assert contract.longest_bytes is not None
    assert contract.longest_bytes > 10


def test_lists_give_way_before_strings_do(contract_of: ContractOf) -> None:
    lists = {"a": {"type": "array", "items": {"type": "string"}}}
    sizes = [node(contract_of(lists, max_tokens))["maxItems"] for max_tokens in (10**7, 128 * 1600, 64 * 1600, 100)]
    assert sizes == [128, 128, 64, 32]


def test_the_users_bounds_stay(contract_of: ContractOf) -> None:
    schema = {"type": "array", "items": {"type": "string", "maxLength": 9000}, "maxItems": 1000, "minItems": 1}
    assert node(contract_of({"a": schema}, 10)) == schema


def test_min_items_and_min_length_lift_the_default(contract_of: ContractOf) -> None:
    assert node(contract_of({"a": {"type": "string", "minLength": 5000}}, 10))["maxLength"] == 5000
    assert (
        node(contract_of({"a": {"type": "array", "items": {"type": "null"}, "minItems": 500}}, 10))["maxItems"] == 500
    )


@pytest.mark.parametrize(("step", "expected"), [(0.01, 2), (1e-7, 7), (5, 0), (10, 0), (0.25, 2), (1e20, 0), (1, 0)])
def test_n_decimals(step: float, expected: int) -> None:
    assert n_decimals(step) == expected


LEAVES = st.one_of(
    st.builds(lambda n: {"type": "string", "maxLength": n}, st.integers(0, 6)),
    st.builds(
        lambda name: {"type": "string", "format": name}, st.sampled_from(["date", "date-time", "time", "uuid", "ipv4"])
    ),
    st.just({"type": "string", "pattern": "^[a-c]{1,3}$"}),
    st.builds(
        lambda low, n: {"type": "integer", "minimum": low, "maximum": low + n}, st.integers(-99, 99), st.integers(0, 99)
    ),
    st.just({"type": "integer"}),
    st.builds(lambda n: {"type": "number", "minimum": 0, "maximum": n, "multipleOf": 0.01}, st.integers(1, 10**9)),
    st.just({"type": "number", "minimum": 0}),
    st.just({"type": ["boolean", "null"]}),
    st.lists(st.text(max_size=4) | st.integers(-9, 9) | st.none(), min_size=1, max_size=3, unique=True).map(
        lambda values: {"enum": values}
    ),
)


def _branches(inner: st.SearchStrategy[dict[str, Any]]) -> st.SearchStrategy[dict[str, Any]]:
    properties = st.dictionaries(st.text(min_size=1, max_size=5), inner, min_size=1, max_size=3)
    return st.one_of(
        st.builds(lambda item, n: {"type": "array", "items": item, "maxItems": n}, inner, st.integers(0, 3)),
        st.builds(
            lambda parts, all_: {"type": "object", "properties": parts, "required": [*parts][: all_ * 3]},
            properties,
            st.booleans(),
        ),
        st.builds(lambda part: {"type": "object", "additionalProperties": part, "maxProperties": 1}, inner),
        st.builds(lambda a, b: {"anyOf": [a, b]}, inner, inner),
    )


SCHEMAS = st.recursive(LEAVES, _branches, max_leaves=5)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(schema=SCHEMAS, seed=st.integers(0, 2**32))
def test_whatever_is_written_ends_in_time_and_is_valid(
    contract_of: ContractOf, write_at_random: WriteAtRandom, schema: dict[str, Any], seed: int
) -> None:
    contract = contract_of({"type": "object", "properties": {"a": schema, "b": schema}, "required": ["a"]}, 300)
    assert contract.longest_bytes is not None
    text = write_at_random(contract.decoder_schema, random.Random(seed), contract.longest_bytes)
    assert len(text) <= contract.longest_bytes
    answer = parse_answer(text.decode(), contract)
    if not isinstance(answer, dict):  # what no grammar holds: years before 1, leap days and seconds
        assert "format" in answer.detail or "timestamp" in answer.detail or "time64" in answer.detail, (text, answer)


@settings(max_examples=60, deadline=None)
@given(schema=SCHEMAS)
def test_the_forms_depend_on_nothing_but_schema_and_budget(contract_of: ContractOf, schema: dict[str, Any]) -> None:
    first, second = contract_of({"a": schema}), contract_of({"a": schema})
    assert first.decoder_schema == second.decoder_schema
    assert first.columns == second.columns
    assert longest_answer_bytes(first.decoder_schema) == first.longest_bytes
