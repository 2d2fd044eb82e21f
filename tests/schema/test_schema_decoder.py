import json
import random
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline.schema.decoder import MAX_LENGTH, MIN_LENGTH, STEPS, share_budget, tokens_needed
from pipeline.schema.load import Contract
from pipeline.schema.longest import longest_answer_bytes
from pipeline.schema.validator import build_validator

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
        (
            {"type": "string", "format": "date"},
            ["2024-02-29", "2000-02-29"],
            ["2023-02-29", "1900-02-29", "0000-01-01"],
        ),
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
        ({"type": "integer", "minimum": -(2**63), "maximum": 2**63 - 1}, [-(2**63), 2**63 - 1], [2**63, -(2**63) - 1]),
        ({"type": "integer", "minimum": 10**20}, [10**20, 10**21], [10**20 - 1, 10**21 + 1]),
        ({"type": "integer", "multipleOf": 7, "minimum": -10000}, [-7, 0, 7, 700_000], [1, -8, -10003]),
        ({"type": "integer", "multipleOf": 1.5}, [-3, 0, 3, 300_000], [1, 2, -4]),
        ({"type": "integer", "multipleOf": 100, "minimum": -500}, [-500, 0, 100], [50, -600]),
        ({"type": "integer", "multipleOf": 5, "minimum": -10, "maximum": 10}, [0, 5, -10], [4, 15]),
        ({"type": "number", "minimum": 0}, [0, 1.5, 0.123456], [0.1234567, -1]),
        ({"type": "number"}, [0, -1.5, 99.999999, -123456.123456], ["1", None]),
        ({"type": "number", "multipleOf": 0.01}, [1.15, -2.5, 3], [1.155]),
        ({"type": "number", "exclusiveMinimum": 0, "maximum": 1}, [0.5, 1], [0, 1.1]),
        ({"type": "number", "maximum": -1}, [-1, -2.5], [0, -0.5, 1]),
        ({"type": "number", "multipleOf": 0.3}, [0, 0.3, -0.6, -300_000.3], [0.1, -0.5, 1]),
        ({"type": "number", "multipleOf": 1e-300, "minimum": 0, "maximum": 1}, [0.5], [1.5]),
        ({"type": "number", "minimum": 0, "maximum": 1e300}, [10**19], [10**19 + 1]),
        ({"type": "number", "minimum": -2.5, "maximum": -0.125}, [-2.5, -1, -0.125, -0.5], [-0.1, 0, -2.6, 1]),
        ({"type": "number", "minimum": 0.25, "exclusiveMaximum": 0.5}, [0.25, 0.4999], [0.2, 0.5]),
        ({"type": "array", "items": {"type": "boolean"}, "maxItems": 2}, [[], [True, False]], [[True] * 3, [1]]),
        (
            {"type": "array", "items": {"type": "boolean"}, "minItems": 1},
            [[True] * STEPS[0].n_items],
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
        (
            {"type": "string", "format": "date-time", "maxLength": 20},
            ["2024-02-29T10:00:00Z"],
            ["2024-02-29T10:00:00.5Z"],
        ),
        (
            {"type": "string", "format": "time"},
            ["23:59:59Z", "00:00:00.5-11:30"],
            ["24:00:00Z", "23:59:60Z", "10:00:00"],
        ),
        ({"type": "string", "pattern": "^a", "minLength": 300}, ["a" * 300], ["a" * 299]),
        ({"type": "string", "pattern": "^a+$", "format": "no-such-format"}, ["aaa"], ["b", ""]),
        ({"type": "string", "minLength": 1.0, "maxLength": 2.0}, ["a"], ["", "abc"]),
        ({"type": "number", "minimum": -1e308, "maximum": 1e308}, [0, -(10**19)], [-(10**19) - 1]),
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
        ({"type": "object", "patternProperties": {"^(?!x)": {"type": "null"}}}, [{"a": None}], [{"a": 1}]),
        ({"type": "object", "patternProperties": {"^a{80}$": {"type": "null"}}}, [{"a" * 80: None}], [{"a": None}]),
        (
            {"type": "object", "additionalProperties": {"type": "null"}, "minProperties": 2, "maxProperties": 3},
            [{"a": None, "b": None}, {"a": None, "b": None, "c": None}],
            [{}, {"a": None}],
        ),
        ({"type": "array", "prefixItems": [{"type": "null"}, {}], "minItems": 2}, [[None, 1]], [[], [None]]),
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
    contract_of: ContractOf, can_write: CanWrite, write_without_end: WriteAtRandom
) -> None:
    contract = contract_of(
        {
            "type": "object",
            "required": ["text", "list", "day", "map"],
            "properties": {
                "text": {"type": "string", "maxLength": 2},
                "list": {"type": "array", "items": {"enum": ["é", None]}, "maxItems": 3},
                "price": {"type": "number", "minimum": -99, "maximum": 99, "multipleOf": 0.01},
                "n": {"type": "integer", "minimum": -10, "maximum": 5},
                "day": {"type": "string", "format": "date"},
                "at": {"type": "string", "format": "date-time"},
                "code": {"type": "string", "pattern": "^[A-Z]{2}-[0-9]{1,3}$"},
                "ok": {"type": "boolean"},
                "map": {"type": "object", "additionalProperties": {"type": "null"}, "maxProperties": 1},
            },
        }
    )
    text = (
        '{"text": "😀😀", "list": [null, null, null], "price": -98.99, "n": -10, "day": "2024-01-01", '
        '"at": "2024-01-01T00:00:00.123456+00:00", "code": "AB-123", "ok": false, "map": {"' + "😀" * 64 + '": null}}'
    )
    assert can_write(contract.decoder_schema, text)
    assert contract.longest_bytes == len(text.encode())
    assert len(write_without_end(contract.decoder_schema, random.Random(0), 10_000)) <= contract.longest_bytes


