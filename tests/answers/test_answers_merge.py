import random
import time
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.answers.choice import Found, choose
from pipeline.answers.merge import Merged, merge_records
from pipeline.answers.record import Record
from pipeline.answers.sameness import is_blank, sameness
from pipeline.schema.arrow import to_arrow
from pipeline.schema.columns import Column, Kind
from pipeline.schema.load import Contract
from pipeline.schema.policies import Policy, policy_of

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
    "latest": {"type": ["string", "null"], "x-merge": "last"},
    "most": {"type": "integer", "x-merge": "max"},
    "total": {"type": "number", "x-merge": "sum"},
    "notes": {"type": "array", "items": {"type": "string"}, "x-merge": "concat"},
    "voted": {"type": ["string", "null"], "x-merge": "vote"},
    "people": {
        "type": "array",
        "x-key": ["id"],
        "items": {
            "type": "object",
            "properties": {
                "id": {"type": ["string", "null"]},
                "name": {"type": "string", "x-merge": "longest"},
                "jobs": {
                    "type": "array",
                    "x-key": ["at"],
                    "items": {"type": "object", "properties": {"at": {"type": "number"}, "as": {"type": "string"}}},
                },
            },
        },
    },
}
LISTS = ("tags", "items", "notes", "people")
EMPTY: dict[str, Any] = {**dict.fromkeys(PROPERTIES), **{name: [] for name in LISTS}}


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
        [Record("a", 0, "t", {}, "01"), Record("a", 0, "t", {}, "01")],
    ],
    ids=["none", "two documents", "two tasks", "one chunk twice", "one part twice"],
)
def test_records_that_do_not_belong_together(contract: Contract, wrong: list[Record]) -> None:
    with pytest.raises(ValueError, match="records of one"):
        merge_records(wrong, contract)


TEXT = st.none() | st.text("aA b", max_size=3)
NUMBER = st.integers(-3, 3) | st.decimals(-3, 3, places=1)
JOBS = st.lists(st.fixed_dictionaries({}, optional={"at": NUMBER, "as": st.text("xX", max_size=2)}), max_size=3)
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
        "latest": TEXT,
        "most": st.integers(-3, 3),
        "total": NUMBER,
        "notes": st.lists(st.sampled_from("abc"), max_size=3),
        "voted": TEXT,
        "people": st.lists(
            st.fixed_dictionaries({}, optional={"id": TEXT, "name": st.text("nN ", max_size=3), "jobs": JOBS}),
            max_size=3,
        ),
    },
)
SEVERAL = st.lists(ANSWERS, min_size=1, max_size=5)
ADDING = {"total", "notes", "voted"}


@settings(deadline=None)
@given(answers=SEVERAL, seed=st.integers())
def test_the_order_of_arrival_does_not_matter(contract: Contract, answers: list[dict[str, Any]], seed: int) -> None:
    places = [(0, "00"), (0, "01"), (0, "1"), (1, ""), (2, "")]
    found = [Record("doc", i, "t", values, part) for (i, part), values in zip(places, answers, strict=False)]
    arrived = list(found)
    random.Random(seed).shuffle(arrived)
    assert repr(merge_records(arrived, contract)) == repr(merge_records(found, contract))


@settings(deadline=None)
@given(answers=SEVERAL)
def test_merging_again_changes_nothing(contract: Contract, answers: list[dict[str, Any]]) -> None:
    once = merged(contract, *answers)
    assert repr(merge_records(records(once), contract)) == repr(Merged(once, ()))
    assert repr(chosen(merged(contract, once, once))) == repr(chosen(once))


def chosen(row: dict[str, Any]) -> dict[str, Any]:
    """What does not add up: the same twice is the same."""
    return {name: value for name, value in row.items() if name not in ADDING}


@settings(deadline=None)
@given(answers=SEVERAL)
def test_no_list_item_is_lost_and_none_is_made_up(contract: Contract, answers: list[dict[str, Any]]) -> None:
    items = merged(contract, *answers)["items"]
    given_items = [item for answer in answers for item in answer.get("items", [])]
    assert all(item in items for item in given_items)
    assert all(item in given_items for item in items)


@settings(deadline=None)
@given(answers=SEVERAL)
def test_every_value_is_in_the_row_the_same_as_one_there_or_in_a_conflict(
    contract: Contract, answers: list[dict[str, Any]]
) -> None:
    found = merge_records(records(*answers), contract)
    kept = set(leaves(found.values, contract.columns))
    for index, answer in enumerate(answers):
        lost = [conflict for conflict in found.conflicts if conflict.chunk_index == index]
        told = {leaf for conflict in lost for leaf in leaves_at(conflict.lost, conflict.pointer, contract)}
        assert set(leaves(answer, contract.columns)) <= kept | told
    for conflict in found.conflicts:
        assert set(leaves_at(conflict.kept, conflict.pointer, contract)) <= kept


Leaf = tuple[str, ...]


