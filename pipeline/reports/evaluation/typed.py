"""What a gold file says of a field in, the JSON value that a row would have out; or what was expected instead."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from decimal import Decimal

from pipeline.answers.read import parse_json
from pipeline.answers.record import Invalid
from pipeline.answers.sameness import instant
from pipeline.errors import JobError
from pipeline.reports.evaluation.nearest import nearest
from pipeline.schema.columns import Column, Kind
from pipeline.schema.json_text import JSON, write_json

_TEXTS = (Kind.STRING, Kind.ENUM, Kind.DATE, Kind.TIME, Kind.TIMESTAMP)
_LONGEST_SHOWN = 60
_MOST_NAMED = 6
_MIDNIGHT = "T00:00:00"
"""What a date that a data frame kept as a date-time ends in."""


def typed(value: JSON, column: Column, *, is_text: bool, field: str) -> JSON:
    """Give the value as the field's type has it; null stays null: annotated as absent.

    Args:
        value: From the gold file.
        column: Of the field.
        is_text: The value is a cell of a CSV file: the word null, the text of a string or a date, true or false, a
            number, or JSON text of a list or an object.
        field: Its name, for messages.

    Raises:
        JobError: It is not of the field's type. The message begins with the field, and lacks the place.
    """
    given = _from_text(value, column, field) if is_text and isinstance(value, str) else value
    if column.kind is Kind.DATE and isinstance(given, str):
        given = given.removesuffix(_MIDNIGHT)
    _check(given, column, field)
    return given


def _from_text(text: str, column: Column, field: str) -> JSON:
    bare = text.strip()
    if bare == "null":
        return None
    if column.kind in _TEXTS:
        return text if column.kind is Kind.STRING else bare
    if column.kind is Kind.BOOLEAN:
        bare = bare.lower()
    found = parse_json(bare)
    if isinstance(found, Invalid):
        raise _wrong(text, column, field)
    return found


def _check(value: JSON, column: Column, field: str) -> None:
    if value is None or column.kind is Kind.JSON:
        return
    if not _IS_OF[column.kind](value, column):
        raise _wrong(value, column, field)
    if isinstance(value, list):
        _check_items(value, column, field)
    elif isinstance(value, dict) and column.kind is Kind.MAP:
        for key, part in value.items():
            _check(part, column.children[0], f"{field}[{key}]")
    elif isinstance(value, dict):
        parts = {part.name: part for part in column.children}
        for name, part in value.items():
            if name not in parts:
                raise JobError(f"field {field!r} has no property {name!r}{nearest(name, parts)}")
            _check(part, parts[name], f"{field}.{name}")


def _check_items(items: list[JSON], column: Column, field: str) -> None:
    for number, item in enumerate(items):
        _check(item, column.children[0], f"{field}[{number}]")
        lacking = [key for key in column.key if not isinstance(item, dict) or item.get(key) is None]
        if lacking:
            message = (
                f"field {field!r}: item {number} has no {lacking[0]!r}, by which the items are told apart (x-key)."
            )
            raise JobError(message)


def _wrong(value: JSON, column: Column, field: str) -> JobError:
    found = write_json(value)
    shown = found if len(found) <= _LONGEST_SHOWN else f"{found[: _LONGEST_SHOWN - 3]}..."
    return JobError(f"field {field!r}: found {shown}, expected {_expected(column)} or null.")


def _expected(column: Column) -> str:
    """What a value of the field looks like, in words."""
    if column.kind is Kind.STRUCT:
        return f"an object with {', '.join(part.name for part in column.children[:_MOST_NAMED])}"
    return _EXPECTED.get(column.kind, column.type_text)


def _is_number(value: JSON, _: Column) -> bool:
    return isinstance(value, int | float | Decimal) and not isinstance(value, bool)


def _is_integer(value: JSON, column: Column) -> bool:
    return _is_number(value, column) and Decimal(str(value)) == Decimal(str(value)).to_integral_value()


def _is_moment(value: JSON, column: Column) -> bool:
    if not isinstance(value, str) or instant(value, column.kind) is None:
        return False
    try:
        return column.kind is Kind.TIME or date.fromisoformat(value[:10]) is not None
    except ValueError:  # a month 13
        return False


_IS_OF: dict[Kind, Callable[[JSON, Column], bool]] = {
    Kind.STRING: lambda value, _: isinstance(value, str),
    Kind.ENUM: lambda value, _: isinstance(value, str),
    Kind.DATE: _is_moment,
    Kind.TIME: _is_moment,
    Kind.TIMESTAMP: _is_moment,
    Kind.INTEGER: _is_integer,
    Kind.FLOAT: _is_number,
    Kind.DECIMAL: _is_number,
    Kind.BOOLEAN: lambda value, _: isinstance(value, bool),
    Kind.LIST: lambda value, _: isinstance(value, list),
    Kind.STRUCT: lambda value, _: isinstance(value, dict),
    Kind.MAP: lambda value, _: isinstance(value, dict),
}
_EXPECTED = {
    Kind.STRING: "text",
    Kind.ENUM: "text",
    Kind.DATE: "a date such as 2025-01-31",
    Kind.TIME: "a time such as 14:30:00",
    Kind.TIMESTAMP: "a date-time such as 2025-01-31T14:30:00Z",
    Kind.INTEGER: "a whole number",
    Kind.FLOAT: "a number",
    Kind.DECIMAL: "a number",
    Kind.BOOLEAN: "true or false",
    Kind.LIST: 'a list in brackets, such as ["a", "b"]',
    Kind.MAP: "an object of keys and values",
}