def test_unbounded_strings_share_what_there_is(contract_of: ContractOf) -> None:
    two = {"a": {"type": "string"}, "b": {"type": "string"}}
    for max_tokens in (40, 300, 4000, 10_000, 20_000):
        contract = contract_of(two, max_tokens)
        assert 1 <= node(contract)["maxLength"] < MAX_LENGTH
        assert contract.longest_bytes is not None
        assert max_tokens - 8 < contract.longest_bytes <= max_tokens, "one character more for both would not fit"


def test_plenty_and_too_little(contract_of: ContractOf) -> None:
    assert node(contract_of({"a": {"type": "string"}}, 10**6))["maxLength"] == MAX_LENGTH
    assert node(contract_of({"a": {"type": "string"}}, 13))["maxLength"] == 1
    contract = contract_of({"a": {"type": "string"}}, 12)
    assert node(contract)["maxLength"] == MIN_LENGTH
    assert contract.longest_bytes is not None
    assert contract.longest_bytes > 12


def test_lists_give_way_before_strings_do(contract_of: ContractOf) -> None:
    lists = {"a": {"type": "array", "items": {"type": "string"}}}
    budgets = (10**7, 128 * 1100, 64 * 1100, 32 * 1100, 16 * 600, 8 * 300, 4 * 160, 2 * 80, 22, 9)
    shares = [
        (node(contract)["maxItems"], node(contract)["items"]["maxLength"])
        for contract in (contract_of(lists, max_tokens) for max_tokens in budgets)
    ]
    assert (shares[0][0], shares[-1][0]) == (128, 32)
    assert sorted(shares[:-1], reverse=True) == shares[:-1]
    for above, step, (n_items, length) in zip(STEPS[:1] + STEPS, STEPS, shares[1:-1], strict=False):
        assert step.n_items <= n_items <= above.n_items
        assert step.length <= length


def test_what_is_left_goes_to_lists_where_strings_have_their_own_bounds(contract_of: ContractOf) -> None:
    lists = {"a": {"type": "array", "items": {"type": "string", "maxLength": 10}}}
    longest = len('{"a": ["') + 12 * (10 * 4 + 2 + 2) - len('", "') + len('"]}')
    assert node(contract_of(lists, longest))["maxItems"] == 12
    assert node(contract_of(lists, longest - 5))["maxItems"] == 11


