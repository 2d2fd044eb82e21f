"""A schema in, a sentence out that tells the model which fields to fill.

The grammar enforces the schema; this only says what the fields mean. A sentence, and not the schema itself: in a small
trial with the embedded 135M model (16 facts in three short documents, each variant once) a sentence found 9, a list of
bullets 8, instructions alone 7, the JSON Schema 4. No larger model was tried.
"""

from __future__ import annotations

from typing import Any

from pipeline.schema.normal import normalise

MAX_DEPTH = 4
"""Objects inside objects that are described; deeper ones are only named."""
MAX_VALUES = 30
"""Values of an enum that are listed."""
_WORDS = {
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
    "date": "YYYY-MM-DD",
    "date-time": "YYYY-MM-DDThh:mm:ssZ",
    "time": "hh:mm:ss",
}


def describe_answer(schema: dict[str, Any]) -> str:
    """Name the fields of an answer, with their descriptions and what form they have.

    Example:
        "Answer with a JSON object with these fields: landlord (who owns the house), rent (a number),
        parties (a list; each with: name, role (one of: landlord, tenant))."

    Args:
        schema: The user's JSON Schema, whose top level is an object with properties.

    Raises:
        SchemaError: The schema has no normal form.
    """
    return f"Answer with a JSON object with these fields: {_fields(normalise(schema), MAX_DEPTH)}."


def _fields(node: dict[str, Any], depth: int) -> str:
    return ", ".join(_field(name, part, depth) for name, part in node.get("properties", {}).items())


def _field(name: str, node: dict[str, Any], depth: int) -> str:
    details = "; ".join(filter(None, (_described(node), _form(node, depth))))
    return f"{name} ({details})" if details else name


def _described(node: dict[str, Any]) -> str:
    return " ".join(str(node.get("description", "")).split()).rstrip(".")


def _form(node: dict[str, Any], depth: int) -> str:
    """What a value looks like; empty for text, which needs no words."""
    if "enum" in node:
        values = [str(value) for value in node["enum"] if value is not None]
        return "one of: " + ", ".join(values[:MAX_VALUES]) if values else ""
    if "anyOf" in node:
        forms = [_form(branch, depth) for branch in node["anyOf"] if branch.get("type") != "null"]
        return " or ".join(dict.fromkeys(filter(None, forms)))
    if node.get("properties"):
        return f"with: {_fields(node, depth - 1)}" if depth > 1 else ""
    if node.get("type") == "array":
        each = node.get("items", {})
        details = ", ".join(filter(None, (_described(each), _form(each, depth))))
        return f"a list; each {details}" if details else "a list"
    return _WORDS.get(node.get("format", ""), _WORDS.get(node.get("type", ""), ""))
