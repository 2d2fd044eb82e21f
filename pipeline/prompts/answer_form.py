"""A schema in, a sentence out that tells the model which fields to fill.

The grammar enforces the schema; this only says what the fields mean. A sentence, and not the schema itself: in a small
trial with the embedded 135M model (16 facts in three short documents, each variant once) a sentence found 9, a list of
bullets 8, instructions alone 7, the JSON Schema 4. No larger model was tried.
"""

from __future__ import annotations

from collections.abc import Collection

from pipeline.schema.citing import CITED, QUOTE, is_cited, value_name
from pipeline.schema.intersect import Schema

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
QUOTE_WISH = f'Each "{QUOTE}" holds the words of the document that say what stands beside it, letter by letter.'
"""One short sentence: with a longer one and a mark at each field, the embedded model quoted less that is there."""
_WHOLE = {"array": "a JSON list", "object": "a JSON object"}


def describe_answer(normal: Schema, counted: Collection[str] = (), *, is_wrapped: bool = False) -> str:
    """Name the fields of an answer, with their descriptions and what form they have.

    Example:
        "Answer with a JSON object with these fields: landlord (who owns the house), rent (a number),
        parties (a list; each with: name, role (one of: landlord, tenant))."

    Args:
        normal: The normal form of a schema, with quotes where it asks for them; its top level is an object with
            properties.
        counted: Lists of which the answer first says how many items there are.
        is_wrapped: Whether the answer is not the object itself, but the value of its one property.
    """
    wish = f" {QUOTE_WISH}" if is_cited(normal) else ""
    if is_wrapped:
        return f"Answer with {_described_value(normal['properties']['value'])}.{wish}"
    fields = []
    for name, node in normal["properties"].items():
        if name in counted:
            fields.append(f"_n_{name} (how many {name} there are in this part of the document, a whole number)")
        fields.append(_field(name, node, MAX_DEPTH))
    return f"Answer with a JSON object with these fields: {', '.join(fields)}.{wish}"


def _described_value(node: Schema) -> str:
    """A whole answer that is no object of fixed fields."""
    if "anyOf" in node:
        kinds = [_described_value(branch) for branch in node["anyOf"] if branch.get("type") != "null"]
        return " or ".join(dict.fromkeys(kinds)) or "null"
    details = "; ".join(filter(None, (_described(node), _form(node, MAX_DEPTH).removeprefix("a list; "))))
    if "enum" in node or node.get("type") not in _WHOLE:
        return f"a JSON value ({details})" if details else "a JSON value"
    if node.get("properties"):
        return f"a JSON object with these fields: {_fields(node, MAX_DEPTH)}"
    return f"{_WHOLE[node['type']]}; {details}" if details not in ("", "a list") else _WHOLE[node["type"]]


def _fields(node: Schema, depth: int) -> str:
    return ", ".join(_field(name, part, depth) for name, part in node.get("properties", {}).items())


def _field(name: str, node: Schema, depth: int) -> str:
    details = "; ".join(filter(None, (_described(node), _form(node, depth))))
    return f"{name} ({details})" if details else name


def _described(node: Schema) -> str:
    if node.get(CITED) is True:
        return _described(node["properties"][value_name(node)])
    return " ".join(str(node.get("description", "")).split()).rstrip(".")


def _form(node: Schema, depth: int) -> str:
    """What a value looks like; empty for text, which needs no words."""
    if node.get(CITED) is True:
        return _form(node["properties"][value_name(node)], depth)
    if "enum" in node:
        values = [str(value) for value in node["enum"] if value is not None]
        return "one of: " + ", ".join(values[:MAX_VALUES]) if values else ""
    if "anyOf" in node:
        forms = [_form(branch, depth) for branch in node["anyOf"] if branch.get("type") != "null"]
        return " or ".join(dict.fromkeys(filter(None, forms)))
    if node.get("properties"):
        return f"with: {_fields(node, depth - 1)}" if depth > 1 else ""
    if node.get("type") == "object":
        return _entries(node, depth)
    if node.get("type") == "array":
        each = node.get("items", {})
        details = ", ".join(filter(None, (_described(each), _form(each, depth))))
        return f"a list; each {details}" if details else "a list"
    return _WORDS.get(node.get("format", ""), _WORDS.get(node.get("type", ""), ""))


def _entries(node: Schema, depth: int) -> str:
    """A map: what its values are, where they are all alike."""
    kinds = [*node.get("patternProperties", {}).values(), node.get("additionalProperties", {})]
    kinds = [kind for kind in kinds if kind and kind != {"enum": []}]
    if len(kinds) != 1:
        return ""
    details = ", ".join(filter(None, (_described(kinds[0]), _form(kinds[0], depth))))
    return f"names and values; each value {details}" if details else "names and values"
