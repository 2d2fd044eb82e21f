"""Two nodes of the normal form in, one that accepts what both accept out. This is how `allOf` and `$ref` become one.

What one node cannot say is left to the validator: the result then accepts more than both, and the notes tell which
keyword was dropped. See `normal.py` for the normal form.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable
from fractions import Fraction
from typing import Any

from pipeline.schema.exact import FORMATS, ExactValidator
from pipeline.schema.finding import Notes

Schema = dict[str, Any]
"""A JSON Schema object as parsed, keys in the file's order."""

NEVER: Schema = {"enum": []}
"""The node that accepts nothing."""
WHY = "$why"
"""While a normal form is made, a node that accepts nothing says why under this key."""

MAX_BRANCHES = 64
"""Most branches of the product of two unions; the larger one's partner is left to the validator."""

ORIGIN = "$at"
"""While a normal form is made, a node carries the pointers of the schemas it was made from under this key."""
RECURSIVE = "x-recursive"
"""Marks the outermost node of a recursive schema."""


class TooManyBranches(Exception):  # noqa: N818 - caught by the normal form; never an error of a run
    """The product of two unions has more than MAX_BRANCHES branches."""


def describing(schema: Schema) -> Schema:
    """Give the keywords that describe and do not constrain: title, description and everything `x-`."""
    return {key: value for key, value in schema.items() if key in ("title", "description") or key.startswith("x-")}


def never(reason: str) -> Schema:
    """Give the node that accepts nothing, with the reason."""
    return {**NEVER, WHY: reason}


def is_never(node: Schema) -> bool:
    """True when no value can satisfy the node."""
    return node.get("enum") == []


def union(branches: Iterable[Schema]) -> Schema:
    """Give the node that accepts what any branch accepts, without impossible, repeated or nested branches.

    Fixed values of several branches become one enum.
    """
    every = [*branches]
    found: dict[str, Schema] = {}  # by its text: as values, 1 and true would be equal
    values: dict[str, Any] = {}
    for part in (part for branch in every for part in _parts(branch) if not is_never(part)):
        is_enum = "enum" in part and part.keys() <= _PLAIN_ENUM
        if is_enum:
            values |= {repr(value): value for value in part["enum"] if repr(value) not in values}
        found.setdefault("enum" if is_enum else repr(part), part)
    if "enum" in found and len(values) > len(found["enum"]["enum"]):
        found["enum"] = {"enum": [*values.values()]}
    flat = [*found.values()]
    if not flat:
        return dict(every[0]) if every and is_never(every[0]) else dict(NEVER)
    return flat[0] if len(flat) == 1 else {"anyOf": flat}


_PLAIN_ENUM = {"enum", ORIGIN, "title", "description"}


def _parts(branch: Schema) -> list[Schema]:
    mark = {RECURSIVE: True} if branch.get(RECURSIVE) else {}
    return [{**part, **mark} for part in branch.get("anyOf", [branch])]


def intersect(a: Schema, b: Schema, notes: Notes) -> Schema:
    """Give the node that accepts what both accept; annotations of `a` win.

    Args:
        a: The node whose keywords are kept where one node cannot say both.
        b: The other.
        notes: Where it is noted what was left to the validator.

    Raises:
        TooManyBranches: both are unions, and their product has more than MAX_BRANCHES branches.
    """
    described = {**describing(b), **describing(a)}
    return {**_intersect(_bare(a), _bare(b), notes), **described}


def property_of(node: Schema, name: str, notes: Notes) -> Schema:
    """What an object says about one property: its own schema, those of matching patterns, or the one for all others."""
    if name in node.get("properties", {}):
        found: Schema = node["properties"][name]
        return found
    matching = [part for pattern, part in node.get("patternProperties", {}).items() if re.search(pattern, name)]
    result: Schema = matching[0] if matching else node.get("additionalProperties", {})
    for part in matching[1:]:
        result = intersect(result, part, notes)
    return result


def _bare(node: Schema) -> Schema:
    return {key: value for key, value in node.items() if key not in describing(node)}


def _intersect(a: Schema, b: Schema, notes: Notes) -> Schema:
    if not a or not b or ("anyOf" in a and repr(a) == repr(b)):
        return dict(a or b)
    if is_never(a) or is_never(b):
        return dict(a if is_never(a) else b)
    if len(a.get("anyOf", ())) * len(b.get("anyOf", ())) > MAX_BRANCHES:
        raise TooManyBranches
    if "anyOf" in a:
        return union([intersect(branch, b, notes) for branch in a["anyOf"]])
    if "anyOf" in b:
        return union([intersect(a, branch, notes) for branch in b["anyOf"]])
    if "enum" in a or "enum" in b:
        return _fixed(a, b)
    if {a["type"], b["type"]} == {"integer", "number"}:
        a, b = {**a, "type": "integer"}, {**b, "type": "integer"}
    if a["type"] != b["type"]:
        return never(f"at {_places(a, b)}: it must be of type {a['type']} and of type {b['type']}")
    merged = _MERGED[a["type"]](a, b, notes) if a["type"] in _MERGED else _merge_keywords(a, b, notes)
    return {**merged, ORIGIN: tuple(dict.fromkeys((*a.get(ORIGIN, ()), *b.get(ORIGIN, ()))))}


