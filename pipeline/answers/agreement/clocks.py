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
    r"\b(?:UTC|GMT|[A-Z]{2,4}T|MES?Z|Zulu)\b|\d\s?Z\b|[+\-−]\d{1,2}:?\d{2}\b|\b[Tt]ime\b|zeit\b|МСК|भा\.?मा\.?स"
)


def read_clocks(words: str) -> list[Clock]:
    """Give the times of day that words hold, in order; `words` as `numerals.fold_digits` gives them."""
    return [clock for match in _CLOCK.finditer(words) for clock in _iter_readings(match)]


def names_zone(words: str) -> bool:
    """Whether words name a time zone or an offset, so that a value may be the same moment with other figures."""
    return _ZONE.search(words) is not None


def fits(wanted: Clock, found: Clock) -> bool:
    """Whether a time of words is the wanted one, to the minute or the second that they tell."""
    return wanted[:2] == found[:2] and (found[2] is None or found[2] == wanted[2])


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