def test_where_the_users_bounds_allow_the_answer_always_fits(contract_of: ContractOf) -> None:
    schema = {
        "title": {"type": "string"},
        "day": {"type": "string", "format": "date"},
        "parties": {"type": "array", "items": {"type": "object", "properties": {"name": {"type": "string"}}}},
        "notes": {"type": "object", "additionalProperties": {"type": "string"}},
        "price": {"type": "number"},
    }
    for max_tokens in (180, 256, 512, 1000, 4000, 50_000):
        longest = contract_of(schema, max_tokens).longest_bytes
        assert longest is not None
        assert longest <= max_tokens


def test_a_share_is_marked_and_a_bound_of_the_user_is_not(contract_of: ContractOf) -> None:
    schema = {
        "a": {"type": "string"},
        "b": {"type": "string", "maxLength": 9},
        "c": {"type": "array", "items": {"type": "string", "format": "date"}},
        "d": {"type": "array", "items": {"type": "string", "pattern": "^[a-z]{2}$"}, "maxItems": 2},
        "e": {"type": "object", "additionalProperties": {"type": "string", "pattern": "^[a-z]+$"}},
        "f": {"type": "string", "maxLength": 10**9},
        "g": {"type": "array", "items": {"type": "null"}, "maxItems": 10**9},
    }
    found = json.loads(contract_of(schema).decoder_schema)["properties"]
    assert {name for name, part in found.items() if part.get("x-share")} == {"a", "c", "e", "f", "g"}
    assert "x-share" not in found["c"]["items"]
    assert found["d"]["items"] == {"type": "string", "maxLength": 2, "pattern": "^[a-z]{2}$"}
    assert [part["x-share"] for part in found["e"]["patternProperties"].values()] == [True]


def test_the_shares_are_told(contract_of: ContractOf) -> None:
    schema = {
        "a": {"type": "array", "items": {"type": "object", "properties": {"b~/": {"type": "string", "maxLength": 9}}}},
        "c": {"anyOf": [{"type": "string"}, {"type": "object", "additionalProperties": {"type": "null"}}]},
        "d": {"type": "array", "prefixItems": [{"type": "string", "format": "date"}]},
    }
    contract = contract_of(schema, 500)
    shares = share_budget(contract.normal, 500)
    assert [(share.pointer, share.what, share.is_ours) for share in shares] == [
        ("/a", "items", True),
        ("/a/*/b~0~1", "characters", False),
        ("/c", "characters", True),
        ("/c", "entries", True),
        ("/d/0", "characters", False),
    ]
    assert (shares[0].bound, shares[0].tokens) == (
        2,
        len(f'[{{"b~/": "{"😀" * 9}"}}, {{"b~/": "{"😀" * 9}"}}]'.encode()),
    )
    assert shares[1].tokens == 2 * len(f'"{"😀" * 9}"'.encode())


def test_what_a_schema_needs_is_what_its_usual_shares_take(contract_of: ContractOf) -> None:
    lists = {"a": {"type": "array", "items": {"type": "string"}}}
    needed = tokens_needed(contract_of(lists).normal)
    enough, short = node(contract_of(lists, needed)), node(contract_of(lists, needed - 1))
    assert (enough["maxItems"], enough["items"]["maxLength"]) == (32, MIN_LENGTH)
    assert short["maxItems"] < 32


def test_a_count_stands_before_the_list_that_wants_one(contract_of: ContractOf, can_write: CanWrite) -> None:
    list_ = {"type": ["array", "null"], "items": {"type": "null"}, "maxItems": 3, "x-count-first": True}
    contract = contract_of({"a": {"type": "null"}, "b": list_, "c": {"type": "string", "maxLength": 5}})
    for answer in ('{"a": null, "_n_b": 12, "b": [null]}', '{"_n_b": 0, "b": null, "c": ""}', '{"_n_b": 7}'):
        assert can_write(contract.decoder_schema, answer), answer
    for answer in ('{"b": []}', '{"_n_b": 13, "b": []}', '{"b": [], "_n_b": 1}', "{}"):
        assert not can_write(contract.decoder_schema, answer), answer


