"""One JSON row and its columns in, the exact Python values that Arrow stores out, and what has no place in them.

JSON values are as `parse_answer` gives them: numbers with a point or an exponent are Decimal, so that nothing is
rounded on the way. No row fails: what a column cannot hold exactly goes to the row's extra values, from where
`restore.py` takes it back.

| no exact place | in the column |
|---|---|
| a property that the schema does not name | nothing: the other properties stand where they belong |
| an integer beyond 64 bits, a decimal beyond 38 digits, a year beyond 0001 to 9999, a leap second | null |
| a value of a type that is not the column's (a schema's validator-only rule let it pass) | null |
| a number that no double is written as (more than 17 digits) | the nearest double |
| digits beyond the microsecond | the time without them |
| a date-time without an offset | taken as UTC |
| a time with an offset other than Z | the time in UTC |
| text with half a surrogate pair, which is not UTF-8 | null |
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from decimal import Context, Decimal, DecimalException
from typing import Any

from pipeline.schema.columns import DECIMAL_DIGITS, Column, Kind
from pipeline.schema.json_text import JSON, canonical_json, is_utf8, write_json
from pipeline.schema.pointer import child

__all__ = ["JSON", "ConvertedRow", "canonical_json", "convert_row"]

_EXACT = Context(prec=DECIMAL_DIGITS)
_INT64 = range(-(2**63), 2**63)
_INT64_DIGITS = 19
_MICROSECONDS = r"[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,6}0*)?"
_EXACT_TIMESTAMP = re.compile(rf"[0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}}T{_MICROSECONDS}(Z|[+-][0-9]{{2}}:[0-9]{{2}})")
_EXACT_TIME = re.compile(rf"{_MICROSECONDS}(Z|[+-]00:00)")


class _NoPlaceError(ValueError):
    """A value has no place at all in its column."""


@dataclass(frozen=True, slots=True)
class ConvertedRow:
    """A row as Arrow takes it.

    Attributes:
        values: By column name, every column; None where the row has no value or none that fits.
        extra: JSON pointer in the row -> the exact value, for what the columns cannot hold; a property's parents are
            always in `values`. Empty for most rows.
    """

    values: dict[str, Any]
    extra: dict[str, JSON]


def convert_row(row: Mapping[str, JSON], columns: tuple[Column, ...]) -> ConvertedRow:
    """Convert a whole answer or row; never fails.

    A property that is null is the same as one that is absent; date-times are kept as instants.
    """
    extra: dict[str, JSON] = {}
    return ConvertedRow(_struct(row, columns, "", extra), extra)


def _convert(value: JSON, column: Column, pointer: str, extra: dict[str, JSON]) -> Any:  # noqa: ANN401 - what Arrow takes
    """Convert one value; what does not fit goes to `extra` under its pointer."""
    match column.kind:
        case _ if value is None:
            return None
        case Kind.LIST if isinstance(value, list):
            item = column.children[0]
            return [_convert(part, item, child(pointer, i), extra) for i, part in enumerate(value)]
        case Kind.MAP if isinstance(value, dict):
            return _map(value, column.children[0], pointer, extra)
        case Kind.STRUCT if isinstance(value, dict):
            return _struct(value, column.children, pointer, extra)
    try:
        found, is_exact = _SCALARS[column.kind](value, column)
    except (ValueError, TypeError, OverflowError, DecimalException):
        found, is_exact = None, False
    if not is_exact:
        extra[pointer] = value
    return found


def _struct(
    value: Mapping[str, JSON], columns: tuple[Column, ...], pointer: str, extra: dict[str, JSON]
) -> dict[str, Any]:
    known = {column.name for column in columns}
    for name, part in value.items():
        if name not in known and part is not None:
            extra[child(pointer, name)] = part
    return {
        column.name: _convert(value.get(column.name), column, child(pointer, column.name), extra) for column in columns
    }


def _map(value: Mapping[str, JSON], column: Column, pointer: str, extra: dict[str, JSON]) -> list[tuple[str, Any]]:
    extra |= {child(pointer, key): part for key, part in value.items() if not is_utf8(key)}
    return [(key, _convert(part, column, child(pointer, key), extra)) for key, part in value.items() if is_utf8(key)]


Fitted = tuple[Any, bool]
"""What the column holds, and whether that is exactly the value."""


def _none(value: JSON, column: Column) -> Fitted:
    raise _NoPlaceError(f"found {type(value).__name__}, expected {column.type_text}")


def _text(value: JSON) -> str:
    if not isinstance(value, str) or not is_utf8(value):
        raise _NoPlaceError(f"found {type(value).__name__}, expected text")
    return value


def _string(value: JSON, _: Column) -> Fitted:
    return _text(value), True


def _number(value: JSON) -> int | Decimal:
    """A number, exact; a double as the shortest digits that mean it."""
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
        raise _NoPlaceError(f"found {type(value).__name__}, expected a number")
    return Decimal(repr(value)) if isinstance(value, float) else value


def _integer(value: JSON, _: Column) -> Fitted:
    number = _number(value)
    if isinstance(number, Decimal) and number.adjusted() >= _INT64_DIGITS:
        raise _NoPlaceError("more than 64 bits")
    whole = int(number)
    if whole != number or whole not in _INT64:
        raise _NoPlaceError("not a whole number of 64 bits")
    return whole, True


def _float(value: JSON, _: Column) -> Fitted:
    number = _number(value)
    double = float(number)
    if not math.isfinite(double):
        raise _NoPlaceError("beyond the range of a double")
    return double, Decimal(repr(double)) == number


def _decimal(value: JSON, column: Column) -> Fitted:
    number = Decimal(_number(value))
    exact = number.quantize(Decimal(1).scaleb(-column.scale), context=_EXACT)
    if exact != number:
        raise _NoPlaceError(f"more than {column.scale} decimals")
    return exact, True


def _boolean(value: JSON, _: Column) -> Fitted:
    if not isinstance(value, bool):
        raise _NoPlaceError(f"found {type(value).__name__}, expected true or false")
    return value, True


def _date(value: JSON, _: Column) -> Fitted:
    day = date.fromisoformat(_text(value))
    return day, day.isoformat() == value


def _timestamp(value: JSON, _: Column) -> Fitted:
    text = _text(value).upper()
    moment = datetime.fromisoformat(text)
    moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    return moment, _EXACT_TIMESTAMP.fullmatch(text) is not None


def _time(value: JSON, _: Column) -> Fitted:
    text = _text(value).upper()
    moment = time.fromisoformat(text)
    if moment.tzinfo is not None:
        moment = datetime.combine(date(2000, 1, 1), moment).astimezone(UTC).time()
    return moment, _EXACT_TIME.fullmatch(text) is not None


def _json(value: JSON, _: Column) -> Fitted:
    return write_json(value), True


_SCALARS: dict[Kind, Callable[[JSON, Column], Fitted]] = {
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
    Kind.LIST: _none,
    Kind.MAP: _none,
    Kind.STRUCT: _none,
}
