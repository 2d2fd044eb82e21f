"""The text of a schema file in, a valid schema in JSON Schema 2020-12 out."""

from __future__ import annotations

import json
import math
from typing import Any, NoReturn

from jsonschema import Draft202012Validator
from jsonschema.exceptions import SchemaError as InvalidSchema

from pipeline.errors import SchemaError
from pipeline.schema.dialect import Upgraded, draft_of, upgrade
from pipeline.schema.intersect import Schema
from pipeline.schema.pointer import child


def parse_schema(text: str) -> tuple[Schema, Upgraded]:
    """Parse a schema, check it by its own draft, and rewrite it to 2020-12.

    Returns:
        The schema as it is written, and in 2020-12.

    Raises:
        SchemaError: the text is no JSON, names a key twice, or is no valid schema.
    """
    schema = _parse(text)
    try:
        _, draft = draft_of(schema)
        if draft is not Draft202012Validator:
            _check(schema, draft, Upgraded({}))
        upgraded = upgrade(schema)
        _check(upgraded.schema, Draft202012Validator, upgraded)
    except RecursionError as exc:
        raise SchemaError("nested too deeply to be checked; flatten the schema") from exc
    return schema, upgraded


def _parse(text: str) -> Schema:
    try:
        schema = json.loads(text, object_pairs_hook=_unique, parse_constant=_no_constant, parse_float=_finite)
        json.dumps(schema, ensure_ascii=False).encode()  # half a surrogate pair cannot be written
    except json.JSONDecodeError as exc:
        raise SchemaError(f"not JSON: line {exc.lineno} column {exc.colno}: {exc.msg}") from exc
    except ValueError as exc:
        raise SchemaError(f"not JSON: {shorten(str(exc))}") from exc
    except RecursionError as exc:
        raise SchemaError("nested too deeply to be read; flatten the schema") from exc
    if schema is True:
        return {}
    if not isinstance(schema, dict):
        raise SchemaError(f"found {type(schema).__name__} at the top, expected a JSON object that is a schema")
    return schema


def _check(schema: Schema, draft: Any, upgraded: Upgraded) -> None:  # noqa: ANN401 - jsonschema types it too narrowly
    try:
        draft.check_schema(schema, format_checker=draft.FORMAT_CHECKER)
    except InvalidSchema as exc:
        where = upgraded.original(child("", *exc.absolute_path)) or "/"
        name = str(draft.META_SCHEMA.get("$schema", "JSON Schema"))
        raise SchemaError(f"at {where}: not valid JSON Schema ({name}): {shorten(exc.message)}") from exc
    except OverflowError as exc:  # of a pattern such as "a{99999999999}"
        raise SchemaError(f"a pattern cannot be searched for: {exc}; write a smaller number") from exc


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
        raise SchemaError(f"the number {shorten(digits)} is beyond the range of a double; write a smaller one")
    return float(digits)


def _no_constant(name: str) -> NoReturn:
    raise SchemaError(f"{name} is not JSON; write a number")


def shorten(text: str) -> str:
    """Put a text on one line of at most 240 characters."""
    flat = " ".join(text.split())
    return flat if len(flat) <= 240 else flat[:237] + "..."
