"""One decoder form: the normal form and what unbounded parts get in, every part bounded out. See `decoder`."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import lru_cache
from math import floor

from pipeline.schema.citing import IS_QUOTE, QUOTE_LENGTH
from pipeline.schema.grammar import MOST_LEAST, enforceable_text, grammar_error, text_limits
from pipeline.schema.intersect import NEVER, Schema, is_never, union
from pipeline.schema.lark import FREE_KEY
from pipeline.schema.moments import MOMENTS
from pipeline.schema.number_text import n_decimals, read_grid


@dataclass(frozen=True, slots=True)
class Bounds:
    """What unbounded parts get.

    Attributes:
        length: Characters of a string.
        n_items: Items of a list, entries of a map.
    """

    length: int
    n_items: int


KEY_LENGTH = 64
"""Characters of a map's key, at most."""
MOST_ITEMS = 10_000
"""Bounds of lists and maps beyond this are cut to it."""
MOST_CHARACTERS = 1_000_000
"""Bounds of strings beyond this are cut to it."""
LARGEST = 10**15
"""Numbers without a bound are at most this far from 0: every integer up to here is exact in a double."""
LARGEST_BOUND = 10**19
"""Bounds of the user beyond this are cut to it; no 64-bit integer is."""
N_DECIMALS = 6
"""Decimals of a number whose schema has no multipleOf; more when its bounds have more."""
MAX_DECIMALS = 20
"""Decimals that a number has at most."""
FORMAT_LENGTHS = {"duration": 32, "ipv6": 45}
"""Characters of formats that have a natural length which llguidance does not prove."""
LONGEST_NAMES = {"hostname": 253, "email": 254}
"""Characters that the text of a format has at most, which llguidance does not know."""
COUNT_PREFIX = "_n_"
"""Begins the name of the property in which the model says how many items it sees."""
COUNT_FACTOR = 4
"""The model may count this many times the items that its list can have."""


def build_bounded(normal: Schema, bounds: Bounds) -> Schema:
    """Give the decoder form with certain shares, not yet as text; counts stand before the lists that want them."""
    bounded = _bounded(normal, bounds)
    counted = counted_lists(normal)
    if not counted or is_never(bounded):
        return bounded
    properties: Schema = {}
    for name, part in bounded["properties"].items():
        if name in counted:
            most = max(branch["maxItems"] for branch in part.get("anyOf", [part]) if "maxItems" in branch)
            properties[COUNT_PREFIX + name] = {"type": "integer", "minimum": 0, "maximum": COUNT_FACTOR * most}
        properties[name] = part
    names = [name for name in properties if name in bounded["required"] or name not in bounded["properties"]]
    return {**bounded, "properties": properties, "required": names}


def counted_lists(normal: Schema) -> tuple[str, ...]:
    """Give the top-level lists with `x-count-first: true`, of which the model first says how many items it sees."""
    return tuple(
        name
        for name, part in normal.get("properties", {}).items()
        if part.get("x-count-first") is True and any(_is_list(branch) for branch in part.get("anyOf", [part]))
    )


def _is_list(node: Schema) -> bool:
    return node.get("type") == "array" and "prefixItems" not in node and not is_never(node.get("items", {}))


def _bounded(node: Schema, bounds: Bounds) -> Schema:
    if "anyOf" in node:
        return union(_bounded(branch, bounds) for branch in node["anyOf"])
    if "enum" in node:
        return {"enum": node["enum"]}
    match node.get("type"):
        case "string":
            return _string(node, bounds)
        case "integer" | "number":
            return _number(node)
        case "array":
            return _array(node, bounds)
        case "object":
            return _object(node, bounds)
        case None:
            return _anything(bounds)
        case simple:
            return {"type": simple}


def _string(node: Schema, bounds: Bounds) -> Schema:
    if node.get(IS_QUOTE) is True:
        return {**node, "maxLength": min(bounds.length, QUOTE_LENGTH)}
    kept = enforceable_text(node)
    least, share = node.get("minLength", 0), bounds.length
    lengths = {"minLength": least} if least else {}
    ends = [node["maxLength"]] if "maxLength" in node else []
    if "pattern" not in kept and kept.get("format") in MOMENTS:
        ends.append(max(MOMENTS[kept["format"]].lengths))
    elif kept:
        limits = text_limits(kept)
        if limits.least > MOST_LEAST:
            kept = {}
        else:
            share = max(share, limits.least)
            ends += [length for length in (limits.most, FORMAT_LENGTHS.get(kept.get("format", ""))) if length]
    if longest := LONGEST_NAMES.get(kept.get("format", "")):
        share, ends = min(share, longest), [min(end, longest) for end in ends]
    share = max(share, least)
    most = min([*ends, MOST_CHARACTERS]) if ends else min(share, MOST_CHARACTERS)
    mark = {} if ends and min(ends) <= MOST_CHARACTERS else {"x-share": True}
    if kept and least:  # together with a length it can be too much for llguidance
        kept = enforceable_text({**kept, **lengths, "maxLength": most})
    return {"type": "string", **lengths, "maxLength": most, **kept, **mark}


