"""Reads a task's JSON Schema and makes the contract of it: all that later stages need to know about an answer."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from jsonschema import Draft202012Validator
from jsonschema.exceptions import SchemaError as InvalidSchema
from jsonschema.protocols import Validator

from pipeline.errors import SchemaError
from pipeline.schema.columns import Column, build_columns
from pipeline.schema.decoder import build_decoder_schema
from pipeline.schema.grammar import MAX_NESTING, grammar_error, nesting, require_all
from pipeline.schema.intersect import Schema
from pipeline.schema.lint import Finding, lint
from pipeline.schema.longest import longest_answer_bytes
from pipeline.schema.normal import normalise
from pipeline.schema.pointer import child
from pipeline.schema.validator import build_validator


@dataclass(frozen=True, slots=True, eq=False)
class Contract:
    """One task's data contract.

    Attributes:
        name: The schema file's name without its ending.
        path: The schema file.
        schema: The user's schema as parsed, properties in the file's order.
        max_tokens: Most tokens of an answer; the decoder form was made for it.
        decoder_schema: The decoder form, JSON text.
        longest_bytes: Bytes of the longest answer the decoder form allows; None when an answer need not end.
        validator: The validator form.
        columns: The columns of the table, in order.
        lint: What enforces each constraint, in the schema's order.
        normal: The normal form, of which decoder form and columns are made.
        counted: Top-level lists of which the model first says how many items it sees (`x-count-first`). In an answer,
            the property `_n_<name>` stands before each; it is no column.
        is_wrapped: Whether the schema's answer is no object with properties (a list, a map, a number, ...). The table
            then has the one column `value`, and `normal` is an object whose property `value` is the answer, while
            decoder form and validator are of the bare answer.
    """

    name: str
    path: Path
    schema: Schema
    max_tokens: int
    decoder_schema: str
    longest_bytes: int | None
    validator: Validator
    columns: tuple[Column, ...]
    lint: tuple[Finding, ...]
    normal: Schema
    counted: tuple[str, ...] = ()
    is_wrapped: bool = False

    def decoder_for(self, max_tokens: int) -> str:
        """The decoder form for answers of another length."""
        if max_tokens == self.max_tokens:
            return self.decoder_schema
        answer = self.normal["properties"]["value"] if self.is_wrapped else self.normal
        return build_decoder_schema(answer, max_tokens)


def load_contract(path: Path, max_tokens: int) -> Contract:
    """Read a schema file and build every form of it, except Arrow's (see `arrow.py`).

    Args:
        path: A JSON Schema 2020-12 file in UTF-8.
        max_tokens: Most tokens of an answer, at least 1; unbounded strings and lists are bounded by it.

    Raises:
        SchemaError: the file cannot be read, is no JSON, is no valid schema, or asks for what no form can express.
    """
    text = _read(path)
    try:
        return _build(path, text, max_tokens)
    except SchemaError as exc:
        raise SchemaError(f"schema {path}: {exc}") from exc


def _build(path: Path, text: str, max_tokens: int) -> Contract:
    schema = _parse(text)
    answer = normalise(schema)
    _check_required(answer, "")
    decoder_schema = build_decoder_schema(answer, max_tokens)
    is_wrapped = answer.get("type") != "object" or not answer.get("properties")
    normal = _wrap(answer) if is_wrapped else answer
    _check_grammar(decoder_schema)
    longest_bytes = longest_answer_bytes(decoder_schema)
    return Contract(
        name=path.stem,
        path=path,
        schema=schema,
        max_tokens=max_tokens,
        decoder_schema=decoder_schema,
        longest_bytes=longest_bytes,
        validator=build_validator(text),
        columns=build_columns(normal),
        lint=lint(schema, normal, max_tokens, longest_bytes),
        normal=normal,
        counted=tuple(name for name, part in normal["properties"].items() if part.get("x-count-first") is True),
        is_wrapped=is_wrapped,
    )


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except OSError as exc:
        raise SchemaError(f"schema {path}: cannot be read ({exc.strerror}); correct the path in the job file") from exc
    except UnicodeDecodeError as exc:
        raise SchemaError(f"schema {path}: not UTF-8 at byte {exc.start}; save the file as UTF-8") from exc


def _parse(text: str) -> Schema:
    try:
        schema = json.loads(text, object_pairs_hook=_unique, parse_constant=_no_constant, parse_float=_finite)
        json.dumps(schema, ensure_ascii=False).encode()  # half a surrogate pair cannot be written
    except json.JSONDecodeError as exc:
        raise SchemaError(f"not JSON: line {exc.lineno} column {exc.colno}: {exc.msg}") from exc
    except ValueError as exc:
        raise SchemaError(f"not JSON: {_shorten(str(exc))}") from exc
    except RecursionError as exc:
        raise SchemaError("nested too deeply to be read; flatten the schema") from exc
    if not isinstance(schema, dict):
        raise SchemaError(f"found {type(schema).__name__} at the top, expected a JSON object that is a schema")
    try:
        Draft202012Validator.check_schema(schema, format_checker=Draft202012Validator.FORMAT_CHECKER)
    except InvalidSchema as exc:
        where = child("", *exc.absolute_path) or "/"
        raise SchemaError(f"at {where}: not valid JSON Schema 2020-12: {_shorten(exc.message)}") from exc
    except RecursionError as exc:
        raise SchemaError("nested too deeply to be checked; flatten the schema") from exc
    return schema


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Refuse an object that names a key twice: JSON readers disagree on which one counts."""
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key in found:
            raise SchemaError(f"the key {key!r} stands twice in one object; keep one")
        found[key] = value
    return found


def _finite(digits: str) -> float:
    if math.isinf(float(digits)):
        raise SchemaError(f"the number {_shorten(digits)} is beyond the range of a double; write a smaller one")
    return float(digits)


def _no_constant(name: str) -> NoReturn:
    raise SchemaError(f"{name} is not JSON; write a number")


def _wrap(answer: Schema) -> Schema:
    return {"type": "object", "properties": {"value": answer}, "required": ["value"]}


def _check_required(node: Schema, pointer: str) -> None:
    """Every required name must be declared, at any level: the grammar writes no other."""
    missing = [name for name in node.get("required", ()) if name not in node.get("properties", {})]
    if missing:
        raise SchemaError(
            f"at {pointer or '/'}: 'required' names {missing[0]!r}, which 'properties' does not declare; add it"
        )
    for keyword in ("properties", "patternProperties"):
        for name, part in node.get(keyword, {}).items():
            _check_required(part, child(pointer, keyword, name))
    for keyword in ("anyOf", "prefixItems"):
        for i, part in enumerate(node.get(keyword, ())):
            _check_required(part, child(pointer, keyword, i))
    for keyword in ("items", "additionalProperties"):
        if keyword in node:
            _check_required(node[keyword], child(pointer, keyword))


def _check_grammar(decoder_schema: str) -> None:
    """Build the grammar, also with every property required: llguidance drops an optional one that no value fits."""
    depth = nesting(decoder_schema)
    if depth > MAX_NESTING:
        raise SchemaError(
            f"its decoder form is nested {depth} levels deep, vLLM takes {MAX_NESTING}; flatten the schema"
        )
    refused = grammar_error(decoder_schema) or grammar_error(require_all(decoder_schema))
    if refused:
        raise SchemaError(f"no grammar can be built from it: {_shorten(refused)}. Change the constraint it names")


def _shorten(text: str) -> str:
    flat = " ".join(text.split())
    return flat if len(flat) <= 240 else flat[:237] + "..."
