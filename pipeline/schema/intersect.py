"""Two nodes of the normal form in, one that accepts what both accept out. This is how `allOf` and `$ref` become one.

See `normal.py` for the normal form.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from jsonschema import Draft202012Validator

from pipeline.errors import SchemaError

Schema = dict[str, Any]
"""A JSON Schema object as parsed, keys in the file's order."""

NEVER: Schema = {"enum": []}
"""The node that accepts nothing."""

MAX_BRANCHES = 256
"""Most branches of one union: products of `anyOf` beyond this are refused."""


def describing(schema: Schema) -> Schema:
    """Give the keywords that describe and do not constrain: title, description and everything `x-`."""
    return {key: value for key, value in schema.items() if key in ("title", "description") or key.startswith("x-")}


def is_never(node: Schema) -> bool:
    """True when no value can satisfy the node."""
    return node.get("enum") == []


def union(branches: Iterable[Schema]) -> Schema:
    """Give the node that accepts what any branch accepts, without impossible, repeated or nested branches."""
    flat: list[Schema] = []
    for branch in branches:
        parts = branch.get("anyOf", [branch])
        flat += [part for part in parts if not is_never(part) and part not in flat]
    if len(flat) > MAX_BRANCHES:
        raise SchemaError(f"a union of {len(flat)} branches; at most {MAX_BRANCHES} are supported. Make it simpler")
    if not flat:
        return dict(NEVER)
    return flat[0] if len(flat) == 1 else {"anyOf": flat}


def intersect(a: Schema, b: Schema, pointer: str) -> Schema:
    """Give the node that accepts what both accept; annotations of `a` win.

    Raises:
        SchemaError: both set a keyword (pattern, format, ...) in a way that one node cannot say.
    """
    notes = {**describing(b), **describing(a)}
    left, right = _bare(a), _bare(b)
    return {**_intersect(left, right, pointer), **notes}


def _bare(node: Schema) -> Schema:
    return {key: value for key, value in node.items() if key not in describing(node)}


def _intersect(a: Schema, b: Schema, pointer: str) -> Schema:
    if not a or not b or a == b:
        return dict(a or b)
    if "anyOf" in a:
        return union(intersect(branch, b, pointer) for branch in a["anyOf"])
    if "anyOf" in b:
        return union(intersect(a, branch, pointer) for branch in b["anyOf"])
    if "enum" in a or "enum" in b:
        values, other = (a["enum"], b) if "enum" in a else (b["enum"], a)
        check = Draft202012Validator(other)
        return {"enum": [value for value in values if check.is_valid(value)]}
    if {a["type"], b["type"]} == {"integer", "number"}:
        a, b = {**a, "type": "integer"}, {**b, "type": "integer"}
    if a["type"] != b["type"]:
        return dict(NEVER)
    return _merge_object(a, b, pointer) if a["type"] == "object" else _merge_keywords(a, b, pointer)


def _merge_keywords(a: Schema, b: Schema, pointer: str) -> Schema:
    """Join the keywords of two nodes of one type."""
    merged = dict(a)
    for keyword, value in b.items():
        if keyword not in merged or merged[keyword] == value:
            merged[keyword] = value
        elif keyword in _TIGHTEST:
            merged[keyword] = _TIGHTEST[keyword](merged[keyword], value)
        elif keyword == "items":
            merged[keyword] = intersect(merged[keyword], value, pointer)
        else:
            raise SchemaError(
                f"at {pointer or '/'}: two parts that must both hold (allOf, or $ref with keywords beside it) set "
                f"{keyword!r} differently, and no single schema says that; write one that means both"
            )
    if "prefixItems" in merged and ("items" in a) != ("items" in b):
        raise SchemaError(
            f"at {pointer or '/'}: 'prefixItems' and 'items' come from different parts; write them together"
        )
    return merged


def _merge_object(a: Schema, b: Schema, pointer: str) -> Schema:
    properties: Schema = {}
    for name in [*a.get("properties", {}), *b.get("properties", {})]:
        if name not in properties:
            properties[name] = intersect(_property(a, name), _property(b, name), pointer)
    required = [*a.get("required", ()), *(name for name in b.get("required", ()) if name not in a.get("required", ()))]
    if any(name in required and is_never(part) for name, part in properties.items()):
        return dict(NEVER)
    simple = ("properties", "required", "additionalProperties")
    merged = _merge_keywords(
        {key: value for key, value in a.items() if key not in simple},
        {key: value for key, value in b.items() if key not in simple},
        pointer,
    )
    extra = intersect(a.get("additionalProperties", {}), b.get("additionalProperties", {}), pointer)
    return {
        **merged,
        **({"properties": {k: v for k, v in properties.items() if not is_never(v)}} if properties else {}),
        **({"required": required} if required else {}),
        **({"additionalProperties": extra} if extra else {}),
    }


def _property(node: Schema, name: str) -> Schema:
    """What a node says about one property: its own schema, or the one for all others."""
    found: Schema = node.get("properties", {}).get(name, node.get("additionalProperties", {}))
    return found


_TIGHTEST: dict[str, Callable[[Any, Any], Any]] = {
    "minimum": max,
    "exclusiveMinimum": max,
    "minLength": max,
    "minItems": max,
    "minProperties": max,
    "maximum": min,
    "exclusiveMaximum": min,
    "maxLength": min,
    "maxItems": min,
    "maxProperties": min,
}
