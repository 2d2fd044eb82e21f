"""Dates in words, in any order, language and script: does one say a given day?

Numbers with points, slashes or dashes, both ways round where both are days; names of months with a day and a year near
them; years, months and days with 年月日 or 년월일. Years of two digits are of this century or the last.
"""

# ruff: noqa: RUF001 - letters that look like others are what this is about

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import date

from pipeline.answers.agreement import hanzi
from pipeline.answers.agreement.folding import fold
from pipeline.answers.agreement.months import Month, find_months
from pipeline.answers.agreement.number_words import say_number

Day = tuple[int, int, int]
"""(year, month, day)."""

_NUMERIC = re.compile(r"(?<!\d)(\d{1,4})\s?([./\-–‐‑−])\s?(\d{1,2})\s?\2\s?(\d{1,4})(?!\d)")
_COMPACT = re.compile(r"(?<!\d)((?:19|20)\d\d)(\d\d)(\d\d)(?=\D|$)")
_EASTERN = re.compile(
    r"(?:(令和|平成|昭和|大正|明治|民国|民國)\s?)?(\d{1,4})\s?[年년]\s?(\d{1,2})\s?[月월]\s?(\d{1,2})\s?[日号號일]"
)
_ERAS = {"令和": 2018, "平成": 1988, "昭和": 1925, "大正": 1911, "明治": 1867, "民国": 1911, "民國": 1911}
_NUMBER = re.compile(r"(?<![\d.,])(['’]?)(\d{1,2}|\d{4})(?![\d])")
_PERIOD = re.compile(
    r"\b(?:(?:years|months|weeks|days|anniversary|jahren?|monaten?|wochen|tagen?|années|ans|mois|semaines|jours|años|meses"
    r"|semanas|días|dias|anni|mesi|settimane|giorni|anos|jaar|maanden|weken|dagen|лет|месяцев|недель|дней)|"
    r"(?:one|1|ein(?:em)?|un|uno|um|een)\)? (?:year|month|week|jahr|monat|an|año|mes|anno|mese|ano|mês|maand))\b"
    r"|年间|年間|[个個か箇ヶカ]月|वर्षों|वर्ष तक|سنوات|أشهر|شهور"
    r"|\b(?:each|every|annual(?:ly)?|yearly|monthly|quarterly|following|preceding|next|previous|prior|before|after|later"
    r"|jährlich|monatlich|nach|vor|folgend\w*|nächst\w*|après|avant|suivant\w*|chaque|después|antes|siguiente|cada|dopo"
    r"|prima|ogni|após|depois|seguinte|elke?|после|кажд\w+|ежегодно)\b|[翌每毎]",
    re.I,
)
"""Lengths and turns of time: from a date and one of them another date follows, which the words do not say."""
_REACH = 28
"""Characters between a month and its day or year, at most: "5th day of the month of January, in the year 2020"."""
_DIGITS = re.compile(r"(?<!\d)\d{1,4}(?!\d)")
_SPACES = re.compile(r"\s+")
_FIRST_YEAR, _LAST_YEAR = 1500, 2400
"""Years outside count in another calendar, or are no years: they agree with none and disagree with none."""


@dataclass(frozen=True, slots=True)
class Dates:
    """What words say about a day.

    Attributes:
        is_said: Whether they say it under some reading.
        is_near: Whether they say a part of it: its month, and neither another year nor another day beside it; or all
            of its parts, if not together.
        is_other: Whether they say another whole date for sure, and no length of time that leads from it to this one.
    """

    is_said: bool = False
    is_near: bool = False
    is_other: bool = False


def read_dates(wanted: Day, words: str) -> Dates:
    """Look for a day in words.

    Args:
        wanted: Any year, month and day.
        words: As `numerals.fold_digits` gives them.
    """
    is_other = False
    for days, is_certain in _iter_numeric(hanzi.date_parts_to_digits(words)):
        if wanted in days:
            return Dates(is_said=True)
        is_other |= is_certain
    folded = _SPACES.sub(" ", fold(words))
    months = find_months(folded)
    is_near = False
    for index, month in enumerate(months):
        beside = _around(folded, months, index)
        found = set(_real((year, number, day) for day in beside.days for year in beside.years for number in month[2]))
        if wanted in found or (wanted[1] in month[2] and _is_in_words(wanted, folded, beside)):
            return Dates(is_said=True)
        is_other |= beside.is_whole and month[3] and any(_FIRST_YEAR < day[0] < _LAST_YEAR for day in found)
        is_near |= not found and wanted[1] in month[2] and (not beside.years or wanted[0] in beside.years)
    is_near |= _has_parts(wanted, folded, months)
    return Dates(is_near=is_near, is_other=is_other and not _PERIOD.search(words))


