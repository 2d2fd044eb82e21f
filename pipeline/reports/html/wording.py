"""Numbers, times and untrusted text as people read them. Everything that a template prints goes through `visible`."""

from __future__ import annotations

import json
import re
from decimal import Decimal

from markupsafe import Markup

from pipeline.schema.json_text import JSON, write_json

_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")
_DIRECTION = re.compile("[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")
_PICTURES = 0x2400
_DELETE = 0x7F
_MOST_DIGITS = 40


def visible(value: object) -> object:
    """What a template prints, with characters that HTML cannot hold replaced by ones that can be seen.

    Markup of our own and what is no text stay as they are. Escaping comes after it.
    """
    if not isinstance(value, str) or isinstance(value, Markup):
        return value
    return _CONTROL.sub(_picture, value.replace("\r\n", "\n"))


def _picture(match: re.Match[str]) -> str:
    code = ord(match[0])
    if code == ord("\r"):
        return "\n"
    if code < ord(" "):
        return chr(_PICTURES + code)
    return "\u2421" if code == _DELETE else "\ufffd"


def label(text: object) -> str:
    """A name on one line in which no character changes the direction of what follows: it is written out instead.

    `invoice\u202efdp.exe` would be read as `invoiceexe.pdf`.
    """
    return _DIRECTION.sub(lambda match: f"[U+{ord(match[0]):04X}]", " ".join(str(text).split()))


def short(text: str, most: int = 160) -> str:
    """The beginning of a text of more than `most` characters, and three dots."""
    return text if len(text) <= most else f"{text[: most - 1]}…"


def file_name(uri: str) -> str:
    """The last part of a uri; the uri itself when that is empty."""
    return re.split(r"[/\\]", uri.rstrip("/\\"))[-1] or uri


def number(value: float | None) -> str:
    """With separators of thousands and, below 100, at most one decimal; "-" for None."""
    if value is None:
        return "-"
    return f"{value:,.0f}" if value == int(value) or abs(value) >= 100 else f"{value:,.1f}"


def compact(value: float) -> str:
    """In four characters or so: "950", "1.2K", "34M"."""
    for limit, unit in ((1e9, "G"), (1e6, "M"), (1e3, "K")):
        if abs(value) >= limit:
            return f"{value / limit:.3g}{unit}"
    return f"{value:.3g}"


def percent(share: float | None) -> str:
    """A ratio in percent; only a whole is 100 %, and only nothing is 0 %. "-" for None."""
    if share is None:
        return "-"
    rounded = round(share * 100, 1)
    if rounded == 100 and 0 < share < 1:
        return "> 99.9 %"
    if rounded == 0 and share > 0:
        return "< 0.1 %"
    return f"{rounded:g} %"


def duration(seconds: float) -> str:
    """For instance "0.4 s", "2 min 05 s", "3 h 12 min"."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest:02d} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60:02d} min"


def clock_time(milliseconds: int) -> str:
    """A time in a recording: "1:02:03"."""
    seconds = milliseconds // 1000
    return f"{seconds // 3600}:{seconds // 60 % 60:02d}:{seconds % 60:02d}"


def moment(iso: str) -> str:
    """A time of a run report, to the second, in UTC."""
    return f"{iso[:19].replace('T', ' ')} UTC" if iso else "-"


def in_words(name: str) -> str:
    """A key of ours as a person would write it."""
    return name.replace("_", " ")


def value_text(value: JSON) -> str:
    """A plain value as a person reads it."""
    if value is None:
        return "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, str):
        return value or "(empty text)"
    if isinstance(value, Decimal):
        return f"{value:f}".removesuffix(".0") if abs(value.adjusted()) < _MOST_DIGITS else str(value)
    return "(none)" if value in ([], {}) else write_json(value)


def json_in_words(text: str) -> str:
    """A value that is JSON text, as a person reads it; the text itself when it is none."""
    try:
        return value_text(json.loads(text, parse_float=Decimal))
    except (ValueError, RecursionError):
        return text
