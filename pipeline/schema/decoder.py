r"""The decoder form: what the grammar enforces while the model writes. The normal form in, JSON Schema text out.

Everything in it ends: strings have a maxLength, lists and maps a maxItems or maxProperties, numbers a range and a
number of decimals, objects no property but their own. The layout is that of `json.dumps`: no white space to loop in.
A property that the schema does not require stays optional. A property that may be null stays so.

How the length is shared. A token is at least one byte, so an answer of at most `max_tokens` bytes is always complete.
A character can cost 6 bytes (`\u001f`), so the user's bounds and these defaults count 6 for each. All strings without
a bound get the same one, the largest for which the longest possible answer still fits, between MIN_LENGTH and
MAX_LENGTH; lists without a bound get the first of LIST_LENGTHS for which that succeeds. When nothing fits, the smallest
defaults are used: a shorter bound would cut true values without anybody noticing, while an answer that the engine cuts
is a reject, which everybody sees.

What llguidance 1.7 cannot do (measured): end the decimals of a negative number, and write a minus sign under
`multipleOf`. So a number is a union of a non-negative branch, which ends, and a negative one, which may not.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass

from pipeline.schema.grammar import enforceable_text
from pipeline.schema.intersect import Schema, is_never, union
from pipeline.schema.longest import FORMAT_LENGTHS, longest_answer_bytes, n_decimals

MIN_LENGTH = 256
"""Characters that an unbounded string gets at least."""
MAX_LENGTH = 4096
"""Characters that an unbounded string gets at most."""
LIST_LENGTHS = (128, 64, 32)
"""Items that an unbounded list or map may have: the first that fits, else the last."""
KEY_LENGTH = 64
"""Characters of a map's key."""
MOST_ITEMS = 10_000
"""Bounds of lists and maps beyond this are cut to it: the memory llguidance takes grows with them."""
MOST_CHARACTERS = 1_000_000
"""Bounds of strings beyond this are cut to it."""
LARGEST = 10**15
"""Numbers without a bound are at most this far from 0: every integer up to here is exact in a double."""
LARGEST_BOUND = 10**18
"""Bounds of the user beyond this are cut to it: llguidance builds no range over more digits."""
N_DECIMALS = 6
"""Decimals of a number whose schema has no multipleOf; more when its bounds have more."""
MAX_DECIMALS = 10
"""Decimals beyond which llguidance finds that multipleOf has too many digits."""
ENDLESS_BYTES = 32
"""What a part that need not end is counted as when the rest is shared out."""
LAYOUT = {"whitespace_flexible": False, "item_separator": ", ", "key_separator": ": "}
"""llguidance's own top-level keyword `x-guidance`: exactly the layout of json.dumps."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """What unbounded parts get.

    Attributes:
        length: Characters of a string.
        n_items: Items of a list, entries of a map.
    """

    length: int
    n_items: int


def build_decoder_schema(normal: Schema, max_tokens: int) -> str:
    """Give the decoder form as JSON text, always the same for the same arguments.

    Args:
        normal: The contract's normal form; its top level is an object.
        max_tokens: Most tokens of an answer; at least 1. Decides the bounds of what the user left unbounded.
    """
    return _text(normal, share_length(normal, max_tokens))


def share_length(normal: Schema, max_tokens: int) -> Bounds:
    """Choose what unbounded strings and lists get, as the module's docstring says."""
    for n_items in LIST_LENGTHS:
        if _fits(normal, Bounds(MIN_LENGTH, n_items), max_tokens):
            return _longest_fitting(normal, n_items, max_tokens)
    return Bounds(MIN_LENGTH, LIST_LENGTHS[-1])


def _longest_fitting(normal: Schema, n_items: int, max_tokens: int) -> Bounds:
    """Search the largest string bound that fits, knowing that MIN_LENGTH does."""
    fitting, too_long = MIN_LENGTH, MAX_LENGTH + 1
    while too_long - fitting > 1:
        length = (fitting + too_long) // 2
        if _fits(normal, Bounds(length, n_items), max_tokens):
            fitting = length
        else:
            too_long = length
    return Bounds(fitting, n_items)


def _fits(normal: Schema, bounds: Bounds, max_tokens: int) -> bool:
    longest = longest_answer_bytes(_text(normal, bounds), endless_bytes=ENDLESS_BYTES)
    return longest is not None and longest <= max_tokens


def _text(normal: Schema, bounds: Bounds) -> str:
    return json.dumps({**_bounded(normal, bounds), "x-guidance": LAYOUT}, ensure_ascii=False)


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
    kept = enforceable_text(node)
    default = FORMAT_LENGTHS.get(kept.get("format", ""), max(bounds.length, node.get("minLength", 0)))
    lengths = {"minLength": node["minLength"]} if "minLength" in node else {}
    return {"type": "string", **lengths, "maxLength": min(node.get("maxLength", default), MOST_CHARACTERS), **kept}


