"""How long an answer can get: a decoder form in, the bytes of the longest JSON its grammar allows out."""

from __future__ import annotations

import json

from pipeline.schema.grammar import text_limits
from pipeline.schema.intersect import Schema, is_never
from pipeline.schema.lark import FREE_KEY
from pipeline.schema.moments import MOMENTS
from pipeline.schema.number_text import read_grid

BYTES_PER_CHARACTER = 4
"""The most a character of a free string costs: itself in UTF-8, or an escape of 2 bytes. See `lark`."""


def longest_answer_bytes(decoder_schema: str) -> int:
    """Give the bytes (UTF-8) of the longest answer that a decoder form allows.

    Since a token is at least one byte, an answer is complete whenever this is at most `max_tokens`.

    Args:
        decoder_schema: JSON text made by `build_decoder_schema`.
    """
    return longest_bytes(json.loads(decoder_schema))


def longest_bytes(node: Schema) -> int:
    """Give the bytes of the longest text of one node; 0 when it has none."""
    if "anyOf" in node:
        return max(map(longest_bytes, node["anyOf"]))
    if "enum" in node:
        return max(map(written_bytes, node["enum"]), default=0)
    match node["type"]:
        case "string":
            return 2 + _bytes_per_character(node) * int(node["maxLength"])
        case "array":
            return _array(node)
        case "object":
            return _map(node) if "patternProperties" in node else _object(node)
        case "integer" | "number":
            return read_grid(node).longest
        case "null":
            return len("null")
        case _:
            return len("false")


def written_bytes(value: object) -> int:
    """Give the bytes of a value as the grammar writes it."""
    return len(json.dumps(value, ensure_ascii=False).encode(errors="surrogatepass"))


def key_bytes(pattern: str, most: int) -> int:
    """Give the bytes of the longest key of a map that a pattern allows, with its quotes.

    Args:
        pattern: One of `patternProperties`.
        most: The map's `x-key-length`, in characters.
    """
    if pattern == FREE_KEY % most:
        return 2 + BYTES_PER_CHARACTER * most
    limits = text_limits({"pattern": pattern})
    return 2 + limits.bytes_per_character * min(most, most if limits.most is None else limits.most)


def _bytes_per_character(node: Schema) -> int:
    kept: Schema = {key: node[key] for key in ("pattern", "format") if key in node}
    if "pattern" not in kept and kept.get("format") in MOMENTS:
        return 1
    return text_limits(kept).bytes_per_character


def _array(node: Schema) -> int:
    if "prefixItems" not in node:
        return _listed(longest_bytes(node["items"]), node["maxItems"])
    sizes = [longest_bytes(part) for part in node["prefixItems"]]
    return 2 + sum(sizes) + 2 * max(0, len(sizes) - 1)


def _object(node: Schema) -> int:
    members = [
        written_bytes(name) + 2 + longest_bytes(part) for name, part in node["properties"].items() if not is_never(part)
    ]
    return 2 + sum(members) + 2 * max(0, len(members) - 1)


def _map(node: Schema) -> int:
    length = node["x-key-length"]
    entries = [
        key_bytes(pattern, length) + 2 + longest_bytes(part) for pattern, part in node["patternProperties"].items()
    ]
    return _listed(max(entries), node["maxProperties"])


def _listed(item_bytes: int, most: int) -> int:
    return 2 + most * item_bytes + 2 * max(0, most - 1)
