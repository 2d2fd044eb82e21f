"""Times of day in words: 14:30, 2.30 p.m., 14h30, 14 Uhr, 午後2時30分; does one say a given time?"""

# ruff: noqa: RUF001 - letters that look like others are what this is about

from __future__ import annotations

import re
from collections.abc import Iterator

Clock = tuple[int, int, int | None]
"""(hour, minute, second); None where the words do not tell the second."""

_CLOCK = re.compile(
    r"(?P<early>(?:午前|午後|上午|下午|오전|오후)\s?)?(?<![\d.,:])(?P<h>\d{1,2})"
    r"(?:\s?(?:[:h時时点點시]|(?P<dot>\.))\s?(?P<m>\d{2})(?:\s?[:分.]\s?(?P<s>\d{2}))?)?(?![\d])\s?"
    r"(?P<late>[ap]\.?\s?m\b\.?|uhr\b|h\b|heures?\b|[時时点點시]|صباحا|مساء|बजे|[صم]\b)?",
    re.I,
)
_AFTERNOON = ("p", "午後", "下午", "오후", "م")
_MORNING = ("a", "午前", "上午", "오전", "ص")
_ZONE = re.compile(
    r"\b(?:UTC|GMT|[A-Z]{2,4}T|MES?Z|Zulu)\b|\d\s?Z\b|[+\-−]\d{1,2}:?\d{2}\b|\b(?:[Tt]ime|Eastern|Central|Mountain|Pacific|local)\b|zeit\b|МСК|भा\.?मा\.?स"
)

_ROUGH = re.compile(
    r"(?<![\d.,:])(\d{1,2})(?:\s?[:.h]\s?(\d{2})(?:\s?[:.]\s?\d{2})?)?(?![\d:])\s?(?P<late>[ap]\.?\s?m\b)?"
    r"(?:\s?(?:o.?clock|uhr|h)?\s?(?P<on>(?:[-–—~]|to|till?|until|bis|and|und|à|a|al|y|e|até|tot|до|至|から)\s?\d))?",
    re.I,
)
_HALF = re.compile(r"半|반|½|\b(?:half|halb|demie|media|mezza|meia|quarter|viertel|quart|cuarto)\b", re.I)


def read_clocks(words: str) -> list[Clock]:
    """Give the times of day that words hold, in order; `words` as `numerals.fold_digits` gives them."""
    return [clock for match in _CLOCK.finditer(words) for clock in _iter_readings(match)]


def names_zone(words: str) -> bool:
    """Whether words name a time zone or an offset, so that a value may be the same moment with other figures."""
    return _ZONE.search(words) is not None


def fits(wanted: Clock, found: Clock) -> bool:
    """Whether a time of words is the wanted one, to the minute or the second that they tell."""
    return wanted[:2] == found[:2] and (found[2] is None or found[2] == wanted[2])


def may_be(wanted: Clock, words: str) -> bool:
    """Whether words may say a time that was not read in them: with half hours, as a range, or without its afternoon."""
    if _HALF.search(words):
        return True
    for match in _ROUGH.finditer(words):
        hour, is_head = int(match[1]), match["on"] is not None
        is_same = hour % 12 == wanted[0] % 12 and int(match[2] or 0) == wanted[1] and not match["late"]
        is_other_half = hour <= 12 and hour != wanted[0] and (is_head or match[2] is not None)
        if is_same and (is_other_half or (is_head and hour == wanted[0] and match[2] is None)):
            return True
    return any(clock[:2] == wanted[:2] and not wanted[2] for clock in read_clocks(words))


def _iter_readings(match: re.Match[str]) -> Iterator[Clock]:
    hour, minute = int(match["h"]), int(match["m"] or 0)
    mark = ((match["early"] or "") + (match["late"] or "")).lower()
    is_bare = not mark and (match["m"] is None or match["dot"] is not None)
    if is_bare or hour > 24 or minute > 59:
        return
    second = int(match["s"]) if match["s"] else None
    if mark.startswith(_AFTERNOON):
        hour = hour % 12 + 12
    elif mark.startswith(_MORNING):
        hour %= 12
    yield hour % 24, minute, second
