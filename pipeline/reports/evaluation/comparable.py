"""When a value is the one that the gold has: to the letter, or as a person would say.

A value becomes a text that only its equals have, by `answers.sameness`. As a person would say means that numbers go by
value and dates and times by instant, as they do exactly, and that of strings these do not count: compatibility forms
(NFKC), letter case, the amount of white space, which quotes and dashes are written, punctuation at the ends, and, in
what may be a name (at most MOST_WORDS words, no digit), punctuation anywhere and the order that a comma turns around:
"Doe, John" is "John Doe", "ACME, Inc." is "Acme Inc".

Source of the forms: Unicode Standard Annex 15 (NFKC).
"""

from __future__ import annotations

import re
import unicodedata
from typing import NamedTuple

from pipeline.answers.sameness import sameness
from pipeline.schema.columns import Column, Kind
from pipeline.schema.json_text import JSON, canonical_json

MOST_WORDS = 6
"""Of a name."""

_DASHES = dict.fromkeys(map(ord, "\u00ad\u2010\u2011\u2012\u2013\u2014\u2015\u2212\ufe58\ufe63\uff0d"), "-")
_QUOTES = {
    **dict.fromkeys(map(ord, "\u2018\u2019\u201a\u201b\u2032\u0060\u00b4"), "'"),
    **dict.fromkeys(map(ord, "\u201c\u201d\u201e\u201f\u2033\u00ab\u00bb"), '"'),
}
_ENDS = " .,;:!?\"'()[]{}\u2026\u00b7\u3001\u3002\u060c\u061b\u061f\u0964"
_COMMA = re.compile("[,\u060c\u3001]")


class Key(NamedTuple):
    """What a value is compared by.

    Attributes:
        plain: Equal for equal values.
        turned: Of a name with one comma, the plain text of the name the other way around; else the same as `plain`.
    """

    plain: str
    turned: str


def exact_key(value: JSON, column: Column) -> Key:
    """What equals this value as its column has it: no rounding, no folding."""
    text = sameness(value, column)
    return Key(text, text)


def normal_key(value: JSON, column: Column) -> Key:
    """What a person would call the same value."""
    if isinstance(value, str) and column.kind in (Kind.STRING, Kind.ENUM, Kind.JSON):
        plain = canonical_json(_normal_text(value))
        before, comma, after = _parted(value)
        turned = canonical_json(_normal_text(f"{after} {before}")) if comma and _is_name(_folded(value)) else plain
        return Key(plain, turned)
    text = sameness(_normal(value, column), column)
    return Key(text, text)


def _normal(value: JSON, column: Column) -> JSON:
    """The value with all its texts as they are compared."""
    if isinstance(value, str):
        return _normal_text(value) if column.kind in (Kind.STRING, Kind.ENUM, Kind.JSON) else value
    if isinstance(value, list):
        return [_normal(item, column.children[0] if column.kind is Kind.LIST else column) for item in value]
    if isinstance(value, dict):
        parts = {part.name: part for part in column.children} if column.kind is Kind.STRUCT else {}
        of_all = column.children[0] if column.kind is Kind.MAP else Column("", Kind.JSON)
        return {name: _normal(part, parts.get(name, of_all)) for name, part in value.items()}
    return value


def _normal_text(text: str) -> str:
    folded = _folded(text)
    if _is_name(folded):
        return _words(folded) or folded
    return folded.strip(_ENDS) or folded


def _folded(text: str) -> str:
    """Without differences of form, case, white space, quotes and dashes."""
    plain = unicodedata.normalize("NFKC", text.translate(_DASHES).translate(_QUOTES)).casefold()
    return " ".join(unicodedata.normalize("NFKC", plain).split())


def _is_name(folded: str) -> bool:
    return len(folded) <= 200 and len(_words(folded).split()) <= MOST_WORDS and not any(map(str.isnumeric, folded))


def _words(folded: str) -> str:
    """Without punctuation: a dash parts two words, anything else does not ("U.S." is "us")."""
    kept = (" " if char == "-" else char for char in folded if char == "-" or unicodedata.category(char)[0] != "P")
    return " ".join("".join(kept).split())


def _parted(text: str) -> tuple[str, bool, str]:
    """What stands before and after the only comma."""
    parts = _COMMA.split(unicodedata.normalize("NFKC", text))
    return (parts[0], True, parts[1]) if len(parts) == 2 else (text, False, "")
