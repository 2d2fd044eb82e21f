"""What is as long as its share allows, and what is shorter than its own count."""

import json
from typing import Any

import pytest

from pipeline.answers.complete import find_reached, find_short

SHARED: dict[str, Any] = {"type": "string", "maxLength": 3, "x-share": True}
BOUND: dict[str, Any] = {"type": "string", "maxLength": 3}


def reached(answer: Any, **properties: Any) -> list[str]:
    return find_reached(answer, json.dumps({"type": "object", "properties": properties}))


def test_a_bound_of_ours_is_told_from_one_of_the_user() -> None:
    assert reached({"a": "xyz", "b": "xyz"}, a=SHARED, b=BOUND) == ["/a"]
    assert reached({"a": "xy"}, a=SHARED) == []
    assert reached({"a": "漢漢🎉"}, a=SHARED) == ["/a"]
    assert reached({"a": None}, a={"anyOf": [SHARED, {"type": "null"}]}) == []


@pytest.mark.parametrize(
    ("node", "value", "found"),
    [
        ({"type": "array", "items": {}, "maxItems": 2, "x-share": True}, [1, 2], ["/a"]),
        ({"type": "array", "items": {}, "maxItems": 2, "x-share": True}, [1], []),
        ({"type": "array", "items": {}, "maxItems": 2}, [1, 2], []),
        ({"type": "array", "items": SHARED, "maxItems": 2}, ["x", "xyz"], ["/a/1"]),
        ({"type": "array", "prefixItems": [BOUND, SHARED], "items": False, "maxItems": 2}, ["xyz", "xyz"], ["/a/1"]),
        ({"type": "object", "patternProperties": {"^.*$": {}}, "maxProperties": 1, "x-share": True}, {"k": 1}, ["/a"]),
        ({"type": "object", "patternProperties": {"^.*$": SHARED}, "maxProperties": 1}, {"k/~": "xyz"}, ["/a/k~1~0"]),
        (
            {"type": "object", "properties": {"b": SHARED}, "additionalProperties": False},
            {"b": "xyz", "c": 1},
            ["/a/b"],
        ),
        ({"anyOf": [{"type": "null"}, SHARED]}, "xyz", ["/a"]),
        ({"anyOf": [BOUND, SHARED]}, "xyz", ["/a"]),
        ({"anyOf": [SHARED, {**SHARED, "maxLength": 2}]}, "xyz", ["/a"]),
        ({"enum": ["xyz"]}, "xyz", []),
        (SHARED, 5, []),
    ],
)
def test_every_kind_of_node(node: dict[str, Any], value: Any, found: list[str]) -> None:
    marked = {"type": "string", "maxLength": 1, "x-share": True}  # no such value: the form is looked at
    assert reached({"a": value}, a=node, z=marked) == found


def test_the_answer_itself_may_be_what_is_full() -> None:
    form = {"type": "array", "items": {}, "maxItems": 1, "x-share": True}
    assert find_reached(["x"], json.dumps(form)) == ["/"]
    assert find_reached(["x"], "{}") == []


def test_a_list_with_fewer_items_than_counted() -> None:
    normal = {"properties": {"a/b": {"type": "array"}, "few": {"type": "array", "maxItems": 2}}}
    assert find_short({"a/b": 3}, {"a/b": [1]}, normal) == ["/a~1b has 1 of 3 items"]
    assert find_short({"a/b": 3}, {"a/b": None}, normal) == ["/a~1b has 0 of 3 items"]
    assert find_short({"a/b": 3}, {}, normal) == ["/a~1b has 0 of 3 items"]
    assert find_short({"a/b": 3}, {"a/b": [1, 2, 3, 4]}, normal) == []
    assert find_short({"few": 9}, {"few": [1, 2]}, normal) == [], "the user wants no more"
    assert find_short({"few": 9}, {"few": [1]}, normal) == ["/few has 1 of 9 items"]
    either = {"properties": {"few": {"anyOf": [{"type": "null"}, {"type": "array", "maxItems": 2}]}}}
    assert find_short({"few": 9}, {"few": [1, 2]}, either) == []
    assert find_short({"few": 9}, {"few": [1]}, either) == ["/few has 1 of 9 items"]
    assert find_short({"a/b": "3"}, {"a/b": []}, normal) == [], "no count"


def test_an_answer_deeper_than_its_form_is_looked_into_as_far_as_that_says_something() -> None:
    deep: Any = []
    for _ in range(5000):
        deep = [deep]
    form = {"properties": {"free": {}, "text": {"type": "string", "maxLength": 2, "x-share": True}}}
    assert find_reached({"free": deep, "text": "ab"}, json.dumps(form)) == ["/text"]
