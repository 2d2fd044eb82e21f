"""What is whole in a cut answer: complete properties, complete items, and nothing else."""

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.answers.read import Answer
from pipeline.answers.salvage import salvage
from pipeline.answers.validate import parse_answer
from pipeline.schema.load import Contract, load_contract

LINE = {
    "type": "object",
    "properties": {"n": {"type": "integer"}, "tags": {"type": "array", "items": {"type": "string"}}},
    "required": ["n"],
}
PROPERTIES: dict[str, Any] = {
    "title": {"type": "string"},
    "lines": {"type": "array", "items": LINE, "x-count-first": True},
    "note": {"type": ["string", "null"]},
    "names": {"type": "array", "items": {"type": "string"}},
}
WHOLE: dict[str, Any] = {
    "title": 'A "quoted" \\ title',
    "_n_lines": 3,
    "lines": [{"n": 1, "tags": ["x"]}, {"n": 2}, {"n": 3, "tags": []}],
    "note": "so, [it] {was}",
    "names": ["Ann", "Bo"],
}


@pytest.fixture(scope="session")
def contract(contract_of: Callable[..., Contract]) -> Contract:
    return contract_of(PROPERTIES, required=["title", "lines", "note", "names"])


def saved(text: str, contract: Contract) -> dict[str, Any] | None:
    found = salvage(text, contract)
    return None if found is None else found.values


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ('{"title": "A", "lines": [{"n": 1}, {"n": 2}, {"n"', {"lines": [{"n": 1}, {"n": 2}]}),
        ('{"title": "A", "lines": [{"n": 1}, {"n": 2}', {"lines": [{"n": 1}, {"n": 2}]}),
        ('{"title": "A", "lines": [{"n": 1}, {"n": 2, "tags": ["x"', {"lines": [{"n": 1}]}),
        ('{"title": "A", "lines": [{"n": 1}], "note": "half a not', {"lines": [{"n": 1}]}),
        ('{"title": "A", "lines": [{"n": 1}], "note": "all", "na', {"lines": [{"n": 1}], "note": "all"}),
        ('{"title": "A", "lines": [], "note": null, "names": ["Ann", "B', {"names": ["Ann"]}),
        ('{"title": "A", "_n_lines": 7, "lines": [{"n": 1}, {"n": 12', {"lines": [{"n": 1}]}),
        ('{"title": "A", ', {}),
        ('{"title": "A"', {}),
        ('{"title":"A","lines":[{"n":1},', {"lines": [{"n": 1}]}),
    ],
)
def test_what_is_whole_is_kept_and_what_may_be_nothing_is_filled(
    contract: Contract, text: str, values: dict[str, Any]
) -> None:
    assert saved(text, contract) == {"title": "A", "lines": [], "note": None, "names": [], **values}


@pytest.mark.parametrize(
    "text",
    ["", "{", '{"title"', '{"title": "A', '{"lines": [{"n": 1}], ', "Sorry, I can", "[[[", "}", '"title": 5', "]{"],
)
def test_what_gives_nothing(contract: Contract, text: str) -> None:
    assert saved(text, contract) is None


def test_a_number_at_the_end_may_lack_digits(contract_of: Callable[..., Contract]) -> None:
    contract = contract_of({"a": {"type": "array", "items": {"type": "number"}}})
    assert saved('{"a": [1, 2, 3', contract) == {"a": [1, 2]}
    assert saved('{"a": [1, 2, 3 ', contract) == {"a": [1, 2, 3]}
    assert saved('{"a": [true, 1', contract) is None
    assert saved('{"a": [1, nul', contract) == {"a": [1]}


def test_items_deeper_in_objects_are_kept_and_objects_in_lists_must_be_whole(
    contract_of: Callable[..., Contract],
) -> None:
    inner = {"type": "object", "properties": {"b": {"type": "array", "items": {"type": "array"}}, "c": {}}}
    contract = contract_of({"a": inner})
    assert saved('{"a": {"b": [[1], [2, 3], [4', contract) == {"a": {"b": [[1], [2, 3]]}}
    assert saved('{"a": {"b": [[1]], "c": {"d": [', contract) == {"a": {"b": [[1]]}}


def test_a_list_that_is_the_answer(tmp_path: Path) -> None:
    path = tmp_path / "names.json"
    path.write_text(json.dumps({"type": "array", "items": {"type": "string"}, "minItems": 2}))
    contract = load_contract(path, 512)
    assert saved('["a", "b", "c', contract) == {"value": ["a", "b"]}
    assert saved('["a", "b', contract) is None, "the schema wants two"


def test_when_the_items_break_the_schema_the_properties_before_them_are_kept(
    contract_of: Callable[..., Contract],
) -> None:
    unique = {"type": "array", "items": {"type": "integer"}, "uniqueItems": True}
    contract = contract_of({"title": {"type": "string"}, "lines": unique}, required=["title", "lines"])
    assert saved('{"title": "A", "lines": [1, 1, 2', contract) == {"title": "A", "lines": []}


def test_wherever_it_is_cut_what_comes_out_is_a_part_of_the_whole(contract: Contract) -> None:
    text = json.dumps(WHOLE)
    whole = parse_answer(text, contract)
    assert isinstance(whole, dict)
    for end in range(len(text)):
        found = saved(text[:end], contract)
        assert (found is None) == (end < text.index(', "_n_lines"')), text[:end]
        if found is None:
            continue
        assert found["title"] == WHOLE["title"]
        for name in ("lines", "names"):
            assert found[name] == whole[name][: len(found[name])]  # type: ignore[index]
        assert found["note"] in (None, WHOLE["note"])
        n_whole = sum(f"{json.dumps(line)}" in text[:end] for line in WHOLE["lines"])
        assert len(found["lines"]) == n_whole


@settings(deadline=None)
@given(st.text(st.sampled_from('{}[]",:\\ 1ntule.e-'), max_size=60))
def test_no_text_makes_it_raise(contract: Contract, text: str) -> None:
    assert isinstance(salvage(text, contract), Answer | None)


@pytest.mark.parametrize(
    "text",
    [
        "[" * 300_000,
        '{"a":' * 100_000,
        '"' * 1_000_000,
        '{"title": "' + "\\" * 1_000_000,
        '{"title": "A", "lines": [' + '{"n": 1}, ' * 3_000,
        "1" * 1_000_000,
        " " * 1_000_000 + "{",
        '{"title": "A", "lines": ' + "[" * 300_000,
    ],
)
def test_hostile_text_takes_no_time(contract: Contract, text: str) -> None:
    began = time.process_time()
    salvage(text, contract)
    assert time.process_time() - began < 4
