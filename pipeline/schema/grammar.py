"""Asks llguidance, the library that constrains the decoder, what it can do. Loads no model library."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import lru_cache

from llguidance import LLMatcher, LLTokenizer

from pipeline.errors import SchemaError
from pipeline.schema.intersect import Schema
from pipeline.schema.lark import build_grammar
from pipeline.schema.writable import is_writable, writable

FORMATS = frozenset({"date", "date-time", "time", "duration", "email", "hostname", "ipv4", "ipv6", "uuid", "uri"})
"""The string formats that the grammar enforces."""

MOST_LEAST = 4096
"""A pattern or format whose shortest text is longer than this is left to the validator."""
MOST_MEASURED = 1024
"""A longest text beyond this is not looked for: such a string gets a share."""

_BYTES = LLTokenizer("byte")


@dataclass(frozen=True, slots=True)
class TextLimits:
    """What is known of the texts of a pattern or format.

    Attributes:
        least: Characters of the shortest.
        most: Characters of the longest; None when there is none, or none that is proven.
        bytes_per_character: The most that one character costs as the grammar writes it; quotes not counted.
    """

    least: int = 0
    most: int | None = None
    bytes_per_character: int = 4


@lru_cache(maxsize=4096)
def grammar_error(decoder_schema: str) -> str:
    """Give why no grammar can be built from a decoder form (JSON text), on one line; empty when one can."""
    try:
        grammar = build_grammar(decoder_schema)
    except SchemaError as exc:
        return str(exc)
    matcher = LLMatcher(_BYTES, LLMatcher.grammar_from_lark(grammar), log_level=0)
    if not matcher.is_error():
        matcher.compute_bitmask()
    return " ".join(matcher.get_error().split())


def enforceable_text(node: Schema) -> Schema:
    """Give the `pattern` and `format` of a string node that the grammar takes: both, one of them or none."""
    wanted: Schema = {key: node[key] for key in ("pattern", "format") if key in node}
    lengths: Schema = {key: node[key] for key in ("minLength", "maxLength") if key in node}
    if wanted.get("format") not in FORMATS:
        wanted.pop("format", None)
    for kept in (wanted, {key: value for key, value in wanted.items() if key == "format"}):
        if not kept or (is_writable(kept) and not _text_error(_string(kept, **lengths))):
            return kept
    return {}


def text_limits(kept: Schema) -> TextLimits:
    """Measure what `enforceable_text` gave; it is asked once for each different pattern and format."""
    return _limits(json.dumps(kept, sort_keys=True)) if kept else TextLimits()


@lru_cache(maxsize=4096)
def _limits(text: str) -> TextLimits:
    kept: Schema = json.loads(text)
    least, most = _shortest(kept), None
    if _has_none(_string(kept, minLength=MOST_MEASURED + 1)):
        most, too_long = least, MOST_MEASURED + 1
        while too_long - most > 1:
            length = (most + too_long) // 2
            if _has_none(_string(kept, minLength=length)):
                too_long = length
            else:
                most = length
    costs = ((4, r"[^\x00-\x7f]"), (2, r'["\\\n\t]'))
    cost = next((cost for cost, characters in costs if not _has_none(_string(kept, characters))), 1)
    return TextLimits(least, most, cost)


def _shortest(kept: Schema) -> int:
    """The smallest maxLength that the grammar takes; MOST_LEAST + 1 when that is more."""
    too_short, enough = -1, 1
    while enough <= MOST_LEAST and _text_error(_string(kept, maxLength=enough)):
        too_short, enough = enough, enough * 2
    while enough - too_short > 1:
        length = (too_short + enough) // 2
        if _text_error(_string(kept, maxLength=length)):
            too_short = length
        else:
            enough = length
    return enough


def _string(kept: Schema, contains: str = "", **lengths: int) -> str:
    """The schema of a string as llguidance takes it, JSON text; it may have to contain what a pattern finds."""
    node = writable({"type": "string", **kept, **lengths})
    return json.dumps({**node, "allOf": [*node.get("allOf", ()), {"pattern": contains}]} if contains else node)


def _has_none(string_schema: str) -> bool:
    """Whether llguidance proves that no string is such.

    It has no codes for its errors. Were these words ever changed, nothing would count as proven, and bounds be wider.
    """
    return "Unsatisfiable" in _text_error(string_schema)


@lru_cache(maxsize=16384)
def _text_error(string_schema: str) -> str:
    error: str = LLMatcher.validate_grammar(LLMatcher.grammar_from_json_schema(string_schema))
    return error
