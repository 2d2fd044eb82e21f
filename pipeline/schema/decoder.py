r"""The decoder form: what the grammar enforces while the model writes. The normal form in, JSON Schema text out.

Everything in it ends: strings have a maxLength, lists and maps a maxItems or maxProperties, numbers a range and a
number of decimals, objects no property but their own. A property that the schema does not require stays optional. A
property that may be null stays so. `lark.py` makes the grammar of it, in the layout of `json.dumps`.

How the length is shared. A token is at least one byte, so an answer of at most `max_tokens` bytes is always complete.
`longest.py` counts the bytes of the longest text the grammar allows, for the user's bounds as for ours. All strings
without a bound get the same one, and all lists and maps: the first step of STEPS that fits, then what still fits of
longer strings and then of more items, up to the step before it, and at last the longest strings, up to MAX_LENGTH.
When no step fits, the user's own bounds (or the names alone) are longer than max_tokens; then the shares are those of
USUAL, and an answer may be cut.

Annotations: `x-share: true` stands beside a maxLength, maxItems or maxProperties that is such a share, so whatever is
exactly as long may have been cut by us. A quote (`x-quote`) has a share too, and no mark: cut, it is found all the
same. `x-key-length` is the most characters of a map's key.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

from pipeline.schema.bounded import Bounds, build_bounded
from pipeline.schema.citing import IS_QUOTE
from pipeline.schema.intersect import Schema
from pipeline.schema.longest import longest_bytes
from pipeline.schema.pointer import child

MIN_LENGTH = 256
"""Characters that an unbounded string gets where max_tokens allows."""
MAX_LENGTH = 4096
"""Characters that an unbounded string gets at most."""
STEPS = (
    Bounds(MIN_LENGTH, 128),
    Bounds(MIN_LENGTH, 64),
    Bounds(MIN_LENGTH, 32),
    Bounds(128, 16),
    Bounds(64, 8),
    Bounds(32, 4),
    Bounds(16, 2),
    Bounds(1, 1),
)
"""Lists give way before strings do; below USUAL, both shrink together."""
USUAL = STEPS[2]
"""What a schema should have room for."""
LAYOUT = {"whitespace_flexible": False, "item_separator": ", ", "key_separator": ": "}
"""Under `x-guidance`, for those who read the decoder form: exactly the layout of json.dumps."""


@dataclass(frozen=True, slots=True)
class Share:
    """What one string, list or map of an answer may take.

    Attributes:
        pointer: JSON pointer into an answer; `*` stands for any item of a list and any key of a map.
        what: "characters", "items" or "entries".
        bound: How many of them, at most.
        is_ours: Whether max_tokens gives the bound; else the schema does.
        tokens: The most tokens it can take in one answer, with all that is in it and as often as it can occur.
    """

    pointer: str
    what: str
    bound: int
    is_ours: bool
    tokens: int


def build_decoder_schema(normal: Schema, max_tokens: int) -> str:
    """Give the decoder form as JSON text, always the same for the same arguments.

    Args:
        normal: The contract's normal form, of any type.
        max_tokens: Most tokens of an answer; at least 1. Decides the bounds of what the user left unbounded.
    """
    bounded = build_bounded(normal, share_length(normal, max_tokens))
    return json.dumps({**bounded, "x-guidance": LAYOUT}, ensure_ascii=False)


def share_length(normal: Schema, max_tokens: int) -> Bounds:
    """Choose what unbounded strings and lists get, as the module's docstring says."""

    def fits(length: int, n_items: int) -> bool:
        return longest_bytes(build_bounded(normal, Bounds(length, n_items))) <= max_tokens

    above = STEPS[0]
    for step in STEPS:
        if fits(step.length, step.n_items):
            length = _most(step.length, above.length, partial(fits, n_items=step.n_items))
            n_items = _most(step.n_items, above.n_items, partial(fits, length))
            return Bounds(_most(length, MAX_LENGTH, partial(fits, n_items=n_items)), n_items)
        above = step
    return USUAL


def tokens_needed(normal: Schema) -> int:
    """Give the smallest max_tokens with which unbounded strings and lists get at least what USUAL gives them."""
    return longest_bytes(build_bounded(normal, USUAL))


def _most(fitting: int, most: int, fits: Callable[[int], bool]) -> int:
    """Search the largest number up to `most` that fits, knowing that the first does."""
    if fits(most):
        return most
    too_much = most
    while too_much - fitting > 1:
        middle = (fitting + too_much) // 2
        if fits(middle):
            fitting = middle
        else:
            too_much = middle
    return fitting


def share_budget(normal: Schema, max_tokens: int) -> tuple[Share, ...]:
    """Give what every string, list and map gets, in the schema's order; a union's branches one after the other."""
    return tuple(_shares(build_bounded(normal, share_length(normal, max_tokens)), "", 1))


def _shares(node: Schema, pointer: str, times: int) -> Iterator[Share]:
    for branch in node.get("anyOf", ()):
        yield from _shares(branch, pointer, times)
    for keyword, what in _BOUNDS.items():
        if keyword in node and "prefixItems" not in node:
            is_ours = "x-share" in node or IS_QUOTE in node
            yield Share(pointer, what, node[keyword], is_ours, times * longest_bytes(node))
    for i, part in enumerate(node.get("prefixItems", ())):
        yield from _shares(part, child(pointer, i), times)
    if "prefixItems" not in node and "items" in node:
        yield from _shares(node["items"], f"{pointer}/*", times * int(node["maxItems"]))
    for name, part in node.get("properties", {}).items():
        yield from _shares(part, child(pointer, name), times)
    for part in node.get("patternProperties", {}).values():
        yield from _shares(part, f"{pointer}/*", times * int(node["maxProperties"]))


_BOUNDS = {"maxLength": "characters", "maxItems": "items", "maxProperties": "entries"}
