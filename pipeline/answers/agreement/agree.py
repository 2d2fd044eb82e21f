"""Does a value agree with the words of the document that are its evidence?

Numbers, dates and times are read from the words under every reading that somebody may have meant, in the language of
the document. What the words do not decide stays unchecked: a wrong alarm costs a right value.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from decimal import Decimal
from enum import StrEnum

from pipeline.answers.agreement.amounts import Amount, Amounts, amount_of
from pipeline.answers.agreement.clocks import Clock, fits, may_be, names_zone, read_clocks
from pipeline.answers.agreement.dates import Dates, read_dates
from pipeline.answers.agreement.folding import fold_phrase
from pipeline.answers.agreement.number_words import say_number
from pipeline.answers.agreement.numerals import fold_digits, read_numerals
from pipeline.answers.agreement.otherwise import may_say
from pipeline.schema.columns import Column, Kind
from pipeline.schema.json_text import JSON

_NUMBERS = (Kind.INTEGER, Kind.FLOAT, Kind.DECIMAL)
_MOMENTS = (Kind.DATE, Kind.TIMESTAMP, Kind.TIME)
_FRACTION = re.compile("[¼-¾⅐-⅞]")
_DATE = re.compile(r"(\d{4})-(\d\d)-(\d\d)", re.ASCII)
_TIME = re.compile(r"(?:\d{4}-\d\d-\d\d[Tt ])?(\d\d):(\d\d)(?::(\d\d))?(?:\.\d+)?([Zz]|[+-]\d\d:?\d\d)?", re.ASCII)
_FLOAT_DIGITS = 15


class Agreement(StrEnum):
    """How a value stands to the words that were found for it."""

    AGREES = "agrees"
    DISAGREES = "disagrees"
    UNCHECKED = "unchecked"


def agree(value: JSON, words: str, column: Column) -> Agreement:
    """Hold a value against the words of the document that were found for it.

    A number disagrees when the words hold numbers and none is equal to it under any reading; a date or a time when
    they hold a whole one and none fits. Text agrees when the words contain it, and never disagrees. A list or a map
    disagrees when one of its values does, and agrees when one does and none disagrees. So does a struct, but that a
    number or a moment does not disagree beside another that agrees: the words may be about that one alone.

    Args:
        value: Any JSON value, also one that the column does not allow: that is unchecked.
        words: What stands in the document.
        column: The value's column.
    """
    if column.kind is Kind.STRUCT and isinstance(value, dict):
        return _agree_struct(value, words, column)
    if column.children:
        return _agree_all({agree(part, words, child) for part, child in _parts(value, column)})
    if column.kind in _NUMBERS and isinstance(value, int | float | Decimal) and not isinstance(value, bool):
        return _agree_number(value, fold_digits(words))
    if isinstance(value, str):
        match column.kind:
            case Kind.STRING | Kind.ENUM:
                return _agree_text(value, words)
            case Kind.DATE | Kind.TIMESTAMP | Kind.TIME:
                return _agree_moment(value, fold_digits(words), column.kind)
    return Agreement.UNCHECKED


def _parts(value: JSON, column: Column) -> Iterator[tuple[JSON, Column]]:
    """Give the members of a list or a map, each with its column."""
    if column.kind is Kind.LIST and isinstance(value, list):
        yield from ((item, column.children[0]) for item in value)
    elif column.kind is Kind.MAP and isinstance(value, dict):
        yield from ((part, column.children[0]) for part in value.values())


def _agree_struct(value: dict[str, JSON], words: str, column: Column) -> Agreement:
    """Numbers are held together, and so are moments; each other property by itself."""
    by_kinds: dict[tuple[Kind, ...], set[Agreement]] = {}
    for field in column.children:
        if field.name in value:
            kinds = next((kinds for kinds in (_NUMBERS, _MOMENTS) if field.kind in kinds), ())
            by_kinds.setdefault(kinds, set()).add(agree(value[field.name], words, field))
    both = {Agreement.AGREES, Agreement.DISAGREES}
    return _agree_all(
        {_agree_all(found - both if kinds and found >= both else found) for kinds, found in by_kinds.items()}
    )


def _agree_all(found: set[Agreement]) -> Agreement:
    for one in (Agreement.DISAGREES, Agreement.AGREES):
        if one in found:
            return one
    return Agreement.UNCHECKED


def _agree_number(value: float | Decimal, words: str) -> Agreement:
    wanted = amount_of(value)
    if wanted is None:
        return Agreement.UNCHECKED
    found = read_numerals(words)
    if wanted in found.said or (isinstance(value, float) and _is_float_of(value, found)):
        return Agreement.AGREES
    in_words = say_number(abs(int(value)), words) if _is_whole(wanted) else None
    if in_words is True:
        return Agreement.AGREES if value >= 0 else Agreement.UNCHECKED
    if wanted in found.possible or (not _is_whole(wanted) and _FRACTION.search(words)):
        return Agreement.UNCHECKED
    is_other = (found.is_certain or in_words is False) and not may_say(wanted, words, found)
    return Agreement.DISAGREES if is_other else Agreement.UNCHECKED


def _is_whole(found: Amount) -> bool:
    """Whether it is a whole number that words may spell out."""
    return found[2] >= 0 and len(found[1]) + found[2] < 18


def _is_float_of(value: float, found: Amounts) -> bool:
    """Whether the words have more digits than a float can hold, and the float is what they round to."""
    long = (amount for amount in found.said if len(amount[1]) > _FLOAT_DIGITS)
    return any(
        float(f"{'-' if is_negative else ''}{digits}e{exponent}") == value for is_negative, digits, exponent in long
    )


def _agree_text(value: str, words: str) -> Agreement:
    wanted = fold_phrase(value)
    if not wanted:
        return Agreement.UNCHECKED
    text = fold_phrase(words)
    start = text.find(wanted)
    while start >= 0:
        if _starts_word(text, start) and (len(wanted) > 3 or _starts_word(text, start + len(wanted))):
            return Agreement.AGREES
        start = text.find(wanted, start + 1)
    return Agreement.UNCHECKED


def _starts_word(text: str, position: int) -> bool:
    """Whether no word goes on from before a position; scripts that join words or write no spaces always may begin."""
    pair = text[max(0, position - 1) : position + 1]
    return position in (0, len(text)) or not pair.isalnum() or max(pair) > "\u0590"


def _agree_moment(value: str, words: str, kind: Kind) -> Agreement:
    """Hold the day, the time of day or both against the words."""
    day, time = _DATE.match(value), _TIME.fullmatch(value)
    if (kind is not Kind.TIME and day is None) or (kind is not Kind.DATE and time is None):
        return Agreement.UNCHECKED
    of_time = Agreement.UNCHECKED if kind is Kind.DATE or time is None else _agree_time(time, words)
    if kind is Kind.TIME or day is None:
        return of_time
    of_day = _agree_day(read_dates((int(day[1]), int(day[2]), int(day[3])), words))
    if kind is Kind.DATE:
        return of_day
    if of_day is Agreement.DISAGREES and names_zone(words):
        return Agreement.UNCHECKED
    has_clock = bool(read_clocks(words))
    if of_day is Agreement.AGREES and has_clock:
        return of_time
    return of_day


def _agree_day(found: Dates) -> Agreement:
    if found.is_said:
        return Agreement.AGREES
    return Agreement.DISAGREES if found.is_other and not found.is_near else Agreement.UNCHECKED


def _agree_time(time: re.Match[str], words: str) -> Agreement:
    clocks = read_clocks(words)
    wanted: Clock = (int(time[1]), int(time[2]), int(time[3] or 0))
    if any(fits(wanted, clock) for clock in clocks):
        return Agreement.AGREES
    if not clocks or names_zone(words) or any(fits(_in_utc(wanted, time[4]), clock) for clock in clocks):
        return Agreement.UNCHECKED
    return Agreement.UNCHECKED if may_be(wanted, words) else Agreement.DISAGREES


def _in_utc(clock: Clock, offset: str | None) -> Clock:
    """Give the time of day in UTC."""
    if not offset or offset in "Zz":
        return clock
    sign = -1 if offset[0] == "-" else 1
    minutes = clock[0] * 60 + clock[1] - sign * (int(offset[1:3]) * 60 + int(offset[-2:]))
    return minutes // 60 % 24, minutes % 60, clock[2]