def leaves(values: dict[str, Any], columns: tuple[Column, ...], path: Leaf = ()) -> list[Leaf]:
    """Where each value that says something stands, list items by no place of their own, and what it is, loosely."""
    found: list[Leaf] = []
    for column in columns:
        found += _leaves(values.get(column.name), column, (*path, column.name))
    return found


def _leaves(value: Any, column: Column, path: Leaf) -> list[Leaf]:
    if value is None or is_blank(value) or policy_of(column) in (Policy.SUM, Policy.CONCAT):
        return []
    if column.kind is Kind.STRUCT:
        return leaves(value, column.children, path)
    if column.kind is Kind.MAP:
        return [leaf for key, part in value.items() for leaf in _leaves(part, column.children[0], (*path, key))]
    if column.kind is Kind.LIST:
        return [leaf for item in value for leaf in _leaves(item, column.children[0], path)]
    return [(*path, sameness(value, column, loosely=True))]


def leaves_at(value: Any, pointer: str, contract: Contract) -> list[Leaf]:
    """As `leaves`, for the value at a pointer into a row."""
    path: Leaf = ()
    columns, column = contract.columns, contract.columns[0]
    steps = [step.replace("~1", "/").replace("~0", "~") for step in pointer.split("/")[1:]]
    for step in steps:
        if column.kind is Kind.LIST and path:
            column = column.children[0]
            columns = column.children
            continue
        if column.kind is Kind.MAP and path:
            column = column.children[0]
        else:
            column = next(found for found in columns if found.name == step)
            columns = column.children
        path = (*path, step)
    return _leaves(value, column, path)


@settings(deadline=None)
@given(answers=SEVERAL, planted=st.integers(0, 4))
def test_a_planted_conflict_is_told_with_its_chunk(
    contract: Contract, answers: list[dict[str, Any]], planted: int
) -> None:
    answers = [{**answer, "people": [{"id": "seven", "name": "Mae"}]} for answer in answers]
    planted %= len(answers)
    answers[planted] = {**answers[planted], "people": [{"id": "other"}, {"id": "SEVEN", "name": "May Jane"}]}
    told = [c for c in merge_records(records(*answers), contract).conflicts if c.pointer.startswith("/people/")]
    others = [index for index in range(len(answers)) if index != planted]
    assert [(c.kept, c.lost, c.chunk_index) for c in told] == [("May Jane", "Mae", index) for index in others]


@settings(deadline=None)
@given(answers=SEVERAL)
def test_every_merged_row_fits_its_table(contract: Contract, answers: list[dict[str, Any]]) -> None:
    assert to_arrow([merged(contract, *answers)], contract.columns).num_rows == 1


def test_a_value_made_of_several_that_says_nothing_is_none(contract_of: Callable[..., Contract]) -> None:
    contract = contract_of(
        {"text": {"type": "string", "x-merge": "reduce"}, "tags": {"type": "array", "x-merge": "reduce"}}
    )
    found = merge_records(records({"text": "a", "tags": [1]}, {"text": "b"}), contract, {"text": " ", "tags": []})
    assert found.values == {"text": "a", "tags": [1]}
    assert [conflict.lost for conflict in found.conflicts] == ["b"]


@pytest.mark.parametrize("under", ["entries", "unnamed"])
def test_many_names_take_time_in_proportion(contract_of: Callable[..., Contract], under: str) -> None:
    contract = contract_of({"entries": {"type": "object", "additionalProperties": {"type": "integer"}}})
    answers = [{f"k{i}-{j}": j for j in range(50)} for i in range(400)]
    started = time.monotonic()
    row = merged(contract, *({"entries": each} if under == "entries" else each for each in answers))
    assert len(row["entries"] or {}) + len(row) == 20_001
    assert time.monotonic() - started < 20, "once for each name and each answer it would be minutes"


@given(st.lists(st.sampled_from("ab"), max_size=8), st.lists(st.sampled_from("ab"), max_size=8))
def test_what_one_chunk_ends_with_and_the_next_begins_with_stands_once(before: list[str], after: list[str]) -> None:
    column = Column("l", Kind.LIST, children=(Column("", Kind.STRING),), merge="concat")
    n_shared = max(n for n in range(min(len(before), len(after)) + 1) if before[len(before) - n :] == after[:n])
    found = choose(Policy.CONCAT, [Found(list(before), 0, ""), Found(list(after), 1, "")], column)
    assert found == before + after[n_shared:]


def test_long_lists_that_almost_overlap_take_time_in_proportion() -> None:
    column = Column("l", Kind.LIST, children=(Column("", Kind.STRING),), merge="concat")
    found = [Found(["x"] * 50_000 + ["y"] * i, i, "") for i in range(2)]
    started = time.monotonic()
    assert choose(Policy.CONCAT, found, column) == ["x"] * 50_000 + ["y"]
    assert choose(Policy.CONCAT, [Found(["x"] * 50_000 + ["y"], 0, ""), found[1]], column) is not None
    assert time.monotonic() - started < 5
