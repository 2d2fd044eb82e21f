"""When two values of a column are the same: exactly, or as a person would say.

A value becomes a text that only the same values have. Numbers go by value, dates and times by instant, a property that
is null by being absent. Loosely, letter case and the amount of white space do not count either.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from pipeline.schema.columns import Column, Kind
from pipeline.schema.json_text import JSON, canonical_json

_MOMENT = re.compile(
    r"(?:(\d{4})-(\d\d)-(\d\d))?[Tt ]?(?:(\d\d):(\d\d)(?::(\d\d)(?:\.(\d+))?)?(?:[Zz]|([+-])(\d\d):?(\d\d))?)?",
    re.ASCII,
)
_DAY_S = 86_400

Instant = tuple[int, str]
"""Seconds, and the digits after the point without trailing zeros: compares as time does, whatever its digits."""


def sameness(value: JSON, column: Column | None = None, *, loosely: bool = False) -> str:
    """Give the text that is equal for equal values.

    Args:
        value: Any JSON value.
        column: Its column; None for a value of no column, which is compared as plain JSON.
        loosely: Whether strings that differ only in letter case or white space are the same.
    """
    kind = Kind.JSON if column is None else column.kind
    if column is not None and kind is Kind.LIST and isinstance(value, list):
        return f"[{','.join(sameness(item, column.children[0], loosely=loosely) for item in value)}]"
    if column is not None and kind in (Kind.STRUCT, Kind.MAP) and isinstance(value, dict):
        return f"{{{','.join(sorted(_iter_members(value, column, loosely=loosely)))}}}"
    if kind in (Kind.DATE, Kind.TIME, Kind.TIMESTAMP) and (moment := instant(value, kind)) is not None:
        return f"{moment[0]}.{moment[1]}"
    if isinstance(value, str):
        return canonical_json(_folded(value) if loosely else value)
    text = canonical_json(value)
    return _folded(text) if loosely else text


def instant(value: JSON, kind: Kind) -> Instant | None:
    """When a date, a time or a date-time is, to the last digit written; None for what is none.

    A date-time counts from the year 0 in UTC, and is taken as UTC when it has no offset; a time counts within its day
    in UTC. A leap second is as the first second of the next minute.
    """
    match = _MOMENT.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        return None
    year, month, day, hour, minute, second, digits, sign, offset_h, offset_m = match.groups(default="")
    if (kind is not Kind.TIME) != bool(year) or (kind is not Kind.DATE) != bool(hour):
        return None
    offset = int(f"{sign}{int(offset_h or 0) * 3600 + int(offset_m or 0) * 60}")
    clock = int(hour or 0) * 3600 + int(minute or 0) * 60 - offset
    start = _days(int(year), int(month), int(day)) * _DAY_S + clock if year else clock % _DAY_S
    return start + int(second or 0), digits.rstrip("0")


def is_blank(value: JSON) -> bool:
    """Whether a value that is there says nothing: white space, no items, or an object of nothing but such."""
    if isinstance(value, str):
        return not value.strip()
    if isinstance(value, dict):
        return all(part is None or part in ("", [], {}) for part in value.values())
    return isinstance(value, list) and not value


def _iter_members(value: dict[str, JSON], column: Column, *, loosely: bool) -> Iterator[str]:
    """The members of an object, each by its own column; a null property of a struct is as one that is not there."""
    fields = {field.name: field for field in column.children} if column.kind is Kind.STRUCT else {}
    for name, part in value.items():
        if column.kind is Kind.MAP or part is not None:
            of_part = column.children[0] if column.kind is Kind.MAP else fields.get(name)
            yield f"{canonical_json(name)}:{sameness(part, of_part, loosely=loosely)}"


def _days(year: int, month: int, day: int) -> int:
    """Days from 1 March of the year 0 in the Gregorian calendar; unlike `datetime`, it knows the year 0."""
    shifted = year - (month <= 2)
    return 365 * shifted + shifted // 4 - shifted // 100 + shifted // 400 + (153 * ((month + 9) % 12) + 2) // 5 + day


def _folded(text: str) -> str:
    return " ".join(text.casefold().split())
