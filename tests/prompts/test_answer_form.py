"""What the model is told of the fields."""

from typing import Any

from pipeline.prompts.answer_form import MAX_VALUES, describe_answer


def said(**properties: Any) -> str:
    lead = "Answer with a JSON object with these fields: "
    sentence = describe_answer({"type": "object", "properties": properties})
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