def _number(node: Schema) -> Schema:
    """Give a range and a step; a step that no grammar can say becomes the decimals it has."""
    low, low_open = _edge(node, "minimum", -LARGEST)
    high, high_open = _edge(node, "maximum", LARGEST)
    if low > high and "maximum" not in node and "exclusiveMaximum" not in node:
        high = 10 * abs(low)
    if low > high and "minimum" not in node and "exclusiveMinimum" not in node:
        low = -10 * abs(high)
    ends = {
        "exclusiveMinimum" if low_open else "minimum": low,
        "exclusiveMaximum" if high_open else "maximum": high,
    }
    base = {"type": node["type"], **ends}
    if "multipleOf" in node:
        exact = {**base, "multipleOf": node["multipleOf"]}
        if read_grid(exact).is_empty:
            return dict(NEVER)
        if n_decimals(node["multipleOf"]) <= MAX_DECIMALS and not grammar_error(json.dumps(exact)):
            return exact
    decimals = [n_decimals(edge) for edge in (low, high)] + [n_decimals(node.get("multipleOf", 1))]
    step = {"multipleOf": float(f"1e-{min(MAX_DECIMALS, max(N_DECIMALS, *decimals))}")}
    bounded = base if node["type"] == "integer" else {**base, **step}
    return dict(NEVER) if read_grid(bounded).is_empty else bounded


def _edge(node: Schema, keyword: str, default: float) -> tuple[float, bool]:
    """Give one end of a range and whether it is exclusive; the tighter of the two keywords, the default for neither."""
    exclusive = "exclusive" + keyword.capitalize()
    sign = 1 if keyword == "minimum" else -1
    found = [(sign * node[key], key == exclusive) for key in (keyword, exclusive) if key in node]
    if not found:
        return default, False
    edge, is_open = max(found)
    edge, beyond = sign * edge, edge < -LARGEST_BOUND
    if beyond:
        return -sign * LARGEST_BOUND, False
    return int(edge) if edge == floor(edge) else edge, is_open


def _array(node: Schema, bounds: Bounds) -> Schema:
    if "prefixItems" in node:
        first = [_bounded(part, bounds) for part in node["prefixItems"]]
        least = min(node.get("minItems", 0), len(first))
        return {"type": "array", "prefixItems": first, "items": False, "minItems": least, "maxItems": len(first)}
    item, least = _bounded(node.get("items", {}), bounds), node.get("minItems", 0)
    if is_never(item) or node.get("maxItems") == 0:
        return {"enum": []} if least else {"enum": [[]]}
    sizes = {"minItems": least} if least else {}
    return {"type": "array", "items": item, **sizes, **_most(node, "Items", bounds)}


def _most(node: Schema, what: str, bounds: Bounds) -> Schema:
    """The bound of a list ("Items") or map ("Properties"), marked when it is not the user's."""
    own = node.get(f"max{what}", MOST_ITEMS + 1)
    if own <= MOST_ITEMS:
        return {f"max{what}": own}
    share = MOST_ITEMS if f"max{what}" in node else min(MOST_ITEMS, max(bounds.n_items, node.get(f"min{what}", 0)))
    return {f"max{what}": share, "x-share": True}


def _object(node: Schema, bounds: Bounds) -> Schema:
    if "properties" not in node:
        return _map(node, bounds)
    properties = {name: _bounded(part, bounds) for name, part in node["properties"].items()}
    required = [name for name in properties if name in node.get("required", ())]
    if any(is_never(properties[name]) for name in required):
        return dict(NEVER)
    kept = {name: part for name, part in properties.items() if not is_never(part)}
    return {"type": "object", "properties": kept, "required": required, "additionalProperties": False}


def _map(node: Schema, bounds: Bounds) -> Schema:
    extra = node.get("additionalProperties", {})
    length = min(KEY_LENGTH, bounds.length)
    patterns = node.get("patternProperties") or ({} if is_never(extra) else {FREE_KEY % length: extra})
    known = {key: text_limits({"pattern": key}).least for key in node.get("patternProperties", ()) if _is_known(key)}
    length = max([length, *known.values()])
    inner: Schema = {}
    for key, part in patterns.items():
        bounded = _bounded(part, bounds) if part else _scalar(bounds)
        if not is_never(bounded):
            inner[key if key in known else FREE_KEY % length] = bounded
    least = node.get("minProperties", 0)
    if node.get("maxProperties") == 0 or not inner:
        return {"enum": []} if least else {"enum": [{}]}
    return {
        "type": "object",
        "patternProperties": inner,
        "additionalProperties": False,
        **({"minProperties": least} if least else {}),
        **_most(node, "Properties", bounds),
        "x-key-length": length,
    }


def _is_known(pattern: str) -> bool:
    """Whether the grammar can hold the keys of a map to a pattern; else they are free, and the validator judges."""
    text = {"pattern": pattern}
    return enforceable_text(text) == text and text_limits(text).least <= MOST_LEAST


@lru_cache(maxsize=64)
def _anything(bounds: Bounds) -> Schema:
    """Give what stands for a schema that says nothing: a scalar, a list of scalars or a map of scalars."""
    scalar = _scalar(bounds)
    return union(
        [scalar, _array({"items": _FREE_SCALAR}, bounds), _map({"additionalProperties": _FREE_SCALAR}, bounds)]
    )


def _scalar(bounds: Bounds) -> Schema:
    return _bounded(_FREE_SCALAR, bounds)


_FREE_SCALAR: Schema = {"anyOf": [{"type": "string"}, {"type": "number"}, {"type": "boolean"}, {"type": "null"}]}