def _has_parts(wanted: Day, folded: str, months: list[Month]) -> bool:
    """Whether day, month and year all stand there, if apart: 15 - 17 January 2023; December 31, 2022 and 2021."""
    numbers = {int(number) for number in _DIGITS.findall(folded)}
    named = {number for month in months for number in month[2]}
    return wanted[0] in numbers and wanted[2] in numbers and wanted[1] in (named or numbers)


def _iter_numeric(words: str) -> Iterator[tuple[set[Day], bool]]:
    """Give, of each date without names, the days it may be, and whether it is a date for sure."""
    for match in _NUMERIC.finditer(words):
        first, separator, middle, last = match.groups()
        days = set(_real(_orders(first, middle, last)))
        four = max(len(first), len(last)) == 4
        yield days, bool(days) and (four or separator == "/") and all(_FIRST_YEAR < day[0] < _LAST_YEAR for day in days)
    for match in _COMPACT.finditer(words):
        yield set(_real([(int(match[1]), int(match[2]), int(match[3]))])), False
    for match in _EASTERN.finditer(words) if not words.isascii() else ():
        era = _ERAS.get(match[1] or "", 0)
        years = [int(match[2]) + era] if era else _years(match[2])
        days = set(_real((year, int(match[3]), int(match[4])) for year in years))
        yield days, bool(days) and (era > 0 or len(match[2]) == 4)


def _orders(first: str, middle: str, last: str) -> Iterator[Day]:
    """Give the readings of three numbers: day or month first when the year is last, month or day second otherwise."""
    for year in _years(last):
        yield year, int(middle), int(first)
        yield year, int(first), int(middle)
    if len(last) <= 2:
        for year in _years(first):
            yield year, int(middle), int(last)
            if len(first) == 4:
                yield year, int(last), int(middle)


def _years(digits: str) -> list[int]:
    """Give the years that digits may be; a Buddhist one counts as ours, too."""
    number = int(digits)
    if len(digits) == 2:
        return [1900 + number, 2000 + number]
    if len(digits) != 4:
        return []
    return [number, number - 543] if 2440 < number < 2650 else [number]


def _real(days: Iterable[Day]) -> Iterator[Day]:
    """Leave out the days that are in no calendar."""
    for year, month, day in days:
        try:
            date(year, month, day)
        except ValueError:
            continue
        yield year, month, day


@dataclass(slots=True)
class _Beside:
    """The numbers beside a month.

    Attributes:
        days: What may be its day.
        years: What may be its year.
        is_whole: Whether there is a year of four digits.
    """

    days: set[int] = field(default_factory=set)
    years: set[int] = field(default_factory=set)
    is_whole: bool = False


def _around(folded: str, months: list[Month], index: int) -> _Beside:
    """Give the days and the years that may go with a month: the nearest before it and after it, up to other months."""
    start, end, _, _ = months[index]
    low = max(start - _REACH, months[index - 1][1] if index else 0)
    high = min(end + _REACH + 6, months[index + 1][0] if index + 1 < len(months) else len(folded))
    beside = _Beside()
    for side in (list(_NUMBER.finditer(folded, low, start))[::-1], list(_NUMBER.finditer(folded, end, high))):
        short = [number for number in side if len(number[2]) <= 2]
        if beside.days and short and short[0].start() >= end:
            beside.years.update(_years(short[0][2]))
        if side and _is_day(side[0]):
            beside.days.add(int(side[0][2]))
            short = short[1:]
        if short and short[0].start() >= end and beside.days:
            beside.years.update(_years(short[0][2]))
        for number in side:
            if len(number[2]) == 4:
                beside.years.update(_years(number[2]))
                beside.is_whole = True
                break
    return beside


def _is_day(number: re.Match[str]) -> bool:
    return len(number[2]) <= 2 and not number[1] and 1 <= int(number[2]) <= 31


def _is_in_words(wanted: Day, folded: str, beside: _Beside) -> bool:
    """Whether the day, the year or both are written as words beside the right month: the fifth of January, 2020."""
    year, _, day = wanted
    if day not in beside.days and (beside.days or say_number(day, folded) is not True):
        return False
    return year in beside.years or (not beside.years and say_number(year, folded) is True)