def _fixed(a: Schema, b: Schema) -> Schema:
    """Keep the values of an enum that the other node accepts; numbers by value, and 1 is not true."""
    values, other = (a["enum"], b) if "enum" in a else (b["enum"], a)
    bare = {key: value for key, value in other.items() if key != ORIGIN}
    accepts = ExactValidator(bare, format_checker=FORMATS)
    left = [value for value in values if accepts.is_valid(value)]
    return {"enum": left} if left else never(f"at {_places(a, b)}: no value of its enum or const fits the rest of it")


def _places(a: Schema, b: Schema) -> str:
    found = dict.fromkeys((*a.get(ORIGIN, ()), *b.get(ORIGIN, ())))
    return " and ".join(pointer or "/" for pointer in found) or "/"


def _merge_keywords(a: Schema, b: Schema, notes: Notes) -> Schema:
    """Join the keywords of two nodes of one type."""
    merged = dict(a)
    for keyword, value in b.items():
        if keyword not in merged or merged[keyword] == value:
            merged[keyword] = value
        elif keyword in _TIGHTEST:
            merged[keyword] = _TIGHTEST[keyword](merged[keyword], value)
        elif keyword != ORIGIN:
            reason = f"another {keyword} holds for the same value, and the grammar takes one; checked afterwards"
            notes.leave(b.get(ORIGIN, ()), keyword, reason)
    return merged


def _merge_array(a: Schema, b: Schema, notes: Notes) -> Schema:
    own = ("items", "prefixItems")
    merged = _merge_keywords(_without(a, own), _without(b, own), notes)
    n_first = max(len(a.get("prefixItems", ())), len(b.get("prefixItems", ())))
    if n_first:
        merged["prefixItems"] = [intersect(_item(a, i), _item(b, i), notes) for i in range(n_first)]
    if "items" in a or "items" in b:
        merged["items"] = intersect(a.get("items", {}), b.get("items", {}), notes)
    return merged


def _item(node: Schema, index: int) -> Schema:
    first = node.get("prefixItems", ())
    found: Schema = first[index] if index < len(first) else node.get("items", {})
    return found


def _merge_object(a: Schema, b: Schema, notes: Notes) -> Schema:
    own = ("properties", "required", "additionalProperties", "patternProperties")
    merged = _merge_keywords(_without(a, own), _without(b, own), notes)
    names = dict.fromkeys([*a.get("properties", {}), *b.get("properties", {})])
    properties = {name: intersect(property_of(a, name, notes), property_of(b, name, notes), notes) for name in names}
    required = list(dict.fromkeys([*a.get("required", ()), *b.get("required", ())]))
    patterns = _patterns(a, b, notes)
    extra = intersect(a.get("additionalProperties", {}), b.get("additionalProperties", {}), notes)
    return {
        **merged,
        **({"properties": properties} if "properties" in a or "properties" in b else {}),
        **({"required": required} if required else {}),
        **({"patternProperties": patterns} if patterns else {}),
        **({"additionalProperties": extra} if extra else {}),
    }


def _patterns(a: Schema, b: Schema, notes: Notes) -> Schema:
    """Join `patternProperties`: a name that matches patterns of both sides is held to those of one side only."""
    left, right = a.get("patternProperties", {}), b.get("patternProperties", {})
    if left and right and left.keys() != right.keys():
        reason = "other patterns hold for the same object, and the grammar takes one at a time; checked afterwards"
        notes.leave(b.get(ORIGIN, ()), "patternProperties", reason)
        notes.leave((*a.get(ORIGIN, ()), *b.get(ORIGIN, ())), "additionalProperties", reason)
    found: Schema = {}
    for pattern in dict.fromkeys([*left, *right]):
        rest_a = {} if left else a.get("additionalProperties", {})
        rest_b = {} if right else b.get("additionalProperties", {})
        found[pattern] = intersect(left.get(pattern, rest_a), right.get(pattern, rest_b), notes)
    return found


def _without(node: Schema, keywords: tuple[str, ...]) -> Schema:
    return {key: value for key, value in node.items() if key not in keywords}


def _common_multiple(a: float, b: float) -> float:
    """The smallest number that is a multiple of both; exact for decimals."""
    x, y = Fraction(repr(a)), Fraction(repr(b))
    both = Fraction(math.lcm(x.numerator, y.numerator), math.gcd(x.denominator, y.denominator))
    return both.numerator if both.denominator == 1 else float(both)


_MERGED: dict[str, Callable[[Schema, Schema, Notes], Schema]] = {"object": _merge_object, "array": _merge_array}

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
    "multipleOf": _common_multiple,
}
