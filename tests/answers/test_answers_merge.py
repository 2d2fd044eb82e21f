import random
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.answers.merge import merge_records
from pipeline.answers.record import Record
from pipeline.schema.arrow import to_arrow
from pipeline.schema.load import Contract

PROPERTIES: dict[str, Any] = {
    "title": {"type": ["string", "null"]},
    "count": {"type": ["integer", "null"]},
    "ok": {"type": "boolean"},
    "tags": {"type": ["array", "null"], "items": {"type": "string"}},
    "items": {
        "type": "array",
        "items": {"type": "object", "properties": {"n": {"type": "number"}, "s": {"type": "string"}}},
    },
    "party": {
        "type": ["object", "null"],
        "properties": {"name": {"type": ["string", "null"]}, "ids": {"type": "array", "items": {"type": "integer"}}},
    },
    "rates": {"type": "object", "additionalProperties": {"type": ["integer", "null"]}},
    "free": {},
}
EMPTY: dict[str, Any] = {**dict.fromkeys(PROPERTIES), "tags": [], "items": []}


@pytest.fixture(scope="session")
def contract(contract_of: Callable[..., Contract]) -> Contract:
    return contract_of(PROPERTIES)


def records(*answers: dict[str, Any]) -> list[Record]:
    return [Record("doc", index, "task", values) for index, values in enumerate(answers)]


def merged(contract: Contract, *answers: dict[str, Any]) -> dict[str, Any]:
    return merge_records(records(*answers), contract).values


@pytest.mark.parametrize(
    ("name", "values", "expected"),
    [
        ("title", [None, "a", "b"], "a"),
        ("title", ["", "  \n", "b"], "b"),
        ("title", [None, " ", ""], " "),
        ("title", [None, None], None),
        ("count", [None, 0, 5], 0),
        ("ok", [None, False, True], False),
        ("tags", [["b", "a"], None, ["a", "c"]], ["b", "a", "c"]),
        ("tags", [None, None], []),
        ("tags", [["a", "a"]], ["a"]),
        (
            "items",
            [[{"n": Decimal("1.0"), "s": "x"}], [{"s": "x", "n": 1}, {"n": 2}]],
            [{"n": Decimal("1.0"), "s": "x"}, {"n": 2}],
        ),
        ("party", [None, {"name": None, "ids": [1]}, {"name": "A", "ids": [2, 1]}], {"name": "A", "ids": [1, 2]}),
        ("party", [{}], {"name": None, "ids": []}),
        ("party", [None], None),
        ("rates", [{"a": None, "b": 1}, {"a": 2, "c": 3}, {"b": 9}], {"a": 2, "b": 1, "c": 3}),
        ("rates", [{}, None], {}),
        ("free", [None, {"a": 1}, [2]], {"a": 1}),
        ("free", [[1], [2]], [1]),
    ],
)
def test_how_the_values_of_one_property_merge(contract: Contract, name: str, values: list[Any], expected: Any) -> None:
    assert merged(contract, *({name: value} for value in values)) == {**EMPTY, name: expected}


def test_absent_is_null(contract: Contract) -> None:
    assert merged(contract, {}, {"title": "a"}, {}) == {**EMPTY, "title": "a"}
    assert list(merged(contract, {"free": 1, "title": "a"})) == list(PROPERTIES)


def test_true_and_one_are_two_items(contract_of: Callable[..., Contract]) -> None:
    contract = contract_of({"a": {"type": "array"}})
    assert merged(contract, {"a": [True, 1, "1", None, Decimal("1.0")]}) == {"a": [True, 1, "1", None]}


@pytest.mark.parametrize(
    "wrong",
    [
        [],
        [Record("a", 0, "t", {}), Record("b", 1, "t", {})],
        [Record("a", 0, "t", {}), Record("a", 1, "u", {})],
        [Record("a", 0, "t", {}), Record("a", 0, "t", {})],
    ],
    ids=["none", "two documents", "two tasks", "one chunk twice"],
)
def test_records_that_do_not_belong_together(contract: Contract, wrong: list[Record]) -> None:
    with pytest.raises(ValueError, match="records of one"):
        merge_records(wrong, contract)


TEXT = st.none() | st.text(max_size=3)
NUMBER = st.integers(-3, 3) | st.decimals(-3, 3, places=1)
ANSWERS = st.fixed_dictionaries(
    {},
    optional={
        "title": TEXT,
        "count": st.none() | st.integers(-3, 3),
        "ok": st.booleans(),
        "tags": st.none() | st.lists(st.text(max_size=2), max_size=3),
        "items": st.lists(st.fixed_dictionaries({}, optional={"n": NUMBER, "s": st.text(max_size=1)}), max_size=3),
        "party": st.none()
        | st.fixed_dictionaries({}, optional={"name": TEXT, "ids": st.lists(st.integers(0, 3), max_size=3)}),
        "rates": st.dictionaries(st.text(max_size=1), st.none() | st.integers(0, 3), max_size=3),
        "free": st.none() | NUMBER | st.text(max_size=2) | st.lists(NUMBER, max_size=2),
    },
)


@settings(deadline=None)
@given(answers=st.lists(ANSWERS, min_size=1, max_size=5), seed=st.integers())
def test_the_order_of_arrival_does_not_matter(contract: Contract, answers: list[dict[str, Any]], seed: int) -> None:
    arrived = records(*answers)
    random.Random(seed).shuffle(arrived)
    assert repr(merge_records(arrived, contract)) == repr(merge_records(records(*answers), contract))


@settings(deadline=None)
@given(answers=st.lists(ANSWERS, min_size=1, max_size=5))
def test_merging_again_changes_nothing(contract: Contract, answers: list[dict[str, Any]]) -> None:
    once = merged(contract, *answers)
    assert repr(merged(contract, once)) == repr(once)
    assert repr(merged(contract, once, once)) == repr(once)
    assert repr(merged(contract, *answers, *answers)) == repr(once)


@settings(deadline=None)
@given(answers=st.lists(ANSWERS, min_size=1, max_size=5))
def test_no_list_item_is_lost_and_none_is_made_up(contract: Contract, answers: list[dict[str, Any]]) -> None:
    items = merged(contract, *answers)["items"]
    given_items = [item for answer in answers for item in answer.get("items", [])]
    assert all(item in items for item in given_items)
    assert all(item in given_items for item in items)


@settings(deadline=None)
@given(answers=st.lists(ANSWERS, min_size=1, max_size=5))
def test_every_merged_row_fits_its_table(contract: Contract, answers: list[dict[str, Any]]) -> None:
    assert to_arrow([merged(contract, *answers)], contract.columns).num_rows == 1
