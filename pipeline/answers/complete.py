"""Is a valid answer all of it? An answer and its decoder form in, the places where some may be missing out.

A string, list or map that is exactly as long as the bound that we gave it (the user gave none) may have been ended by
the grammar, not by the model. A list that has fewer items than the model said it would list is short.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any

from pipeline.schema.intersect import Schema
from pipeline.schema.pointer import child
from pipeline.schema.values import JSON


def find_reached(answer: JSON, decoder_schema: str) -> list[str]:
    """JSON pointers to what is as long as its share of max_tokens allows, in the order of the answer.

    Args:
        answer: As the model wrote it: counts not stripped, not wrapped. It satisfies the decoder form, or need not.
        decoder_schema: The decoder form it was written under. Our own bounds are marked `x-share` there.
    """
    if '"x-share"' not in decoder_schema:
        return []
    return list(dict.fromkeys(_reached(answer, _parsed(decoder_schema), "")))


def find_short(counts: Mapping[str, JSON], values: Mapping[str, JSON], normal: Schema) -> list[str]:
    """Words for each list that has fewer items than the model counted.

    A list that is as long as the user's own schema allows is not short.

    Args:
        counts: What the model counted, by name of the list.
        values: The answer without the counts.
        normal: The contract's normal form.

    Returns:
        For instance "/lines has 3 of 5 items".
    """
    found = []
    for name, count in counts.items():
        value = values.get(name)
        n_items = len(value) if isinstance(value, list) else 0
        if isinstance(count, int) and count > n_items < _most_items(normal["properties"][name]):
            found.append(f"{child('', name)} has {n_items} of {count} items")
    return found


def _most_items(node: Schema) -> float:
    """How long the user's schema lets a list be."""
    branches = [branch for branch in node.get("anyOf", [node]) if branch.get("type", "array") == "array"]
    return max((branch.get("maxItems", math.inf) for branch in branches), default=0)


@lru_cache(maxsize=64)
def _parsed(decoder_schema: str) -> Schema:
    form: Schema = json.loads(decoder_schema)
    return form


_BOUNDS: tuple[tuple[type[Any], str], ...] = ((str, "maxLength"), (list, "maxItems"), (dict, "maxProperties"))


def _reached(value: JSON, node: Schema, pointer: str) -> Iterator[str]:
    """In a union, any branch that fits the value's type counts: better asked again than cut unseen.

    It goes as deep as the decoder form, which ends; the answer may be deeper where that says nothing.
    """
    if not node:
        return
    for branch in node.get("anyOf", ()):
        yield from _reached(value, branch, pointer)
    if node.get("x-share") is True and _is_full(value, node):
        yield pointer or "/"
    if isinstance(value, list):
        first = node.get("prefixItems", ())
        for number, item in enumerate(value):
            yield from _reached(
                item, _schema(first[number] if number < len(first) else node.get("items")), child(pointer, number)
            )
    elif isinstance(value, dict):
        entries = list(node.get("patternProperties", {}).values())
        for name, part in value.items():
            named = node.get("properties", {}).get(name)
            for form in entries if named is None else [named]:
                yield from _reached(part, _schema(form), child(pointer, name))


def _is_full(value: JSON, node: Schema) -> bool:
    return any(isinstance(value, kind) and len(value) >= node.get(name, len(value) + 1) for kind, name in _BOUNDS)


def _schema(node: object) -> Schema:
    """What says nothing (absent, true, false) bounds nothing."""
    return node if isinstance(node, dict) else {}
