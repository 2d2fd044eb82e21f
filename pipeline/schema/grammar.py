"""Asks llguidance, the library that constrains the decoder, whether it can build a grammar. Loads no model library."""

from __future__ import annotations

import json
from functools import lru_cache

from llguidance import LLMatcher

from pipeline.schema.intersect import Schema

FORMATS = frozenset({"date", "date-time", "time", "duration", "email", "hostname", "ipv4", "ipv6", "uuid", "uri"})
"""The string formats that llguidance 1.7 enforces; it refuses a schema that names another."""

MAX_NESTING = 64
"""Objects and arrays within each other that vLLM allows in the text of a schema."""


@lru_cache(maxsize=4096)
def grammar_error(decoder_schema: str) -> str:
    """Give why no grammar can be built from the schema (JSON text), in llguidance's first line; empty when one can."""
    error = LLMatcher.validate_grammar(LLMatcher.grammar_from_json_schema(decoder_schema))
    return " ".join(error.split())


def enforceable_text(node: Schema) -> Schema:
    """Give the `pattern` and `format` of a string node that the grammar takes: both, one of them or none."""
    wanted: Schema = {key: node[key] for key in ("pattern", "format") if key in node}
    if wanted.get("format") not in FORMATS:
        wanted.pop("format", None)
    for kept in (wanted, {key: value for key, value in wanted.items() if key == "format"}):
        if not kept or not grammar_error(json.dumps({"type": "string", **kept})):
            return kept
    return {}


def nesting(decoder_schema: str) -> int:
    """Count the objects and arrays that stand within each other at the deepest place of a JSON text."""
    levels, depth = [json.loads(decoder_schema)], 0
    while levels:
        containers = [value for value in levels if isinstance(value, dict | list)]
        levels = [part for value in containers for part in (value.values() if isinstance(value, dict) else value)]
        depth += bool(containers)
    return depth


def require_all(decoder_schema: str) -> str:
    """Give the decoder form with every property required."""

    def required(node: Schema) -> Schema:
        if isinstance(node.get("properties"), dict) and node.get("type") == "object":
            return {**node, "required": [*node["properties"]]}
        return node

    whole: str = json.dumps(json.loads(decoder_schema, object_hook=required))
    return whole
