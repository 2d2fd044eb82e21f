"""What a schema says by its own keywords: which types it speaks of, and which keywords the normal form carries."""

from __future__ import annotations

import re
from types import NoneType

from pipeline.errors import SchemaError
from pipeline.schema.intersect import Schema
from pipeline.schema.references import Place

KEYWORDS: dict[str, tuple[str, ...]] = {
    "object": (
        "properties",
        "required",
        "additionalProperties",
        "patternProperties",
        "minProperties",
        "maxProperties",
    ),
    "array": ("items", "prefixItems", "minItems", "maxItems"),
    "string": ("minLength", "maxLength", "pattern", "format"),
    "integer": ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"),
    "number": ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"),
    "boolean": (),
    "null": (),
}
"""The keywords of each type that the normal form carries."""
NAMED = ("properties", "patternProperties")
"""Keywords whose schemas have names."""
_JSON_TYPES: dict[type, str] = {
    dict: "object",
    list: "array",
    str: "string",
    int: "integer",
    float: "number",
    bool: "boolean",
    NoneType: "null",
}
_RANGES = (
    ("minLength", "maxLength"),
    ("minItems", "maxItems"),
    ("minProperties", "maxProperties"),
    ("minimum", "maximum"),
)


def declared_types(schema: Schema) -> tuple[str, ...] | None:
    """The types that `type` names, integers only where numbers are not meant; None when there is no `type`."""
    named = schema.get("type")
    if named is None:
        return None
    return (named,) if isinstance(named, str) else tuple(n for n in named if n != "integer" or "number" not in named)


def types_of(node: Schema) -> tuple[str, ...] | None:
    """The types that a node allows, in the order of KEYWORDS; None when it allows all."""
    found = _type_set(node)
    if found is None:
        return None
    return tuple(name for name in KEYWORDS if name in found and not (name == "integer" and "number" in found))


def _type_set(node: Schema) -> set[str] | None:
    if "anyOf" in node:
        each = [_type_set(branch) for branch in node["anyOf"]]
        return None if None in each else set().union(*(found for found in each if found))
    if "enum" in node:
        return {_JSON_TYPES[type(value)] for value in node["enum"]}
    return {node["type"]} if "type" in node else None


def name_pattern(names: object) -> str | None:
    """The one pattern that says the same as `propertyNames`; None when there is none so simple."""
    match names:
        case {"pattern": str(pattern), **others} if others.keys() <= {"type"}:
            return pattern
        case {"enum": [*values], **others} if values and others.keys() <= {"type"}:
            return f"^({'|'.join(re.escape(value) for value in values if isinstance(value, str))})$"
        case {"const": str(value), **others} if others.keys() <= {"type"}:
            return f"^{re.escape(value)}$"
    return None


def check_ranges(name: str, place: Place) -> None:
    """Refuse a range of a type that is empty as it is written.

    Raises:
        SchemaError: the lower edge is above the upper one.
    """
    schema = place.schema
    for least, most in _RANGES:
        if {least, most} <= {*KEYWORDS[name]} & schema.keys() and schema[least] > schema[most]:
            raise SchemaError(
                f"at {place.pointer or '/'}: {least} is {schema[least]} and {most} is {schema[most]}: no value fits; "
                "correct one of them"
            )
