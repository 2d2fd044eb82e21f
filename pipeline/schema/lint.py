"""What holds each constraint of a schema: the grammar while the model writes, the validator afterwards, or nothing.

In: the user's schema, its normal form and the length of an answer. Out: findings, for `pipeline check`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from jsonschema import Draft202012Validator

from pipeline.schema.columns import Column, Kind, build_columns
from pipeline.schema.bounded import N_DECIMALS
from pipeline.schema.decoder import share_length
from pipeline.schema.grammar import FORMATS, enforceable_text
from pipeline.schema.intersect import Schema
from pipeline.schema.normal import KEYWORDS
from pipeline.schema.pointer import child


class Level(StrEnum):
    """What holds a constraint. REFUSED: nothing does, the keyword has no effect. NOTE: worth knowing, no constraint."""

    ENFORCED = "enforced"
    VALIDATOR_ONLY = "validator_only"
    REFUSED = "refused"
    NOTE = "note"


@dataclass(frozen=True, slots=True)
class Finding:
    """One fact about a schema.

    Attributes:
        pointer: JSON pointer of the schema (not of the keyword) it is about; "" for the top.
        keyword: The keyword, or what the finding is about ("column", "length").
        level: What holds it.
        reason: One sentence for a person.
    """

    pointer: str
    keyword: str
    level: Level
    reason: str


def lint(schema: Schema, normal: Schema, max_tokens: int, longest_bytes: int | None) -> tuple[Finding, ...]:
    """Give the findings in the order of the schema file, then those about columns and length.

    Args:
        schema: The user's schema, valid.
        normal: Its normal form.
        max_tokens: Most tokens of an answer.
        longest_bytes: Bytes of the longest answer the grammar allows; None when it need not end.
    """
    return (
        *_walk(schema, ""),
        *(finding for column in build_columns(normal) for finding in _json_columns(column, "")),
        *_length(normal, max_tokens, longest_bytes),
    )


_ENFORCED = (Level.ENFORCED, "the grammar writes nothing else")
_AFTERWARDS = (Level.VALIDATOR_ONLY, "no grammar can hold it; an answer that breaks it is rejected")
_UNKNOWN = (Level.REFUSED, "not a keyword of JSON Schema 2020-12: nothing reads it. Correct or remove it")

_FIXED: dict[str, tuple[Level, str] | None] = {
    **dict.fromkeys(("type", "enum", "const", "anyOf", "allOf", "$ref"), _ENFORCED),
    **dict.fromkeys((keyword for keywords in KEYWORDS.values() for keyword in keywords), _ENFORCED),
    **dict.fromkeys(
        ("uniqueItems", "contains", "minContains", "maxContains", "not", "if", "then", "else"), _AFTERWARDS
    ),
    **dict.fromkeys(("dependentRequired", "dependentSchemas", "propertyNames"), _AFTERWARDS),
    **dict.fromkeys(("unevaluatedProperties", "unevaluatedItems"), _AFTERWARDS),
    **dict.fromkeys(("title", "description", "default", "examples", "deprecated", "readOnly", "writeOnly")),
    **dict.fromkeys(("$comment", "$schema", "$id", "$defs", "definitions", "$anchor", "$vocabulary")),
    "oneOf": (Level.VALIDATOR_ONLY, "the grammar takes any branch; that exactly one fits is checked afterwards"),
    "nullable": (Level.REFUSED, 'not JSON Schema: nothing reads it. Write the type as [..., "null"]'),
}
"""What holds a keyword whatever stands beside it; None for those that constrain nothing."""

_CHILD = ("items", "additionalProperties", "not", "if", "then", "else", "contains", "propertyNames")
_CHILD_LISTS = ("allOf", "anyOf", "oneOf", "prefixItems")
_CHILD_MAPS = ("properties", "patternProperties", "$defs", "definitions", "dependentSchemas")


def _walk(schema: object, pointer: str) -> Iterator[Finding]:
    if not isinstance(schema, dict):
        return
    for keyword in schema:
        finding = _judge(keyword, schema)
        if finding is not None:
            yield Finding(pointer, keyword, *finding)
    if _is_endless(schema):
        yield Finding(pointer, "type", Level.NOTE, _ENDLESS)
    for keyword in _CHILD:
        yield from _walk(schema.get(keyword), child(pointer, keyword))
    for keyword in _CHILD_LISTS:
        for i, part in enumerate(schema.get(keyword, ())):
            yield from _walk(part, child(pointer, keyword, i))
    for keyword in _CHILD_MAPS:
        for name, part in schema.get(keyword, {}).items():
            yield from _walk(part, child(pointer, keyword, name))


_ENDLESS = (
    "the grammar cannot end the decimals of a negative number, so an answer may be cut; set minimum to 0, or use "
    f"integer, if you can. Without multipleOf a positive number has at most {N_DECIMALS} decimals"
)


def _judge(keyword: str, schema: Schema) -> tuple[Level, str] | None:
    match keyword:
        case "multipleOf" if _may_be_negative(schema):
            return Level.VALIDATOR_ONLY, "the grammar holds it for numbers from 0 up only; set minimum to 0 if you can"
        case "format":
            return _format(schema)
        case "pattern" if "pattern" not in enforceable_text(schema):
            return Level.VALIDATOR_ONLY, "the grammar knows no such pattern; an answer that breaks it is rejected"
        case "minProperties" | "maxProperties" if schema.get("properties"):
            return _AFTERWARDS
        case "additionalProperties" | "patternProperties" if schema.get("properties") and schema[keyword] is not False:
            return Level.NOTE, "the object has columns for its properties only: others are neither written nor accepted"
        case _:
            return None if keyword.startswith("x-") else _FIXED.get(keyword, _UNKNOWN)


def _may_be_negative(schema: Schema) -> bool:
    low: float = max((schema[key] for key in ("minimum", "exclusiveMinimum") if key in schema), default=-1)
    return low < 0


def _format(schema: Schema) -> tuple[Level, str]:
    name = schema["format"]
    if name in FORMATS and "format" in enforceable_text(schema):
        return Level.ENFORCED, "the grammar writes nothing else; the validator checks what is left, such as 29 February"
    if name in Draft202012Validator.FORMAT_CHECKER.checkers:
        return Level.VALIDATOR_ONLY, f"the grammar does not know {name!r}; an answer that breaks it is rejected"
    return Level.REFUSED, f"no part knows the format {name!r}: nothing checks it"


def _is_endless(schema: Schema) -> bool:
    types = schema.get("type", ())
    number = "number" in ([types] if isinstance(types, str) else types)
    return number and "enum" not in schema and _may_be_negative(schema)


def _json_columns(column: Column, pointer: str) -> Iterator[Finding]:
    where = f"{pointer}.{column.name}" if pointer else column.name
    if column.kind is Kind.JSON:
        reason = f"{where} has no single type, so its column is a string that holds JSON"
        yield Finding("", "column", Level.NOTE, reason)
    for part in column.children:
        yield from _json_columns(part, where)


def _length(normal: Schema, max_tokens: int, longest_bytes: int | None) -> Iterator[Finding]:
    bounds = share_length(normal, max_tokens)
    if '"type": "string"' in json.dumps(normal) or '"type": "array"' in json.dumps(normal):
        reason = (
            f"strings without maxLength get {bounds.length} characters, lists without maxItems {bounds.n_items} items"
        )
        yield Finding("", "length", Level.NOTE, reason)
    if longest_bytes is None:
        yield Finding("", "length", Level.NOTE, "an answer may be cut: the grammar allows one that does not end")
    elif longest_bytes > max_tokens:
        yield Finding(
            "",
            "length",
            Level.NOTE,
            f"an answer may be cut: the longest possible one has {longest_bytes:,} bytes, more than max_tokens = "
            f"{max_tokens:,}. Raise max_tokens, or bound strings (maxLength) and lists (maxItems)",
        )
