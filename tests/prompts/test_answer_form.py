"""What the model is told of the fields."""

from typing import Any

import pytest

from pipeline.prompts.answer_form import MAX_VALUES, describe_answer
from pipeline.schema.normal import normalise


def said(**properties: Any) -> str:
    lead = "Answer with a JSON object with these fields: "
    sentence = describe_answer(normalise({"type": "object", "properties": properties}))
    assert sentence.startswith(lead)
    return sentence.removeprefix(lead)


def test_the_example_of_the_docstring() -> None:
    party = {
        "type": "object",
        "properties": {"name": {"type": "string"}, "role": {"enum": ["landlord", "tenant"]}},
        "required": ["name"],
    }
    assert (
        said(
            landlord={"type": "string", "description": "who owns\n the house."},
            rent={"type": "number"},
            parties={"type": "array", "items": {"$ref": "#/properties/one"}, "maxItems": 3},
            one=party,
        )
        == "landlord (who owns the house), rent (a number), parties (a list; each with: name, role (one of: landlord, "
        "tenant)), one (with: name, role (one of: landlord, tenant))."
    )


def test_every_form() -> None:
    assert said(a={"type": ["integer", "null"]}, b={"type": "boolean"}) == "a (a whole number), b (true or false)."
    assert said(a={"type": ["string", "null"], "format": "date"}) == "a (YYYY-MM-DD)."
    assert said(a={"type": "array", "items": {"type": "string"}}, b={}) == "a (a list), b."
    assert said(a={"anyOf": [{"type": "integer"}, {"type": "boolean"}]}) == "a (a whole number or true or false)."
    assert said(a={"enum": [1, None]}) == "a (one of: 1)."
    assert said(a={"type": "array", "items": {"type": "number", "description": "euros"}}) == (
        "a (a list; each euros, a number)."
    )


def test_what_is_very_long_or_deep_is_cut_short() -> None:
    assert said(a={"enum": [f"v{index}" for index in range(500)]}).count("v") == MAX_VALUES
    node: dict[str, Any] = {"type": "string"}
    for _ in range(20):
        node = {"type": "object", "properties": {"x": node}}
    assert said(a=node) == "a (with: x (with: x (with: x)))."


def test_a_map_is_names_and_values() -> None:
    assert said(a={"type": "object", "additionalProperties": {"type": "number", "description": "euros"}}) == (
        "a (names and values; each value euros, a number)."
    )
    assert said(a={"type": "object", "additionalProperties": {"type": "string"}}) == "a (names and values)."
    assert said(a={"type": "object"}) == "a."


def test_a_counted_list_has_its_count_before_it() -> None:
    node = {"type": "object", "properties": {"day": {}, "lines": {"type": "array", "items": {"type": "string"}}}}
    assert describe_answer(normalise(node), ["lines"]) == (
        "Answer with a JSON object with these fields: day, _n_lines (how many lines there are in this part of the "
        "document, a whole number), lines (a list)."
    )


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ({"type": "array", "items": {"type": "object", "properties": {"a": {}}}}, "a JSON list; each with: a"),
        ({"type": "array", "description": "All names."}, "a JSON list; All names; a list"),
        ({"type": "array"}, "a JSON list"),
        ({"type": "number"}, "a JSON value (a number)"),
        ({"type": "string"}, "a JSON value"),
        ({"enum": ["yes", "no"]}, "a JSON value (one of: yes, no)"),
        (
            {"type": "object", "additionalProperties": {"type": "integer"}},
            "a JSON object; names and values; each value a whole number",
        ),
        (
            {
                "anyOf": [
                    {"type": "object", "properties": {"a": {}}},
                    {"type": "object", "properties": {"b": {"type": "integer"}}},
                ]
            },
            "a JSON object with these fields: a or a JSON object with these fields: b (a whole number)",
        ),
        ({"type": ["null", "boolean"]}, "a JSON value (true or false)"),
        ({}, "a JSON value"),
    ],
)
def test_an_answer_that_is_no_object(answer: dict[str, Any], words: str) -> None:
    wrapped = {"type": "object", "properties": {"value": normalise(answer)}}
    assert describe_answer(wrapped, is_wrapped=True) == f"Answer with {words}."
