"""One JSON value and its column in, the exact Python value that Arrow stores out.

JSON values are as `parse_answer` gives them: numbers with a point or an exponent are Decimal, so that nothing is
rounded on the way.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, time
from decimal import Context, Decimal, DecimalException
from typing import Any

from pipeline.schema.columns import DECIMAL_DIGITS, Column, Kind
from pipeline.schema.pointer import child

JSON = None | bool | int | float | Decimal | str | list[Any] | dict[str, Any]
"""A JSON value as parsed."""

_EXACT = Context(prec=DECIMAL_DIGITS)
_INT64 = range(-(2**63), 2**63)


class ConversionError(ValueError):
    """A value that satisfies the schema but has no exact place in its column."""

    def __init__(self, pointer: str, found: object, expected: str) -> None:
        text = repr(found)
        shown = text if len(text) <= 80 else text[:77] + "..."
        super().__init__(f"at {pointer or '/'}: found {shown}, expected {expected}")
        self.pointer = pointer


def convert_row(row: Mapping[str, JSON], columns: tuple[Column, ...]) -> dict[str, Any]:
    """Convert a whole answer or row; properties it does not have become None.

    Raises:
        ConversionError: a value does not fit its column, or a property has no column.
    """
    return _struct(row, columns, "")


def convert(value: JSON, column: Column, pointer: str) -> Any:  # noqa: ANN401 - what Arrow takes for the column
    """Convert one value.

    Dates and times follow RFC 3339: a date-time goes to UTC, one without an offset is taken as UTC; a time goes to UTC
    too; digits beyond the microsecond are dropped.

    Raises:
        ConversionError: with the JSON pointer, what was found and what the column takes.
    """
    if value is None:
        return None
    match column.kind:
        case Kind.LIST if isinstance(value, list):
            return [convert(item, column.children[0], child(pointer, i)) for i, item in enumerate(value)]
        case Kind.MAP if isinstance(value, dict):
            return [(key, convert(part, column.children[0], child(pointer, key))) for key, part in value.items()]
        case Kind.STRUCT if isinstance(value, dict):
            return _struct(value, column.children, pointer)
        case Kind.LIST | Kind.MAP | Kind.STRUCT:
            raise ConversionError(pointer, value, column.type_text)
    try:
        return _SCALARS[column.kind](value, column)
    except (ValueError, TypeError, OverflowError, RecursionError, DecimalException) as exc:
        raise ConversionError(pointer, value, f"{column.type_text} ({exc or type(exc).__name__})") from exc


def canonical_json(value: JSON) -> str:
    """Write a value in the one form that equal values share: keys sorted, no spaces, numbers in their shortest form."""
    return json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"), default=_plain)


def _plain(number: object) -> int | float:
    """Write a Decimal as the nearest double: 1.0 is 1, 1.10 is 1.1."""
    if not isinstance(number, Decimal):
        raise TypeError(f"{type(number).__name__} is not a JSON value")
    double = float(number)
    return int(double) if double.is_integer() and abs(double) < 2**53 else double


def _struct(value: Mapping[str, JSON], columns: tuple[Column, ...], pointer: str) -> dict[str, Any]:
    unknown = value.keys() - {column.name for column in columns}
    if unknown:
        name = min(unknown)
        raise ConversionError(child(pointer, name), value[name], "nothing: the schema names no such property")
    return {column.name: convert(value.get(column.name), column, child(pointer, column.name)) for column in columns}


def _string(value: JSON, _: Column) -> str:
    if not isinstance(value, str):
        raise TypeError("not a string")
    return value


def _integer(value: JSON, _: Column) -> int:
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal) or value != int(value):
        raise TypeError("not a whole number")
    if int(value) not in _INT64:
        raise OverflowError("more than 64 bits")
    return int(value)


def _float(value: JSON, _: Column) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
        raise TypeError("not a number")
    return float(value)


def _decimal(value: JSON, column: Column) -> Decimal:
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
        raise TypeError("not a number")
    number = Decimal(repr(value)) if isinstance(value, float) else Decimal(value)
    exact = number.quantize(Decimal(1).scaleb(-column.scale), context=_EXACT)
    if exact != number:
        raise ValueError(f"more than {column.scale} decimals")
    return exact


def _boolean(value: JSON, _: Column) -> bool:
    if not isinstance(value, bool):
        raise TypeError("not true or false")
    return value


def _date(value: JSON, column: Column) -> date:
    return date.fromisoformat(_string(value, column))


def _timestamp(value: JSON, column: Column) -> datetime:
    moment = datetime.fromisoformat(_string(value, column).upper())
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def _time(value: JSON, column: Column) -> time:
    moment = time.fromisoformat(_string(value, column).upper())
    if moment.tzinfo is None:
        return moment
    return datetime.combine(date(2000, 1, 1), moment).astimezone(UTC).time()


def _json(value: JSON, _: Column) -> str:
    return canonical_json(value)


_SCALARS: dict[Kind, Callable[[JSON, Column], Any]] = {
    Kind.STRING: _string,
    Kind.ENUM: _string,
    Kind.DATE: _date,
    Kind.TIMESTAMP: _timestamp,
    Kind.TIME: _time,
    Kind.INTEGER: _integer,
    Kind.FLOAT: _float,
    Kind.DECIMAL: _decimal,
    Kind.BOOLEAN: _boolean,
    Kind.JSON: _json,
}