def test_the_users_bounds_stay(contract_of: ContractOf) -> None:
    schema = {"type": "array", "items": {"type": "string", "maxLength": 9000}, "minItems": 1, "maxItems": 1000}
    assert node(contract_of({"a": schema}, 10)) == schema


def test_min_items_and_min_length_lift_the_default(contract_of: ContractOf) -> None:
    assert node(contract_of({"a": {"type": "string", "minLength": 5000}}, 10))["maxLength"] == 5000
    assert (
        node(contract_of({"a": {"type": "array", "items": {"type": "null"}, "minItems": 500}}, 10))["maxItems"] == 500
    )


LEAVES = st.one_of(
    st.builds(lambda n: {"type": "string", "maxLength": n}, st.integers(0, 6)),
    st.builds(
        lambda name: {"type": "string", "format": name}, st.sampled_from(["date", "date-time", "time", "uuid", "ipv4"])
    ),
    st.just({"type": "string", "pattern": "^[a-c]{1,3}$"}),
    st.just({"type": "string", "pattern": "^é+$", "maxLength": 5}),
    st.just({"type": "string", "pattern": "\n", "maxLength": 3}),
    st.builds(
        lambda name, n: {"type": "string", "format": name, "maxLength": n},
        st.sampled_from(["email", "hostname", "duration", "ipv6", "uri"]),
        st.integers(8, 12),
    ),
    st.builds(
        lambda low, n: {"type": "integer", "minimum": low, "maximum": low + n}, st.integers(-99, 99), st.integers(0, 99)
    ),
    st.just({"type": "integer"}),
    st.builds(lambda n: {"type": "number", "minimum": 0, "maximum": n, "multipleOf": 0.01}, st.integers(1, 10**9)),
    st.just({"type": "number"}),
    st.builds(
        lambda low, n, step: {"type": "number", "minimum": low, "maximum": low + n, "multipleOf": step},
        st.integers(-9999, 99),
        st.integers(10, 99999),
        st.sampled_from([0.25, 0.3, 7, 10, 1e-7]),
    ),
    st.builds(
        lambda low, n: {"type": "number", "minimum": low, "exclusiveMaximum": low + n},
        st.decimals(-99, 99, places=3).map(float),
        st.integers(1, 99),
    ),
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
@given(schema=SCHEMAS, max_tokens=st.integers(20, 600), seed=st.integers(0, 2**32))
def test_whatever_is_written_ends_in_time_and_is_valid(
    contract_of: ContractOf,
    write_at_random: WriteAtRandom,
    write_without_end: WriteAtRandom,
    schema: dict[str, Any],
    max_tokens: int,
    seed: int,
) -> None:
    """Nothing that the grammar allows is longer than proven, ends too early, or breaks a rule of either form."""
    contract = contract_of({"type": "object", "properties": {"a": schema, "b": schema}, "required": ["a"]}, max_tokens)
    assert contract.longest_bytes is not None
    for write in (write_at_random, write_without_end):
        text = write(contract.decoder_schema, random.Random(seed), contract.longest_bytes)
        assert len(text) <= contract.longest_bytes
        answer = json.loads(text, parse_float=Decimal)
        assert [error.message for error in build_validator(contract.decoder_schema).iter_errors(answer)] == []
        assert [error.message for error in contract.validator.iter_errors(answer)] == []


@settings(max_examples=60, deadline=None)
@given(schema=SCHEMAS)
def test_the_forms_depend_on_nothing_but_schema_and_budget(contract_of: ContractOf, schema: dict[str, Any]) -> None:
    first, second = contract_of({"a": schema}), contract_of({"a": schema})
    assert first.decoder_schema == second.decoder_schema
    assert first.columns == second.columns
    assert longest_answer_bytes(first.decoder_schema) == first.longest_bytes
