"""Dates and times that exist, as regular expressions: RFC 3339 in capital letters, every one a value of its column.

Leap days stand in leap years only, seconds go to 59, fractions to the microsecond, years from 1 to 9999. A date-time
of the first and the last year is in UTC: with an offset it could lie outside what a timestamp can hold.
"""

from __future__ import annotations

from dataclasses import dataclass

_MONTH_DAY = (
    "(?:(?:0[13578]|1[02])-(?:0[1-9]|[12][0-9]|3[01])|(?:0[469]|11)-(?:0[1-9]|[12][0-9]|30)"
    "|02-(?:0[1-9]|1[0-9]|2[0-8]))"
)
_BY_FOUR = "(?:0[48]|[2468][048]|[13579][26])"
"""Two digits from 04 to 96 that 4 divides."""
_LEAP_DAY = f"(?:[0-9]{{2}}{_BY_FOUR}|{_BY_FOUR}00)-02-29"
_YEAR = "(?:000[1-9]|00[1-9][0-9]|0[1-9][0-9]{2}|[1-9][0-9]{3})"
_INNER_YEAR = "(?:000[2-9]|00[1-9][0-9]|0[1-9][0-9]{2}|[1-8][0-9]{3}|9[0-8][0-9]{2}|99[0-8][0-9]|999[0-8])"

_DATE = f"(?:{_YEAR}-{_MONTH_DAY}|{_LEAP_DAY})"
_INNER_DATE = f"(?:{_INNER_YEAR}-{_MONTH_DAY}|{_LEAP_DAY})"
_CLOCK = r"(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](?:\.[0-9]{1,6})?"
_OFFSET = "[+-](?:[01][0-9]|2[0-3]):[0-5][0-9]"

_TAIL_LENGTHS = frozenset(fraction + zone for fraction in (0, *range(2, 8)) for zone in (1, 6))


@dataclass(frozen=True, slots=True)
class Moment:
    """One format.

    Attributes:
        regex: What is written between the quotes.
        lengths: The characters that its texts can have; all are ASCII.
    """

    regex: str
    lengths: frozenset[int]


MOMENTS = {
    "date": Moment(_DATE, frozenset({10})),
    "time": Moment(f"{_CLOCK}(?:Z|{_OFFSET})", frozenset(8 + tail for tail in _TAIL_LENGTHS)),
    "date-time": Moment(
        f"(?:{_DATE}T{_CLOCK}Z|{_INNER_DATE}T{_CLOCK}{_OFFSET})", frozenset(19 + tail for tail in _TAIL_LENGTHS)
    ),
}
"""By the name of the format."""
