"""How long, as people and schedulers write it: `3h50m`, `90s`, `1d2h`, `3:50:00`, `1-02:00:00`, or plain seconds."""

from __future__ import annotations

import re

from pipeline.errors import JobError

# At most nine digits a number: three years of seconds are enough, and no number is too large to convert.
_SECONDS = re.compile(r"\d{1,9}", re.ASCII)
_UNITS = re.compile(r"(?:(\d{1,9})d)?(?:(\d{1,9})h)?(?:(\d{1,9})m)?(?:(\d{1,9})s)?", re.ASCII)
_CLOCK = re.compile(r"(?:(\d{1,9})-)?(\d{1,9}):(\d\d):(\d\d)", re.ASCII)
_SIZES_S = (86_400, 3_600, 60, 1)


def parse_duration(text: str, option: str = "--time-limit") -> int:
    """Seconds, at least 1.

    Args:
        text: Days, hours, minutes and seconds, each optional, in that order ("3h50m"); or days and a clock
            ("1-02:00:00", as Slurm writes it); or seconds alone ("5400").
        option: Where it was written, for the message.

    Raises:
        JobError: It is none of these, or 0.
    """
    written = text.strip().lower()
    if _SECONDS.fullmatch(written):
        seconds = int(written)
    elif written and (match := _UNITS.fullmatch(written) or _CLOCK.fullmatch(written)):
        seconds = sum(int(n or 0) * size for n, size in zip(match.groups(), _SIZES_S, strict=True))
    else:
        raise JobError(f"{option} {text!r}: expected a duration such as 3h50m, 90s, 1d2h, 3:50:00, or plain seconds.")
    if seconds == 0:
        raise JobError(f"{option} {text!r}: that is no time at all; expected at least one second.")
    return seconds
