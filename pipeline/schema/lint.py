"""What holds each constraint of a schema: the grammar while the model writes, the validator afterwards, or nothing.

In: the schemas that an answer can meet, and what the normal form notes that it could not say. Out: findings, for
`pipeline check`. What is not noted there is judged by its keyword alone.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass

from pipeline.schema.citing import IS_QUOTE
from pipeline.schema.columns import Column, Kind, clashing_names
from pipeline.schema.decoder import tokens_needed
from pipeline.schema.dialect import Upgraded
from pipeline.schema.exact import FORMATS
from pipeline.schema.finding import Finding, Level
from pipeline.schema.intersect import Schema
from pipeline.schema.keywords import KEYWORDS
from pipeline.schema.normal import Normal
from pipeline.schema.pointer import child
from pipeline.schema.reach import Met

THIN_SHARE = 64
"""A string that gets fewer characters than this is told, with the max_tokens that would do."""


@dataclass(frozen=True, slots=True)
class Length:
    """How long an answer can get: `max_tokens`, what is asked for, its decoder form, and the bytes of the longest."""

    max_tokens: int
    asked: Schema
    decoder_schema: str
    longest_bytes: int


def lint(
    upgraded: Upgraded, met: dict[str, Met], normal: Normal, columns: tuple[Column, ...], length: Length
) -> tuple[Finding, ...]:
    """Give the findings in the order of the schema file, then those about columns and length."""
    judge = _Judge(met, normal)
    found = [finding for pointer, part in met.items() for finding in judge.schema(pointer, part.schema)]
    found = [*upgraded.findings, *found, *normal.notes.findings.values(), *_unused(upgraded.schema, met)]
    places = {pointer: i for i, pointer in enumerate(met)}
    found = [finding for finding in found if not finding.pointer or finding.pointer.startswith("/")]  # the user's own
    found.sort(key=lambda finding: places.get(finding.pointer, len(places)))
    return (
        *(_in_file(finding, upgraded) for finding in found),
        *(finding for column in columns for finding in _json_columns(column, "")),
        *_clashes(columns),
        *_length(length),
    )


def _in_file(finding: Finding, upgraded: Upgraded) -> Finding:
    return Finding(upgraded.original(finding.pointer), finding.keyword, finding.level, finding.reason)


_ENFORCED = (Level.ENFORCED, "the grammar writes nothing else")
_AFTERWARDS = (Level.VALIDATOR_ONLY, "no grammar can hold it; an answer that breaks it is rejected")
_UNKNOWN = (Level.REFUSED, "not a keyword of JSON Schema 2020-12: nothing reads it. Correct or remove it")
_ASIDE = "it stands where only the validator looks (not, if, contains, ...); checked afterwards"

_TYPE_OF: dict[str, tuple[str, ...]] = {
    **dict.fromkeys((*KEYWORDS["object"], "propertyNames", "dependentRequired", "dependentSchemas"), ("object",)),
    **dict.fromkeys((*KEYWORDS["array"], "uniqueItems", "contains", "minContains", "maxContains"), ("array",)),
    **dict.fromkeys(KEYWORDS["string"], ("string",)),
    **dict.fromkeys(KEYWORDS["number"], ("number", "integer")),
}
"""The types of which each keyword speaks; those that are not here speak of all."""

_FIXED: dict[str, tuple[Level, str] | None] = {
    **dict.fromkeys(("type", "enum", "const", "anyOf", "allOf", "$ref", "$dynamicRef"), _ENFORCED),
    **dict.fromkeys((keyword for keywords in KEYWORDS.values() for keyword in keywords), _ENFORCED),
    **dict.fromkeys(("uniqueItems", "contains", "not", "if", "then", "else"), _AFTERWARDS),
    **dict.fromkeys(("dependentRequired", "dependentSchemas", "propertyNames"), _AFTERWARDS),
    **dict.fromkeys(("minContains", "maxContains", "unevaluatedProperties", "unevaluatedItems"), _AFTERWARDS),
    **dict.fromkeys(("title", "description", "default", "examples", "deprecated", "readOnly", "writeOnly")),
    **dict.fromkeys(("$comment", "$schema", "$id", "$defs", "definitions", "$vocabulary")),
    **dict.fromkeys(("$anchor", "$dynamicAnchor", "contentEncoding", "contentMediaType", "contentSchema")),
    "oneOf": (Level.VALIDATOR_ONLY, "the grammar takes any branch; that exactly one fits is checked afterwards"),
    "nullable": (Level.REFUSED, 'not JSON Schema: nothing reads it. Write the type as [..., "null"]'),
}
"""What holds a keyword whatever stands beside it; None for those that constrain nothing."""

_NEEDS = {"then": "if", "else": "if", "minContains": "contains", "maxContains": "contains"}
"""Keywords that mean nothing without another one."""


class _Judge:
    """Knows what the normal form was made from, and what below it is left to the validator."""

    def __init__(self, met: dict[str, Met], normal: Normal) -> None:
        self._notes = normal.notes
        self._reached = normal.reached
        self._loose = _below(met, normal.notes.loose)

    def schema(self, pointer: str, schema: Schema) -> Iterator[Finding]:
        """Judge every keyword of one schema."""
        for keyword in schema:
            judged = self._keyword(keyword, pointer, schema)
            if judged is not None:
                yield Finding(pointer, keyword, *judged)

    def _keyword(self, keyword: str, pointer: str, schema: Schema) -> tuple[Level, str] | None:
        fixed = None if keyword.startswith("x-") else _FIXED.get(keyword, _UNKNOWN)
        if fixed is None or fixed[0] is Level.REFUSED:
            return fixed
        idle = _idle(keyword, schema)
        if idle:
            return Level.REFUSED, idle
        if pointer not in self._reached or pointer in self._loose or (pointer, keyword) in self._notes.left:
            reason = self._notes.left.get((pointer, keyword)) or self._loose.get(pointer, _ASIDE)
            return Level.VALIDATOR_ONLY, reason
        if (pointer, keyword) in self._notes.held:
            return _ENFORCED
        others = keyword in ("additionalProperties", "patternProperties") and schema.get("properties")
        return _others(schema[keyword]) if others else fixed


def _idle(keyword: str, schema: Schema) -> str:
    """Why a keyword that JSON Schema knows has no effect where it stands; empty when it has one."""
    if _NEEDS.get(keyword, keyword) not in schema:
        return f"it means nothing without {_NEEDS[keyword]!r}: nothing reads it"
    types = schema.get("type", [])
    declared = [types] if isinstance(types, str) else types
    if declared and keyword in _TYPE_OF and not {*declared} & {*_TYPE_OF[keyword]}:
        return f"it speaks of {' and '.join(_TYPE_OF[keyword])}, and the type is {types}: nothing reads it"
    if keyword == "format" and schema["format"] not in FORMATS.checkers:
        return f"no part knows the format {schema['format']!r}: nothing checks it"
    return ""


def _others(value: object) -> tuple[Level, str]:
    reason = "the grammar writes the properties that are named, and no others"
    return (Level.NOTE if value in (True, {}) else Level.ENFORCED), reason


def _below(met: dict[str, Met], loose: dict[str, str]) -> dict[str, str]:
    """Everything that is only met below schemas that are left to the validator, or also there."""
    found: dict[str, str] = {}
    for start, reason in loose.items():
        waiting = [pointer for pointer in met if pointer == start or pointer.startswith(start + "/")]
        while waiting:
            pointer = waiting.pop()
            if pointer in met and pointer not in found:
                found[pointer] = reason
                waiting += [*met[pointer].same, *met[pointer].parts]
    return found


def _unused(schema: Schema, met: dict[str, Met]) -> Iterator[Finding]:
    """Definitions that no answer meets."""
    for keyword in ("$defs", "definitions"):
        for name in schema.get(keyword, {}):
            where = child("", keyword, name)
            if not any(pointer == where or pointer.startswith(where + "/") for pointer in met):
                yield Finding(where, keyword, Level.NOTE, "nothing refers to this definition")


def _json_columns(column: Column, pointer: str) -> Iterator[Finding]:
    where = f"{pointer}.{column.name}" if pointer else column.name
    if column.kind is Kind.JSON:
        reason = f"{where} has no single type, so its column is a string that holds JSON"
        yield Finding("", "column", Level.NOTE, reason)
    for part in column.children:
        yield from _json_columns(part, where)


def _clashes(columns: tuple[Column, ...]) -> Iterator[Finding]:
    for names in clashing_names(columns):
        reason = f"{' and '.join(names)} differ in letter case only, which many warehouses ignore"
        yield Finding("", "column", Level.NOTE, reason)


def _length(length: Length) -> Iterator[Finding]:
    """Tell when an answer may be cut, and when what unbounded parts get is thin."""
    if length.longest_bytes > length.max_tokens:
        reason = (
            f"an answer may be cut: the longest possible one has {length.longest_bytes:,} bytes, more than max_tokens "
            f"= {length.max_tokens:,}. Raise max_tokens, or bound strings (maxLength) and lists (maxItems)"
        )
        yield Finding("", "length", Level.NOTE, reason)
    thinnest = min(_shares(json.loads(length.decoder_schema)), default=THIN_SHARE)
    if thinnest < THIN_SHARE:
        reason = (
            f"strings without maxLength, and quotes, get {thinnest} characters only; max_tokens = "
            f"{tokens_needed(length.asked):,} would give them 256, or bound strings (maxLength) and lists (maxItems)"
        )
        yield Finding("", "length", Level.NOTE, reason)


def _shares(decoder_node: object) -> Iterator[int]:
    """The maxLength of every string whose bound is a share, of quotes too."""
    if isinstance(decoder_node, dict):
        if "maxLength" in decoder_node and (decoder_node.get("x-share") is True or IS_QUOTE in decoder_node):
            yield decoder_node["maxLength"]
        for part in decoder_node.values():
            yield from _shares(part)
    elif isinstance(decoder_node, list):
        for part in decoder_node:
            yield from _shares(part)