def _number(node: Schema) -> Schema:
    """Split at 0: the non-negative branch has a range and a step and so an end; the negative one cannot have a step."""
    low, low_open = _edge(node, "minimum", -LARGEST)
    high, high_open = _edge(node, "maximum", LARGEST)
    if node["type"] == "integer" and "multipleOf" not in node:
        lower = {"exclusiveMinimum" if low_open else "minimum": low}
        return {"type": "integer", **lower, "exclusiveMaximum" if high_open else "maximum": high}
    branches: list[Schema] = []
    if high > 0 or (high == 0 and not high_open):
        lower = {"exclusiveMinimum" if low_open else "minimum": low} if low >= 0 else {"minimum": 0}
        upper = {"exclusiveMaximum" if high_open else "maximum": high}
        decimals = min(MAX_DECIMALS, max(N_DECIMALS, n_decimals(low), n_decimals(high)))
        default = {"multipleOf": float(f"1e-{decimals}")} if node["type"] == "number" else {}
        step = {"multipleOf": node["multipleOf"]} if "multipleOf" in node else default
        branches.append({"type": node["type"], **lower, **upper, **step})
    if low < 0:
        lower = {"exclusiveMinimum" if low_open else "minimum": low}
        upper = {"exclusiveMaximum": 0} if high >= 0 else {"exclusiveMaximum" if high_open else "maximum": high}
        whole = node["type"] == "integer" or ("multipleOf" in node and n_decimals(node["multipleOf"]) == 0)
        branches.append({"type": "integer" if whole else "number", **lower, **upper})
    return union(branches)


def _edge(node: Schema, keyword: str, default: float) -> tuple[float, bool]:
    """Give one end of a range and whether it is exclusive; the tighter of the two keywords, the default for neither."""
    exclusive = "exclusive" + keyword.capitalize()
    tighter = max if keyword == "minimum" else min
    found = [node[key] for key in (keyword, exclusive) if key in node]
    if not found:
        return default, False
    edge = tighter(found)
    limited = max(-LARGEST_BOUND, min(LARGEST_BOUND, edge))
    whole = int(limited) if limited == math.floor(limited) else limited
    return whole, limited == edge and node.get(exclusive) == edge


def _array(node: Schema, bounds: Bounds) -> Schema:
    if "prefixItems" in node:
        first = [_bounded(part, bounds) for part in node["prefixItems"]]
        least = min(node.get("minItems", 0), len(first))
        return {"type": "array", "prefixItems": first, "items": False, "minItems": least, "maxItems": len(first)}
    item = node.get("items", {})
    most = 0 if is_never(item) else node.get("maxItems", max(bounds.n_items, node.get("minItems", 0)))
    most = min(most, MOST_ITEMS)
    least = {"minItems": node["minItems"]} if "minItems" in node else {}
    return {"type": "array", "items": _bounded(item, bounds), **least, "maxItems": most} if most else _empty(node)


def _empty(node: Schema) -> Schema:
    return {"enum": []} if node.get("minItems", 0) else {"enum": [[]]}


def _object(node: Schema, bounds: Bounds) -> Schema:
    if "properties" not in node:
        return _map(node, bounds)
    properties = {name: _bounded(part, bounds) for name, part in node["properties"].items()}
    return {
        "type": "object",
        "properties": properties,
        "required": [name for name in properties if name in node.get("required", ())],
        "additionalProperties": False,
    }


def _map(node: Schema, bounds: Bounds) -> Schema:
    extra = node.get("additionalProperties", {})
    patterns = node.get("patternProperties") or ({} if is_never(extra) else {f"^.{{1,{KEY_LENGTH}}}$": extra})
    most = min(node.get("maxProperties", max(bounds.n_items, node.get("minProperties", 0))), MOST_ITEMS)
    if not most or not patterns:
        return {"enum": []} if node.get("minProperties", 0) else {"enum": [{}]}
    inner = {key: _bounded(part, bounds) if part else _scalar(bounds) for key, part in patterns.items()}
    sizes = {key: node[key] for key in ("minProperties",) if key in node}
    return {"type": "object", "patternProperties": inner, "additionalProperties": False, **sizes, "maxProperties": most}


def _anything(bounds: Bounds) -> Schema:
    """Give what stands for a schema that says nothing: a scalar, a list of scalars or a map of scalars."""
    scalar = _scalar(bounds)
    return union(
        [scalar, _array({"items": _FREE_SCALAR}, bounds), _map({"additionalProperties": _FREE_SCALAR}, bounds)]
    )


def _scalar(bounds: Bounds) -> Schema:
    return _bounded(_FREE_SCALAR, bounds)


_FREE_SCALAR: Schema = {"anyOf": [{"type": "string"}, {"type": "number"}, {"type": "boolean"}, {"type": "null"}]}
