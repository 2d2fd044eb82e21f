"""Each policy on values that a person would write down, and what loses by it."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from pipeline.answers.merge import Conflict, Merged, merge_records
from pipeline.answers.record import Record
from pipeline.schema.columns import Kind
from pipeline.schema.load import Contract
from pipeline.schema.policies import ALLOWED, Policy

STRING, NUMBER, INTEGER = {"type": "string"}, {"type": "number"}, {"type": "integer"}
DATE, TIME, MOMENT = ({"type": "string", "format": name} for name in ("date", "time", "date-time"))
STRINGS = {"type": "array", "items": STRING}
ContractOf = Callable[..., Contract]


def merge_values(contract_of: ContractOf, schema: dict[str, Any], values: list[Any], **reduced: Any) -> Merged:
    contract = contract_of({"a": schema})
    return merge_records([Record("d", i, "t", {"a": value}) for i, value in enumerate(values)], contract, reduced)


@pytest.mark.parametrize(
    ("schema", "policy", "values", "kept", "lost"),
    [
        (STRING, "first", ["  ", "a", "b", None, "A ", "b"], "a", ["b", "b"]),
        (STRING, "last", ["a", "b", " ", None], "b", ["a"]),
        (STRING, "longest", ["bb", "ccc", "ddd", "a"], "ccc", ["bb", "ddd", "a"]),
        (STRING, "vote", ["b", "a", "a", "c", "b"], "b", ["a", "a", "c"]),
        (NUMBER, "vote", [1, Decimal("2.50"), Decimal("2.5")], Decimal("2.50"), [1]),
        (STRING, "concat", ["one", " ", "two"], "one\ntwo", []),
        (STRING, "concat", ["one", "one", "two"], "one\ntwo", []),
        (STRING, "reduce", ["one", "two"], "one", ["two"]),
        (INTEGER, "min", [3, -2, None, 5], -2, [3, 5]),
        (INTEGER, "max", [3, -2, None, 5], 5, [3, -2]),
        (NUMBER, "max", [Decimal("1.5"), 1, Decimal("1.50")], Decimal("1.5"), [1]),
        (NUMBER, "min", [Decimal("1e300"), 10**300 - 1], 10**300 - 1, [Decimal("1e300")]),
        (INTEGER, "sum", [2, None, 2, Decimal("3.0")], Decimal("7.0"), []),
        (INTEGER, "sum", [2**63 - 1, 1], 2**63, []),
        (NUMBER, "sum", [Decimal("0.1"), Decimal("0.2"), 10**30], Decimal("1000000000000000000000000000000.3"), []),
        (DATE, "max", ["2024-02-29", "2023-12-31"], "2024-02-29", ["2023-12-31"]),
        (
            MOMENT,
            "min",
            ["2024-01-01T00:30:00Z", "2024-01-01T01:00:00+02:00", "2023-12-31T23:00:00.000Z"],
            "2024-01-01T01:00:00+02:00",
            ["2024-01-01T00:30:00Z"],
        ),
        (MOMENT, "max", ["2024-01-01T00:00:00.25Z", "2024-01-01T00:00:00.5Z"], "2024-01-01T00:00:00.5Z", None),
        (MOMENT, "min", ["0001-01-01T00:00:00Z", "0000-02-29T00:00:00Z"], "0000-02-29T00:00:00Z", None),
        (MOMENT, "max", ["9999-12-31T23:59:59-01:00", "9999-12-31T23:59:59Z"], "9999-12-31T23:59:59-01:00", None),
        (TIME, "min", ["09:00:00Z", "10:00:00+02:00", "23:30:00+00:30"], "10:00:00+02:00", None),
        (STRINGS, "first", [[], None, ["a"], ["b"]], ["a"], [["b"]]),
        (STRINGS, "last", [["a"], ["b"], []], ["b"], [["a"]]),
        (STRINGS, "first", [[], None], [], []),
        (STRINGS, "union", [["b", "a"], ["a", "A"]], ["b", "a", "A"], []),
        (STRINGS, "concat", [["a", "b"], ["b", "c"], [], ["c"]], ["a", "b", "c", "c"], []),
        (STRINGS, "concat", [["x", "a", "b"], ["a", "b", "x"], ["y", "x"]], ["x", "a", "b", "x", "y", "x"], []),
        (STRINGS, "vote", [["a"], ["b", "c"], ["b", "c"]], ["b", "c"], [["a"]]),
        ({"type": "boolean"}, "vote", [True, False, False], False, [True]),
        ({"enum": ["x", "y"]}, "vote", ["y", "x", "x"], "x", ["y"]),
        ({"enum": ["x", "y"]}, "last", ["y", "x"], "x", ["y"]),
        ({}, "last", [{"b": 1}, {"b": Decimal("1.0")}], {"b": Decimal("1.0")}, []),
        (
            {"type": "object", "properties": {"n": STRING}},
            "first",
            [{"n": None}, {"n": "a"}, {"n": "b"}],
            {"n": "a"},
            None,
        ),
    ],
)
def test_a_policy(
    contract_of: ContractOf, schema: dict[str, Any], policy: str, values: list[Any], kept: Any, lost: list[Any] | None
) -> None:
    merged = merge_values(contract_of, {**schema, "x-merge": policy}, values)
    assert merged.values == {"a": kept}
    assert type(merged.values["a"]) is type(kept)
    if lost is not None:
        assert [conflict.lost for conflict in merged.conflicts] == lost
    assert all(conflict.kept == kept and conflict.policy == policy for conflict in merged.conflicts)


def test_a_sum_of_far_apart_numbers_ends(contract_of: ContractOf) -> None:
    merged = merge_values(contract_of, {**NUMBER, "x-merge": "sum"}, [1, Decimal("1e-999999"), Decimal("1e300")])
    total = merged.values["a"]
    assert isinstance(total, Decimal)
    assert total == 10**300 + 1


def test_overlap_is_sought_between_neighbouring_chunks_alone(contract_of: ContractOf) -> None:
    contract = contract_of({"a": {**STRINGS, "x-merge": "concat"}})
    places = [(0, "0"), (0, "1"), (1, ""), (3, "")]
    merged = merge_records([Record("d", i, "t", {"a": ["x"]}, part) for i, part in places], contract)
    assert merged.values == {"a": ["x", "x", "x"]}, "halves do not overlap, and what stood in chunk 2 is lost"


@pytest.mark.parametrize("policy", list(Policy))
def test_every_policy_can_be_declared_for_some_kind_and_says_what_it_kept(
    contract_of: ContractOf, policy: Policy
) -> None:
    by_kind: dict[Kind, tuple[dict[str, Any], Any]] = {
        Kind.STRING: (STRING, "v"),
        Kind.LIST: (STRINGS, ["v"]),
        Kind.STRUCT: ({"type": "object", "properties": {"b": STRING}}, {"b": "v"}),
        Kind.INTEGER: (INTEGER, 1),
    }
    tried = [by_kind[kind] for kind in by_kind if kind in ALLOWED[policy]]
    assert tried
    for schema, value in tried:
        merged = merge_values(contract_of, {**schema, "x-merge": policy.value}, [value])
        assert merged == Merged({"a": value}, ()), "one record is the row"


def test_what_the_model_consolidated_takes_the_place_of_all(contract_of: ContractOf) -> None:
    schema = {**STRING, "x-merge": "reduce"}
    merged = merge_values(contract_of, schema, ["one", None, "both", " "], a="Both")
    assert merged.values == {"a": "Both"}
    assert merged.conflicts == (Conflict("/a", Policy.REDUCE, "Both", "one", 0, ""),)
    assert merge_values(contract_of, schema, ["one", "two"], a=None).values == {"a": "one"}


def test_a_date_that_is_none_is_not_the_earliest(contract_of: ContractOf) -> None:
    schema = {**DATE, "x-merge": "min"}
    assert merge_values(contract_of, schema, ["someday", "2024-01-01"]).values == {"a": "2024-01-01"}
    assert merge_values(contract_of, schema, ["someday", "never"]).values == {"a": "someday"}
    assert merge_values(contract_of, {**INTEGER, "x-merge": "sum"}, ["many", "few"]).values == {"a": "many"}


PARTIES = {
    "type": "array",
    "x-key": ["name"],
    "items": {
        "type": "object",
        "properties": {
            "name": {"type": ["string", "null"]},
            "since": {**DATE, "x-merge": "min"},
            "shares": {**INTEGER, "x-merge": "max"},
            "sites": {
                "type": "array",
                "x-key": ["city", "number"],
                "items": {"type": "object", "properties": {"city": STRING, "number": NUMBER, "use": STRING}},
            },
        },
    },
}


def test_items_with_one_key_are_one_item(contract_of: ContractOf) -> None:
    merged = merge_values(
        contract_of,
        PARTIES,
        [
            [{"name": "Beta", "shares": 5}, {"name": "Acme  Inc.", "since": "2020-05-01", "shares": 3}],
            [{"name": "ACME INC.", "since": "2019-01-01", "shares": 2}, {"name": None}, {"name": " ", "shares": 1}],
            [{"name": None}, {"name": "beta"}],
        ],
    )
    assert merged.values["a"] == [
        {"name": "Beta", "since": None, "shares": 5, "sites": []},
        {"name": "Acme  Inc.", "since": "2019-01-01", "shares": 3, "sites": []},
        {"name": None},
        {"name": " ", "shares": 1},
    ]
    assert [(c.pointer, c.policy, c.kept, c.lost, c.chunk_index) for c in merged.conflicts] == [
        ("/a/1/since", "min", "2019-01-01", "2020-05-01", 0),
        ("/a/1/shares", "max", 3, 2, 1),
    ]


def test_keys_of_lists_in_items_and_numbers_by_value(contract_of: ContractOf) -> None:
    sites: list[list[dict[str, Any]]] = [
        [{"city": "Lille", "number": 1, "use": "office"}, {"city": "Lille", "number": 2}],
        [{"city": "lille", "number": Decimal("1.0"), "use": "shop"}],
    ]
    merged = merge_values(contract_of, PARTIES, [[{"name": "A", "sites": found}] for found in sites])
    assert isinstance(merged.values["a"], list)
    assert merged.values["a"][0]["sites"] == [sites[0][0], {"city": "Lille", "number": 2, "use": None}]
    assert merged.conflicts == (Conflict("/a/0/sites/0/use", Policy.FIRST, "office", "shop", 1, ""),)


def test_a_key_stays_what_it_was_whatever_its_own_policy(contract_of: ContractOf) -> None:
    items = {"type": "object", "properties": {"id": {**INTEGER, "x-merge": "sum"}, "n": {**INTEGER, "x-merge": "sum"}}}
    schema = {"type": "array", "x-key": ["id"], "items": items}
    merged = merge_values(contract_of, schema, [[{"id": 4, "n": 1}], [{"id": 4, "n": 2}]])
    assert merged.values["a"] == [{"id": 4, "n": 3}]


def test_items_can_be_taken_whole(contract_of: ContractOf) -> None:
    items = {"type": "object", "properties": {"id": INTEGER, "n": INTEGER, "s": STRING}, "x-merge": "last"}
    schema = {"type": "array", "x-key": ["id"], "items": items}
    merged = merge_values(contract_of, schema, [[{"id": 4, "n": 1, "s": "x"}], [{"id": 4, "n": 2}]])
    assert merged.values["a"] == [{"id": 4, "n": 2}]
    assert merged.conflicts == (Conflict("/a/0", Policy.LAST, {"id": 4, "n": 2}, {"id": 4, "n": 1, "s": "x"}, 0, ""),)


def test_items_of_free_form_can_have_a_key_too(contract_of: ContractOf) -> None:
    schema = {"type": "array", "x-key": ["id"], "items": {}}
    merged = merge_values(contract_of, schema, [[{"id": 1, "x": "a"}, 5, 5], [{"id": 1, "x": "b", "y": 2}, "id"]])
    assert merged.values["a"] == [{"id": 1, "x": "a", "y": 2}, 5, "id"]
    assert [conflict.lost for conflict in merged.conflicts] == ["b"]


def test_pointers_name_what_stands_in_the_row(contract_of: ContractOf) -> None:
    contract = contract_of({"a/b": {"type": "object", "additionalProperties": STRING}})
    found = [Record("d", i, "t", {"a/b": {"x~y": value}}, part="1") for i, value in enumerate("ab")]
    conflict = merge_records(found, contract).conflicts[0]
    assert (conflict.pointer, conflict.chunk_index, conflict.part) == ("/a~1b/x~0y", 1, "1")


def test_what_the_schema_does_not_name_is_merged_too(contract_of: ContractOf) -> None:
    contract = contract_of({"a": {"type": "object", "properties": {"b": STRING}}})
    answers: list[dict[str, Any]] = [{"z": 1, "a": {"b": "x"}}, {"a": {"c": [1]}, "z": 2, "y": None}]
    merged = merge_records([Record("d", i, "t", answer) for i, answer in enumerate(answers)], contract)
    assert merged.values == {"a": {"b": "x", "c": [1]}, "z": 1, "y": None}
    assert merged.conflicts == (Conflict("/z", Policy.FIRST, 1, 2, 1, ""),)


def test_a_value_of_another_shape_than_its_column_is_kept_or_told(contract_of: ContractOf) -> None:
    strings = merge_values(contract_of, STRINGS, ["odd", ["a"], "odd"])
    assert strings.values == {"a": ["a"]}
    assert [conflict.lost for conflict in strings.conflicts] == ["odd", "odd"]
    assert merge_values(contract_of, STRINGS, ["odd", "even"]).values == {"a": "odd"}
    fields = merge_values(contract_of, {"type": "object", "properties": {"n": STRING}}, [7, {"n": "x"}])
    assert (fields.values, fields.conflicts[0].lost) == ({"a": {"n": "x"}}, 7)
